//! Which calls a leg serves at all. The runtime's entrypoint has calls beside its messages that
//! give its memory away or overwrite it, and asks nobody who they are: only those that are known
//! reach it.

use http::Method;

use crate::route::Leg;
use crate::target::pathname;

/// What the runtime leg always serves: the two calls that carry messages.
const MESSAGES: [&str; 2] = ["/bridge", "/bridge/stream"];

/// A method and a path, matched exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    method: Method,
    path: String,
}

impl Call {
    /// Reads `METHOD /path`. The path is one that stands for itself: without a query, without dot
    /// segments, spelled as `new URL` gives it.
    pub fn parse(text: &str) -> Option<Call> {
        let (method, path) = text.split_once(' ')?;
        let plain = path.starts_with('/') && pathname(path) == path;
        let named = method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        (plain && named && method != Method::CONNECT)
            .then(|| Call { method, path: path.to_owned() })
    }
}

/// Whether a leg serves a request. Other legs serve everything; the runtime leg serves its
/// messages and what the configuration adds.
///
/// `path` is the target's as it is sent on: not only the path that it stands for must be on the
/// list, but the spelling itself, since that is what the entrypoint compares.
pub fn serves(leg: Leg, more: &[Call], method: &Method, path: &str) -> bool {
    match leg {
        Leg::Frontend | Leg::Bridge => true,
        Leg::Runtime => {
            let message = method == Method::POST && MESSAGES.contains(&path);
            message || more.iter().any(|call| call.method == method && call.path == path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_as_the_configuration_writes_them() {
        let cases = [
            ("GET /health", true),
            ("POST /api/snapshot", true),
            ("M-SEARCH /a", true),
            ("GET /", true),
            ("GET /a:b/c~d", true),
            ("GET /a%20b", true),
            ("GET", false),
            ("/health", false),
            ("GET health", false),
            ("GET  /health", false),
            ("get /health", false),
            (" /health", false),
            ("CONNECT /health", false),
            ("GET /health?x", false),
            ("GET /health#x", false),
            ("GET /a/../b", false),
            ("GET /a/%2e%2E/b", false),
            ("GET /a/.", false),
            ("GET //a/b", false),
            ("GET /a b", false),
            ("GET /a\\b", false),
            ("GET http://h/a", false),
            ("G\u{c9}T /a", false),
            ("", false),
        ];
        for (text, taken) in cases {
            assert_eq!(Call::parse(text).is_some(), taken, "{text:?}");
        }
    }

    #[test]
    fn what_each_leg_serves() {
        let more: Vec<Call> =
            ["GET /health", "POST /api/restore"].into_iter().filter_map(Call::parse).collect();
        let cases = [
            ("POST", "/bridge", true, true),
            ("POST", "/bridge/stream", true, true),
            ("GET", "/health", false, true),
            ("POST", "/api/restore", false, true),
            ("POST", "/api/snapshot", false, false),
            ("GET", "/api/restore", false, false),
            ("POST", "/health", false, false),
            ("HEAD", "/health", false, false),
            ("GET", "/bridge", false, false),
            ("OPTIONS", "/bridge", false, false),
            ("POST", "/bridge/", false, false),
            ("POST", "/Bridge", false, false),
            ("POST", "/bridge/../api/restore", false, false),
            ("POST", "/%2e%2e/api/restore", false, false),
            ("POST", "//x/api/restore", false, false),
            ("POST", "/api/./restore", false, false),
            ("POST", "/api\\restore", false, false),
            ("POST", "/api/restore/", false, false),
            ("POST", "/x/../bridge", false, false),
            ("POST", "//x/bridge", false, false),
            ("POST", "/", false, false),
            ("OPTIONS", "*", false, false),
            ("POST", "", false, false),
        ];
        for (method, path, alone, with_more) in cases {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let served = |leg, more: &[Call]| serves(leg, more, &method, path);
            assert_eq!(served(Leg::Runtime, &[]), alone, "{method} {path}");
            assert_eq!(served(Leg::Runtime, &more), with_more, "{method} {path}");
            assert!(served(Leg::Frontend, &[]) && served(Leg::Bridge, &[]), "{method} {path}");
        }
    }
}
