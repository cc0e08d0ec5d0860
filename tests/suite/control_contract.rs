//! Whether sidecars have the same modes and profiles: their fingerprint, and what differs.

use serde_json::{Value, json};

use crate::control_process::{command, file};
use crate::harness::{Gone, Modegate, Origin, TempDir, eventually, settings};

const ONE: &str = "[profiles.fast-v1]\nmode = \"fast\"\n[profiles.fast-v2]\nmode = \"fast\"\n";
const SAME: &str = "[profiles.fast-v2]\nmode = \"fast\"\n[profiles.fast-v1]\nmode = \"fast\"\n\
     description = \"a note\"\n[contract]\nbody_limit = \"1MiB\"\n";
const OTHER: &str = "[contract]\ndowngrade = \"strip\"\n[profiles.fast-v1]\nmode = \"fast\"\n";

async fn fingerprint(modegate: &Modegate) -> String {
    let config: Value = modegate.call("GET", "/config", None).await.json();
    config["contract"]["fingerprint"].as_str().expect("a fingerprint").to_owned()
}

/// The fingerprints on `/metrics`: one at a time.
async fn labels(modegate: &Modegate) -> Vec<String> {
    let text = modegate.metrics().await.text;
    let of = |line: &str| {
        let rest = line.strip_prefix("modegate_contract_info{fingerprint=\"")?;
        rest.strip_suffix("\"} 1").map(str::to_owned)
    };
    text.lines().filter_map(of).collect()
}

fn url(modegate: &Modegate) -> String {
    format!("http://{}", modegate.admin())
}

#[tokio::test]
async fn sidecars_are_compared() {
    let (origin, dir) = (Origin::echo().await, TempDir::new());
    let same = Modegate::start(&settings(&origin, SAME)).await;
    let other = Modegate::start(&settings(&origin, OTHER)).await;
    let (ours, theirs) = (fingerprint(&same).await, fingerprint(&other).await);
    assert_ne!(ours, theirs);
    assert_eq!(labels(&same).await, [&ours[..16]]);
    assert_eq!(labels(&other).await, [&theirs[..16]]);

    let config = file(&dir, ONE);
    let held = Gone::new();
    let (same, other, gone) = (url(&same), url(&other), held.url());
    let check = ["check", "-c", &config, "--against", &same];
    let equal = command(&check, "").await;
    let expected = format!("{config}: valid\nfingerprint {}\n{same}: the same\n", &ours[..16]);
    assert_eq!((equal.code, equal.stdout), (Some(0), expected));
    assert_eq!(equal.stderr, "");

    let differs = command(&[&check[..], &["--against", &other, &gone]].concat(), "").await;
    let expected = format!(
        "{config}: valid\nfingerprint {}\n{same}: the same\n{other}: differs, fingerprint {}\n  \
         contract.downgrade: \"replace\" here, \"strip\" there\n  \
         profiles.fast-v2: {{\"mode\":\"fast\"}} here, nothing there\n{gone}: not compared: ",
        &ours[..16],
        &theirs[..16],
    );
    assert_eq!(differs.code, Some(1), "{}", differs.stdout);
    assert!(differs.stdout.starts_with(&expected), "{}", differs.stdout);
    assert!(differs.stderr.contains("1 of 3 differ"), "{}", differs.stderr);

    let unreachable = command(&[&check[..], &[&gone]].concat(), "").await;
    assert_eq!(unreachable.code, Some(3), "{}", unreachable.stderr);
    assert!(unreachable.stderr.contains(&gone), "{}", unreachable.stderr);
    for bad in ["https://localhost:1", "localhost"] {
        let refused = command(&["check", "-c", &config, "--against", bad], "").await;
        assert_eq!(refused.code, Some(2), "{bad}: {}", refused.stderr);
    }

    let shown = command(&[&check[..], &[&other, &gone, "--json"]].concat(), "").await;
    let answer: Value = serde_json::from_str(&shown.stdout).expect("JSON on standard output");
    assert_eq!((shown.code, &answer["fingerprint"]), (Some(1), &json!(ours)));
    let against = &answer["against"];
    let equal = json!({ "url": same, "fingerprint": ours, "same": true, "differs": [] });
    let differs = json!({ "url": other, "fingerprint": theirs, "same": false, "differs": [
        { "path": "contract.downgrade", "local": "replace", "other": "strip" },
        { "path": "profiles.fast-v2", "local": { "mode": "fast" }, "other": null },
    ] });
    assert_eq!((&against[0], &against[1]), (&equal, &differs));
    assert_eq!((&against[2]["url"], against[2]["error"].is_string()), (&json!(gone), true));
}

/// A sidecar that knows of no fingerprint is no sidecar with the same contract.
#[tokio::test]
async fn whoever_says_no_contract_is_not_the_same() {
    let answer = |_: &_| crate::harness::Answer::ok(r#"{"settings":{}}"#);
    let (older, dir) = (Origin::start(answer).await, TempDir::new());
    let config = file(&dir, ONE);
    let ended = command(&["check", "-c", &config, "--against", &older.url()], "").await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("has no \"contract\""), "{}", ended.stderr);
}

#[tokio::test]
async fn a_reload_changes_the_fingerprint_in_force() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, ONE)).await;
    let before = fingerprint(&modegate).await;
    let text = std::fs::read_to_string(modegate.file()).expect("the file");
    std::fs::write(modegate.file(), text.replace("fast-v2", "fast-v3")).unwrap();
    let after = eventually("another fingerprint", async || {
        let now = fingerprint(&modegate).await;
        (now != before).then_some(now)
    })
    .await;
    assert_eq!(labels(&modegate).await, [&after[..16]]);

    // Modes wait for a restart: what is in force stays.
    let waiting = format!("[contract]\nmodes = [\"default\", \"fast\", \"more\"]\n{text}");
    std::fs::write(modegate.file(), waiting).unwrap();
    eventually("the modes to wait", async || {
        let config: Value = modegate.call("GET", "/config", None).await.json();
        (config["restart_needed"] == json!(["contract.modes"])).then_some(())
    })
    .await;
    assert_eq!(fingerprint(&modegate).await, after);
}
