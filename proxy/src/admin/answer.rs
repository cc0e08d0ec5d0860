//! The shapes of the admin API's answers.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

/// An answer.
pub type Answer = Response<Full<Bytes>>;

/// An answer of this type.
pub fn text(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// A JSON document.
pub fn json(status: StatusCode, value: &Value) -> Answer {
    text(status, "application/json", format!("{value:#}\n"))
}

/// `{"error"}`.
pub fn refuse(status: StatusCode, error: &str) -> Answer {
    json(status, &serde_json::json!({ "error": error }))
}
