//! A room that changes its cohort between two legs has drifted; one whose legs are bucketed by
//! different keys has not.

use super::by_hand::{BRIDGE, ByHand, message, params, rpc};
use super::chain::said;
use crate::control_process::generation;
use crate::harness::{Modegate, Request, eventually};

const FLAGS: &str = "[flags]\ncontract = true\nruntime = true\ncloud_enforced = true\n";
const FAST_MODE: Option<&str> = Some(r#"{"mode":"fast"}"#);
const WITH_FAST: &str = r#","processing":{"mode":"fast"}"#;

/// Writes another percentage into the process's file and waits until it counts.
async fn percent(modegate: &Modegate, from: &str, to: &str) {
    let before = generation(modegate).await;
    let text = std::fs::read_to_string(modegate.file()).expect("the file");
    let (from, to) = (format!("percent = {from}\n"), format!("percent = {to}\n"));
    assert!(text.contains(&from), "{text}");
    std::fs::write(modegate.file(), text.replace(&from, &to)).expect("a new file");
    eventually("the new percentage", async || (generation(modegate).await > before).then_some(()))
        .await;
}

#[tokio::test]
async fn a_percentage_that_changes_between_two_legs_is_drift_and_no_mismatch() {
    let by_hand = ByHand::start(&format!("{FLAGS}[canary]\npercent = 100\n")).await;
    for (text, mode) in [("\"0\"", FAST_MODE), ("\"1\"", None), ("\"2\"", FAST_MODE)] {
        assert_eq!(by_hand.leaves(text, mode).await.line["cohort"], "canary");
    }
    percent(&by_hand.modegate, "100", "0").await;
    let cases = [
        ("\"0\"", WITH_FAST, "cohort_drift"),
        ("\"1\"", "", "cohort_drift"),
        // It would not leave any more: it is not missed.
        ("\"2\"", "", "cohort_drift"),
    ];
    for (text, more, verdict) in cases {
        let arrived = by_hand.arrives(&params(text, more)).await;
        assert_eq!(said(&arrived.line)[..2], [verdict, "room_text"], "{text}");
        // The mode would not have survived: nothing is refused for it.
        assert_eq!((arrived.response.status, &arrived.line["mode"]), (200, &"default".into()));
    }
    // From here on both legs see the same.
    by_hand.leaves("\"3\"", FAST_MODE).await;
    let arrived = by_hand.arrives(&params("\"3\"", r#","processing":{"mode":"default"}"#)).await;
    assert_eq!(said(&arrived.line)[0], "match");
    by_hand.modegate.counted("modegate_parity_enforced_total", &[], 0.0).await;
}

#[tokio::test]
async fn the_runtime_leg_sees_drift_too() {
    let by_hand = ByHand::start(&format!("{FLAGS}[canary]\npercent = 100\n")).await;
    by_hand.arrives(&params("\"0\"", WITH_FAST)).await;
    percent(&by_hand.modegate, "100", "0").await;
    let request = Request::post("/bridge", rpc(&params("\"0\"", WITH_FAST)));
    let arrived = by_hand.send("runtime", request).await;
    assert_eq!(said(&arrived.line)[..2], ["cohort_drift", "rpc_id"]);
}

/// The API server drops headers: who is bucketed by one has no key on the bridge leg, or another
/// one, and that says nothing of a change.
#[tokio::test]
async fn who_is_bucketed_by_a_header_never_drifts() {
    let lists = "allow = [\"ann\"]\n";
    let keys = [
        ("[\"header:x-user\"]", "100"),
        ("[\"header:x-user\"]", "0"),
        ("[\"header:x-user\", \"room\"]", "0"),
        ("[\"header:x-user\", \"room\"]", "100"),
        ("[\"room\", \"header:x-user\"]", "0"),
    ];
    for (keys, percent) in keys {
        let extra = format!("{FLAGS}[canary]\npercent = {percent}\nkey = {keys}\n{lists}");
        let extra = extra.replace("cloud_enforced = true\n", "");
        let by_hand = ByHand::start(&extra).await;
        let targets = [
            ("/api/conversations/c-1/messages", params("\"hi\"", WITH_FAST)),
            (
                "/api/chat",
                r#"{"text":"hi","roomId":"web-chat","processing":{"mode":"fast"}}"#.into(),
            ),
        ];
        for (target, params) in targets {
            for user in ["ann", "bob"] {
                let request = message(target, "\"hi\"", FAST_MODE).header("X-User", user);
                let left = by_hand.send("frontend", request).await;
                let params = match left.line["mode"].as_str() {
                    Some("fast") => params.clone(),
                    _ => params.replace("fast", "default"),
                };
                let arrived = by_hand.send("bridge", Request::post(BRIDGE, rpc(&params))).await;
                let case = format!("{keys} {percent} {target} {user}");
                assert_eq!(said(&arrived.line)[0], "match", "{case}: {}", arrived.line);
            }
        }
    }
}
