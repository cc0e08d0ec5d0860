//! Access lines, key by key: which fields a line has and which it has not, whatever became of the
//! request; and one line for each, however requests share a connection.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Modegate, Origin, Request, Step, script, settings};

/// On every line.
const ALWAYS: &[&str] = &[
    "timestamp",
    "level",
    "target",
    "leg",
    "method",
    "route",
    "outcome",
    "request_id",
    "trace_id",
    "generation",
    "bytes_in",
    "bytes_out",
    "total_us",
];
/// On lines of answers that an upstream, or the sidecar in its place, began.
const ANSWERED: &[&str] = &["status", "first_byte_us"];
/// On lines of inspected requests.
const INSPECTED: &[&str] = &["dialect", "action", "requested", "mode", "cohort"];
/// On lines of inspected requests whose body could be read.
const READ: &[&str] = &["room", "text", "acknowledged"];
/// On lines of messages of the frontend leg that went on.
const WENT: &[&str] = &["path"];
const REFUSED: &[&str] = &["dialect", "action", "requested", "mode", "status", "reason"];

fn assert_keys(line: &Value, groups: &[&[&str]]) {
    let keys: BTreeSet<&str> = line.as_object().expect("an object").keys().map(|k| &**k).collect();
    let expected: BTreeSet<&str> = groups.iter().flat_map(|group| group.iter()).copied().collect();
    assert_eq!(keys, expected, "{line}");
    let null = line.as_object().expect("an object").values().any(Value::is_null);
    assert!(!null, "{line}");
}

async fn origin() -> Origin {
    Origin::start(|request| match request.target() {
        "/none" => Answer::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        "/same" => Answer::Bytes(b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n".to_vec()),
        "/dead" => Answer::ThenClose(Vec::new()),
        _ if request.method() == "HEAD" => {
            Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec())
        }
        _ => Answer::ok("an answer"),
    })
    .await
}

#[tokio::test]
async fn the_fields_of_a_line_by_what_became_of_the_request() {
    let origin = origin().await;
    let modegate = Modegate::start(&settings(&origin, "[flags]\ncontract = true\n")).await;
    let message = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
    type Case = (Request, &'static [&'static [&'static str]]);
    let cases: [Case; 6] = [
        (Request::post("/api/chat", message), &[ALWAYS, ANSWERED, INSPECTED, READ, WENT]),
        (
            Request::post("/api/chat", "{}"),
            &[ALWAYS, ANSWERED, INSPECTED, &["room", "acknowledged"]],
        ),
        (Request::get("/other"), &[ALWAYS, ANSWERED]),
        (Request::get("/.well-known/processing"), &[ALWAYS, ANSWERED]),
        (Request::get("/dead"), &[ALWAYS, &["status", "reason"]]),
        (Request::post("/api/chat", "{bad"), &[ALWAYS, REFUSED]),
    ];
    for (number, (request, groups)) in cases.into_iter().enumerate() {
        Client::once(modegate.frontend(), request).await;
        let line = modegate.access(number + 1).await.remove(number);
        assert_keys(&line, groups);
    }
}

#[tokio::test]
async fn one_line_for_each_request_of_a_connection() {
    let origin = origin().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let mut client = Client::connect(modegate.frontend()).await;
    let message = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
    let cases = [
        (Request::get("/none"), 204, 0, 0),
        (Request::get("/same"), 304, 0, 0),
        (Request::new("HEAD", "/other"), 200, 0, 0),
        (Request::get("/other"), 200, 0, 9),
        // What came in, and not what went on without the member.
        (Request::post("/api/chat", message), 200, message.len(), 9),
        (Request::post("/api/chat", message).chunked(5), 200, message.len(), 9),
        (Request::post("/upload", vec![b'x'; 70_000]), 200, 70_000, 9),
        (Request::post("/upload", vec![b'x'; 70_000]).chunked(999), 200, 70_000, 9),
        (Request::post("/api/chat", "{bad"), 400, 4, 39),
    ];
    for (number, (request, status, bytes_in, _)) in cases.iter().enumerate() {
        client.write(request.bytes()).await;
        let method = if *status == 200 && *bytes_in == 0 && number == 2 { "HEAD" } else { "GET" };
        assert_eq!(client.response_to(method).await.status, *status);
    }
    let check = |lines: &[Value]| {
        for ((_, status, bytes_in, bytes_out), line) in cases.iter().zip(lines) {
            let seen = (&line["status"], &line["bytes_in"], &line["bytes_out"]);
            let out = if *status == 400 { &line["bytes_out"] } else { &json!(bytes_out) };
            assert_eq!(seen, (&json!(status), &json!(bytes_in), out), "{line}");
        }
    };
    let lines = modegate.access(cases.len()).await;
    check(&lines);
    let ids: BTreeSet<&str> = lines.iter().filter_map(|line| line["request_id"].as_str()).collect();
    assert_eq!(ids.len(), cases.len(), "each has an id of its own");

    // And all at once.
    let all: Vec<u8> = cases.iter().flat_map(|(request, ..)| request.bytes()).collect();
    client.write(all).await;
    for number in 0..cases.len() {
        client.response_to(if number == 2 { "HEAD" } else { "GET" }).await;
    }
    check(&modegate.access(2 * cases.len()).await[cases.len()..]);
}

#[tokio::test]
async fn a_line_is_written_when_the_answer_ends_and_not_before() {
    let (steps, answer) = script();
    let answer = std::sync::Mutex::new(Some(answer));
    let origin = Origin::start(move |_| {
        answer.lock().expect("no panic").take().unwrap_or_else(|| Answer::ok("x"))
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let mut stream = Client::connect(modegate.frontend()).await;
    let request = Request::post("/api/chat/stream", "{}").header("X-Request-Id", "stream");
    stream.write(request.bytes()).await;
    origin.wait_for(1).await;
    steps.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    stream.head().await.expect("a head");
    // Another request comes and goes meanwhile.
    assert_eq!(modegate.post("/api/chat", "{}").await.status, 200);
    assert_ne!(modegate.access(1).await[0]["request_id"], "stream");
    steps.chunk("data: 1\n\n");
    steps.send("0\r\n\r\n");
    steps.step(Step::Next);
    let lines = modegate.access(2).await;
    assert_eq!(lines[1]["request_id"], "stream");
    assert_eq!((&lines[1]["bytes_out"], &lines[1]["outcome"]), (&json!(9), &json!("ok")));
    assert!(lines[1]["first_byte_us"].as_u64() < lines[1]["total_us"].as_u64());
}

#[tokio::test]
async fn identity_is_what_the_origin_and_the_client_see() {
    let origin = origin().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let continued = Request::post("/api/chat", "{}")
        .header("X-Request-Id", r#""},{"target":"access"#)
        .header("Traceparent", &format!("00-{trace}-b7ad6b7169203331-01"));
    for (number, request) in [continued, Request::post("/api/chat", "{}")].into_iter().enumerate() {
        let response = Client::once(modegate.frontend(), request).await;
        let received = origin.last();
        let line = modegate.access(number + 1).await.remove(number);
        let id = line["request_id"].as_str();
        assert_eq!((received.header("x-request-id"), response.header("x-request-id")), (id, id));
        let traceparent = received.header("traceparent").expect("a trace");
        assert_eq!(traceparent.split('-').nth(1), line["trace_id"].as_str());
        assert_eq!(traceparent.contains(trace), number == 0);
    }
}

#[tokio::test]
async fn a_head_that_is_no_request_has_no_line() {
    let origin = origin().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for head in [
        "GET / HTTP/1.1\nX: \u{1b}[31m\n\n\r\n\r\n",
        "\u{1b}[31m\r\n\r\n",
        "GET /\u{1b} HTTP/1.1\r\n\r\n",
    ] {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(head).await;
        client.finish().await;
        client.closed().await;
    }
    assert_eq!(modegate.post("/api/chat", "{}").await.status, 200);
    modegate.access(1).await;
    assert!(modegate.logs().iter().all(|line| !line.chars().any(char::is_control)));
    assert_eq!(origin.requests(), 1);
}
