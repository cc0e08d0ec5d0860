//! Asks `modegate explain` for its verdict, and Node whether the verdict is right.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

#[allow(dead_code, reason = "the filters' oracle tests use the rest")]
#[path = "../../filters/tests/oracle/documents.rs"]
pub mod documents;
#[path = "../../filters/tests/oracle/listed.rs"]
pub mod listed;
#[path = "../../filters/tests/oracle/names.rs"]
pub mod names;
#[path = "../../filters/tests/oracle/node.rs"]
pub mod node;
#[allow(dead_code, reason = "the filters' oracle tests use the rest")]
#[path = "../../filters/tests/oracle/setting.rs"]
pub mod setting;

use crate::harness::{TempDir, listener};
use node::Node;
use setting::{Door, MODES, PROFILES, SALT, Setting};

/// A configuration file under one setting.
pub struct Explainer {
    setting: Setting,
    folder: TempDir,
}

/// One request of `explain`.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    pub leg: &'r str,
    pub method: &'r str,
    pub target: &'r str,
    pub headers: &'r [(&'r str, &'r str)],
    pub body: &'r [u8],
}

impl<'r> Request<'r> {
    pub fn post(door: Door, body: &'r [u8]) -> Request<'r> {
        Request { leg: door.leg, method: "POST", target: door.target, headers: &[], body }
    }
}

impl Explainer {
    pub fn new(setting: Setting) -> Explainer {
        let folder = TempDir::new();
        folder.write("modegate.toml", toml(&setting, "http://127.0.0.1:9"));
        Explainer { setting, folder }
    }

    /// What `explain` prints.
    pub fn explain(&self, request: Request<'_>) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modegate"));
        command.arg("explain").arg("-c").arg(self.folder.path().join("modegate.toml"));
        command.args(["--json", "--leg", request.leg, "--method", request.method]);
        command.args(["--path", request.target]);
        for (name, value) in request.headers {
            command.arg("--header").arg(format!("{name}: {value}"));
        }
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        child.stdin.take().unwrap().write_all(request.body).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What is wrong with what `explain` prints, by Node's reading.
    pub fn faults(&self, node: &mut Node, request: Request<'_>) -> Option<String> {
        let verdict = self.explain(request);
        let encodings = request.headers.iter().filter(|(name, _)| *name == "content-encoding");
        let question = json!({
            "op": "judge",
            "leg": request.leg,
            "method": request.method,
            "target": request.target,
            "encodings": encodings.map(|(_, value)| value).collect::<Vec<_>>(),
            "settings": self.setting.json(),
            "verdict": verdict,
        });
        let faults = node.faults(&question, request.body);
        let Request { leg, target, method, .. } = request;
        let setting = self.setting.name;
        let shown = || format!("{leg} {method} {target}, {setting}: {}", faults.join("; "));
        (!faults.is_empty()).then(shown)
    }
}

/// A configuration under one setting: all legs in front of one upstream.
pub fn toml(setting: &Setting, upstream: &str) -> String {
    let Setting { contract, runtime, kill, downgrade, percent, body_limit, .. } = setting;
    let profiles =
        PROFILES.map(|(name, mode)| format!("[profiles.{name}]\nmode = \"{mode}\"\n")).concat();
    let listeners = ["frontend", "bridge", "runtime"].map(|leg| listener(leg, upstream));
    format!(
        "[contract]\nmodes = {MODES:?}\ndowngrade = \"{downgrade}\"\nbody_limit = \"{body_limit}B\"\n\
         runtime_body_limit = \"{body_limit}B\"\n{profiles}\
         [flags]\ncontract = {contract}\nruntime = {runtime}\nkill = {kill}\n\
         [canary]\nsalt = \"{SALT}\"\npercent = {percent}.0\n{}",
        listeners.concat()
    )
}
