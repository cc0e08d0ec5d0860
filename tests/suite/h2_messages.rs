//! What passes through an HTTP/2 connection from a client: events as they come, uploads within
//! their windows, trailers, answers without a body, ends of either side.

use crate::harness::{
    Answer, Client, End, Ended, Frame, H2, Origin, Request, Step, clear, eventually, frame, get,
    hpack, post, within,
};

const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
const STRIPPED: &str = r#"{"text":"hi"}"#;
const EVENTS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn events_come_one_by_one() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let one = h2.say(&post("/api/chat/stream"), FAST).await;
    let steps = scripts.next().await;
    let two = h2.say(&post("/api/chat/stream"), FAST).await;
    let others = scripts.next().await;
    steps.send(EVENTS);
    others.send(EVENTS);
    let mut expected = String::new();
    for event in ["data: 1\n\n", "d", ": comment\r\r", "data: \u{0}\u{feff}\n\n"] {
        steps.chunk(event);
        expected.push_str(event);
        let so_far = h2.until(one, |answered| answered.body.len() >= expected.len()).await;
        assert_eq!((so_far.text(), so_far.ended), (expected.clone(), Ended::Not));
    }
    others.chunk("data: other\n\n");
    assert_eq!(h2.until(two, |answered| !answered.body.is_empty()).await.text(), "data: other\n\n");
    assert_eq!(h2.so_far(one).header("content-type"), Some("text/event-stream"));
    assert_eq!(h2.so_far(one).header("x-processing-mode"), Some("default"));
    assert_eq!(h2.so_far(one).header("transfer-encoding"), None);
    steps.send("0\r\n\r\n");
    assert_eq!(h2.answer(one).await.ended, Ended::Clean);
    others.step(Step::Close);
    assert!(matches!(h2.answer(two).await.ended, Ended::Reset(_)), "a cut is no clean end");
    let lines = modegate.access(2).await;
    let outcomes = [lines[0]["outcome"].as_str(), lines[1]["outcome"].as_str()];
    assert_eq!(outcomes, [Some("ok"), Some("cut")]);
}

#[tokio::test]
async fn a_large_upload_arrives_whole_and_so_does_its_answer() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let text = "x".repeat(3 << 20);
    let (sent, arrives) = (
        format!(r#"{{"text":"{text}","processing":{{"mode":"fast"}}}}"#),
        format!(r#"{{"text":"{text}"}}"#),
    );
    for (target, arrives) in [("/api/chat", arrives.as_str()), ("/upload", &sent)] {
        let stream = h2.open(&post(target)).await;
        assert_eq!(h2.upload(stream, sent.as_bytes()).await, sent.len());
        let answered = h2.answer(stream).await;
        assert!(answered.text() == arrives && origin.last().text() == arrives, "{target}");
        assert_eq!((answered.status, answered.ended), (200, Ended::Clean));
    }
}

#[tokio::test]
async fn an_upload_that_nobody_reads_is_held_back_and_leaves_room_for_others() {
    let origin = Origin::start(|request| match request.target() {
        "/deaf" => Answer::Deaf,
        _ => Answer::Echo,
    })
    .await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    assert_eq!(h2.exchange(&post("/api/chat"), FAST).await.text(), STRIPPED);
    let before = modegate.memory();
    let deaf = h2.open(&post("/deaf")).await;
    // Until its window is closed and stays so for 50 round trips: what is sent then is what buffers
    // hold.
    let body = vec![b'x'; 64 << 20];
    let (mut sent, mut closed) = (0, 0);
    while closed < 50 && sent < body.len() {
        let piece = h2.send_piece(deaf, &body[sent..]).await;
        sent += piece;
        if piece == 0 {
            closed += 1;
            assert!(h2.ping().await.is_some(), "the connection goes on");
        } else {
            closed = 0;
        }
    }
    assert!(sent < body.len(), "all of it was taken");
    let grown = modegate.memory().saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB");
    assert_eq!(h2.exchange(&post("/api/chat"), FAST).await.text(), STRIPPED);
    h2.send(Frame::reset(deaf, frame::CANCEL)).await;
    modegate.counted("modegate_inflight", &[], 0.0).await;
    assert_eq!(h2.exchange(&post("/api/chat"), FAST).await.text(), STRIPPED);
}

#[tokio::test]
async fn trailers_pass_to_and_from_http1_without_tags() {
    let origin = Origin::start(|_| {
        Answer::Bytes(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
              2\r\n{}\r\n0\r\nx-sum: 7\r\nx-processing-mode: fast\r\n\r\n"
                .to_vec(),
        )
    })
    .await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let mut fields = post("/upload");
    fields.extend([("te", "trailers"), ("trailer", "x-check")]);
    let stream = h2.open(&fields).await;
    h2.send(Frame::data(stream, "abc", 0)).await;
    let trailers = [("x-check", "9"), ("x-processing-room", "spoofed")];
    h2.send(Frame::headers(stream, hpack::block(&trailers), frame::END_STREAM)).await;
    let answered = h2.answer(stream).await;
    assert_eq!((answered.text().as_str(), answered.ended), ("{}", Ended::Clean));
    assert_eq!(answered.trailers, [("x-sum".to_owned(), "7".to_owned())]);
    let received = origin.last();
    assert_eq!((received.text().as_str(), received.end), ("abc", Some(End::Clean)));
    assert_eq!(received.trailers, [("x-check".to_owned(), "9".to_owned())]);
    assert_eq!(received.header("te"), None);

    // What is inspected ends with its body.
    let stream = h2.open(&post("/api/chat")).await;
    h2.send(Frame::data(stream, FAST, 0)).await;
    h2.send(Frame::headers(stream, hpack::block(&trailers), frame::END_STREAM)).await;
    assert_eq!(h2.answer(stream).await.status, 200);
    assert_eq!((origin.last().text().as_str(), origin.last().trailers), (STRIPPED, Vec::new()));
}

#[tokio::test]
async fn requests_with_trailers_may_be_as_many_as_any() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let trailers = Frame::headers(0, hpack::block(&[("x-check", "9")]), frame::END_STREAM);
    for path in ["/other", "/api/chat"] {
        let mut h2 = H2::connect(modegate.frontend()).await;
        for round in 0..20 {
            let (mut bytes, mut streams) = (Vec::new(), Vec::new());
            for _ in 0..50 {
                let stream = h2.stream();
                let fields = if path == "/other" { get(path) } else { post(path) };
                bytes.extend(Frame::headers(stream, hpack::block(&fields), 0).bytes());
                if path == "/api/chat" {
                    bytes.extend(Frame::data(stream, FAST, 0).bytes());
                }
                bytes.extend(Frame { stream, ..trailers.clone() }.bytes());
                streams.push(stream);
            }
            h2.write(&bytes).await;
            for stream in streams {
                let answered = h2.answer(stream).await;
                let expected = (200, Ended::Clean);
                assert_eq!((answered.status, answered.ended), expected, "{path}, round {round}");
            }
        }
    }
}

#[tokio::test]
async fn answers_without_a_body_end_with_their_head() {
    let origin = Origin::start(|request| match request.target() {
        "/204" => Answer::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        "/304" => Answer::Bytes(b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n".to_vec()),
        "/early" => Answer::Bytes(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
                .to_vec(),
        ),
        _ => Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec()),
    })
    .await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    for (method, path, status) in [
        ("GET", "/204", 204),
        ("GET", "/304", 304),
        ("GET", "/early", 204),
        ("HEAD", "/any", 200),
        ("HEAD", "/.well-known/processing", 200),
    ] {
        let mut fields = get(path);
        fields[0].1 = method;
        let stream = h2.ask(&fields).await;
        let answered = h2.answer(stream).await;
        assert_eq!((answered.status, answered.ended), (status, Ended::Clean), "{method} {path}");
        assert_eq!(answered.body.len(), 0, "{method} {path}");
    }
    assert!(h2.ping().await.is_some(), "the connection is as good as before");
}

#[tokio::test]
async fn what_is_refused_before_its_end_costs_the_connection_no_room() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "[contract]\nbody_limit = \"64KiB\"\n").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let large = vec![b' '; 3 << 20];
    // Together more than all windows.
    for round in 0..8 {
        let stream = h2.open(&post("/api/chat")).await;
        let sent = h2.upload(stream, &large).await;
        let answered = h2.answer(stream).await;
        assert_eq!((answered.status, answered.ended), (413, Ended::Clean), "round {round}");
        assert!(sent < large.len(), "{sent} bytes");
    }
    let stream = h2.open(&post("/upload")).await;
    assert_eq!(h2.upload(stream, &large).await, large.len());
    assert_eq!(h2.answer(stream).await.status, 200);
    assert_eq!(origin.requests(), 1);
}

#[tokio::test]
async fn a_refusal_of_a_head_has_no_body() {
    let gone = crate::harness::Gone::new();
    let modegate = clear(&gone.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let mut fields = get("/any");
    fields[0].1 = "HEAD";
    let stream = h2.ask(&fields).await;
    let answered = h2.answer(stream).await;
    assert_eq!((answered.status, answered.text().as_str()), (502, ""));
    assert_eq!(answered.ended, Ended::Clean);
}

#[tokio::test]
async fn a_stream_that_the_client_resets_is_given_up_upstream_and_the_others_go_on() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    for events in [false, true] {
        let kept = h2.say(&post("/api/chat/stream"), FAST).await;
        let steps = scripts.next().await;
        let given_up = h2.say(&post("/api/chat/stream"), FAST).await;
        let others = scripts.next().await;
        modegate.counted("modegate_inflight", &[], 2.0).await;
        if events {
            others.send(EVENTS);
            others.chunk("data: 1\n\n");
            h2.until(given_up, |answered| !answered.body.is_empty()).await;
        }
        let open = origin.open();
        h2.send(Frame::reset(given_up, frame::CANCEL)).await;
        eventually("the upstream's connection to end", async || {
            (origin.open() == open - 1).then_some(())
        })
        .await;
        modegate.counted("modegate_inflight", &[], 1.0).await;
        steps.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        steps.step(Step::Next);
        assert_eq!(h2.answer(kept).await.text(), "{}");
    }
    let gone = modegate.access(4).await.into_iter().filter(|line| line["outcome"] == "gone");
    assert_eq!(gone.count(), 2);
}

#[tokio::test]
async fn a_client_that_leaves_leaves_nothing_behind() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = clear(&origin.url(), "").await;
    for reset in [false, true] {
        let mut h2 = H2::connect(modegate.frontend()).await;
        for _ in 0..5 {
            h2.say(&post("/api/chat/stream"), FAST).await;
            scripts.next().await.send(EVENTS);
        }
        // In the middle of a body that is held.
        let half = h2.open(&post("/api/chat")).await;
        h2.send(Frame::data(half, &FAST[..20], 0)).await;
        modegate.counted("modegate_inflight", &[], 6.0).await;
        match reset {
            true => h2.reset(),
            false => drop(h2),
        }
        modegate.counted("modegate_inflight", &[], 0.0).await;
        modegate.counted("modegate_connections", &[], 0.0).await;
        modegate.counted("modegate_body_memory_bytes", &[], 0.0).await;
        eventually("the upstream's connections to end", async || {
            (origin.open() == 0).then_some(())
        })
        .await;
    }
    assert_eq!(origin.requests(), 10, "nothing of the bodies that were cut");
}

#[tokio::test]
async fn an_idle_connection_is_told_to_go_and_a_busy_one_is_not() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = clear(&origin.url(), "[timeouts]\nkeep_alive = \"200ms\"\n").await;
    let mut busy = H2::connect(modegate.frontend()).await;
    let stream = busy.say(&post("/api/chat/stream"), FAST).await;
    let steps = scripts.next().await;
    let mut idle = H2::connect(modegate.frontend()).await;
    let done = idle.say(&post("/api/chat"), FAST).await;
    scripts.next().await.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(idle.answer(done).await.text(), "{}");
    assert_eq!(idle.closed().await, Some(frame::NO_ERROR));
    steps.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    steps.step(Step::Next);
    assert_eq!(busy.answer(stream).await.text(), "{}");
    assert_eq!(busy.closed().await, Some(frame::NO_ERROR));
    // Pings are no use: what counts is requests.
    let mut pinging = H2::connect(modegate.frontend()).await;
    let done = pinging.say(&post("/api/chat"), FAST).await;
    scripts.next().await.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    pinging.answer(done).await;
    within("the end in spite of pings", async { while pinging.ping().await.is_some() {} }).await;
}

#[tokio::test]
async fn streams_over_the_limit_are_refused_and_the_connection_goes_on() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = clear(&origin.url(), "[limits]\nstreams = 3\n").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push((h2.say(&post("/api/chat"), FAST).await, scripts.next().await));
    }
    let over = h2.say(&post("/api/chat"), FAST).await;
    assert_eq!(h2.answer(over).await.ended, Ended::Reset(frame::REFUSED_STREAM));
    assert_eq!(origin.requests(), 3);
    for (stream, steps) in held {
        steps.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        steps.step(Step::Next);
        assert_eq!(h2.answer(stream).await.text(), "{}");
    }
    let next = h2.say(&post("/api/chat"), FAST).await;
    scripts.next().await.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(h2.answer(next).await.text(), "{}");
}

#[tokio::test]
async fn connections_over_the_limit_are_refused_and_told_to_go() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "[limits]\nconnections = 1\n").await;
    let mut first = Client::connect(modegate.frontend()).await;
    assert_eq!(first.exchange(&Request::get("/other")).await.status, 200);
    let mut second = H2::connect(modegate.frontend()).await;
    let refused = second.exchange(&post("/api/chat"), FAST).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    second.closed().await;
    assert_eq!(origin.requests(), 1);
    drop(first);
    modegate.counted("modegate_connections", &[], 0.0).await;
    let mut third = H2::connect(modegate.frontend()).await;
    assert_eq!(third.exchange(&post("/api/chat"), FAST).await.text(), STRIPPED);
}
