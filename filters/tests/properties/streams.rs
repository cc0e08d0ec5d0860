//! Properties of the observer of streams on generated ones: well-formed, broken, and in any chunks.

use bytes::Bytes;
use modegate_filters::answers::Answers;
use modegate_filters::contract::Modes;
use modegate_filters::dialect::Dialect;
use modegate_filters::events::{Event, EventReader};
use modegate_filters::stream::{Ending, Observer, Seen, Style};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::near_json::{Bodies, cut, document};

/// What streams are made of, their ends among them.
#[rustfmt::skip]
const PIECES: &[&[u8]] = &[
    b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"data:", b"data: ", b"event: ", b": heartbeat", b"\xEF\xBB\xBF", b"id: 1",
    b"done", b"chunk", b"error", b"connected", b"content_block_delta", b"message_stop", b"[DONE]", b"{}", b"\xFF",
    br#"{"type":"token","text":"a"}"#, br#"{"type":"done","fullText":""}"#, br#"{"type":"error","message":"no"}"#, br#"{"text":"a"}"#,
    br#"{"choices":[{"delta":{"content":"a"}}]}"#, br#"{"error":{}}"#, br#"{"delta":{"text":"a"}}"#, br#"{"rpcId":"1","processing":{"mode":"fast"}}"#,
    br#"{"result":{"roomId":"r","metadata":{"processing":{"mode":"slow"}}}}"#, br#"{"choices":["#,
];

fn stream() -> Bodies {
    let piece = prop_oneof![
        9 => select(PIECES).prop_map(<[u8]>::to_vec),
        1 => document(),
        1 => vec(any::<u8>(), 0..9),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat()).boxed()
}

fn events(chunks: &[Bytes]) -> Vec<Event> {
    let mut reader = EventReader::new();
    let mut events = Vec::new();
    chunks.iter().for_each(|chunk| reader.read(chunk, |event| events.push(event)));
    events
}

fn observe(dialect: Dialect, chunks: &[Bytes]) -> (Seen, Style, Ending) {
    let answers = Answers::new("processing");
    let modes = Modes::new(["default".to_owned(), "fast".to_owned()]).expect("a list");
    let mut observer = Observer::new(dialect, "/api/chat");
    let mut all = Seen::default();
    for chunk in chunks {
        let seen = observer.see(chunk, &answers, &modes);
        all.events += seen.events;
        all.content |= seen.content;
        all.acknowledged.add(seen.acknowledged);
    }
    (all, observer.style(), observer.ending())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn chunks_make_no_difference_to_a_stream(
        stream in prop_oneof![4 => stream(), 1 => vec(any::<u8>(), 0..300)],
        dialect in select(&Dialect::ALL[..]),
        cuts in cut(),
    ) {
        let whole = [Bytes::copy_from_slice(&stream)];
        let bytes: Vec<Bytes> = stream.iter().map(|byte| Bytes::copy_from_slice(&[*byte])).collect();
        for chunks in [cuts.of(&stream), bytes] {
            prop_assert_eq!(events(&chunks), events(&whole));
            prop_assert_eq!(observe(dialect, &chunks), observe(dialect, &whole));
        }
    }

    #[test]
    fn an_answer_in_any_chunks_acknowledges_the_same(
        answer in prop_oneof![document(), vec(any::<u8>(), 0..100), select(PIECES).prop_map(<[u8]>::to_vec)],
        cuts in cut(),
    ) {
        let answers = Answers::new("processing");
        let modes = Modes::new(["default".to_owned(), "fast".to_owned()]).expect("a list");
        let whole = answers.read(&modes, &[Bytes::copy_from_slice(&answer)]);
        prop_assert_eq!(answers.read(&modes, &cuts.of(&answer)), whole);
    }
}
