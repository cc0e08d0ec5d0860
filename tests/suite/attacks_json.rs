//! Bodies that parsers read differently, through the running process: what arrives holds no member
//! that either server would find, nothing else changed, and the tags say what JavaScript reads
//! (cases 1 to 36 of the list, by number in the filters' `listed` and `documents`).

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

/// Every listed case: case 1 to case 36, but for case 34.
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

/// Case 33.
#[tokio::test]
async fn every_document_of_the_json_suites_beside_the_member() {
    let attack = Attack::start(STRIPS).await;
    let mut node = Node::start();
    let bodies: Vec<Vec<u8>> =
        DOCUMENTS.iter().flat_map(|(_, document)| beside(document)).collect();
    pipelined(&attack, &mut node, MESSAGE, &bodies).await;
    attack.control(None).await;
}

/// Case 4: the member.
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

/// Case 29: `params`, and case 33: the room.
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
