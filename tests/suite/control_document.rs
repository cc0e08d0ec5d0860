//! The flags document in a file: how it comes in, a ConfigMap's way among others, what is refused,
//! and its lease.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::control_process::{DOWNGRADED, FAST, STRIPPED, message};
use crate::harness::{Modegate, Origin, Start, TempDir, eventually, settings};

/// A document by flagd's form.
fn document(generation: u64, on: &[&str], percent: f64, lease: Option<u64>) -> String {
    let flag = |name: &str| {
        json!({
            "state": "ENABLED",
            "variants": { "on": true, "off": false },
            "defaultVariant": if on.contains(&name) { "on" } else { "off" },
        })
    };
    let mut metadata = json!({ "flagSetId": "modegate", "generation": generation });
    if let Some(lease) = lease {
        metadata["leaseUntil"] = json!(lease);
    }
    let stage = json!({ "stage": { "percent": percent } });
    json!({
        "flags": {
            "contract": flag("contract"),
            "runtime": flag("runtime"),
            "kill": flag("kill"),
            "canary": { "state": "ENABLED", "variants": stage, "defaultVariant": "stage" },
        },
        "metadata": metadata,
    })
    .to_string()
}

const FULL: &[&str] = &["contract", "runtime"];

fn config(origin: &Origin) -> String {
    settings(origin, "[flag_sources]\nfile = \"{dir}/flags.json\"\n")
}

async fn until_document(modegate: &Modegate, generation: u64) -> Value {
    eventually(&format!("document {generation}"), async || {
        let flags = modegate.flags().await;
        let document = &flags["documents"]["document"];
        (document["generation"] == generation && document["error"].is_null()).then_some(flags)
    })
    .await
}

async fn until_error(modegate: &Modegate, says: &str) {
    eventually(&format!("an error that says {says}"), async || {
        let flags = modegate.flags().await;
        let error = flags["documents"]["document"]["error"].as_str().map(str::to_owned);
        error.filter(|error| error.contains(says))
    })
    .await;
    modegate.counted("modegate_flags_layer_error", &[("layer", "document")], 1.0).await;
}

fn replace(dir: &TempDir, text: &str) {
    let next = dir.write("next.json", text);
    std::fs::rename(next, dir.path().join("flags.json")).expect("a rename");
}

#[tokio::test]
async fn a_document_is_in_force_from_the_first_request_and_changes() {
    let origin = Origin::echo().await;
    let dir = Arc::new(TempDir::new());
    dir.write("flags.json", document(1, FULL, 100.0, None));
    let modegate = Start::within(&config(&origin), dir.clone()).run().await;
    assert_eq!(message(&modegate, &origin).await.1, FAST);
    let flags = until_document(&modegate, 1).await;
    assert_eq!(flags["flags"]["runtime"]["layer"], "document");
    assert_eq!(flags["share"]["layer"], "document");
    assert_eq!(flags["documents"]["document"]["sha256"].as_str().map(str::len), Some(64));

    replace(&dir, &document(2, FULL, 0.0, None));
    until_document(&modegate, 2).await;
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);
    replace(&dir, &document(3, &["kill"], 0.0, None));
    until_document(&modegate, 3).await;
    assert_eq!(message(&modegate, &origin).await.1, STRIPPED);
    let layer = [("layer", "document")];
    modegate.counted("modegate_flags_document_generation", &layer, 3.0).await;
}

#[tokio::test]
async fn what_is_torn_older_or_gone_changes_nothing() {
    let origin = Origin::echo().await;
    let dir = Arc::new(TempDir::new());
    dir.write("flags.json", document(5, FULL, 100.0, None));
    let modegate = Start::within(&config(&origin), dir.clone()).run().await;
    let whole = document(6, FULL, 0.0, None);
    let cases = [
        (whole[..whole.len() / 2].to_owned(), "JSON"),
        (document(4, FULL, 0.0, None), "generation 4"),
        (document(5, FULL, 0.0, None), "generation 5"),
        (document(6, &["runtime"], 100.0, None), "contract on"),
        (whole.replacen("\"state\"", "\"targeting\":{\"if\":[]},\"state\"", 1), "targeting"),
    ];
    for (text, says) in cases {
        // In place, as an editor writes.
        dir.write("flags.json", &text);
        until_error(&modegate, says).await;
        assert_eq!(message(&modegate, &origin).await.1, FAST, "{says}");
    }
    std::fs::remove_file(dir.path().join("flags.json")).expect("a file");
    until_error(&modegate, "No such file").await;
    assert_eq!(message(&modegate, &origin).await.1, FAST);
    dir.write("flags.json", &whole);
    until_document(&modegate, 6).await;
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);
}

/// What the kubelet does: a directory by the time, and one rename that points to it.
fn publish(mount: &Path, name: &str, text: &str) {
    let directory = mount.join(name);
    std::fs::create_dir(&directory).expect("a directory");
    std::fs::write(directory.join("flags.json"), text).expect("a file");
    symlink(name, mount.join("..data_tmp")).expect("a link");
    std::fs::rename(mount.join("..data_tmp"), mount.join("..data")).expect("a rename");
}

#[tokio::test]
async fn a_config_maps_swap_is_followed() {
    let origin = Origin::echo().await;
    let dir = Arc::new(TempDir::new());
    let mount = dir.path().join("mount");
    std::fs::create_dir(&mount).expect("a directory");
    let config = settings(&origin, "[flag_sources]\nfile = \"{dir}/mount/flags.json\"\n");
    let modegate = Start::within(&config, dir.clone()).run().await;
    // A new key's link is there before what it points to.
    symlink("..data/flags.json", mount.join("flags.json")).expect("a link");
    assert_eq!(message(&modegate, &origin).await.1, STRIPPED);
    publish(&mount, "..2026_12_01_1", &document(1, FULL, 100.0, None));
    until_document(&modegate, 1).await;
    assert_eq!(message(&modegate, &origin).await.1, FAST);
    publish(&mount, "..2026_12_01_2", &document(2, FULL, 0.0, None));
    std::fs::remove_dir_all(mount.join("..2026_12_01_1")).expect("the old one");
    until_document(&modegate, 2).await;
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);
}

#[tokio::test]
async fn without_a_renewed_lease_the_fast_mode_ends() {
    let origin = Origin::echo().await;
    let dir = Arc::new(TempDir::new());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let soon = now.as_millis() as u64 + 1_500;
    dir.write("flags.json", document(1, FULL, 100.0, Some(soon)));
    let modegate = Start::within(&config(&origin), dir.clone()).run().await;
    modegate.counted("modegate_flags_lease_over", &[("layer", "document")], 1.0).await;
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);
    assert_eq!(modegate.flags().await["share"]["layer"], "lease");
    // The same generation with a later lease renews it.
    replace(&dir, &document(1, FULL, 100.0, Some(soon + 3_600_000)));
    modegate.counted("modegate_flags_lease_over", &[("layer", "document")], 0.0).await;
    assert_eq!(message(&modegate, &origin).await.1, FAST);
}
