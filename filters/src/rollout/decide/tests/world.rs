//! A plan, what its looks see when nothing or something is wrong, and a rollout of it whose document
//! is written as it is desired.

use super::super::*;
use crate::bucket::Share;
use crate::decide::Flags;
use crate::rollout::observe::{
    Arm, BUCKETS, Breaker, Hop, Instance, REPLICATES, Replicate, Side, Signal, SignalVerdict,
};
use crate::rollout::plan::{Approval, Blind, Gate, Stage, Step, Thresholds, Timing};
use crate::rollout::state::Phase;

pub const TICK: Millis = 15_000;

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

pub fn plan() -> Plan {
    let every = Gate::ALL;
    Plan {
        id: "test".to_owned(),
        stages: vec![
            stage("observe", 0.0, &[Gate::Parity, Gate::Data], Approval::Automatic),
            stage("canary", 50.0, &every, Approval::Automatic),
            stage("more", 50.0, &every, Approval::Manual),
            stage("all", 100.0, &[Gate::Parity, Gate::Data], Approval::Automatic),
        ],
        thresholds: Thresholds { baseline: 2_000, ..Thresholds::default() },
        timing: Timing { tick: TICK, ..Timing::default() },
        blind: Blind::Hold,
    }
}

/// What is wrong with a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
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

pub const WRONG: [Wrong; 11] = [
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

pub fn arm(requests: u64, errors: u64, seconds: f64, faults: u64) -> Arm {
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

pub fn look(state: &State, wrong: Wrong) -> Observations {
    let desired = state.desired;
    // Its errors are even over the replicates.
    let all = 4000_u64;
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
pub struct World {
    pub plan: Plan,
    pub state: State,
    pub at: Millis,
    pub inputs: Vec<Input>,
}

impl World {
    pub fn started() -> World {
        let plan = plan();
        let state = State::new(&plan, 0, 0);
        let mut world = World { plan, state, at: 0, inputs: Vec::new() };
        let decision = world.order(Verb::Start);
        assert_eq!(decision.refused, []);
        world
    }

    pub fn step(&mut self, look: Option<Observations>, commands: Vec<Command>) -> Decision {
        let document = Some(self.state.desired).filter(|_| self.state.phase != Phase::Draft);
        let input = Input { at: self.at, look, commands, document, ..Input::default() };
        self.inputs.push(input.clone());
        let decision = decide(&self.plan, &self.state, &input);
        self.state = decision.state.clone();
        decision
    }

    pub fn order(&mut self, verb: Verb) -> Decision {
        let command = Command { verb, actor: "ann".to_owned(), reason: "a test".to_owned() };
        self.step(None, vec![command])
    }

    pub fn tick(&mut self, wrong: Wrong) -> Decision {
        self.at += TICK;
        let look = look(&self.state, wrong);
        self.step(Some(look), Vec::new())
    }

    pub fn until(&mut self, phase: Phase, stage: usize) {
        for _ in 0..200 {
            if (self.state.phase, self.state.stage) == (phase, stage) {
                return;
            }
            self.tick(Wrong::Nothing);
        }
        panic!("it stays {:?} at {}: {:?}", self.state.phase, self.state.stage, self.state.held);
    }
}
