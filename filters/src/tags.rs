//! The headers that tag a request: what is removed of what came, and what is set.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::bucket::Cohort;
use crate::inspect::{Policy, Verdict};
use crate::room;

/// The effective mode.
pub const MODE: HeaderName = HeaderName::from_static("x-processing-mode");
/// The requested mode, `none` or `invalid`.
pub const REQUESTED: HeaderName = HeaderName::from_static("x-processing-requested");
/// The configured profile that applies.
pub const PROFILE: HeaderName = HeaderName::from_static("x-processing-profile");
/// The room, header-safe.
pub const ROOM: HeaderName = HeaderName::from_static("x-processing-room");
/// `canary` or `control`.
pub const COHORT: HeaderName = HeaderName::from_static("x-processing-cohort");
/// The request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

const TAGS: [&str; 7] = [
    "x-processing-mode",
    "x-processing-requested",
    "x-processing-profile",
    "x-processing-room",
    "x-processing-cohort",
    "x-request-id",
    "traceparent",
];

/// The longest request id that is taken from a client, in visible ASCII characters.
pub const REQUEST_ID_LIMIT: usize = 64;

/// Whether a name is a tag in some spelling: a server may read `_` as `-`.
pub fn is_tag(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    if !matches!(name.first(), Some(b'x' | b't')) {
        return false;
    }
    TAGS.iter().any(|tag| {
        tag.len() == name.len()
            && tag
                .bytes()
                .zip(name)
                .all(|(tag, byte)| tag == if *byte == b'_' { b'-' } else { *byte })
    })
}

/// Removes every spelling of every tag.
pub fn strip(headers: &mut HeaderMap) {
    while let Some(name) = headers.keys().find(|name| is_tag(name)).cloned() {
        headers.remove(name);
    }
}

/// What a client's headers say of the request's identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its request id, where it is one that is kept.
    pub request_id: Option<HeaderValue>,
    /// Its trace, where the header is valid.
    pub trace: Option<Trace>,
}

impl Identity {
    /// Reads the identity and removes every tag; the state of a trace that is not continued goes
    /// with it, as W3C Trace Context section 3.3 asks.
    pub fn take(headers: &mut HeaderMap) -> Identity {
        // Most clients send none of them.
        if !headers.keys().any(|name| is_tag(name) || *name == TRACESTATE) {
            return Identity::default();
        }
        let request_id = single(headers, &REQUEST_ID).filter(|id| {
            let id = id.as_bytes();
            (1..=REQUEST_ID_LIMIT).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
        });
        let request_id = request_id.cloned();
        let trace = single(headers, &TRACEPARENT).and_then(|value| Trace::parse(value.as_bytes()));
        strip(headers);
        if trace.is_none() {
            headers.remove(TRACESTATE);
        }
        Identity { request_id, trace }
    }
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// A trace as `traceparent` carries it (W3C Trace Context, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The trace's id, 32 lower-case hexadecimal digits.
    pub id: [u8; 32],
    /// The caller's span, never 0; `None` of a trace that begins here.
    pub parent: Option<u64>,
    /// Whether it is recorded: whether the caller recorded it, of one that is continued.
    pub sampled: bool,
}

impl Trace {
    /// Its id as a text.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.id).into_owned()
    }

    /// Reads a `traceparent`; versions after 00 may carry more fields.
    pub fn parse(value: &[u8]) -> Option<Trace> {
        let hex = |field: &[u8]| field.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let zero = |field: &[u8]| field.iter().all(|b| *b == b'0');
        let (head, rest) = value.split_at_checked(55)?;
        let mut fields = head.split(|b| *b == b'-');
        let (version, id, span, flags) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let shaped = version.len() == 2 && span.len() == 16 && flags.len() == 2;
        let tail = rest.is_empty() || (version != b"00" && rest.first() == Some(&b'-'));
        if !shaped || !tail || version == b"ff" || ![version, id, span, flags].into_iter().all(hex)
        {
            return None;
        }
        let id: [u8; 32] = id.try_into().ok()?;
        let sampled = flags
            .last()
            .is_some_and(|b| matches!(b, b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f'));
        let parent = Some(number(span)).filter(|span| *span != 0)?;
        (!zero(&id)).then_some(Trace { id, parent: Some(parent), sampled })
    }

    /// A new trace, from 128 random bits; a trace id is never zero.
    pub fn new(random: u128) -> Trace {
        let mut id = [b'0'; 32];
        write_hex(&mut id, random.max(1));
        Trace { id, parent: None, sampled: false }
    }

    /// The header for the next hop, with the id of this hop's span.
    pub fn header(&self, span: u64) -> Option<HeaderValue> {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        text[3..35].copy_from_slice(&self.id);
        write_hex(&mut text[36..52], u128::from(span.max(1)));
        text[54] = if self.sampled { b'1' } else { b'0' };
        HeaderValue::from_bytes(&text).ok()
    }
}

/// The number that lower-case hexadecimal digits write, at most 16 of them.
fn number(digits: &[u8]) -> u64 {
    let value = |digit: u8| u64::from((digit & 0xf) + 9 * (digit >> 6));
    digits.iter().fold(0, |number, digit| (number << 4) | value(*digit))
}

fn write_hex(field: &mut [u8], mut number: u128) {
    for digit in field.iter_mut().rev() {
        // Four bits: always a digit.
        let nibble = (number & 0xf) as u8;
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        number >>= 4;
    }
}

/// Sets what the verdict says of an inspected request. The headers must have been stripped.
pub fn set(headers: &mut HeaderMap, policy: &Policy, verdict: &Verdict) {
    let modes = &policy.contract().modes;
    headers.insert(MODE, modes.header(verdict.effective));
    headers.insert(REQUESTED, policy.requested_header(verdict.requested));
    if let Some(profile) = &verdict.profile {
        headers.insert(PROFILE, profile.header());
    }
    if let Some(room) = verdict.room.as_deref().and_then(room::header_form) {
        headers.insert(ROOM, room);
    }
    headers.insert(
        COHORT,
        match verdict.assignment.cohort {
            Cohort::Canary => HeaderValue::from_static("canary"),
            Cohort::Control => HeaderValue::from_static("control"),
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn every_spelling_goes() {
        let mut map = headers(&[
            ("X-Processing-Mode", "fast"),
            ("x-processing-mode", "fast"),
            ("x_processing_mode", "fast"),
            ("x-processing_room", "r"),
            ("X_Request-ID", "i"),
            ("x-processing-cohort", "canary"),
            ("traceparent", "t"),
            ("x-processing-other", "kept"),
            ("x-api-key", "kept"),
            ("te", "kept"),
        ]);
        strip(&mut map);
        let mut left: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["te", "x-api-key", "x-processing-other"]);
    }

    #[test]
    fn request_ids() {
        let long = "i".repeat(65);
        type Case<'c> = (&'c [(&'c str, &'c str)], Option<&'c str>);
        let cases: [Case<'_>; 6] = [
            (&[("x-request-id", "abc-1")], Some("abc-1")),
            (&[("x-request-id", &long)], None),
            (&[("x-request-id", "a b")], None),
            (&[("x-request-id", "")], None),
            (&[("x-request-id", "a"), ("x-request-id", "b")], None),
            (&[("x_request_id", "a")], None),
        ];
        for (pairs, expected) in cases {
            let id = Identity::take(&mut headers(pairs)).request_id;
            assert_eq!(id.as_ref().map(|id| id.to_str().unwrap()), expected, "{pairs:?}");
        }
    }

    #[test]
    fn traces() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let cases = [
            (valid.to_owned(), true),
            (valid.replace("00-0a", "01-0a") + "-more", true),
            (valid.to_owned() + "-more", false),
            (valid.replace("00-0a", "ff-0a"), false),
            (valid.replace("0af7", "0AF7"), false),
            (valid.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)), false),
            (valid.replace("b7ad6b7169203331", &"0".repeat(16)), false),
            (valid.replace('-', "_"), false),
            ("00-".to_owned(), false),
            ("-".repeat(55), false),
        ];
        for (value, good) in cases {
            let trace = Trace::parse(value.as_bytes());
            assert_eq!(trace.is_some(), good, "{value}");
        }
        let trace = Trace::parse(valid.as_bytes()).unwrap();
        assert_eq!((trace.parent, trace.sampled), (Some(0xb7ad_6b71_6920_3331), true));
        assert_eq!(Trace::new(1).parent, None);
        let next = trace.header(0xff).unwrap();
        assert_eq!(next, "00-0af7651916cd43dd8448eb211c80319c-00000000000000ff-01");
        assert!(Trace::parse(Trace::new(0).header(0).unwrap().as_bytes()).is_some());
    }

    #[test]
    fn the_state_of_a_broken_trace_goes_with_it() {
        let mut map = headers(&[("traceparent", "x"), ("tracestate", "a=1")]);
        Identity::take(&mut map);
        assert!(map.is_empty());
    }
}
