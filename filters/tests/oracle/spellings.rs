//! Every way in which JSON can spell the names that count.

use crate::names::spellings;
use crate::node::Node;
use crate::setting::{APPLIES, BRIDGE, MESSAGE, REPLACES, RUNTIME, STRIPS};
use crate::sidecar::Sidecar;

fn counted(name: &str, count: usize) -> Vec<String> {
    let all = spellings(name);
    assert_eq!(all.len(), count, "{name}");
    all
}

#[test]
fn every_spelling_of_the_member() {
    let mut node = Node::start();
    let sidecars = [STRIPS, REPLACES].map(Sidecar::new);
    let spellings = counted("processing", 2304);
    for key in &spellings {
        let body = format!(r#"{{"text":"a","{key}":{{"mode":"fast"}},"b":[1]}}"#);
        for sidecar in &sidecars {
            sidecar.check(&mut node, MESSAGE, body.as_bytes()).expect("Node agrees");
        }
    }
    let members: Vec<String> =
        spellings.iter().map(|key| format!(r#""{key}":{{"mode":"fast"}}"#)).collect();
    let members = format!("{{{}}}", members.join(","));
    for sidecar in &sidecars {
        sidecar.check(&mut node, MESSAGE, members.as_bytes()).expect("Node agrees on all at once");
    }
}

#[test]
fn every_spelling_of_params_and_of_the_room() {
    let mut node = Node::start();
    let sidecars = [STRIPS, APPLIES].map(Sidecar::new);
    let params = counted("params", 96).into_iter().map(|params| (params, "roomId".to_owned()));
    let rooms = counted("roomId", 216).into_iter().map(|room| ("params".to_owned(), room));
    for (params, room) in params.chain(rooms) {
        let member = r#""proces\u0073ing":{"mode":"fast"}"#;
        let body = format!(r#"{{"method":"m","{params}":{{"{room}":"r-1",{member}}}}}"#);
        for sidecar in &sidecars {
            for door in [BRIDGE, RUNTIME] {
                sidecar.check(&mut node, door, body.as_bytes()).expect("Node agrees");
            }
        }
    }
}

#[test]
fn spellings_together() {
    let mut node = Node::start();
    let sidecars = [STRIPS, REPLACES, APPLIES].map(Sidecar::new);
    let (members, params, rooms) =
        (spellings("processing"), spellings("params"), spellings("roomId"));
    let modes = spellings("mode");
    // Steps prime to the lists' lengths meet every spelling of each.
    for step in 0..600 {
        let [member, hidden] = [step * 5, step * 7 + 11].map(|at| &members[at % members.len()]);
        let [last, first] = [step * 5, step * 7 + 1].map(|at| &params[at % params.len()]);
        let room = &rooms[step * 5 % rooms.len()];
        let mode = &modes[step * 7 % modes.len()];
        let body = format!(
            r#"{{"{first}":{{"{hidden}":7,"{room}":"r-0"}},"method":"m","{last}":{{"{room}":"r-{step}","{member}":{{"{mode}":"fast"}}}}}}"#
        );
        for sidecar in &sidecars {
            sidecar.check(&mut node, BRIDGE, body.as_bytes()).expect("Node agrees");
        }
    }
}
