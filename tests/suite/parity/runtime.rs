//! Each verdict of the runtime leg, which joins by JSON-RPC id with what left the bridge leg.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::Value;

use super::FAST;
use super::by_hand::{BRIDGE, ByHand, params, rpc};
use super::chain::{Chain, ROUTES, Say, line, said, verdicts};
use super::fault::{Fault, Treatment};
use super::message::room_of;
use crate::harness::Request;

type Verdicts = &'static [&'static str];

/// What the client asks for, what the cloud does, and what is said of what comes of it: whole, and
/// as a stream.
fn cases() -> Vec<(Option<&'static str>, Treatment, [Verdicts; 2])> {
    let crossed = || Fault::CrossRoom(room_of("somebody-elses"));
    let fast = Some("fast");
    vec![
        // The real cloud proxy keeps params of /bridge, and of /stream only text and room.
        (fast, Treatment::old(Fault::None), [&["match"], &["mode_missing"]]),
        (None, Treatment::old(Fault::None), [&["match"], &["match"]]),
        (Some("default"), Treatment::old(Fault::None), [&["match"], &["match"]]),
        (fast, Treatment::new(Fault::None), [&["match"], &["match"]]),
        (fast, Treatment::new(Fault::LoseMode), [&["mode_missing"], &["mode_missing"]]),
        (fast, Treatment::new(Fault::AlterMode), [&["mode_altered"], &["mode_altered"]]),
        (None, Treatment::new(Fault::InventMode), [&["mode_invented"], &["mode_invented"]]),
        (fast, Treatment::new(Fault::LoseRoom), [&["room_missing"], &["room_missing"]]),
        (fast, Treatment::new(crossed()), [&["room_crossed"], &["room_crossed"]]),
        (None, Treatment::old(crossed()), [&["room_crossed"], &["room_crossed"]]),
        (fast, Treatment::new(Fault::Twice), [&["match", "duplicate"], &["match", "duplicate"]]),
    ]
}

#[tokio::test]
async fn every_verdict_whole_and_as_a_stream() {
    let cases = cases();
    let treatments: Vec<Treatment> = cases.iter().map(|case| case.1.clone()).collect();
    let next = Mutex::new(treatments.into_iter().cycle());
    let treat = move |_: &Value| next.lock().expect("no panic").next().expect("it goes on");
    let chain = Chain::of_three(FAST, |_| Treatment::default(), treat).await;
    let mut tally = BTreeMap::new();
    for (at, route) in ROUTES.iter().take(2).enumerate() {
        for (number, (mode, treatment, expected)) in cases.iter().enumerate() {
            // One text: what tells them apart is the id.
            let say = Say { route, conversation: "c-1", text: "again", mode: *mode };
            let (response, handled) = chain.send(&say).await;
            let case = format!("{number}: {say:?} {treatment:?}");
            assert_eq!(response.status, 200, "{case}");
            assert!(response.text().contains("[echo] again"), "{case}: {}", response.text());
            let [call] = handled.calls.as_slice() else { panic!("{case}: {handled:?}") };
            let bridge = line(&chain.modegate, "bridge", &call.request_id).await;
            assert_eq!(said(&bridge)[0], "match", "{case}: {bridge}");
            assert_eq!(bridge["path"], "cloud", "{case}: {bridge}");
            let sent = chain.cloud.calls(&call.rpc_id);
            assert_eq!(sent.len(), expected[at].len(), "{case}");
            for (sent, verdict) in sent.iter().zip(expected[at]) {
                let runtime = line(&chain.modegate, "runtime", &sent.request_id).await;
                let joined = if *verdict == "duplicate" { "-" } else { &call.request_id };
                assert_eq!(said(&runtime), [*verdict, "rpc_id", joined], "{case}: {runtime}");
                *tally.entry((*verdict).to_owned()).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(verdicts(&chain.modegate, "runtime").await, tally);
    let all = (2 * cases.len()) as u64;
    let bridge = verdicts(&chain.modegate, "bridge").await;
    assert_eq!(bridge, BTreeMap::from([("match".to_owned(), all)]));
}

/// The rooms that many share have no bucket key on the cloud's legs: there the default mode leaves
/// the bridge leg, and it is the default mode that must arrive.
#[tokio::test]
async fn it_is_compared_with_what_left_the_bridge_leg() {
    let chain =
        Chain::of_three(FAST, |_| Treatment::default(), |_| Treatment::new(Fault::None)).await;
    let say = Say { route: &ROUTES[2], conversation: "", text: "shared", mode: Some("fast") };
    let (_, handled) = chain.send(&say).await;
    let call = &handled.calls[0];
    let bridge = line(&chain.modegate, "bridge", &call.request_id).await;
    assert_eq!((said(&bridge)[0], &bridge["mode"]), ("match", &Value::from("default")));
    let sent = &chain.cloud.calls(&call.rpc_id)[0];
    let runtime = line(&chain.modegate, "runtime", &sent.request_id).await;
    assert_eq!(said(&runtime), ["match", "rpc_id", call.request_id.as_str()]);
}

/// The cloud writes the id again; one that is another, or none, joins nothing.
#[tokio::test]
async fn the_id_is_known_however_it_is_spelled() {
    let by_hand = ByHand::start(FAST).await;
    let cases = [
        ("\"a-1\"", "\"a-1\"", "match"),
        ("\"a\\u002d2\"", "\"a-2\"", "match"),
        ("\"é\"", "\"\\u00e9\"", "match"),
        ("7", "7", "match"),
        ("8", "\"8\"", "unobserved"),
        ("\"b-1\"", "\"B-1\"", "unobserved"),
        ("\"c-1\"", "null", "unobserved"),
        ("null", "null", "unobserved"),
        ("null", "\"null\"", "unobserved"),
    ];
    for (sent, arrives, verdict) in cases {
        let body = |id| rpc(&params("\"hi\"", "")).replace("\"rpc-1\"", id);
        let bridge = by_hand.send("bridge", Request::post(BRIDGE, body(sent))).await;
        let runtime = by_hand.send("runtime", Request::post("/bridge", body(arrives))).await;
        let (means, joined) = match verdict {
            "match" => ("rpc_id", bridge.line["request_id"].as_str().expect("an id")),
            _ => ("none", "-"),
        };
        assert_eq!(said(&runtime.line), [verdict, means, joined], "{sent} {arrives}");
        assert_eq!(runtime.response.status, 200, "{sent} {arrives}");
    }
}
