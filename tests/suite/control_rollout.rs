//! A rollout that a lone sidecar runs by itself: orders over the admin API and the commands, what is
//! kept over a restart, the kill file, incidents, and the audit decided again. Whole rollouts under
//! traffic are in `rollout_whole`.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::control_cli_flags::target;
use crate::control_process::{DOWNGRADED, FAST, ROUTE, command};
use crate::harness::{Exited, Modegate, Origin, Start, TempDir, eventually, settings};

/// Watched, then everybody, then everybody is shown the toggle; a human says when.
const PLAN: &str = "[rollout]\nenabled = true\nstate_dir = \"{dir}/state\"\n\
    kill_file = \"{dir}/kill\"\n\
    [rollout.timing]\ntick = \"50ms\"\nsettle = \"0s\"\ncool_down = \"0s\"\n\
    [[rollout.stage]]\nname = \"watch\"\nstep = \"observability\"\ncontract = true\n\
    runtime = true\ngates = [\"parity\"]\n\
    [[rollout.stage]]\nname = \"all\"\nstep = \"canary\"\ncontract = true\nruntime = true\n\
    percent = 100.0\ngates = [\"parity\"]\n";

async fn sidecar(origin: &Origin, dir: Arc<TempDir>) -> Modegate {
    Start::within(&settings(origin, PLAN), dir).run().await
}

async fn rollout(modegate: &Modegate) -> Value {
    modegate.call("GET", "/rollout", None).await.json()
}

async fn reaches(modegate: &Modegate, phase: &str) -> Value {
    eventually(&format!("the phase {phase}"), async || {
        Some(rollout(modegate).await).filter(|now| now["phase"] == phase)
    })
    .await
}

async fn order(modegate: &Modegate, verb: &str) -> Value {
    let body = json!({ "actor": "ann", "reason": "a test" });
    let answer = modegate.call("POST", &format!("/rollout/{verb}"), Some(body)).await;
    assert_eq!(answer.status, 200, "{verb}: {}", answer.text());
    answer.json()
}

/// Started, and everybody in fast mode.
async fn exposed(origin: &Origin, dir: Arc<TempDir>) -> Modegate {
    let modegate = sidecar(origin, dir).await;
    assert_eq!(order(&modegate, "start").await["stage"]["name"], "watch");
    reaches(&modegate, "observing").await;
    assert_eq!(arrives(&modegate).await, DOWNGRADED);
    order(&modegate, "advance").await;
    reaches(&modegate, "observing").await;
    assert_eq!(arrives(&modegate).await, FAST);
    modegate
}

/// What a message in fast mode is to the origin, which says it.
async fn arrives(modegate: &Modegate) -> String {
    modegate.post(ROUTE, FAST).await.text()
}

async fn rollout_command(modegate: &Modegate, arguments: &[&str]) -> Exited {
    let target = target(modegate);
    let target: Vec<&str> = target.iter().map(String::as_str).collect();
    command(&[arguments, &target].concat(), "").await
}

fn files(modegate: &Modegate, name: &str) -> String {
    modegate.dir().path().join("state").join(name).display().to_string()
}

#[tokio::test]
async fn an_order_holds_from_the_next_request_on() {
    let origin = Origin::echo().await;
    let modegate = exposed(&origin, Arc::new(TempDir::new())).await;
    let said = order(&modegate, "rollback").await;
    assert_eq!(arrives(&modegate).await, DOWNGRADED);
    assert_eq!(said["why"], "soft rollback, operator: soft rollback by ann: a test");
    let over = reaches(&modegate, "rolled_back").await;
    assert_eq!(over["percent"], 0.0);
    // From the stage before, with what it says.
    assert_eq!(order(&modegate, "start").await["stage"]["name"], "watch");
}

fn attested(expires: &str) -> Value {
    json!({ "verdict": "attested", "source": "ann", "reason": "x", "expires": expires })
}

#[tokio::test]
async fn orders_need_a_token_an_actor_and_a_reason_and_their_place() {
    let origin = Origin::echo().await;
    let modegate = sidecar(&origin, Arc::new(TempDir::new())).await;
    for (verb, body, status) in [
        ("start", json!({ "actor": "ann" }), 400),
        ("start", json!({ "actor": "ann", "reason": "" }), 400),
        ("start", json!({ "actor": "ann", "reason": "x", "hard": true }), 400),
        ("start", json!({ "actor": "ann", "reason": "x", "force": true }), 400),
        ("resume", json!({ "actor": "ann", "reason": "x" }), 409),
        ("rollback", json!({ "actor": "ann", "reason": "x" }), 409),
        ("leap", json!({ "actor": "ann", "reason": "x" }), 404),
        ("signals", attested("720h0"), 400),
        ("signals", attested("0s"), 400),
        ("signals", json!({ "verdict": "fine", "source": "ann", "reason": "x" }), 400),
        ("signals", json!({ "verdict": "attested", "source": "ann", "reason": "x" }), 400),
    ] {
        let said = body.to_string();
        let answer = modegate.call("POST", &format!("/rollout/{verb}"), Some(body)).await;
        assert_eq!(answer.status, status, "{verb} {said}: {}", answer.text());
    }
    let verbs = "allowed: start, hold, resume, approve, advance, rollback, abort, signals";
    for (verb, body, says) in [
        (
            "strat",
            json!({ "actor": "ann", "reason": "x" }),
            format!("verb: found: \"strat\"; {verbs}"),
        ),
        (
            "signals",
            attested("721h"),
            "expires: found: \"721h\"; allowed: a duration with its unit, 1ms to 720h".to_owned(),
        ),
    ] {
        let answer = modegate.call("POST", &format!("/rollout/{verb}"), Some(body)).await;
        assert_eq!(answer.json()["error"], says);
    }
    assert_eq!(rollout(&modegate).await["attestation"], Value::Null);
    let longest = modegate.call("POST", "/rollout/signals", Some(attested("720h"))).await;
    assert_eq!(longest.status, 200, "{}", longest.text());
    assert_eq!(modegate.call("PUT", "/rollout/start", None).await.status, 405);
    assert_eq!(modegate.call("POST", "/rollout", None).await.status, 405);
    assert_eq!(rollout(&modegate).await["phase"], "draft");

    let elsewhere = Modegate::start(&settings(&origin, "")).await;
    let answer = elsewhere.call("GET", "/rollout", None).await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("no rollout is run here"), "{}", answer.text());
}

#[tokio::test]
async fn a_restart_goes_on_with_the_flags_in_force_for_its_first_request() {
    let origin = Origin::echo().await;
    let dir = Arc::new(TempDir::new());
    let mut modegate = exposed(&origin, dir.clone()).await;
    let before = rollout(&modegate).await;
    modegate.signal("KILL");
    modegate.exited(crate::harness::DEADLINE).await;
    let again = sidecar(&origin, dir).await;
    assert_eq!(arrives(&again).await, FAST);
    let now = rollout(&again).await;
    for key in ["phase", "desired"] {
        assert_eq!(now[key], before[key], "{key}");
    }
    let replayed = command(&["rollout", "replay", &files(&again, "audit.jsonl")], "").await;
    assert_eq!(replayed.code, Some(0), "{}{}", replayed.stdout, replayed.stderr);
    assert!(replayed.stdout.contains("it ends in observing"), "{}", replayed.stdout);
}

#[tokio::test]
async fn another_salt_draws_nobody_into_a_rollout_that_others_came_through() {
    let origin = Origin::echo().await;
    let dir = Arc::new(TempDir::new());
    let mut modegate = exposed(&origin, dir.clone()).await;
    assert_eq!(modegate.terminate().await, Some(0));
    let canary = "[canary]\nsalt = \"fast-mode/2027-01\"\n";
    let config = settings(&origin, &format!("{PLAN}{canary}"));
    let mut other = Start::within(&config, dir.clone()).run().await;
    assert_eq!(arrives(&other).await, DOWNGRADED);
    let fault = rollout(&other).await["fault"].as_str().expect("a fault").to_owned();
    for part in ["\"fast-mode/2026-12\"", "\"fast-mode/2027-01\"", "a state_dir of its own"] {
        assert!(fault.contains(part), "{part}: {fault}");
    }
    let body = json!({ "actor": "ann", "reason": "go on" });
    let answer = other.call("POST", "/rollout/resume", Some(body)).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(other.terminate().await, Some(0));
    let again = sidecar(&origin, dir).await;
    assert_eq!(arrives(&again).await, FAST, "with the salt back");
}

#[tokio::test]
async fn the_kill_file_removes_everything() {
    let origin = Origin::echo().await;
    let modegate = exposed(&origin, Arc::new(TempDir::new())).await;
    modegate.dir().write("kill", "");
    reaches(&modegate, "rolled_back").await;
    let stripped = arrives(&modegate).await;
    assert!(!stripped.contains("processing"), "{stripped}");
    let body = json!({ "actor": "ann", "reason": "too soon" });
    let answer = modegate.call("POST", "/rollout/start", Some(body)).await;
    assert!(answer.text().contains("the kill file is there"), "{}", answer.text());
}

#[tokio::test]
async fn what_is_severe_rolls_back_at_once() {
    let origin = Origin::echo().await;
    let modegate = exposed(&origin, Arc::new(TempDir::new())).await;
    let reason = ["--source", "reviewers", "--reason", "an unsafe answer"];
    let arguments = [&["rollout", "signal", "severe"], &reason[..]].concat();
    let said = rollout_command(&modegate, &arguments).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("runtime off"), "it answers with what it did: {}", said.stdout);
    reaches(&modegate, "rolled_back").await;
    assert_eq!(arrives(&modegate).await, DOWNGRADED);
    let incidents = modegate.call("GET", "/incidents", None).await.json();
    assert_eq!(incidents["incidents"][0]["trigger"], "severe");
}

#[tokio::test]
async fn the_commands_say_and_do_it() {
    let origin = Origin::echo().await;
    let modegate = exposed(&origin, Arc::new(TempDir::new())).await;
    let why = ["--actor", "ann", "--reason", "a look at it"];
    let run = async |arguments: &[&str]| rollout_command(&modegate, arguments).await;

    let status = run(&["rollout", "status"]).await;
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    let first = "fast-mode/2026-12: observing in stage all (2 of 2)";
    assert!(status.stdout.starts_with(first), "{}", status.stdout);
    assert!(status.stdout.contains("runtime on"), "{}", status.stdout);
    let gate = run(&["rollout", "explain", "parity"]).await;
    assert!(gate.stdout.starts_with("parity: inconclusive"), "{}{}", gate.stdout, gate.stderr);
    assert_eq!(run(&["rollout", "explain", "latency"]).await.code, Some(1));

    let held = run(&[&["rollout", "hold"], &why[..]].concat()).await;
    assert!(held.stdout.contains("because: somebody said so"), "{}{}", held.stdout, held.stderr);
    assert_eq!(run(&[&["rollout", "resume"], &why[..]].concat()).await.code, Some(0));
    let neither = run(&[&["rollout", "rollback"], &why[..]].concat()).await;
    assert_eq!(neither.code, Some(2));
    assert!(neither.stderr.contains("<--soft|--hard>"), "{}", neither.stderr);
    let back = run(&[&["rollout", "rollback", "--hard", "--json"], &why[..]].concat()).await;
    let back: Value = serde_json::from_str(&back.stdout).expect("JSON");
    assert_eq!(back["desired"]["flags"]["kill"], true);
    reaches(&modegate, "rolled_back").await;

    let list = run(&["incidents", "list"]).await;
    assert!(list.stdout.contains("operator"), "{}{}", list.stdout, list.stderr);
    let list = run(&["incidents", "list", "--json"]).await;
    let list: Value = serde_json::from_str(&list.stdout).expect("JSON");
    let id = list["incidents"][0]["id"].as_str().expect("an id");
    let shown = run(&["incidents", "show", id]).await;
    assert!(shown.stdout.contains("hard rollback by ann: a look at it"), "{}", shown.stdout);
    let shown = run(&["incidents", "show", id, "--json"]).await;
    let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(shown["after"]["flags"]["kill"], true);
    assert!(shown["safe"].is_u64(), "{shown}");
    assert_eq!(run(&["incidents", "show", "none"]).await.code, Some(1));
}

#[tokio::test]
async fn an_audit_that_was_changed_is_found() {
    let origin = Origin::echo().await;
    let mut modegate = exposed(&origin, Arc::new(TempDir::new())).await;
    modegate.terminate().await;
    let path = files(&modegate, "audit.jsonl");
    let whole = fs::read_to_string(&path).expect("an audit");
    assert!(whole.contains("\"actor\":\"ann\""), "{whole}");
    fs::write(&path, whole.replacen("\"actor\":\"ann\"", "\"actor\":\"bob\"", 1)).expect("written");
    let replayed = command(&["rollout", "replay", &path], "").await;
    assert_eq!(replayed.code, Some(1), "{}", replayed.stdout);
    assert!(replayed.stderr.contains("a line was changed, lost or moved"), "{}", replayed.stderr);
}

#[tokio::test]
async fn somebody_elses_document_is_noticed() {
    let origin = Origin::echo().await;
    let modegate = exposed(&origin, Arc::new(TempDir::new())).await;
    let path = files(&modegate, "flags.json");
    let document = fs::read_to_string(&path).expect("a document");
    let generation = rollout(&modegate).await["desired"]["generation"].as_u64().expect("a number");
    // Somebody takes the runtime away by hand.
    let mut edited: Value = serde_json::from_str(&document).expect("JSON");
    edited["metadata"]["generation"] = json!(generation + 1);
    edited["metadata"]["version"] = json!((generation + 1).to_string());
    edited["flags"]["runtime"]["defaultVariant"] = json!("off");
    edited["flags"]["ui"]["defaultVariant"] = json!("off");
    fs::write(&path, edited.to_string()).expect("written");
    let held = reaches(&modegate, "held").await;
    assert_eq!(held["why"], "somebody else wrote the flags document");
    assert_eq!(arrives(&modegate).await, DOWNGRADED);
}
