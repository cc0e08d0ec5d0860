//! The oracle can say no: verdicts that are wrong in one way each, and none that passes.

use serde_json::{Value, json};

use crate::node::Node;
use crate::setting::{APPLIES, BRIDGE, Door, MESSAGE, REPLACES, RUNTIME, STRIPS, Setting};
use crate::sidecar::Sidecar;

struct Case {
    name: &'static str,
    setting: Setting,
    door: Door,
    body: &'static str,
    spoil: fn(&mut Value),
    says: &'static str,
}

const TWO: &str =
    r#"{"a":1,"processing":{"mode":"fast"},"a":2,"processing":{"mode":"fast"},"b":3}"#;
const RPC: &str = r#"{"id":7,"method":"m","params":{"roomId":"r","processing":{"mode":"fast"}}}"#;

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { name: "nothing removed", setting: STRIPS, door: MESSAGE, body: TWO, spoil: |v| v["body_edits"] = json!([]), says: "still sees the member" },
    Case { name: "one of two removed", setting: STRIPS, door: MESSAGE, body: TWO, spoil: |v| { v["body_edits"].as_array_mut().map(Vec::pop); }, says: "members stay" },
    Case { name: "a hidden duplicate removed too", setting: STRIPS, door: MESSAGE, body: TWO, spoil: |v| v["body_edits"][0]["start"] = json!(1), says: "neither of a member" },
    Case { name: "a comma stays", setting: STRIPS, door: MESSAGE, body: TWO, spoil: |v| v["body_edits"][0]["start"] = json!(7), says: "commas too many stay" },
    Case { name: "a member cut", setting: STRIPS, door: MESSAGE, body: TWO, spoil: |v| v["body_edits"][0]["end"] = json!(20), says: "cuts a member" },
    Case { name: "edits that overlap", setting: STRIPS, door: MESSAGE, body: TWO, spoil: |v| v["body_edits"][1] = v["body_edits"][0].clone(), says: "overlap" },
    Case { name: "something put in", setting: STRIPS, door: MESSAGE, body: TWO, spoil: |v| v["body_edits"][0]["with"] = json!(" "), says: "inserts" },
    Case { name: "passed where it strips", setting: STRIPS, door: MESSAGE, body: TWO, spoil: |v| v["action"] = json!("pass"), says: "action" },
    Case { name: "replaced by something else", setting: REPLACES, door: MESSAGE, body: TWO, spoil: |v| v["body_edits"][1]["with"] = json!("{}"), says: "not of a member's value" },
    Case { name: "one of two replaced", setting: REPLACES, door: MESSAGE, body: TWO, spoil: |v| { v["body_edits"].as_array_mut().map(Vec::pop); }, says: "1 edits for 2 members" },
    Case { name: "another requested mode", setting: APPLIES, door: BRIDGE, body: RPC, spoil: |v| v["requested"] = json!("default"), says: "requested" },
    Case { name: "another effective mode", setting: APPLIES, door: BRIDGE, body: RPC, spoil: |v| v["effective"] = json!("default"), says: "effective" },
    Case { name: "another room", setting: APPLIES, door: BRIDGE, body: RPC, spoil: |v| v["room"] = json!("s"), says: "room" },
    Case { name: "another rank", setting: APPLIES, door: BRIDGE, body: RPC, spoil: |v| v["rank"] = json!(1), says: "rank" },
    Case { name: "another cohort", setting: APPLIES, door: BRIDGE, body: RPC, spoil: |v| v["cohort"] = json!("control"), says: "cohort" },
    Case { name: "a room's tag missing", setting: APPLIES, door: BRIDGE, body: RPC, spoil: |v| { v["headers"].as_object_mut().map(|h| h.remove("x-processing-room")); }, says: "x-processing-room" },
    Case { name: "edited where it passes", setting: APPLIES, door: BRIDGE, body: RPC, spoil: |v| v["body_edits"] = json!([{"start": 0, "end": 0, "with": " "}]), says: "edits" },
    Case { name: "refused without a reason", setting: APPLIES, door: BRIDGE, body: RPC, spoil: |v| v["rejection"] = json!({"reason": "not_json"}), says: "refusal" },
    Case { name: "let through what is no JSON", setting: STRIPS, door: MESSAGE, body: "{bad", spoil: |v| { v["rejection"] = Value::Null; v["action"] = json!("pass"); }, says: "not_json" },
    Case { name: "let through what is no object", setting: STRIPS, door: MESSAGE, body: "[]", spoil: |v| v["rejection"] = Value::Null, says: "not_an_object" },
    Case { name: "let through what ends the runtime", setting: STRIPS, door: RUNTIME, body: "{}", spoil: |v| v["rejection"] = Value::Null, says: "not_a_request" },
    Case { name: "let through a mark", setting: STRIPS, door: MESSAGE, body: "\u{feff}{}", spoil: |v| v["rejection"] = Value::Null, says: "not_json" },
    Case { name: "another id in the error", setting: REPLACES, door: BRIDGE, body: r#"{"id":7,"params":{"processing":1}}"#, spoil: |v| v["rejection"]["body"] = json!(r#"{"jsonrpc":"2.0","id":8,"error":{"code":1,"message":""}}"#), says: "id" },
    Case { name: "not inspected", setting: STRIPS, door: MESSAGE, body: "{}", spoil: |v| v["dialect"] = Value::Null, says: "dialect" },
];

#[test]
fn a_verdict_that_is_wrong_is_called_wrong() {
    let mut node = Node::start();
    for Case { name, setting, door, body, spoil, says } in CASES {
        let sidecar = Sidecar::new(*setting);
        let mut verdict = sidecar.verdict(*door, body.as_bytes()).expect("a verdict");
        let right = node.faults(&sidecar.question(*door, verdict.clone()), body.as_bytes());
        assert!(right.is_empty(), "{name}: {right:?}");
        spoil(&mut verdict);
        let faults = node.faults(&sidecar.question(*door, verdict), body.as_bytes());
        assert!(faults.iter().any(|fault| fault.contains(says)), "{name}: {faults:?}");
    }
}

/// An exchange that is right, and what is wrong with it in one way each.
#[test]
fn an_exchange_that_is_wrong_is_called_wrong() {
    let mut node = Node::start();
    let gone = r#"{"a":1,"a":2,"b":3}"#;
    let mut right = json!({
        "op": "arrived",
        "leg": "frontend",
        "target": "/api/conversations/1/messages",
        "there": "/api/conversations/1/messages",
        "encodings": [],
        "may_be_refused": false,
        "settings": STRIPS.json(),
        "sent": TWO.len(),
        "status": 200,
        "headers": {
            "content-length": gone.len().to_string(),
            "x-processing-mode": "default",
            "x-processing-requested": "fast",
            "x-processing-cohort": "canary",
        },
    });
    let room = node.ask(&json!({ "op": "room", "segment": "1" }), &[]);
    right["headers"]["x-processing-room"] = room;
    let faults = |node: &mut Node, question: &Value, out: &str| {
        node.faults(question, &[TWO.as_bytes(), out.as_bytes()].concat())
    };
    assert_eq!(faults(&mut node, &right, gone), Vec::<String>::new());
    type Spoil = fn(&mut Value);
    let cases: [(&str, Spoil, &str, &str); 12] = [
        ("nothing removed", |_| {}, TWO, "still sees the member"),
        ("a space more", |_| {}, r#"{"a":1,"a":2, "b":3}"#, "nothing else changed"),
        ("a duplicate less", |_| {}, r#"{"a":2,"b":3}"#, "nothing else changed"),
        ("a number written anew", |_| {}, r#"{"a":1.0,"a":2,"b":3}"#, "nothing else changed"),
        ("a comma more", |_| {}, r#"{"a":1,"a":2,,"b":3}"#, "reads what leaves"),
        ("nothing arrived", |v| v["headers"] = Value::Null, "", "arrived"),
        ("another mode", |v| v["headers"]["x-processing-mode"] = json!("fast"), gone, "mode"),
        (
            "two modes",
            |v| v["headers"]["x-processing-mode"] = json!(["default", "x"]),
            gone,
            "mode",
        ),
        ("another room", |v| v["headers"]["x-processing-room"] = json!("r"), gone, "room"),
        ("another length", |v| v["headers"]["content-length"] = json!("7"), gone, "length"),
        ("refused", |v| v["status"] = json!(400), gone, "status"),
        (
            "another conversation",
            |v| v["there"] = json!("/api/conversations/2/messages"),
            gone,
            "conversation",
        ),
    ];
    for (name, spoil, out, says) in cases {
        let mut question = right.clone();
        spoil(&mut question);
        let faults = faults(&mut node, &question, out);
        assert!(faults.iter().any(|fault| fault.contains(says)), "{name}: {faults:?}");
    }
}
