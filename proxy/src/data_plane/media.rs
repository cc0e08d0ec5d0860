//! What kind of body a head announces.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};

/// Whether `Content-Type` begins with this name, which is written in lower case.
pub fn is_media(headers: &HeaderMap, name: &[u8]) -> bool {
    let media = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let start = media.trim_ascii_start().get(..name.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// Whether it is an event stream.
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    is_media(headers, b"text/event-stream")
}
