//! A request that has only its text in common with a message is not held against it where it may be
//! another's: where others send through this process, too, and where its own record expired.

use super::by_hand::{BRIDGE, ByHand, message, params, rpc};
use super::chain::{said, verdicts};
use super::message::room_of;
use crate::harness::{Request, eventually};

const ENFORCED: &str = "[flags]\ncontract = true\nruntime = true\ncloud_enforced = true\n\
     [canary]\npercent = 100\n";
const FAST_MODE: Option<&str> = Some(r#"{"mode":"fast"}"#);
const WITH_FAST: &str = r#","processing":{"mode":"fast"}"#;
/// So long that nobody else happens to say it.
const TEXT: &str = r#""what two rooms were sent, word for word the same""#;
const AMBIGUOUS: [&str; 3] = ["unobserved", "ambiguous", "-"];

/// The process takes over its file with the key changed.
async fn exclusive(by_hand: &ByHand, is_exclusive: bool) {
    let key = |is| format!("exclusive = {is}\n");
    let text = std::fs::read_to_string(by_hand.modegate.file()).expect("the file");
    let next = text.replace(&key(!is_exclusive), &key(is_exclusive));
    std::fs::write(by_hand.modegate.file(), next).expect("a new file");
    eventually("the new file", async || {
        let parity = by_hand.modegate.call("GET", "/parity", None).await.json();
        (parity["exclusive"] == is_exclusive).then_some(())
    })
    .await;
    let config = by_hand.modegate.call("GET", "/config", None).await.json();
    assert_eq!(config["settings"]["parity"]["exclusive"], is_exclusive);
    assert_eq!(config["restart_needed"], serde_json::json!([]));
}

#[tokio::test]
async fn a_text_says_nothing_where_others_send_too() {
    for on_mismatch in ["reject", "repair"] {
        let parity = format!("[parity]\nexclusive = false\non_mismatch = \"{on_mismatch}\"\n");
        let by_hand = ByHand::start(&format!("{ENFORCED}{parity}")).await;
        by_hand.leaves(TEXT, FAST_MODE).await;
        let elsewhere = format!(r#"{{"text":{TEXT},"roomId":"a-strangers"}}"#);
        let nowhere = format!(r#"{{"text":{TEXT}}}"#);
        for strangers in [&elsewhere, &nowhere] {
            let arrived = by_hand.arrives(strangers).await;
            assert_eq!(said(&arrived.line), AMBIGUOUS, "{strangers}");
            assert_eq!(arrived.forwarded.expect("it goes on").text(), rpc(strangers));
        }
        // All that names its message is held against it.
        let own = by_hand.arrives(&params(TEXT, WITH_FAST)).await;
        assert_eq!(said(&own.line)[..2], ["match", "room_text"]);
        let left = by_hand.leaves(TEXT, FAST_MODE).await;
        let id = left.line["request_id"].as_str().expect("an id");
        let crossed = Request::post(BRIDGE, rpc(&elsewhere)).header("X-Request-Id", id);
        let crossed = by_hand.send("bridge", crossed).await;
        assert_eq!(crossed.line["joined_by"], "request_id");
        let found = [&crossed.line["parity"], &crossed.line["repaired"], &crossed.line["reason"]];
        match on_mismatch {
            "repair" => assert_eq!(found[..2], ["match", "room_crossed"]),
            _ => assert_eq!([found[0], found[2]], ["room_crossed", "parity"]),
        }
        let contamination = [("leg", "bridge"), ("source", "request")];
        by_hand.modegate.counted("modegate_contamination_total", &contamination, 1.0).await;
        assert_eq!(verdicts(&by_hand.modegate, "bridge").await["unobserved"], 2);

        exclusive(&by_hand, true).await;
        by_hand.leaves(TEXT, FAST_MODE).await;
        let arrived = by_hand.arrives(&elsewhere).await;
        assert_eq!(arrived.line["joined_by"], "text");
        by_hand.modegate.counted("modegate_contamination_total", &contamination, 2.0).await;
        exclusive(&by_hand, false).await;
        by_hand.leaves(TEXT, FAST_MODE).await;
        assert_eq!(said(&by_hand.arrives(&elsewhere).await.line), AMBIGUOUS);
    }
}

/// Its own record is gone when its request comes, and another room was sent the same meanwhile.
#[tokio::test]
async fn who_comes_too_late_is_not_taken_for_another() {
    let parity = "[parity]\nwindow = \"3s\"\non_mismatch = \"repair\"\n";
    let by_hand = ByHand::start(&format!("{ENFORCED}{parity}")).await;
    by_hand.leaves(TEXT, FAST_MODE).await;
    let frontend = [("leg", "frontend")];
    by_hand.modegate.counted("modegate_parity_records", &frontend, 0.0).await;
    let other = "/api/conversations/c-2/messages";
    by_hand.send("frontend", message(other, TEXT, FAST_MODE)).await;
    for late in [params(TEXT, WITH_FAST), format!(r#"{{"text":{TEXT}}}"#)] {
        let arrived = by_hand.arrives(&late).await;
        assert_eq!(said(&arrived.line), AMBIGUOUS, "{late}");
        assert_eq!(arrived.forwarded.expect("it goes on").text(), rpc(&late));
    }
    let others = format!(r#"{{"text":{TEXT},"roomId":"{}"{WITH_FAST}}}"#, room_of("c-2"));
    let arrived = by_hand.arrives(&others).await;
    assert_eq!(said(&arrived.line)[..2], ["match", "room_text"]);
    let contamination = [("leg", "bridge"), ("source", "request")];
    by_hand.modegate.counted("modegate_contamination_total", &contamination, 0.0).await;
    by_hand.modegate.counted("modegate_parity_bytes", &frontend, 0.0).await;
}
