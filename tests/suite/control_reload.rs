//! The configuration file while the process runs: every way in which it is replaced, what a bad
//! one changes (nothing) and says, and what waits for a restart.

use std::path::Path;

use serde_json::{Value, json};

use crate::control_process::{
    CANARY, DOWNGRADED, FAST, STRIPPED, generation, handles, message, until_flag,
};
use crate::harness::{Modegate, Origin, eventually, settings};

const HANGUP: u32 = 1;

fn config(origin: &Origin, flags: &str) -> String {
    settings(origin, &format!("{CANARY}[flags]\n{flags}\n"))
}

/// The text of the process's file with these flags in the place of those it has.
fn with_flags(modegate: &Modegate, flags: &str) -> String {
    let text = std::fs::read_to_string(modegate.file()).expect("the file");
    let (before, rest) = text.split_once("[flags]\n").expect("a section [flags]");
    let (_, after) = rest.split_once("[[listener]]").expect("a listener");
    format!("{before}[flags]\n{flags}\n[[listener]]{after}")
}

fn replace(from: &Path, to: &Path, text: &str) {
    std::fs::write(from, text).expect("a file for the test");
    std::fs::rename(from, to).expect("a rename");
}

async fn view(modegate: &Modegate) -> Value {
    modegate.call("GET", "/config", None).await.json()
}

async fn until_error(modegate: &Modegate) -> String {
    eventually("an error in /config", async || {
        view(modegate).await["error"].as_str().map(str::to_owned)
    })
    .await
}

async fn until_no_error(modegate: &Modegate) {
    eventually("no error in /config", async || {
        view(modegate).await["error"].is_null().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_file_rewritten_in_place_or_renamed_is_taken_over() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&config(&origin, "contract = false")).await;
    assert_eq!(message(&modegate, &origin).await.1, STRIPPED);

    std::fs::write(modegate.file(), with_flags(&modegate, "contract = true")).unwrap();
    let flags = until_flag(&modegate, "contract", true).await;
    assert_eq!(
        (&flags["generation"], &flags["flags"]["contract"]["layer"]),
        (&json!(2), &json!("file"))
    );
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);

    let next = modegate.dir().path().join("next.toml");
    replace(&next, modegate.file(), &with_flags(&modegate, "contract = true\nruntime = true"));
    until_flag(&modegate, "runtime", true).await;
    assert_eq!(message(&modegate, &origin).await.1, FAST);
    // The rename took the file that was watched away; the next change is seen as well.
    replace(&next, modegate.file(), &with_flags(&modegate, "kill = true"));
    until_flag(&modegate, "kill", true).await;
    assert_eq!(message(&modegate, &origin).await.1, STRIPPED);
    assert_eq!(view(&modegate).await["loads"], json!({ "ok": 4, "refused": 0 }));
}

#[tokio::test]
async fn a_hangup_reads_the_file_again() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&config(&origin, "contract = true")).await;
    handles(&modegate, HANGUP).await;
    for generation in 2..5 {
        // Nothing has changed, so that nothing but the signal leads here.
        modegate.signal("HUP");
        modegate
            .counted("modegate_config_loads_total", &[("result", "ok")], f64::from(generation))
            .await;
        assert_eq!(self::generation(&modegate).await, u64::from(generation as u32));
    }
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);
}

#[tokio::test]
async fn a_hangup_as_soon_as_it_listens_waits_for_its_watch() {
    let origin = Origin::echo().await;
    for _ in 0..20 {
        let mut modegate = Modegate::start(&config(&origin, "contract = true")).await;
        modegate.signal("HUP");
        let answer = modegate.post("/api/chat", r#"{"text":"hi"}"#).await;
        assert_eq!((answer.status, modegate.runs()), (200, true));
        modegate.counted("modegate_config_loads_total", &[("result", "ok")], 2.0).await;
    }
}

/// What the kubelet does: the file is a link through `..data`, a link to a directory with a date;
/// an update makes a new directory and renames a new `..data` over the old.
#[tokio::test]
async fn a_configmap_swap_is_taken_over() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&config(&origin, "contract = false")).await;
    let directory = modegate.dir().path();
    let file = directory.join("modegate.toml");
    let publish = |name: &str, text: &str| {
        let link = |to: &str, from: &str| {
            std::os::unix::fs::symlink(to, directory.join(from)).expect("a link");
        };
        std::fs::create_dir(directory.join(name)).unwrap();
        std::fs::write(directory.join(name).join("modegate.toml"), text).unwrap();
        link(name, "..data_tmp");
        let old = std::fs::read_link(directory.join("..data"));
        std::fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
        if !file.is_symlink() {
            link("..data/modegate.toml", "swap");
            std::fs::rename(directory.join("swap"), &file).unwrap();
        }
        if let Ok(old) = old {
            std::fs::remove_dir_all(directory.join(old)).unwrap();
        }
    };
    let on = with_flags(&modegate, "contract = true");
    publish("..2026_11_01_10_00_00.1", &on);
    until_flag(&modegate, "contract", true).await;

    let states = [("contract = false", false), ("contract = true", true), ("", false)];
    for (at, (flags, contract)) in states.into_iter().enumerate() {
        publish(&format!("..2026_11_02_10_00_0{at}.7"), &with_flags(&modegate, flags));
        until_flag(&modegate, "contract", contract).await;
    }
    // A bad one, by the same way, and back.
    let good = with_flags(&modegate, "contract = true");
    publish("..2026_11_03_10_00_00.1", &good.replace("contract", "contrakt"));
    assert!(until_error(&modegate).await.contains("flags.contrakt"));
    publish("..2026_11_03_10_00_01.1", &good);
    until_flag(&modegate, "contract", true).await;
    until_no_error(&modegate).await;
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_so_everywhere() {
    struct Case {
        name: &'static str,
        edit: fn(&str) -> String,
        says: &'static [&'static str],
    }
    let cases = [
        Case {
            name: "an unknown key",
            edit: |text| text.replace("[flags]", "[flags]\ncontrakt = true"),
            says: &[
                "flags.contrakt (line ",
                "found: an unknown key",
                "allowed: ",
                "nearest: contract",
            ],
        },
        Case {
            name: "several faults",
            edit: |text| format!("{text}\n[server]\nthreads = -1\n[limits]\nin_flight = \"x\"\n"),
            says: &["server.threads", "found: -1", "limits.in_flight", "found: \"x\"", "allowed: "],
        },
        Case {
            name: "a torn one",
            edit: |text| text[..text.len() - 3].to_owned(),
            says: &["not TOML (line "],
        },
        Case {
            name: "one against the rules",
            edit: |text| text.replace("[flags]", "[flags]\nui = true"),
            says: &["flags.ui (line ", "found: true", "allowed: false, or flags.contract = true"],
        },
        Case {
            name: "nothing at all",
            edit: |_| String::new(),
            says: &["listener", "found: nothing", "allowed: at least one [[listener]]"],
        },
        Case {
            name: "no text",
            edit: |text| format!("{text}\n# \u{1}\n"),
            says: &["not TOML (line "],
        },
    ];
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&config(&origin, "contract = true")).await;
    let good = std::fs::read_to_string(modegate.file()).unwrap();
    let before = (modegate.flags().await, view(&modegate).await["settings"].clone());
    for (refused, Case { name, edit, says }) in (1..).zip(cases) {
        std::fs::write(modegate.file(), edit(&good)).unwrap();
        // A write in place may be seen half done first: what stays is what counts.
        let error = eventually(&format!("the error of {name}"), async || {
            let error = view(&modegate).await["error"].as_str().map(str::to_owned)?;
            says.iter().all(|part| error.contains(part)).then_some(error)
        })
        .await;
        let metrics = modegate.metrics().await;
        assert_eq!(metrics.sum("modegate_config_error", &[]), 1.0, "{name}");
        let counted = metrics.sum("modegate_config_loads_total", &[("result", "refused")]);
        assert!(counted >= f64::from(refused), "{name}: {counted}");
        eventually(&format!("a log line of {name}"), async || {
            modegate.logs().iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(
                |line| {
                    line["message"] == "configuration not reloaded"
                        && line["level"] == "ERROR"
                        && line["error"] == *error
                },
            )
        })
        .await;
        let now = view(&modegate).await;
        assert_eq!(now["settings"], before.1, "{name}: what is in force");
        assert_eq!(modegate.flags().await["flags"], before.0["flags"], "{name}");
        assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED, "{name}");

        std::fs::write(modegate.file(), &good).unwrap();
        until_no_error(&modegate).await;
        assert_eq!(modegate.metrics().await.sum("modegate_config_error", &[]), 0.0, "{name}");
    }
}

#[tokio::test]
async fn a_torn_write_becomes_whole() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&config(&origin, "contract = false")).await;
    let text = with_flags(&modegate, "contract = true");
    let (half, rest) = text.split_at(text.len() - 20);
    std::fs::write(modegate.file(), half).unwrap();
    until_error(&modegate).await;
    assert_eq!(message(&modegate, &origin).await.1, STRIPPED);
    let mut file = std::fs::OpenOptions::new().append(true).open(modegate.file()).unwrap();
    std::io::Write::write_all(&mut file, rest.as_bytes()).unwrap();
    until_flag(&modegate, "contract", true).await;
    until_no_error(&modegate).await;
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);
}

#[tokio::test]
async fn a_file_that_is_no_text_is_said_to_be_bad() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&config(&origin, "contract = true")).await;
    let good = std::fs::read(modegate.file()).unwrap();
    std::fs::write(modegate.file(), [good.as_slice(), b"# \xff\xfe\n"].concat()).unwrap();
    until_error(&modegate).await;
    assert_eq!(modegate.metrics().await.sum("modegate_config_error", &[]), 1.0);
    std::fs::write(modegate.file(), &good).unwrap();
    until_no_error(&modegate).await;
}

#[tokio::test]
async fn a_file_that_went_and_came_back_is_not_an_error_for_ever() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&config(&origin, "contract = true")).await;
    handles(&modegate, HANGUP).await;
    let away = modegate.dir().path().join("away.toml");
    std::fs::rename(modegate.file(), &away).unwrap();
    modegate.signal("HUP");
    assert!(until_error(&modegate).await.contains("modegate.toml"));
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);
    std::fs::rename(&away, modegate.file()).unwrap();
    until_no_error(&modegate).await;
    assert_eq!(modegate.metrics().await.sum("modegate_config_error", &[]), 0.0);
}

#[tokio::test]
async fn what_needs_a_restart_is_reported_and_the_rest_holds_at_once() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&config(&origin, "contract = false")).await;
    assert_eq!(view(&modegate).await["restart_needed"], json!([]));
    let text = with_flags(&modegate, "contract = true")
        .replacen("127.0.0.1:0", "127.0.0.2:0", 1)
        .replace("[flags]", "[server]\nthreads = 2\n[limits]\nin_flight = 9\n[flags]");
    let before = std::fs::read_to_string(modegate.file()).unwrap();
    std::fs::write(modegate.file(), &text).unwrap();
    until_flag(&modegate, "contract", true).await;
    let now = view(&modegate).await;
    assert_eq!(now["restart_needed"], json!(["listener", "server"]));
    assert_eq!((&now["error"], &now["settings"]["limits"]["in_flight"]), (&Value::Null, &json!(9)));
    assert_eq!(now["settings"]["timeouts"]["pool_idle"], "4s", "defaults are shown as well");
    let line = modegate.logged("configuration reloaded").await;
    assert!(line["restart"].as_str().is_some_and(|said| said.contains("listener")), "{line}");
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED, "the old listener still serves");

    std::fs::write(modegate.file(), before).unwrap();
    until_flag(&modegate, "contract", false).await;
    assert_eq!(view(&modegate).await["restart_needed"], json!([]));
}

#[tokio::test]
async fn overrides_outlive_a_reload() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&config(&origin, "contract = true")).await;
    modegate.flag("runtime", true).await;
    modegate.flag("cloud_enforced", false).await;
    let text =
        with_flags(&modegate, "contract = true\ncloud_enforced = true\n[limits]\nin_flight = 9");
    std::fs::write(modegate.file(), text).unwrap();
    modegate.logged("configuration reloaded").await;
    let flags = modegate.flags().await["flags"].clone();
    assert_eq!(flags["runtime"]["layer"], "override");
    assert_eq!(flags["cloud_enforced"]["layers"]["file"], true);
    assert_eq!(flags["cloud_enforced"]["value"], false, "by hand it is off");
    assert_eq!(message(&modegate, &origin).await.1, FAST);
}

#[tokio::test]
async fn a_file_is_not_held_up_by_an_override_that_it_takes_the_ground_from() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&config(&origin, "contract = true")).await;
    modegate.flag("runtime", true).await;
    let text = with_flags(&modegate, "contract = false\nkill = true");
    std::fs::write(modegate.file(), text).unwrap();
    let flags = until_flag(&modegate, "kill", true).await;
    assert_eq!(flags["flags"]["runtime"]["value"], false, "set, but without what it needs");
    assert_eq!(message(&modegate, &origin).await.1, STRIPPED);
}
