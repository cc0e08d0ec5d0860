//! Reads what a span of a body holds: the bytes, or the string that a JSON string literal denotes.

use std::borrow::Cow;
use std::char::REPLACEMENT_CHARACTER;
use std::ops::Range;

use bytes::Bytes;

/// The string that the literal at `span`, quotes included, denotes, as JavaScript would write it to UTF-8: escapes
/// decoded, lone surrogates and invalid UTF-8 replaced by U+FFFD (a maximal subpart each, as WHATWG's decoder does).
#[must_use]
pub fn string(chunks: &[Bytes], span: &Range<usize>) -> String {
    let literal = raw(chunks, span);
    let inside = literal.strip_prefix(b"\"").unwrap_or(&literal);
    unescape(inside.strip_suffix(b"\"").unwrap_or(inside))
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

/// The string that `raw`, what stands between the quotes of a well-formed literal, denotes; read as in [`string`].
pub(crate) fn unescape(raw: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(backslash) = rest.iter().position(|byte| *byte == b'\\') {
        let (plain, escape) = rest.split_at(backslash);
        text.push_str(&String::from_utf8_lossy(plain));
        let (character, length) = escaped(escape);
        text.push(character);
        rest = escape.get(length..).unwrap_or(&[]);
    }
    text.push_str(&String::from_utf8_lossy(rest));
    text
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
    let second = from.get(6..).and_then(code_unit).unwrap_or(0);
    if let Some(Ok(character)) = char::decode_utf16([unit, second]).next() {
        return (character, 6 * character.len_utf16());
    }
    (REPLACEMENT_CHARACTER, 6)
}

/// The number in `\uXXXX` at the beginning of `from`.
fn code_unit(from: &[u8]) -> Option<u16> {
    let digits = from.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0u16, |unit, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(value).ok()?)
    })
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
