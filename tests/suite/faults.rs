//! Upstreams that fail: what the client is told, in its dialect, and that nothing is sent twice.

use serde_json::{Value, json};

use crate::harness::{
    Address, Answer, Client, End, Full, Gone, Modegate, Origin, Request, eventually, script,
    settings, settings_for,
};
use crate::messages::PLACES;

const UNREACHABLE: (u16, i32, &str) = (502, -32000, "Upstream unreachable");
const LATE: (u16, i32, &str) = (504, -32000, "Upstream did not answer in time");

/// Every place is refused so; what is not inspected too.
async fn assert_all_refused(modegate: &Modegate, expected: (u16, i32, &str)) {
    for place in PLACES {
        let request = place.request(place.body(""));
        let response = Client::once(place.address(modegate), request).await;
        place.assert_refused(&response, expected, json!("rpc-7"));
    }
    let response = Client::once(modegate.bridge(), Request::get("/other")).await;
    assert_eq!(response.status, expected.0);
    assert_eq!(response.json(), json!({ "error": expected.2 }));
}

#[tokio::test]
async fn an_upstream_that_refuses_connections() {
    let gone = Gone::new();
    let url = gone.url();
    let modegate = Modegate::start(&settings_for(&url, "")).await;
    assert_all_refused(&modegate, UNREACHABLE).await;
    let without_id = Request::post("/bridge", r#"{"method":"heartbeat"}"#);
    let response = Client::once(modegate.runtime(), without_id).await;
    assert_eq!(response.json()["id"], Value::Null);
    let outcomes = [("outcome", "unavailable")];
    let expected = PLACES.len() as f64 + 2.0;
    modegate.counted("modegate_requests_total", &outcomes, expected).await;
    modegate.counted("modegate_upstream_connects_total", &[("result", "failed")], expected).await;
}

#[tokio::test]
async fn an_upstream_that_takes_no_connection_in_time() {
    let full = Full::new().await;
    let modegate =
        Modegate::start(&settings_for(&full.url(), "[timeouts]\nconnect = \"100ms\"\n")).await;
    assert_all_refused(&modegate, LATE).await;
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time() {
    let origin = Origin::start(|_| script().1).await;
    let extra = "[timeouts]\nfirst_byte = \"100ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    assert_all_refused(&modegate, LATE).await;
    assert_eq!(origin.requests(), PLACES.len() + 1);
    eventually("the connections' end", async || (origin.open() == 0).then_some(())).await;
}

#[tokio::test]
async fn an_upstream_that_ends_before_its_head_is_asked_once() {
    let heads: [&[u8]; 5] = [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"\0",
    ];
    for head in heads {
        for reset in [false, true] {
            let origin = Origin::start(move |_| match reset {
                true => Answer::ThenReset(head.to_vec()),
                false => Answer::ThenClose(head.to_vec()),
            })
            .await;
            let modegate = Modegate::start(&settings(&origin, "")).await;
            assert_all_refused(&modegate, UNREACHABLE).await;
            assert_eq!(origin.requests(), PLACES.len() + 1, "{head:?}");
        }
    }
}

#[tokio::test]
async fn a_request_on_a_pooled_connection_is_not_sent_twice_either() {
    let origin = Origin::start(|request| match request.target() {
        "/api/chat" => Answer::ThenClose(Vec::new()),
        _ => Answer::ok("{}"),
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "[server]\nthreads = 1\n")).await;
    for round in 1..=10 {
        assert_eq!(Client::once(modegate.frontend(), Request::get("/warm")).await.status, 200);
        let response = modegate.post("/api/chat", "{}").await;
        assert_eq!(response.status, 502);
        let received = origin.received();
        let posts: Vec<_> = received.iter().filter(|one| one.method() == "POST").collect();
        assert_eq!(posts.len(), round);
        let warm = &received[received.len() - 2];
        assert_eq!(posts[round - 1].connection, warm.connection, "it was a pooled one");
    }
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_is_replaced() {
    let origin = Origin::start(|_| {
        Answer::ThenClose(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec())
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "[server]\nthreads = 1\n")).await;
    for round in 1..=30 {
        let response = modegate.post("/api/chat", "{}").await;
        assert_eq!((response.status, response.text().as_str()), (200, "{}"), "round {round}");
        assert_eq!(origin.requests(), round);
        eventually("the connection's end", async || (origin.open() == 0).then_some(())).await;
    }
}

#[tokio::test]
async fn a_connection_that_is_fine_is_used_again() {
    let origin = Origin::echo().await;
    let extra = "[server]\nthreads = 1\n[timeouts]\npool_idle = \"2s\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    for address in [modegate.frontend(), modegate.frontend()] {
        assert_eq!(Client::once(address, Request::post("/api/chat", "{}")).await.status, 200);
    }
    assert_eq!(origin.accepted(), 1);
    eventually("the pool's end", async || (origin.open() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_cut_answer_is_a_cut() {
    let bodies: [&[u8]; 4] = [
        b"Content-Length: 10\r\n\r\n12345",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n123",
        b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n",
    ];
    let mut cuts = 0.0;
    for body in bodies {
        for reset in [false, true] {
            let bytes = [b"HTTP/1.1 200 OK\r\n", body].concat();
            let origin = Origin::start(move |_| match reset {
                true => Answer::ThenReset(bytes.clone()),
                false => Answer::ThenClose(bytes.clone()),
            })
            .await;
            let modegate = Modegate::start(&settings(&origin, "")).await;
            for place in PLACES {
                assert_cut(place.address(&modegate), &place.request(place.body(""))).await;
                cuts += 1.0;
            }
            assert_cut(modegate.frontend(), &Request::get("/other")).await;
            let outcomes = [("outcome", "cut")];
            modegate.counted("modegate_requests_total", &outcomes, PLACES.len() as f64 + 1.0).await;
        }
    }
    assert!(cuts > 0.0);
}

/// The answer must never seem to be whole. A reset may take the head with it, which shows as 502.
async fn assert_cut(address: &Address, request: &Request) {
    let mut client = Client::connect(address).await;
    let response = client.exchange(request).await;
    assert_eq!((response.status, response.end), (200, End::Cut), "{request:?}");
    client.closed().await;
}
