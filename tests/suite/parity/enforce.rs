//! `on_mismatch = "reject"`: the request goes nowhere, and its answer names the fault as the cloud
//! itself would say that something went wrong.

use serde_json::{Value, json};

use super::by_hand::{BRIDGE, ByHand, STREAM, params, room, rpc};
use super::chain::{said, verdicts};
use crate::harness::{Request, Response};

const ENFORCED: &str = "[flags]\ncontract = true\nruntime = true\ncloud_enforced = true\n\
     [canary]\npercent = 100\n";
const FAST_MODE: Option<&str> = Some(r#"{"mode":"fast"}"#);
const WITH_FAST: &str = r#","processing":{"mode":"fast"}"#;

/// The error of an answer in its target's shape, held against what all such answers share.
fn error(target: &str, response: &Response) -> Value {
    assert_eq!(response.status, 200, "{}", response.text());
    if target == BRIDGE {
        assert_eq!(response.header("content-type"), Some("application/json"));
        let body = response.json();
        assert_eq!((&body["jsonrpc"], &body["id"]), (&json!("2.0"), &json!("rpc-1")));
        return body["error"].clone();
    }
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    let text = response.text();
    let data = text.strip_prefix("event: error\ndata: ").and_then(|text| text.strip_suffix("\n\n"));
    serde_json::from_str(data.expect("one event")).expect("its data in JSON")
}

#[tokio::test]
async fn every_mismatch_is_refused_in_both_shapes() {
    let by_hand = ByHand::start(ENFORCED).await;
    let crossed = r#"{"text":TEXT,"roomId":"somebody-elses","processing":{"mode":"fast"}}"#;
    let cases = [
        (FAST_MODE, params("TEXT", ""), "mode_missing", Some(["fast", "none"])),
        (
            FAST_MODE,
            params("TEXT", r#","processing":{"mode":"default"}"#),
            "mode_altered",
            Some(["fast", "default"]),
        ),
        (
            FAST_MODE,
            params("TEXT", r#","processing":{"mode":"turbo"}"#),
            "mode_altered",
            Some(["fast", "invalid"]),
        ),
        (None, params("TEXT", WITH_FAST), "mode_invented", Some(["default", "fast"])),
        (None, r#"{"text":TEXT}"#.to_owned(), "room_missing", None),
        (FAST_MODE, r#"{"text":TEXT,"roomId":7}"#.to_owned(), "room_missing", None),
        (FAST_MODE, crossed.to_owned(), "room_crossed", None),
    ];
    let mut number = 0;
    for target in [BRIDGE, STREAM] {
        for (mode, params, verdict, named) in &cases {
            number += 1;
            let text = format!("\"what nobody else happens to say, number {number}\"");
            let left = by_hand.leaves(&text, *mode).await;
            let body = rpc(&params.replace("TEXT", &text));
            let arrived = by_hand.send("bridge", Request::post(target, body.clone())).await;
            let case = format!("{target} {body}: {}", arrived.response.text());
            assert!(arrived.forwarded.is_none(), "{case}");
            // Rooms are named as the lines name them.
            let digest = |line: &Value| line["room"].as_str().unwrap_or("none").to_owned();
            let (subject, [expected, found]) = match named {
                Some(named) => ("mode", named.map(str::to_owned)),
                None => ("room", [digest(&left.line), digest(&arrived.line)]),
            };
            let message =
                format!("parity: {verdict}: expected {subject} {expected}, found {found}");
            let data = json!({ "verdict": verdict, "expected": expected, "found": found });
            let wanted = json!({ "code": -32010, "message": message, "data": data });
            assert_eq!(error(target, &arrived.response), wanted, "{case}");
            assert_eq!(said(&arrived.line)[0], *verdict, "{case}");
            let line = &arrived.line;
            assert_eq!((&line["outcome"], &line["reason"]), (&json!("refused"), &json!("parity")));
            assert!(!arrived.response.text().contains(&room()), "{case}");
        }
    }
    let rejected = [("action", "reject")];
    by_hand.modegate.counted("modegate_parity_enforced_total", &rejected, f64::from(number)).await;
    let labels = [("leg", "bridge"), ("reason", "parity")];
    by_hand.modegate.counted("modegate_rejections_total", &labels, f64::from(number)).await;
}

#[tokio::test]
async fn what_is_no_mismatch_goes_on() {
    let by_hand = ByHand::start(ENFORCED).await;
    by_hand.leaves("\"fast\"", FAST_MODE).await;
    by_hand.leaves("\"plain\"", None).await;
    for target in [BRIDGE, STREAM] {
        // The second time they are duplicates.
        for (text, more) in [("\"fast\"", WITH_FAST), ("\"plain\"", ""), ("\"never left\"", "")] {
            let body = rpc(&params(text, more));
            let arrived = by_hand.send("bridge", Request::post(target, body.clone())).await;
            assert_eq!(arrived.response.status, 200);
            assert_eq!(arrived.forwarded.expect("it goes on").text(), body);
        }
    }
    let all: Vec<_> = verdicts(&by_hand.modegate, "bridge").await.into_iter().collect();
    let expected = [("duplicate", 2), ("match", 2), ("unobserved", 2)];
    assert_eq!(all, expected.map(|(verdict, times)| (verdict.to_owned(), times)));
    by_hand.modegate.counted("modegate_parity_enforced_total", &[], 0.0).await;
}

/// A stranger that happens to say what somebody said, who was answered already, is counted, but
/// neither refused nor moved into the other's room.
#[tokio::test]
async fn who_says_the_same_short_thing_later_goes_on_as_it_came() {
    for on_mismatch in ["reject", "repair"] {
        let extra = format!("{ENFORCED}[parity]\non_mismatch = \"{on_mismatch}\"\n");
        let by_hand = ByHand::start(&extra).await;
        by_hand.leaves("\"hi\"", None).await;
        let strangers = r#"{"text":"hi","roomId":"a-strangers"}"#;
        let arrived = by_hand.arrives(strangers).await;
        assert_eq!(said(&arrived.line)[..2], ["room_crossed", "text"]);
        assert_eq!(arrived.forwarded.expect("it goes on").text(), rpc(strangers));
        by_hand.modegate.counted("modegate_parity_enforced_total", &[], 0.0).await;
    }
}

/// With the flag off, and on the runtime leg with it on, mismatches are counted and nothing else.
#[tokio::test]
async fn where_it_is_not_enforced_it_is_only_counted() {
    for on_mismatch in ["reject", "repair"] {
        let extra = format!("{ENFORCED}[parity]\non_mismatch = \"{on_mismatch}\"\n");
        let by_hand = ByHand::start(&extra).await;
        by_hand.leaves("\"0\"", FAST_MODE).await;
        by_hand.arrives(&params("\"0\"", WITH_FAST)).await;
        let body = rpc(&params("\"0\"", ""));
        let arrived = by_hand.send("runtime", Request::post("/bridge", body.clone())).await;
        assert_eq!(said(&arrived.line)[..2], ["mode_missing", "rpc_id"]);
        assert_eq!(arrived.forwarded.expect("it goes on").text(), body);

        by_hand.modegate.flag("cloud_enforced", false).await;
        by_hand.leaves("\"1\"", FAST_MODE).await;
        let arrived = by_hand.arrives(r#"{"text":"1","roomId":"somebody-elses"}"#).await;
        assert_eq!(said(&arrived.line)[0], "room_crossed");
        let forwarded = arrived.forwarded.expect("it goes on");
        assert_eq!(forwarded.text(), rpc(r#"{"text":"1","roomId":"somebody-elses"}"#));
        assert_eq!(forwarded.header("x-processing-room"), Some("somebody-elses"));
        by_hand.modegate.counted("modegate_parity_enforced_total", &[], 0.0).await;
    }
}
