//! Reads what a span of a body holds: the bytes, or the string that a JSON string literal denotes.

use std::borrow::Cow;
use std::char::REPLACEMENT_CHARACTER;
use std::ops::Range;

use bytes::Bytes;

/// The string that the literal at `span`, quotes included, denotes, as JavaScript would write it to UTF-8: escapes
/// decoded, lone surrogates and invalid UTF-8 replaced by U+FFFD (a maximal subpart each, as WHATWG's decoder does).
#[must_use]
pub fn string(chunks: &[Bytes], span: &Range<usize>) -> String {
    unescape(inside(&raw(chunks, span)))
}

fn inside(literal: &[u8]) -> &[u8] {
    let inside = literal.strip_prefix(b"\"").unwrap_or(literal);
    inside.strip_suffix(b"\"").unwrap_or(inside)
}

/// The bytes of a span, borrowed when they lie in one chunk.
#[must_use]
pub fn raw<'c>(chunks: &'c [Bytes], span: &Range<usize>) -> Cow<'c, [u8]> {
    let mut parts = parts(chunks, span);
    let Some(first) = parts.next() else {
        return Cow::Borrowed(&[]);
    };
    let Some(second) = parts.next() else {
        return Cow::Borrowed(part(first));
    };
    let mut joined = Vec::with_capacity(span.len());
    for piece in [first, second].into_iter().chain(parts) {
        joined.extend_from_slice(part(piece));
    }
    Cow::Owned(joined)
}

/// The bytes of a span as slices of the chunks: nothing is copied, and no slice is empty.
#[must_use]
pub fn slice(chunks: &[Bytes], span: &Range<usize>) -> Vec<Bytes> {
    parts(chunks, span).map(|(chunk, within)| chunk.slice(within)).collect()
}

/// What JavaScript's `trim` leaves of the string that the literal at `span` denotes, cut to `limit` bytes of UTF-8 as
/// [`trim`] cuts it. It is the same for every spelling of one text, but where it begins with more than `limit` bytes of
/// white space. Borrowed where the literal lies in one chunk and has no escapes.
#[must_use]
pub fn trimmed<'c>(chunks: &'c [Bytes], span: &Range<usize>, limit: usize) -> Cow<'c, str> {
    let enough = 2 * limit;
    // No spelling takes more than six bytes for one.
    let window = span.start..span.end.min(span.start + 6 * enough + 2);
    match raw(chunks, &window) {
        Cow::Borrowed(literal) => match plain(inside(literal), enough) {
            Some(text) => Cow::Borrowed(trim(text, limit)),
            None => Cow::Owned(trim(&unescape_to(inside(literal), enough), limit).to_owned()),
        },
        Cow::Owned(literal) => {
            Cow::Owned(trim(&unescape_to(inside(&literal), enough), limit).to_owned())
        }
    }
}

/// The first `enough` bytes, less a part of a character, where they have no escape and are UTF-8.
fn plain(raw: &[u8], enough: usize) -> Option<&str> {
    let raw = raw.get(..enough).unwrap_or(raw);
    if memchr::memchr(b'\\', raw).is_some() {
        return None;
    }
    match std::str::from_utf8(raw) {
        Ok(text) => Some(text),
        Err(cut) if cut.error_len().is_none() => {
            std::str::from_utf8(raw.get(..cut.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}

/// What JavaScript's `trim` leaves: of that the first `limit` bytes, less a part of a character and the white space that
/// they end with.
#[must_use]
pub fn trim(text: &str, limit: usize) -> &str {
    let text = text.trim_start_matches(is_space);
    let end = text.floor_char_boundary(limit);
    text.get(..end).unwrap_or(text).trim_end_matches(is_space)
}

/// The white space and line terminators that JavaScript trims: U+FEFF is one of them, U+0085 is not.
fn is_space(character: char) -> bool {
    character == '\u{feff}' || character.is_whitespace() && character != '\u{85}'
}

/// The string that `raw`, what stands between the quotes of a well-formed literal, denotes; read as in [`string`].
pub(crate) fn unescape(raw: &[u8]) -> String {
    unescape_to(raw, usize::MAX)
}

/// The same, of at least its first `enough` bytes.
fn unescape_to(raw: &[u8], enough: usize) -> String {
    let mut text = Vec::with_capacity(raw.len().min(enough));
    let mut rest = raw;
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(backslash);
        text.extend_from_slice(plain);
        if text.len() >= enough {
            return utf8(text);
        }
        let (character, length) = escaped(escape);
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = escape.get(length..).unwrap_or(&[]);
    }
    text.extend_from_slice(rest);
    utf8(text)
}

/// What an escape stands for is whole characters: none of them completes what was cut short before.
fn utf8(text: Vec<u8>) -> String {
    String::from_utf8(text)
        .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned())
}

/// What follows in `raw`, from inside a well-formed literal, after some spelling of `text`, if it begins with one.
pub(crate) fn after<'r>(mut raw: &'r [u8], text: &str) -> Option<&'r [u8]> {
    for expected in text.chars() {
        let length = match raw.first()? {
            b'\\' => {
                let (character, length) = escaped(raw);
                (character == expected).then_some(length)?
            }
            byte if byte.is_ascii() => (char::from(*byte) == expected).then_some(1)?,
            _ => {
                let mut plain = [0; 4];
                let plain = expected.encode_utf8(&mut plain).as_bytes();
                raw.starts_with(plain).then_some(plain.len())?
            }
        };
        raw = raw.get(length..)?;
    }
    Some(raw)
}

/// The character that the escape at the beginning of `from` denotes, and how many bytes spell it.
fn escaped(from: &[u8]) -> (char, usize) {
    let simple = match from.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return escaped_unit(from),
        Some(itself) => char::from(*itself),
        None => REPLACEMENT_CHARACTER,
    };
    (simple, 2)
}

/// The same for `\uXXXX`, or two of them that are a surrogate pair.
fn escaped_unit(from: &[u8]) -> (char, usize) {
    let unit = code_unit(from).unwrap_or(0xFFFD);
    if let Some(character) = char::from_u32(u32::from(unit)) {
        return (character, 6);
    }
    let second = from.get(6..).and_then(code_unit).unwrap_or(0);
    if let Some(Ok(character)) = char::decode_utf16([unit, second]).next() {
        return (character, 6 * character.len_utf16());
    }
    (REPLACEMENT_CHARACTER, 6)
}

/// The number in `\uXXXX` at the beginning of `from`.
fn code_unit(from: &[u8]) -> Option<u16> {
    let digits: &[u8; 4] = from.strip_prefix(b"\\u")?.first_chunk()?;
    // The letters' lower halves count from 1, and 9 is what they count from.
    let value = |digit: u8| u16::from((digit & 0xF) + 9 * (digit >> 6));
    let unit = digits.iter().fold(0, |unit, digit| unit << 4 | value(*digit));
    digits.iter().all(u8::is_ascii_hexdigit).then_some(unit)
}

/// The non-empty parts of a span: a chunk, and where in it.
fn parts<'c>(
    chunks: &'c [Bytes],
    span: &Range<usize>,
) -> impl Iterator<Item = (&'c Bytes, Range<usize>)> + use<'c> {
    let span = span.clone();
    let mut before = 0;
    chunks.iter().filter_map(move |chunk| {
        let start = span.start.saturating_sub(before).min(chunk.len());
        let end = span.end.saturating_sub(before).min(chunk.len());
        before += chunk.len();
        (start < end).then_some((chunk, start..end))
    })
}

fn part((chunk, within): (&Bytes, Range<usize>)) -> &[u8] {
    chunk.get(within).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        name: &'static str,
        literal: &'static [u8],
        denotes: &'static str,
    }

    #[rustfmt::skip]
    const CASES: &[Case] = &[
        Case { name: "empty", literal: b"\"\"", denotes: "" },
        Case { name: "plain", literal: b"\"fast\"", denotes: "fast" },
        Case { name: "every short escape", literal: br#""\"\\\/\b\f\n\r\t""#, denotes: "\"\\/\u{8}\u{c}\n\r\t" },
        Case { name: "a unit in both cases", literal: br#""\u00e9\u00E9""#, denotes: "éé" },
        Case { name: "a pair", literal: br#""\uD83D\uDE00!""#, denotes: "😀!" },
        Case { name: "a pair the wrong way round", literal: br#""\uDE00\uD83D""#, denotes: "\u{FFFD}\u{FFFD}" },
        Case { name: "a lone half, then a letter", literal: br#""\uD83Dx""#, denotes: "\u{FFFD}x" },
        Case { name: "a lone half, then a short escape", literal: br#""\uD83D\n""#, denotes: "\u{FFFD}\n" },
        Case { name: "a lone half, then a pair", literal: br#""\uD83D\uD83D\uDE00""#, denotes: "\u{FFFD}😀" },
        Case { name: "NUL", literal: br#""fast\u0000""#, denotes: "fast\0" },
        Case { name: "raw UTF-8", literal: "\"naïve 😀\"".as_bytes(), denotes: "naïve 😀" },
        Case { name: "a byte that is never valid", literal: b"\"\x80a\"", denotes: "\u{FFFD}a" },
        Case { name: "a sequence cut short by the quote", literal: b"\"\xF0\x9F\x98\"", denotes: "\u{FFFD}" },
        Case { name: "a sequence cut short by an escape", literal: b"\"\xC3\\u0041\"", denotes: "\u{FFFD}A" },
        Case { name: "a surrogate in UTF-8", literal: b"\"\xED\xA0\x80\"", denotes: "\u{FFFD}\u{FFFD}\u{FFFD}" },
        Case { name: "overlong", literal: b"\"\xC1\xB0\"", denotes: "\u{FFFD}\u{FFFD}" },
        Case { name: "an escaped backslash before a u", literal: br#""\\u0041""#, denotes: "\\u0041" },
    ];

    #[test]
    fn trimming_is_javascripts() {
        let spaces = "\t\n\u{b}\u{c}\r \u{a0}\u{1680}\u{2000}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}";
        let kept = ["\u{85}", "\u{200b}", "\u{180e}", "\u{0}", "\u{2060}"];
        for space in spaces.chars() {
            assert_eq!(trim(&format!("{space}{space}a{space}b{space}"), 100), format!("a{space}b"));
        }
        for kept in kept {
            assert_eq!(trim(&format!(" {kept}a{kept} "), 100), format!("{kept}a{kept}"));
        }
        assert_eq!(trim(spaces, 100), "");
    }

    /// However a text is spelled, cut into chunks, and surrounded by white space.
    #[test]
    fn one_text_is_one_whatever_its_spelling() {
        let long = "ä b".repeat(20);
        let texts =
            ["hi", "a\nb", "ä\u{1F600}z", "", "0123456789abcdef", "0123456789abcde\u{e9}f", &long];
        for text in texts {
            let expected = trim(text, 16);
            assert!(expected.len() <= 16);
            let escaped =
                text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
            let half: String = text
                .chars()
                .map(|c| {
                    if c == 'b' {
                        "\\u0062".to_owned()
                    } else if c == '\n' {
                        "\\n".to_owned()
                    } else {
                        c.to_string()
                    }
                })
                .collect();
            let plain = text.replace('\n', "\\n");
            for spelled in [escaped, half, plain] {
                for around in ["", " ", "\u{feff}", "\\n\\t", "      "] {
                    let body = format!("\"{around}{spelled}{around}\"");
                    for size in [1, 3, 200] {
                        let chunks: Vec<Bytes> =
                            body.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
                        assert_eq!(
                            trimmed(&chunks, &(0..body.len()), 16),
                            expected,
                            "{body} by {size}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_text_in_one_chunk_without_escapes_is_borrowed() {
        let chunks = [Bytes::from_static(b"[\"  naive \"]")];
        assert!(matches!(trimmed(&chunks, &(1..11), 64), Cow::Borrowed("naive")));
    }

    #[test]
    fn a_literal_is_read_as_javascript_reads_it_in_any_chunks() {
        for case in CASES {
            let span = 2..2 + case.literal.len();
            let body = [b"[ ", case.literal, b"]"].concat();
            for size in [1, 2, 3, 7, body.len()] {
                let chunks: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
                assert_eq!(string(&chunks, &span), case.denotes, "{} in {size}", case.name);
            }
        }
    }

    #[test]
    fn a_span_is_borrowed_from_one_chunk_and_joined_from_several() {
        let chunks = [Bytes::from_static(b"abc"), Bytes::new(), Bytes::from_static(b"def")];
        assert!(matches!(raw(&chunks, &(0..3)), Cow::Borrowed(b"abc")));
        assert!(matches!(raw(&chunks, &(4..6)), Cow::Borrowed(b"ef")));
        assert_eq!(raw(&chunks, &(2..4)), Cow::<[u8]>::Owned(b"cd".to_vec()));
        assert_eq!(raw(&chunks, &(3..3)), Cow::<[u8]>::Borrowed(b""));
        assert_eq!(raw(&chunks, &(5..99)), Cow::<[u8]>::Borrowed(b"f"));
        assert_eq!(slice(&chunks, &(2..4)), [&b"c"[..], b"d"]);
    }
}
