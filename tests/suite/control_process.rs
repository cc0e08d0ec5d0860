//! What the tests of control share: the binary's other commands as children, signals that a
//! process handles, and the message whose fate shows the flags.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{
    Client, DEADLINE, Exited, Modegate, Origin, Request, Response, TempDir, eventually, listener,
};

/// The route of [`FAST`]; its conversation is a bucket key.
pub const ROUTE: &str = "/api/conversations/c1/messages";
/// A message that asks for the fast mode.
pub const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
/// The message as it leaves while runtime is off.
pub const DOWNGRADED: &str = r#"{"text":"hi","processing":{"mode":"default"}}"#;
/// The message as it leaves while the contract is off.
pub const STRIPPED: &str = r#"{"text":"hi"}"#;
/// Everyone is canary.
pub const CANARY: &str = "[canary]\npercent = 100\n";

/// Sends [`FAST`]; gives the answer, and what arrived at the origin.
pub async fn message(modegate: &Modegate, origin: &Origin) -> (Response, String) {
    let response = modegate.post(ROUTE, FAST).await;
    assert_eq!(response.status, 200, "{}", response.text());
    let received = origin.last();
    let mode = received.header("x-processing-mode").map(str::to_owned);
    assert_eq!(response.header("x-processing-mode").map(str::to_owned), mode);
    assert_eq!(received.header("x-processing-requested"), Some("fast"));
    let fast = if received.text() == FAST { "fast" } else { "default" };
    assert_eq!(mode.as_deref(), Some(fast), "{}", received.text());
    (response, received.text())
}

/// Waits until `GET /flags` says so of a flag; gives the whole document.
pub async fn until_flag(modegate: &Modegate, flag: &str, value: bool) -> Value {
    eventually(&format!("{flag} to be {value}"), async || {
        let flags = modegate.flags().await;
        (flags["flags"][flag]["value"] == value).then_some(flags)
    })
    .await
}

/// The number of the flags snapshot in force.
pub async fn generation(modegate: &Modegate) -> u64 {
    modegate.flags().await["generation"].as_u64().expect("a generation")
}

/// A call to the admin API, without the token.
pub async fn unauthorized(modegate: &Modegate, request: Request) -> Response {
    let request = request.header("Host", "localhost").only_last("Host");
    Client::once(modegate.admin(), request).await
}

/// Waits until a process handles a signal (by its number): before that the signal ends it.
pub async fn handles(modegate: &Modegate, signal: u32) {
    let path = format!("/proc/{}/status", modegate.pid());
    eventually(&format!("signal {signal} to be handled"), async || {
        let status = std::fs::read_to_string(&path).expect("a running process");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        let caught = u64::from_str_radix(caught.trim(), 16).expect("a set of signals");
        (caught >> (signal - 1) & 1 == 1).then_some(())
    })
    .await;
}

/// A configuration with all three legs, for commands that do not serve; gives its path.
pub fn file(dir: &TempDir, text: &str) -> String {
    let legs = ["frontend", "bridge", "runtime"].map(|leg| listener(leg, "http://127.0.0.1:9"));
    dir.write("modegate.toml", format!("{text}\n{}", legs.concat())).display().to_string()
}

/// Runs a command of the binary to its end.
pub async fn command(arguments: &[&str], input: &str) -> Exited {
    command_with(arguments, input, &[]).await
}

/// Runs a command of the binary to its end, with these environment variables.
pub async fn command_with(arguments: &[&str], input: &str, environment: &[(&str, &str)]) -> Exited {
    command_within(DEADLINE, arguments, input, environment).await
}

/// Runs a command that may take longer.
pub async fn command_within(
    deadline: Duration,
    arguments: &[&str],
    input: &str,
    environment: &[(&str, &str)],
) -> Exited {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modegate"));
    command.args(arguments);
    for flag in ["CONTRACT_ENABLED", "RUNTIME_ENABLED", "UI_ENABLED", "CLOUD_ENFORCED", "KILL"] {
        command.env_remove(format!("FAST_MODE_{flag}"));
    }
    command.envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    // A command that does not read its input closes it; that is its business.
    std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let stdout = read(child.stdout.take().expect("piped"));
    let stderr = read(child.stderr.take().expect("piped"));
    let ended = crate::harness::eventually_within(deadline, "the command's end", async || {
        child.try_wait().expect("a child")
    })
    .await;
    let text = |reader: std::thread::JoinHandle<Vec<u8>>| {
        String::from_utf8(reader.join().expect("no panic")).expect("output in UTF-8")
    };
    Exited { code: ended.code(), stdout: text(stdout), stderr: text(stderr) }
}

fn read(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}
