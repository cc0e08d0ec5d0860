//! `on_mismatch = "repair"`: what left is put back, and every other byte stays as it was.

use serde_json::json;

use super::by_hand::{BRIDGE, ByHand, STREAM, params, room, rpc};
use super::chain::{Chain, ROUTES, Say, line, said};
use super::fault::{Fault, Treatment};
use super::message::{Message, room_of};
use crate::harness::Request;

const REPAIRS: &str = "[flags]\ncontract = true\nruntime = true\ncloud_enforced = true\n\
     [canary]\npercent = 100\n[profiles.fast-v1]\nmode = \"fast\"\n\
     [parity]\non_mismatch = \"repair\"\n";

const VALUE: &str = r#"{ "mode":"f\u0061st","reason":"voïce", "profile":"fast-v1" }"#;

/// What left (a value or none), the params that arrive, those that go on, and the verdict. TEXT
/// stands for the text, ROOM for the room, VALUE for the value as it left.
#[rustfmt::skip]
const CASES: &[(bool, &str, &str, &str)] = &[
    (true, r#"{"text":TEXT,"roomId":"ROOM","mode":"simple"}"#, r#"{"processing":VALUE,"text":TEXT,"roomId":"ROOM","mode":"simple"}"#, "mode_missing"),
    (true, r#" { "text" : TEXT , "roomId":"ROOM","n":1e2,"s":"\u00e9\ud800" } "#, r#" {"processing":VALUE, "text" : TEXT , "roomId":"ROOM","n":1e2,"s":"\u00e9\ud800" } "#, "mode_missing"),
    (true, r#"{"text":TEXT,"processing":{"mode":"default"},"roomId":"ROOM"}"#, r#"{"text":TEXT,"processing":VALUE,"roomId":"ROOM"}"#, "mode_altered"),
    (true, r#"{"text":TEXT,"processing":null,"roomId":"ROOM"}"#, r#"{"text":TEXT,"processing":VALUE,"roomId":"ROOM"}"#, "mode_missing"),
    (true, r#"{"text":TEXT,"processing":7,"roomId":"ROOM","processing":"x"}"#, r#"{"text":TEXT,"processing":VALUE,"roomId":"ROOM","processing":VALUE}"#, "mode_altered"),
    (true, r#"{"text":TEXT,"processing":VALUE}"#, r#"{"roomId":"ROOM","text":TEXT,"processing":VALUE}"#, "room_missing"),
    (true, r#"{"text":TEXT}"#, r#"{"processing":VALUE,"roomId":"ROOM","text":TEXT}"#, "room_missing"),
    (true, r#"{"roomId":null,"text":TEXT,"processing":VALUE}"#, r#"{"roomId":"ROOM","text":TEXT,"processing":VALUE}"#, "room_missing"),
    (true, r#"{"text":TEXT,"roomId":"of-another","processing":VALUE}"#, r#"{"text":TEXT,"roomId":"ROOM","processing":VALUE}"#, "room_crossed"),
    (true, r#"{"text":TEXT,"roomId":"of-another"}"#, r#"{"processing":VALUE,"text":TEXT,"roomId":"ROOM"}"#, "room_crossed"),
    (true, r#"{"text":TEXT,"roomId":"ROOM","r\u006fomId":"of-another","processing":VALUE}"#, r#"{"text":TEXT,"roomId":"ROOM","r\u006fomId":"ROOM","processing":VALUE}"#, "room_crossed"),
    (false, r#"{"text":TEXT,"roomId":"ROOM","processing":{"mode":"fast"}}"#, r#"{"text":TEXT,"roomId":"ROOM","processing":{"mode":"default"}}"#, "mode_invented"),
    (false, r#"{"text":TEXT,"roomId":"of-another"}"#, r#"{"text":TEXT,"roomId":"ROOM"}"#, "room_crossed"),
    (false, r#"{"text":TEXT}"#, r#"{"roomId":"ROOM","text":TEXT}"#, "room_missing"),
];

#[tokio::test]
async fn what_left_is_put_back_byte_for_byte() {
    let by_hand = ByHand::start(REPAIRS).await;
    let mut number = 0;
    for target in [BRIDGE, STREAM] {
        for (fast, arrives, goes_on, verdict) in CASES {
            number += 1;
            let text = format!("\"what nobody else happens to say, number {number}\"");
            let left = by_hand.leaves(&text, fast.then_some(VALUE)).await;
            assert_eq!(left.line["mode"], if *fast { "fast" } else { "default" });
            let fill = |params: &str| {
                let params = params.replace("TEXT", &text).replace("VALUE", VALUE);
                rpc(&params.replace("ROOM", &room()))
            };
            let request = Request::post(target, fill(arrives)).chunked(7);
            let arrived = by_hand.send("bridge", request).await;
            assert_eq!(arrived.response.status, 200, "{}", arrived.response.text());
            let forwarded = arrived.forwarded.expect("it goes on");
            assert_eq!(forwarded.text(), fill(goes_on), "{target} {arrives}");
            let length = fill(goes_on).len().to_string();
            assert_eq!(forwarded.header("content-length"), Some(length.as_str()));
            let (mode, asked) = if *fast { ("fast", "fast") } else { ("default", "none") };
            let tags = [
                ("x-processing-mode", Some(mode)),
                ("x-processing-requested", Some(asked)),
                ("x-processing-room", Some(&*room())),
                ("x-processing-cohort", Some("canary")),
                ("x-processing-profile", fast.then_some("fast-v1")),
            ];
            for (name, value) in tags {
                assert_eq!(forwarded.header(name), value, "{target} {arrives}");
            }
            assert_eq!(arrived.response.header("x-processing-mode"), Some(mode), "{arrives}");
            let line = &arrived.line;
            let found = (said(line)[0], &line["repaired"]);
            assert_eq!(found, ("match", &json!(verdict)), "{arrives}: {line}");
            assert_eq!((&line["action"], &line["mode"]), (&json!("repair"), &json!(mode)));
        }
    }
    let repaired = [("action", "repair")];
    by_hand.modegate.counted("modegate_parity_enforced_total", &repaired, f64::from(number)).await;
    by_hand.modegate.counted("modegate_parity_enforced_total", &[], f64::from(number)).await;
}

/// A value too long to be kept goes on as its mode and its profile.
#[tokio::test]
async fn a_long_value_is_written_again() {
    let by_hand = ByHand::start(REPAIRS).await;
    let value = format!(
        r#"{{"mode":"fast","profile":"fast-v1","reason":"because","more":"{}"}}"#,
        "x".repeat(5000)
    );
    by_hand.leaves("\"long\"", Some(&value)).await;
    let arrived = by_hand.arrives(&params("\"long\"", "")).await;
    let sent = serde_json::from_str::<serde_json::Value>(&arrived.forwarded.expect("it").text());
    let sent = sent.expect("JSON");
    assert_eq!(sent["params"]["processing"], json!({ "mode": "fast", "profile": "fast-v1" }));
}

/// Without an object to put it in there is no repair.
#[tokio::test]
async fn what_cannot_be_repaired_is_refused() {
    let by_hand = ByHand::start(REPAIRS).await;
    let bodies = [
        r#"{"jsonrpc":"2.0","id":"rpc-1","method":"message.send"}"#.to_owned(),
        rpc("7"),
        rpc("[]"),
        rpc("null"),
    ];
    for body in &bodies {
        let left = by_hand.leaves("\"hi\"", Some(VALUE)).await;
        let id = left.line["request_id"].as_str().expect("an id");
        let request = Request::post(BRIDGE, body.clone()).header("X-Request-Id", id);
        let arrived = by_hand.send("bridge", request).await;
        assert_eq!(said(&arrived.line), ["room_missing", "request_id", id], "{body}");
        assert!(arrived.forwarded.is_none(), "{body}");
        assert_eq!(arrived.response.json()["error"]["code"], -32010, "{body}");
    }
    let refused = [("action", "reject")];
    let number = bodies.len() as f64;
    by_hand.modegate.counted("modegate_parity_enforced_total", &refused, number).await;
}

/// An API server that knows nothing of the contract is carried across: the runtime gets what the
/// client asked for, where the cloud keeps `params`.
#[tokio::test]
async fn what_was_repaired_reaches_the_runtime_as_a_match() {
    let faults = [
        Fault::None,
        Fault::LoseMode,
        Fault::AlterMode,
        Fault::LoseRoom,
        Fault::CrossRoom(room_of("somebody-elses")),
    ];
    for fault in faults {
        let shown = format!("{fault:?}");
        let api = Treatment::old(fault);
        let treat = move |_: &Message| api.clone();
        let chain = Chain::of_three(REPAIRS, treat, |_| Treatment::new(Fault::None)).await;
        for (number, route) in ROUTES.iter().take(2).enumerate() {
            let text = format!("{number}");
            let say = Say { route, conversation: "c-1", text: &text, mode: Some("fast") };
            let (response, handled) = chain.send(&say).await;
            assert!(response.text().contains("[echo]"), "{shown}: {}", response.text());
            let call = &handled.calls[0];
            let bridge = line(&chain.modegate, "bridge", &call.request_id).await;
            assert_eq!(bridge["action"], "repair", "{shown}: {bridge}");
            let sent = &chain.cloud.calls(&call.rpc_id)[0];
            let runtime = line(&chain.modegate, "runtime", &sent.request_id).await;
            assert_eq!(said(&runtime), ["match", "rpc_id", &call.request_id], "{shown} {route:?}");
            assert_eq!(runtime["mode"], "fast", "{shown} {route:?}");
        }
    }
}
