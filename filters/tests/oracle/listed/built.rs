//! The cases that are too long or too many to be written down.

use super::{Case, FAST, On};

pub fn cases() -> Vec<Case> {
    let groups = [
        nested(),
        other_encodings(),
        blanks(),
        numbers(),
        long_strings(),
        long_keys(),
        many_members(),
    ];
    groups.concat()
}

fn message(number: u8, name: String, reads: &'static str, body: impl Into<Vec<u8>>) -> Case {
    Case { number, name, on: On::Message, reads, body: body.into() }
}

fn nested() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, depth) in [("200", 200), ("100,000", 100_000)] {
        let arrays = "[".repeat(depth) + &"]".repeat(depth);
        let objects = r#"{"processing":"#.repeat(depth) + "1" + &"}".repeat(depth);
        for (kind, sibling) in [("arrays", arrays), ("objects", objects)] {
            let before = format!(r#"{{"a":{sibling},{FAST}}}"#);
            let after = format!(r#"{{{FAST},"a":{sibling}}}"#);
            cases.push(message(9, format!("{name} {kind} before"), "fast", before));
            cases.push(message(9, format!("{name} {kind} after"), "fast", after));
        }
    }
    let unclosed = [("arrays", "[".repeat(1_000_000)), ("objects", r#"{"a":"#.repeat(200_000))];
    cases.extend(
        unclosed.map(|(kind, body)| message(10, format!("{kind} without end"), "not_json", body)),
    );
    cases
}

/// A text in the encodings that JSON once had besides UTF-8, with their names.
pub fn encoded(text: &str) -> [(&'static str, Vec<u8>); 4] {
    let units = || text.encode_utf16();
    let points = || text.chars().map(u32::from);
    [
        ("UTF-16LE", units().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16BE", units().flat_map(u16::to_be_bytes).collect()),
        ("UTF-32LE", points().flat_map(u32::to_le_bytes).collect()),
        ("UTF-32BE", points().flat_map(u32::to_be_bytes).collect()),
    ]
}

fn other_encodings() -> Vec<Case> {
    let mut cases = Vec::new();
    for (mark, marked) in [("", ""), ("\u{feff}", " with a mark")] {
        cases.extend(
            encoded(&format!("{mark}{{{FAST}}}"))
                .map(|(name, body)| message(16, format!("{name}{marked}"), "not_json", body)),
        );
    }
    cases
}

#[rustfmt::skip]
const TOKENS: [&str; 20] = [
    "", "{", "\"a\"", ":", "1", ",", "\"processing\"", ":", "{", "\"mode\"", ":", "\"fast\"", "}", ",", "\"b\"", ":", "[", "]", "}", "",
];

fn blanks() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, blank) in
        [("space", " "), ("tab", "\t"), ("LF", "\n"), ("CR", "\r"), ("all", " \t\r\n")]
    {
        cases.push(message(17, format!("{name} between tokens"), "fast", TOKENS.join(blank)));
    }
    let mebibyte = " \n\t\r".repeat(1 << 14);
    cases.push(message(
        17,
        "1 MiB of blanks between tokens".to_owned(),
        "fast",
        TOKENS.join(&mebibyte),
    ));
    let none = [
        ("NBSP", '\u{a0}'),
        ("VT", '\u{b}'),
        ("FF", '\u{c}'),
        ("NEL", '\u{85}'),
        ("U+2028", '\u{2028}'),
        ("NUL", '\0'),
        ("a mark", '\u{feff}'),
        ("a backslash", '\\'),
    ];
    for (name, blank) in none {
        for after in [
            "{",
            "\"processing\"",
            "\"processing\":",
            "\"mode\"",
            "\"fast\"",
            "\"fast\"}",
            "\"fast\"}}",
        ] {
            let mut body = format!("{{{FAST}}}");
            let at = body.find(after).map_or(0, |at| at + after.len());
            body.insert(at, blank);
            cases.push(message(18, format!("{name} after {after}"), "not_json", body));
        }
    }
    cases
}

fn numbers() -> Vec<Case> {
    let digits = "1".repeat(1_000_000);
    let lexemes = [
        "1e999",
        "-0",
        "12345678901234567890",
        "9007199254740993",
        "1.000000000000000005",
        "1E400",
        "1e-400",
        "1E+2",
        "0.10",
        "0e0",
        "-1.5e-07",
        &digits,
    ];
    let beside = |lexeme: &str| {
        let name = if lexeme.len() > 30 { "a million digits" } else { lexeme };
        message(21, name.to_owned(), "fast", format!(r#"{{"a":{lexeme},{FAST},"b":[{lexeme}]}}"#))
    };
    lexemes.map(beside).to_vec()
}

fn long_strings() -> Vec<Case> {
    let values = [
        ("1 MB", "x".repeat(1_000_000), 1_000_000),
        ("64 units", "x".repeat(64), 64),
        ("65 units", "x".repeat(65), 65),
        ("256 units", "x".repeat(256), 256),
        ("257 units", "x".repeat(257), 257),
        ("32 emoji", "😀".repeat(32), 64),
        ("33 emoji", "😀".repeat(33), 66),
        ("128 emoji", "😀".repeat(128), 256),
        ("129 emoji", "\\ud83d\\ude00".repeat(129), 258),
        ("256 escapes", "\\u0061".repeat(256), 256),
        ("lines and colours", "\\r\\nx-m: fast\\u001b[31m".to_owned(), 18),
        ("a lone half", "\\ud800".to_owned(), 1),
        ("256 lone halves", "\\udfff".repeat(256), 256),
        ("257 lone halves", "\\udfff".repeat(257), 257),
    ];
    let mut cases = Vec::new();
    for (name, value, units) in values {
        for (member, limit) in [("reason", 256), ("profile", 64)] {
            let reads = if units <= limit { "fast" } else { "invalid" };
            let body = format!(r#"{{"processing":{{"mode":"fast","{member}":"{value}"}}}}"#);
            cases.push(message(26, format!("a {member} of {name}"), reads, body));
        }
    }
    for (count, reads) in [(256, "fast"), (257, "invalid")] {
        let value = b"\xff".repeat(count);
        let body = [br#"{"processing":{"mode":"fast","reason":""#, &value[..], br#""}}"#].concat();
        cases.push(message(
            26,
            format!("a reason of {count} bytes that are no UTF-8"),
            reads,
            body,
        ));
    }
    cases
}

/// The keys that messages are bucketed by, where they are cut or too long, and rooms too long for
/// a header.
fn long_keys() -> Vec<Case> {
    let keys = [
        ("120 units", "x".repeat(120)),
        ("121 units", "x".repeat(121)),
        ("a pair cut in two", "x".repeat(119) + "😀"),
        ("an escaped pair cut in two", "x".repeat(119) + "\\ud83d\\ude00"),
        ("120 characters of three bytes", "日".repeat(120)),
        ("200 units", "x".repeat(200)),
        ("201 units", "x".repeat(201)),
        ("256 bytes", "é".repeat(128)),
        ("257 bytes", "é".repeat(128) + "x"),
        ("1 MB", "x".repeat(1_000_000)),
    ];
    let case = |(name, key): &(&str, String)| {
        let user = format!(r#"{{"user":"{key}",{FAST}}}"#);
        let nested = format!(r#"{{"metadata":{{"user_id":"{key}"}},{FAST}}}"#);
        let room = format!(r#"{{"method":"m","params":{{"roomId":"{key}",{FAST}}}}}"#);
        let request =
            Case { on: On::Rpc, ..message(33, format!("a room of {name}"), "fast", room) };
        let user = message(33, format!("the /v1 key of {name}"), "fast", user);
        [user, message(33, format!("its last place, {name}"), "fast", nested), request]
    };
    keys.iter().flat_map(case).collect()
}

fn many_members() -> Vec<Case> {
    let one = r#""processing":{"mode":"default"},"#;
    let all = format!("{{{}{FAST}}}", one.repeat(99_999));
    let apart = format!(r#"{{{}{FAST}}}"#, format!(r#"{one}"a":1,"#).repeat(19_999));
    let after = format!(r#"{{"a":1{}}}"#, format!(",{FAST}").repeat(1000));
    vec![
        message(36, "100,000 members".to_owned(), "fast", all),
        message(36, "20,000 members, each beside another".to_owned(), "fast", apart),
        message(36, "1,000 members after another".to_owned(), "fast", after),
    ]
}
