//! `Expect: 100-continue` at its edges: clients that do not wait, bodies that do not follow, no
//! body at all, HTTP/1.0, and reasons to answer that are known before a body is wanted.

use serde_json::Value;

use crate::harness::{Answer, Client, Gone, Modegate, Origin, Request, listener, script, settings};
use crate::messages::PLACES;

#[tokio::test]
async fn a_client_that_does_not_wait_is_served_too() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for place in PLACES {
        for size in [None, Some(3)] {
            let mut request = place.request(place.body("")).header("Expect", "100-continue");
            if let Some(size) = size {
                request = request.chunked(size);
            }
            let response = Client::once(place.address(&modegate), request).await;
            assert_eq!((response.status, response.text()), (200, place.body("")), "{place:?}");
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_follow_is_waited_for_no_longer_than_any() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "[timeouts]\nbody = \"100ms\"\n")).await;
    for place in PLACES {
        let request = place.request(place.body("")).header("Expect", "100-continue");
        let mut client = Client::connect(place.address(&modegate)).await;
        client.write(request.head()).await;
        let response = client.response().await;
        assert_eq!(response.interim, [100], "{place:?}");
        let expected = (408, -32000, "Request body did not arrive in time");
        place.assert_refused(&response, expected, Value::Null);
        client.closed().await;
    }
    assert_eq!(origin.accepted(), 0);
}

#[tokio::test]
async fn what_streams_through_is_asked_for_as_well() {
    let (steps, answer) = script();
    let answer = std::sync::Mutex::new(Some(answer));
    let origin =
        Origin::start(move |_| answer.lock().expect("no panic").take().unwrap_or(Answer::Echo))
            .await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let request = Request::post("/upload", "the body").header("Expect", "100-continue");
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(request.head()).await;
    assert_eq!(client.head().await.expect("an interim answer").part(1), "100");
    client.write("the body").await;
    let done = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";
    steps.send(done);
    assert_eq!(client.response().await.text(), "done");
    let received = origin.last();
    assert_eq!((received.text().as_str(), received.header("expect")), ("the body", None));
}

#[tokio::test]
async fn without_a_body_there_is_nothing_to_ask_for() {
    let origin = Origin::start(|_| Answer::ok("fine")).await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for request in [Request::get("/"), Request::post("/api/other", "")] {
        let request = request.header("Expect", "100-continue");
        let response = Client::once(modegate.frontend(), request).await;
        assert_eq!((response.text().as_str(), response.interim.len()), ("fine", 0));
        assert_eq!(origin.last().header("expect"), None);
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_is_sent_no_interim_answer() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for target in ["/api/chat", "/upload"] {
        let request = Request::post(target, "{}").header("Expect", "100-continue");
        let text =
            String::from_utf8(request.bytes()).expect("text").replace("HTTP/1.1", "HTTP/1.0");
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(text).await;
        let response = client.response().await;
        assert_eq!((response.status, response.text().as_str()), (200, "{}"), "{target}");
        assert_eq!(response.interim, [0u16; 0], "{target}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_said_before_the_body_is_asked_for() {
    let gone = Gone::new();
    let url = gone.url();
    let modegate = Modegate::start(&listener("frontend", &url)).await;
    let request = Request::post("/upload", "the body").header("Expect", "100-continue");
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(request.head()).await;
    let response = client.response().await;
    assert_eq!((response.status, response.interim.len()), (502, 0));
}

#[tokio::test]
async fn the_refusal_of_another_expectation_has_its_dialects_shape() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for place in PLACES {
        let request = place.request(place.body(""));
        let twice = request.clone().header("Expect", "100-continue").header("Expect", "other");
        for request in [request.header("Expect", "100-continue;q=1"), twice] {
            let mut client = Client::connect(place.address(&modegate)).await;
            client.write(request.head()).await;
            let response = client.response().await;
            let expected = (417, -32000, "Expect must be 100-continue");
            place.assert_refused(&response, expected, Value::Null);
            assert_eq!(response.interim, [0u16; 0], "{place:?}");
            client.closed().await;
        }
    }
    assert_eq!(origin.accepted(), 0);
}
