//! Node's own HTTP server behind the process under test: it keeps a log of what it read.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use super::client::{Client, Request};
use super::stream::Address;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/harness/node_origin.js");

/// What Node read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeRead {
    /// `request`, `upgrade` or `connect`; `error` where Node refused what came.
    pub kind: String,
    /// The code of an error.
    pub code: Option<String>,
    /// `req.method`.
    pub method: String,
    /// `req.url`.
    pub url: String,
    /// `req.httpVersion`.
    pub version: String,
    /// `req.headers`, whose values are strings but for `set-cookie`.
    pub headers: BTreeMap<String, serde_json::Value>,
    /// `req.rawHeaders`: names and values in turn.
    pub raw_headers: Vec<String>,
    /// The body, one character a byte.
    body: String,
    /// `req.trailers`.
    pub trailers: BTreeMap<String, String>,
    /// Whether the request came to its end.
    pub complete: bool,
    /// Whether nothing more comes of it.
    pub closed: bool,
}

impl NodeRead {
    /// The body's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.body.chars().map(|byte| u8::try_from(byte).expect("latin1")).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// A header as Node joins it.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(serde_json::Value::as_str)
    }

    /// Every value of a field as it came, by its name in any case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.raw_headers.chunks(2);
        let named = fields.filter(|field| field[0].eq_ignore_ascii_case(name));
        named.map(|field| field[1].as_str()).collect()
    }
}

/// A running server; it ends with the test.
pub struct NodeOrigin {
    /// Where it listens.
    pub address: Address,
    control: Address,
    child: Child,
}

impl NodeOrigin {
    /// Starts it. Without Node the test fails: it never passes for want of a server.
    pub async fn start() -> NodeOrigin {
        let spawned =
            Command::new("node").arg(PROGRAM).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = match spawned {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("there is no `node`: install Node.js 20 (`make test` does)")
            }
            spawned => spawned.expect("node starts"),
        };
        let output = child.stdout.take().expect("piped");
        let reading = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).expect("node says where it listens");
            line
        });
        let line = super::within("node's ports", reading).await.expect("no panic");
        let ports: Vec<u16> = line.split_whitespace().flat_map(str::parse).collect();
        let [origin, control] = ports[..] else { panic!("node did not start: {line:?}") };
        let local = |port| Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        NodeOrigin { address: local(origin), control: local(control), child }
    }

    /// What a configuration calls it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that it read or refused so far.
    pub async fn log(&self) -> Vec<NodeRead> {
        self.ask("GET").await
    }

    /// The same, and forgets it.
    pub async fn take(&self) -> Vec<NodeRead> {
        self.ask("DELETE").await
    }

    async fn ask(&self, method: &str) -> Vec<NodeRead> {
        let answer = Client::once(&self.control, Request::new(method, "/")).await;
        serde_json::from_slice(&answer.body).expect("node's log")
    }
}

impl Drop for NodeOrigin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
