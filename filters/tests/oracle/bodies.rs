//! The listed bodies, and bodies whose size or place is what matters, through every door.

use crate::listed::{On, cases};
use crate::node::Node;
use crate::setting::{
    BRIDGE, DOORS, Door, MESSAGE, REPLACES, RUNTIME, SETTINGS, STRIPS, Setting, in_params,
};
use crate::sidecar::Sidecar;

/// Bodies over this are not tried through every door under every setting.
const LARGE: usize = 1 << 16;

#[test]
fn every_listed_body_is_read_as_node_reads_it() {
    let mut node = Node::start();
    let every = SETTINGS.map(Sidecar::new);
    let mut faults = Vec::new();
    for case in cases() {
        let large = case.body.len() > LARGE;
        let sidecars = &every[..if large { 2 } else { every.len() }];
        let doors: &[Door] = if large { &[MESSAGE] } else { &DOORS };
        let wrapping: &[Door] = if large { &[BRIDGE] } else { &[BRIDGE, RUNTIME] };
        let wrapped = (case.on == On::Message).then(|| in_params(&case.body));
        for sidecar in sidecars {
            let direct = doors.iter().map(|door| (*door, &case.body));
            let within =
                wrapped.iter().flat_map(|body| wrapping.iter().map(move |door| (*door, body)));
            for (door, body) in direct.chain(within) {
                if let Err(fault) = sidecar.check(&mut node, door, body) {
                    faults.push(format!("{} {}: {fault}", case.number, case.name));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_listed_body_reads_as_listed() {
    let sidecar = Sidecar::new(REPLACES);
    let mut numbers = Vec::new();
    for case in cases() {
        let door = if case.on == On::Message { MESSAGE } else { BRIDGE };
        let verdict = sidecar.verdict(door, &case.body).expect("a verdict");
        let refused = verdict["rejection"]["reason"].as_str();
        let reads = refused.filter(|reason| !reason.starts_with("contract_"));
        let reads = reads.or(verdict["requested"].as_str());
        assert_eq!(reads, Some(case.reads), "{} {}", case.number, case.name);
        numbers.push(case.number);
    }
    let missing: Vec<u8> = (1..=36).filter(|number| !numbers.contains(number)).collect();
    assert_eq!(missing, [34], "34 is the next test");
}

#[test]
fn a_member_is_found_wherever_it_begins() {
    let mut node = Node::start();
    let sidecars = [STRIPS, REPLACES].map(Sidecar::new);
    for edge in [64usize, 4096, 1 << 16, 1 << 20] {
        for offset in edge - 16..=edge + 4 {
            let padded = |pad: &str, count: usize| pad.repeat(count);
            let blank = format!(
                "{{{}\"proces\\u0073ing\":{{\"mode\":\"fast\"}}}}",
                padded(" ", offset - 1)
            );
            let text = format!(
                r#"{{"t":"{}","processing":{{"mode":"fast"}},"b":1}}"#,
                padded("x", offset - 8)
            );
            let bodies = if edge == 1 << 20 { vec![text] } else { vec![blank, text] };
            for body in bodies {
                for sidecar in &sidecars {
                    sidecar.check(&mut node, MESSAGE, body.as_bytes()).expect("Node agrees");
                }
            }
        }
    }
}

#[test]
fn a_body_over_the_limit_is_refused_and_one_at_it_is_not() {
    let mut node = Node::start();
    for body_limit in [1024, 1 << 16, 1 << 20, 20 << 20] {
        let sidecar = Sidecar::new(Setting { body_limit, ..STRIPS });
        for length in [body_limit - 1, body_limit, body_limit + 1] {
            let end = r#"","processing":{"mode":"fast"}}"#;
            let body = format!(r#"{{"text":"{}{end}"#, "x".repeat(length - 9 - end.len()));
            assert_eq!(body.len(), length);
            sidecar.check(&mut node, MESSAGE, body.as_bytes()).expect("Node agrees");
        }
    }
}
