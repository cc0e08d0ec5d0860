//! Documents of the kinds that JSON test suites hold (`y` must be accepted, `n` must not, `i` may
//! be), and the bodies that each makes beside the contract member: before it, after it, and in it.

/// A document's bodies, one a place.
pub fn beside(document: &[u8]) -> [Vec<u8>; 7] {
    PLACES.map(|(before, between, after)| {
        let twice = if between.is_empty() { &b""[..] } else { document };
        [before.as_bytes(), document, between.as_bytes(), twice, after.as_bytes()].concat()
    })
}

/// What stands before a document, between it and itself again (nothing: it stands once), and after.
#[rustfmt::skip]
const PLACES: [(&str, &str, &str); 7] = [
    (r#"{"a":"#, "", r#","processing":{"mode":"fast"}}"#),
    (r#"{"processing":{"mode":"fast"},"a":"#, "", "}"),
    (r#"{"a":[1,"#, r#"] , "processing":{"mode":"fast"}, "b": "#, "\n}"),
    (r#"{"processing":{"mode":"fast","x":"#, "", "}}"),
    (r#"{"processing":"#, "", "}"),
    ("", "", r#""processing":{"mode":"fast"}"#),
    ("", "", ""),
];
/// In so many of the places the document is a value of an object.
pub const INSIDE: usize = 5;

/// Must be accepted.
pub const Y: char = 'y';
/// Must not.
pub const N: char = 'n';
/// May be.
pub const I: char = 'i';

#[rustfmt::skip]
pub const DOCUMENTS: &[(char, &[u8])] = &[
    // arrays
    (Y, b"[]"), (Y, b"[ ]"), (Y, b"[[] ]"), (Y, b"[[],[[]]]"), (Y, b"[null, 1, \"1\", {}]"), (Y, b"[1\n]"), (Y, b" [1]"), (Y, b"[2] "),
    (Y, b"[1,null,null,null,2]"), (Y, b"[\"\"]"), (Y, b"[false]"), (Y, b"[\"a\"]"),
    (N, b"[1 true]"), (N, b"[a\xe5]"), (N, b"[\"\": 1]"), (N, b"[\"\"],"), (N, b"[,1]"), (N, b"[1,,2]"), (N, b"[\"x\",,]"), (N, b"[\"x\"]]"),
    (N, b"[\"\",]"), (N, b"[\"x\""), (N, b"[x"), (N, b"[3[4]]"), (N, b"[\xff]"), (N, b"[1:2]"), (N, b"[,]"), (N, b"[-]"), (N, b"[   , \"\"]"),
    (N, b"[\"a\",\n4\n,1,"), (N, b"[1,]"), (N, b"[1,,]"), (N, b"[\"\x0ba\"\\f]"), (N, b"[*]"), (N, b"[1,\n1\n,1"), (N, b"[{}"), (N, b"[1}"), (N, b"["),
    (N, b"[fals]"), (N, b"[nul]"), (N, b"[tru]"), (N, b"[truee]"), (N, b"[nulll]"),
    // numbers
    (Y, b"[123e65]"), (Y, b"[0e+1]"), (Y, b"[0e1]"), (Y, b"[ 4]"), (Y, b"[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]"),
    (Y, b"[20e1]"), (Y, b"[-0]"), (Y, b"[-123]"), (Y, b"[-1]"), (Y, b"[1E22]"), (Y, b"[1E-2]"), (Y, b"[1E+2]"), (Y, b"[123e45]"), (Y, b"[123.456e78]"),
    (Y, b"[1e-2]"), (Y, b"[1e+2]"), (Y, b"[123]"), (Y, b"[123.456789]"), (Y, b"0"), (Y, b"-0.0"), (Y, b"1e00"), (Y, b"0E-0"),
    (I, b"[123.456e-789]"), (I, b"[0.4e00669999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999969999999006]"),
    (I, b"[-1e+9999]"), (I, b"[1.5e+9999]"), (I, b"[-123123e100000]"), (I, b"[123123e100000]"), (I, b"[123123e-10000000]"),
    (I, b"[-123123123123123123123123123123]"), (I, b"[100000000000000000000]"), (I, b"[-237462374673276894279832749832423479823246327846]"),
    (N, b"[++1234]"), (N, b"[+1]"), (N, b"[+Inf]"), (N, b"[-01]"), (N, b"[-1.0.]"), (N, b"[-2.]"), (N, b"[-NaN]"), (N, b"[.-1]"), (N, b"[.2e-3]"), (N, b"[0.1.2]"),
    (N, b"[0.3e+]"), (N, b"[0.3e]"), (N, b"[0.e1]"), (N, b"[0E+]"), (N, b"[0E]"), (N, b"[0e+]"), (N, b"[0e]"), (N, b"[1.0e+]"), (N, b"[1.0e-]"), (N, b"[1.0e]"),
    (N, b"[1 000.0]"), (N, b"[1eE2]"), (N, b"[2.e+3]"), (N, b"[2.e-3]"), (N, b"[2.e3]"), (N, b"[9.e+]"), (N, b"[Inf]"), (N, b"[NaN]"), (N, b"[\xef\xbc\x91]"),
    (N, b"[1+2]"), (N, b"[0x1]"), (N, b"[0x42]"), (N, b"[Infinity]"), (N, b"[0e+-1]"), (N, b"[-123.123foo]"), (N, b"[123\xe5]"), (N, b"[1e1\xe5]"), (N, b"[0\xe5]"),
    (N, b"[-Infinity]"), (N, b"[-foo]"), (N, b"[- 1]"), (N, b"[-012]"), (N, b"[-.123]"), (N, b"[-1x]"), (N, b"[1ea]"), (N, b"[1e\xe5]"), (N, b"[1.]"), (N, b"[.123]"),
    (N, b"[1.2a-3]"), (N, b"[1.8011670033376514H-308]"), (N, b"[012]"), (N, b"00"), (N, b"1.1.1"), (N, b"1e1e1"), (N, b"--1"), (N, b"0b1"), (N, b"1n"), (N, b"1f"),
    // objects
    (Y, b"{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"), (Y, b"{\"asd\":\"sdf\"}"), (Y, b"{\"a\":\"b\",\"a\":\"c\"}"), (Y, b"{\"a\":\"b\",\"a\":\"b\"}"), (Y, b"{}"), (Y, b"{ }"),
    (Y, b"{\"\":0}"), (Y, b"{\"foo\\u0000bar\": 42}"), (Y, b"{ \"min\": -1.0e+28, \"max\": 1.0e+28 }"), (Y, b"{\"a\":[]}"), (Y, b"{\n\"a\": \"b\"\n}"),
    (Y, b"{\"processing\":{\"processing\":1}}"), (Y, b"{\"params\":{\"processing\":1}}"), (Y, b"{\"__proto__\":{}}"),
    (N, b"[\"x\", truth]"), (N, b"{[: \"x\"}"), (N, b"{\"x\", null}"), (N, b"{\"x\"::\"b\"}"), (N, "{\u{1f1e8}\u{1f1ed}}".as_bytes()), (N, b"{\"a\":\"a\" 123}"), (N, b"{key: 'value'}"),
    (N, b"{\"\xb9\":\"0\",}"), (N, b"{\"a\" b}"), (N, b"{:\"b\"}"), (N, b"{\"a\" \"b\"}"), (N, b"{\"a\":"), (N, b"{\"a\""), (N, b"{1:1}"), (N, b"{9999E9999:1}"), (N, b"{null:null,null:null}"),
    (N, b"{\"id\":0,,,,,}"), (N, b"{'a':0}"), (N, b"{\"id\":0,}"), (N, b"{\"a\":\"b\"}/**/"), (N, b"{\"a\":\"b\"}/**//"), (N, b"{\"a\":\"b\"}//"), (N, b"{\"a\":\"b\"}/"), (N, b"{\"a\":\"b\",,\"c\":\"d\"}"),
    (N, b"{a: \"b\"}"), (N, b"{\"a\":\"a"), (N, b"{ \"foo\" : \"bar\", \"a\" }"), (N, b"{\"a\":\"b\"}#"), (N, b"{true:1}"), (N, b"{\"a\":1]"), (N, b"{]"), (N, b"{,}"), (N, b"{{}}"), (N, b"{\"a\":{}"),
    // strings
    (Y, b"[\"\\u0060\\u012a\\u12AB\"]"), (Y, b"[\"\\uD801\\udc37\"]"), (Y, b"[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"), (Y, b"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), (Y, b"[\"\\\\u0000\"]"), (Y, b"[\"\\\"\"]"),
    (Y, b"[\"a/*b*/c/*d//e\"]"), (Y, b"[\"\\\\a\"]"), (Y, b"[\"\\\\n\"]"), (Y, b"[\"\\u0012\"]"), (Y, b"[\"\\uFFFF\"]"), (Y, b"[ \"asd\"]"), (Y, b"[\"\\uDBFF\\uDFFF\"]"), (Y, b"[\"new\\u00A0line\"]"),
    (Y, "[\"\u{10ffff}\"]".as_bytes()), (Y, "[\"\u{ffff}\"]".as_bytes()), (Y, b"[\"\\u0000\"]"), (Y, b"[\"\\u002c\"]"), (Y, "[\"\u{3c0}\"]".as_bytes()), (Y, "[\"\u{1bfff}\"]".as_bytes()),
    (Y, b"\" \""), (Y, b"[\"\\uD834\\uDd1e\"]"), (Y, b"[\"\\u0821\"]"), (Y, "[\"\u{2028}\u{2029}\"]".as_bytes()), (Y, b"[\"a\x7fa\"]"), (Y, b"[\"\\u0022\"]"), (Y, b"[\"\\u005C\"]"), (Y, "[\"\u{2342}\u{32f4}\u{2342}\"]".as_bytes()),
    (I, b"[\"\\uDADA\"]"), (I, b"[\"\\uD888\\u1234\"]"), (I, b"[\"\\uD800\\n\"]"), (I, b"[\"\\uDd1ea\"]"), (I, b"[\"\\uD800\\uD800\\n\"]"), (I, b"[\"\\ud800\"]"), (I, b"[\"\\ud800abc\"]"),
    (I, b"[\"\xff\"]"), (I, b"[\"\\uDd1e\\uD834\"]"), (I, b"[\"\xe9\"]"), (I, b"[\"\xed\xa0\x80\"]"), (I, b"[\"\x81\"]"), (I, b"[\"\xf4\xbf\xbf\xbf\"]"), (I, b"[\"\\uDFAA\"]"), (I, b"[\"\xe0\xff\"]"),
    (I, b"[\"\xc0\xaf\"]"), (I, b"[\"\xfc\x83\xbf\xbf\xbf\xbf\"]"), (I, b"[\"\xfc\x80\x80\x80\x80\x80\"]"), (I, b"[\"\xf0\x80\x80\xaf\"]"), (I, b"[\"\xe6\x97\xa5\xd1\x88\xfa\"]"),
    (N, b"[\"\\uD800\\\"]"), (N, b"[\"\\uD800\\u\"]"), (N, b"[\"\\uD800\\u1\"]"), (N, b"[\"\\uD800\\u1x\"]"), (N, "[\u{e9}]".as_bytes()), (N, b"[\"\\\x00\"]"), (N, b"[\"\\\\\\\"]"), (N, b"[\"\\x00\"]"),
    (N, "[\"\\\u{1f300}\"]".as_bytes()), (N, b"[\"\\\t\"]"), (N, b"[\"\\u00A\"]"), (N, b"[\"\\uD834\\uDd\"]"), (N, b"[\"\\uD800\\uD800\\x\"]"), (N, b"[\"\\\""), (N, b"[\"\\u\xe5\"]"), (N, b"[\"\\a\"]"),
    (N, b"[\"\\uqqqq\"]"), (N, b"[\"\\\xe5\"]"), (N, b"[\\u0020\"asd\"]"), (N, b"[\\n]"), (N, b"\""), (N, b"['single quote']"), (N, b"abc"), (N, b"[\"\\"), (N, b"[\"a\x00a\"]"), (N, b"[\"new\nline\"]"),
    (N, b"[\"\t\"]"), (N, b"[\"\x1f\"]"), (N, b"\"\\UA66D\""), (N, b"\"\"x"), (N, b"\"\\u00e9\x0c\""),
    // the rest
    (Y, b"false"), (Y, b"42"), (Y, b"-0.1"), (Y, b"null"), (Y, b"\"asd\""), (Y, b"true"), (Y, b"\"\""), (Y, b"[\"a\"]\n"), (Y, b"[true]"), (Y, b"\t\r\n [ ] "),
    (N, b"<.>"), (N, b"[<null>]"), (N, b"[1]x"), (N, b"[1]]"), (N, b"[\"asd]"), (N, b"a\xc3\xa5"), (N, b"[True]"), (N, b"1]"), (N, b"{\"x\": true,"), (N, b"[][]"), (N, b"]"), (N, b"\xef\xbb{}"),
    (N, b"\xe5"), (N, b"[[]"), (N, b""), (N, b"2@"), (N, b"{}}"), (N, b"{\"\":"), (N, b"{\"a\":/*comment*/\"b\"}"), (N, b"{\"a\": true} \"x\""), (N, b"['"), (N, b"[,"), (N, b"[{"), (N, b"[\"a"),
    (N, b"[\"a\""), (N, b"{"), (N, b"{]"), (N, b"{["), (N, b"{\"a"), (N, b"{'a'"), (N, b"[\"\\{[\"\\{[\"\\{[\"\\{"), (N, b"\xe9"), (N, b"*"), (N, b"{\"a\":\"b\"}#{}"), (N, b"[\\u000A\"\"]"),
    (N, b"[1"), (N, b"[ false, nul"), (N, b"[ true, fals"), (N, b"[ false, tru"), (N, b"{\"asd\":\"asd\""), (N, "\u{e5}".as_bytes()), (N, b"[\xe2\x81\xa0]"), (N, b"\xef\xbb\xbf"), (N, b"[\x0c]"), (N, b"\xc2\xa0"),
    (N, b"nUll"), (N, b"trueX"), (N, b"true false"), (N, b"\x00"), (N, b"nul\x00"), (N, b"/"), (N, b"//\n1"), (N, b"\\u0031"), (N, b"undefined"), (N, b"`a`"), (N, b"(1)"), (N, b"1;"),
];
