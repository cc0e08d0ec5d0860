//! `modegate explain` on what stands around a body: content types, encodings, methods and targets
//! (cases 38 to 46 of the list). Which requests are inspected does not depend on labels.

use std::collections::BTreeSet;

use crate::explain_oracle::node::Node;
use crate::explain_oracle::setting::{BRIDGE, MESSAGE, REPLACES, RUNTIME, STRIPS};
use crate::explain_oracle::{Explainer, Request};

const BODY: &[u8] = br#"{"text":"a","processing":{"mode":"fast"}}"#;
/// `{"processing":{"mode":"fast"}}` as gzip stores it.
const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x1e\x00\xe1\xff{\"processing\":{\"mode\":\"fast\"}}";
const MULTIPART: &[u8] =
    b"--b\r\nContent-Type: application/json\r\n\r\n{\"processing\":1}\r\n--b--\r\n";

#[rustfmt::skip]
const HEADERS: &[(u8, &[(&str, &str)])] = &[
    (38, &[]),
    (38, &[("content-type", "text/plain")]),
    (38, &[("content-type", "application/json; charset=utf-16")]),
    (38, &[("content-type", "application/vnd.api+json")]),
    (38, &[("content-type", "text/plain"), ("content-type", "application/json")]),
    (38, &[("content-type", "multipart/form-data; boundary=b")]),
    (39, &[("content-encoding", "gzip")]),
    (39, &[("content-encoding", "GZIP")]),
    (39, &[("content-encoding", "br")]),
    (39, &[("content-encoding", "identity")]),
    (39, &[("content-encoding", "Identity")]),
    (39, &[("content-encoding", "")]),
    (39, &[("content-encoding", "identity, gzip")]),
    (39, &[("content-encoding", "identity"), ("content-encoding", "gzip")]),
    (39, &[("content-encoding", "gzip"), ("content-encoding", "identity")]),
    (39, &[("content-encoding", "made-up")]),
    (43, &[("x-http-method-override", "GET")]),
    (43, &[("cookie", "processing=fast")]),
    (70, &[("x-processing-mode", "fast"), ("x_processing_room", "r"), ("X-Processing-Cohort", "canary")]),
];

#[rustfmt::skip]
const TARGETS: &[(u8, &str)] = &[
    (43, "/api/chat?processing=fast"), (44, "//evil/api/conversations/1/messages"), (44, "/\\evil/api/conversations/1/messages"), (44, "/api\\conversations\\1\\messages"),
    (44, "http://evil/api/conversations/1/messages"), (44, "ws://h/api/conversations/1/messages"), (44, "file:///api/conversations/1/messages"), (44, "/x/../api/conversations/1/messages"),
    (44, "/%2e%2e/api/conversations/1/messages"), (44, "/./api/conversations/1/messages"), (44, "/api/conversations/1/messages#frag"), (44, "/api/conversations/1/messages?q"),
    (44, "\\\\evil\\api\\conversations\\1\\messages"), (44, "javascript:/api/conversations/1/messages"), (44, "api/conversations/1/messages"),
    (44, "///evil/api/conversations/1/messages"), (44, "////evil/api/chat"), (44, "/c:/../api/chat"), (44, "//xn--a-/api/chat"),
    (44, "/api/conversations/1/messages;x"), (44, "/api/conversations/1/messages/"), (44, "/api//conversations/1/messages"), (44, "/API/conversations/1/messages"),
    (44, "/api/%63onversations/1/messages"), (44, "/api%2Fconversations/1/messages"), (44, "//api/conversations/1/messages"), (44, "/api/conversations//messages"),
    (45, "/api/conversations/%zz/messages"), (45, "/api/conversations/%00/messages"), (45, "/api/conversations/%ff/messages"), (45, "/api/conversations/a%2Fb/messages/stream"),
    (46, "http://169.254.169.254/api/chat"), (46, "http://127.0.0.1:9901/flags/contract"), (46, "http://h/v1/messages"), (47, "/api/snapshot"), (47, "/bridge/../api/restore"), (47, "/%2e/bridge"),
];

/// Those of them that are no request's target: the proxy refuses them as they come.
const NO_TARGETS: [&str; 4] = [
    "file:///api/conversations/1/messages",
    "\\\\evil\\api\\conversations\\1\\messages",
    "javascript:/api/conversations/1/messages",
    "api/conversations/1/messages",
];

#[test]
fn labels_do_not_hide_a_body() {
    let mut node = Node::start();
    let explainers = [STRIPS, REPLACES].map(Explainer::new);
    let mut faults = Vec::new();
    for (number, headers) in HEADERS {
        for (name, body) in [
            ("JSON", BODY),
            ("gzip", GZIP),
            ("multipart", MULTIPART),
            ("a form", b"processing[mode]=fast"),
        ] {
            for explainer in &explainers {
                let request = Request { headers, ..Request::post(MESSAGE, body) };
                let fault = explainer.faults(&mut node, request);
                faults.extend(fault.map(|fault| format!("{number} {name} {headers:?}: {fault}")));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn a_target_is_inspected_where_its_server_would_handle_it() {
    let mut node = Node::start();
    let explainer = Explainer::new(STRIPS);
    let (mut faults, mut refused) = (Vec::new(), BTreeSet::new());
    for (number, target) in TARGETS {
        for leg in ["frontend", "bridge", "runtime"] {
            let request = Request { leg, target, ..Request::post(MESSAGE, BODY) };
            if explainer.explain(request)["rejection"]["reason"] == "bad_head" {
                refused.insert(*target);
                continue;
            }
            faults.extend(
                explainer.faults(&mut node, request).map(|fault| format!("{number}: {fault}")),
            );
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(refused, BTreeSet::from(NO_TARGETS));
}

/// Case 42: Node delivers the body of any method, so what comes with one is judged as a POST.
#[test]
fn a_body_is_judged_whatever_the_method() {
    let mut node = Node::start();
    let explainer = Explainer::new(STRIPS);
    for method in ["GET", "HEAD", "DELETE", "PUT", "PATCH", "OPTIONS"] {
        for door in [MESSAGE, BRIDGE, RUNTIME] {
            let request = Request { method, ..Request::post(door, BODY) };
            assert_eq!(explainer.faults(&mut node, request), None, "42");
        }
    }
}
