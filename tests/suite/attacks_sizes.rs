//! Bodies whose size, depth or cut is the attack: members at every edge of buffers and limits, keys
//! cut in two by the network, nesting without end, and answers that hold the member themselves.

use crate::attacks::{Attack, Sent};
use crate::explain_oracle::node::Node;
use crate::explain_oracle::setting::{
    BRIDGE, MESSAGE, REPLACES, RUNTIME, STRIPS, Setting, in_params,
};
use crate::harness::{Answer, Client, End, Modegate, Origin, Request, settings};
use crate::messages::PLACES;

const MEMBER: &str = r#""proces\u0073ing":{"mode":"fast"}"#;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// A message whose member begins at this offset.
fn member_at(offset: usize) -> Vec<u8> {
    format!(r#"{{"text":"{}",{MEMBER},"b":1}}"#, "x".repeat(offset - 11)).into_bytes()
}

/// Case 34: limits of 64 KiB, 1 MiB, 20 MiB and another, with members before, across and past them.
#[tokio::test]
async fn a_member_at_the_limit_goes_or_the_body_is_refused() {
    let mut node = Node::start();
    let length = member_at(100).len() - 100;
    for body_limit in [4000, 64 * KIB, MIB, 20 * MIB] {
        let attack = Attack::start(Setting { body_limit, ..STRIPS }).await;
        let first = body_limit - length;
        let offsets = match body_limit {
            0..MIB => (first - 2..body_limit + 3).collect(),
            _ => vec![first, first + 1, body_limit - 1, body_limit, body_limit + 1],
        };
        for offset in offsets {
            let body = member_at(offset);
            let mut requests = vec![Request::post(MESSAGE.target, body.clone())];
            if body_limit < MIB || offset <= first + 1 {
                requests.push(Request::post(MESSAGE.target, body.clone()).chunked(16 * KIB - 1));
            }
            for request in requests {
                let fault = attack.send(&mut node, Sent::post(MESSAGE, &body), &request).await;
                assert_eq!(fault, None, "case 34: limit {body_limit}, member at {offset}");
            }
        }
    }
}

/// Case 34 and case 35: the default limit, and every place about the edge of what is read at once.
#[tokio::test]
async fn a_member_at_every_edge_of_a_read_goes() {
    let mut node = Node::start();
    let attack = Attack::start(REPLACES).await;
    for (edge, before) in [(8 * KIB, 260), (16 * KIB, 260), (64 * KIB, 260), (MIB, 8)] {
        let mut client = attack.connect(MESSAGE).await;
        for offset in edge - before..edge + 8 {
            let body = member_at(offset);
            let response = client.exchange(&Request::post(MESSAGE.target, body.clone())).await;
            let arrived = attack.arrived().await;
            let fault =
                attack.fault(&mut node, Sent::post(MESSAGE, &body), arrived.first(), &response);
            assert_eq!((fault, arrived.len()), (None, 1), "member at {offset}");
        }
        attack.control(Some(client)).await;
    }
}

/// Case 35: what was read so far is seen in the metrics, so each cut is where it is meant to be.
#[tokio::test]
async fn a_key_cut_anywhere_by_the_network_goes() {
    let mut node = Node::start();
    let attack = Attack::start(STRIPS).await;
    let text = "x".repeat(2000);
    let body = format!(r#"{{"text":"{text}",{MEMBER},"b":"\ud83d\ude00"}}"#).into_bytes();
    let start = 2000 + 11;
    for (door, body, start) in
        [(MESSAGE, body.clone(), start), (BRIDGE, in_params(&body), start + 59)]
    {
        let bytes = Request::post(door.target, body.clone()).bytes();
        let head = bytes.len() - body.len();
        for cut in start - 1..start + MEMBER.len() + 2 {
            let mut client = attack.connect(door).await;
            client.write(&bytes[..head + cut]).await;
            attack.modegate.counted("modegate_body_memory_bytes", &[], cut as f64).await;
            assert!(attack.arrived().await.is_empty(), "something of half a body arrived");
            client.write(&bytes[head + cut..]).await;
            let response = client.response().await;
            let arrived = attack.arrived().await;
            let fault =
                attack.fault(&mut node, Sent::post(door, &body), arrived.first(), &response);
            assert_eq!((fault, arrived.len()), (None, 1), "case 35: cut at {cut}");
        }
    }
    attack.control(None).await;
}

/// Case 35: one byte a chunk, and so one byte a write.
#[tokio::test]
async fn a_message_in_single_bytes_is_read_as_one() {
    let mut node = Node::start();
    let attack = Attack::start(STRIPS).await;
    let body = member_at(40);
    for door in [MESSAGE, BRIDGE, RUNTIME] {
        let body = if door.leg == MESSAGE.leg { body.clone() } else { in_params(&body) };
        let request = Request::post(door.target, body.clone()).chunked(1);
        let fault = attack.send(&mut node, Sent::post(door, &body), &request).await;
        assert_eq!(fault, None, "case 35");
        let mut client = attack.connect(door).await;
        for byte in request.bytes() {
            client.write([byte]).await;
        }
        assert_eq!(client.response().await.status, 200);
        let arrived = attack.arrived().await;
        assert!(!String::from_utf8_lossy(&arrived[0].body).contains("fast"), "case 35");
    }
}

/// Case 10 and case 36: what nests without end, and members without number, in bounded memory.
#[tokio::test]
async fn depth_and_number_take_no_memory_that_stays() {
    let mut node = Node::start();
    let attack = Attack::start(STRIPS).await;
    let members = format!("{{{}{MEMBER}}}", format!("{MEMBER},").repeat(99_999));
    let bodies = [
        "[".repeat(1_000_000),
        r#"{"a":"#.repeat(200_000),
        r#"{"processing":"#.repeat(200_000),
        format!(r#"{{{MEMBER},"a":{}"#, "[{\"a\":".repeat(150_000)),
        members,
    ];
    let mut memory = 0;
    for round in 0..6 {
        for body in &bodies {
            let fault = attack.post(&mut node, MESSAGE, body.as_bytes()).await;
            assert_eq!(fault, None, "case 10 or case 36");
        }
        attack.modegate.counted("modegate_body_memory_bytes", &[], 0.0).await;
        match round {
            0 | 1 => memory = memory.max(attack.modegate.memory()),
            _ => {
                let now = attack.modegate.memory();
                assert!(now < memory + 64 * KIB, "{now} KiB after {memory} KiB");
            }
        }
    }
}

/// Case 37: whatever holds the member in an answer, even one that is called an error, is the
/// upstream's to say.
#[tokio::test]
async fn an_answer_that_holds_the_member_is_not_touched() {
    let json = r#"{"processing":{"mode":"fast"},"proces\u0073ing":1,"params":{"processing":null}}"#;
    let events =
        "data: {\"processing\":{\"mode\":\"fast\"}}\n\nevent: processing\r\ndata: 1\r\n\r\n";
    let answers = [
        ("200 OK", "Content-Type: application/json\r\n", json),
        ("500 Internal Server Error", "Content-Type: application/json\r\n", json),
        ("200 OK", "Content-Type: text/event-stream\r\nX-Other: processing\r\n", events),
        ("200 OK", "Content-Encoding: gzip\r\n", "\u{1f}\u{8b}processing"),
        ("404 Not Found", "", r#"{"processing":"#),
    ];
    for (status, fields, body) in answers {
        let origin = Origin::start(move |_| Answer::status(status, fields, body)).await;
        let modegate = Modegate::start(&settings(&origin, "[flags]\nkill = true\n")).await;
        for place in PLACES {
            let request = place.request(place.body(r#""processing":{"mode":"fast"}"#));
            let mut client = Client::connect(place.address(&modegate)).await;
            for _ in 0..2 {
                let response = client.exchange(&request).await;
                assert_eq!(response.status.to_string(), status[..3], "case 37");
                assert_eq!((&*response.text(), response.end), (body, End::Clean), "case 37");
                assert_eq!(origin.last().text(), place.body(""));
            }
        }
    }
}
