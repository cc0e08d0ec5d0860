//! A connection of HTTP/2 that many share, as a proxy in front of many users has it.

use crate::harness::{Client, Frame, H2, Origin, Request, Step, clear, frame, get, post};

const EVENTS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Event streams end with their reader: that is no abuse, and no end of the others.
#[tokio::test]
async fn streams_that_are_read_and_left_are_no_abuse() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let kept = h2.say(&post("/api/chat"), "{}").await;
    let answer = scripts.next().await;
    for _ in 0..260 {
        let left = h2.ask(&get("/events")).await;
        let events = scripts.next().await;
        events.send(EVENTS);
        events.chunk("data: 1\n\n");
        h2.until(left, |answered| !answered.body.is_empty()).await;
        h2.send(Frame::reset(left, frame::CANCEL)).await;
    }
    answer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    answer.step(Step::Next);
    assert_eq!(h2.answer(kept).await.text(), "{}");
    assert!(h2.ping().await.is_some(), "the connection goes on");
}

/// HTTP/2 lets a client send each cookie by itself (RFC 9113, section 8.2.3).
#[tokio::test]
async fn cookies_are_one_field_in_http1() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let mut fields = get("/any");
    fields.extend([("cookie", "a=1"), ("x-kept", "1"), ("cookie", "b=2"), ("cookie", "c=3")]);
    let stream = h2.ask(&fields).await;
    assert_eq!(h2.answer(stream).await.status, 200);
    assert_eq!(origin.last().header("cookie"), Some("a=1; b=2; c=3"));
    let plain = Request::get("/any").header("Cookie", "a=1; b=2");
    assert_eq!(Client::once(modegate.frontend(), plain).await.status, 200);
    assert_eq!(origin.last().header("cookie"), Some("a=1; b=2"));
}
