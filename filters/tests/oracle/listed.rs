//! The listed bodies: every way in which a body reads differently to different parsers that we know
//! of, by the numbers of the list of JSON contract differentials (1 to 36; 37 is about answers).

mod plain;

/// A body, and what Node reads in it.
pub struct Case {
    pub number: u8,
    pub name: String,
    pub on: On,
    /// The mode asked for, `none`, `invalid`, or why the body is refused.
    pub reads: &'static str,
    pub body: Vec<u8>,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// A message: the contract member stands in the root; also tried as `params`.
    Message,
    /// A JSON-RPC request: it stands in `params`.
    Rpc,
}

const FAST: &str = r#""processing":{"mode":"fast"}"#;

/// Every listed case.
pub fn cases() -> Vec<Case> {
    let mut cases = plain::cases();
    let mut message = |number, name: &str, reads, body: Vec<u8>| {
        cases.push(Case { number, name: name.to_owned(), on: On::Message, reads, body });
    };
    let beside = |sibling: &str| format!(r#"{{"a":{sibling},{FAST}}}"#).into_bytes();
    let text = |text: &str| text.replace("$P", FAST).into_bytes();

    for (name, depth) in [("200 arrays", 200), ("100,000 arrays", 100_000)] {
        let nested = "[".repeat(depth) + &"]".repeat(depth);
        message(9, &format!("{name} before"), "fast", beside(&nested));
        message(9, &format!("{name} after"), "fast", text(&format!(r#"{{$P,"a":{nested}}}"#)));
    }
    let objects = r#"{"processing":"#.repeat(200) + "1" + &"}".repeat(200);
    message(9, "200 objects", "fast", beside(&objects));
    message(10, "a million arrays that never end", "not_json", "[".repeat(1_000_000).into());
    message(10, "objects that never end", "not_json", r#"{"a":"#.repeat(200_000).into());

    for (name, units) in [("UTF-16LE", u16::to_le_bytes as fn(u16) -> [u8; 2]), ("UTF-16BE", u16::to_be_bytes)] {
        for (mark, marked) in [("", ""), ("\u{feff}", " with a mark")] {
            let body = format!(r#"{mark}{{{FAST}}}"#);
            let body = body.encode_utf16().flat_map(units).collect();
            message(16, &format!("{name}{marked}"), "not_json", body);
        }
    }
    for (mark, marked) in [("", ""), ("\u{feff}", " with a mark")] {
        let body = format!(r#"{mark}{{{FAST}}}"#).chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        message(16, &format!("UTF-32LE{marked}"), "not_json", body);
    }

    for (name, blank) in [("space", " "), ("tab", "\t"), ("LF", "\n"), ("CR", "\r"), ("all four", " \t\r\n")] {
        let spaced = blanks_between_tokens(blank);
        message(17, &format!("{name} between all tokens"), "fast", spaced);
    }
    message(17, "1 MiB of blanks between all tokens", "fast", blanks_between_tokens(&" \n\t\r".repeat(1 << 14)));
    for (name, blank) in [
        ("NBSP", "\u{a0}"), ("VT", "\u{b}"), ("FF", "\u{c}"), ("NEL", "\u{85}"), ("U+2028", "\u{2028}"),
        ("NUL", "\0"), ("a mark", "\u{feff}"), ("a backslash", "\\"),
    ] {
        for (place, at) in [("after the brace", 1), ("before the colon", 13), ("after the colon", 14), ("before the last brace", 29)] {
            let mut body = format!("{{{FAST}}}");
            body.insert_str(at, blank);
            message(18, &format!("{name} {place}"), "not_json", body.into());
        }
        message(18, &format!("{name} at the end"), "not_json", format!("{{{FAST}}}{blank}").into());
    }

    let digits = "1".repeat(1_000_000);
    for (name, number) in [
        ("1e999", "1e999"), ("-0", "-0"), ("20 digits", "12345678901234567890"), ("2^53+1", "9007199254740993"),
        ("18 places", "1.000000000000000005"), ("1E400", "1E400"), ("1e-400", "1e-400"), ("a million digits", &digits),
        ("1E+2", "1E+2"), ("0.10", "0.10"), ("0e0", "0e0"), ("-1.5e-07", "-1.5e-07"),
    ] {
        message(21, name, "fast", beside(number));
    }

    for (name, value) in [
        ("1 MB", "x".repeat(1_000_000)), ("256 units", "x".repeat(256)), ("257 units", "x".repeat(257)),
        ("128 emoji", "😀".repeat(128)), ("129 emoji", "😀".repeat(129)), ("256 escapes", "\\u0061".repeat(256)),
        ("lines and colours", "\\r\\nx-m: fast\\u001b[31m".to_owned()), ("a lone half", "\\ud800".to_owned()),
        ("256 lone halves", "\\udfff".repeat(256)), ("257 lone halves", "\\udfff".repeat(257)),
    ] {
        let fits = !["1 MB", "257 units", "129 emoji", "257 lone halves"].contains(&name);
        let body = format!(r#"{{"processing":{{"mode":"fast","reason":"{value}"}}}}"#);
        message(26, &format!("a reason of {name}"), if fits { "fast" } else { "invalid" }, body.into());
        let body = format!(r#"{{"processing":{{"mode":"fast","profile":"{}"}}}}"#, &value);
        let fits = value.len() <= 64;
        message(26, &format!("a profile of {name}"), if fits { "fast" } else { "invalid" }, body.into());
    }
    let invalid = [br#"{"processing":{"mode":"fast","reason":""#, &b"\xff".repeat(256)[..], br#""}}"#].concat();
    message(26, "a reason of 256 bytes that are no UTF-8", "fast", invalid);

    let one = r#""processing":{"mode":"default"},"#;
    message(36, "100,000 members", "fast", format!("{{{}{FAST}}}", one.repeat(99_999)).into());
    let apart = format!(r#"{one}"a":1,"#);
    message(36, "100,000 members, each beside another", "fast", format!("{{{}{FAST}}}", apart.repeat(99_999)).into());
    let after = format!(r#"{{"a":1{}}}"#, format!(",{FAST}").repeat(1000));
    message(36, "1,000 members after another", "fast", after.into());
    cases
}

fn blanks_between_tokens(blank: &str) -> Vec<u8> {
    let tokens = ["", "{", "\"a\"", ":", "1", ",", "\"processing\"", ":", "{", "\"mode\"", ":", "\"fast\"", "}", ",", "\"b\"", ":", "[", "]", "}", ""];
    tokens.join(blank).into()
}
