//! The flags document over OFREP (0.3.0), for sidecars whose `flag_sources.remote` this process is:
//! bulk evaluation of the one flag whose value it is, whatever the context.

use http::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use modegate_filters::hex;
use serde_json::json;

use super::answer::{Answer, json as answer, refuse, text};
use crate::rollout::Controller;

/// The path of bulk evaluation.
pub const PATH: &str = "/ofrep/v1/evaluate/flags";
/// The flag's key, as `flag_sources.flag` is by default.
const KEY: &str = "modegate";

/// `POST /ofrep/v1/evaluate/flags`.
pub fn evaluate(controller: &Controller, headers: &HeaderMap) -> Answer {
    let flags = match controller.document() {
        Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, &error),
        Ok(None) => Vec::new(),
        Ok(Some(document)) => vec![json!({
            "key": KEY,
            "value": document.value(),
            "reason": "STATIC",
            "variant": document.generation.to_string(),
        })],
    };
    let body = json!({ "flags": flags });
    let tag = format!("\"{}\"", hex::sha256(body.to_string().as_bytes()));
    let asked = headers.get_all(IF_NONE_MATCH).iter();
    let mut known = asked.filter_map(|value| value.to_str().ok()).flat_map(|tags| tags.split(','));
    let mut said = match known.any(|one| one.trim().trim_start_matches("W/") == tag) {
        true => text(StatusCode::NOT_MODIFIED, "application/json", ""),
        false => answer(StatusCode::OK, &body),
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        said.headers_mut().insert(ETAG, tag);
    }
    said
}
