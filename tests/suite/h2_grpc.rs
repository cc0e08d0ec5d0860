//! A gRPC call, as far as a proxy sees one: messages both ways over time, trailers at the end,
//! through TLS and HTTP/2 on both sides.

use crate::harness::{
    Authority, Ended, Frame, H2, H2Origin, Modegate, Reply, frame, get, hpack, post, secure,
};

fn call(path: &str) -> Vec<(&str, &str)> {
    let mut fields = get(path);
    (fields[0].1, fields[1].1) = ("POST", "https");
    fields.extend([
        ("content-type", "application/grpc+proto"),
        ("te", "trailers"),
        ("grpc-timeout", "5S"),
        ("x-processing-mode", "fast"),
    ]);
    fields
}

/// A message as gRPC frames it.
fn message(text: &str) -> Vec<u8> {
    [&[0][..], &(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
}

async fn started(script: fn(&crate::harness::Streamed) -> Reply) -> (H2Origin, Modegate, H2) {
    let authority = Authority::new();
    let tls = authority.server_of("localhost", &["h2"]);
    let origin = H2Origin::start(tls, &[], script).await;
    let extra = "[timeouts]\nidle = \"500ms\"\n[server]\nthreads = 1\n";
    let modegate = secure(&authority, &origin.url(), extra).await;
    let agreed = authority.client(&["h2"], None).connect(modegate.frontend()).await.unwrap();
    let mut h2 = H2::over(agreed.stream);
    h2.begin().await;
    (origin, modegate, h2)
}

#[tokio::test]
async fn messages_go_both_ways_and_the_status_comes_in_trailers() {
    let (origin, modegate, mut h2) = started(|_| Reply::Nothing).await;
    let stream = h2.open(&call("/pkg.Service/Chat")).await;
    let seen = origin.wait_for(1, |_| true).await;
    for (name, value) in [
        (":method", Some("POST")),
        (":scheme", Some("https")),
        (":path", Some("/pkg.Service/Chat")),
        (":authority", Some(&*origin.authority())),
        ("te", Some("trailers")),
        ("content-type", Some("application/grpc+proto")),
        ("grpc-timeout", Some("5S")),
        ("host", None),
        ("connection", None),
        ("transfer-encoding", None),
        ("x-processing-mode", None),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    assert!(seen.header("x-request-id").is_some());
    let head = [(":status", "200"), ("content-type", "application/grpc")];
    origin.send(0, Frame::headers(seen.stream, hpack::block(&head), 0));
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for round in ["one", "two", "three"] {
        h2.send(Frame::data(stream, message(round), 0)).await;
        up.extend(message(round));
        origin.wait_for(1, |seen| seen.body == up).await;
        origin.send(0, Frame::data(seen.stream, message(round), 0));
        down.extend(message(round));
        let so_far = h2.until(stream, |answered| answered.body.len() >= down.len()).await;
        assert_eq!((so_far.body, so_far.ended), (down.clone(), Ended::Not));
    }
    // It may be silent for longer than `timeouts.idle`, on both sides: another answer was not.
    let slow = h2.open(&post("/slow")).await;
    let seen_slow = origin.wait_for(2, |_| true).await;
    origin.send(0, Frame::headers(seen_slow.stream, hpack::block(&head[..1]), 0));
    assert!(matches!(h2.answer(slow).await.ended, Ended::Reset(_)));
    modegate.counted("modegate_inflight", &[], 1.0).await;
    h2.send(Frame::data(stream, [], frame::END_STREAM)).await;
    origin.wait_for(1, |seen| seen.ended).await;
    let status = [("grpc-status", "0"), ("grpc-message", ""), ("x-processing-room", "spoofed")];
    origin.send(0, Frame::headers(seen.stream, hpack::block(&status), frame::END_STREAM));
    let answered = h2.answer(stream).await;
    assert_eq!(answered.ended, Ended::Clean);
    let expected = [("grpc-status", "0"), ("grpc-message", "")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(answered.trailers, expected);
}

#[tokio::test]
async fn an_answer_of_trailers_only_is_one_head() {
    let (origin, _modegate, mut h2) = started(|_| {
        let fields = [("content-type", "application/grpc"), ("grpc-status", "12")];
        Reply::whole("200", &fields, "", &[])
    })
    .await;
    let answered = h2.exchange(&call("/pkg.Service/None"), message("x")).await;
    assert_eq!((answered.status, answered.header("grpc-status")), (200, Some("12")));
    assert_eq!((answered.body.len(), answered.ended), (0, Ended::Clean));
    assert_eq!(origin.last().body, message("x"));
}

#[tokio::test]
async fn trailers_of_a_request_pass_but_for_tags() {
    let (origin, _modegate, mut h2) =
        started(|_| Reply::whole("200", &[], "ok", &[("grpc-status", "0")])).await;
    let stream = h2.open(&call("/pkg.Service/Put")).await;
    h2.send(Frame::data(stream, message("x"), 0)).await;
    let trailers = [("x-check", "1"), ("x-processing-cohort", "canary")];
    h2.send(Frame::headers(stream, hpack::block(&trailers), frame::END_STREAM)).await;
    assert_eq!(h2.answer(stream).await.trailers, [("grpc-status".to_owned(), "0".to_owned())]);
    assert_eq!(origin.last().trailers, [("x-check".to_owned(), "1".to_owned())]);
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_cancelled_upstream() {
    let (origin, modegate, mut h2) = started(|_| Reply::Nothing).await;
    let stream = h2.open(&call("/pkg.Service/Long")).await;
    h2.send(Frame::data(stream, message("x"), 0)).await;
    origin.wait_for(1, |seen| !seen.body.is_empty()).await;
    h2.send(Frame::reset(stream, frame::CANCEL)).await;
    let seen = origin.wait_for(1, |seen| seen.reset.is_some()).await;
    assert!(!seen.ended);
    modegate.counted("modegate_inflight", &[], 0.0).await;
    // After the answer's head, too.
    let stream = h2.open(&call("/pkg.Service/Long")).await;
    let seen = origin.wait_for(2, |_| true).await;
    origin.send(0, Frame::headers(seen.stream, hpack::block(&[(":status", "200")]), 0));
    h2.until(stream, |answered| answered.status == 200).await;
    h2.send(Frame::reset(stream, frame::CANCEL)).await;
    origin.wait_for(2, |seen| seen.reset.is_some()).await;
    modegate.counted("modegate_inflight", &[], 0.0).await;
    assert_eq!(origin.accepted(), 1, "its connection serves on");
}

#[tokio::test]
async fn an_upstream_that_resets_is_no_clean_end() {
    let (origin, modegate, mut h2) = started(|_| Reply::Nothing).await;
    let stream = h2.open(&call("/pkg.Service/Cut")).await;
    let seen = origin.wait_for(1, |_| true).await;
    origin.send(0, Frame::headers(seen.stream, hpack::block(&[(":status", "200")]), 0));
    origin.send(0, Frame::data(seen.stream, message("half"), 0));
    h2.until(stream, |answered| !answered.body.is_empty()).await;
    origin.send(0, Frame::reset(seen.stream, frame::CANCEL));
    assert!(matches!(h2.answer(stream).await.ended, Ended::Reset(_)));
    modegate.counted("modegate_inflight", &[], 0.0).await;
}
