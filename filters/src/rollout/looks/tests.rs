use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::rollout::observe::Replicate;

fn instance(name: &str, up: bool) -> Instance {
    Instance { name: name.to_owned(), up, generation: 1, breaker: None, overridden: false }
}

/// An instance that counted so many canary requests.
fn sample(name: &str, counted: u64, began: Option<Millis>) -> Sample {
    let mut totals = Totals { fast_left: counted, ..Totals::default() };
    totals.canary.replicates[3] = Replicate { requests: counted, ..Replicate::default() };
    totals.hops[1].canary.requests = counted;
    Sample { instance: instance(name, true), totals, began }
}

fn down(name: &str) -> Sample {
    Sample { instance: instance(name, false), totals: Totals::default(), began: None }
}

/// How many are new by this look; the same by every count.
fn new(looks: &mut Looks, now: Millis, samples: Vec<Sample>) -> u64 {
    let seen = looks.look(now, samples, Some(7));
    assert_eq!(seen.age, Some(7));
    assert_eq!(seen.fast_left, seen.canary.requests());
    assert_eq!(seen.fast_left, seen.hops[1].canary.requests);
    seen.fast_left
}

#[test]
fn the_first_look_sets_baselines() {
    let mut looks = Looks::default();
    assert_eq!(new(&mut looks, 10, vec![sample("a", 100, None), sample("b", 5, Some(9))]), 0);
    assert_eq!(new(&mut looks, 20, vec![sample("a", 103, None), sample("b", 5, Some(9))]), 3);
    // It began after the look before; it did not; it does not say so; at that very moment.
    let began = [("c", Some(21)), ("d", Some(19)), ("e", None), ("f", Some(20))];
    let newcomers = began.map(|(name, began)| sample(name, 10, began));
    assert_eq!(new(&mut looks, 30, newcomers.into()), 10);
    let later = began.map(|(name, began)| sample(name, 11, began));
    assert_eq!(new(&mut looks, 40, later.into()), 4);
}

#[test]
fn one_that_began_again_counts_from_zero() {
    let mut looks = Looks::default();
    new(&mut looks, 10, vec![sample("a", 100, Some(1)), sample("b", 100, None)]);
    assert_eq!(new(&mut looks, 20, vec![sample("a", 30, Some(15)), sample("b", 40, None)]), 70);
    // More than before, and yet anew: only one that says so is known by it.
    assert_eq!(new(&mut looks, 30, vec![sample("a", 50, Some(25)), sample("b", 60, None)]), 70);
}

#[test]
fn a_server_that_is_behind_makes_nothing_new() {
    let mut looks = Looks::default();
    new(&mut looks, 10, vec![sample("a", 100, Some(1))]);
    assert_eq!(new(&mut looks, 20, vec![sample("a", 95, Some(1))]), 0);
    assert_eq!(new(&mut looks, 30, vec![sample("a", 105, Some(1))]), 5);
    assert_eq!(new(&mut looks, 40, vec![sample("a", 3, Some(35))]), 3);
    let seen = looks.look(50, vec![sample("a", 106, Some(1))], None);
    assert_eq!((seen.fast_left, seen.instances[0].up), (0, false));
    assert_eq!(new(&mut looks, 60, vec![sample("a", 4, Some(35))]), 1);
}

#[test]
fn one_that_is_down_keeps_its_baseline() {
    let mut looks = Looks::default();
    new(&mut looks, 10, vec![sample("a", 100, None)]);
    for now in [20, 30] {
        assert_eq!(new(&mut looks, now, vec![down("a")]), 0);
        assert!(!looks.look(now, vec![down("a")], None).instances[0].up);
    }
    assert_eq!(new(&mut looks, 40, vec![sample("a", 109, None)]), 9);
    // One that was never up has none.
    assert_eq!(new(&mut looks, 50, vec![down("b")]), 0);
    assert_eq!(new(&mut looks, 60, vec![sample("b", 9, None)]), 0);
}

#[test]
fn one_that_vanishes_is_expected_for_a_while() {
    let mut looks = Looks::default();
    new(&mut looks, 0, vec![sample("a", 100, None), sample("b", 1, None)]);
    let only_b = || vec![sample("b", 1, None)];
    let seen = looks.look(EXPECTED - 1, only_b(), None);
    assert_eq!(seen.instances, [instance("a", false), instance("b", true)]);
    let mut back = looks.clone();
    assert_eq!(new(&mut back, EXPECTED, vec![sample("a", 101, None)]), 1);
    assert_eq!(looks.look(EXPECTED, only_b(), None).instances, [instance("b", true)]);

    // Many pods that come and go are not all remembered.
    for now in 1..=1_000 {
        looks.look(EXPECTED + now, vec![sample(&format!("p{now}"), 1, None)], None);
    }
    assert_eq!(looks.seen.len(), GONE + 1);
    assert!(looks.seen.contains_key("p999") && !looks.seen.contains_key("p1"));
}

/// What happens to an instance between two looks.
#[derive(Clone, Debug)]
enum Happens {
    Counts(u64),
    /// It begins again after it was seen, and counts.
    BeginsAgain(u64),
    IsDown(u64),
    Vanishes(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0..100_u64).prop_map(Happens::Counts),
        1 => (0..100_u64).prop_map(Happens::BeginsAgain),
        1 => (0..100_u64).prop_map(Happens::IsDown),
        1 => (0..100_u64).prop_map(Happens::Vanishes),
    ]
}

proptest! {
    /// Whatever happens, all that was counted is seen once, but for what one counted before it was
    /// seen the first time.
    #[test]
    fn everything_is_seen_once(
        rounds in vec(vec(happens(), 3), 1..40),
        started in vec(0..1000_u64, 3),
        written in any::<bool>(),
    ) {
        let names = ["a", "b", "c"];
        let mut looks = Looks::default();
        let mut counts = started.clone();
        let mut began = [0_u64; 3];
        let sample_of = |at: usize, counts: &[u64], began: &[u64; 3]| {
            sample(names[at], counts[at], Some(began[at]))
        };
        looks.look(1, (0..3).map(|at| sample_of(at, &counts, &began)).collect(), None);
        let (mut sum, mut expected, mut now) = (0, 0, 1);
        for round in rounds {
            now += 10;
            let mut samples = Vec::new();
            for (at, event) in round.iter().enumerate() {
                match *event {
                    Happens::Counts(more) => {
                        (counts[at], expected) = (counts[at] + more, expected + more);
                        samples.push(sample_of(at, &counts, &began));
                    }
                    Happens::BeginsAgain(more) => {
                        // What it counted since it was seen the last time is lost with it.
                        samples.push(sample_of(at, &counts, &began));
                        sum += looks.look(now - 5, samples.clone(), None).fast_left;
                        samples.clear();
                        (counts[at], began[at], expected) = (more, now, expected + more);
                        samples.push(sample_of(at, &counts, &began));
                    }
                    Happens::IsDown(more) => {
                        (counts[at], expected) = (counts[at] + more, expected + more);
                        samples.push(down(names[at]));
                    }
                    Happens::Vanishes(more) => {
                        (counts[at], expected) = (counts[at] + more, expected + more);
                    }
                }
            }
            sum += looks.look(now, samples, None).fast_left;
            if written {
                let json = serde_json::to_string(&looks).unwrap();
                let read: Looks = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(&read, &looks);
                looks = read;
            }
        }
        // In the end all are up.
        let last = (0..3).map(|at| sample_of(at, &counts, &began)).collect();
        sum += looks.look(now + 10, last, None).fast_left;
        prop_assert_eq!(sum, expected);
    }
}
