//! How HTTP/2 connections end with the process: told to go, their streams finished, nothing new.

use std::time::Duration;

use crate::control_process::handles;
use crate::harness::{
    Authority, Client, Ended, Frame, H2, Origin, Start, Step, clear, frame, listener, post, secure,
};

const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
const EVENTS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const LONG: &str = "[server]\ngrace = \"60s\"\n";
const TERMINATE: u32 = 15;
const QUIT: u32 = 3;
/// The engine waits 5 s after the hand-over, by its design.
const HAND_OVER: Duration = Duration::from_secs(30);

#[tokio::test]
async fn open_streams_are_finished_and_idle_connections_leave_at_once() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let mut modegate = clear(&origin.url(), LONG).await;
    handles(&modegate, TERMINATE).await;
    let mut idle = H2::connect(modegate.frontend()).await;
    idle.ping().await.expect("a connection");
    let mut busy = H2::connect(modegate.frontend()).await;
    let events = busy.say(&post("/api/chat/stream"), FAST).await;
    let steps = scripts.next().await;
    steps.send(EVENTS);
    steps.chunk("data: 1\n\n");
    busy.until(events, |answered| !answered.body.is_empty()).await;
    let slow = busy.say(&post("/api/chat"), FAST).await;
    let answer = scripts.next().await;

    modegate.signal("TERM");
    assert_eq!(idle.closed().await, Some(frame::NO_ERROR));
    assert_eq!(busy.ended().await, Some(frame::NO_ERROR));
    // What is begun after that is not served: not here.
    while busy.ping().await.is_some() {
        if busy.say(&post("/api/chat"), FAST).await > 9 {
            break;
        }
    }
    steps.chunk("data: 2\n\n");
    answer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(busy.answer(slow).await.text(), "{}");
    assert!(modegate.runs(), "a stream is open");
    steps.send("0\r\n\r\n");
    let answered = busy.answer(events).await;
    assert_eq!(
        (answered.text().as_str(), answered.ended),
        ("data: 1\n\ndata: 2\n\n", Ended::Clean)
    );
    busy.closed().await;
    assert_eq!(modegate.exited(Duration::from_secs(5)).await, Some(0));
    assert_eq!(origin.requests(), 2);
}

#[tokio::test]
async fn a_message_that_is_still_coming_is_taken_to_its_end() {
    let origin = Origin::echo().await;
    let mut modegate = clear(&origin.url(), LONG).await;
    handles(&modegate, TERMINATE).await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let stream = h2.open(&post("/api/chat")).await;
    h2.send(Frame::data(stream, &FAST[..9], 0)).await;
    modegate.counted("modegate_inflight", &[], 1.0).await;
    modegate.signal("TERM");
    assert_eq!(h2.ended().await, Some(frame::NO_ERROR));
    h2.send(Frame::data(stream, &FAST[9..], frame::END_STREAM)).await;
    assert_eq!(h2.answer(stream).await.text(), r#"{"text":"hi"}"#);
    assert_eq!(modegate.exited(Duration::from_secs(5)).await, Some(0));
}

#[tokio::test]
async fn over_the_grace_period_streams_are_cut() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let mut modegate = clear(&origin.url(), "[server]\ngrace = \"300ms\"\n").await;
    handles(&modegate, TERMINATE).await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let stream = h2.say(&post("/api/chat/stream"), FAST).await;
    scripts.next().await.send(EVENTS);
    h2.until(stream, |answered| answered.status == 200).await;
    assert_eq!(modegate.terminate().await, Some(0));
    assert!(matches!(h2.answer(stream).await.ended, Ended::Connection(_)));
}

#[tokio::test]
async fn connections_that_have_said_nothing_do_not_hold_it() {
    let (authority, origin) = (Authority::new(), Origin::echo().await);
    let tls = secure(&authority, &origin.url(), LONG).await;
    let half: [(_, &[u8]); 2] =
        [(tls, &[22, 3, 1, 0]), (clear(&origin.url(), LONG).await, &frame::PREFACE[..3])];
    for (mut modegate, half) in half {
        handles(&modegate, TERMINATE).await;
        let mut silent = Client::connect(modegate.frontend()).await;
        let mut begun = Client::connect(modegate.frontend()).await;
        begun.write(half).await;
        modegate.counted("modegate_connections", &[], 2.0).await;
        modegate.signal("TERM");
        for client in [&mut silent, &mut begun] {
            client.closed().await;
        }
        assert_eq!(modegate.exited(Duration::from_secs(5)).await, Some(0));
    }
}

#[tokio::test]
async fn one_that_does_not_answer_holds_it_for_no_longer_than_a_goodbye() {
    let origin = Origin::echo().await;
    let mut modegate = clear(&origin.url(), LONG).await;
    handles(&modegate, TERMINATE).await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    assert_eq!(h2.exchange(&post("/api/chat"), FAST).await.status, 200);
    modegate.signal("TERM");
    // It neither reads nor says a word; nothing is served on it.
    assert_eq!(modegate.exited(Duration::from_secs(20)).await, Some(0));
}

#[tokio::test]
async fn after_a_hand_over_streams_end_with_the_first_and_new_ones_are_the_seconds() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let grace = "[server]\ngrace = \"3s\"\n";
    let config = format!("{grace}{}h2c = true\n", listener("frontend", &origin.url()));
    let mut first = Start::new(&config).run().await;
    handles(&first, QUIT).await;
    let mut h2 = H2::connect(first.frontend()).await;
    let stream = h2.say(&post("/api/chat/stream"), FAST).await;
    let steps = scripts.next().await;
    steps.send(EVENTS);
    h2.until(stream, |answered| answered.status == 200).await;
    let next = config.replace("127.0.0.1:0", &first.frontend().to_string());
    let admin = first.admin();
    let next = format!("{next}\n[admin]\nbind = \"{admin}\"\ntoken_file = \"{{dir}}/token\"\n");
    let second = Start::new(&next).take_over(&first).await;
    crate::harness::within_time(HAND_OVER, "the goodbye", h2.told_to_go()).await;
    steps.chunk("data: 1\n\n");
    steps.send("0\r\n\r\n");
    steps.step(Step::Next);
    let answered = h2.answer(stream).await;
    assert_eq!((answered.text().as_str(), answered.ended), ("data: 1\n\n", Ended::Clean));
    assert_eq!(first.exited(HAND_OVER).await, Some(0));
    let mut h2 = H2::connect(second.frontend()).await;
    let stream = h2.say(&post("/api/chat"), FAST).await;
    scripts.next().await.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(h2.answer(stream).await.text(), "{}");
}
