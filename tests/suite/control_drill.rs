//! `modegate drill` against a running sidecar whose upstream it is.

use serde_json::Value;

use crate::control_cli_flags::target;
use crate::control_process::command;
use crate::harness::{Exited, Gone, Modegate, Origin, settings_for};

async fn sidecar(origin: &Gone, flags: &str) -> Modegate {
    let admin = "[admin]\nbind = \"127.0.0.1:0\"\ntoken_file = \"{dir}/token\"\n";
    let extra = format!("[canary]\npercent = 20\n{flags}{admin}");
    Modegate::start(&settings_for(&origin.url(), &extra)).await
}

/// A drill whose origin is at this URL.
async fn drill(modegate: &Modegate, origin: &str) -> Exited {
    let frontend = format!("http://{}", modegate.frontend());
    let origin = origin.trim_start_matches("http://");
    let target = target(modegate);
    let target: Vec<&str> = target.iter().map(String::as_str).collect();
    let why = ["--actor", "ann", "--reason", "a drill", "--json"];
    let what = ["drill", "--frontend", &frontend, "--origin", origin];
    command(&[what.as_slice(), &why, &target].concat(), "").await
}

#[tokio::test]
async fn every_position_is_kept_from_the_next_message_on() {
    let origin = Gone::new();
    let modegate = sidecar(&origin, "[flags]\ncontract = true\nruntime = true\n").await;
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
