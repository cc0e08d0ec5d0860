use proptest::prelude::*;

use super::*;
use crate::bucket::Share;
use crate::decide::Flags;
use crate::rollout::gates::GateVerdict;
use crate::rollout::incident::Trigger;
use crate::rollout::observe::{
    Arm, BUCKETS, Breaker, Hop, Instance, REPLICATES, Replicate, Side, Signal, SignalVerdict,
};
use crate::rollout::plan::{Approval, Blind, Gate, Stage, Step, Thresholds, Timing};
use crate::rollout::state::{Hold, Phase};

const TICK: Millis = 15_000;

fn stage(name: &str, percent: f64, gates: &[Gate], approval: Approval) -> Stage {
    let exposed = percent > 0.0;
    let flags =
        Flags { contract: true, runtime: true, cloud_enforced: exposed, ..Flags::default() };
    Stage {
        name: name.to_owned(),
        step: if exposed { Step::Canary } else { Step::Observability },
        flags,
        share: Share::from_percent(percent).unwrap(),
        min_dwell: 4 * TICK,
        min_samples: if exposed { 500 } else { 0 },
        max_dwell: 100 * TICK,
        gates: gates.to_vec(),
        approval,
    }
}

pub(crate) fn plan() -> Plan {
    let every = Gate::ALL;
    Plan {
        id: "test".to_owned(),
        stages: vec![
            stage("observe", 0.0, &[Gate::Parity, Gate::Data], Approval::Automatic),
            stage("canary", 50.0, &every, Approval::Automatic),
            stage("more", 50.0, &every, Approval::Manual),
            stage("all", 100.0, &[Gate::Parity, Gate::Data], Approval::Automatic),
        ],
        thresholds: Thresholds {
            alpha_pass: 0.05,
            alpha_fail: 0.01,
            mismatch_rate: 0.001,
            coverage: 0.95,
            errors_margin: 0.5,
            errors_absolute: 0.005,
            errors_ratio: 1.25,
            latency_gain: 0.05,
            latency_loss: 0.05,
            latency_samples: 10_000,
            tail_margin: 1.4,
            quality_margin: 1.5,
            min_samples: 200,
        },
        timing: Timing {
            tick: TICK,
            apply: 180_000,
            settle: 30_000,
            blind: 600_000,
            confirm: 120_000,
            cool_down: 1_800_000,
            lease: 1_800_000,
        },
        blind: Blind::Hold,
    }
}

/// What is wrong with a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Errors,
    Slow,
    Lost,
    Crossed,
    Altered,
    Severe,
    Broken,
    Blind,
    Behind,
    Faulty,
}

const WRONG: [Wrong; 11] = [
    Wrong::Nothing,
    Wrong::Errors,
    Wrong::Slow,
    Wrong::Lost,
    Wrong::Crossed,
    Wrong::Altered,
    Wrong::Severe,
    Wrong::Broken,
    Wrong::Blind,
    Wrong::Behind,
    Wrong::Faulty,
];

fn arm(requests: u64, errors: u64, seconds: f64, faults: u64) -> Arm {
    let mut first = vec![0; BUCKETS];
    let (low, high) = (seconds * 0.9, seconds * 1.1);
    let bucket = |seconds: f64| ((seconds / 0.05).log2() * 4.0).ceil().max(0.0) as usize;
    first[bucket(low)] += requests / 2;
    first[bucket(high)] += requests - requests / 2;
    let parts = REPLICATES as u64;
    let replicates = (0..parts).map(|at| {
        let part = |all: u64| all / parts + u64::from(at < all % parts);
        let requests = part(requests);
        let mean = (low.ln() + high.ln()) / 2.0 + 1e6_f64.ln();
        let log_sum = (requests as f64 * 1000.0 * mean).round() as u64;
        Replicate { requests, errors: part(errors), firsts: requests, log_sum }
    });
    let replicates = replicates.collect();
    Arm { replicates, first, faults: [faults, 0, 0, 0, 0] }
}

fn look(state: &State, wrong: Wrong) -> Observations {
    let desired = state.desired;
    let all = 2000_u64;
    let share = if desired.is_exposed() { desired.share.percent() / 100.0 } else { 0.0 };
    let canary = (all as f64 * share) as u64;
    let control = all - canary;
    let is = |what| wrong == what;
    let seconds = if is(Wrong::Slow) { 3.0 } else { 0.8 };
    let errors = if is(Wrong::Errors) { canary / 5 } else { canary / 100 };
    let faulty = if is(Wrong::Faulty) { canary / 5 } else { canary / 100 };
    let hop = Hop {
        canary: Side { requests: canary, errors, answered: canary, first_byte_sum: 0 },
        control: Side { requests: control, errors: 0, answered: control, first_byte_sum: 0 },
        joined: all,
        ..Hop::default()
    };
    let bridge = Hop {
        mode_mismatches: u64::from(is(Wrong::Lost)),
        contamination: u64::from(is(Wrong::Crossed)),
        ..hop
    };
    let runtime = Hop { ack_altered: u64::from(is(Wrong::Altered)), ..hop };
    let signal = Signal {
        verdict: SignalVerdict::Severe,
        source: "reviewer".to_owned(),
        reason: "bad".to_owned(),
        evidence: None,
        expires: None,
    };
    let generation = match is(Wrong::Behind) {
        true => desired.generation - 1,
        false => desired.generation,
    };
    let breaker = is(Wrong::Broken).then_some(Breaker::Mismatch);
    let instance =
        Instance { name: "self".to_owned(), up: true, generation, breaker, overridden: false };
    Observations {
        canary: arm(canary, errors, seconds, faulty),
        control: arm(control, control / 100, 1.0, control / 100),
        hops: [hop, bridge, runtime],
        fast_left: canary,
        instances: vec![instance],
        age: if is(Wrong::Blind) { None } else { Some(0) },
        signals: if is(Wrong::Severe) { vec![signal] } else { Vec::new() },
        exemplars: Vec::new(),
    }
}

/// A rollout with a document that is written as it is desired.
struct World {
    plan: Plan,
    state: State,
    at: Millis,
    inputs: Vec<Input>,
}

impl World {
    fn started() -> World {
        let plan = plan();
        let state = State::new(&plan, 0, 0);
        let mut world = World { plan, state, at: 0, inputs: Vec::new() };
        let decision = world.order(Verb::Start);
        assert_eq!(decision.refused, []);
        world
    }

    fn step(&mut self, look: Option<Observations>, commands: Vec<Command>) -> Decision {
        let document = Some(self.state.desired).filter(|_| self.state.phase != Phase::Draft);
        let input = Input { at: self.at, look, commands, document, kill_file: false };
        self.inputs.push(input.clone());
        let decision = decide(&self.plan, &self.state, &input);
        self.state = decision.state.clone();
        decision
    }

    fn order(&mut self, verb: Verb) -> Decision {
        let command = Command { verb, actor: "ann".to_owned(), reason: "a test".to_owned() };
        self.step(None, vec![command])
    }

    fn tick(&mut self, wrong: Wrong) -> Decision {
        self.at += TICK;
        let look = look(&self.state, wrong);
        self.step(Some(look), Vec::new())
    }

    fn until(&mut self, phase: Phase, stage: usize) {
        for _ in 0..200 {
            if (self.state.phase, self.state.stage) == (phase, stage) {
                return;
            }
            self.tick(Wrong::Nothing);
        }
        panic!("it stays {:?} at {}: {:?}", self.state.phase, self.state.stage, self.state.held);
    }
}

#[test]
fn clean_traffic_reaches_everybody_and_waits_where_a_human_is_asked() {
    let mut world = World::started();
    world.until(Phase::AwaitingApproval, 2);
    assert_eq!(world.order(Verb::Approve).refused, []);
    world.until(Phase::Done, 4);
    assert_eq!(world.state.desired.share.percent(), 100.0);
    assert!(world.state.incident.is_none());
}

#[test]
fn each_fault_is_rolled_back_for_what_it_is() {
    let cases = [
        (Wrong::Errors, Trigger::Errors),
        (Wrong::Slow, Trigger::Latency),
        (Wrong::Lost, Trigger::Mismatch),
        (Wrong::Crossed, Trigger::Contamination),
        (Wrong::Altered, Trigger::Divergence),
        (Wrong::Severe, Trigger::Severe),
        (Wrong::Broken, Trigger::Mismatch),
        (Wrong::Faulty, Trigger::Quality),
    ];
    for (wrong, trigger) in cases {
        let mut world = World::started();
        world.until(Phase::Observing, 1);
        let mut looks = 0;
        while world.state.phase != Phase::RollingBack {
            looks += 1;
            assert!(looks < 20, "{wrong:?}: {:?}", world.state.phase);
            world.tick(wrong);
        }
        let rollback = world.state.rollback.unwrap();
        assert_eq!((rollback.trigger, rollback.hard), (trigger, false), "{wrong:?}");
        assert_eq!(world.state.desired.share, Share::NONE);
        let flags = world.state.desired.flags;
        assert_eq!((flags.contract, flags.runtime, flags.kill), (true, false, false));
        world.tick(Wrong::Nothing);
        let decision = world.tick(Wrong::Nothing);
        assert_eq!(world.state.phase, Phase::RolledBack, "{wrong:?}");
        let incident = decision.incident.unwrap();
        assert_eq!((incident.trigger, incident.safe), (trigger, Some(world.at)));
        assert_eq!(incident.stage, "canary");
    }
}

#[test]
fn what_cannot_be_confirmed_becomes_hard_and_then_fails_until_it_is() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    world.order(Verb::Rollback { hard: false });
    assert!(!world.state.desired.flags.kill);
    for _ in 0..8 {
        world.tick(Wrong::Behind);
    }
    assert!(world.state.desired.flags.kill && world.state.rollback.unwrap().hard);
    for _ in 0..8 {
        world.tick(Wrong::Behind);
    }
    assert_eq!(world.state.phase, Phase::Failed);
    // A soft one does not lift the hard one.
    world.order(Verb::Rollback { hard: false });
    assert!(world.state.desired.flags.kill);
    world.tick(Wrong::Nothing);
    world.tick(Wrong::Nothing);
    assert_eq!(world.state.phase, Phase::RolledBack);
}

#[test]
fn mismatches_that_go_on_after_a_soft_rollback_make_it_hard() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    world.tick(Wrong::Lost);
    // Requests still leave in fast mode, so it is not over.
    for _ in 0..3 {
        world.at += TICK;
        let mut look = look(&world.state, Wrong::Lost);
        look.fast_left = 1;
        world.step(Some(look), Vec::new());
    }
    assert!(world.state.desired.flags.kill);
}

#[test]
fn it_starts_again_only_after_its_cool_down_and_from_the_stage_before() {
    let mut world = World::started();
    world.until(Phase::Observing, 2);
    world.order(Verb::Rollback { hard: true });
    world.tick(Wrong::Nothing);
    world.tick(Wrong::Nothing);
    assert_eq!(world.order(Verb::Start).refused.len(), 1);
    world.at += world.plan.timing.cool_down;
    assert_eq!(world.order(Verb::Start).refused, []);
    assert_eq!((world.state.phase, world.state.stage), (Phase::Applying, 1));
    assert!(!world.state.desired.flags.kill);
}

#[test]
fn laggards_blindness_and_other_hands_hold_it() {
    let mut world = World::started();
    for _ in 0..12 {
        world.tick(Wrong::Behind);
    }
    assert_eq!(world.state.held, Some(Hold::Skew { laggards: vec!["self".to_owned()] }));
    assert_eq!(world.order(Verb::Resume).refused, []);
    world.until(Phase::Observing, 1);
    for _ in 0..41 {
        world.tick(Wrong::Blind);
    }
    assert_eq!(world.state.held, Some(Hold::Blind));
    world.order(Verb::Resume);
    let other = Desired { generation: 90, share: Share::NONE, ..world.state.desired };
    let input = Input { at: world.at, document: Some(other), ..Input::default() };
    let decision = decide(&world.plan, &world.state, &input);
    assert_eq!(decision.state.held, Some(Hold::ExternalChange));
    assert_eq!(decision.state.desired.generation, 90);
}

#[test]
fn no_traffic_is_no_failure_and_no_pass() {
    let mut world = World::started();
    world.until(Phase::Observing, 1);
    for _ in 0..110 {
        world.at += TICK;
        let mut look = look(&world.state, Wrong::Nothing);
        (look.canary, look.control) = (arm(0, 0, 1.0, 0), arm(0, 0, 1.0, 0));
        look.hops = Default::default();
        let decision = world.step(Some(look), Vec::new());
        assert!(
            decision.gates.iter().all(|gate| {
                gate.gate == Gate::Data || gate.verdict == GateVerdict::Inconclusive
            })
        );
    }
    assert_eq!(world.state.held, Some(Hold::Inconclusive));
    assert_eq!(world.state.stage, 1);
}

#[test]
fn the_kill_file_is_a_hard_rollback_in_every_phase() {
    let mut world = World::started();
    for stage in [0, 1] {
        world.until(Phase::Observing, stage);
        let input = Input { at: world.at, kill_file: true, ..Input::default() };
        let decision = decide(&world.plan, &world.state, &input);
        assert!(decision.state.desired.flags.kill);
        assert_eq!(decision.incident.unwrap().trigger, Trigger::KillFile);
    }
}

fn verb() -> impl Strategy<Value = Option<Verb>> {
    prop_oneof![
        12 => Just(None),
        1 => Just(Some(Verb::Start)),
        1 => Just(Some(Verb::Hold)),
        1 => Just(Some(Verb::Resume)),
        1 => Just(Some(Verb::Approve)),
        1 => Just(Some(Verb::Advance)),
        1 => any::<bool>().prop_map(|hard| Some(Verb::Rollback { hard })),
        1 => Just(Some(Verb::Abort)),
    ]
}

fn course() -> impl Strategy<Value = Vec<(u8, Option<Verb>, u64)>> {
    let wrong = prop_oneof![30 => Just(0_u8), 1 => 1..WRONG.len() as u8];
    let passes = prop_oneof![20 => Just(TICK), 1 => Just(2_000_000)];
    prop::collection::vec((wrong, verb(), passes), 1..160)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Only passed gates or a human let a stage end; the share never rises but by a new stage's; what
    /// fails takes exposure away in the same step; generations never fall; and what was decided once
    /// is decided again from what was written down, bit for bit.
    #[test]
    fn invariants_and_replay(course in course()) {
        let plan = plan();
        let mut state = State::new(&plan, 0, 0);
        let mut at = 0;
        let mut written = Vec::new();
        for (wrong, verb, passes) in course {
            at += passes;
            let wrong = WRONG[usize::from(wrong)];
            let seen = (state.phase != Phase::Draft).then(|| look(&state, wrong));
            let command = |verb| Command { verb, actor: "ann".to_owned(), reason: "x".to_owned() };
            let input = Input {
                at,
                look: seen,
                commands: verb.map(command).into_iter().collect(),
                document: Some(state.desired).filter(|_| state.phase != Phase::Draft),
                kill_file: false,
            };
            let before = state.clone();
            let decision = decide(&plan, &state, &input);
            state = decision.state.clone();
            prop_assert!(state.desired.generation >= before.desired.generation);
            let ordered = matches!(
                verb,
                Some(Verb::Advance | Verb::Approve | Verb::Start | Verb::Resume)
            ) && decision.refused.is_empty();
            if state.stage > before.stage && !ordered {
                prop_assert!(decision.gates.iter().all(|gate| gate.verdict == GateVerdict::Pass));
                prop_assert_eq!(decision.gates.len(), plan.stages[before.stage].gates.len());
            }
            if state.desired.share > before.desired.share {
                prop_assert_eq!(state.phase, Phase::Applying);
                prop_assert!(ordered || state.stage == before.stage + 1);
            }
            let failed = decision.gates.iter().any(|gate| gate.verdict == GateVerdict::Fail);
            let fires = matches!(
                wrong,
                Wrong::Lost | Wrong::Crossed | Wrong::Altered | Wrong::Severe | Wrong::Broken
            ) && before.phase != Phase::Draft;
            if failed || fires {
                prop_assert!(!state.desired.is_exposed() || state.desired.share == Share::NONE,
                    "{:?} {:?}", state.phase, state.desired);
            }
            let resting = matches!(
                state.phase,
                Phase::RollingBack | Phase::RolledBack | Phase::Failed
            );
            prop_assert!(!resting || state.desired.share == Share::NONE);
            prop_assert!(!resting || !state.desired.flags.runtime);
            let line = serde_json::to_string(&(&input, &decision)).unwrap();
            written.push((before, line));
        }
        let mut again = State::new(&plan, 0, 0);
        for (before, line) in written {
            prop_assert_eq!(&again, &before);
            let kept: serde_json::Value = serde_json::from_str(&line).unwrap();
            let input: Input = serde_json::from_value(kept[0].clone()).unwrap();
            let state = serde_json::to_string(&again).unwrap();
            again = serde_json::from_str(&state).unwrap();
            let decision = decide(&plan, &again, &input);
            prop_assert_eq!(serde_json::to_string(&(&input, &decision)).unwrap(), line);
            again = decision.state;
        }
    }

    /// Deciding, writing down the state and writing the document are three steps; wherever the process
    /// ends between them, the document comes to say what it would have said.
    #[test]
    fn a_crash_between_any_two_steps_converges(crashes in prop::collection::vec(0..4_u8, 60)) {
        let plan = plan();
        let run = |crashes: &[u8]| {
            let mut stored = State::new(&plan, 0, 0);
            let mut document: Option<Desired> = None;
            let mut at = 0;
            let mut began_again = false;
            for crash in crashes {
                at += TICK;
                // What a restart does first: the document is made to say what is stored.
                if began_again && stored.phase != Phase::Draft {
                    document = Some(stored.desired);
                }
                began_again = *crash > 0;
                let first = stored.phase == Phase::Draft;
                let start = Command { verb: Verb::Start, actor: "ann".to_owned(), reason: "x".to_owned() };
                let mut seen = look(&stored, Wrong::Nothing);
                seen.instances[0].generation = document.map_or(0, |document| document.generation);
                let input = Input {
                    at,
                    look: Some(seen),
                    commands: if first { vec![start] } else { Vec::new() },
                    document,
                    kill_file: false,
                };
                let decision = decide(&plan, &stored, &input);
                // 1: before anything was stored; 2: before the document was written; 3: while it was,
                // which a rename makes all or nothing.
                if *crash == 1 {
                    continue;
                }
                stored = decision.state;
                let is_written = document.is_some_and(|document| {
                    document.generation >= stored.desired.generation
                });
                if *crash < 2 && stored.phase != Phase::Draft && !is_written {
                    document = Some(stored.desired);
                }
            }
            // What a restart does first: the document is made to say what is stored.
            if stored.phase != Phase::Draft {
                document = Some(stored.desired);
            }
            (stored, document)
        };
        let mut course = crashes.clone();
        course.extend([0; 60]);
        let (state, document) = run(&course);
        prop_assert!(state.stage >= 1, "{:?} {:?}", state.phase, state.held);
        prop_assert_eq!(document.unwrap().share, state.desired.share);
        let is_skew = matches!(state.held, Some(Hold::Skew { .. }));
        prop_assert!(state.held.is_none() || is_skew);
    }
}
