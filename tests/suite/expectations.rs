//! `Expect`: the client is told to go on before an inspected body is read, or told why not.

use serde_json::Value;

use crate::harness::{Client, Modegate, Origin, Request, settings};
use crate::messages::PLACES;

#[tokio::test]
async fn a_client_that_waits_is_told_to_go_on() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "[flags]\ncontract = true\n")).await;
    for place in PLACES {
        for expectation in ["100-continue", "100-Continue"] {
            for chunk in [None, Some(9)] {
                let mut request = place.request(place.body("")).header("Expect", expectation);
                if let Some(size) = chunk {
                    request = request.chunked(size);
                }
                let head = request.head();
                let before = origin.requests();
                let mut client = Client::connect(place.address(&modegate)).await;
                client.write(&head).await;
                let interim = client.head().await.expect("an interim answer");
                assert_eq!(interim.part(1), "100", "{place:?}");
                assert_eq!(origin.requests(), before, "nothing leaves before it is inspected");
                client.write(&request.bytes()[head.len()..]).await;
                let response = client.response().await;
                assert!(response.interim.is_empty(), "once is enough");
                assert_eq!((response.status, response.text()), (200, place.body("")));
                assert_eq!(origin.last().header("expect"), None);
                // And again on the same connection, without waiting.
                let response = client.exchange(&request).await;
                assert_eq!((response.status, response.text()), (200, place.body("")));
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_would_be_refused_is_not_asked_for() {
    let origin = Origin::echo().await;
    let extra = "[contract]\nbody_limit = \"1KiB\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    for place in PLACES {
        let large = place.request(vec![b' '; 1025]).header("Expect", "100-continue");
        let mut client = Client::connect(place.address(&modegate)).await;
        client.write(large.head()).await;
        let response = client.response().await;
        assert!(response.interim.is_empty(), "{place:?}");
        let message = "Request body exceeds maximum size (1024 bytes)";
        place.assert_refused(&response, (413, -32000, message), Value::Null);
        client.closed().await;

        let coded = place.request("{}").header("Expect", "100-continue");
        let coded = coded.header("Content-Encoding", "br");
        let mut client = Client::connect(place.address(&modegate)).await;
        client.write(coded.head()).await;
        let response = client.response().await;
        assert!(response.interim.is_empty(), "{place:?}");
        let message = "Content-Encoding must be identity";
        place.assert_refused(&response, (415, -32000, message), Value::Null);
    }
    assert_eq!(origin.accepted(), 0);
}

#[tokio::test]
async fn other_expectations_fail() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for expectation in ["200-ok", "100-continue, other", "", "continue"] {
        for (leg, target) in
            [("frontend", "/api/chat"), ("frontend", "/upload"), ("runtime", "/bridge")]
        {
            let request = Request::post(target, "{}").header("Expect", expectation);
            let mut client = Client::connect(modegate.leg(leg, 0)).await;
            client.write(request.head()).await;
            let response = client.response().await;
            assert_eq!(response.status, 417, "{expectation:?} on {target}");
            assert!(response.text().contains("Expect must be 100-continue"));
            client.closed().await;
        }
    }
    assert_eq!(origin.accepted(), 0);
}
