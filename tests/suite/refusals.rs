//! What is refused on the inspected routes: the answer's status and shape, an origin that saw
//! nothing of it, and a connection that is closed or good for the next request.

use serde_json::{Value, json};

use crate::harness::{Client, Modegate, Origin, Request, settings};
use crate::messages::{PLACES, Place, Shape};

struct Case {
    name: &'static str,
    request: fn(&Place) -> Request,
    expected: (u16, i32, &'static str),
    id: fn() -> Value,
}

const LIMIT: usize = 4096;
const NOT_JSON: (u16, i32, &str) = (400, -32700, "Invalid JSON in request body");
const NOT_AN_OBJECT: (u16, i32, &str) = (400, -32600, "Request body must be a JSON object");
const ENCODING: (u16, i32, &str) = (415, -32000, "Content-Encoding must be identity");
const TOO_LARGE: (u16, i32, &str) = (413, -32000, "Request body exceeds maximum size (4096 bytes)");
const MODE: (u16, i32, &str) = (400, -32602, r#"processing.mode must be "default" or "fast""#);
const OBJECT: (u16, i32, &str) = (400, -32602, "processing must be an object or null");
const PROFILE: (u16, i32, &str) =
    (400, -32602, "processing.profile must be a string of at most 64 characters");
const REASON: (u16, i32, &str) =
    (400, -32602, "processing.reason must be a string of at most 256 characters");

fn null() -> Value {
    Value::Null
}

fn id() -> Value {
    json!("rpc-7")
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { name: "not JSON", request: |p| p.request("{bad"), expected: NOT_JSON, id: null },
    Case { name: "empty", request: |p| p.request(""), expected: NOT_JSON, id: null },
    Case { name: "no body", request: |p| Request::new("POST", p.target), expected: NOT_JSON, id: null },
    Case { name: "only space", request: |p| p.request(" \r\n\t"), expected: NOT_JSON, id: null },
    Case { name: "cut off", request: |p| { let mut b = p.body(""); b.pop(); p.request(b) }, expected: NOT_JSON, id: null },
    Case { name: "trailing garbage", request: |p| p.request(p.body("") + "}"), expected: NOT_JSON, id: null },
    Case { name: "trailing NUL", request: |p| p.request(p.body("") + "\0"), expected: NOT_JSON, id: null },
    Case { name: "two bodies", request: |p| p.request(p.body("") + &p.body("")), expected: NOT_JSON, id: null },
    Case { name: "UTF-16", request: |p| p.request(p.body("").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()), expected: NOT_JSON, id: null },
    Case { name: "deep, never closed", request: |p| p.request("[".repeat(3000)), expected: NOT_JSON, id: null },
    Case { name: "not JSON, in chunks", request: |p| p.request("{bad").chunked(1), expected: NOT_JSON, id: null },
    Case { name: "not JSON, called text", request: |p| p.request("{bad").header("Content-Type", "text/plain"), expected: NOT_JSON, id: null },
    Case { name: "null", request: |p| p.request("null"), expected: NOT_AN_OBJECT, id: null },
    Case { name: "an array", request: |p| p.request(format!("[{}]", p.body(""))), expected: NOT_AN_OBJECT, id: null },
    Case { name: "a number", request: |p| p.request("1"), expected: NOT_AN_OBJECT, id: null },
    Case { name: "a string", request: |p| p.request(r#""processing""#), expected: NOT_AN_OBJECT, id: null },
    Case { name: "gzip", request: |p| p.request(p.body("")).header("Content-Encoding", "gzip"), expected: ENCODING, id: null },
    Case { name: "identity, br", request: |p| p.request(p.body("")).header("Content-Encoding", "identity").header("content-encoding", "br"), expected: ENCODING, id: null },
    Case { name: "too large", request: |p| p.request(vec![b' '; LIMIT + 1]), expected: TOO_LARGE, id: null },
    Case { name: "too large, in chunks", request: |p| p.request(vec![b' '; LIMIT + 1]).chunked(100), expected: TOO_LARGE, id: null },
    Case { name: "much too large", request: |p| p.request(vec![b' '; 3 << 20]), expected: TOO_LARGE, id: null },
    Case { name: "much too large, in chunks", request: |p| p.request(vec![b' '; 3 << 20]).chunked(65536), expected: TOO_LARGE, id: null },
    Case { name: "unknown mode", request: |p| p.request(p.body(r#""processing":{"mode":"turbo"}"#)), expected: MODE, id },
    Case { name: "mode in capitals", request: |p| p.request(p.body(r#""processing":{"mode":"FAST"}"#)), expected: MODE, id },
    Case { name: "mode null", request: |p| p.request(p.body(r#""processing":{"mode":null}"#)), expected: MODE, id },
    Case { name: "last duplicate counts", request: |p| p.request(p.body(r#""processing":{"mode":"fast"},"processing":{"mode":1}"#)), expected: MODE, id },
    Case { name: "a string for an object", request: |p| p.request(p.body(r#""processing":"fast""#)), expected: OBJECT, id },
    Case { name: "an array for an object", request: |p| p.request(p.body(r#""processing":[]"#)), expected: OBJECT, id },
    Case { name: "profile of 65", request: |p| p.request(p.body(&format!(r#""processing":{{"mode":"fast","profile":"{}"}}"#, "p".repeat(65)))), expected: PROFILE, id },
    Case { name: "profile a number", request: |p| p.request(p.body(r#""processing":{"mode":"default","profile":1}"#)), expected: PROFILE, id },
    Case { name: "reason of 257", request: |p| p.request(p.body(&format!(r#""processing":{{"reason":"{}"}}"#, "r".repeat(257)))), expected: REASON, id },
];

#[tokio::test]
async fn every_refusal_has_its_dialects_shape_and_never_reaches_the_origin() {
    let origin = Origin::echo().await;
    let extra = "[contract]\nbody_limit = \"4KiB\"\n[flags]\ncontract = true\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    for place in PLACES {
        for case in CASES {
            let label = format!("{} on {}", case.name, place.target);
            let before = (origin.requests(), origin.bytes());
            let mut client = Client::connect(place.address(&modegate)).await;
            let response = client.exchange(&(case.request)(place)).await;
            place.assert_refused(&response, case.expected, (case.id)());
            assert_eq!((origin.requests(), origin.bytes()), before, "{label}");
            if response.header("connection") == Some("close") {
                client.closed().await;
            } else {
                let after = client.exchange(&place.request(place.body(""))).await;
                assert_eq!((after.status, after.text()), (200, place.body("")), "{label}");
            }
        }
        let clean = Client::once(place.address(&modegate), place.request(place.body(""))).await;
        assert_eq!(clean.text(), place.body(""), "{}", place.target);
    }
    let refused =
        modegate.metrics().await.sum("modegate_requests_total", &[("outcome", "refused")]);
    assert!((refused - (PLACES.len() * CASES.len()) as f64).abs() < 0.5, "{refused}");
}

#[tokio::test]
async fn identity_is_an_encoding_that_passes() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for value in ["identity", "IDENTITY", ""] {
        let request = Request::post("/api/chat", "{}").header("Content-Encoding", value);
        let response = Client::once(modegate.frontend(), request).await;
        assert_eq!(response.status, 200, "{value}");
        assert_eq!(origin.last().header("content-encoding"), Some(value));
    }
}

#[tokio::test]
async fn a_body_that_is_too_slow_is_refused() {
    let origin = Origin::echo().await;
    let extra = "[timeouts]\nbody = \"150ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    for place in PLACES {
        let mut client = Client::connect(place.address(&modegate)).await;
        let request = place.request(place.body("")).bytes();
        client.write(&request[..request.len() - 1]).await;
        let response = client.response().await;
        let expected = (408, -32000, "Request body did not arrive in time");
        place.assert_refused(&response, expected, Value::Null);
        client.closed().await;
    }
    assert_eq!(origin.accepted(), 0);
}

#[tokio::test]
async fn a_body_that_is_cut_never_reaches_the_origin() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let mut cut = 0;
    for place in PLACES {
        for request in [place.request(place.body("")), place.request(place.body("")).chunked(7)] {
            let mut client = Client::connect(place.address(&modegate)).await;
            let bytes = request.bytes();
            client.write(&bytes[..bytes.len() - 1]).await;
            client.finish().await;
            client.closed().await;
            cut += 1;
        }
    }
    let labels = [("reason", "body_cut")];
    modegate.counted("modegate_rejections_total", &labels, f64::from(cut)).await;
    // Nobody was refused who was still there.
    let gone = [("outcome", "gone")];
    modegate.counted("modegate_requests_total", &gone, f64::from(cut)).await;
    assert_eq!(origin.accepted(), 0);
    modegate.counted("modegate_inflight", &[], 0.0).await;
    modegate.counted("modegate_body_memory_bytes", &[], 0.0).await;
}

#[tokio::test]
async fn a_byte_order_mark_passes_only_where_the_server_behind_skips_it() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for place in PLACES {
        let body = format!("\u{feff}{}", place.body(""));
        let response = Client::once(place.address(&modegate), place.request(body.clone())).await;
        if place.leg == "bridge" {
            assert_eq!((response.status, response.text()), (200, body), "{place:?}");
        } else {
            place.assert_refused(&response, NOT_JSON, Value::Null);
        }
    }
}

/// The entrypoint reads 1 MiB, and ends at more.
#[tokio::test]
async fn the_runtime_gets_no_more_than_it_reads() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "[flags]\ncontract = true\n")).await;
    let call = |length: usize, member: &str| {
        let start = format!(r#"{{"id":7,"method":"message.send","params":{{{member}"text":""#);
        let text = "x".repeat(length - start.len() - 3);
        format!("{start}{text}\"}}}}")
    };
    let too_large = (413, -32000, "Request body exceeds maximum size (1048576 bytes)");
    let grows = r#""processing":{"mode":null},"#.replace("null", "\"fast\"");
    for (length, member, is_served) in [
        (1 << 20, "", true),
        ((1 << 20) + 1, "", false),
        ((1 << 20) - 10, &*grows, true),
        // `{"mode":"default"}` takes its place.
        (1 << 20, &*grows, false),
    ] {
        for chunk in [0, 100_000] {
            let before = origin.bytes();
            let request = Request::post("/bridge", call(length, member));
            let request = if chunk == 0 { request } else { request.chunked(chunk) };
            let response = Client::once(modegate.runtime(), request).await;
            match is_served {
                true => assert_eq!(response.status, 200, "{length} {member}"),
                false => {
                    assert_eq!(response.status, too_large.0);
                    assert_eq!(response.json()["error"]["message"], too_large.2);
                    assert_eq!(origin.bytes(), before, "{length} {member}");
                }
            }
        }
    }
    let request = Request::post("/api/chat", format!(r#"{{"text":"{}"}}"#, "x".repeat(2 << 20)));
    assert_eq!(Client::once(modegate.frontend(), request).await.status, 200);
}

#[tokio::test]
async fn the_runtime_never_gets_what_would_end_it() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let not_a_request = (
        400,
        -32600,
        "Request body must be a JSON-RPC request: method a string, \
         params an object, params.text a string, id a string or a number",
    );
    let deep = format!(r#"{{"id":{}{},"method":"heartbeat"}}"#, "[".repeat(5000), "]".repeat(5000));
    let cases = [
        ("{bad", NOT_JSON, null()),
        ("", NOT_JSON, null()),
        ("null", NOT_AN_OBJECT, null()),
        ("[]", NOT_AN_OBJECT, null()),
        ("1", NOT_AN_OBJECT, null()),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"heartbeat"}]"#, NOT_AN_OBJECT, null()),
        ("{}", not_a_request, null()),
        (r#"{"method":1,"id":7}"#, not_a_request, json!(7)),
        (r#"{"id":"a","method":"message.send","method":null}"#, not_a_request, json!("a")),
        (r#"{"id":"a","method":"message.send","params":[]}"#, not_a_request, json!("a")),
        (r#"{"id":"a","method":"message.send","params":"x"}"#, not_a_request, json!("a")),
        (&*deep, not_a_request, null()),
        (r#"{"id":{},"method":"heartbeat"}"#, not_a_request, null()),
        (r#"{"id":1.50,"method":"message.send","params":null}"#, not_a_request, json!(1.5)),
        (r#"{"id":{},"method":"message.send","params":{"text":1}}"#, not_a_request, null()),
        (
            r#"{"id":"\ud83d","method":"message.send","params":{"text":null}}"#,
            not_a_request,
            null(),
        ),
    ];
    for place in PLACES.iter().filter(|place| place.leg == "runtime") {
        assert_eq!(place.shape, Shape::Rpc);
        for (body, expected, id) in &cases {
            let before = origin.bytes();
            let mut client = Client::connect(modegate.runtime()).await;
            let response = client.exchange(&place.request(*body)).await;
            if body.contains("ud83d") {
                // The id is repeated as it was written; not every reader takes it.
                let repeated = response.text().contains(r#""id":"\ud83d""#);
                assert!(response.status == 400 && repeated, "{}", response.text());
            } else {
                place.assert_refused(&response, *expected, id.clone());
            }
            assert_eq!(origin.bytes(), before, "{body}");
            let after = client.exchange(&place.request(place.body(""))).await;
            assert_eq!((after.status, after.text()), (200, place.body("")), "after {body}");
        }
        for body in
            [r#"{"method":"heartbeat"}"#, r#"{"id":null,"method":"status.get","params":{}}"#]
        {
            let response = Client::once(modegate.runtime(), place.request(body)).await;
            assert_eq!((response.status, response.text().as_str()), (200, body));
        }
    }
}
