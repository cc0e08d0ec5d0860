//! An id that arrives wins over what a message says.

use super::FAST;
use super::by_hand::{BRIDGE, ByHand, CONVERSATION, message, params, rpc};
use super::chain::{Chain, ROUTES, Say, counts, line, said};
use super::fault::{Fault, Forwards, Treatment};
use super::message::room_of;
use crate::harness::Request;

const FAST_MODE: Option<&str> = Some(r#"{"mode":"fast"}"#);
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// An API server with instrumentation that continues traces, or one that passes the id on.
#[tokio::test]
async fn a_server_that_forwards_ids_is_believed() {
    for (forwards, means) in [(Forwards::RequestId, "request_id"), (Forwards::Trace, "traceparent")]
    {
        let crossed = Fault::CrossRoom(room_of("somebody-elses"));
        for (fault, verdict) in
            [(Fault::None, "match"), (Fault::LoseMode, "mode_missing"), (crossed, "room_crossed")]
        {
            let treatment = Treatment { forwards, ..Treatment::new(fault) };
            let shown = format!("{treatment:?}");
            let chain = Chain::start(FAST, move |_| treatment.clone()).await;
            for route in &ROUTES {
                let say = Say { route, conversation: "c-1", text: "hi", mode: Some("fast") };
                let (_, handled) = chain.send(&say).await;
                let frontend = handled.message.request_id.as_str();
                let arrived = line(&chain.modegate, "bridge", &handled.calls[0].request_id).await;
                assert_eq!(said(&arrived), [verdict, means, frontend], "{shown} {route:?}");
            }
            let joins =
                counts(&chain.modegate, "modegate_parity_joins_total", "bridge", "means").await;
            assert_eq!(joins.get(means), Some(&(ROUTES.len() as u64)), "{shown}: {joins:?}");
        }
    }
}

/// Three messages that only their ids tell apart, arriving in another order.
#[tokio::test]
async fn what_says_the_same_is_told_apart_by_its_id() {
    let by_hand = ByHand::start(FAST).await;
    let sends = |id: &str, mode| message(CONVERSATION, "\"same\"", mode).header("X-Request-Id", id);
    by_hand.send("frontend", sends("one", FAST_MODE)).await;
    by_hand.send("frontend", sends("two", None)).await;
    by_hand.send("frontend", sends("three", FAST_MODE).header("Traceparent", TRACE)).await;
    let fast = r#","processing":{"mode":"fast"}"#;
    let arrives = |more| Request::post(BRIDGE, rpc(&params("\"same\"", more)));
    let cases = [
        (arrives(fast).header("Traceparent", TRACE), ["match", "traceparent", "three"]),
        (arrives("").header("X-Request-Id", "two"), ["match", "request_id", "two"]),
        (arrives("").header("X-Request-Id", "one"), ["mode_missing", "request_id", "one"]),
        (arrives(fast).header("X-Request-Id", "one"), ["duplicate", "room_text", "-"]),
    ];
    for (request, expected) in cases {
        let arrived = by_hand.send("bridge", request).await;
        assert_eq!(said(&arrived.line), expected);
    }
}

#[tokio::test]
async fn an_id_that_is_not_known_says_nothing() {
    let by_hand = ByHand::start(FAST).await;
    let left = by_hand.leaves("\"hi\"", FAST_MODE).await;
    let fast = params("\"hi\"", r#","processing":{"mode":"fast"}"#);
    let request = Request::post(BRIDGE, rpc(&fast))
        .header("X-Request-Id", "nobodys")
        .header("Traceparent", TRACE);
    let arrived = by_hand.send("bridge", request).await;
    let id = left.line["request_id"].as_str().expect("an id");
    assert_eq!(said(&arrived.line), ["match", "room_text", id]);
}

/// A second call of a trace is another message, and one that never left.
#[tokio::test]
async fn a_trace_has_more_calls_in_it_than_one() {
    let by_hand = ByHand::start(FAST).await;
    let left = message(CONVERSATION, "\"first\"", FAST_MODE).header("Traceparent", TRACE);
    by_hand.send("frontend", left).await;
    let fast = r#","processing":{"mode":"fast"}"#;
    for (text, expected) in [
        ("\"first\"", ["match", "traceparent"]),
        ("\"second\"", ["unobserved", "none"]),
        ("\"first\"", ["duplicate", "room_text"]),
    ] {
        let request = Request::post(BRIDGE, rpc(&params(text, fast)));
        let arrived = by_hand.send("bridge", request.header("Traceparent", TRACE)).await;
        assert_eq!(said(&arrived.line)[..2], expected, "{text}");
    }
}

/// An id finds its message though the server changed all that it says.
#[tokio::test]
async fn a_text_that_was_changed_is_found_by_its_id() {
    let by_hand = ByHand::start(FAST).await;
    let left = by_hand.leaves("\"as it was said\"", FAST_MODE).await;
    let id = left.line["request_id"].as_str().expect("an id");
    let changed = Request::post(BRIDGE, rpc(&params("\"changed\"", "")));
    let arrived = by_hand.send("bridge", changed.header("X-Request-Id", id)).await;
    assert_eq!(said(&arrived.line), ["mode_missing", "request_id", id]);
}

/// A client that gives all its messages one id: the id names none of them.
#[tokio::test]
async fn an_id_that_several_share_makes_no_mismatch() {
    let by_hand = ByHand::start(FAST).await;
    for (text, mode) in [("\"first\"", FAST_MODE), ("\"second\"", None)] {
        let request = message(CONVERSATION, text, mode).header("X-Request-Id", "shared");
        by_hand.send("frontend", request).await;
    }
    let fast = r#","processing":{"mode":"fast"}"#;
    for (text, more) in [("\"first\"", fast), ("\"second\"", "")] {
        let request = Request::post(BRIDGE, rpc(&params(text, more)));
        let arrived = by_hand.send("bridge", request.header("X-Request-Id", "shared")).await;
        let verdict = said(&arrived.line)[0];
        assert!(["match", "unobserved"].contains(&verdict), "{text}: {}", arrived.line);
    }
}
