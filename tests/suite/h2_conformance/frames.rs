//! The frames: RFC 9113, sections 6 and 7, and 8.4.

use super::*;

fn settings(id: u16, value: u32) -> Vec<Frame> {
    vec![Frame::settings(&[(id, value)])]
}

const H2_CODE: &str = "h2 says PROTOCOL_ERROR of every frame it cannot read";

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("6.1: DATA on stream 0", Connection(PROTOCOL), || vec![Frame::data(0, "test", frame::END_STREAM)]),
    case("6.1: DATA on a stream that is half-closed", Either(CLOSED), || vec![ask(1), Frame::data(1, "test", 0)]).but(Either(&[frame::PROTOCOL_ERROR, frame::STREAM_CLOSED]), "h2 ends the connection, with PROTOCOL_ERROR while the stream is known"),
    case("6.1: DATA with more padding than there is", Connection(PROTOCOL), || vec![begin(1), Frame::new(frame::DATA, frame::PADDED | 1, 1, *b"\x07test")]),
    case("6.2: HEADERS without END_HEADERS, then PRIORITY", Connection(PROTOCOL), || vec![half(1, 1), Frame::priority(1, 0)]),
    case("6.2: HEADERS without END_HEADERS, then HEADERS of another", Connection(PROTOCOL), || vec![half(1, 1), ask(3)]),
    case("6.2: HEADERS on stream 0", Connection(PROTOCOL), || vec![ask(0)]),
    case("6.2: HEADERS with more padding than there is", Connection(PROTOCOL), || vec![Frame::new(frame::HEADERS, frame::PADDED | 5, 1, [&[250][..], &hpack::block(&get("/other"))].concat())]),
    case("6.3: PRIORITY on stream 0", Connection(PROTOCOL), || vec![Frame::priority(0, 1)]),
    case("6.3: PRIORITY of another length", Either(SIZE), || vec![begin(1), Frame::new(frame::PRIORITY, 0, 1, [0x80, 0, 0, 1])]).but(Connection(PROTOCOL), H2_CODE),
    case("6.4: RST_STREAM on stream 0", Connection(PROTOCOL), || vec![Frame::reset(0, frame::CANCEL)]),
    case("6.4: RST_STREAM on an idle stream", Connection(PROTOCOL), || vec![Frame::reset(1, frame::CANCEL)]),
    case("6.4: RST_STREAM of another length", Connection(SIZE), || vec![begin(1), Frame::new(frame::RST_STREAM, 0, 1, [0, 0, 0])]).but(Connection(PROTOCOL), H2_CODE),
    case("6.5: SETTINGS, acknowledged with a payload", Connection(SIZE), || vec![Frame::new(frame::SETTINGS, frame::ACK, 0, [0])]).but(Connection(PROTOCOL), H2_CODE),
    case("6.5: SETTINGS on a stream", Connection(PROTOCOL), || vec![Frame::new(frame::SETTINGS, 0, 1, [0, 3, 0, 0, 0, 100])]),
    case("6.5: SETTINGS of another length", Connection(SIZE), || vec![Frame::new(frame::SETTINGS, 0, 0, [0, 3, 0])]).but(Connection(PROTOCOL), H2_CODE),
    case("6.5.2: ENABLE_PUSH of 2", Connection(PROTOCOL), || settings(2, 2)),
    case("6.5.2: INITIAL_WINDOW_SIZE over the most", Connection(FLOW), || settings(4, 0x8000_0000)).but(Connection(PROTOCOL), H2_CODE),
    case("6.5.2: MAX_FRAME_SIZE below the least", Connection(PROTOCOL), || settings(5, 16_383)),
    case("6.5.2: MAX_FRAME_SIZE over the most", Connection(PROTOCOL), || settings(5, 1 << 24)),
    case("6.5.2: an unknown setting", GoOn, || settings(0xff, 1)),
    case("6.5.3: one setting several times, then an answer", Answer, || vec![Frame::settings(&[(4, 100), (4, 1)]), Frame::settings(&[(4, 65_535)]), ask(1)]),
    case("6.7: PING", GoOn, || vec![Frame::ping([3; 8])]),
    case("6.7: PING that was not asked for, acknowledged", GoOn, || vec![Frame::new(frame::PING, frame::ACK, 0, *b"invalid\0")]),
    case("6.7: PING on a stream", Connection(PROTOCOL), || vec![Frame::new(frame::PING, 0, 1, [0; 8])]),
    case("6.7: PING of another length", Connection(SIZE), || vec![Frame::new(frame::PING, 0, 0, [0; 6])]).but(Connection(PROTOCOL), H2_CODE),
    case("6.8: GOAWAY on a stream", Connection(PROTOCOL), || vec![Frame::new(frame::GOAWAY, 0, 1, [0; 8])]),
    case("6.9: WINDOW_UPDATE of 0", Connection(PROTOCOL), || vec![Frame::window_update(0, 0)]),
    case("6.9: WINDOW_UPDATE of 0 on a stream", Either(PROTOCOL), || vec![begin(1), Frame::window_update(1, 0)]),
    case("6.9: WINDOW_UPDATE of another length", Connection(SIZE), || vec![Frame::new(frame::WINDOW_UPDATE, 0, 0, [0, 0, 1])]).but(Connection(PROTOCOL), H2_CODE),
    case("6.9.1: windows over 2^31-1", Connection(FLOW), || vec![Frame::window_update(0, 0x7fff_ffff), Frame::window_update(0, 0x7fff_ffff)]),
    case("6.9.1: a stream's window over 2^31-1", Stream(FLOW), || vec![begin(1), Frame::window_update(1, 0x7fff_ffff), Frame::window_update(1, 0x7fff_ffff)]),
    case("6.9.2: INITIAL_WINDOW_SIZE over the most", Connection(FLOW), || settings(4, u32::MAX)).but(Connection(PROTOCOL), H2_CODE),
    case("6.10: several CONTINUATION", Answer, || vec![half(1, 1), Frame::continuation(1, hpack::block(&[("a", "b")]), 0), Frame::continuation(1, hpack::block(&[("a", "b")]), frame::END_HEADERS)]),
    case("6.10: CONTINUATION, then another frame", Connection(PROTOCOL), || vec![half(1, 1), Frame::continuation(1, hpack::block(&[("a", "b")]), 0), Frame::data(1, "x", 1)]),
    case("6.10: CONTINUATION on stream 0", Connection(PROTOCOL), || vec![half(1, 1), Frame::continuation(0, hpack::block(&[("a", "b")]), frame::END_HEADERS)]),
    case("6.10: CONTINUATION after HEADERS with END_HEADERS", Connection(PROTOCOL), || vec![begin(1), Frame::continuation(1, hpack::block(&[("a", "b")]), frame::END_HEADERS)]),
    case("6.10: CONTINUATION after the last one", Connection(PROTOCOL), || vec![half(1, 1), Frame::continuation(1, hpack::block(&[("a", "b")]), frame::END_HEADERS), Frame::continuation(1, hpack::block(&[("a", "b")]), frame::END_HEADERS)]),
    case("6.10: CONTINUATION after DATA", Connection(PROTOCOL), || vec![begin(1), Frame::data(1, "x", 0), Frame::continuation(1, hpack::block(&[("a", "b")]), frame::END_HEADERS)]),
    case("7: GOAWAY with an unknown code", Answer, || vec![ask(1), Frame::go_away(0, 0xff)]),
    case("7: RST_STREAM with an unknown code", GoOn, || vec![begin(5), Frame::reset(5, 0xff)]),
    case("8.4: PUSH_PROMISE", Connection(PROTOCOL), || vec![ask(1), Frame::new(frame::PUSH_PROMISE, 4, 1, [&[0, 0, 0, 2][..], &hpack::block(&get("/"))].concat())]),
];

#[tokio::test]
async fn each_frame() {
    check(CASES).await;
}

#[tokio::test]
async fn section_6_5_3_settings_are_acknowledged_in_order() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    for _ in 0..5 {
        h2.send(Frame::settings(&[(4, 1000)])).await;
    }
    let mut acknowledged = 0;
    while acknowledged < 6 {
        let read = h2.frame().await.expect("a frame");
        acknowledged += u32::from(read.kind == frame::SETTINGS && read.has(frame::ACK));
    }
}

#[tokio::test]
async fn section_6_9_windows_hold() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    // 6.9.1: a window of one byte.
    let mut h2 = H2::connect_with(modegate.frontend(), &[(4, 1)]).await;
    h2.generous = false;
    let stream = h2.say(&post("/upload"), "five!").await;
    assert_eq!(h2.until(stream, |one| !one.body.is_empty()).await.text(), "f");
    // 6.9.2: the new size counts for what is open, too.
    h2.send(Frame::settings(&[(4, 3)])).await;
    assert_eq!(h2.until(stream, |one| one.body.len() >= 3).await.text(), "fiv");
    // 6.9.2: a window below zero is filled up first.
    h2.send(Frame::settings(&[(4, 1)])).await;
    h2.ping().await.expect("a connection");
    h2.send(Frame::window_update(stream, 2)).await;
    h2.ping().await.expect("a connection");
    assert_eq!(h2.so_far(stream).text(), "fiv");
    h2.send(Frame::window_update(stream, 1)).await;
    assert_eq!(h2.until(stream, |one| one.body.len() >= 4).await.text(), "five");
    h2.send(Frame::window_update(stream, 100)).await;
    let answered = h2.answer(stream).await;
    assert_eq!((answered.text().as_str(), answered.ended), ("five!", Ended::Clean));
}

#[tokio::test]
async fn section_6_9_1_a_client_that_overruns_its_window() {
    let origin = Origin::start(|_| crate::harness::Answer::Deaf).await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let stream = h2.open(&post("/upload")).await;
    // Without regard to what it was allowed: 1 MiB for all, 512 KiB for one.
    let data = Frame::data(stream, [b'x'; 16_384], 0).bytes();
    while h2.offer(&data, crate::harness::DEADLINE).await {
        if h2.ping().await.is_none() || h2.so_far(stream).ended != Ended::Not {
            break;
        }
    }
    let ended = h2.answer(stream).await.ended;
    let codes = [Ended::Reset(3), Ended::Connection(Some(3)), Ended::Connection(None)];
    assert!(codes.contains(&ended), "{ended:?}");
}
