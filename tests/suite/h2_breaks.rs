//! Ends in the wrong moment, streams that cannot be had, and tunnels that are not dug
//! (case 69).

use crate::harness::{
    Answer, End, Ended, Frame, H2, Modegate, Origin, clear, eventually, frame, get, hpack, post,
};

const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
const STRIPPED: &str = r#"{"text":"hi"}"#;

async fn assert_alive(modegate: &Modegate) {
    let mut h2 = H2::connect(modegate.frontend()).await;
    let answered = h2.exchange(&post("/api/chat"), FAST).await;
    assert_eq!((answered.text().as_str(), answered.ended), (STRIPPED, Ended::Clean));
}

#[tokio::test]
async fn a_message_that_is_reset_while_it_is_held_goes_nowhere() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    for code in [frame::CANCEL, frame::NO_ERROR, frame::REFUSED_STREAM, 0xdead_beef] {
        let stream = h2.open(&post("/api/chat")).await;
        h2.send(Frame::data(stream, &FAST[..FAST.len() - 1], 0)).await;
        modegate.counted("modegate_inflight", &[], 1.0).await;
        h2.send(Frame::reset(stream, code)).await;
        // What comes of it after that is of no stream.
        h2.send(Frame::data(stream, "}", frame::END_STREAM)).await;
        modegate.counted("modegate_inflight", &[], 0.0).await;
    }
    assert_eq!(origin.accepted(), 0);
    modegate.counted("modegate_body_memory_bytes", &[], 0.0).await;
    assert_alive(&modegate).await;
}

#[tokio::test]
async fn a_client_that_takes_leave_gets_what_it_asked_for() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    for code in [frame::NO_ERROR, frame::PROTOCOL_ERROR] {
        origin.forget();
        let mut h2 = H2::connect(modegate.frontend()).await;
        let stream = h2.open(&post("/api/chat")).await;
        h2.send(Frame::data(stream, &FAST[..9], 0)).await;
        modegate.counted("modegate_inflight", &[], 1.0).await;
        h2.send(Frame::go_away(0, code)).await;
        h2.send(Frame::data(stream, &FAST[9..], frame::END_STREAM)).await;
        let answered = h2.answer(stream).await;
        if code == frame::NO_ERROR {
            assert_eq!((answered.text().as_str(), answered.ended), (STRIPPED, Ended::Clean));
        }
        assert!(origin.received().iter().all(|one| one.text() == STRIPPED));
        h2.closed().await;
        modegate.counted("modegate_inflight", &[], 0.0).await;
        modegate.counted("modegate_connections", &[], 0.0).await;
    }
    assert_alive(&modegate).await;
}

#[tokio::test]
async fn half_closed_by_the_client_it_is_answered_in_full_or_not() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let stream = h2.say(&post("/api/chat"), FAST).await;
    h2.finish().await;
    let answered = h2.answer(stream).await;
    // A peer that is gone may not be answered; one that is answered is answered in full.
    match answered.ended {
        Ended::Clean => assert_eq!((answered.status, &*answered.text()), (200, STRIPPED)),
        _ => assert!(STRIPPED.starts_with(&answered.text()), "{answered:?}"),
    }
    h2.closed().await;
    modegate.counted("modegate_inflight", &[], 0.0).await;
    modegate.counted("modegate_connections", &[], 0.0).await;
    assert!(origin.requests() <= 1, "{:?}", origin.received());
    for received in origin.received() {
        assert!(received.end != Some(End::Clean) || received.text() == STRIPPED, "{received:?}");
    }
    assert_alive(&modegate).await;
}

#[tokio::test]
async fn the_last_stream_is_served_and_there_is_none_after_it() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let last = 0x7fff_ffff;
    let ask = |stream| {
        let head = Frame::headers(stream, hpack::block(&post("/api/chat")), 0).bytes();
        [head, Frame::data(stream, FAST, frame::END_STREAM).bytes()].concat()
    };
    let mut h2 = H2::connect(modegate.frontend()).await;
    for stream in [last - 4, last - 2, last] {
        h2.write(ask(stream)).await;
        assert_eq!(h2.answer(stream).await.text(), STRIPPED, "{stream}");
    }
    origin.forget();
    // The reserved bit is no part of an id.
    for again in [last, 1, last - 2, 0xffff_ffff] {
        let mut h2 = H2::connect(modegate.frontend()).await;
        h2.write(ask(last)).await;
        assert_eq!(h2.answer(last).await.text(), STRIPPED);
        h2.write(ask(again)).await;
        h2.closed().await;
    }
    assert_eq!(origin.requests(), 4);
    assert_alive(&modegate).await;
}

#[tokio::test]
async fn nobody_digs_a_tunnel() {
    let origin = Origin::start(|_| Answer::Tunnel(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())).await;
    let modegate = clear(&origin.url(), "").await;
    let plain = vec![(":method", "CONNECT"), (":authority", "127.0.0.1:22")];
    let mut full = get("/");
    full[0].1 = "CONNECT";
    let websocket =
        [&full[..], &[(":protocol", "websocket"), ("sec-websocket-version", "13")]].concat();
    let mut to_get = get("/");
    to_get.push((":protocol", "websocket"));
    let long = [&plain[..], &[("content-length", "5")]].concat();
    for fields in [plain, full, websocket, to_get, long] {
        for end in [0, frame::END_STREAM] {
            let mut h2 = H2::connect(modegate.frontend()).await;
            let stream = h2.stream();
            // Pseudo-fields come first.
            let mut fields = fields.clone();
            fields.sort_by_key(|(name, _)| !name.starts_with(':'));
            h2.send(Frame::headers(stream, hpack::block(&fields), end)).await;
            h2.send(Frame::data(stream, "SSH-2.0-", 0)).await;
            let answered = h2.until(stream, |answered| answered.status != 0).await;
            let refused = matches!(answered.status, 400 | 405)
                || matches!(answered.ended, Ended::Reset(_) | Ended::Connection(_));
            assert!(refused, "{fields:?}: {answered:?}");
        }
    }
    assert_eq!(origin.accepted(), 0);
    assert!(H2::connect(modegate.frontend()).await.ping().await.is_some());
    modegate.counted("modegate_inflight", &[], 0.0).await;
}

#[tokio::test]
async fn an_upstream_that_breaks_off_is_no_end_of_the_others() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let kept = h2.say(&post("/api/chat/stream"), FAST).await;
    let steps = scripts.next().await;
    for start in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"] {
        let cut = h2.say(&post("/api/chat"), FAST).await;
        let others = scripts.next().await;
        others.send(start);
        others.step(crate::harness::Step::Close);
        let answered = h2.answer(cut).await;
        match start {
            "" => assert_eq!((answered.status, answered.ended), (502, Ended::Clean)),
            _ => assert!(matches!(answered.ended, Ended::Reset(_)), "{answered:?}"),
        }
    }
    steps.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(h2.answer(kept).await.text(), "{}");
    eventually("nothing in flight", async || {
        (modegate.metrics().await.sum("modegate_inflight", &[]) < 0.5).then_some(())
    })
    .await;
}
