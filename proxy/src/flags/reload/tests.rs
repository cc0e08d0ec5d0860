//! What one look at the file does; when looks happen is the black-box suite's to show.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use modegate_config::flags::{Flag, FlagLayer};
use modegate_filters::decide::Flags;

use std::time::Duration;

use super::*;

const LISTENER: &str =
    "[[listener]]\nleg = \"frontend\"\nbind = \"127.0.0.1:0\"\nupstream = \"http://[::1]:1\"\n";

/// A file in a directory of its own, with the store that follows it.
struct Watched {
    directory: PathBuf,
    file: PathBuf,
    reload: Reload,
    store: Store,
}

impl Watched {
    fn new(text: &str) -> Watched {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("modegate-reload-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("modegate.toml");
        let text = format!("{text}\n{LISTENER}");
        std::fs::write(&file, &text).unwrap();
        let config = Config::parse(&text).unwrap();
        let store =
            Store::new(Settings::new(&config), config.flags.clone(), FlagLayer::default()).unwrap();
        let reload = Reload::new(file.clone(), text, config, crate::logging::silent());
        Watched { directory, file, reload, store }
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.file, format!("{text}\n{LISTENER}")).unwrap();
    }

    fn look(&self, why: Why) -> ConfigView {
        self.reload.look(&self.store, why);
        self.reload.view()
    }

    fn flags(&self) -> Flags {
        self.store.snapshot().flags
    }

    fn generation(&self) -> u64 {
        self.store.snapshot().generation
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn a_change_is_taken_over_once() {
    let watched = Watched::new("");
    assert_eq!(watched.look(Why::Change).counts, (1, 0), "nothing changed");
    watched.write("[flags]\ncontract = true\n[limits]\nin_flight = 77");
    for _ in 0..2 {
        let view = watched.look(Why::Change);
        assert_eq!((view.counts, view.error.as_deref()), ((2, 0), None));
        assert!(view.text.contains("in_flight = 77"));
    }
    assert!(watched.flags().contract);
    assert_eq!(watched.store.snapshot().settings.limits.in_flight, 77);
    assert_eq!(watched.generation(), 2);
}

#[test]
fn a_signal_reads_the_file_also_where_it_is_the_same() {
    let watched = Watched::new("");
    let view = watched.look(Why::Signal);
    assert_eq!((view.counts, view.error.as_deref()), ((2, 0), None));
}

#[test]
fn a_bad_file_changes_nothing_and_is_counted_once() {
    struct Case {
        name: &'static str,
        text: &'static str,
        says: &'static [&'static str],
    }
    let cases = [
        Case { name: "torn", text: "[flags]\ncontract = tr", says: &["not TOML"] },
        Case {
            name: "unknown key",
            text: "[flags]\ncontrakt = true",
            says: &["flags.contrakt", "found: an unknown key", "allowed: contract", "nearest: "],
        },
        Case {
            name: "rule",
            text: "[flags]\nui = true\n[limits]\nin_flight = 77",
            says: &["flags.ui", "found: true", "allowed: false, or "],
        },
    ];
    for Case { name, text, says } in cases {
        let watched = Watched::new("[flags]\ncontract = true");
        let before = watched.store.snapshot();
        watched.write(text);
        for _ in 0..3 {
            let view = watched.look(Why::Change);
            assert_eq!(view.counts, (1, 1), "{name}");
            let error = view.error.unwrap();
            for part in says {
                assert!(error.contains(part), "{name}: no {part:?} in {error}");
            }
            assert!(view.text.contains("contract = true"), "{name}: the text in force");
        }
        assert!(Arc::ptr_eq(&before, &watched.store.snapshot()), "{name}");

        watched.write("[flags]\nkill = true");
        let view = watched.look(Why::Change);
        assert_eq!((view.counts, view.error.as_deref()), ((2, 1), None), "{name}");
        assert!(watched.flags().kill, "{name}");
    }
}

#[test]
fn the_old_text_again_ends_the_error() {
    let watched = Watched::new("");
    watched.write("nonsense");
    assert!(watched.look(Why::Change).error.is_some());
    watched.write("");
    assert_eq!(watched.look(Why::Change).error, None);
}

#[test]
fn bytes_that_are_no_text_are_a_bad_file() {
    let watched = Watched::new("");
    std::fs::write(&watched.file, b"[flags]\ncontract = true # \xff\n").unwrap();
    let view = watched.look(Why::Change);
    assert!(view.error.is_some(), "it must be said");
    assert_eq!(watched.generation(), 1);
}

#[test]
fn a_file_that_is_gone_for_a_moment_is_a_swap_in_progress() {
    let watched = Watched::new("");
    std::fs::remove_file(&watched.file).unwrap();
    assert_eq!(watched.look(Why::Change).error, None);
    watched.write("[flags]\ncontract = true");
    assert_eq!(watched.look(Why::Change).counts, (2, 0));
    assert!(watched.flags().contract);
}

#[test]
fn a_signal_says_that_the_file_is_gone_until_it_is_back() {
    for next in ["", "[flags]\ncontract = true"] {
        let watched = Watched::new("");
        std::fs::remove_file(&watched.file).unwrap();
        let view = watched.look(Why::Signal);
        assert!(view.error.unwrap().contains("modegate.toml"));
        assert_eq!(watched.generation(), 1);
        watched.write(next);
        assert_eq!(watched.look(Why::Change).error, None, "back with {next:?}");
    }
}

#[test]
fn what_waits_for_a_restart_is_listed_and_the_rest_holds() {
    let modes = "[contract]\nmodes = [\"default\", \"fast\", \"slow\"]";
    let cases: [(&str, &[&str]); 8] = [
        ("[canary]\npercent = 5", &[]),
        ("[log]\nlevel = \"warn\"\naccess = false", &[]),
        ("[server]\nthreads = 3", &["server"]),
        ("[admin]\noverride_limit = \"1h\"", &["admin"]),
        ("[upstream]\nhealth_interval = \"9s\"", &["upstream"]),
        ("[traces]\nendpoint = \"http://collector:4318\"", &["traces"]),
        (
            "[[listener]]\nleg=\"bridge\"\nbind=\"127.0.0.1:0\"\nupstream=\"http://h\"",
            &["listener"],
        ),
        (modes, &["contract.modes"]),
    ];
    for (text, restart) in cases {
        let watched = Watched::new("");
        let flags = "[flags]\ncontract = true";
        watched.write(&format!("{flags}\n{text}"));
        let view = watched.look(Why::Change);
        assert_eq!((view.error.as_deref(), view.restart.as_slice()), (None, restart), "{text}");
        assert!(watched.flags().contract, "{text}");
        let snapshot = watched.store.snapshot();
        assert_eq!(snapshot.settings.policy.contract().modes.iter().count(), 2, "{text}");
        watched.write(flags);
        assert!(watched.look(Why::Change).restart.is_empty(), "back: {text}");
    }
}

#[test]
fn a_rollout_keeps_the_members_that_its_salt_draws() {
    let salt = |watched: &Watched| watched.store.snapshot().settings.policy.canary().salt.clone();
    let bridge = "[[listener]]\nleg=\"bridge\"\nbind=\"127.0.0.1:0\"\nupstream=\"http://h\"";
    let text = |enabled: bool, salt: &str, percent: u8| {
        format!(
            "[rollout]\nenabled = {enabled}\n[canary]\nsalt = \"{salt}\"\npercent = {percent}\n{bridge}"
        )
    };
    for (enabled, kept) in [(true, "a"), (false, "b")] {
        let watched = Watched::new(&text(enabled, "a", 0));
        watched.write(&text(enabled, "b", 5));
        let view = watched.look(Why::Change);
        assert_eq!(
            (view.error.as_deref(), view.restart.as_slice()),
            (None, ["rollout"].as_slice())
        );
        assert_eq!(salt(&watched), kept, "enabled: {enabled}");
        let share = watched.store.snapshot().settings.policy.canary().share.percent();
        assert!((share - 5.0).abs() < f64::EPSILON, "the rest holds: {share}");
    }
}

#[test]
fn overrides_outlive_a_reload_and_never_hold_one_up() {
    let watched = Watched::new("[flags]\ncontract = true");
    let hour = Duration::from_secs(3600);
    watched.store.set(Flag::Runtime, true, ("ann", "a test"), hour, hour).unwrap();
    watched.write("[flags]\ncontract = true\n[limits]\nin_flight = 77");
    assert_eq!(watched.look(Why::Change).error, None);
    assert!(watched.flags().runtime);

    watched.write("[flags]\nkill = true\n[limits]\nin_flight = 99");
    assert_eq!(watched.look(Why::Change).error, None);
    let flags = watched.flags();
    assert!(flags.kill && !flags.contract && !flags.runtime);
    assert_eq!(watched.store.snapshot().settings.limits.in_flight, 99);
}
