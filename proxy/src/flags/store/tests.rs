//! Layers, rules and expiry of the store, and what its readers see while it changes.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use modegate_config::Config;

use super::*;
use crate::flags::View;
use modegate_config::flags::check;
use modegate_filters::decide::Flags;

pub(super) const WHY: (&str, &str) = ("ann", "a test");
const HOUR: Duration = Duration::from_secs(3600);

fn config(text: &str) -> Config {
    let listener =
        "[[listener]]\nleg = \"frontend\"\nbind = \"127.0.0.1:0\"\nupstream = \"http://[::1]:1\"\n";
    Config::parse(&format!("{text}\n{listener}")).unwrap()
}

pub(super) fn settings() -> Settings {
    Settings::new(&config(""))
}

pub(super) fn layer(said: &[(Flag, bool)]) -> FlagLayer {
    let mut layer = FlagLayer::default();
    for (flag, on) in said {
        layer.set(*flag, *on);
    }
    layer
}

pub(super) fn store(file: &[(Flag, bool)], environment: &[(Flag, bool)]) -> Store {
    Store::new(settings(), layer(file), layer(environment)).unwrap()
}

pub(super) fn set(store: &Store, flag: Flag, value: bool) -> Result<Arc<Snapshot>, Refusal> {
    store.set(flag, value, WHY, HOUR, HOUR)
}

#[test]
fn the_highest_layer_that_says_something_decides() {
    struct Case {
        file: Option<bool>,
        environment: Option<bool>,
        by_hand: Option<bool>,
        contract: (bool, &'static str),
        kill: (bool, &'static str),
    }
    let (on, off) = (Some(true), Some(false));
    let case = |file, environment, by_hand, contract, kill| Case {
        file,
        environment,
        by_hand,
        contract,
        kill,
    };
    let cases = [
        case(None, None, None, (false, "default"), (false, "default")),
        case(on, None, None, (true, "file"), (true, "file")),
        case(off, None, None, (false, "file"), (false, "file")),
        case(off, on, None, (true, "environment"), (true, "environment")),
        case(on, off, None, (false, "environment"), (true, "file")),
        case(None, on, off, (false, "override"), (true, "environment")),
        case(on, None, off, (false, "override"), (true, "file")),
        case(on, off, off, (false, "override"), (true, "file")),
        case(off, off, on, (true, "override"), (true, "override")),
        case(None, None, on, (true, "override"), (true, "override")),
    ];
    for Case { file, environment, by_hand, contract, kill } in cases {
        for (flag, expected) in [(Flag::Contract, contract), (Flag::Kill, kill)] {
            let said = |on: Option<bool>| on.map(|on| (flag, on)).into_iter().collect::<Vec<_>>();
            let store = store(&said(file), &said(environment));
            if let Some(value) = by_hand {
                set(&store, flag, value).unwrap();
            }
            let View { snapshot, flags: views, .. } = store.view();
            let view = views.into_iter().find(|view| view.flag == flag).unwrap();
            let name = format!("{flag:?} {file:?} {environment:?} {by_hand:?}");
            assert_eq!((view.value, view.layer), expected, "{name}");
            assert_eq!(flag.of(&snapshot.flags), expected.0, "{name}");
            let seen = (view.said[0].1, view.said[1].1, view.override_.map(|set| set.value));
            assert_eq!(seen, (file, environment, by_hand), "{name}");
        }
    }
}

#[test]
fn file_and_environment_that_break_a_rule_together_make_no_store() {
    let broken = Store::new(settings(), layer(&[(Flag::Contract, true), (Flag::Runtime, true)]), {
        layer(&[(Flag::Contract, false)])
    });
    assert_eq!(broken.unwrap_err().flag, Flag::Runtime);
}

#[test]
fn a_refused_change_changes_nothing() {
    let both = [(Flag::Contract, true), (Flag::Runtime, true)];
    let long = "x".repeat(257);
    struct Case {
        name: &'static str,
        file: &'static [(Flag, bool)],
        flag: Flag,
        value: bool,
        why: (&'static str, &'static str),
        lasts: Duration,
        refusal: fn(&Refusal) -> bool,
    }
    let unexplained: fn(&Refusal) -> bool = |refusal| matches!(refusal, Refusal::Unexplained);
    let expiry: fn(&Refusal) -> bool =
        |refusal| matches!(refusal, Refusal::Expiry { limit: HOUR, .. });
    let broken: fn(&Refusal) -> bool = |refusal| matches!(refusal, Refusal::Broken(_));
    let plain = Case {
        name: "",
        file: &[],
        flag: Flag::Kill,
        value: true,
        why: WHY,
        lasts: HOUR,
        refusal: unexplained,
    };
    let over: Duration = HOUR + Duration::from_millis(1);
    let cases = [
        Case { name: "no actor", why: ("", "r"), ..plain },
        Case { name: "blank actor", why: (" \t\n", "r"), ..plain },
        Case { name: "no reason", why: ("a", ""), ..plain },
        Case { name: "blank reason", why: ("a", "\u{3000}"), ..plain },
        Case { name: "zero expiry", lasts: Duration::ZERO, refusal: expiry, ..plain },
        Case { name: "over the limit", lasts: over, refusal: expiry, ..plain },
        Case { name: "runtime alone", flag: Flag::Runtime, refusal: broken, ..plain },
        Case { name: "ui alone", flag: Flag::Ui, refusal: broken, ..plain },
        Case {
            name: "contract under runtime",
            file: &[(Flag::Contract, true), (Flag::Runtime, true)],
            flag: Flag::Contract,
            value: false,
            refusal: broken,
            ..plain
        },
    ];
    for case in cases {
        let store = store(case.file, &[]);
        let before = store.snapshot();
        let refused = store.set(case.flag, case.value, case.why, case.lasts, HOUR).unwrap_err();
        assert!((case.refusal)(&refused), "{}: {refused}", case.name);
        assert!(Arc::ptr_eq(&before, &store.snapshot()), "{}", case.name);
        assert!(store.view().flags.iter().all(|view| view.override_.is_none()), "{}", case.name);
    }

    let store = store(&both, &[]);
    for why in [(long.as_str(), "r"), ("a", long.as_str())] {
        assert_eq!(store.set(Flag::Kill, true, why, HOUR, HOUR).unwrap_err(), Refusal::Unexplained);
        assert_eq!(store.clear(Flag::Kill, why).unwrap_err(), Refusal::Unexplained);
    }
    let gone = store.clear(Flag::Kill, WHY).unwrap_err();
    assert_eq!(gone, Refusal::NotOverridden("kill"));
    // Runtime rests on the override that would go.
    let resting = self::store(&[], &[]);
    set(&resting, Flag::Contract, true).unwrap();
    set(&resting, Flag::Runtime, true).unwrap();
    assert!(matches!(resting.clear(Flag::Contract, WHY), Err(Refusal::Broken(_))));
    assert_eq!(resting.snapshot().generation, 3);
}

#[test]
fn every_change_is_one_generation() {
    let store = store(&[], &[]);
    assert_eq!(store.snapshot().generation, 1);
    assert_eq!(set(&store, Flag::Contract, true).unwrap().generation, 2);
    assert_eq!(set(&store, Flag::Contract, true).unwrap().generation, 3);
    assert_eq!(store.clear(Flag::Contract, WHY).unwrap().generation, 4);
    assert_eq!(store.reload(settings(), layer(&[])).unwrap().generation, 5);
    assert_eq!(store.snapshot().generation, 5);
}

#[test]
fn an_override_ends_at_its_expiry_and_not_before() {
    let store = store(&[], &[]);
    let before = SystemTime::now();
    set(&store, Flag::Contract, true).unwrap();
    store.set(Flag::Kill, true, WHY, 2 * HOUR, 2 * HOUR).unwrap();
    store.expire(before + HOUR - Duration::from_millis(1));
    assert_eq!(store.snapshot().generation, 3, "nothing had expired");
    store.expire(SystemTime::now() + HOUR);
    let now = store.snapshot();
    assert_eq!((now.generation, now.flags.contract, now.flags.kill), (4, false, true));
    store.expire(SystemTime::now() + 2 * HOUR);
    assert_eq!(store.snapshot().flags, Flags::default());
}

#[test]
fn what_rested_on_an_override_that_ended_is_off() {
    let store = store(&[], &[]);
    store.set(Flag::Contract, true, WHY, HOUR / 2, HOUR).unwrap();
    set(&store, Flag::Runtime, true).unwrap();
    set(&store, Flag::Ui, true).unwrap();
    store.expire(SystemTime::now() + HOUR / 2);
    assert_eq!(store.snapshot().flags, Flags::default());
}

#[test]
fn after_an_expiry_the_flags_can_still_be_changed_and_reloaded() {
    type Change = fn(&Store) -> bool;
    let changes: [(&str, Change, Flag, bool); 4] = [
        ("kill", |store| set(store, Flag::Kill, true).is_ok(), Flag::Kill, true),
        ("contract", |store| set(store, Flag::Contract, true).is_ok(), Flag::Contract, true),
        ("runtime", |store| set(store, Flag::Contract, true).is_ok(), Flag::Runtime, false),
        (
            "reload",
            |store| store.reload(settings(), layer(&[(Flag::Kill, true)])).is_ok(),
            Flag::Kill,
            true,
        ),
    ];
    for (name, change, flag, value) in changes {
        let store = store(&[], &[]);
        store.set(Flag::Contract, true, WHY, HOUR / 2, HOUR).unwrap();
        set(&store, Flag::Runtime, true).unwrap();
        store.expire(SystemTime::now() + HOUR / 2);
        assert!(change(&store), "{name} was refused");
        assert_eq!(flag.of(&store.snapshot().flags), value, "{name}");
        assert!(check(&store.snapshot().flags).is_ok(), "{name}");
    }
}

#[test]
fn a_reload_keeps_overrides_and_is_not_held_up_by_them() {
    let store = store(&[(Flag::Contract, true)], &[]);
    set(&store, Flag::Runtime, true).unwrap();
    let taken = store.reload(settings(), layer(&[(Flag::Contract, true), (Flag::Kill, true)]));
    let taken = taken.unwrap();
    assert!(taken.flags.runtime && taken.flags.kill);

    // Without contract the override has no effect; the file's kill has.
    let taken = store.reload(settings(), layer(&[(Flag::Kill, true)])).unwrap();
    assert!(taken.flags.kill && !taken.flags.contract && !taken.flags.runtime);
    let taken = store.reload(settings(), layer(&[(Flag::Contract, true)])).unwrap();
    assert!(taken.flags.runtime, "it is still set");

    // An override must not hold together what breaks when it ends.
    let alone = self::store(&[], &[]);
    set(&alone, Flag::Contract, true).unwrap();
    assert!(alone.reload(settings(), layer(&[(Flag::Runtime, true)])).is_err());
    assert_eq!(alone.snapshot().generation, 2);
}

#[test]
fn an_override_that_the_file_bears_outlives_the_one_it_also_rested_on() {
    let store = store(&[(Flag::Contract, true)], &[]);
    store.set(Flag::Contract, true, WHY, HOUR / 2, HOUR).unwrap();
    set(&store, Flag::Runtime, true).unwrap();
    store.expire(SystemTime::now() + HOUR / 2);
    assert!(store.snapshot().flags.runtime);
}

#[tokio::test]
async fn the_task_ends_an_override_by_itself_also_one_set_while_it_waits() {
    let store = Arc::new(store(&[], &[]));
    let task = tokio::spawn({
        let store = store.clone();
        async move { store.expire_overrides().await }
    });
    for (flag, lasts) in [(Flag::Contract, HOUR), (Flag::Kill, Duration::from_millis(20))] {
        tokio::task::yield_now().await;
        store.set(flag, true, WHY, lasts, HOUR).unwrap();
    }
    let ended = async {
        while store.snapshot().flags.kill {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("it ends");
    assert!(store.snapshot().flags.contract, "the longer one is still there");
    task.abort();
}

/// Two configurations that differ in flags and in a setting; a snapshot is one or the other.
#[test]
fn no_reader_sees_half_a_snapshot() {
    const CHANGES: u64 = 2_000;
    let on = [(Flag::Contract, true), (Flag::Runtime, true), (Flag::Ui, true)];
    let with = |in_flight: usize| config(&format!("[limits]\nin_flight = {in_flight}"));
    let (one, other) = (with(111), with(222));
    let store = Store::new(Settings::new(&one), layer(&on), layer(&[])).unwrap();
    let (done, start) = (AtomicBool::new(false), Barrier::new(4));

    let seen: Vec<BTreeMap<u64, Flags>> = std::thread::scope(|scope| {
        let reader = || {
            let mut seen = BTreeMap::new();
            start.wait();
            while !done.load(Relaxed) || seen.is_empty() {
                let snapshot = store.snapshot();
                let in_flight = snapshot.settings.limits.in_flight;
                let Flags { contract, runtime, ui, kill, .. } = snapshot.flags;
                assert!(contract == runtime && runtime == ui, "{snapshot:?}");
                assert_eq!(in_flight, if contract { 111 } else { 222 }, "{snapshot:?}");
                assert_eq!(kill, snapshot.generation % 4 >= 2, "{snapshot:?}");
                let last = seen.last_key_value().map_or(0, |(generation, _)| *generation);
                assert!(snapshot.generation >= last, "generations only grow");
                let before = seen.insert(snapshot.generation, snapshot.flags);
                assert!(before.is_none_or(|before| before == snapshot.flags), "one per number");
            }
            seen
        };
        let readers = [scope.spawn(reader), scope.spawn(reader), scope.spawn(reader)];
        start.wait();
        // Generations 2 and 3 of every four are killed, and every even step swaps the file.
        for change in 0..CHANGES / 4 {
            let to_other = change % 2 == 0;
            set(&store, Flag::Kill, true).unwrap();
            let (settings, file) = match to_other {
                true => (Settings::new(&other), layer(&[])),
                false => (Settings::new(&one), layer(&on)),
            };
            store.reload(settings, file).unwrap();
            store.clear(Flag::Kill, WHY).unwrap();
            set(&store, Flag::CloudEnforced, to_other).unwrap();
        }
        done.store(true, Relaxed);
        readers.map(|reader| reader.join().unwrap()).into()
    });
    assert_eq!(store.snapshot().generation, 1 + CHANGES);
    assert!(seen.iter().all(|seen| !seen.is_empty()));
}

#[test]
fn writers_take_turns() {
    const EACH: u64 = 200;
    let store = store(&[], &[]);
    let mut generations: Vec<u64> = std::thread::scope(|scope| {
        let writer = |flag: Flag| {
            let store = &store;
            move || {
                let turn = |n| set(store, flag, n % 2 == 0).unwrap().generation;
                (0..EACH).map(turn).collect::<Vec<_>>()
            }
        };
        let writers = [Flag::Contract, Flag::CloudEnforced, Flag::Kill].map(writer);
        let running = writers.map(|writer| scope.spawn(writer));
        running.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    generations.sort_unstable();
    assert_eq!(generations, (2..=1 + 3 * EACH).collect::<Vec<_>>(), "each change its own number");
    assert_eq!(store.snapshot().flags, Flags::default(), "every writer ended with off");
}
