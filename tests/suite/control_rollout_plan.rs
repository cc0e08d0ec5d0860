//! `modegate rollout plan`: the plan of the example configuration, and one that is refused.

use serde_json::{Value, json};

use crate::control_process::command;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/modegate.example.toml");
const REFUSED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/fixtures/invalid/rollout_plan.toml");

#[tokio::test]
async fn the_example_has_the_default_plan() {
    let shown = command(&["rollout", "plan", "-c", EXAMPLE], "").await;
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert_eq!((lines.len(), lines[0]), (14, "fast-mode/2026-12 (not enabled)"));
    let rows = [
        (1, "STAGE STEP PERCENT DWELL SAMPLES DEADLINE GATES APPROVAL CHANGES"),
        (2, "core core 0 10m 0 168h data automatic nothing"),
        (3, "cloud cloud 0 10m 0 168h data automatic contract on"),
        (4, "api api 0 10m 0 168h data,parity automatic runtime on"),
        (
            6,
            "canary-0.5 canary 0.5 10m 200 168h parity,errors,latency,tail,quality,data \
             automatic cloud_enforced on, 0 to 0.5 percent",
        ),
        (
            13,
            "expansion expansion 100 24h 10000 168h parity,quality,data automatic 50 to 100 percent",
        ),
    ];
    for (line, expected) in rows {
        assert_eq!(lines[line].split_whitespace().collect::<Vec<_>>().join(" "), expected);
    }

    let shown = command(&["rollout", "plan", "--json", "-c", EXAMPLE], "").await;
    let answer: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(answer["enabled"], json!(false));
    assert_eq!(answer["plan"]["stages"].as_array().map(Vec::len), Some(12));
    assert_eq!(answer["plan"]["stages"][10]["approval"], json!("manual"));
}

#[tokio::test]
async fn a_bad_plan_is_a_configuration_error() {
    for asked in [&["rollout", "plan"][..], &["check"]] {
        let ended = command(&[asked, &["-c", REFUSED]].concat(), "").await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{asked:?}");
        let says = "rollout.stage[0].percent (line 9)\n  found: 10 before any stage watched parity";
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
}
