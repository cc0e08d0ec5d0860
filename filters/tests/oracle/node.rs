//! The Node process that reads as the servers do: started once per test, asked over a pipe.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// Where the oracle's program stands, from this package or from the workspace's root.
const PROGRAMS: [&str; 2] = ["tests/oracle/oracle.js", "filters/tests/oracle/oracle.js"];

/// A running oracle; it ends with its input.
pub struct Node {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Node {
    /// Starts it. Without Node the test fails: it never passes for want of an oracle.
    pub fn start() -> Node {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = PROGRAMS.map(|program| package.join(program));
        let program = program.iter().find(|program| program.exists()).expect("oracle.js");
        let spawned =
            Command::new("node").arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = match spawned {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("there is no `node`: install Node.js 20 (`make test` does)")
            }
            spawned => spawned.expect("node starts"),
        };
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut node = Node { child, input, output };
        let version = node.ask(&json!({ "op": "version" }), &[]);
        let major = version.as_str().and_then(|version| version.split('.').next()?.parse().ok());
        assert!(major >= Some(20), "Node.js {version} is too old: install 20 (`make test` does)");
        node
    }

    /// Asks one question about some bytes.
    pub fn ask(&mut self, question: &Value, bytes: &[u8]) -> Value {
        let question = question.to_string();
        let length = |part: &[u8]| u32::try_from(part.len()).expect("under 4 GiB").to_be_bytes();
        let head = [length(question.as_bytes()), length(bytes)].concat();
        let input = self.input.as_mut().expect("open until dropped");
        for part in [&head, question.as_bytes(), bytes] {
            input.write_all(part).expect("the oracle reads");
        }
        let mut length = [0; 4];
        self.output.read_exact(&mut length).expect("the oracle answers");
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.output.read_exact(&mut answer).expect("the oracle answers");
        serde_json::from_slice(&answer).expect("the oracle answers in JSON")
    }

    /// What is wrong with a verdict by Node's reading of the body; empty where nothing is.
    pub fn faults(&mut self, question: &Value, body: &[u8]) -> Vec<String> {
        match self.ask(question, body) {
            Value::Array(faults) => faults.iter().map(|fault| fault.to_string()).collect(),
            other => vec![format!("the oracle answered {other}")],
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}
