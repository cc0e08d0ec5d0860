//! Whole blocks against single bytes, which never get as far as a block.

use bytes::Bytes;
use fearless_simd::Level;
use proptest::prelude::*;

use crate::scan::blocks::levels;
use crate::scan::{Found, Malformed, Scanner, Slot, Wanted, scan};

fn wanted() -> Wanted {
    Wanted::new()
        .root("processing", Slot::Contract)
        .root("text", Slot::Text)
        .root("params", Slot::Params)
        .within("params", "processing", Slot::Contract)
        .within("params", "roomId", Slot::Room)
}

fn by_bytes(wanted: &Wanted, body: &[u8]) -> Result<Found, Malformed> {
    let bytes: Vec<Bytes> = body.iter().map(|byte| Bytes::copy_from_slice(&[*byte])).collect();
    scan(wanted, &bytes)
}

fn by_blocks(level: Level, wanted: &Wanted, body: &[u8]) -> Result<Found, Malformed> {
    let mut scanner = Scanner::with(level, wanted);
    scanner.push(body)?;
    scanner.finish()
}

fn check(body: &[u8]) -> Result<(), TestCaseError> {
    let wanted = wanted();
    let expected = by_bytes(&wanted, body);
    for level in levels() {
        let whole = by_blocks(level, &wanted, body);
        prop_assert_eq!(&whole, &expected, "{} with {:?}", String::from_utf8_lossy(body), level);
    }
    Ok(())
}

#[rustfmt::skip]
const SCALARS: [&str; 30] = [
    "1", "0", "-0", "12", "-0.5", "1e5", "-0.0e-0", "1.25E+10", "12345678901234567890", "true", "false", "null", "\"\"", "\"a\"", "\"processing\"",
    "\"plain text of some length\"", "\"\\n\"", "\"\\\\\"", "\"\\\"\"", "\"\\u00eF\\ud83d\"", "\"漢😀\"", "\"[{,:}]\"", "\"true\"", "[]", "{}", "[ ]",
    "{ }", "\"\\\\\\\\\\\\\"", "\"one two three four five six seven eight nine ten eleven twelve thirteen fourteen\"", "9",
];
#[rustfmt::skip]
const KEYS: [&str; 10] = [
    "\"\"", "\"a\"", "\"text\"", "\"params\"", "\"processing\"", "\"processin\"", "\"pro\\u0063essing\"", "\"roomId\"", "\"\\\"\"",
    "\"a key that takes more than a lane, or two of them\"",
];
const BLANKS: [&str; 6] = ["", "", "", " ", "\n\t ", "\r\n                    "];
/// What goes wrong, and what only looks like it.
#[rustfmt::skip]
const WRONGS: [&str; 36] = [
    "", ",", ":", "[", "]", "{", "}", "\"", "\\", "\\u", "\\u00", "\\x", "\x01", "\n", "-", "+", ".", "e", "E", "0", "1", "1.5", "true", "tru", "nulll", "falsey", "é", "\x7f",
    ",,", "1 1", "\"\"", "1e", "01", "2.", ".5", "--1",
];

/// A value of about so many parts, written by what `noise` says.
fn value(noise: &mut impl Iterator<Item = usize>, body: &mut String, depth: usize, parts: usize) {
    let mut next = |below: usize| noise.next().unwrap_or(0) % below;
    let object = next(2) == 0;
    if depth > 90 || parts < 2 && next(4) > 0 {
        *body += SCALARS[next(SCALARS.len())];
        return;
    }
    body.push(if object { '{' } else { '[' });
    let members = next(5) + parts;
    for member in 0..members {
        let mut next = |below: usize| noise.next().unwrap_or(0) % below;
        let blanks = [BLANKS[next(6)], BLANKS[next(6)], BLANKS[next(6)], BLANKS[next(6)]];
        if member > 0 {
            *body += ",";
        }
        *body += blanks[0];
        if object {
            *body += KEYS[next(KEYS.len())];
            *body += blanks[1];
            *body += ":";
            *body += blanks[2];
        }
        if body.len() < 20_000 {
            value(noise, body, depth + 1, 0);
        } else {
            *body += "1";
        }
        *body += blanks[3];
    }
    body.push(if object { '}' } else { ']' });
}

fn document() -> impl Strategy<Value = Vec<u8>> {
    (any::<u64>(), 10..120usize, 0..150usize).prop_map(|(seed, parts, deep)| {
        let mut state = seed | 1;
        let mut noise = std::iter::from_fn(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 11).ok()
        });
        let mut body = String::new();
        let deep = if deep < 100 { 0 } else { deep };
        let opens: Vec<bool> = (0..deep).map(|_| noise.next().unwrap_or(0) % 2 == 0).collect();
        for object in &opens {
            body += if *object { "{\"a\":" } else { "[" };
        }
        value(&mut noise, &mut body, 0, parts);
        for object in opens.iter().rev() {
            body.push(if *object { '}' } else { ']' });
        }
        body.into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn blocks_find_what_bytes_find(body in document()) {
        prop_assert!(by_bytes(&wanted(), &body).is_ok());
        check(&body)?;
    }

    #[test]
    fn blocks_refuse_what_bytes_refuse(
        body in document(),
        at in any::<prop::sample::Index>(),
        cut in 0..4usize,
        wrong in prop::sample::select(&WRONGS[..]),
    ) {
        let mut body = body;
        let start = at.index(body.len());
        let end = (start + cut).min(body.len());
        body.splice(start..end, wrong.bytes());
        check(&body)?;
    }
}

/// Every number-like text of five characters, as the grammar has it, across every place of a block's end.
#[test]
fn numbers_are_judged_alike_wherever_a_block_ends() {
    const LETTERS: &[u8] = b"01-+.eE";
    let wanted = Wanted::new();
    for code in 0..LETTERS.len().pow(5) {
        let text: Vec<u8> =
            (0..5).map(|place| LETTERS[code / LETTERS.len().pow(place) % LETTERS.len()]).collect();
        let front = b"[".iter().chain(b"1,".iter().cycle().take(80 + code % 8 * 2));
        let mut body: Vec<u8> = front.copied().chain(vec![b' '; code % 67]).collect();
        body.extend(&text);
        body.extend(b",1".repeat(150));
        body.push(b']');
        let expected = by_bytes(&wanted, &body);
        for level in levels() {
            let whole = by_blocks(level, &wanted, &body);
            assert_eq!(whole, expected, "{} with {level:?}", String::from_utf8_lossy(&text));
        }
    }
}
