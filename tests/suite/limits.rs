//! What there may be at once: over a limit a clear refusal, under it again at once.

use serde_json::json;

use crate::harness::{Answer, Client, Modegate, Origin, Request, Step, eventually, settings};
use crate::messages::PLACES;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

#[tokio::test]
async fn requests_in_flight() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = Modegate::start(&settings(&origin, "[limits]\nin_flight = 2\n")).await;
    let mut held = Vec::new();
    for target in ["/api/chat", "/other"] {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::post(target, "{}").bytes()).await;
        held.push((client, scripts.next().await));
    }
    for place in PLACES.iter().filter(|place| place.leg == "frontend") {
        let mut client = Client::connect(modegate.frontend()).await;
        let response = client.exchange(&place.request(place.body(""))).await;
        let expected = (503, -32000, "Too many requests in flight");
        place.assert_refused(&response, expected, json!(null));
        client.closed().await;
    }
    assert_eq!(origin.requests(), 2);
    // Another leg has a limit of its own.
    let mut bridge = Client::connect(modegate.bridge()).await;
    bridge.write(Request::get("/other").bytes()).await;
    scripts.next().await.send(OK);
    assert_eq!(bridge.response().await.status, 200);
    let (mut client, answer) = held.pop().expect("a request");
    answer.send(OK);
    answer.step(Step::Next);
    assert_eq!(client.response().await.status, 200);
    modegate.counted("modegate_inflight", &[("leg", "frontend")], 1.0).await;
    client.write(Request::post("/api/chat", "{}").bytes()).await;
    scripts.next().await.send(OK);
    assert_eq!(client.response().await.status, 200);
    let reasons = [("leg", "frontend"), ("reason", "in_flight")];
    modegate.counted("modegate_rejections_total", &reasons, 8.0).await;
}

#[tokio::test]
async fn connections_over_all_listeners() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "[limits]\nconnections = 2\n")).await;
    let mut first = Client::connect(modegate.frontend()).await;
    let mut second = Client::connect(modegate.bridge()).await;
    for client in [&mut first, &mut second] {
        assert_eq!(client.exchange(&Request::get("/other")).await.status, 200);
    }
    for place in PLACES {
        let mut third = Client::connect(place.address(&modegate)).await;
        let response = third.exchange(&place.request(place.body(""))).await;
        place.assert_refused(&response, (503, -32000, "Too many connections"), json!(null));
        third.closed().await;
    }
    assert_eq!(first.exchange(&Request::get("/other")).await.status, 200);
    drop(second);
    modegate.counted("modegate_connections", &[], 1.0).await;
    assert_eq!(Client::once(modegate.bridge(), Request::get("/other")).await.status, 200);
}

#[tokio::test]
async fn bodies_held_at_once() {
    let origin = Origin::echo().await;
    let extra = "[contract]\nbody_limit = \"64KiB\"\n[limits]\nbody_memory = \"64KiB\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(50_000));
    let request = Request::post("/api/chat", body.clone()).bytes();
    let (begun, rest) = request.split_at(request.len() - 10_000);
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(begun).await;
    let held = (body.len() - 10_000) as f64;
    modegate.counted("modegate_body_memory_bytes", &[], held).await;

    for place in PLACES {
        let large = place.body(&format!("\"x\":\"{}\"", "x".repeat(30_000)));
        for request in [place.request(large.clone()), place.request(large).chunked(1000)] {
            let response = Client::once(place.address(&modegate), request).await;
            let expected = (503, -32000, "Too much request body in flight");
            place.assert_refused(&response, expected, json!(null));
        }
        let small = Client::once(place.address(&modegate), place.request(place.body(""))).await;
        assert_eq!(small.status, 200, "a small one still fits");
    }
    // What is not inspected is not held.
    let large = Request::post("/upload", vec![b'x'; 200_000]);
    assert_eq!(Client::once(modegate.frontend(), large).await.body.len(), 200_000);

    client.write(rest).await;
    let response = client.response().await;
    assert_eq!((response.status, response.text()), (200, body));
    modegate.counted("modegate_body_memory_bytes", &[], 0.0).await;
}

/// What is kept of an answer to be looked into counts as well, until the answer is there.
#[tokio::test]
async fn answers_that_are_looked_into() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let extra = "[contract]\nbody_limit = \"64KiB\"\n[limits]\nbody_memory = \"64KiB\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let said = r#"{"processing":{"mode":"default"},"text":""#;
    let mut acknowledged = Vec::new();
    for (length, expected) in [(20_000, "ack_match"), (100_000, "ack_unobserved")] {
        let body = format!("{said}{}\"}}", "x".repeat(length));
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length";
        let (begun, rest) = body.split_at(body.len() - 10);
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::post("/api/chat", "{}").bytes()).await;
        let steps = scripts.next().await;
        steps.send(format!("{head}: {}\r\n\r\n{begun}", body.len()));
        eventually("what is kept of it", async || {
            let kept = modegate.metrics().await.sum("modegate_body_memory_bytes", &[]);
            let is_kept = kept >= begun.len() as f64;
            (if length < 64 << 10 { is_kept } else { kept < 0.5 }).then_some(())
        })
        .await;
        steps.send(rest);
        assert_eq!(client.response().await.text(), body);
        modegate.counted("modegate_body_memory_bytes", &[], 0.0).await;
        acknowledged.push(expected);
    }
    let lines = eventually("the lines", async || {
        let lines = modegate.access_lines();
        (lines.len() == acknowledged.len()).then_some(lines)
    })
    .await;
    let said: Vec<_> = lines.iter().map(|line| &line["acknowledged"]).collect();
    assert_eq!(said, acknowledged);
}

#[tokio::test]
async fn the_memory_of_a_body_is_given_back_however_it_ends() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let extra = "[timeouts]\nbody = \"100ms\"\nfirst_byte = \"100ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(50_000));
    let request = Request::post("/api/chat", body);
    let bytes = request.bytes();
    let mut slow = Client::connect(modegate.frontend()).await;
    slow.write(&bytes[..bytes.len() - 1]).await;
    assert_eq!(slow.response().await.status, 408);
    let mut gone = Client::connect(modegate.frontend()).await;
    gone.write(&bytes[..bytes.len() - 1]).await;
    drop(gone);
    let unanswered = Client::once(modegate.frontend(), request.clone()).await;
    assert_eq!(unanswered.status, 504);
    let mut waiting = Client::connect(modegate.frontend()).await;
    waiting.write(request.bytes()).await;
    scripts.next().await;
    scripts.next().await;
    drop(waiting);
    modegate.counted("modegate_body_memory_bytes", &[], 0.0).await;
    modegate.counted("modegate_inflight", &[], 0.0).await;
    modegate.counted("modegate_connections", &[], 0.0).await;
}

#[tokio::test]
async fn heads() {
    let origin = Origin::echo().await;
    let extra = "[limits]\nheader_fields = 12\nheader_bytes = \"8KiB\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let with_fields = |fields: usize| {
        let fields = (0..fields).fold(String::new(), |all, at| format!("{all}X-{at}: v\r\n"));
        format!("GET /other HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
    };
    let with_bytes = |bytes: usize| {
        let head = "GET /other HTTP/1.1\r\nHost: h\r\nX-A: ";
        format!("{head}{}\r\n\r\n", "a".repeat(bytes - head.len() - 4))
    };
    let long_target =
        |bytes: usize| format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(bytes));
    let cases = [
        (with_fields(11), true),
        (with_fields(12), false),
        (with_fields(500), false),
        (with_bytes(8 * 1024 - 64), true),
        (with_bytes(8 * 1024 + 64), false),
        (with_bytes(100 * 1024), false),
        (long_target(7000), true),
        (long_target(20_000), false),
    ];
    for (head, fits) in cases {
        let before = origin.requests();
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(&head).await;
        let case = format!("{} bytes, {} lines", head.len(), head.lines().count());
        let status = client.response().await.status;
        match fits {
            true => assert_eq!(status, 200, "{case}"),
            false => {
                assert!(status == 431 || status == 414, "{status}: {case}");
                client.closed().await;
                assert_eq!(origin.requests(), before, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn heads_of_answers() {
    let origin = Origin::start(|request| {
        let fields: usize = request.target()[1..].parse().expect("a number");
        let fields = (0..fields).fold(String::new(), |all, at| format!("{all}X-{at}: v\r\n"));
        Answer::status("200 OK", &fields, "{}")
    })
    .await;
    let cases = [(20, 15, 200), (20, 25, 502), (100, 90, 200), (100, 110, 502)];
    for (limit, fields, status) in cases {
        let extra = format!("[limits]\nheader_fields = {limit}\n");
        let modegate = Modegate::start(&settings(&origin, &extra)).await;
        let request = Request::get(&format!("/{fields}"));
        let response = Client::once(modegate.frontend(), request).await;
        assert_eq!(response.status, status, "{fields} fields where {limit} are allowed");
    }
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed_and_streams_are_not() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let extra = "[timeouts]\nheader = \"400ms\"\nkeep_alive = \"400ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;

    let mut events = Client::connect(modegate.frontend()).await;
    events.write(Request::post("/api/chat/stream", "{}").bytes()).await;
    let stream = scripts.next().await;
    stream.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n");
    stream.send("Transfer-Encoding: chunked\r\n\r\n");
    let head = events.head().await.expect("a head");
    let mut framing = head.framing(crate::harness::Framing::None);

    let mut silent = Client::connect(modegate.frontend()).await;
    silent.closed().await;

    let mut slow = Client::connect(modegate.frontend()).await;
    slow.write("POST /api/chat HTTP/1.1\r\nHost: h\r\nX-A").await;
    slow.closed().await;

    let mut dripping = Client::connect(modegate.frontend()).await;
    let patience = std::time::Duration::from_millis(50);
    eventually("the end of a head that drips", async || {
        (!dripping.offer(b"G", patience).await).then_some(())
    })
    .await;

    let mut idle = Client::connect(modegate.frontend()).await;
    assert_eq!(idle.exchange(&Request::post("/api/chat", "{")).await.status, 400);
    assert_eq!(idle.exchange(&Request::post("/api/chat", "{")).await.status, 400);
    idle.closed().await;

    let mut second = Client::connect(modegate.frontend()).await;
    assert_eq!(second.exchange(&Request::post("/api/chat", "{")).await.status, 400);
    second.write("POST /api/chat HTTP/1.1\r\n").await;
    second.closed().await;

    // The stream was silent all the while.
    stream.chunk("data: 1\n\n");
    assert_eq!(events.data(&mut framing).await, "data: 1\n\n");
    drop(events);
    modegate.counted("modegate_connections", &[], 0.0).await;
}
