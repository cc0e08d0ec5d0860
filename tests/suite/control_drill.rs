//! `modegate drill` against a running sidecar whose upstream it is.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};

use crate::control_cli_flags::target;
use crate::control_process::command;
use crate::harness::{Answer, Exited, Gone, Modegate, Origin, eventually, settings_for};

const ON: &str = "[flags]\ncontract = true\nruntime = true\n";

async fn sidecar(origin: &Gone, flags: &str) -> Modegate {
    let admin = "[admin]\nbind = \"127.0.0.1:0\"\ntoken_file = \"{dir}/token\"\n";
    let extra = format!("[canary]\npercent = 20\n{flags}{admin}");
    Modegate::start(&settings_for(&origin.url(), &extra)).await
}

/// A drill whose origin is at this URL.
async fn drill(modegate: &Modegate, origin: &str) -> Exited {
    drill_through(modegate, &format!("http://{}", modegate.frontend()), origin).await
}

async fn drill_through(modegate: &Modegate, frontend: &str, origin: &str) -> Exited {
    let origin = origin.trim_start_matches("http://");
    let target = target(modegate);
    let target: Vec<&str> = target.iter().map(String::as_str).collect();
    let why = ["--actor", "ann", "--reason", "a drill", "--json"];
    let what = ["drill", "--frontend", frontend, "--origin", origin];
    command(&[what.as_slice(), &why, &target].concat(), "").await
}

#[tokio::test]
async fn every_position_is_kept_from_the_next_message_on() {
    let origin = Gone::new();
    let modegate = sidecar(&origin, ON).await;
    let drilled = drill(&modegate, &origin.url()).await;
    assert_eq!(drilled.code, Some(0), "{}{}", drilled.stdout, drilled.stderr);
    let said: Value = serde_json::from_str(&drilled.stdout).expect("JSON");
    assert_eq!(said["kept"], true);
    let positions = said["positions"].as_array().expect("positions");
    let names: Vec<&str> = positions.iter().filter_map(|p| p["position"].as_str()).collect();
    assert_eq!(names, ["fast mode on", "soft rollback", "hard rollback", "back on"]);
    for position in positions {
        assert!(position["messages"].as_u64() >= Some(200), "{position}");
        assert_eq!(position["wrong"], 0, "{position}");
    }
    // Nothing stays set by hand.
    let flags = modegate.flags().await;
    for flag in ["runtime", "kill"] {
        assert!(flags["flags"][flag]["layers"]["override"].is_null(), "{flags}");
    }
}

#[tokio::test]
async fn there_must_be_something_to_roll_back_and_an_origin_to_see_it() {
    let origin = Gone::new();
    let modegate = sidecar(&origin, "[flags]\ncontract = true\n").await;
    let drilled = drill(&modegate, &origin.url()).await;
    assert_eq!(drilled.code, Some(1), "{}", drilled.stderr);
    assert!(drilled.stderr.contains("nothing to roll back"), "{}", drilled.stderr);

    // Somebody else is the origin.
    let elsewhere = Origin::echo().await;
    let drilled = drill(&modegate, &elsewhere.url()).await;
    assert_eq!(drilled.code, Some(2), "{}", drilled.stderr);
}

#[tokio::test]
async fn what_somebody_holds_by_hand_stays() {
    let origin = Gone::new();
    for flag in ["kill", "runtime", "ui"] {
        let modegate = sidecar(&origin, ON).await;
        let set = json!({ "value": true, "actor": "bob", "reason": "INC-7", "expires": "10m" });
        let answer = modegate.call("PUT", &format!("/flags/{flag}"), Some(set)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let before = modegate.flags().await;
        let drilled = drill(&modegate, &origin.url()).await;
        assert_eq!((drilled.code, drilled.stdout.as_str()), (Some(1), ""), "{flag}");
        let says = format!("{flag} on by bob: INC-7");
        assert!(drilled.stderr.contains(&says), "{flag}: {}", drilled.stderr);
        assert_eq!(modegate.flags().await, before, "{flag}");
    }
}

#[tokio::test]
async fn the_toggle_goes_off_first_and_comes_back_last() {
    let origin = Gone::new();
    let modegate = sidecar(&origin, &format!("{ON}ui = true\n")).await;
    let port = origin.address().port();
    let drilled = drill(&modegate, &format!("localhost:{port}")).await;
    assert_eq!(drilled.code, Some(0), "{}{}", drilled.stdout, drilled.stderr);
    let flags = modegate.flags().await;
    assert_eq!(flags["flags"]["ui"]["value"], true, "{flags}");
    for flag in ["runtime", "kill", "ui"] {
        assert!(flags["flags"][flag]["layers"]["override"].is_null(), "{flags}");
    }
}

#[tokio::test]
async fn a_frontend_that_cannot_be_reached_is_exit_code_three() {
    let (origin, gone) = (Gone::new(), Gone::new());
    let modegate = sidecar(&origin, ON).await;
    let drilled = drill_through(&modegate, &gone.url(), &origin.url()).await;
    assert_eq!(drilled.code, Some(3), "{}", drilled.stderr);
    assert!(drilled.stderr.contains(&gone.address().to_string()), "{}", drilled.stderr);
    for origin in ["localhost", "localhost:x", ":1"] {
        let drilled = drill_through(&modegate, &gone.url(), origin).await;
        assert_eq!(drilled.code, Some(2), "{}", drilled.stderr);
        assert!(drilled.stderr.contains("HOST:PORT"), "{}", drilled.stderr);
    }
}

/// An admin listener that keeps overrides as a sidecar does, takes back none at the first so many
/// calls, and does something more once the drill has set `runtime`.
async fn admin(
    refusals: usize,
    meanwhile: impl Fn(&mut Value) + Send + Sync + 'static,
) -> (Origin, Overrides) {
    let flag = json!({ "value": false, "layer": "default", "layers": { "override": null } });
    let names = ["contract", "runtime", "ui", "cloud_enforced", "kill"];
    let flags: Value = names.iter().map(|name| (*name, flag.clone())).collect();
    let overrides: Overrides = Arc::new(Mutex::new(flags));
    let (kept, refusals) = (overrides.clone(), AtomicUsize::new(refusals));
    let origin = Origin::start(move |request| {
        let mut flags = kept.lock().expect("a lock");
        let Some(name) = request.target().strip_prefix("/flags/") else {
            let documents = json!({ "document": {}, "remote": {} });
            let view = json!({ "generation": 1, "flags": *flags, "documents": documents });
            return Answer::ok(&view.to_string());
        };
        let value = name == "kill";
        let left = |left: usize| left.checked_sub(1);
        if request.method() == "DELETE"
            && refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok()
        {
            return Answer::status("503 Service Unavailable", "", r#"{"error":"busy"}"#);
        }
        flags[name]["layers"]["override"] = match request.method() {
            "PUT" => held(value, "ann", "a drill"),
            _ => Value::Null,
        };
        if (request.method(), name) == ("PUT", "runtime") {
            meanwhile(&mut flags);
        }
        let changed = json!({ "flag": name, "value": value, "generation": 2 });
        Answer::ok(&changed.to_string())
    })
    .await;
    (origin, overrides)
}

type Overrides = Arc<Mutex<Value>>;

fn held(value: bool, actor: &str, reason: &str) -> Value {
    json!({ "value": value, "actor": actor, "reason": reason, "expires": 1 })
}

async fn ended(
    modegate: &Modegate,
    admin: &Origin,
    origin: &Gone,
    pid: &OnceLock<u32>,
) -> (Option<i32>, String) {
    let frontend = format!("http://{}", modegate.frontend());
    let mut drill = Command::new(env!("CARGO_BIN_EXE_modegate"));
    drill.args(["drill", "--actor", "ann", "--reason", "a drill", "--frontend", &frontend]);
    drill.args(["--origin", &origin.address().to_string(), "--admin", &admin.url()]);
    let mut child = drill.stderr(Stdio::piped()).spawn().expect("the binary starts");
    pid.set(child.id()).expect("one drill");
    eventually("the drill's end", async || child.try_wait().expect("a child")).await;
    let output = child.wait_with_output().expect("its output");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn an_interrupted_drill_takes_back_what_it_has_set() {
    for name in ["TERM", "INT"] {
        let origin = Gone::new();
        let modegate = sidecar(&origin, ON).await;
        let pid = Arc::new(OnceLock::new());
        let told = pid.clone();
        let interrupt = move |_: &mut Value| {
            let pid: &u32 = told.get().expect("a drill");
            let kill = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
            assert!(kill.expect("kill runs").success());
        };
        let (admin, overrides) = admin(0, interrupt).await;
        let (code, stderr) = ended(&modegate, &admin, &origin, &pid).await;
        assert_eq!((code, stderr.as_str()), (Some(1), "modegate: interrupted\n"), "{name}");
        let flags = overrides.lock().expect("a lock").clone();
        for flag in ["runtime", "kill"] {
            assert!(flags[flag]["layers"]["override"].is_null(), "{name}: {flags}");
        }
    }
}

#[tokio::test]
async fn what_somebody_sets_meanwhile_stays() {
    for flag in ["kill", "runtime"] {
        let origin = Gone::new();
        let modegate = sidecar(&origin, ON).await;
        let meanwhile = move |flags: &mut Value| {
            flags[flag]["layers"]["override"] = held(true, "bob", "INC-9");
        };
        let (admin, overrides) = admin(0, meanwhile).await;
        let (code, stderr) = ended(&modegate, &admin, &origin, &OnceLock::new()).await;
        let says = format!("{flag} on by bob: INC-9");
        assert_eq!((code, stderr.contains(&says)), (Some(1), true), "{stderr}");
        let flags = overrides.lock().expect("a lock").clone();
        for other in ["kill", "runtime"] {
            let expected = if other == flag { json!("bob") } else { Value::Null };
            assert_eq!(flags[other]["layers"]["override"]["actor"], expected, "{flags}");
        }
    }
}

#[tokio::test]
async fn what_could_not_be_taken_back_is_tried_again_and_said() {
    for (refusals, stays) in [(1, false), (9, true)] {
        let origin = Gone::new();
        let modegate = sidecar(&origin, ON).await;
        let (admin, overrides) = admin(refusals, |_| {}).await;
        let (code, stderr) = ended(&modegate, &admin, &origin, &OnceLock::new()).await;
        assert_eq!((code, stderr.contains("busy")), (Some(1), true), "{stderr}");
        let says = "set by hand for 5m at most: runtime, kill";
        let said = (stderr.contains(says), stderr.contains("set by hand"));
        assert_eq!(said, (stays, stays), "{stderr}");
        let flags = overrides.lock().expect("a lock").clone();
        for flag in ["runtime", "kill"] {
            assert_eq!(!flags[flag]["layers"]["override"].is_null(), stays, "{flags}");
        }
    }
}
