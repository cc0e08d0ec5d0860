//! Headers that claim to be ours, take ours away or push ours out: what arrives has our headers
//! once, first, and as we say (case 70 and case 71).

use crate::attacks::{Arrived, Attack, Sent};
use crate::explain_oracle::node::Node;
use crate::explain_oracle::setting::{APPLIES, BRIDGE, Door, MESSAGE, RUNTIME, STRIPS, in_params};
use crate::harness::{Client, Modegate, Origin, Request, settings};
use crate::messages::PLACES;

const BODY: &[u8] = br#"{"text":"a","processing":{"mode":"fast"}}"#;
const TAGS: [&str; 5] = ["mode", "requested", "profile", "room", "cohort"];
const SPOOFED: &str = "spoofed";

fn message(door: Door) -> Vec<u8> {
    match door.leg {
        "frontend" => BODY.to_vec(),
        _ => in_params(BODY),
    }
}

/// Every mix of `-` and `_` in a name, in three cases.
fn spelled(name: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for character in name.chars() {
        let ways: &[char] = if character == '-' { &['-', '_'] } else { &[character] };
        all = all
            .iter()
            .flat_map(|start| ways.iter().map(move |way| format!("{start}{way}")))
            .collect();
    }
    let cases = |name: &String| {
        let mixed = |(at, c): (usize, char)| if at % 2 == 0 { c.to_ascii_uppercase() } else { c };
        let mixed = name.chars().enumerate().map(mixed).collect();
        [name.clone(), name.to_uppercase(), mixed]
    };
    all.iter().flat_map(cases).collect()
}

/// No value of the client's is left, and no second spelling of a name of ours.
fn assert_ours(arrived: &Arrived, case: &str) {
    for (name, value) in &arrived.headers {
        let shown = format!("{case}: {name}: {value}");
        assert!(!value.to_string().contains(SPOOFED), "{shown}");
        let tag = name.replace('_', "-");
        let ours = tag.starts_with("x-processing") || tag == "x-request-id" || tag == "traceparent";
        assert!(!ours || (value.is_string() && *name == tag), "{shown}");
    }
}

/// Case 70: each tag in each spelling, alone, twice, joined by a comma and empty.
#[tokio::test]
async fn a_tag_of_the_clients_never_arrives() {
    for attack in [Attack::start(STRIPS).await, Attack::before_node(APPLIES).await] {
        let mut node = Node::start();
        for door in [MESSAGE, BRIDGE, RUNTIME] {
            let body = message(door);
            let names = TAGS.iter().map(|tag| format!("x-processing-{tag}"));
            for name in names.chain(["x-request-id".to_owned(), "traceparent".to_owned()]) {
                let mut request = Request::post(door.target, body.clone());
                for name in spelled(&name) {
                    let shapes = [SPOOFED, "spoofed, spoofed", "", "fast", "canary, fast"];
                    let add = |request: Request, value: &&str| request.header(&name, value);
                    request = shapes.iter().fold(request, add);
                }
                let mut client = attack.connect(door).await;
                let response = client.exchange(&request).await;
                let arrived = attack.arrived().await;
                let sent = Sent::post(door, &body);
                let fault = attack.fault(&mut node, sent, arrived.first(), &response);
                assert_eq!((fault, arrived.len()), (None, 1), "case 70: {name}");
                assert_ours(&arrived[0], "case 70");
            }
        }
        attack.control(None).await;
    }
}

/// Case 70: on routes that are not inspected nothing of ours is claimed either.
#[tokio::test]
async fn a_tag_of_the_clients_never_arrives_where_nothing_is_inspected() {
    let attack = Attack::start(STRIPS).await;
    for leg in ["frontend", "bridge"] {
        let mut request = Request::get("/api/other");
        for name in TAGS.iter().flat_map(|tag| spelled(&format!("x-processing-{tag}"))) {
            request = request.header(&name, SPOOFED);
        }
        let mut client = Client::connect(attack.modegate.leg(leg, 0)).await;
        assert_eq!(client.exchange(&request).await.status, 200);
        let arrived = attack.arrived().await;
        assert_ours(&arrived[0], "case 70");
        let tag = |name: &&String| name.starts_with("x-processing");
        assert_eq!(arrived[0].headers.keys().find(tag), None, "case 70");
    }
    attack.control(None).await;
}

/// Case 71: `Connection` takes away what is the client's own, and nothing of ours.
#[tokio::test]
async fn no_nomination_takes_our_headers_away() {
    let many = (0..50).map(|at| format!("x-{at}")).collect::<Vec<_>>().join(", ");
    let ours = "x-processing-mode, x-processing-room, x-processing-requested, x-processing-cohort, \
        x-request-id, traceparent, host, content-length, content-type";
    let values = [
        ours.to_owned(),
        format!("close, {ours}, keep-alive"),
        ours.to_uppercase(),
        ours.replace('-', "_"),
        ours.split(", ").map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(","),
        format!("{many}, {ours}, {many}"),
        format!(",, ,{},;", ours.replace(", ", " , ,")),
        format!("close;q=1, {ours}"),
    ];
    for attack in [Attack::start(STRIPS).await, Attack::before_node(APPLIES).await] {
        let mut node = Node::start();
        for door in [MESSAGE, BRIDGE, RUNTIME] {
            let body = message(door);
            for value in &values {
                let once = Request::post(door.target, body.clone()).header("Connection", value);
                let split = value.split(',').fold(
                    Request::post(door.target, body.clone()),
                    |request, token| {
                        if value.len() > 400 {
                            request
                        } else {
                            request.header("Connection", token)
                        }
                    },
                );
                for request in [once, split] {
                    let request =
                        request.header("x-7", SPOOFED).header("x-processing-mode", SPOOFED);
                    let mut client = attack.connect(door).await;
                    let response = client.exchange(&request).await;
                    let arrived = attack.arrived().await;
                    let sent = Sent::post(door, &body);
                    let fault = attack.fault(&mut node, sent, arrived.first(), &response);
                    assert_eq!((fault, arrived.len()), (None, 1), "case 71: {value}");
                    for name in ["host", "x-request-id", "traceparent", "x-processing-mode"] {
                        assert!(arrived[0].header(name).is_some(), "case 71: {name} by {value}");
                    }
                }
            }
        }
        attack.control(None).await;
    }
}

/// Case 70: a server that keeps only the first so many headers keeps ours.
#[tokio::test]
async fn our_headers_leave_before_the_clients() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for place in PLACES {
        let mut request = place.request(place.body(r#""processing":{"mode":"fast"}"#));
        for at in 0..80 {
            request = request.header(&format!("x-filler-{at}"), "1");
        }
        assert_eq!(Client::once(place.address(&modegate), request).await.status, 200);
        let fields = origin.last().head.fields;
        let place_of = |name: &str| {
            let at = fields.iter().position(|(field, _)| field.eq_ignore_ascii_case(name));
            at.unwrap_or_else(|| panic!("no {name} in {fields:?}"))
        };
        let first = place_of("content-type").min(place_of("x-filler-0"));
        for name in [
            "host",
            "x-processing-mode",
            "x-processing-requested",
            "x-processing-room",
            "x-processing-cohort",
            "x-request-id",
            "traceparent",
        ] {
            assert!(place_of(name) < first, "{name} is behind what the client sent: {fields:?}");
        }
    }
}
