//! One step of the machine: looks, orders and phases.

use super::{Command, Decision, Input, Verb};
use crate::bucket::Share;
use crate::decide::Flags;
use crate::rollout::gates::{GateReport, GateVerdict, Gates};
use crate::rollout::incident::{Incident, Trigger};
use crate::rollout::observe::{Instance, Observations, SignalVerdict};
use crate::rollout::plan::{Approval, Millis, Plan, Stage};
use crate::rollout::state::{Desired, Hold, Phase, State};

/// A step in progress.
pub struct Turn<'a> {
    pub(super) plan: &'a Plan,
    pub(super) input: &'a Input,
    pub(super) state: State,
    pub(super) gates: Vec<GateReport>,
    pub(super) notes: Vec<String>,
    pub(super) incident: Option<Incident>,
    refused: Vec<(usize, String)>,
    pub(super) digest: String,
}

impl<'a> Turn<'a> {
    pub(super) fn new(plan: &'a Plan, state: State, input: &'a Input) -> Turn<'a> {
        let (gates, notes, refused) = (Vec::new(), Vec::new(), Vec::new());
        Turn { plan, input, state, gates, notes, incident: None, refused, digest: plan.digest() }
    }

    pub(super) fn finish(self) -> Decision {
        let Turn { state, gates, notes, refused, incident, .. } = self;
        Decision { state, gates, notes, refused, incident }
    }

    pub(super) fn at(&self) -> Millis {
        self.input.at
    }

    /// How long the phase has lasted.
    pub(super) fn lasted(&self) -> Millis {
        self.at().saturating_sub(self.state.entered)
    }

    pub(super) fn stage(&self) -> Option<&'a Stage> {
        self.plan.stages.get(self.state.stage)
    }

    pub(super) fn note(&mut self, what: impl Into<String>) {
        let what = what.into();
        if let Some(incident) = &mut self.state.incident {
            incident.note(self.input.at, what.clone());
            self.incident = Some(incident.clone());
        }
        self.notes.push(what);
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        let (from, to) = (self.state.phase.word(), phase.word());
        (self.state.phase, self.state.entered) = (phase, self.at());
        if phase != Phase::Held {
            self.state.held = None;
        }
        let stage = self.stage().map_or("the end", |stage| stage.name.as_str());
        self.note(format!("{from} -> {to} at {stage}"));
    }

    pub(super) fn hold(&mut self, why: Hold) {
        self.state.held = Some(why);
        self.enter(Phase::Held);
    }

    /// Makes the document say something else, from the next generation on.
    pub(super) fn desire(&mut self, flags: Flags, share: Share) {
        let generation = self.state.desired.generation + 1;
        self.state.desired = Desired { generation, flags, share, lease_until: None };
    }

    pub(super) fn hear(&mut self) {
        for signal in self.input.heard() {
            if signal.verdict == SignalVerdict::Attested {
                self.state.attestation = Some(signal.clone());
                self.note(format!("quality signed off by {}: {}", signal.source, signal.reason));
            }
        }
    }

    pub(super) fn look(&mut self) {
        let Some(look) = &self.input.look else { return };
        self.state.looks += 1;
        let seen = look.age.map(|age| self.at().saturating_sub(age));
        self.state.seen_at = seen.max(self.state.seen_at);
        // Whatever is on its way, what is seen may fail: only what is over, or not begun, is not judged.
        let watches = self.state.phase != Phase::Draft && !self.state.phase.is_back();
        // What Done sees of everybody is the last stage's.
        let at = self.plan.place(self.state.stage);
        if let Some(stage) = self.plan.stages.get(at).filter(|_| watches) {
            let under_way = matches!(self.state.phase, Phase::Applying | Phase::Settling);
            let observed = stage.is_exposed() && !under_way;
            self.state.evidence.absorb(self.plan, look, self.input.at, observed);
            let gates = Gates { plan: self.plan, state: &self.state, look, at: self.input.at };
            self.gates = gates.evaluate(stage);
        }
    }

    pub(super) fn obey(&mut self) {
        for (at, command) in self.input.commands.iter().enumerate() {
            match self.follow(command) {
                Ok(()) => {
                    let Command { actor, reason, .. } = command;
                    self.note(format!("{} by {actor}: {reason}", command.verb.word()));
                }
                Err(why) => self.refused.push((at, why)),
            }
        }
    }

    fn follow(&mut self, command: &Command) -> Result<(), String> {
        let phase = self.state.phase;
        let out_of_place = || Err(format!("it is {}", phase.word()));
        match (command.verb, phase) {
            (Verb::Start, Phase::Draft) => self.begin(0),
            (Verb::Start, Phase::RolledBack) => return self.begin_again(),
            (
                Verb::Hold,
                Phase::Applying | Phase::Settling | Phase::Observing | Phase::AwaitingApproval,
            ) => self.hold(Hold::Ordered),
            (Verb::Resume, Phase::Held) => return self.resume(),
            (Verb::Approve, Phase::AwaitingApproval) => self.next_stage(),
            (Verb::Advance, Phase::Observing | Phase::AwaitingApproval | Phase::Held) => {
                if self.state.held == Some(Hold::ExternalChange) {
                    return Err("the document is somebody else's: resume takes it back".to_owned());
                }
                if self.is_other_plan() {
                    return Err("the plan is another one: resume adopts it".to_owned());
                }
                if self.gates.iter().any(|gate| gate.verdict == GateVerdict::Fail) {
                    return Err("a gate fails".to_owned());
                }
                self.next_stage();
            }
            (Verb::Abort, Phase::Draft | Phase::RolledBack) => return out_of_place(),
            (Verb::Rollback { .. }, Phase::Draft) => return out_of_place(),
            (Verb::Rollback { hard }, _) => self.ordered_back(hard, command),
            (Verb::Abort, _) => self.ordered_back(false, command),
            _ => return out_of_place(),
        }
        Ok(())
    }

    fn begin(&mut self, stage: usize) {
        self.state.stage = stage;
        self.apply();
        self.state.started = self.state.desired.generation;
    }

    fn begin_again(&mut self) -> Result<(), String> {
        let rollback = self.state.rollback;
        let done = rollback.and_then(|rollback| rollback.done).unwrap_or(self.state.entered);
        let until = done.saturating_add(self.plan.timing.cool_down);
        if self.at() < until {
            let seconds = (until - self.at()).div_ceil(1000);
            return Err(format!("it cools down for another {seconds} s"));
        }
        if self.input.kill_file {
            return Err("the kill file is there".to_owned());
        }
        if self.fresh(done).is_some_and(|look| look.fast_left > 0) {
            return Err("requests leave in fast mode".to_owned());
        }
        // From Done it was the last stage that was left.
        let left = rollback.map_or(0, |rollback| rollback.stage);
        let stage = self.plan.place(left).saturating_sub(1);
        // What was evidence of harm then is none of what is tried now; what the control is like stays.
        self.state.evidence = self.state.evidence.begun_again();
        (self.state.rollback, self.state.incident, self.state.attestation) = (None, None, None);
        self.begin(stage);
        Ok(())
    }

    fn resume(&mut self) -> Result<(), String> {
        if self.is_other_plan() {
            self.adopt_plan()?;
        }
        match self.state.held {
            Some(Hold::Failed { .. }) => {
                // It was looked at: what failed then is none of what is tried now.
                self.gates.clear();
                self.begin(self.state.stage);
            }
            Some(Hold::ExternalChange | Hold::PlanChanged | Hold::Skew { .. }) => self.apply(),
            _ if self.state.observing_since.is_none() => self.apply(),
            // The stage has its time again.
            _ => {
                self.state.stage_entered = self.at();
                self.enter(Phase::Observing);
            }
        }
        Ok(())
    }

    /// Sets the stage's flags; what is seen under them counts from anew. Where it was done and somebody
    /// undid it, the last stage has to pass again.
    fn apply(&mut self) {
        self.state.stage = self.plan.place(self.state.stage);
        let Some(stage) = self.stage() else { return };
        self.desire(stage.flags, stage.share);
        self.state.stage_name.clone_from(&stage.name);
        self.state.evidence.next_stage();
        self.state.observing_since = None;
        self.state.stage_entered = self.at();
        self.enter(Phase::Applying);
    }

    fn next_stage(&mut self) {
        self.state.stage += 1;
        match self.stage() {
            Some(_) => self.apply(),
            None => {
                self.state.stage_name.clear();
                self.enter(Phase::Done);
            }
        }
    }

    pub(super) fn proceed(&mut self) {
        match self.state.phase {
            Phase::Applying => self.proceed_applying(),
            Phase::Settling if self.lasted() >= self.plan.timing.settle => {
                // What was seen on the way counts for harm only.
                self.state.evidence.next_stage();
                self.state.observing_since = Some(self.at());
                self.enter(Phase::Observing);
            }
            Phase::Observing | Phase::AwaitingApproval => self.proceed_observing(),
            Phase::RollingBack | Phase::Failed => self.proceed_rolling_back(),
            Phase::RolledBack => self.proceed_rolled_back(),
            _ => {}
        }
    }

    fn proceed_applying(&mut self) {
        let laggards = self.laggards(self.state.entered);
        if laggards.as_ref().is_some_and(Vec::is_empty) {
            self.enter(Phase::Settling);
        } else if self.lasted() >= self.plan.timing.apply {
            self.hold(Hold::Skew { laggards: laggards.unwrap_or_default() });
        }
    }

    fn proceed_observing(&mut self) {
        let Some(stage) = self.stage() else { return };
        let since = self.state.observing_since.unwrap_or(self.state.entered);
        let dwelt = self.at().saturating_sub(since) >= stage.min_dwell;
        let seen = self.state.evidence.canary_seen() >= stage.min_samples;
        let passed = |gate: &GateReport| gate.verdict == GateVerdict::Pass;
        let passes = self.input.look.is_some()
            && self.gates.len() == stage.gates.len()
            && self.gates.iter().all(passed);
        let waits = self.state.phase == Phase::AwaitingApproval;
        match (passes && dwelt && seen, stage.approval, waits) {
            (true, Approval::Automatic, _) => self.next_stage(),
            (true, Approval::Manual, false) => self.enter(Phase::AwaitingApproval),
            (true, Approval::Manual, true) => {}
            // What passed once and does not pass any more is not approved.
            (false, _, true) if self.input.look.is_some() => self.enter(Phase::Observing),
            _ if !waits
                && self.at().saturating_sub(self.state.stage_entered) >= stage.max_dwell =>
            {
                self.hold(Hold::Inconclusive);
            }
            _ => {}
        }
    }

    /// The look, where its data is fresh and newer than what was ordered at `since`.
    pub(super) fn fresh(&self, since: Millis) -> Option<&'a Observations> {
        let (at, late) = (self.at(), self.plan.timing.tick.saturating_mul(2));
        let is_fresh = |age: Millis| age <= late && at.saturating_sub(age) >= since;
        self.input.look.as_ref().filter(|look| look.age.is_some_and(is_fresh))
    }

    /// The instances that are up without the document, as data newer than `since` says; `None` where
    /// none is seen to be up.
    pub(super) fn laggards(&self, since: Millis) -> Option<Vec<String>> {
        let look = self.fresh(since)?;
        let up = || look.instances.iter().filter(|instance| instance.up);
        up().next()?;
        let behind = |instance: &&Instance| instance.generation < self.state.desired.generation;
        Some(up().filter(behind).map(|instance| instance.name.clone()).collect())
    }

    fn ordered_back(&mut self, hard: bool, command: &Command) {
        let why = format!("{} by {}: {}", verb(hard), command.actor, command.reason);
        self.roll_back(hard, Trigger::Operator, why);
    }
}

fn verb(hard: bool) -> &'static str {
    if hard { "hard rollback" } else { "soft rollback" }
}
