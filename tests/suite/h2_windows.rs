//! Clients that open streams and take nothing of the answers: what their streams hold is given
//! back, and nobody else notices (case 67).

use crate::harness::{
    Answer, Client, Ended, Frame, H2, Modegate, Origin, Request, clear, eventually, frame, get,
    post,
};

const LARGE: usize = 1 << 20;
const EVENTS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const TIMES: &str = "[timeouts]\nidle = \"1s\"\nkeep_alive = \"60s\"\n[server]\nthreads = 2\n";

async fn large_origin() -> Origin {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n").into_bytes();
    let whole = [head, vec![b'y'; LARGE]].concat();
    Origin::start(move |request| match request.target() {
        "/large" => Answer::Bytes(whole.clone()),
        "/small" => Answer::ok("small"),
        _ => Answer::Echo,
    })
    .await
}

async fn assert_others_served(modegate: &Modegate) {
    let answer = Client::once(modegate.frontend(), Request::get("/large")).await;
    assert_eq!((answer.status, answer.body.len()), (200, LARGE));
    let mut h2 = H2::connect(modegate.frontend()).await;
    let stream = h2.ask(&get("/large")).await;
    let answered = h2.answer(stream).await;
    assert_eq!((answered.ended, answered.body.len()), (Ended::Clean, LARGE));
}

/// Opens this many streams and takes nothing of them; waits until they hold nothing any more.
async fn starve(modegate: &Modegate, path: &str, body: &str, streams: usize) -> (H2, Vec<u32>) {
    let mut h2 = H2::connect_with(modegate.frontend(), &[(frame::INITIAL_WINDOW_SIZE, 0)]).await;
    h2.generous = false;
    let mut opened = Vec::new();
    for _ in 0..streams {
        opened.push(match body {
            "" => h2.ask(&get(path)).await,
            body => h2.say(&post(path), body).await,
        });
    }
    for stream in &opened {
        let answered = h2.until(*stream, |answered| answered.status != 0).await;
        assert_eq!(answered.body.len(), 0, "there is no room for it");
    }
    (h2, opened)
}

#[tokio::test]
async fn large_answers_that_are_not_taken_are_given_up() {
    let origin = large_origin().await;
    let modegate = clear(&origin.url(), TIMES).await;
    assert_others_served(&modegate).await;
    let before = modegate.memory();
    let (mut h2, streams) = starve(&modegate, "/large", "", 50).await;
    assert_others_served(&modegate).await;
    modegate.counted("modegate_inflight", &[], 0.0).await;
    eventually("the upstream's connections to end", async || {
        // Those of the other clients are idle, not more than one a thread and client.
        (origin.open() <= 4).then_some(())
    })
    .await;
    let grown = modegate.memory().saturating_sub(before);
    assert!(grown < 24 << 10, "{grown} KiB");

    // Another stream of the same connection, once there is room for it.
    let next = h2.ask(&get("/small")).await;
    h2.until(next, |answered| answered.status == 200).await;
    h2.send(Frame::window_update(next, 1000)).await;
    let answered = h2.answer(next).await;
    assert_eq!((answered.text().as_str(), answered.ended), ("small", Ended::Clean));
    // What was given up never looks whole, however late it is asked for.
    h2.send(Frame::window_update(0, 60 << 20)).await;
    for stream in streams {
        h2.send(Frame::window_update(stream, 2 << 20)).await;
        let answered = h2.answer(stream).await;
        assert!(matches!(answered.ended, Ended::Reset(_)), "{:?}", answered.ended);
        assert!(answered.body.len() < LARGE);
    }
    // Beside them: twice two of the others, and the small one.
    let lines = modegate.access(55).await;
    assert_eq!(lines.iter().filter(|line| line["outcome"] == "gone").count(), 50);
}

#[tokio::test]
async fn answers_of_our_own_hold_nothing() {
    let origin = large_origin().await;
    let modegate = clear(&origin.url(), TIMES).await;
    for (path, body) in [("/api/chat", "{bad"), ("/.well-known/processing", ""), ("/small", "")] {
        let (mut h2, streams) = starve(&modegate, path, body, 80).await;
        modegate.counted("modegate_inflight", &[], 0.0).await;
        let one = streams[0];
        h2.send(Frame::window_update(one, 100_000)).await;
        let answered = h2.answer(one).await;
        assert!(!answered.body.is_empty(), "{path}");
    }
    assert_others_served(&modegate).await;
}

#[tokio::test]
async fn a_connection_whose_window_is_used_up_is_not_taken_for_others() {
    let origin = large_origin().await;
    let modegate = clear(&origin.url(), TIMES).await;
    // Streams have room, all together have none after 64 KiB.
    let settings = [(frame::INITIAL_WINDOW_SIZE, 1 << 20)];
    let mut h2 = H2::connect_with(modegate.frontend(), &settings).await;
    h2.generous = false;
    let streams = [h2.ask(&get("/large")).await, h2.ask(&get("/large")).await];
    for stream in streams {
        h2.until(stream, |answered| answered.status == 200).await;
    }
    assert_others_served(&modegate).await;
    modegate.counted("modegate_inflight", &[], 0.0).await;
    h2.generous = true;
    h2.send(Frame::window_update(0, 4 << 20)).await;
    for stream in streams {
        assert!(matches!(h2.answer(stream).await.ended, Ended::Reset(_)));
    }
    let next = h2.ask(&get("/small")).await;
    assert_eq!(h2.answer(next).await.text(), "small");
}

#[tokio::test]
async fn a_slow_reader_of_a_fast_event_stream_costs_a_bounded_buffer() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = clear(&origin.url(), "").await;
    let mut slow =
        H2::connect_with(modegate.frontend(), &[(frame::INITIAL_WINDOW_SIZE, 100)]).await;
    slow.generous = false;
    let stream = slow.say(&post("/api/chat/stream"), "{}").await;
    let steps = scripts.next().await;
    steps.send(EVENTS);
    let before = modegate.memory();
    let event = format!("data: {}\n\n", "e".repeat(60_000));
    // More than all the buffers on the way can hold.
    for _ in 0..600 {
        steps.chunk(&event);
    }
    let answered = slow.until(stream, |answered| answered.body.len() == 100).await;
    assert_eq!(answered.ended, Ended::Not);
    let mut quick = H2::connect(modegate.frontend()).await;
    for at in 0..10 {
        let stream = quick.say(&post("/api/chat/stream"), "{}").await;
        let steps = scripts.next().await;
        steps.send(EVENTS);
        steps.chunk(format!("data: {at}\n\n"));
        steps.send("0\r\n\r\n");
        assert_eq!(quick.answer(stream).await.text(), format!("data: {at}\n\n"));
    }
    let grown = modegate.memory().saturating_sub(before);
    assert!(grown < 12 << 10, "{grown} KiB");
    // It goes on as it is given room.
    slow.send(Frame::window_update(stream, 100)).await;
    assert_eq!(slow.until(stream, |answered| answered.body.len() == 200).await.ended, Ended::Not);
}

#[tokio::test]
async fn a_client_that_reads_nothing_at_all_is_left() {
    let origin = large_origin().await;
    let modegate = clear(&origin.url(), TIMES).await;
    let settings = [(frame::INITIAL_WINDOW_SIZE, 0x7fff_ffff)];
    let mut h2 = H2::connect_with(modegate.frontend(), &settings).await;
    h2.send(Frame::window_update(0, 0x7000_0000)).await;
    for _ in 0..60 {
        h2.ask(&get("/large")).await;
    }
    origin.wait_for(1).await;
    modegate.counted("modegate_connections", &[], 0.0).await;
    modegate.counted("modegate_inflight", &[], 0.0).await;
    drop(h2);
    assert_others_served(&modegate).await;
}
