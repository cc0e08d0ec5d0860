//! What Node 20's `JSON.parse` was seen to accept and refuse, and where members were found.

use super::*;

/// The answer for a body, which must not depend on how it is cut.
fn read(wanted: &Wanted, body: &[u8]) -> Result<Found, Malformed> {
    let whole = scan(wanted, &[Bytes::copy_from_slice(body)]);
    for size in [1, 2, 3, 5, 8, 61] {
        let chunks: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
        let name = String::from_utf8_lossy(body.get(..80).unwrap_or(body));
        assert_eq!(scan(wanted, &chunks), whole, "{name} in {size}");
    }
    whole
}

#[rustfmt::skip]
const ACCEPTED: &[&[u8]] = &[
    b"{}", b"[]", b"0", b"-0", b"null", b"true", b"false", b"\"\"", b" \t\r\n1\n ", b"[[],{},[{}]]",
    b"{\"\":0}", b"{\"a\":{\"a\":[1,{\"a\":null}]},\"a\":true}", b"[1,-1,0.5,-0.5,1e5,1E+5,1e-05,0e0,0.0E0,10,1.25e9]",
    b"[1E400,1e999,12345678901234567890,1.000000000000000005]", b"[ 1 , 2 ]", b"{ \"a\" : 1 , \"b\" : 2 }",
    br#"["\"\\\/\b\f\n\r\t\u0000\uFfFf"]"#, br#"["\uD800","\uDC00\uD800"]"#, br#"{"\uD800":1}"#,
    b"[\"\x7F\x80\xFF\xC3\"]", b"{\"\xC1\xB0rocessing\":1}", b"\"\xE2\x80\xA8\"", b"[\"\xEF\xBB\xBF\"]",
    b"\xEF\xBB\xBF{}", b"\xEF\xBB\xBF\xEF\xBB\xBF {}", b"{\"__proto__\":{}}", b"[1\n,\n1]", b"[\"// no comment\"]",
    b"[true,false,null]", b"123456789012345678901234567890", b"[-0.0e-0]",
];

/// A body, and the offset of the first byte that cannot stand where it does.
#[rustfmt::skip]
const REFUSED: &[(&[u8], usize)] = &[
    (b"", 0), (b" ", 1), (b"\xEF\xBB\xBF", 3), (b"{", 1), (b"[", 1), (b"[1", 2), (b"[1,", 3), (b"{\"a\"", 4), (b"\"", 1), (b"\"\\", 2),
    (b"\"\\u00", 5), (b"-", 1), (b"1.", 2), (b"1e", 2), (b"1e+", 3), (b"tru", 3),
    (b"[1,]", 3), (b"[,1]", 1), (b"[1 2]", 3), (b"[1,,2]", 3), (b"{,}", 1), (b"{\"a\":1,}", 7), (b"{\"a\"}", 4), (b"{\"a\":}", 5),
    (b"{\"a\" 1}", 5), (b"{\"a\":1 \"b\":2}", 7), (b"{1:1}", 1), (b"{a:1}", 1), (b"{'a':1}", 1), (b"{\"a\":1]", 6), (b"[1}", 2), (b"]", 0), (b"}", 0),
    (b"[\"a\":1]", 4), (b"{\"a\",1}", 4), (b"{\"a\":1:2}", 6),
    (b"01", 1), (b"-01", 2), (b"+1", 0), (b".5", 0), (b"1.x", 2), (b"1.e5", 2), (b"0x1", 1), (b"--1", 1), (b"1e5.5", 3), (b"1.5.5", 3), (b"1ee5", 2), (b"-a", 1),
    (b"NaN", 0), (b"Infinity", 0), (b"-Infinity", 1), (b"True", 0), (b"nul1", 3), (b"truee", 4), (b"undefined", 0),
    (b"{}{}", 2), (b"{}\0", 2), (b"{}//", 2), (b"{}]", 2), (b"{},", 2), (b"1 1", 2), (b"{\"a\":1}{\"processing\":1}", 7),
    (b"\"\n\"", 1), (b"\"\x1F\"", 1), (b"\"\0\"", 1), (b"[\"\t\"]", 2),
    (br#""\U0073""#, 2), (br#""\x73""#, 2), (br#""\v""#, 2), (br#""\'""#, 2), (br#""\u00g0""#, 5), (br#""\u007""#, 6), (b"\"\\\n\"", 2), (br#""\uD80""#, 6),
    (b"\xC2\xA01", 0), (b"\x0B1", 0), (b"\x0C1", 0), (b"\xC2\x851", 0), (b"\xE2\x80\xA81", 0), (b"\x001", 0), (b"[1,\xC2\xA01]", 3),
    (b" \xEF\xBB\xBF1", 1), (b"\xEF\xBB\xBF \xEF\xBB\xBF1", 4), (b"\xEF\xBB\xBF\xEF\xBB\xBF\xEF\xBB\xBF1", 6), (b"\xEF\xBB1", 2), (b"1\xEF\xBB\xBF", 1),
    (b"{\0}", 1), (b"\xFF\xFE{\0}\0", 0), (b"/**/1", 0), (b"[1]//", 3),
];

#[test]
fn what_json_parse_accepts_is_accepted() {
    for body in ACCEPTED {
        let answer = read(&Wanted::new(), body);
        assert!(answer.is_ok(), "{}: {answer:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn what_json_parse_refuses_is_refused_at_the_first_wrong_byte() {
    for (body, at) in REFUSED {
        let answer = read(&Wanted::new(), body).map_err(|malformed| malformed.at);
        assert_eq!(answer, Err(*at), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn a_refusal_says_what_is_wrong() {
    #[rustfmt::skip]
    let cases: &[(&[u8], &str)] = &[
        (b"[1,]", "unexpected byte at byte 3"), (b"[\"\n\"]", "control character in a string at byte 2"), (b"{\"a\":", "unfinished document at byte 5"),
        (b"{}{}", "text after the document at byte 2"), (br#""\x""#, "bad escape in a string at byte 2"),
    ];
    for (body, message) in cases {
        let malformed = read(&Wanted::new(), body).expect_err("malformed");
        assert_eq!(malformed.to_string(), *message);
    }
}

#[test]
fn a_refused_scan_stays_refused() {
    let wanted = Wanted::new();
    let mut scanner = Scanner::new(&wanted);
    let refused = scanner.push(b"[}").expect_err("malformed");
    assert_eq!(scanner.push(b"]"), Err(refused.clone()));
    assert_eq!(scanner.finish(), Err(refused));
}

#[test]
fn the_root_and_the_marks_before_it_are_told() {
    #[rustfmt::skip]
    let cases: &[(&[u8], Kind, u8)] = &[
        (b"null", Kind::Null, 0), (b"true", Kind::True, 0), (b"false", Kind::False, 0), (b"-1", Kind::Number, 0), (b"\"\"", Kind::String, 0),
        (b"[{}]", Kind::Array, 0), (b"{\"a\":[]}", Kind::Object, 0), (b"\xEF\xBB\xBF[]", Kind::Array, 1), (b"\xEF\xBB\xBF\xEF\xBB\xBF 1", Kind::Number, 2),
    ];
    for (body, root, boms) in cases {
        let found = read(&Wanted::new(), body).expect("well-formed");
        assert_eq!((found.root, found.boms), (*root, *boms), "{}", String::from_utf8_lossy(body));
    }
}

fn rpc() -> Wanted {
    Wanted::new()
        .root("method", Slot::Method)
        .root("params", Slot::Params)
        .within("params", "processing", Slot::Contract)
        .within("params", "roomId", Slot::Room)
        .within("metadata", "room", Slot::ConversationId)
}

/// The text of a slot's value.
fn text_of<'b>(body: &'b str, found: &Found, slot: Slot) -> Option<&'b str> {
    let value = found.get(slot)?;
    body.get(value.span.clone())
}

#[test]
fn a_member_is_found_where_json_parse_would_find_it() {
    struct Case {
        name: &'static str,
        body: &'static str,
        room: Option<&'static str>,
        params: Option<&'static str>,
        contract: usize,
    }
    #[rustfmt::skip]
    let cases = [
        Case { name: "plain", body: r#"{"params":{"roomId":"r","processing":1}}"#, room: Some(r#""r""#), params: Some(r#"{"roomId":"r","processing":1}"#), contract: 1 },
        Case { name: "absent", body: r#"{"params":{}}"#, room: None, params: Some("{}"), contract: 0 },
        Case { name: "the last duplicate counts", body: r#"{"params":{"roomId":"r","roomId": null }}"#, room: Some("null"), params: Some(r#"{"roomId":"r","roomId": null }"#), contract: 0 },
        Case { name: "a later container hides the earlier", body: r#"{"params":{"roomId":"r","processing":1},"params":{"processing":2}}"#, room: None, params: Some(r#"{"processing":2}"#), contract: 2 },
        Case { name: "so does one that is no object", body: r#"{"params":{"roomId":"r","processing":1},"params":7}"#, room: None, params: Some("7"), contract: 1 },
        Case { name: "another container does not", body: r#"{"params":{"roomId":"r"},"metadata":{"roomId":"m","processing":1}}"#, room: Some(r#""r""#), params: Some(r#"{"roomId":"r"}"#), contract: 0 },
        Case { name: "deeper is elsewhere", body: r#"{"params":{"a":{"roomId":1,"processing":1},"b":[{"processing":1}]},"a":{"params":{"roomId":2}}}"#, room: None, params: Some(r#"{"a":{"roomId":1,"processing":1},"b":[{"processing":1}]}"#), contract: 0 },
        Case { name: "in an array is elsewhere", body: r#"{"params":[{"roomId":1,"processing":1}]}"#, room: None, params: Some(r#"[{"roomId":1,"processing":1}]"#), contract: 0 },
        Case { name: "an array root has no members", body: r#"[{"params":{"roomId":1}}]"#, room: None, params: None, contract: 0 },
        Case { name: "in a string is elsewhere", body: r#"{"text":"\"params\":{\"roomId\":1}"}"#, room: None, params: None, contract: 0 },
        Case { name: "escaped keys", body: r#"{"par\u0061ms":{"\u0072oomId":1,"processin\u0067":2}}"#, room: Some("1"), params: Some(r#"{"\u0072oomId":1,"processin\u0067":2}"#), contract: 1 },
        Case { name: "white space", body: "{ \"params\"\n:\t{ \"roomId\" : [ 1 ] , \"processing\" : {} } }", room: Some("[ 1 ]"), params: Some("{ \"roomId\" : [ 1 ] , \"processing\" : {} }"), contract: 1 },
        Case { name: "a prototype is an ordinary key", body: r#"{"__proto__":{"params":{"roomId":1}},"params":{"__proto__":{"roomId":1}}}"#, room: None, params: Some(r#"{"__proto__":{"roomId":1}}"#), contract: 0 },
    ];
    for case in cases {
        let found = read(&rpc(), case.body.as_bytes()).expect("well-formed");
        assert_eq!(text_of(case.body, &found, Slot::Room), case.room, "{}", case.name);
        assert_eq!(text_of(case.body, &found, Slot::Params), case.params, "{}", case.name);
        assert_eq!(found.contract.len(), case.contract, "{}", case.name);
    }
}

/// Every way to spell a name: each letter as itself or escaped, hexadecimal letters in both cases.
fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for letter in name.chars() {
        let code = format!("{:04x}", u32::from(letter));
        let mut ways = vec![letter.to_string(), format!("\\u{code}")];
        if code.contains(|digit: char| digit.is_ascii_lowercase()) {
            ways.push(format!("\\u{}", code.to_uppercase()));
        }
        all = all
            .iter()
            .flat_map(|start| ways.iter().map(move |way| format!("{start}{way}")))
            .collect();
    }
    all
}

#[test]
fn every_spelling_of_a_name_is_the_name() {
    for (name, count) in [("processing", 2304), ("params", 96), ("roomId", 216)] {
        let wanted = Wanted::new().root(name, Slot::Contract);
        let spellings = spellings(name);
        assert_eq!(spellings.len(), count, "{name}");
        for spelling in spellings {
            let body = format!("{{\"{spelling}\":1}}");
            let found = scan(&wanted, &[Bytes::from(body)]).expect("well-formed");
            assert_eq!(found.contract.len(), 1, "{spelling}");
        }
    }
}

#[test]
fn a_look_alike_is_another_key() {
    let wanted = Wanted::new().root("processing", Slot::Contract);
    #[rustfmt::skip]
    let keys: &[&[u8]] = &[
        b"Processing", b"processing ", b" processing", b"processing\\u0000", b"process", b"processingg", b"", "ｐrocessing".as_bytes(), "pro\u{200B}cessing".as_bytes(),
        "\u{FEFF}processing".as_bytes(), b"\\ufeffprocessing", "processing\u{301}".as_bytes(), "proce\u{17F}sing".as_bytes(), b"\xC1\xB0rocessing", b"processing\x80", b"\\uD800processing",
        b"\\\\u0070rocessing", b"\\u0070rocessing\\uDC00",
    ];
    for key in keys {
        let body = [b"{\"", *key, b"\":1,\"processing\":2}"].concat();
        let found = read(&wanted, &body).expect("well-formed");
        assert_eq!(found.contract.len(), 1, "{}", String::from_utf8_lossy(key));
    }
}

#[test]
fn nesting_has_no_limit() {
    let depth = 200_000;
    let wanted = Wanted::new().root("processing", Slot::Contract);
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = |inside: &str| {
            format!(
                "{{\"a\":{}{inside}{},\"processing\":1}}",
                open.repeat(depth),
                close.repeat(depth)
            )
        };
        let found = scan(&wanted, &[Bytes::from(deep("1"))]).expect("well-formed");
        assert_eq!(found.contract.len(), 1);
        assert!(scan(&wanted, &[Bytes::from(open.repeat(depth))]).is_err());
        let crossed = deep("1").replacen(close, if close == "]" { "}" } else { "]" }, 1);
        assert!(scan(&wanted, &[Bytes::from(crossed)]).is_err());
    }
}
