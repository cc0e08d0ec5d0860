//! A peer that vanishes without a word: the system's probes notice it.

use std::net::TcpStream;

use crate::harness::{Modegate, Origin, eventually, settings};

/// Whether the sidecar's side of a connection has a keep-alive timer: the field `tr` of
/// `/proc/net/tcp` (proc(5)) is 02 then.
fn has_keep_alive(local: u16, remote: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the table of connections");
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let ends = (fields.next(), fields.next());
        let port = |end: Option<&str>, port: u16| {
            end.is_some_and(|end| end.ends_with(&format!(":{port:04X}")))
        };
        let timer = fields.nth(2).unwrap_or_default();
        port(ends.0, local) && port(ends.1, remote) && timer.starts_with("02:")
    })
}

#[tokio::test]
async fn accepted_connections_are_probed() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let address = modegate.frontend().tcp();
    let client = TcpStream::connect(address).expect("a connection");
    let remote = client.local_addr().expect("an address").port();
    eventually("a keep-alive timer", async || has_keep_alive(address.port(), remote).then_some(()))
        .await;
}
