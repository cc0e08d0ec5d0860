//! What a fleet's controller has no answer to: no request passes it, so flags that were set here would
//! reach nobody. It says where the answer is.

use http::{Method, StatusCode};

use super::answer::{Answer, refuse};

/// What is answered in the place of a call about flags, breaker or parity; `None` for any other.
pub fn elsewhere(method: &Method, path: &str) -> Option<Answer> {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let is_change = matches!(*method, Method::PUT | Method::DELETE);
    let (status, why) = match path {
        "/flags" if is_read => (
            StatusCode::NOT_FOUND,
            "this is a fleet's controller, which has no flags of its own: what it has the sidecars do \
             is in GET /rollout (modegate rollout status), what they do in GET /flags of each",
        ),
        "/parity" if is_read => (
            StatusCode::NOT_FOUND,
            "this is a fleet's controller, which no message passes: ask each sidecar for GET /parity; \
             what all of them saw is in the gate parity (modegate rollout explain parity)",
        ),
        "/breaker" if *method == Method::DELETE => (
            StatusCode::CONFLICT,
            "this is a fleet's controller, which has no breaker: close it at the sidecar that opened it",
        ),
        _ if is_change && path.starts_with("/flags/") => (
            StatusCode::CONFLICT,
            "this is a fleet's controller: a flag set here would reach no sidecar. To take fast mode \
             away everywhere: modegate rollout rollback --hard here, or set the flag at each sidecar",
        ),
        _ => return None,
    };
    Some(refuse(status, why))
}

/// The answer to one who would have its access line written or not.
pub fn no_access_line() -> Answer {
    let why =
        "this is a fleet's controller, which writes no access lines: set them at each sidecar";
    refuse(StatusCode::CONFLICT, why)
}
