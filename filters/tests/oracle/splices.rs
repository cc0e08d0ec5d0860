//! Documents beside the contract member: both accepted, or both refused, and read alike.

use crate::documents::{DOCUMENTS, I, INSIDE, Y, beside};
use crate::node::Node;
use crate::setting::{MESSAGE, REPLACES, STRIPS};
use crate::sidecar::Sidecar;

#[test]
fn a_document_beside_the_member() {
    let mut node = Node::start();
    let sidecars = [STRIPS, REPLACES].map(Sidecar::new);
    let refusal = Sidecar::new(STRIPS);
    let mut faults = Vec::new();
    for (must, document) in DOCUMENTS {
        for (place, body) in beside(document).iter().enumerate() {
            for sidecar in &sidecars {
                faults.extend(sidecar.check(&mut node, MESSAGE, body).err());
            }
            let verdict = refusal.verdict(MESSAGE, body).expect("a verdict");
            let accepted = verdict["rejection"].is_null();
            let decided = place < INSIDE && *must != I;
            let shown = String::from_utf8_lossy(body);
            assert!(!decided || accepted == (*must == Y), "{must}: {shown:?}");
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
