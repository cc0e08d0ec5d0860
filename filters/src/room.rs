//! Which room a conversation is in, and how a room is written in a header.

use std::borrow::Cow;

use http::HeaderValue;
use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};
use sha1::Digest;

use crate::hex;

/// Rooms that many conversations share: they are rooms, but never bucket keys.
pub const SHARED: [&str; 4] = ["web-chat", "openai-compat", "anthropic-compat", "default"];

/// The room in which the runtime's entrypoint holds every conversation (wire facts, section 0).
const RUNTIMES: &str = "97f8d391-5979-0a28-a82c-58b1376c5aae";

/// Whether a room in an answer says nothing of whose the answer is.
pub fn is_anybodys(room: &str) -> bool {
    room.is_empty() || room == RUNTIMES || is_shared(room)
}

/// The longest room that a header carries as it is, in bytes after encoding.
const HEADER_LIMIT: usize = 200;

/// What JavaScript's `encodeURIComponent` escapes.
const URI_COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// Everything but visible ASCII; what is not ASCII is always encoded.
const VISIBLE: &AsciiSet = &CONTROLS.add(b' ');

/// Whether many conversations share this room.
pub fn is_shared(room: &str) -> bool {
    SHARED.contains(&room)
}

/// The room of a conversation, from its id as it stands in the path: `stringToUuid("web-conv-" +
/// decodeURIComponent(id))`. `None` where `decodeURIComponent` would throw.
pub fn of_conversation(segment: &str) -> Option<String> {
    let id = decode_uri_component(segment)?;
    Some(string_to_uuid(&["web-conv-", &id]))
}

/// The core's `stringToUuid` of the concatenated parts: SHA-1 of `encodeURIComponent(s)`, its
/// first 16 bytes, with the variant bits of RFC 9562 and the version nibble 0.
fn string_to_uuid(parts: &[&str]) -> String {
    let mut sha = sha1::Sha1::new();
    for part in parts {
        for piece in utf8_percent_encode(part, URI_COMPONENT) {
            sha.update(piece);
        }
    }
    let digest = sha.finalize();
    let mut uuid = String::with_capacity(36);
    for (at, byte) in digest.iter().take(16).enumerate() {
        let byte = match at {
            6 => byte & 0x0f,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        if matches!(at, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        hex::push(&mut uuid, byte);
    }
    uuid
}

fn decode_uri_component(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut rest = segment.as_bytes();
    while let Some(at) = memchr::memchr(b'%', rest) {
        let escape = rest.get(at + 1..at + 3)?;
        if !escape.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        rest = rest.get(at + 3..)?;
    }
    percent_decode_str(segment).decode_utf8().ok()
}

/// A room as `x-processing-room` carries it: percent-encoded outside visible ASCII; where that
/// takes over 200 bytes, `sha256:` and the hexadecimal digest of the room.
pub fn header_form(room: &str) -> Option<HeaderValue> {
    if room.len() <= HEADER_LIMIT && room.bytes().all(|b| b.is_ascii_graphic()) {
        return HeaderValue::from_str(room).ok();
    }
    let encoded: String = utf8_percent_encode(room, VISIBLE).collect();
    if encoded.len() <= HEADER_LIMIT {
        return HeaderValue::try_from(encoded).ok();
    }
    HeaderValue::try_from(format!("sha256:{}", hex::sha256(room.as_bytes()))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids() {
        let cases = [
            (
                "web-conv-550e8400-e29b-41d4-a716-446655440000",
                "5ae36a4b-c408-0127-904d-bdaeaec80c57",
            ),
            (
                "web-conv-11111111-1111-1111-1111-111111111111",
                "4da46665-0a96-0369-a036-8ecad5a020bd",
            ),
            ("cloud-agent-bridge-room", "97f8d391-5979-0a28-a82c-58b1376c5aae"),
            ("test", "a94a8fe5-ccb1-0ba6-9c4c-0873d391e987"),
        ];
        for (input, uuid) in cases {
            assert_eq!(string_to_uuid(&[input]), uuid, "{input}");
        }
    }

    #[test]
    fn conversations() {
        let observed = of_conversation("60361bd1-001e-4f73-8187-667c5db19ae3");
        assert_eq!(observed.as_deref(), Some("b1bab6a7-b32b-0e32-a33f-d137ca662253"));
        let captured = of_conversation("92df569d-c294-49f4-9d7b-ac722fb09c35");
        assert_eq!(captured.as_deref(), Some("4c0bfadd-cf7e-06a4-b331-7621617a2f84"));
        assert_eq!(of_conversation("a%20b"), of_conversation("a b"));
        for throws in ["%zz", "%", "%4", "%ff", "a%C3", "%+1"] {
            assert_eq!(of_conversation(throws), None, "{throws}");
        }
    }

    #[test]
    fn headers() {
        let long = "r".repeat(201);
        let cases = [
            ("web-chat", "web-chat"),
            ("discord-dm:1:channel:2", "discord-dm:1:channel:2"),
            ("a b", "a%20b"),
            ("a\r\nx-m: fast", "a%0D%0Ax-m:%20fast"),
            ("é\u{2028}", "%C3%A9%E2%80%A8"),
            ("\0", "%00"),
            ("", ""),
        ];
        for (room, expected) in cases {
            assert_eq!(header_form(room).unwrap(), expected, "{room:?}");
        }
        let hashed = header_form(&long).unwrap();
        assert_eq!(hashed.len(), "sha256:".len() + 64);
        assert_eq!(header_form(&"é".repeat(34)).unwrap().len(), 71);
        assert_eq!(header_form(&"r".repeat(200)).unwrap().len(), 200);
    }
}
