//! What cannot be told apart is unobserved, never a mismatch and never a duplicate.

use super::by_hand::{BRIDGE, ByHand, message, rpc};
use super::chain::said;
use super::message::room_of;
use crate::harness::Request;

const ENFORCED: &str = "[flags]\ncontract = true\nruntime = true\ncloud_enforced = true\n\
     [canary]\npercent = 100\n";

/// A step: the text, the conversation (none: no room is named), and whether it is the fast mode.
#[derive(Clone, Copy, Debug)]
enum Step {
    Leaves(&'static str, &'static str, bool),
    Arrives(&'static str, Option<&'static str>, bool, [&'static str; 2]),
}

async fn follow(steps: &[Step]) {
    let by_hand = ByHand::start(ENFORCED).await;
    let fast = |fast: bool| fast.then_some(r#"{"mode":"fast"}"#);
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Leaves(text, conversation, mode) => {
                let target = format!("/api/conversations/{conversation}/messages");
                let request = message(&target, &format!("\"{text}\""), fast(mode));
                by_hand.send("frontend", request).await;
            }
            Step::Arrives(text, conversation, mode, expected) => {
                let mut params = serde_json::json!({ "text": text });
                if let Some(conversation) = conversation {
                    params["roomId"] = room_of(conversation).into();
                }
                if mode {
                    params["processing"] = serde_json::json!({ "mode": "fast" });
                }
                let request = Request::post(BRIDGE, rpc(&params.to_string()));
                let arrived = by_hand.send("bridge", request).await;
                assert_eq!(said(&arrived.line)[..2], expected, "{number}: {step:?}");
                // Nobody is refused for a short text that somebody else said.
                let refused = expected[0].starts_with("mode");
                assert_eq!(arrived.forwarded.is_none(), refused, "{number}: {step:?}");
            }
        }
    }
}

#[tokio::test]
async fn modes_of_one_text_in_one_room() {
    let unobserved = ["unobserved", "ambiguous"];
    follow(&[
        Step::Leaves("hi", "a", true),
        Step::Leaves("hi", "a", false),
        Step::Leaves("hi", "a", true),
        Step::Arrives("hi", Some("a"), false, unobserved),
        Step::Arrives("hi", Some("a"), true, unobserved),
        // The mode of one of them was lost: which, nobody knows.
        Step::Arrives("hi", Some("a"), false, unobserved),
        // All are gone: from here on it is known again.
        Step::Leaves("hi", "a", true),
        Step::Arrives("hi", Some("a"), true, ["match", "room_text"]),
        Step::Arrives("hi", Some("a"), true, ["duplicate", "room_text"]),
    ])
    .await;
}

#[tokio::test]
async fn rooms_of_one_text() {
    let matches = ["match", "room_text"];
    follow(&[
        Step::Leaves("hi", "a", true),
        Step::Leaves("hi", "b", false),
        // Either could have lost its room, or be in the wrong one.
        Step::Arrives("hi", None, true, ["unobserved", "ambiguous"]),
        Step::Arrives("hi", Some("c"), true, ["unobserved", "ambiguous"]),
        Step::Arrives("hi", Some("b"), false, matches),
        // Only one is left that it can be.
        Step::Arrives("hi", Some("c"), true, ["room_crossed", "text"]),
        Step::Arrives("hi", Some("a"), true, matches),
    ])
    .await;
}

/// Somebody else says the same in a room that is not known, or the room was lost: its own may still
/// come, and is not taken for what was said after it.
#[tokio::test]
async fn what_a_stranger_was_taken_for_may_still_come() {
    let unobserved = ["unobserved", "ambiguous"];
    for (stranger, verdict) in [(None, "room_missing"), (Some("b"), "room_crossed")] {
        follow(&[
            Step::Leaves("hi", "a", true),
            Step::Arrives("hi", stranger, true, [verdict, "text"]),
            Step::Arrives("hi", Some("a"), true, ["match", "room_text"]),
            Step::Leaves("hi", "a", true),
            Step::Arrives("hi", stranger, true, [verdict, "text"]),
            Step::Leaves("hi", "a", false),
            Step::Arrives("hi", Some("a"), true, unobserved),
            Step::Arrives("hi", Some("a"), false, unobserved),
            Step::Leaves("hi", "a", true),
            Step::Arrives("hi", Some("a"), true, ["match", "room_text"]),
        ])
        .await;
    }
}

/// One message was crossed into another's room, where the same was said: it passes for the other
/// one, and the other one is then no duplicate.
#[tokio::test]
async fn who_was_taken_for_another_is_no_duplicate() {
    for others in [&["a"][..], &["a", "c"], &["a", "c", "d", "e"]] {
        let mut steps: Vec<Step> =
            others.iter().map(|other| Step::Leaves("yes", other, false)).collect();
        steps.push(Step::Leaves("yes", "b", false));
        steps.push(Step::Arrives("yes", Some("b"), false, ["match", "room_text"]));
        steps.push(Step::Arrives("yes", Some("b"), false, ["unobserved", "ambiguous"]));
        follow(&steps).await;
    }
}
