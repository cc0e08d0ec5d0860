//! Bodies that parsers read differently, through the running process: what arrives holds no member
//! that either server would find, nothing else changed, and the tags say what JavaScript reads. The
//! bodies are the filters' (`listed` and `documents`), by their numbers:
//!
//! case 1: the member first, last, alone, in the middle; case 2: twice; case 3: null at last;
//! case 4: spelled with escapes; case 5: with escapes that JSON has not; case 6: look-alikes;
//! case 7: in a value; case 8: nested; case 9: beside what is deep; case 10: beside what never ends;
//! case 11: beside bytes that are no UTF-8; case 12: overlong; case 13 and case 14: surrogates;
//! case 15: marks; case 16: other encodings; case 17: blanks; case 18: what is no blank;
//! case 19: something behind the end; case 20: JSON5; case 21: numbers; case 22: keys;
//! case 23: `__proto__`; case 24: other types; case 25: inner keys; case 26: long strings;
//! case 27: no object; case 28: `params` twice; case 29: `params` escaped; case 30: batches;
//! case 31: methods and ids; case 32: the member where the other dialect has it; case 33: every kind
//! of neighbour; case 35: a key at an edge; case 36: members without number.

use crate::attacks::{Attack, Sent};
use crate::explain_oracle::documents::{DOCUMENTS, beside};
use crate::explain_oracle::listed::{On, cases};
use crate::explain_oracle::names::spellings;
use crate::explain_oracle::node::Node;
use crate::explain_oracle::setting::{
    APPLIES, BRIDGE, Door, MESSAGE, REPLACES, RUNTIME, STRIPS, in_params,
};
use crate::harness::Request;

/// Bodies over this go through two doors only.
const LARGE: usize = 1 << 16;

/// Every listed body; case 34 is about sizes, and so elsewhere.
async fn listed(attack: Attack) {
    let mut node = Node::start();
    let mut faults = Vec::new();
    for case in cases() {
        let wrapped = in_params(&case.body);
        let direct: &[Door] = match case.on {
            On::Message => &[MESSAGE],
            On::Rpc => &[BRIDGE, RUNTIME],
        };
        let direct = direct.iter().map(|door| (*door, &case.body));
        let within: &[Door] = match case.on {
            On::Message if case.body.len() > LARGE => &[BRIDGE],
            On::Message => &[BRIDGE, RUNTIME],
            On::Rpc => &[],
        };
        for (door, body) in direct.chain(within.iter().map(|door| (*door, &wrapped))) {
            let fault = attack.post(&mut node, door, body).await;
            faults
                .extend(fault.map(|fault| format!("case {} {}: {fault}", case.number, case.name)));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test]
async fn every_listed_body_where_all_is_stripped() {
    listed(Attack::start(STRIPS).await).await;
}

#[tokio::test]
async fn every_listed_body_where_all_is_stripped_before_node() {
    listed(Attack::before_node(STRIPS).await).await;
}

#[tokio::test]
async fn every_listed_body_where_modes_are_replaced() {
    listed(Attack::start(REPLACES).await).await;
}

#[tokio::test]
async fn every_listed_body_where_modes_apply_before_node() {
    listed(Attack::before_node(APPLIES).await).await;
}

/// Each before, after and in the member (case 33).
#[tokio::test]
async fn every_document_of_the_json_suites_beside_the_member() {
    let attack = Attack::start(STRIPS).await;
    let mut node = Node::start();
    let bodies: Vec<Vec<u8>> =
        DOCUMENTS.iter().flat_map(|(_, document)| beside(document)).collect();
    pipelined(&attack, &mut node, MESSAGE, &bodies).await;
    attack.control(None).await;
}

/// Each character plain or escaped, the digits in either case (case 4).
#[tokio::test]
async fn every_spelling_of_the_member() {
    let attack = Attack::start(STRIPS).await;
    let mut node = Node::start();
    let spelled = spellings("processing");
    assert_eq!(spelled.len(), 2304);
    let body = |key: &String| format!(r#"{{"text":"a","{key}":{{"mode":"fast"}},"b":[1]}}"#);
    let bodies: Vec<Vec<u8>> = spelled.iter().map(|key| body(key).into_bytes()).collect();
    pipelined(&attack, &mut node, MESSAGE, &bodies).await;
    attack.control(None).await;
}

/// `params` (case 29) with the room's name (case 33) and the member's.
#[tokio::test]
async fn every_spelling_of_params_and_of_the_room() {
    let attack = Attack::start(APPLIES).await;
    let mut node = Node::start();
    let members = spellings("processing");
    let (params, rooms) = (spellings("params"), spellings("roomId"));
    assert_eq!((params.len(), rooms.len()), (96, 216));
    let body = |(at, room): (usize, &String)| {
        let (params, member) = (&params[at % params.len()], &members[at * 5 % members.len()]);
        format!(r#"{{"method":"m","{params}":{{"{room}":"r-{at}","{member}":{{"mode":"fast"}}}}}}"#)
    };
    let bodies: Vec<Vec<u8>> =
        rooms.iter().enumerate().map(|each| body(each).into_bytes()).collect();
    for door in [BRIDGE, RUNTIME] {
        pipelined(&attack, &mut node, door, &bodies).await;
    }
    attack.control(None).await;
}

/// Sends bodies one behind the other on a few connections; each is judged alone. A refusal of what
/// is no JSON leaves the connection good for the next.
async fn pipelined(attack: &Attack, node: &mut Node, door: Door, bodies: &[Vec<u8>]) {
    for bodies in bodies.chunks(600) {
        let mut client = attack.connect(door).await;
        for bodies in bodies.chunks(100) {
            let request = |(at, body): (usize, &Vec<u8>)| {
                Request::post(door.target, body.clone())
                    .header("X-Request-Id", &format!("number-{at}"))
                    .bytes()
            };
            let requests: Vec<Vec<u8>> = bodies.iter().enumerate().map(request).collect();
            client.write(requests.concat()).await;
            let mut responses = Vec::with_capacity(bodies.len());
            for at in 0..bodies.len() {
                let response = client.response().await;
                assert_eq!(response.header("x-request-id"), Some(&*format!("number-{at}")));
                responses.push(response);
            }
            let arrived = attack.arrived().await;
            for (at, (body, response)) in bodies.iter().zip(&responses).enumerate() {
                let id = format!("number-{at}");
                let mut mine =
                    arrived.iter().filter(|one| one.header("x-request-id") == Some(&*id));
                let fault = attack.fault(node, Sent::post(door, body), mine.next(), response);
                assert_eq!(fault, None);
                assert!(mine.next().is_none(), "sent twice: {}", String::from_utf8_lossy(body));
            }
        }
    }
}
