//! The states of streams: RFC 9113, section 5.

use super::*;

const STREAM_CLOSED_OR_PROTOCOL: &[u32] = &[frame::STREAM_CLOSED, frame::PROTOCOL_ERROR];

const H2_HALF: &str = "h2 ends the connection, with PROTOCOL_ERROR while the stream is known";

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("5.1: idle, DATA", Connection(PROTOCOL), || vec![Frame::data(1, "test", frame::END_STREAM)]),
    case("5.1: idle, RST_STREAM", Connection(PROTOCOL), || vec![Frame::reset(1, frame::CANCEL)]),
    case("5.1: idle, WINDOW_UPDATE", Connection(PROTOCOL), || vec![Frame::window_update(1, 100)]),
    case("5.1: idle, CONTINUATION", Connection(PROTOCOL), || vec![Frame::continuation(1, hpack::block(&get("/other")), frame::END_HEADERS)]),
    case("5.1: half-closed (remote), DATA", Either(CLOSED), || vec![ask(1), Frame::data(1, "test", frame::END_STREAM)]).but(Connection(STREAM_CLOSED_OR_PROTOCOL), H2_HALF),
    case("5.1: half-closed (remote), HEADERS", Either(CLOSED), || vec![ask(1), ask(1)]).but(Connection(STREAM_CLOSED_OR_PROTOCOL), H2_HALF),
    case("5.1: half-closed (remote), CONTINUATION", Connection(STREAM_CLOSED_OR_PROTOCOL), || vec![ask(1), Frame::continuation(1, hpack::block(&[("a", "b")]), frame::END_HEADERS)]),
    case("5.1: closed by RST_STREAM, DATA", Either(CLOSED), || vec![begin(1), Frame::reset(1, frame::CANCEL), Frame::data(1, "test", frame::END_STREAM)]),
    case("5.1: closed by RST_STREAM, HEADERS", Either(CLOSED), || vec![begin(1), Frame::reset(1, frame::CANCEL), ask(1)]).but(Connection(STREAM_CLOSED_OR_PROTOCOL), H2_HALF),
    case("5.1: closed by RST_STREAM, CONTINUATION", Connection(STREAM_CLOSED_OR_PROTOCOL), || vec![begin(1), Frame::reset(1, frame::CANCEL), Frame::continuation(1, hpack::block(&[("a", "b")]), frame::END_HEADERS)]),
    case("5.1.1: an even stream", Connection(PROTOCOL), || vec![ask(2)]),
    case("5.1.1: a stream below the last", Connection(PROTOCOL), || vec![ask(5), ask(3)]),
    case("5.3.1: HEADERS of a stream that depends on itself", Stream(PROTOCOL), || vec![Frame::new(frame::HEADERS, frame::WITH_PRIORITY | 5, 1, [&[0, 0, 0, 1, 255][..], &hpack::block(&get("/other"))].concat())]),
    case("5.3.1: PRIORITY of a stream that depends on itself", Either(PROTOCOL), || vec![begin(1), Frame::priority(1, 1)]),
];

#[tokio::test]
async fn states_and_ids() {
    check(CASES).await;
}

/// After a stream's end: the first is answered before anything else is sent on it.
#[tokio::test]
async fn section_5_1_closed_streams() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let block = || hpack::block(&[("a", "b")]);
    let frames = [
        ("DATA", Frame::data(1, "x", frame::END_STREAM), true),
        ("HEADERS", ask(1), true),
        ("CONTINUATION", Frame::continuation(1, block(), frame::END_HEADERS), true),
        ("PRIORITY", Frame::priority(1, 0), false),
        ("WINDOW_UPDATE", Frame::window_update(1, 1), false),
        ("RST_STREAM", Frame::reset(1, frame::CANCEL), false),
    ];
    for (name, sent, is_fault) in frames {
        origin.forget();
        let mut h2 = H2::connect(modegate.frontend()).await;
        let one = h2.ask(&get("/other")).await;
        let answered = h2.answer(one).await;
        assert_eq!((one, answered.status, answered.ended), (1, 200, Ended::Clean), "{name}");
        h2.send(sent).await;
        let went_on = h2.ping().await.is_some() && h2.ping().await.is_some();
        let late = h2.so_far(1).late;
        match is_fault {
            true => assert!(!went_on || late == Some(frame::STREAM_CLOSED), "{name}: {late:?}"),
            false => assert_eq!((went_on, late), (true, None), "{name}"),
        }
        assert_eq!(origin.requests(), 1, "{name}: nothing more of it is sent on");
    }
}

#[tokio::test]
async fn section_5_1_2_more_streams_than_allowed() {
    let (origin, _scripts) = Origin::stepwise().await;
    let modegate = clear(&origin.url(), "[limits]\nstreams = 10\n").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    for _ in 0..10 {
        h2.ask(&get("/other")).await;
    }
    let over = h2.ask(&get("/other")).await;
    let ended = h2.answer(over).await.ended;
    let codes = [frame::REFUSED_STREAM, frame::PROTOCOL_ERROR].map(Ended::Reset);
    assert!(codes.contains(&ended), "{ended:?}");
    crate::harness::eventually("ten requests", async || (origin.requests() == 10).then_some(()))
        .await;
}
