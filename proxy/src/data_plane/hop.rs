//! Headers that belong to one connection and are never passed on (RFC 9110, section 7.6.1).

use http::HeaderMap;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

static HOP: [HeaderName; 7] =
    [CONNECTION, TRANSFER_ENCODING, UPGRADE, TE, KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS];

/// Whether an answer's length is said at most once and in one way.
pub fn says_one_length(headers: &HeaderMap) -> bool {
    let once = |name: HeaderName, valid: fn(&[u8]) -> bool| {
        let mut values = headers.get_all(name).iter();
        let first = values.next();
        let good = first.is_none_or(|value| valid(value.as_bytes())) && values.next().is_none();
        good.then_some(first.is_some())
    };
    let length =
        once(CONTENT_LENGTH, |value| value.len() < 20 && value.iter().all(u8::is_ascii_digit));
    let coding = once(TRANSFER_ENCODING, |value| value.eq_ignore_ascii_case(b"chunked"));
    match (length, coding) {
        (Some(length), Some(coding)) => !(length && coding),
        _ => false,
    }
}

/// Removes them, and what `Connection` nominates; gives the protocol that an upgrade asks for.
pub fn strip(headers: &mut HeaderMap) -> Option<HeaderValue> {
    // One look at each name costs less than one look-up of each of these.
    let mut there = [false; HOP.len()];
    for name in headers.keys() {
        for (there, hop) in there.iter_mut().zip(&HOP) {
            *there |= name == hop;
        }
    }
    if there == [false; HOP.len()] {
        return None;
    }
    let [connection, coded, upgrades, ..] = there;
    let upgrade = if upgrades { upgrade(headers) } else { None };
    if coded {
        // Of two lengths the coding is the one that was read (RFC 9112, section 6.3).
        headers.remove(CONTENT_LENGTH);
    }
    if connection {
        let nominated: Vec<HeaderName> = tokens(headers)
            .filter(|token| !token.eq_ignore_ascii_case(b"keep-alive"))
            .filter_map(|token| HeaderName::from_bytes(token).ok())
            .collect();
        for name in nominated {
            headers.remove(name);
        }
    }
    for (hop, _) in HOP.iter().zip(there).filter(|(_, there)| *there) {
        headers.remove(hop);
    }
    upgrade
}

/// Whether the client says that it takes trailers (RFC 9110, section 10.1.4), which gRPC insists on.
pub fn takes_trailers(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(TE).iter();
    codings
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// The protocol of an upgrade that `Connection` announces; h2c is none of ours to pass on.
fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let protocol = headers.get(UPGRADE)?;
    let announced = tokens(headers).any(|token| token.eq_ignore_ascii_case(b"upgrade"));
    let mut protocols = protocol.as_bytes().split(|byte| *byte == b',');
    let h2c = protocols.any(|one| one.trim_ascii().to_ascii_lowercase().starts_with(b"h2c"));
    (announced && !h2c).then(|| protocol.clone())
}

fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn what_belongs_to_the_connection_goes() {
        let mut map = headers(&[
            ("connection", "close, X-One"),
            ("connection", " x-two ,\"x-three\""),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "kept"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("http2-settings", "AAA"),
            ("x-api-key", "kept"),
        ]);
        assert_eq!(strip(&mut map), None);
        let mut left: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-api-key", "x-three"]);
    }

    #[test]
    fn lengths_of_answers() {
        type Case<'c> = (&'c [(&'static str, &'static str)], bool);
        let cases: [Case<'_>; 11] = [
            (&[], true),
            (&[("content-length", "5")], true),
            (&[("transfer-encoding", "Chunked")], true),
            (&[("content-length", "5"), ("content-length", "5")], false),
            (&[("content-length", "5, 5")], false),
            (&[("content-length", "+5")], false),
            (&[("content-length", "99999999999999999999")], false),
            (&[("content-length", "5"), ("transfer-encoding", "chunked")], false),
            (&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], false),
            (&[("transfer-encoding", "gzip, chunked")], false),
            (&[("transfer-encoding", "identity")], false),
        ];
        for (pairs, expected) in cases {
            assert_eq!(says_one_length(&headers(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn upgrades() {
        type Case<'c> = (&'c [(&'c str, &'c str)], Option<&'c str>);
        let cases: [Case<'_>; 5] = [
            (&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")], Some("websocket")),
            (&[("connection", "upgrade"), ("upgrade", "foo/1")], Some("foo/1")),
            (&[("connection", "keep-alive"), ("upgrade", "websocket")], None),
            (&[("connection", "upgrade"), ("upgrade", "websocket, H2C")], None),
            (&[("connection", "upgrade")], None),
        ];
        for (pairs, expected) in cases {
            let mut map = HeaderMap::new();
            for (name, value) in pairs {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                map.append(name, HeaderValue::from_str(value).unwrap());
            }
            let protocol = strip(&mut map);
            assert_eq!(protocol.as_ref().map(|p| p.to_str().unwrap()), expected, "{pairs:?}");
            assert!(!map.contains_key(UPGRADE));
        }
    }
}
