//! What is sent again is no duplicate where the server never passed it on, and what nobody claims
//! is said so: at once where the server refused it, else when the window is over.

use super::FAST;
use super::by_hand::{ByHand, CONVERSATION, message, params, rpc};
use super::chain::{said, verdicts};
use crate::harness::{Client, Gone, Modegate, settings_for};

const FAST_MODE: Option<&str> = Some(r#"{"mode":"fast"}"#);
const WITH_FAST: &str = r#","processing":{"mode":"fast"}"#;

/// Whether the metrics say that so many were never claimed.
async fn unclaimed(by_hand: &ByHand, number: f64) {
    let labels = [("leg", "frontend"), ("verdict", "unclaimed")];
    by_hand.modegate.counted("modegate_parity_total", &labels, number).await;
}

/// The frontend sends again with a token after 401, to a new conversation after 404, and without a
/// stream after a stream's 404.
#[tokio::test]
async fn a_client_that_sends_again_makes_no_duplicate() {
    let by_hand = ByHand::start(FAST).await;
    let stream = "/api/conversations/c-1/messages/stream";
    let cases = [
        ("after 401", CONVERSATION, "?401"),
        ("after 404", "/api/conversations/gone/messages", "?404"),
        ("after a stream's 404", stream, "?404"),
        ("after 400", CONVERSATION, "?400"),
        ("after 409", CONVERSATION, "?409"),
    ];
    for (number, (name, first, status)) in cases.iter().enumerate() {
        let text = format!("\"again {name}\"");
        let refused = message(&format!("{first}{status}"), &text, FAST_MODE);
        let refused = by_hand.send("frontend", refused).await;
        assert_eq!(refused.response.status.to_string(), status[1..], "{name}");
        assert_eq!(refused.line["path"], "local", "{name}");
        unclaimed(&by_hand, (number + 1) as f64).await;
        let again = by_hand.leaves(&text, FAST_MODE).await;
        let id = again.line["request_id"].as_str().expect("an id");
        let arrived = by_hand.arrives(&params(&text, WITH_FAST)).await;
        assert_eq!(said(&arrived.line), ["match", "room_text", id], "{name}");
    }
    let all = verdicts(&by_hand.modegate, "bridge").await;
    assert_eq!(all.into_iter().collect::<Vec<_>>(), [("match".to_owned(), cases.len() as u64)]);
}

/// The mode that was refused is not the one that is compared.
#[tokio::test]
async fn what_was_refused_is_nobodys() {
    let by_hand = ByHand::start(FAST).await;
    let refused = message(&format!("{CONVERSATION}?401"), "\"hi\"", FAST_MODE);
    by_hand.send("frontend", refused).await;
    by_hand.leaves("\"hi\"", None).await;
    let arrived = by_hand.arrives(&params("\"hi\"", "")).await;
    assert_eq!(said(&arrived.line)[..2], ["match", "room_text"]);
    // Nothing is left of either.
    let arrived = by_hand.arrives(&params("\"hi\"", "")).await;
    assert_eq!(said(&arrived.line), ["duplicate", "room_text", "-"]);
}

/// The same words twice, one after the other, are two messages.
#[tokio::test]
async fn who_says_it_twice_is_heard_twice() {
    let by_hand = ByHand::start(FAST).await;
    let modes = [(FAST_MODE, WITH_FAST), (None, ""), (FAST_MODE, WITH_FAST)];
    for (mode, more) in modes {
        let left = by_hand.leaves("\"yes\"", mode).await;
        let id = left.line["request_id"].as_str().expect("an id");
        let arrived = by_hand.arrives(&params("\"yes\"", more)).await;
        assert_eq!(said(&arrived.line), ["match", "room_text", id]);
    }
    // All are let through before the first arrives: the oldest comes first.
    let mut ids = Vec::new();
    for _ in 0..3 {
        let left = by_hand.leaves("\"no\"", FAST_MODE).await;
        ids.push(left.line["request_id"].as_str().expect("an id").to_owned());
    }
    for id in &ids {
        let arrived = by_hand.arrives(&params("\"no\"", WITH_FAST)).await;
        assert_eq!(said(&arrived.line), ["match", "room_text", id.as_str()]);
    }
    let arrived = by_hand.arrives(&params("\"no\"", WITH_FAST)).await;
    assert_eq!(said(&arrived.line), ["duplicate", "room_text", "-"]);
}

#[tokio::test]
async fn what_never_left_is_unobserved_and_goes_on() {
    let by_hand = ByHand::start(&format!("{FAST}[parity]\non_mismatch = \"repair\"\n")).await;
    by_hand.modegate.flag("cloud_enforced", true).await;
    by_hand.leaves("\"something else\"", FAST_MODE).await;
    let fast = params("\"from a gateway\"", WITH_FAST);
    for params in [fast.as_str(), r#"{"text":"hi"}"#, r#"{"roomId":"discord-dm:1"}"#, "{}", "7"] {
        let arrived = by_hand.arrives(params).await;
        assert_eq!(said(&arrived.line), ["unobserved", "none", "-"], "{params}");
        assert_eq!(arrived.response.status, 200, "{params}");
        assert_eq!(arrived.forwarded.expect("it goes on").text(), rpc(params));
    }
    by_hand.modegate.counted("modegate_parity_enforced_total", &[], 0.0).await;
}

#[tokio::test]
async fn what_nobody_claims_within_the_window_is_unclaimed() {
    let by_hand = ByHand::start(&format!("{FAST}[parity]\nwindow = \"200ms\"\n")).await;
    for number in 0..3 {
        let left = by_hand.leaves(&format!("\"{number}\""), FAST_MODE).await;
        assert_eq!(left.line["path"], "local");
    }
    unclaimed(&by_hand, 3.0).await;
    let records = [("leg", "frontend")];
    by_hand.modegate.counted("modegate_parity_records", &records, 0.0).await;
    by_hand.modegate.counted("modegate_parity_bytes", &records, 0.0).await;
    // Who comes too late finds nothing.
    let arrived = by_hand.arrives(&params("\"0\"", "")).await;
    assert_eq!(said(&arrived.line), ["unobserved", "none", "-"]);
    let labels = [("leg", "bridge"), ("verdict", "unclaimed")];
    by_hand.modegate.counted("modegate_parity_total", &labels, 1.0).await;
    assert_eq!(verdicts(&by_hand.modegate, "bridge").await["unobserved"], 1);
}

/// An upstream that could not be asked did not pass it on either.
#[tokio::test]
async fn what_the_server_never_got_is_unclaimed_at_once() {
    let gone = Gone::new();
    let modegate = Modegate::start(&settings_for(&gone.url(), FAST)).await;
    for number in 0..3 {
        let request = message(CONVERSATION, &format!("\"{number}\""), FAST_MODE);
        assert_eq!(Client::once(modegate.frontend(), request).await.status, 502);
    }
    let labels = [("leg", "frontend"), ("verdict", "unclaimed")];
    modegate.counted("modegate_parity_total", &labels, 3.0).await;
}
