//! Commands whose `--admin` is no sidecar's admin listener, but answers.

use crate::control_process::command;
use crate::harness::{Answer, Origin};

const WHY: [&str; 4] = ["--actor", "ann", "--reason", "r"];

/// A command, the call that it makes, and what an answer that says nothing lacks.
const COMMANDS: [(&[&str], &str, &str); 17] = [
    (&["flags", "list"], "GET /flags", "generation"),
    (&["flags", "list", "--json"], "GET /flags", "generation"),
    (&["flags", "set", "kill", "on"], "PUT /flags/kill", "flag"),
    (&["flags", "clear", "kill"], "DELETE /flags/kill", "flag"),
    (&["flags", "reset-breaker"], "DELETE /breaker", "generation"),
    (&["log", "show"], "GET /log", "level"),
    (&["log", "set", "info"], "PUT /log", "level"),
    (&["log", "clear"], "DELETE /log", "level"),
    (&["parity"], "GET /parity", "generation"),
    (&["incidents", "list"], "GET /incidents", "incidents"),
    (&["incidents", "show", "x", "--json"], "GET /incidents/x.json", "id"),
    (&["rollout", "status"], "GET /rollout", "rollout"),
    (&["rollout", "explain", "parity"], "GET /rollout", "rollout"),
    (&["rollout", "start"], "POST /rollout/start", "rollout"),
    (&["rollout", "rollback", "--hard"], "POST /rollout/rollback", "rollout"),
    (&["rollout", "signal", "severe", "--source", "s"], "POST /rollout/signals", "rollout"),
    (
        &["drill", "--frontend", "http://127.0.0.1:9", "--origin", "127.0.0.1:0"],
        "GET /flags",
        "generation",
    ),
];

fn reads(command: &[&str]) -> bool {
    ["list", "show", "parity", "status", "explain"].iter().any(|word| command.contains(word))
}

#[tokio::test]
async fn an_answer_that_is_none_of_ours_is_a_failure() {
    let json = |_: &_| Answer::ok(r#"{"ok":true}"#);
    let html = |_: &_| Answer::ok("<html>");
    let missing = |_: &_| Answer::status("404 Not Found", "", r#"{"message":"no"}"#);
    let [json, html, missing] =
        [Origin::start(json).await, Origin::start(html).await, Origin::start(missing).await];
    for (arguments, call, lacks) in COMMANDS {
        let why: &[&str] = if reads(arguments) {
            &[]
        } else if arguments.contains(&"signal") {
            &WHY[2..]
        } else {
            &WHY
        };
        let cases = [
            (&json, format!("has no {lacks:?}")),
            (&html, "is not JSON".to_owned()),
            (&missing, "is 404 Not Found and no error".to_owned()),
        ];
        for (origin, says) in cases {
            let url = origin.url();
            let ended = command(&[arguments, why, &["--admin", &url]].concat(), "").await;
            let said = (ended.code, ended.stdout.as_str());
            assert_eq!(said, (Some(1), ""), "{arguments:?}: {}", ended.stderr);
            let says = format!("{url} is no modegate admin listener: its answer to {call} {says}");
            assert!(ended.stderr.contains(&says), "{arguments:?}: {}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn an_incident_is_markdown() {
    let origin = Origin::start(|_| Answer::ok("# a page")).await;
    let ended = command(&["incidents", "show", "x", "--admin", &origin.url()], "").await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    let says = "its answer to GET /incidents/x.md is not Markdown";
    assert!(ended.stderr.contains(says), "{}", ended.stderr);
}

#[tokio::test]
async fn a_rollouts_sidecar_may_be_named_before_the_verb() {
    let origin = Origin::start(|_| Answer::ok("{}")).await;
    let url = origin.url();
    let ended = command(&["rollout", "--admin", &url, "status"], "").await;
    assert!(ended.stderr.contains(&url), "{}", ended.stderr);
    assert_eq!((ended.code, origin.last().target()), (Some(1), "/rollout"));
    let ended = command(&["rollout", "--admin", &url, "plan", "-c", "none"], "").await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("asks no running sidecar"), "{}", ended.stderr);
}
