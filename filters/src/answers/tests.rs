use bytes::Bytes;

use super::{Acknowledged, Answers, is_no_response};
use crate::contract::{Fault, Mode, Modes, Requested};

fn modes() -> Modes {
    Modes::new(["default".to_owned(), "fast".to_owned()]).unwrap()
}

fn read(document: &str) -> Acknowledged {
    let answers = Answers::new("processing");
    let whole = answers.read(&modes(), &[Bytes::copy_from_slice(document.as_bytes())]);
    let bytes: Vec<Bytes> = document.bytes().map(|byte| Bytes::copy_from_slice(&[byte])).collect();
    assert_eq!(answers.read(&modes(), &bytes), whole, "{document}");
    whole
}

#[test]
fn modes_wherever_they_are_acknowledged() {
    let fast = Some(Requested::Mode(modes().find("fast").unwrap()));
    let default = Some(Requested::Mode(Mode::DEFAULT));
    let invalid = |fault| Some(Requested::Invalid(fault));
    let cases = [
        (r#"{"processing":{"mode":"fast"}}"#, fast),
        (r#"{"metadata":{"processing":{"mode":"fast"}}}"#, fast),
        (
            r#"{"jsonrpc":"2.0","result":{"text":"x","metadata":{"processing":{"mode":"fast"}}}}"#,
            fast,
        ),
        ("\u{FEFF}{\"processing\":{\"mode\":\"default\",\"profile\":\"fast-v1\"}}", default),
        (r#"{"m\u0065tadata":{"proc\u0065ssing":{"mode":"f\u0061st"}}}"#, fast),
        (r#"{"metadata":{"processing":{"mode":"fast"}},"processing":{"mode":"default"}}"#, default),
        (r#"{"processing":null,"metadata":{"processing":{"mode":"fast"}}}"#, fast),
        (r#"{"result":{"metadata":{"processing":{"mode":"fast"}},"metadata":{}}}"#, None),
        (r#"{"processing":{}}"#, Some(Requested::Nothing)),
        (r#"{"processing":{"mode":"slow"}}"#, invalid(Fault::Mode)),
        // Other programs have a member of this name too.
        (r#"{"processing":"fast"}"#, None),
        (r#"{"processing":true,"metadata":{"processing":{"mode":"fast"}}}"#, fast),
        (r#"{"result":{"processing":{"mode":"fast"}}}"#, None),
        (r#"{"other":{"processing":{"mode":"fast"}}}"#, None),
        (r#"{"metadata":[{"processing":{"mode":"fast"}}]}"#, None),
        (r#"[{"processing":{"mode":"fast"}}]"#, None),
        (r#"{"processing":null}"#, None),
        (r#"{"processing":{"mode":"fast"}"#, None),
        ("processing", None),
        ("{}", None),
        ("", None),
    ];
    for (document, expected) in cases {
        assert_eq!(read(document).mode, expected, "{document}");
    }
}

#[test]
fn rooms_wherever_they_are_named() {
    let cases = [
        (r#"{"roomId":"r"}"#, Some("r")),
        (r#"{"metadata":{"roomId":"r"}}"#, Some("r")),
        (r#"{"result":{"roomId":"r"}}"#, Some("r")),
        (r#"{"result":{"metadata":{"roomId":"r\ud800"}}}"#, Some("r\u{FFFD}")),
        (
            r#"{"result":{"roomId":"b","metadata":{"roomId":"c"}},"roomId":1,"metadata":{"roomId":"a"}}"#,
            Some("a"),
        ),
        (r#"{"result":{"metadata":{"roomId":"c"},"roomId":"b"}}"#, Some("b")),
        (r#"{"roomId":null}"#, None),
        (r#"{"room":"r","result":{"result":{"roomId":"r"}}}"#, None),
        (r#"{"roomId":"r"},"#, None),
    ];
    for (document, expected) in cases {
        assert_eq!(read(document).room.as_deref(), expected, "{document}");
    }
}

#[test]
fn ids_as_they_are_written() {
    let of_length = |length: usize| format!(r#"{{"id":"{}"}}"#, "x".repeat(length - 2));
    let longest = format!("\"{}\"", "x".repeat(254));
    let cases = [
        (r#"{"id":"a\u0062"}"#, Some(r#""a\u0062""#)),
        (r#"{"id": 1.50 }"#, Some("1.50")),
        (r#"{"id":1,"rpcId":"r"}"#, Some("\"r\"")),
        (r#"{"rpcId":null,"id":1}"#, None),
        (r#"{"id":null}"#, None),
        (r#"{"id":{}}"#, None),
        (r#"{"result":{"id":1}}"#, None),
        (&of_length(256), Some(&*longest)),
        (&of_length(257), None),
    ];
    for (document, expected) in cases {
        assert_eq!(read(document).id.as_deref(), expected, "{document}");
    }
}

#[test]
fn what_was_said_first_stands() {
    let mut said = read(r#"{"roomId":"a","id":1}"#);
    said.add(read(r#"{"roomId":"b","processing":{"mode":"default"}}"#));
    let expected = Acknowledged {
        mode: Some(Requested::Mode(Mode::DEFAULT)),
        room: Some("a".to_owned()),
        id: Some("1".to_owned()),
    };
    assert_eq!(said, expected);
}

#[test]
fn no_response() {
    let padded =
        |length: usize| format!(r#"{{"a":"{}","text":"(no response)"}}"#, "a".repeat(length));
    let cases = [
        (r#"{"text":"(no response)","agentName":"Eliza"}"#, true),
        (r#""(no response)""#, true),
        (r#"["((","(no response)"]"#, true),
        (r#"{"text":"(no response) "}"#, false),
        (r#"{"text":"so: (no response)"}"#, false),
        (r#"{"text":"(no response"#, false),
        ("(no response)\"", false),
        ("(", false),
        ("", false),
        (&padded(4000), true),
        (&padded(5000), false),
    ];
    for (document, expected) in cases {
        for cut in [0, 1, document.len() / 2, document.len()] {
            let (front, back) = document.split_at(cut.min(document.len()));
            let chunks = [front, back].map(|part| Bytes::copy_from_slice(part.as_bytes()));
            assert_eq!(is_no_response(&chunks), expected, "{document:?} cut at {cut}");
        }
    }
}
