//! What a request must be where it arrives: clean by itself, and one that the client sent.

use http::Method;
use modegate_filters::dialect::Dialect;
use modegate_filters::route::{Carries, Leg, Route, route};
use modegate_filters::tags::{REQUEST_ID_LIMIT, Trace};

use crate::edited::is_removed;
use crate::header::names_a_tag;
use crate::http1::Request;
use crate::reference::{self, Document};

/// What belongs to one connection only.
const HOP_BY_HOP: [&str; 4] = ["keep-alive", "proxy-connection", "te", "http2-settings"];

/// It has no tag but the sidecar's own, nothing of the client's connection, and no contract.
pub fn assert_clean(leg: Leg, request: &Request) {
    let route = inspected(leg, request);
    assert_tags(route.is_some(), request);
    for (name, value) in &request.fields {
        assert!(!HOP_BY_HOP.contains(&name.as_str()), "{request:?}");
        let upgrades = value.eq_ignore_ascii_case(b"upgrade") && !request.all("upgrade").is_empty();
        assert!(name != "connection" || upgrades, "{request:?}");
    }
    if let Some(route) = route {
        let document = object(&request.body);
        assert!(contract(route.dialect, &document).is_empty(), "{request:?}");
    }
}

fn assert_tags(inspected: bool, request: &Request) {
    let spelled = |name: &str| name.contains('_') && names_a_tag(name);
    assert!(!request.fields.iter().any(|(name, _)| spelled(name)), "{request:?}");
    assert!(!request.trailers.iter().any(|(name, _)| names_a_tag(name)), "{request:?}");
    let one = |name| match request.all(name).as_slice() {
        [value] => *value,
        values => panic!("{name}: {values:?} of {request:?}"),
    };
    let id = one("x-request-id");
    assert!(
        (1..=REQUEST_ID_LIMIT).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic),
        "{request:?}"
    );
    assert!(Trace::parse(one("traceparent")).is_some(), "{request:?}");

    let words: [(&str, &[&str]); 3] = [
        ("x-processing-mode", &["default"]),
        ("x-processing-requested", &["none", "invalid", "default", "fast"]),
        ("x-processing-cohort", &["control"]),
    ];
    for (name, words) in words {
        if inspected {
            assert!(words.iter().any(|word| word.as_bytes() == one(name)), "{name} of {request:?}");
        } else {
            assert!(request.all(name).is_empty(), "{name} of {request:?}");
        }
    }
    assert!(request.all("x-processing-profile").is_empty(), "{request:?}");
    let rooms = request.all("x-processing-room");
    let sound = |room: &&[u8]| room.len() <= 200 && room.iter().all(u8::is_ascii_graphic);
    assert!(rooms.len() <= usize::from(inspected) && rooms.iter().all(sound), "{request:?}");
}

/// What arrived is some of what was sent, in its order, with nothing changed but the contract taken out.
pub fn assert_sent(leg: Leg, sent: &[Request], arrived: &[Request]) {
    let mut sent_on = sent.iter();
    for request in arrived {
        let from = sent_on.find(|sent| is_from(leg, sent, request));
        assert!(from.is_some(), "{request:?} is none of {sent:?}");
    }
}

fn is_from(leg: Leg, sent: &Request, arrived: &Request) -> bool {
    // An absolute form loses its authority, and a target its fragment.
    let target = sent.target.split('#').next().unwrap_or_default();
    let same_target = target.ends_with(&arrived.target)
        || arrived.target == "/"
        || arrived.target.starts_with("/?");
    if sent.method != arrived.method || !same_target {
        return false;
    }
    match inspected(leg, arrived) {
        Some(route) => {
            let Ok(document) = reference::read(&sent.body) else { return false };
            let contract = contract(route.dialect, &document);
            is_removed(&sent.body, &document, &contract, &arrived.body)
        }
        None => sent.body == arrived.body,
    }
}

fn inspected(leg: Leg, request: &Request) -> Option<Route> {
    let carries = if request.body.is_empty() { Carries::Nothing } else { Carries::Body };
    let method = Method::from_bytes(request.method.as_bytes()).expect("a method");
    route(leg, &method, carries, &request.target)
}

fn object(body: &[u8]) -> Document {
    let document = reference::read(body)
        .unwrap_or_else(|at| panic!("broken at {at}: {}", body.escape_ascii()));
    assert_eq!(body[document.root.start], b'{', "{}", body.escape_ascii());
    document
}

fn contract(dialect: Dialect, document: &Document) -> Vec<usize> {
    match dialect {
        Dialect::Rpc => document.all_within("params", "processing"),
        _ => document.all("processing"),
    }
}
