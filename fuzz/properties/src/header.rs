//! The headers that say who a request is: no spelling of a tag survives, nothing else goes, and what is set is visible
//! ASCII of bounded length whatever the room.

use http::{HeaderMap, HeaderName, HeaderValue};
use modegate_filters::room::{self, header_form};
use modegate_filters::tags::{Identity, REQUEST_ID_LIMIT, Trace, is_tag, strip};

/// The tags, as a server that reads `_` as `-` would name them.
const TAGS: [&str; 7] = [
    "x-processing-mode",
    "x-processing-requested",
    "x-processing-profile",
    "x-processing-room",
    "x-processing-cohort",
    "x-request-id",
    "traceparent",
];

/// Header lines; the whole is also taken as a room, and as a conversation's id.
pub fn header(data: &[u8]) {
    rooms(&String::from_utf8_lossy(data));
    if let Some(trace) = Trace::parse(data) {
        assert_continued(&trace);
    }

    let fields = fields(data);
    let mut headers = HeaderMap::new();
    for (name, value) in &fields {
        headers.append(name, value.clone());
    }
    let identity = Identity::take(&mut headers);

    let left = |name: &HeaderName| !names_a_tag(name.as_str());
    assert!(headers.keys().all(left), "{headers:?}");
    assert!(
        fields.iter().all(|(name, _)| is_tag(name) == names_a_tag(name.as_str())),
        "{fields:?}"
    );
    let broken = identity.trace.is_none();
    for name in fields.iter().map(|(name, _)| name).filter(|name| left(name)) {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        let came: Vec<_> =
            fields.iter().filter(|(other, _)| other == name).map(|(_, v)| v).collect();
        let goes = name == "tracestate" && broken;
        assert_eq!(values, if goes { Vec::new() } else { came }, "{name}");
    }
    if let Some(id) = identity.request_id {
        assert!((1..=REQUEST_ID_LIMIT).contains(&id.len()));
        assert!(id.as_bytes().iter().all(u8::is_ascii_graphic), "{id:?}");
        assert_eq!(fields.iter().filter(|(name, _)| name == "x-request-id").count(), 1);
    }
    if let Some(trace) = identity.trace {
        assert_continued(&trace);
    }
    let once = headers.clone();
    strip(&mut headers);
    assert_eq!(headers, once);
}

/// Lines of name and value that the http crate takes.
fn fields(data: &[u8]) -> Vec<(HeaderName, HeaderValue)> {
    let field = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        Some((name, value))
    };
    data.split(|byte| *byte == b'\n').filter_map(field).collect()
}

/// Whether a name in lower case is a tag to a server that reads `_` as `-`.
pub fn names_a_tag(name: &str) -> bool {
    TAGS.contains(&name.replace('_', "-").as_str())
}

fn rooms(text: &str) {
    let form = header_form(text).expect("every room has a form");
    assert!(form.len() <= 200 && form.as_bytes().iter().all(u8::is_ascii_graphic), "{form:?}");
    if let Some(room) = room::of_conversation(text) {
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let shape: Vec<usize> = room.split('-').map(str::len).collect();
        assert_eq!(shape, [8, 4, 4, 4, 12], "{room}");
        assert!(room.bytes().all(|byte| byte == b'-' || hexadecimal(byte)), "{room}");
        assert_eq!(header_form(&room).expect("a form"), room.as_str());
    }
}

/// What the next hop is sent is a trace that it reads as the same.
fn assert_continued(trace: &Trace) {
    let header = trace.header(0xfade).expect("a header");
    assert!(header.len() == 55 && header.as_bytes().iter().all(u8::is_ascii_graphic));
    let next = Trace { parent: Some(0xfade), ..*trace };
    assert_eq!(Trace::parse(header.as_bytes()), Some(next));
}
