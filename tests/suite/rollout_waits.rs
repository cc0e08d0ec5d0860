//! A fleet's controller whose Prometheus takes its time: the kill file, orders and what is signalled do
//! not wait for an answer, and one that comes late changes nothing of what they did.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::control_cli_flags::target;
use crate::control_process::command;
use crate::harness::{
    Modegate, RawOrigin, Start, TempDir, eventually, eventually_within, is_whole, listener,
    request_until,
};

/// Half of what one question to Prometheus may take.
const SOON: Duration = Duration::from_secs(5);

const PLAN: &str = "[rollout.timing]\ntick = \"200ms\"\nsettle = \"0s\"\n\
    [[rollout.stage]]\nname = \"watch\"\nstep = \"observability\"\ncontract = true\n\
    runtime = true\ngates = [\"parity\"]\n\
    [[rollout.stage]]\nname = \"all\"\nstep = \"canary\"\ncontract = true\nruntime = true\n\
    percent = 100.0\ngates = [\"parity\"]\n";

/// An answer that knows no instance.
const NOBODY: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;

/// A Prometheus that takes questions, and answers none before it is told to.
struct Slow {
    origin: RawOrigin,
    asked: Arc<AtomicUsize>,
    /// Questions whose asker left without an answer.
    given_up: Arc<AtomicUsize>,
    answers: watch::Sender<bool>,
}

impl Slow {
    async fn start() -> Slow {
        let (answers, told) = watch::channel(false);
        let [asked, given_up] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let counts = [asked.clone(), given_up.clone()];
        let origin = RawOrigin::start(move |stream| {
            let ([asked, given_up], told) = (counts.clone(), told.clone());
            async move {
                if !serve(stream, &asked, told).await {
                    given_up.fetch_add(1, SeqCst);
                }
            }
        })
        .await;
        Slow { origin, asked, given_up, answers }
    }

    /// Whether its first question is still to be answered.
    fn keeps_waiting(&self) -> bool {
        (self.asked.load(SeqCst), self.given_up.load(SeqCst)) == (1, 0)
    }
}

/// Whether the question was answered.
async fn serve(
    mut stream: TcpStream,
    asked: &AtomicUsize,
    mut told: watch::Receiver<bool>,
) -> bool {
    if request_until(&mut stream, is_whole).await.is_none() {
        return false;
    }
    asked.fetch_add(1, SeqCst);
    let mut more = [0];
    tokio::select! {
        _ = told.wait_for(|told| *told) => {}
        _ = stream.read(&mut more) => return false,
    }
    let length = NOBODY.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(format!("{head}{NOBODY}").as_bytes()).await.is_ok()
}

/// A controller in a stage with fast mode on, which waits for its first answer.
async fn waiting(dir: &Arc<TempDir>) -> (Slow, Modegate) {
    let prometheus = Slow::start().await;
    let config = format!(
        "[rollout]\nenabled = true\nstate_dir = \"{{dir}}/state\"\nkill_file = \"{{dir}}/kill\"\n\
         prometheus = \"{}\"\n{PLAN}\n{}",
        prometheus.origin.url(),
        listener("frontend", "http://127.0.0.1:1"),
    );
    let controller = Start::within(&config, dir.clone()).controller().run().await;
    eventually("a question", async || prometheus.keeps_waiting().then_some(())).await;
    post(&controller, "start", json!({ "actor": "ann", "reason": "a test" })).await;
    assert_eq!(flags(dir), json!({ "runtime": "on", "kill": "off" }));
    (prometheus, controller)
}

async fn post(controller: &Modegate, verb: &str, body: Value) -> Value {
    let answer = controller.call("POST", &format!("/rollout/{verb}"), Some(body)).await;
    assert_eq!(answer.status, 200, "{verb}: {}", answer.text());
    answer.json()
}

/// What the document says of two flags.
fn flags(dir: &TempDir) -> Value {
    let text = fs::read_to_string(dir.path().join("state/flags.json")).expect("a document");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let of = |flag: &str| document["flags"][flag]["defaultVariant"].clone();
    json!({ "runtime": of("runtime"), "kill": of("kill") })
}

/// Looks until the document says so, with the question still under way.
async fn says(prometheus: &Slow, dir: &TempDir, runtime: &str, kill: &str) {
    let expected = json!({ "runtime": runtime, "kill": kill });
    eventually_within(SOON, &format!("{expected} in the document"), async || {
        (flags(dir) == expected).then_some(())
    })
    .await;
    assert!(prometheus.keeps_waiting(), "it waited for the answer");
}

/// Ends the controller, whose audit decides the rollback again.
async fn is_decided_again(mut controller: Modegate, dir: &TempDir) {
    assert_eq!(controller.terminate().await, Some(0));
    let audit = dir.path().join("state/audit.jsonl").display().to_string();
    let replayed = command(&["rollout", "replay", &audit], "").await;
    assert_eq!(replayed.code, Some(0), "{}{}", replayed.stdout, replayed.stderr);
    assert!(replayed.stdout.contains("it ends in rolling_back"), "{}", replayed.stdout);
}

#[tokio::test]
async fn the_kill_file_waits_for_no_answer_and_a_late_one_changes_nothing() {
    let dir = Arc::new(TempDir::new());
    let (prometheus, controller) = waiting(&dir).await;
    dir.write("kill", "");
    says(&prometheus, &dir, "off", "on").await;

    prometheus.answers.send_replace(true);
    let now = eventually("two looks", async || {
        let now = controller.call("GET", "/rollout", None).await.json();
        (now["looks"].as_u64() >= Some(2)).then_some(now)
    })
    .await;
    assert_eq!(now["phase"], "rolling_back", "{now:#}");
    assert_eq!(flags(&dir), json!({ "runtime": "off", "kill": "on" }));
    let listed = controller.call("GET", "/incidents", None).await.json();
    assert_eq!(listed["incidents"].as_array().map(Vec::len), Some(1), "{listed:#}");
    assert_eq!(listed["incidents"][0]["trigger"], "kill_file");

    is_decided_again(controller, &dir).await;
}

#[tokio::test]
async fn an_order_waits_for_no_answer() {
    let dir = Arc::new(TempDir::new());
    let (prometheus, controller) = waiting(&dir).await;
    post(&controller, "rollback", json!({ "actor": "ann", "reason": "a test" })).await;
    says(&prometheus, &dir, "off", "off").await;
    is_decided_again(controller, &dir).await;
}

#[tokio::test]
async fn what_is_severe_waits_for_no_answer() {
    let dir = Arc::new(TempDir::new());
    let (prometheus, controller) = waiting(&dir).await;
    let body = json!({ "verdict": "severe", "source": "reviewers", "reason": "unsafe" });
    let said = post(&controller, "signals", body).await;
    assert_eq!(said["phase"], "rolling_back", "{said:#}");
    says(&prometheus, &dir, "off", "off").await;
    is_decided_again(controller, &dir).await;
}

#[tokio::test]
async fn the_end_of_the_process_waits_for_no_answer() {
    let dir = Arc::new(TempDir::new());
    let (prometheus, mut controller) = waiting(&dir).await;
    assert_eq!(controller.terminate().await, Some(0));
    assert_eq!(prometheus.asked.load(SeqCst), 1);
}

#[tokio::test]
async fn what_would_do_nothing_for_the_fleet_is_not_taken_for_done() {
    let dir = Arc::new(TempDir::new());
    let (prometheus, controller) = waiting(&dir).await;
    let why = json!({ "actor": "ann", "reason": "a test" });
    let set = json!({ "value": true, "actor": "ann", "reason": "a test" });
    let log = |access: bool| {
        let mut body = json!({ "level": "info", "actor": "ann", "reason": "a test" });
        if access {
            body["access"] = json!(true);
        }
        body
    };
    let cases = [
        ("PUT", "/flags/kill", Some(set.clone()), 409, "modegate rollout rollback --hard here"),
        ("PUT", "/flags/runtime", Some(set.clone()), 409, "at each sidecar"),
        ("DELETE", "/flags/kill", Some(why.clone()), 409, "would reach no sidecar"),
        ("DELETE", "/breaker", Some(why.clone()), 409, "at the sidecar that opened it"),
        ("PUT", "/log", Some(log(true)), 409, "writes no access lines"),
        ("PUT", "/log", Some(log(false)), 200, "\"level\": \"info\""),
        ("GET", "/flags", None, 404, "GET /rollout"),
        ("HEAD", "/flags", None, 404, ""),
        ("GET", "/parity", None, 404, "ask each sidecar"),
        ("POST", "/flags", Some(set), 405, "not allowed"),
        ("GET", "/config", None, 200, "settings"),
        ("GET", "/log", None, 200, "level"),
    ];
    for (method, path, body, status, says) in cases {
        let answer = controller.call(method, path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert!(answer.text().contains(says), "{method} {path}: {}", answer.text());
    }
    assert_eq!(flags(&dir), json!({ "runtime": "on", "kill": "off" }));

    let mut target = target(&controller);
    target.extend(["--actor", "ann", "--reason", "INC-7"].map(str::to_owned));
    let target: Vec<&str> = target.iter().map(String::as_str).collect();
    let killed = command(&[&["flags", "set", "kill", "on"], &target[..]].concat(), "").await;
    assert_eq!(killed.code, Some(1), "{}", killed.stdout);
    assert!(killed.stderr.contains("modegate rollout rollback --hard here"), "{}", killed.stderr);
    post(&controller, "rollback", json!({ "actor": "ann", "reason": "a test", "hard": true }))
        .await;
    says(&prometheus, &dir, "off", "on").await;
}
