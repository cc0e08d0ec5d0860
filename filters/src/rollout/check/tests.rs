//! Each fault by its text, and that no sound plan with one fault in it is taken.

use proptest::prelude::*;

use super::*;

type Break = fn(&mut Plan);
type Inject = fn(&mut Stage);

fn percent(percent: f64) -> Share {
    Share::from_percent(percent).unwrap()
}

/// What breaks the default plan, and the one fault that is found: its stage, key, found, allowed.
const CASES: [(Break, usize, &str, &str, &str); 20] = [
    (|plan| plan.stages.clear(), 0, "name", "no stage", "at least one stage"),
    (|plan| plan.stages[3].name.clear(), 3, "name", "\"\"", "a name"),
    (
        |plan| plan.stages[3].name = "api".to_owned(),
        3,
        "name",
        "\"api\", the name of a stage before",
        "a name that no other stage has",
    ),
    (
        |plan| plan.stages[1].step = Step::Observability,
        2,
        "step",
        "\"api\" after \"observability\"",
        "\"observability\" or a later step",
    ),
    (|plan| plan.stages[7].share = percent(4.5), 7, "percent", "4.5 after 5", "5 to 100"),
    (|plan| plan.stages[4].flags.kill = true, 4, "kill", "true", "false: it is for rollbacks"),
    (
        |plan| plan.stages[2].flags.contract = false,
        2,
        "runtime",
        "true without contract",
        "true only with contract",
    ),
    (|plan| plan.stages[4].flags.runtime = false, 4, "percent", "0.5 without runtime", "0"),
    (
        |plan| plan.stages.drain(2..4).for_each(drop),
        2,
        "percent",
        "0.5 before any stage watched parity",
        "0 until a stage at 0 has the gate \"parity\"",
    ),
    (
        |plan| plan.stages[3].flags.ui = true,
        3,
        "ui",
        "true before a canary",
        "false until a canary stage over 0 percent has a gate other than \"data\"",
    ),
    (
        |plan| {
            for stage in &mut plan.stages[4..10] {
                stage.gates = vec![Gate::Data];
            }
        },
        10,
        "ui",
        "true before a canary",
        "false until a canary stage over 0 percent has a gate other than \"data\"",
    ),
    (
        |plan| plan.stages[0].max_dwell = 599_999,
        0,
        "max_dwell",
        "599999 ms, under min_dwell",
        "at least min_dwell, 600000 ms",
    ),
    (
        |plan| plan.stages[3].min_samples = 1,
        3,
        "min_samples",
        "1 at 0 percent",
        "0 where nobody is canary",
    ),
    (
        |plan| plan.stages[3].gates.push(Gate::Errors),
        3,
        "gates",
        "\"errors\" at 0 percent, without a canary",
        "parity, quality or data where one cohort is empty",
    ),
    (
        |plan| plan.stages[3].gates.push(Gate::Latency),
        3,
        "gates",
        "\"latency\" at 0 percent, without a canary",
        "parity, quality or data where one cohort is empty",
    ),
    (
        |plan| plan.stages[11].gates.push(Gate::Tail),
        11,
        "gates",
        "\"tail\" at 100 percent, without a control",
        "parity, quality or data where one cohort is empty",
    ),
    (
        |plan| plan.stages[3].gates.push(Gate::Quality),
        3,
        "gates",
        "\"quality\" at 0 percent, without a canary",
        "parity or data where nobody is canary",
    ),
    (
        |plan| plan.stages[11].gates.push(Gate::Data),
        11,
        "gates",
        "\"data\" twice",
        "each gate once",
    ),
    (
        |plan| plan.stages[5].gates.clear(),
        5,
        "gates",
        "none in an exposed stage that goes on by itself",
        "at least one gate, or approval = \"manual\"",
    ),
    (
        |plan| plan.stages[5].max_dwell = 0,
        5,
        "max_dwell",
        "0 ms, under min_dwell",
        "at least min_dwell, 900000 ms",
    ),
];

#[test]
fn each_fault_says_where_what_and_what_instead() {
    for (break_it, stage, key, found, allowed) in CASES {
        let mut plan = Plan::default_plan("r");
        break_it(&mut plan);
        let expected = Fault { stage, key, found: found.to_owned(), allowed: allowed.to_owned() };
        assert_eq!(faults(&plan), [expected]);
    }
}

#[test]
fn flags_that_are_broken_twice_are_said_twice() {
    let mut plan = Plan::default_plan("r");
    plan.stages[10].flags.contract = false;
    let keys: Vec<&str> = faults(&plan).iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["runtime", "ui"]);
    plan.stages[10].flags.runtime = false;
    let keys: Vec<&str> = faults(&plan).iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["ui", "percent"]);
}

#[test]
fn a_stage_without_gates_needs_a_human_where_somebody_is_exposed() {
    let mut plan = Plan::default_plan("r");
    plan.stages[0].gates.clear();
    plan.stages[9].gates.clear();
    assert_eq!(faults(&plan), [], "core is not exposed, canary-50 is approved by hand");
}

/// The default plan with other shares, times and numbers of canary stages.
fn sound() -> impl Strategy<Value = Plan> {
    let shares = proptest::collection::btree_set(1_u32..500_000, 6);
    let kept = proptest::collection::vec(any::<bool>(), 5);
    let dwell = proptest::collection::vec((0_u64..1 << 40, 0_u64..1 << 40), 12);
    (shares, kept, dwell, 1_u64..1 << 40).prop_map(|(shares, kept, dwell, samples)| {
        let mut plan = Plan::default_plan("r");
        for (stage, parts) in plan.stages[4..10].iter_mut().zip(shares) {
            stage.share = percent(f64::from(parts) / 10_000.0);
            stage.min_samples = samples;
        }
        for (stage, (least, more)) in plan.stages.iter_mut().zip(dwell) {
            stage.min_dwell = least;
            stage.max_dwell = least + more;
        }
        let mut kept = kept.into_iter();
        plan.stages.retain(|stage| {
            stage.step != Step::Canary || stage.name == "canary-50" || kept.next() != Some(false)
        });
        plan
    })
}

/// A fault for any stage, and the key that it is found at.
const INJECTED: [(Inject, &str); 6] = [
    (|stage| stage.name.clear(), "name"),
    (|stage| stage.flags.kill = true, "kill"),
    (|stage| (stage.min_dwell, stage.max_dwell) = (2, 1), "max_dwell"),
    (|stage| stage.gates.extend([Gate::Data, Gate::Data]), "gates"),
    (|stage| (stage.flags.ui, stage.flags.runtime) = (true, false), "ui"),
    (|stage| (stage.flags.runtime, stage.flags.contract) = (true, false), "runtime"),
];

proptest! {
    #[test]
    fn a_fault_anywhere_is_found_there(
        plan in sound(),
        at in any::<prop::sample::Index>(),
        (inject, key) in prop::sample::select(INJECTED.to_vec()),
    ) {
        prop_assert_eq!(faults(&plan), []);
        let mut broken = plan.clone();
        let at = at.index(broken.stages.len());
        inject(&mut broken.stages[at]);
        let found = faults(&broken);
        prop_assert!(found.iter().any(|fault| (fault.stage, fault.key) == (at, key)), "{found:?}");
    }

    #[test]
    fn two_stages_that_changed_places_are_found(
        plan in sound(),
        one in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
    ) {
        let mut broken = plan.clone();
        let (one, other) = (one.index(plan.stages.len()), other.index(plan.stages.len()));
        broken.stages.swap(one, other);
        prop_assert_eq!(faults(&broken).is_empty(), one == other);
    }
}
