//! A rollback between two legs: what would not apply any more is neither missed nor put back.

use super::by_hand::{ByHand, params, rpc};
use super::chain::said;

const ON: &str = "[flags]\ncontract = true\nruntime = true\ncloud_enforced = true\n\
     [canary]\npercent = 100\n";
const FAST_MODE: Option<&str> = Some(r#"{"mode":"fast"}"#);
const WITH_FAST: &str = r#","processing":{"mode":"fast"}"#;
const WITH_DEFAULT: &str = r#","processing":{"mode":"default"}"#;

/// What arrives after the rollback, what goes on, and what is said of it.
fn cases(stripped: bool) -> [(&'static str, &'static str, &'static str); 3] {
    let downgraded = if stripped { "" } else { WITH_DEFAULT };
    [("", "", "match"), (WITH_DEFAULT, downgraded, "match"), (WITH_FAST, downgraded, "match")]
}

#[tokio::test]
async fn a_rollback_between_two_legs_is_not_undone() {
    for on_mismatch in ["reject", "repair"] {
        for (flag, value) in [("runtime", false), ("kill", true)] {
            let extra = format!("{ON}[parity]\non_mismatch = \"{on_mismatch}\"\n");
            let by_hand = ByHand::start(&extra).await;
            let cases = cases(flag == "kill");
            for number in 0..cases.len() {
                let left = by_hand.leaves(&format!("\"{number}\""), FAST_MODE).await;
                assert_eq!(left.line["mode"], "fast");
            }
            by_hand.modegate.flag(flag, value).await;
            for (number, (arrives, goes_on, verdict)) in cases.iter().enumerate() {
                let text = format!("\"{number}\"");
                let arrived = by_hand.arrives(&params(&text, arrives)).await;
                let case = format!("{on_mismatch} {flag} {arrives}");
                assert_eq!(said(&arrived.line)[0], *verdict, "{case}");
                assert_eq!(arrived.response.status, 200, "{case}");
                let forwarded = arrived.forwarded.unwrap_or_else(|| panic!("{case}: refused"));
                assert_eq!(forwarded.text(), rpc(&params(&text, goes_on)), "{case}");
                assert_eq!(forwarded.header("x-processing-mode"), Some("default"), "{case}");
            }
            by_hand.modegate.counted("modegate_parity_enforced_total", &[], 0.0).await;
        }
    }
}

/// Another conversation's room is never right, but after a kill nothing is changed any more.
#[tokio::test]
async fn a_room_is_enforced_until_the_kill() {
    let crossed = r#"{"text":TEXT,"roomId":"somebody-elses"}"#;
    for (flag, value, goes_on) in
        [("runtime", false, true), ("cloud_enforced", false, false), ("kill", true, false)]
    {
        let by_hand = ByHand::start(&format!("{ON}[parity]\non_mismatch = \"repair\"\n")).await;
        let text = "\"what nobody else happens to say in his room\"";
        by_hand.leaves(text, None).await;
        by_hand.modegate.flag(flag, value).await;
        let params_sent = crossed.replace("TEXT", text);
        let arrived = by_hand.arrives(&params_sent).await;
        let found = arrived.line["repaired"].as_str().unwrap_or(said(&arrived.line)[0]);
        assert_eq!(found, "room_crossed", "{flag}");
        let expected = match goes_on {
            true => params_sent.replace("somebody-elses", &super::by_hand::room()),
            false => params_sent,
        };
        assert_eq!(arrived.forwarded.expect("it goes on").text(), rpc(&expected), "{flag}");
    }
}

/// What left before the flags came on is not held against them.
#[tokio::test]
async fn what_was_downgraded_before_the_mode_was_switched_on_is_a_match() {
    let extra = ON.replace("runtime = true\n", "");
    let by_hand = ByHand::start(&extra).await;
    by_hand.leaves("\"hi\"", FAST_MODE).await;
    by_hand.modegate.flag("runtime", true).await;
    let arrived = by_hand.arrives(&params("\"hi\"", WITH_DEFAULT)).await;
    assert_eq!(said(&arrived.line)[0], "match");
    assert_eq!(arrived.response.status, 200);
}
