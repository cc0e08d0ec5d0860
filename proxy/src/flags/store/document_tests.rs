//! Documents, leases and the breaker in the store.

use std::time::UNIX_EPOCH;

use modegate_filters::bucket::Share;
use proptest::prelude::*;

use super::tests::{WHY, layer, set, settings, store};
use super::*;

const ON: [(Flag, bool); 2] = [(Flag::Contract, true), (Flag::Runtime, true)];

fn document(generation: u64, said: &[(Flag, bool)], percent: Option<f64>) -> Document {
    let share = percent.and_then(Share::from_percent);
    Document { generation, flags: layer(said), share, lease_until: None, rollout: None }
}

fn percent(store: &Store) -> f64 {
    store.snapshot().settings.policy.canary().share.percent()
}

fn with_breaker() -> Store {
    let settings = Settings { breaker: Breaker::ALL.to_vec(), ..settings() };
    Store::new(settings, layer(&ON), layer(&[])).unwrap()
}

fn minutes_from_now(minutes: i64) -> u64 {
    milliseconds(SystemTime::now()).saturating_add_signed(minutes * 60_000)
}

#[test]
fn later_layers_go_before_earlier_and_any_may_kill() {
    // Configuration, environment, document, remote, override; what ui is, and who says so.
    let on = Some(true);
    let off = Some(false);
    type Case = ([Option<bool>; 5], bool, &'static str);
    let cases: [Case; 8] = [
        ([None; 5], false, "default"),
        ([on, None, None, None, None], true, "file"),
        ([on, off, None, None, None], false, "environment"),
        ([on, off, on, None, None], true, "document"),
        ([off, None, on, off, None], false, "remote"),
        ([off, None, off, on, None], true, "remote"),
        ([on, on, on, on, off], false, "override"),
        ([off, off, off, off, on], true, "override"),
    ];
    for (said, value, decided) in cases {
        for flag in [Flag::CloudEnforced, Flag::Kill] {
            let [file, environment, documents @ .., by_hand] =
                said.map(|on| on.map(|on| (flag, on)).into_iter().collect::<Vec<_>>());
            let store = store(&file, &environment);
            for (layer, said) in Layer::ALL.into_iter().zip(documents) {
                if !said.is_empty() {
                    store.take_document(layer, document(1, &said, None), false).unwrap();
                }
            }
            if let Some((_, on)) = by_hand.first() {
                set(&store, flag, *on).unwrap();
            }
            let view = store.view();
            let seen = view.flags.iter().find(|view| view.flag == flag).unwrap();
            let any = said.contains(&on);
            let expected = if flag == Flag::Kill { any } else { value };
            assert_eq!(seen.value, expected, "{flag:?} {said:?}");
            if flag != Flag::Kill {
                assert_eq!(seen.layer, decided, "{said:?}");
            }
        }
    }
}

#[test]
fn the_share_is_the_last_layers_that_says_one() {
    let store = store(&ON, &[]);
    assert_eq!(percent(&store), 0.0);
    store.take_document(Layer::File, document(1, &[], Some(5.0)), false).unwrap();
    assert_eq!((percent(&store), store.view().share.0), (5.0, "document"));
    store.take_document(Layer::Remote, document(9, &[], None), false).unwrap();
    assert_eq!((percent(&store), store.view().share.0), (5.0, "document"));
    store.take_document(Layer::Remote, document(10, &[], Some(1.0)), false).unwrap();
    assert_eq!((percent(&store), store.view().share.0), (1.0, "remote"));
    // A reload keeps it.
    store.reload(settings(), layer(&ON)).unwrap();
    assert_eq!(percent(&store), 1.0);
    assert_eq!(store.document_generation(), 10);
}

#[test]
fn generations_go_up_and_bad_documents_change_nothing() {
    let store = store(&[], &[]);
    let take = |document, force| store.take_document(Layer::File, document, force);
    take(document(3, &ON, Some(5.0)), false).unwrap();
    let before = store.snapshot();
    take(document(3, &ON, Some(5.0)), false).unwrap();
    let runtime = [(Flag::Contract, false), (Flag::Runtime, true)];
    let broken = Unfit::Broken(Broken { flag: Flag::Runtime, needs: Flag::Runtime.needs() });
    let cases = [
        (document(3, &ON, Some(6.0)), Unfit::Differs(3)),
        (document(2, &ON, Some(5.0)), Unfit::Backwards { has: 3, offered: 2 }),
        (document(4, &runtime, Some(5.0)), broken),
    ];
    for (document, unfit) in cases {
        assert_eq!(take(document, false).unwrap_err(), unfit);
        assert!(Arc::ptr_eq(&before, &store.snapshot()), "{unfit}");
        assert!(store.view().documents[0].error.is_some());
    }
    take(document(3, &ON, Some(5.0)), false).unwrap();
    assert!(store.view().documents[0].error.is_none());
    take(document(2, &[], None), true).unwrap();
    assert_eq!((store.document_generation(), percent(&store)), (2, 0.0));
    // Kill is taken whatever else is wrong.
    let kill = [(Flag::Kill, true), (Flag::Runtime, true), (Flag::Contract, false)];
    assert!(take(document(4, &kill, None), false).unwrap().flags.kill);
}

#[test]
fn a_lease_that_is_over_stays_over_until_a_newer_document() {
    let store = store(&[], &[]);
    let leased = |generation, until| Document {
        lease_until: Some(until),
        ..document(generation, &ON, Some(5.0))
    };
    let until = minutes_from_now(10);
    store.take_document(Layer::File, leased(1, until), false).unwrap();
    store.expire(SystemTime::now());
    assert!(store.snapshot().flags.runtime);
    store.expire(UNIX_EPOCH + Duration::from_millis(until));
    assert_eq!((store.snapshot().flags.runtime, percent(&store)), (false, 0.0));
    assert!(store.snapshot().flags.contract);
    // Neither the clock nor a reload nor the same document brings it back.
    store.expire(SystemTime::now());
    store.reload(settings(), layer(&ON)).unwrap();
    store.take_document(Layer::File, leased(1, until), false).unwrap();
    assert_eq!((store.snapshot().flags.runtime, store.view().share.0), (false, "lease"));
    store.take_document(Layer::File, leased(1, until + 1), false).unwrap();
    assert_eq!((store.snapshot().flags.runtime, percent(&store)), (true, 5.0));
    store.take_document(Layer::File, leased(2, minutes_from_now(-1)), false).unwrap();
    assert!(!store.snapshot().flags.runtime, "over when it came");
}

#[test]
fn the_breaker_stays_open_until_an_operator_or_a_new_generation() {
    let store = with_breaker();
    store.take_document(Layer::File, document(1, &ON, Some(5.0)), false).unwrap();
    assert_eq!(store.reset_breaker(WHY).unwrap_err(), Refusal::NotOpen);
    let closed =
        |store: &Store| store.snapshot().flags.runtime && store.snapshot().breaker.is_none();
    let open = |store: &Store| {
        let snapshot = store.snapshot();
        !snapshot.flags.runtime && percent(store) == 0.0 && snapshot.breaker.is_some()
    };
    store.trip(Breaker::Contamination);
    store.trip(Breaker::Errors);
    assert!(open(&store));
    assert_eq!(store.snapshot().breaker, Some(Breaker::Contamination), "the first");
    assert_eq!(Breaker::ALL.map(|cause| store.trips(cause)), [1, 0, 1]);
    store.expire(SystemTime::now() + Duration::from_secs(1_000_000));
    store.reload(Settings { breaker: Breaker::ALL.to_vec(), ..settings() }, layer(&ON)).unwrap();
    store.take_document(Layer::File, document(1, &ON, Some(5.0)), false).unwrap();
    let lease = Document { lease_until: Some(1), ..document(0, &ON, None) };
    assert!(store.take_document(Layer::File, lease, false).is_err());
    assert!(open(&store));
    assert_eq!(store.reset_breaker(("", "")).unwrap_err(), Refusal::Unexplained);
    store.reset_breaker(WHY).unwrap();
    assert!(closed(&store));
    store.trip(Breaker::Mismatch);
    assert!(open(&store));
    store.take_document(Layer::File, document(2, &ON, Some(5.0)), false).unwrap();
    assert!(closed(&store));
}

#[test]
fn a_renewed_lease_does_not_close_the_breaker() {
    let store = with_breaker();
    let leased = |minutes| Document {
        lease_until: Some(minutes_from_now(minutes)),
        ..document(1, &ON, Some(5.0))
    };
    store.take_document(Layer::File, leased(10), false).unwrap();
    store.trip(Breaker::Errors);
    store.take_document(Layer::File, leased(20), false).unwrap();
    assert!(!store.snapshot().flags.runtime);
}

#[test]
fn a_breaker_that_is_off_does_nothing() {
    let store = store(&ON, &[]);
    store.trip(Breaker::Contamination);
    assert!(store.snapshot().flags.runtime);
    assert_eq!(store.trips(Breaker::Contamination), 0);
}

#[test]
fn what_a_lost_source_switched_off_stays_off() {
    let store = store(&[(Flag::Contract, true)], &[]);
    let said = [(Flag::Runtime, true), (Flag::CloudEnforced, false), (Flag::Kill, false)];
    store.take_document(Layer::Remote, document(1, &said, Some(50.0)), false).unwrap();
    store.freshness(Layer::Remote, Freshness::Stale);
    assert_eq!((store.snapshot().flags.runtime, percent(&store)), (true, 50.0));
    store.freshness(Layer::Remote, Freshness::Dropped);
    assert_eq!((store.snapshot().flags.runtime, percent(&store)), (false, 0.0));
    store.freshness(Layer::Remote, Freshness::Fresh);
    let kill = [(Flag::Kill, true)];
    store.take_document(Layer::Remote, document(2, &kill, Some(0.0)), false).unwrap();
    store.take_document(Layer::File, document(1, &ON, Some(100.0)), false).unwrap();
    store.freshness(Layer::Remote, Freshness::Dropped);
    assert_eq!((store.snapshot().flags.kill, percent(&store)), (true, 0.0));
}

/// What a sidecar does by itself.
#[derive(Clone, Debug)]
enum Alone {
    Trip(usize),
    Lapse,
    Age(Layer, Freshness),
    Fails(Layer),
}

fn alone() -> impl Strategy<Value = Alone> {
    let layers = || prop_oneof![Just(Layer::File), Just(Layer::Remote)];
    prop_oneof![
        (0_usize..3).prop_map(Alone::Trip),
        Just(Alone::Lapse),
        // Only older: what is fresh again was told by its source.
        (layers(), Just(Freshness::Dropped)).prop_map(|(layer, age)| Alone::Age(layer, age)),
        layers().prop_map(Alone::Fails),
    ]
}

fn said() -> impl Strategy<Value = Vec<(Flag, bool)>> {
    proptest::array::uniform5(proptest::option::of(any::<bool>())).prop_map(|said| {
        let said = Flag::ALL.into_iter().zip(said);
        said.filter_map(|(flag, on)| Some((flag, on?))).collect()
    })
}

/// How many keys the fast mode may apply to, in parts per million, and one for lists by name.
fn exposure(store: &Store) -> u32 {
    let snapshot = store.snapshot();
    let flags = snapshot.flags;
    let share = u32::from(snapshot.settings.policy.canary().share);
    if flags.kill || !flags.contract || !flags.runtime { 0 } else { share + 1 }
}

proptest! {
    #[test]
    fn a_sidecar_by_itself_only_becomes_safer(
        documents in proptest::array::uniform2((said(), 0..=100_u32, any::<bool>())),
        steps in proptest::collection::vec(alone(), 0..12),
    ) {
        let store = with_breaker();
        for (layer, (said, percent, leased)) in Layer::ALL.into_iter().zip(documents) {
            let lease_until = leased.then(|| minutes_from_now(10));
            let document = document(1, &said, Some(f64::from(percent)));
            let _ = store.take_document(layer, Document { lease_until, ..document }, false);
        }
        let mut before = exposure(&store);
        for step in steps {
            match step {
                Alone::Trip(cause) => store.trip(Breaker::ALL[cause]),
                Alone::Lapse => store.expire(SystemTime::now() + Duration::from_secs(3600)),
                Alone::Age(layer, age) => store.freshness(layer, age),
                Alone::Fails(layer) => store.document_failed(layer, "gone".to_owned()),
            }
            let after = exposure(&store);
            prop_assert!(after <= before, "{after} after {before}");
            before = after;
        }
    }
}
