//! `modegate explain` on every listed body: its verdict is the one that follows from Node's reading.
//! The cases, by number, with what each tries, are in the filters' oracle tests; run with
//! `--nocapture` to see each.

use crate::explain_oracle::listed::{On, cases};
use crate::explain_oracle::node::Node;
use crate::explain_oracle::setting::{
    BRIDGE, MESSAGE, REPLACES, RUNTIME, STRIPS, Setting, in_params,
};
use crate::explain_oracle::{Explainer, Request};

#[test]
fn explain_agrees_with_node_on_every_listed_body() {
    let mut node = Node::start();
    let [strips, replaces] = [STRIPS, REPLACES].map(Explainer::new);
    let mut faults = Vec::new();
    for case in cases() {
        let request = match case.on {
            On::Message => &in_params(&case.body),
            On::Rpc => &case.body,
        };
        let asked = [
            (&strips, MESSAGE, &case.body),
            (&replaces, MESSAGE, &case.body),
            (&strips, BRIDGE, request),
            (&replaces, RUNTIME, request),
        ];
        let before = faults.len();
        for (explainer, door, body) in asked {
            if let Some(fault) = explainer.faults(&mut node, Request::post(door, body)) {
                faults.push(format!("{} {}: {fault}", case.number, case.name));
            }
        }
        let agrees = if faults.len() == before { "agrees" } else { "DIFFERS" };
        println!("case {:>2}, {}: {}, {agrees}", case.number, case.name, case.reads);
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Case 34, at the configured limit and at the default one.
#[test]
fn explain_refuses_a_body_over_the_limit_as_the_proxy_does() {
    let mut node = Node::start();
    for body_limit in [1 << 16, 20 << 20] {
        let explainer = Explainer::new(Setting { body_limit, ..STRIPS });
        for length in [body_limit - 1, body_limit, body_limit + 1] {
            let end = r#"","processing":{"mode":"fast"}}"#;
            let body = format!(r#"{{"text":"{}{end}"#, "x".repeat(length - 9 - end.len()));
            let fault = explainer.faults(&mut node, Request::post(MESSAGE, body.as_bytes()));
            assert_eq!(fault, None, "{length} bytes, limit {body_limit}");
        }
    }
}
