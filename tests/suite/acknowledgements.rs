//! What an upstream says of the message that it answers: the mode that it applied, the room, the
//! call. It is counted, and with `cloud_enforced` a contradiction becomes an error.

use serde_json::{Value, json};

use crate::harness::{
    Answer, Client, Modegate, Origin, Received, Request, Response, Start, settings,
};
use crate::messages::{PLACES, ROOM, Wants};

const CANARY: &str = "[flags]\ncontract = true\nruntime = true\n[canary]\npercent = 100\n";
const BRIDGE: &str = "/api/v1/milady/agents/a/bridge";
const STREAM: &str = "/api/v1/milady/agents/a/stream";

/// What an upstream answers with: fields of its head, and a body.
struct Said {
    fields: &'static str,
    body: &'static str,
}

const fn json(body: &'static str) -> Said {
    Said { fields: "Content-Type: application/json\r\n", body }
}

const fn events(body: &'static str) -> Said {
    Said { fields: "Content-Type: text/event-stream\r\n", body }
}

const fn head(fields: &'static str) -> Said {
    Said { fields, body: r#"{"jsonrpc":"2.0","id":"call-1","result":{"text":"t"}}"# }
}

/// Answers to a fast message, what they acknowledge, and whether they are another's.
#[rustfmt::skip]
const ANSWERS: &[(Said, &str, bool)] = &[
    (json(r#"{"jsonrpc":"2.0","id":"call-1","result":{"text":"t","metadata":{"timestamp":1}}}"#), "ack_unobserved", false),
    (json(r#"{"jsonrpc":"2.0","id":"call-1","result":{"metadata":{"processing":{"mode":"fast"}}}}"#), "ack_match", false),
    (json(r#"{"jsonrpc":"2.0","id":"call-1","result":{"metadata":{"processing":{"mode":"default"}}}}"#), "ack_altered", false),
    (json(r#"{"jsonrpc":"2.0","id":"call-1","result":{"metadata":{"processing":{"mode":"turbo"}}}}"#), "ack_altered", false),
    (json(r#"{"jsonrpc":"2.0","id":"call-1","result":{"metadata":{"processing":null}}}"#), "ack_unobserved", false),
    (json(r#"{"jsonrpc":"2.0","id":"call-1","result":{"#), "ack_unobserved", false),
    (json(r#"{"jsonrpc":"2.0","id":"call-2","result":{"text":"t"}}"#), "ack_unobserved", true),
    (json(r#"{"jsonrpc":"2.0","id":"c\u0061ll-1","result":{"text":"t"}}"#), "ack_unobserved", false),
    (json(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"m"}}"#), "ack_unobserved", false),
    (json(r#"{"jsonrpc":"2.0","id":"call-1","result":{"roomId":"5ae36a4b-c408-0127-904d-bdaeaec80c57"}}"#), "ack_unobserved", false),
    (json(r#"{"jsonrpc":"2.0","id":"call-1","result":{"metadata":{"roomId":"room-of-ann"}}}"#), "ack_unobserved", true),
    (head("Content-Type: application/json\r\nX-Processing-Mode: fast\r\n"), "ack_match", false),
    (head("Content-Type: application/json\r\nX-Processing-Mode: default\r\n"), "ack_altered", false),
    (head("Content-Type: application/json\r\nX-Processing-Mode: warp\r\n"), "ack_altered", false),
    (head("Content-Type: text/plain\r\nX-Processing-Mode: fast\r\n"), "ack_match", false),
    (head("Content-Type: application/json\r\nX-Processing-Room: 5ae36a4b-c408-0127-904d-bdaeaec80c57\r\n"), "ack_unobserved", false),
    (head("Content-Type: application/json\r\nX-Processing-Room: room-of-ann\r\n"), "ack_unobserved", true),
    (head("Content-Type: application/json\r\nContent-Encoding: br\r\n"), "ack_unobserved", false),
    // A member of that name with another meaning, the room that the runtime has for all, nothing.
    (json(r#"{"jsonrpc":"2.0","id":"call-1","result":{"metadata":{"processing":true}}}"#), "ack_unobserved", false),
    (json(r#"{"jsonrpc":"2.0","id":"call-1","result":{"roomId":"97f8d391-5979-0a28-a82c-58b1376c5aae"}}"#), "ack_unobserved", false),
    (head("Content-Type: application/json\r\nX-Processing-Room: \r\nX-Processing-Mode: \r\n"), "ack_unobserved", false),
    // One contradiction decides.
    (Said { fields: "Content-Type: application/json\r\nX-Processing-Mode: default\r\n", body: r#"{"jsonrpc":"2.0","id":"call-1","result":{"metadata":{"processing":{"mode":"fast"}}}}"# }, "ack_altered", false),
    (Said { fields: "Content-Type: application/json\r\nX-Processing-Mode: fast\r\n", body: r#"{"jsonrpc":"2.0","id":"call-1","result":{"metadata":{"processing":{"mode":"default"}}}}"# }, "ack_altered", false),
];

/// The same of streams.
#[rustfmt::skip]
const STREAMS: &[(Said, &str, bool)] = &[
    (events("event: connected\ndata: {\"rpcId\":\"call-1\"}\n\nevent: done\ndata: {}\n\n"), "ack_unobserved", false),
    (events("event: connected\ndata: {\"processing\":{\"mode\":\"fast\"}}\n\nevent: done\ndata: {}\n\n"), "ack_match", false),
    (events("event: chunk\ndata: {\"text\":\"t\"}\n\nevent: done\ndata: {\"metadata\":{\"processing\":{\"mode\":\"default\"}}}\n\n"), "ack_altered", false),
    (events("event: connected\ndata: {\"rpcId\":\"call-2\"}\n\nevent: done\ndata: {}\n\n"), "ack_unobserved", true),
    (events("event: chunk\ndata: {\"text\":\"t\",\"roomId\":\"room-of-ann\"}\n\n"), "ack_unobserved", true),
    (events("event: chunk\ndata: {\"text\":\"t\",\"id\":\"msg_1\"}\n\n"), "ack_unobserved", false),
];

async fn origin() -> Origin {
    Origin::start(|request| {
        let at: usize = request.header("x-answer").and_then(|at| at.parse().ok()).unwrap_or(0);
        let table = if request.target() == STREAM { STREAMS } else { ANSWERS };
        let Said { fields, body } = &table[at].0;
        Answer::status("200 OK", fields, body)
    })
    .await
}

async fn ask(modegate: &Modegate, target: &str, at: usize) -> Response {
    let body = json!({
        "jsonrpc": "2.0", "id": "call-1", "method": "message.send",
        "params": { "text": "t", "roomId": ROOM, "processing": { "mode": "fast" } },
    });
    let request = Request::post(target, body.to_string()).header("X-Answer", &at.to_string());
    Client::once(modegate.bridge(), request).await
}

async fn counts(modegate: &Modegate, verdict: &str) -> (f64, f64, f64) {
    let metrics = modegate.metrics().await;
    let bridge = ("leg", "bridge");
    let verdicts = |verdict| metrics.sum("modegate_parity_total", &[bridge, ("verdict", verdict)]);
    let acks = ["ack_match", "ack_altered", "ack_unobserved"].map(verdicts).iter().sum();
    let answer = [bridge, ("source", "answer")];
    (verdicts(verdict), acks, metrics.sum("modegate_contamination_total", &answer))
}

#[tokio::test]
async fn what_an_answer_acknowledges_is_counted_and_changes_nothing() {
    let origin = origin().await;
    let modegate = Modegate::start(&settings(&origin, CANARY)).await;
    let mut asked = 0;
    for (target, table) in [(BRIDGE, ANSWERS), (STREAM, STREAMS)] {
        for (at, (said, verdict, foreign)) in table.iter().enumerate() {
            let (before, all_before, other_before) = counts(&modegate, verdict).await;
            let answer = ask(&modegate, target, at).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, said.body));
            assert_eq!(
                answer.header("x-processing-mode"),
                Some("fast"),
                "ours, not the upstream's"
            );
            assert_eq!(answer.header("x-processing-room"), None);
            asked += 1;
            // What is counted is counted before the line is written.
            modegate.access(asked).await;
            let (after, all, other) = counts(&modegate, verdict).await;
            let expected = if *foreign { (0.0, 0.0, 1.0) } else { (1.0, 1.0, 0.0) };
            let counted = (after - before, all - all_before, other - other_before);
            assert_eq!(counted, expected, "{} {} -> {verdict}", said.fields, said.body);
        }
    }
}

#[tokio::test]
async fn with_enforcement_a_contradiction_becomes_an_error() {
    let origin = origin().await;
    let enforced = CANARY.replace("[canary]", "cloud_enforced = true\n[canary]");
    let modegate = Modegate::start(&settings(&origin, &enforced)).await;
    for (at, (said, verdict, foreign)) in ANSWERS.iter().enumerate() {
        let answer = ask(&modegate, BRIDGE, at).await;
        assert_eq!(answer.status, 200);
        if *verdict != "ack_altered" && !foreign {
            assert_eq!(answer.text(), said.body);
            continue;
        }
        let error = answer.json();
        let named = if *foreign { "room_crossed" } else { "ack_altered" };
        assert_eq!((&error["id"], &error["error"]["code"]), (&json!("call-1"), &json!(-32010)));
        assert_eq!(error["error"]["data"]["verdict"], named, "{error}");
        assert!(!answer.text().contains("room-of-ann"), "{error}");
    }
    // A stream is on its way already.
    for (at, (said, ..)) in STREAMS.iter().enumerate() {
        assert_eq!(ask(&modegate, STREAM, at).await.text(), said.body);
    }
    modegate.flag("kill", true).await;
    assert_eq!(ask(&modegate, BRIDGE, 2).await.text(), ANSWERS[2].0.body);
    modegate.counted("modegate_inflight", &[], 0.0).await;
}

/// An answer too large to be looked into passes, whether its length is said or not; one that breaks
/// off is no answer.
#[tokio::test]
async fn an_answer_is_held_within_a_bound() {
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(300_000));
    let sent = large.clone();
    let origin = Origin::start(move |request| {
        let json = "Content-Type: application/json\r\n";
        let chunked = format!("HTTP/1.1 200 OK\r\n{json}Transfer-Encoding: chunked\r\n\r\n");
        match request.header("x-answer") {
            Some("0") => Answer::status("200 OK", json, &sent),
            Some("1") => {
                Answer::Bytes(format!("{chunked}{:x}\r\n{sent}\r\n0\r\n\r\n", sent.len()).into())
            }
            Some("2") => Answer::Bytes(format!("{chunked}2\r\n{{}}\r\n0\r\n\r\n").into()),
            _ => Answer::ThenClose(format!("{chunked}2\r\n{{}}\r\n").into()),
        }
    })
    .await;
    let enforced = CANARY.replace("[canary]", "cloud_enforced = true\n[canary]");
    let modegate = Start::new(&settings(&origin, &enforced)).run().await;
    for (at, expected) in [large.as_str(), &large, "{}"].into_iter().enumerate() {
        let answer = ask(&modegate, BRIDGE, at).await;
        assert_eq!((answer.status, answer.text().len()), (200, expected.len()), "{at}");
    }
    let broken = ask(&modegate, BRIDGE, 3).await;
    assert_eq!((broken.status, broken.json()["id"].clone()), (502, Value::from("call-1")));
}

/// What a server makes of a request's `Accept-Encoding`: all that it does not rule out is taken, and
/// where it says nothing that is everything.
fn compresses(request: &Received) -> bool {
    request.header("accept-encoding").is_none_or(|taken| taken != "identity")
}

/// A server that compresses where it may is asked not to where its answer is looked into; whether the
/// client would take it or says nothing of it. All else is between the two of them.
#[tokio::test]
async fn what_is_looked_into_comes_uncompressed() {
    const WHOLE: &str = r#"{"jsonrpc":"2.0","id":"rpc-7","processing":{"mode":"fast"}}"#;
    const STREAMED: &str = "data: {\"processing\":{\"mode\":\"fast\"}}\n\ndata: [DONE]\n\n";
    let origin = Origin::start(|request| {
        let streams = request.header("accept") == Some("text/event-stream");
        let (kind, body) = match streams {
            true => ("text/event-stream", STREAMED),
            false => ("application/json", WHOLE),
        };
        let fields = format!("Content-Type: {kind}\r\nVary: Accept-Encoding\r\n");
        match compresses(request) {
            true => {
                let fields = format!("{fields}Content-Encoding: gzip\r\n");
                Answer::status("200 OK", &fields, "\u{1f}\u{8b}")
            }
            false => Answer::status("200 OK", &fields, body),
        }
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, CANARY)).await;
    let mut lines = 0;
    for place in PLACES {
        for taken in [None, Some("gzip, deflate, br"), Some("identity;q=0, *"), Some("")] {
            let case = format!("{} {taken:?}", place.target);
            let request = place.request(place.body(r#""processing":{"mode":"fast"}"#));
            let request = match taken {
                None => request,
                Some(taken) => request.header("Accept-Encoding", taken),
            };
            let answer = Client::once(place.address(&modegate), request).await;
            let expected = if place.wants == Wants::Stream { STREAMED } else { WHOLE };
            assert_eq!((answer.status, answer.text().as_str()), (200, expected), "{case}");
            assert_eq!(answer.header("content-encoding"), None, "{case}");
            assert_eq!(answer.header("vary"), Some("Accept-Encoding"), "{case}");
            assert_eq!(origin.last().head.all("accept-encoding"), ["identity"], "{case}");
            lines += 1;
            let line = modegate.access(lines).await.pop().expect("a line");
            // Rooms that many share are in no cohort of their own.
            let seen = if line["mode"] == "fast" { "ack_match" } else { "ack_altered" };
            assert_eq!(line["acknowledged"], seen, "{case}");
        }
    }
    let call = r#"{"jsonrpc":"2.0","id":"1","method":"status.get","params":{}}"#;
    let others = [
        (modegate.frontend(), Request::get("/api/conversations")),
        (modegate.frontend(), Request::post("/api/upload", "{}")),
        (modegate.bridge(), Request::post(BRIDGE, call)),
        (modegate.runtime(), Request::post("/bridge", call)),
    ];
    for (leg, request) in others {
        let answer = Client::once(leg, request.header("Accept-Encoding", "gzip;q=0.5")).await;
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        assert_eq!(answer.body, b"\x1f\xc2\x8b");
        assert_eq!(origin.last().header("accept-encoding"), Some("gzip;q=0.5"));
    }
}
