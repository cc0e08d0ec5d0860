//! What kind of body a head announces.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};

/// A kind of body that makes a difference here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// An event stream.
    Events,
    /// The messages of a gRPC call.
    Grpc,
    /// A JSON document.
    Json,
    /// Anything else, or nothing that is said.
    Other,
}

impl Media {
    /// What `Content-Type` begins with.
    pub fn of(headers: &HeaderMap) -> Media {
        let media = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let media = media.trim_ascii_start();
        let begins = |name: &[u8]| {
            media.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        match () {
            () if begins(b"application/json") => Media::Json,
            () if begins(b"text/event-stream") => Media::Events,
            () if begins(b"application/grpc") => Media::Grpc,
            () => Media::Other,
        }
    }

    /// Whether it may be silent for long.
    pub fn is_stream(self) -> bool {
        matches!(self, Media::Events | Media::Grpc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let cases = [
            ("application/json", Media::Json),
            ("Application/JSON; charset=utf-8", Media::Json),
            (" text/event-stream", Media::Events),
            ("text/event-stream;charset=utf-8", Media::Events),
            ("application/grpc+proto", Media::Grpc),
            ("application/grp", Media::Other),
            ("text/plain, application/json", Media::Other),
            ("", Media::Other),
        ];
        for (value, expected) in cases {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
            assert_eq!(Media::of(&headers), expected, "{value:?}");
        }
        assert_eq!(Media::of(&HeaderMap::new()), Media::Other);
    }
}
