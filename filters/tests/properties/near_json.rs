//! Generates bodies: well-formed in every odd way, broken by a few bytes, or tokens in any order; and ways to cut them.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

pub type Bodies = BoxedStrategy<Vec<u8>>;

/// Sizes of chunks, taken in turn; empty ones too.
#[derive(Clone, Debug)]
pub struct Cuts(Vec<usize>);

impl Cuts {
    pub fn of(&self, body: &[u8]) -> Vec<Bytes> {
        let mut chunks = Vec::new();
        let mut rest = body;
        for size in self.0.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            chunks.push(Bytes::copy_from_slice(chunk));
            rest = after;
        }
        chunks
    }
}

pub fn cut() -> impl Strategy<Value = Cuts> {
    (vec(0..9usize, 0..5), 1..90usize).prop_map(|(mut sizes, last)| {
        sizes.push(last);
        Cuts(sizes)
    })
}

/// A well-formed document.
pub fn document() -> Bodies {
    (select(vec![&b""[..], b"\xEF\xBB\xBF", b"\xEF\xBB\xBF\xEF\xBB\xBF"]), value())
        .prop_map(|(marks, value)| [marks, &value].concat())
        .boxed()
}

/// A document with a few bytes changed.
pub fn broken() -> Bodies {
    #[derive(Clone, Debug)]
    enum Change {
        Drop,
        Insert(u8),
        Replace(u8),
        CutOff,
    }
    let byte = prop_oneof![select(&b"{}[],:\"\\ \t0-.eEu1n\x00\x1f\x80\xef"[..]), any::<u8>()];
    let change = prop_oneof![
        3 => Just(Change::Drop),
        3 => byte.clone().prop_map(Change::Insert),
        3 => byte.prop_map(Change::Replace),
        1 => Just(Change::CutOff),
    ];
    (document(), vec((any::<Index>(), change), 1..4))
        .prop_map(|(mut body, changes)| {
            for (place, change) in changes {
                let at = place.index(body.len() + 1);
                match change {
                    Change::Insert(byte) => body.insert(at, byte),
                    Change::CutOff => body.truncate(at),
                    _ if at == body.len() => {}
                    Change::Drop => drop(body.remove(at)),
                    Change::Replace(byte) => body[at] = byte,
                }
            }
            body
        })
        .boxed()
}

/// Tokens in any order, often with the right one next.
pub fn soup() -> Bodies {
    #[rustfmt::skip]
    const TOKENS: &[&[u8]] = &[
        b"{", b"}", b"[", b"]", b",", b":", b"\"a\":1", b"{\"processing\":", b"\"", b"\\", b"\\u00", b"0", b"-", b"1", b".5", b"e+", b"true", b"fals", b"null",
        b" ", b"\n  ", b",\"", b"\":", b"[[[[", b"]]]]", b"1,", b"\"text\"", b"\xEF\xBB\xBF", b"{\"a\":{\"a\":", b"}}", b"12345678901234567890", b"0.25,", b"\"\",",
    ];
    let well_begun = select(vec![&b""[..], b"[", b"{\"a\":", b"[1,", b"{\"params\":{"]);
    (well_begun, vec(select(TOKENS), 0..12))
        .prop_map(|(start, tokens)| [start, &tokens.concat()].concat())
        .boxed()
}

/// A JSON object with any number of contract members among others, which `serde_json::Value` can read.
pub fn message() -> Bodies {
    let contract = select(&["processing", "proces\\u0073ing", "\\u0070rocessin\\u0067"][..]);
    let other = [
        "a",
        "text",
        "params",
        "params",
        "met\\u0061data",
        "Processing",
        "a key longer than a lane",
    ];
    let other = select(other.to_vec());
    let key = prop_oneof![contract, other].prop_map(|key| key.as_bytes().to_vec());
    members(key, readable(), 0..9).boxed()
}

fn value() -> Bodies {
    leaf(true).prop_recursive(5, 60, 6, |inner| nested(string(true), inner)).boxed()
}

fn readable() -> Bodies {
    leaf(false).prop_recursive(3, 20, 4, |inner| nested(string(false), inner)).boxed()
}

fn nested(key: Bodies, inner: Bodies) -> Bodies {
    let elements = (vec(spaced(inner.clone()), 0..6), blanks())
        .prop_map(|(elements, blanks)| [b"[", &blanks[..], &elements.join(&b','), b"]"].concat());
    let known =
        select(vec![&b"processing"[..], b"params", b"metadata", b"roomId", b"text", b"room"]);
    let key = prop_oneof![known.prop_map(<[u8]>::to_vec), key];
    prop_oneof![elements, members(key, inner, 0..6)].boxed()
}

fn members(
    key: impl Strategy<Value = Vec<u8>> + 'static,
    value: Bodies,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<u8>> {
    let key = key.prop_map(|key| [b"\"", &key[..], b"\""].concat());
    let member = (spaced(key), spaced(value)).prop_map(|(key, value)| [key, value].join(&b':'));
    (vec(member, count), blanks())
        .prop_map(|(members, blanks)| [b"{", &blanks[..], &members.join(&b','), b"}"].concat())
}

fn leaf(anything: bool) -> Bodies {
    let plain = select(
        &[
            "true",
            "false",
            "null",
            "0",
            "-0",
            "1",
            "-12.5e-3",
            "1E5",
            "123456789012345678",
            "0.0001",
        ][..],
    );
    let huge = select(
        &["1e999", "-1E400", "12345678901234567890123", "1.000000000000000000000005", "0e0"][..],
    );
    let number = if anything { prop_oneof![plain, huge].boxed() } else { plain.boxed() };
    let quoted = string(anything).prop_map(|inside| [b"\"", &inside[..], b"\""].concat());
    prop_oneof![number.prop_map(|text| text.as_bytes().to_vec()), quoted].boxed()
}

/// What stands between quotes: with `anything`, invalid UTF-8 and lone surrogates too.
fn string(anything: bool) -> Bodies {
    const READABLE: &[&[u8]] = &[
        b"a",
        b"plain words",
        b"\\n",
        b"\\\\",
        b"\\\"",
        b"\\u0041",
        b"\\uD83D\\uDE00",
        "é😀".as_bytes(),
        b"{[:,]}",
        b"\x7F",
    ];
    const ODD: &[&[u8]] =
        &[b"\xFF", b"\xC3", b"\xF0\x9F\x98", b"\\uD800", b"\\uDc00", b"\\\\\\", b"\xEF\xBB\xBF"];
    let part = if anything {
        prop_oneof![4 => select(READABLE), 1 => select(ODD)].boxed()
    } else {
        select(READABLE).boxed()
    };
    vec(part, 0..14)
        .prop_map(|parts| {
            let mut inside = parts.concat();
            // An odd run of backslashes must have something to escape.
            if inside.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1 {
                inside.push(b'\\');
            }
            inside
        })
        .prop_filter("an escape must be whole", |inside| {
            crate::reference::read(&[b"\"", &inside[..], b"\""].concat()).is_ok()
        })
        .boxed()
}

fn spaced(token: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (blanks(), token, blanks()).prop_map(|(before, token, after)| [before, token, after].concat())
}

fn blanks() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => Just(Vec::new()),
        2 => vec(select(&b" \t\r\n"[..]), 0..3),
        1 => vec(select(&b" \n"[..]), 14..70),
    ]
}
