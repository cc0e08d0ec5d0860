//! Generated bodies: messages and requests with every odd member, some with bytes changed.

use std::cell::RefCell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{FileFailurePersistence, RngSeed, TestCaseError, TestRunner};

use crate::node::Node;
use crate::setting::{DOORS, SETTINGS};
use crate::sidecar::Sidecar;

type Bodies = BoxedStrategy<Vec<u8>>;

/// The same cases in every run, unless `PROPTEST_RNG_SEED` or `PROPTEST_CASES` ask for others;
/// what once failed is tried first.
pub fn runner(cases: u32) -> TestRunner {
    let asked = ProptestConfig::default();
    TestRunner::new(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").map_or(cases, |_| asked.cases),
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(20_26),
            fixed => fixed,
        },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/oracle/regressions.txt",
        ))),
        ..asked
    })
}

#[test]
fn generated_bodies_are_read_as_node_reads_them() {
    let node = RefCell::new(Node::start());
    let sidecars = SETTINGS.map(Sidecar::new);
    let cases = (prop_oneof![2 => whole(), 3 => changed()], any::<Index>(), any::<Index>());
    runner(10_000)
        .run(&cases, |(body, door, sidecar)| {
            let (door, sidecar) = (door.get(&DOORS), sidecar.get(&sidecars));
            sidecar.check(&mut node.borrow_mut(), *door, &body).map_err(TestCaseError::fail)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

/// A message, or a JSON-RPC request with one as its params.
fn whole() -> Bodies {
    let request = (message(), message(), blanks()).prop_map(|(first, last, blanks)| {
        let start: &[u8] = br#"{"method":"m","id":1,"params":"#;
        [start, &first, b",\"par\\u0061ms\"", &blanks, b":", &last, b"}"].concat()
    });
    let once = message()
        .prop_map(|params| [br#"{"id":"i","params":"#, &params[..], br#","method":"m"}"#].concat());
    let marks = select(&["", "", "", "", "", "", "\u{feff}", "\u{feff}\u{feff}", "\u{feff} "][..]);
    (marks, prop_oneof![2 => message(), 1 => once, 1 => request])
        .prop_map(|(marks, body)| [marks.as_bytes(), &body].concat())
        .boxed()
}

fn message() -> Bodies {
    (vec((key(), value(), blanks(), blanks()), 0..7), blanks())
        .prop_map(|(members, blanks)| {
            let member = |(key, value, one, two): &(Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>)| {
                [one, key, two, &b":"[..], one, value, two].concat()
            };
            let members: Vec<Vec<u8>> = members.iter().map(member).collect();
            [b"{", &blanks[..], &members.join(&b','), b"}"].concat()
        })
        .boxed()
}

fn key() -> Bodies {
    #[rustfmt::skip]
    const KEYS: &[&[u8]] = &[
        b"\"processing\"", b"\"processing\"", b"\"proces\\u0073ing\"", b"\"\\u0070rocessin\\u0067\"", b"\"Processing\"", b"\"processing\\u0000\"",
        b"\"params\"", b"\"roomId\"", b"\"r\\u006fomId\"", b"\"text\"", b"\"user\"", b"\"metadata\"", b"\"conversation_id\"", b"\"user_id\"", b"\"mode\"",
        b"\"method\"", b"\"id\"", b"\"__proto__\"", b"\"\"", b"\"1\"", b"\"\xff\"", b"\"a\\\\\"", b"\"\\ud800\"", b"\"proces\xc2sing\"",
    ];
    select(KEYS).prop_map(<[u8]>::to_vec).boxed()
}

fn value() -> Bodies {
    #[rustfmt::skip]
    const LEAVES: &[&[u8]] = &[
        b"null", b"true", b"0", b"-0", b"1e999", b"12345678901234567890", b"0.1E-7", b"\"\"", b"\"room-1\"", b"\"web-chat\"", b"\"fast\"", b"\"a\\nb\"", b"\"\\ud83d\\ude00\"",
        b"\"\\ud83d\"", b"\"\xf0\x9f\"", b"\"\\\"processing\\\":1\"", b"\"\xe6\x97\xa5\"", b"[]", b"{}", b"[[{}],[1]]", b"[{\"processing\":1}]", b"{\"__proto__\":{\"mode\":\"fast\"}}",
        br#"{"mode":"fast"}"#, br#"{"mode":"fast"}"#, br#"{"mode":"default"}"#, br#"{"mode":"turbo","profile":"turbo-v1"}"#, br#"{ "mode" : "fast" , "profile" : "fast-v1" }"#,
        br#"{"m\u006fde":"f\u0061st"}"#, br#"{"mode":"default","mode":"fast"}"#, br#"{"mode":"FAST"}"#, br#"{"mode":null}"#, br#"{"mode":"fast","profile":7}"#, br#"{"mode":"fast","reason":"r","x":[{}]}"#,
        br#"{"processing":{"mode":"fast"}}"#, br#"{"roomId":"r","processing":{"mode":"fast"}}"#, br#"{"user_id":"w","conversation_id":"c"}"#,
    ];
    let leaf = select(LEAVES).prop_map(<[u8]>::to_vec);
    leaf.prop_recursive(2, 12, 4, |inner| {
        let list = vec(inner.clone(), 0..3)
            .prop_map(|values| [b"[", &values.join(&b',')[..], b"]"].concat());
        let object = vec((key(), inner), 0..4).prop_map(|members| {
            let members: Vec<Vec<u8>> =
                members.iter().map(|(key, value)| [&key[..], b":", value].concat()).collect();
            [b"{", &members.join(&b',')[..], b"}"].concat()
        });
        prop_oneof![1 => list, 3 => object]
    })
    .boxed()
}

fn blanks() -> Bodies {
    prop_oneof![5 => Just(Vec::new()), 1 => vec(select(&b" \t\r\n"[..]), 1..4), 1 => vec(Just(b' '), 15..70)].boxed()
}

/// A body with some bytes dropped, changed, put in, doubled or moved.
fn changed() -> Bodies {
    #[rustfmt::skip]
    const PIECES: &[&[u8]] = &[
        b"{", b"}", b"[", b"]", b",", b":", b"\"", b"\\", b"\\u", b"\\u0070", b" ", b"\n", b"0", b"1", b"-", b".", b"e", b"+", b"t", b"u", b"/", b"'",
        b"\x00", b"\x0b", b"\x1f", b"\x7f", b"\x80", b"\xc2\xa0", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xff",
        b"\"processing\":", b",\"processing\":{\"mode\":\"fast\"}", b"\"processing\":1,", b"{\"processing\":1}", b"null", b"//", b"/**/",
    ];
    #[derive(Clone, Debug)]
    enum Change {
        Drop,
        Put(Vec<u8>),
        Instead(Vec<u8>),
        Double(Index),
        Move(Index),
        CutOff,
    }
    let piece = prop_oneof![4 => select(PIECES).prop_map(<[u8]>::to_vec), 1 => any::<u8>().prop_map(|byte| vec![byte])];
    let change = prop_oneof![
        4 => Just(Change::Drop),
        4 => piece.clone().prop_map(Change::Put),
        4 => piece.prop_map(Change::Instead),
        1 => any::<Index>().prop_map(Change::Double),
        1 => any::<Index>().prop_map(Change::Move),
        1 => Just(Change::CutOff),
    ];
    (whole(), vec((any::<Index>(), change), 1..4))
        .prop_map(|(mut body, changes)| {
            for (place, change) in changes {
                let at = place.index(body.len() + 1);
                let until = |end: Index| at + end.index(body.len() - at + 1);
                match change {
                    Change::Put(piece) => drop(body.splice(at..at, piece)),
                    Change::Instead(piece) => {
                        drop(body.splice(at..(at + 1).min(body.len()), piece))
                    }
                    Change::Drop => drop(body.splice(at..(at + 1).min(body.len()), [])),
                    Change::CutOff => body.truncate(at),
                    Change::Double(end) => {
                        let part = body[at..until(end)].to_vec();
                        drop(body.splice(at..at, part));
                    }
                    Change::Move(end) => {
                        let part: Vec<u8> = body.splice(at..until(end), []).collect();
                        let to = at / 2;
                        drop(body.splice(to..to, part));
                    }
                }
            }
            body
        })
        .boxed()
}
