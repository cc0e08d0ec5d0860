//! Cases 51, 52, 57 and 58: heads that Node refuses, and heads that only Node takes.

use crate::framing::{Front, SMUGGLED, TARGETS};
use crate::harness::eventually;

/// A head's lines as they are, then what follows.
const REFUSED_BY_NODE: &[&str] = &[
    "POST TARGET HTTP/1.1\nHost: h\nContent-Length: 0\n\n",
    "POST TARGET HTTP/1.1\r\nHost: h\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\rX",
    "POST TARGET HTTP/1.1\rHost: h\r\rX",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nX: a\nb: c\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nX\0: a\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nX: a\u{1}b\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nX: 1\r\n folded\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nX: 1\r\n\tfolded\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nX: 1\r\n \r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\n Host: h\r\nContent-Length: 0\r\n\r\n",
    " POST TARGET HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nX : 1\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nX\t: 1\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\n: 1\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nX Y: 1\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: h\r\nX\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.2\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.10\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET http/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET \r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1 \r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET X HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST\tTARGET HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET\tX HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET\0 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET\u{c3}\u{a9} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET\u{7f} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/// What Node takes, and we do not: behind us there may be others.
const TAKEN_BY_NODE: &[&str] = &[
    "POST TARGET HTTP/0.9\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/2.0\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: a@b\r\nContent-Length: 0\r\n\r\n",
    "POST TARGET HTTP/1.1\r\nHost: a b\r\nContent-Length: 0\r\n\r\n",
    "\r\n\r\nPOST TARGET HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
];

#[tokio::test]
async fn case_52_heads_that_node_refuses_are_refused() {
    let front = Front::start("").await;
    for text in REFUSED_BY_NODE {
        let text = format!("{text}{SMUGGLED}");
        // Where Node's answer leaves the connection open, it may read what follows.
        let read = front.node_reads(&text).await;
        assert!(read.iter().all(|read| read.url == "/smuggled"), "{text:?}: {read:?}");
        front.refuses(&text, &[400]).await;
    }
    front.counted("bad_head", REFUSED_BY_NODE.len() * TARGETS.len() * 2).await;
}

#[tokio::test]
async fn cases_51_and_52_heads_that_only_node_takes_are_refused() {
    let front = Front::start("").await;
    for text in TAKEN_BY_NODE {
        let text = format!("{text}{SMUGGLED}");
        assert_ne!(front.node_reads(&text).await.len(), 0, "{text:?}");
        front.refuses(&text, &[400]).await;
    }
    front.counted("bad_head", TAKEN_BY_NODE.len() * TARGETS.len() * 2).await;
}

#[tokio::test]
async fn case_51_http_1_0_bodies_have_a_length() {
    let front = Front::start("").await;
    // Without a length there is no body: what follows is never one that ends with the connection.
    for rest in ["", "{}", "not a request"] {
        let text = format!("POST /upload HTTP/1.0\r\n\r\n{rest}");
        let mut client = crate::harness::Client::connect(front.modegate.frontend()).await;
        client.write(&text).await;
        assert_eq!(client.response().await.status, 200, "{text:?}");
        client.closed().await;
        assert_eq!(front.recorder.last().text(), "", "{text:?}");
    }
    front.recorder.forget();
    let mut client = crate::harness::Client::connect(front.modegate.frontend()).await;
    let kept = "POST /upload HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}";
    for _ in 0..2 {
        client.write(kept).await;
        assert_eq!(client.response().await.text(), "{}");
    }
    assert_eq!(front.recorder.requests(), 2);
}

#[tokio::test]
async fn case_57_http_2_in_clear_is_not_passed_on() {
    let front = Front::start("").await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0";
    front.refuses(preface, &[400]).await;
    for (leg, target) in [TARGETS[1], TARGETS[2]] {
        // Behind a request it is none either.
        let mut client = crate::harness::Client::connect(front.modegate.leg(leg, 0)).await;
        let text = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n{preface}");
        client.write(super::bytes(&text)).await;
        assert_eq!(client.response().await.status, 200);
        assert_eq!(client.response().await.status, 400);
        client.closed().await;

        let mut client = crate::harness::Client::connect(front.modegate.leg(leg, 0)).await;
        let asks = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n";
        let text = format!("GET {target} HTTP/1.1\r\nHost: h\r\n{asks}\r\n{preface}");
        client.write(super::bytes(&text)).await;
        let response = client.response().await;
        assert_eq!((response.status, response.header("connection")), (200, Some("close")));
        client.closed().await;
        let received = front.recorder.last();
        for name in ["upgrade", "http2-settings", "connection"] {
            assert_eq!(received.header(name), None, "{name}");
        }
    }
    assert_eq!(front.recorder.requests(), 4);
    front.recorder.forget();
    front.answers("a preface").await;
}

#[tokio::test]
async fn case_58_methods_that_are_not_served() {
    let front = Front::start("").await;
    let long = "A".repeat(8 * 1024);
    for method in ["CONNECT", "TRACE", "get", "Post", "P0ST", "P_ST", "GET!", &long] {
        let text =
            format!("{method} TARGET HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n{SMUGGLED}");
        let statuses = if method == "CONNECT" { [405, 400] } else { [405, 405] };
        front.refuses(&text, &statuses).await;
    }
    let text = format!("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n{SMUGGLED}");
    front.refuses(&text, &[405]).await;
    let lines = eventually("the lines of the longest", async || {
        let lines = front.modegate.access_lines();
        let longest = |line: &&serde_json::Value| line["method"] == long[..32];
        (lines.iter().filter(longest).count() == TARGETS.len() * 2).then_some(lines)
    })
    .await;
    for line in lines {
        assert!(line["method"].as_str().is_some_and(|method| method.len() <= 32), "{line}");
    }
}
