//! What takes exposure away, and how it is seen to be gone.

use super::turn::Turn;
use crate::bucket::Share;
use crate::decide::Flags;
use crate::rollout::attribution::attribute;
use crate::rollout::gates::{GateVerdict, in_words};
use crate::rollout::incident::{Incident, Proof, Severity, Trigger};
use crate::rollout::observe::{HOPS, Hop, Observations};
use crate::rollout::plan::Blind;
use crate::rollout::state::{Desired, Hold, Phase, Rollback};

/// So many looks in a row must see nothing leave in fast mode.
const QUIET: u32 = 2;
/// So many may still see a mismatch once every instance has the flags.
const NOISY: u32 = 2;

impl Turn<'_> {
    /// Rolls back where something fired, in every phase that exposes anybody.
    pub(super) fn protect(&mut self) {
        if self.input.kill_file && !self.state.desired.flags.kill {
            return self.roll_back(true, Trigger::KillFile, "the kill file is there".to_owned());
        }
        if self.state.phase == Phase::Draft || self.state.phase.is_back() {
            return;
        }
        let fired = self.fired();
        match (fired, self.state.desired.is_exposed()) {
            (Some((trigger, why)), true) => self.roll_back(trigger.is_hard(), trigger, why),
            (Some((trigger, why)), false) if self.state.phase != Phase::Held => {
                self.note(format!("{}: {why}", trigger.word()));
                self.hold(Hold::Failed { trigger });
            }
            (None, true) => self.notice_blindness(),
            _ => {}
        }
    }

    /// What fires, the worst first.
    fn fired(&self) -> Option<(Trigger, String)> {
        let look = self.input.look.as_ref();
        let severe = || {
            let signal = self.input.severe()?;
            Some((Trigger::Severe, format!("{} says: {}", signal.source, signal.reason)))
        };
        look.and_then(seen_wrong).or_else(severe).or_else(|| self.broken_or_failed(look?))
    }

    fn broken_or_failed(&self, look: &Observations) -> Option<(Trigger, String)> {
        // A breaker stays open until its instance takes a new generation: one of before the start says
        // nothing of what was started.
        let started = self.state.started;
        let tried = look.instances.iter().filter(|one| one.generation >= started);
        let broken = tried.filter_map(|one| Some((one, one.breaker?))).next();
        if let Some((one, cause)) = broken {
            let why = format!("the breaker of {} is open: {}", one.name, cause.word());
            return Some((Trigger::of_breaker(cause), why));
        }
        let mut failed = self.gates.iter().filter(|gate| gate.verdict == GateVerdict::Fail);
        failed.find_map(|gate| {
            let why = format!("gate {}: {}", gate.gate.name(), gate.why);
            Some((Trigger::of_gate(gate.gate)?, why))
        })
    }

    fn notice_blindness(&mut self) {
        // Nobody had to look before the stage began.
        let since = self.state.seen_at.unwrap_or(0).max(self.state.stage_entered);
        let blind = self.at().saturating_sub(since);
        if blind < self.plan.timing.blind {
            return;
        }
        let why = format!("nothing was seen for {} s", blind / 1000);
        match self.plan.blind {
            Blind::Rollback => self.roll_back(false, Trigger::Blind, why),
            Blind::Hold if matches!(self.state.phase, Phase::Held | Phase::Done) => {}
            Blind::Hold => {
                self.note(why);
                self.hold(Hold::Blind);
            }
        }
    }

    /// Takes exposure away: softly runtime and toggle go off and nobody is in the canary, while the
    /// contract stays; hard everything is removed. What is hard already stays so.
    pub(super) fn roll_back(&mut self, hard: bool, trigger: Trigger, why: String) {
        let before = self.state.desired;
        let was_hard = before.flags.kill;
        let again = self.state.phase.is_back();
        if again && (was_hard || !hard) {
            return self.note(format!("{}: {why}; it is rolled back already", trigger.word()));
        }
        let flags = Flags { runtime: false, ui: false, kill: hard || was_hard, ..before.flags };
        self.desire(flags, Share::NONE);
        let at = self.at();
        let first = self.state.rollback.filter(|_| again);
        let (since, stage) =
            first.map_or((at, self.state.stage), |first| (first.since, first.stage));
        let trigger = first.map_or(trigger, |first| first.trigger);
        self.state.rollback = Some(Rollback {
            hard: flags.kill,
            trigger,
            since,
            ordered: at,
            stage,
            quiet: 0,
            quiet_messages: [0; 2],
            noisy: 0,
            done: None,
        });
        match first {
            None => self.open_incident(trigger, &why, before),
            Some(_) => self.not_over(),
        }
        self.note(format!("{} rollback: {why}", if flags.kill { "hard" } else { "soft" }));
        self.enter(Phase::RollingBack);
    }

    fn open_incident(&mut self, trigger: Trigger, why: &str, before: Desired) {
        let look = self.input.look.clone().unwrap_or_default();
        // The stage's sums say more of a hop than one look.
        let summed = self.state.evidence.hops;
        let hops: [Hop; HOPS] = if shows(&look) { look.hops } else { summed };
        let slow = matches!(trigger, Trigger::Latency | Trigger::Tail | Trigger::Errors);
        let attribution = attribute(trigger, if slow { &summed } else { &hops });
        let at = self.at();
        let mut incident = Incident {
            id: format!("{at}-{}", trigger.word()),
            rollout: self.plan.id.clone(),
            stage: self.stage().map_or_else(|| "done".to_owned(), |stage| stage.name.clone()),
            trigger,
            severity: severity(trigger, &summed),
            why: why.to_owned(),
            opened: at,
            before,
            after: self.state.desired,
            gates: self.gates.clone(),
            hops,
            attribution,
            exemplars: Vec::new(),
            timeline: Vec::new(),
            safe: None,
            proof: None,
        };
        incident.show(&look.exemplars);
        self.state.incident = Some(incident);
    }

    /// Adds requests that show the incident that they were asked for; they change nothing else.
    pub(super) fn show(&mut self) {
        let Some(shown) = &self.input.shown else { return };
        let Some(incident) = &mut self.state.incident else { return };
        if incident.id == shown.incident && !shown.exemplars.is_empty() {
            incident.show(&shown.exemplars);
            self.note(format!("requests that show it: {} found", shown.exemplars.len()));
        }
    }

    /// It is over once every instance has the flags and nothing left in fast mode for two looks. What
    /// cannot be confirmed in time, or goes on all the same, is made hard.
    pub(super) fn proceed_rolling_back(&mut self) {
        let Some(mut rollback) = self.state.rollback else { return };
        let laggards = self.laggards(rollback.ordered);
        let confirmed = laggards.is_some_and(|laggards| laggards.is_empty());
        if let Some(look) = self.fresh(rollback.ordered).filter(|_| confirmed) {
            rollback.see(look, shows(look));
        }
        self.state.rollback = Some(rollback);
        let late = self.at().saturating_sub(rollback.ordered) >= self.plan.timing.confirm;
        if confirmed && rollback.quiet >= QUIET && rollback.noisy <= NOISY {
            let at = self.at();
            rollback.done = Some(at);
            self.state.rollback = Some(rollback);
            if let Some(incident) = &mut self.state.incident {
                incident.safe = Some(at);
                let [messages, errors] = rollback.quiet_messages;
                incident.proof = Some(Proof { looks: rollback.quiet, messages, errors });
            }
            self.note("every instance has the flags, and nothing left in fast mode for two looks");
            return self.enter(Phase::RolledBack);
        }
        let unconfirmed = late && rollback.quiet < QUIET;
        match (unconfirmed || rollback.noisy > NOISY, rollback.hard) {
            (true, false) => {
                let why = match unconfirmed {
                    true => "the soft rollback could not be confirmed in time",
                    false => "mismatches go on after the soft rollback",
                };
                self.roll_back(true, rollback.trigger, why.to_owned());
            }
            (true, true) if unconfirmed && self.state.phase == Phase::RollingBack => {
                self.enter(Phase::Failed);
            }
            _ => {}
        }
    }
}

impl Turn<'_> {
    /// Something leaves in fast mode though nothing did: softly rolled back it becomes hard, and hard
    /// it has failed.
    pub(super) fn proceed_rolled_back(&mut self) {
        let Some(rollback) = self.state.rollback else { return };
        let look = self.fresh(rollback.done.unwrap_or(rollback.ordered));
        let Some(left) = look.map(|look| look.fast_left).filter(|left| *left > 0) else { return };
        let requests = in_words(left, "request", "requests");
        let why = format!("{requests} left in fast mode after the rollback");
        if !rollback.hard {
            return self.roll_back(true, rollback.trigger, why);
        }
        self.not_over();
        self.note(why);
        self.enter(Phase::Failed);
    }

    /// What was seen to be over is to be seen again.
    pub(super) fn not_over(&mut self) {
        if let Some(rollback) = &mut self.state.rollback {
            (rollback.quiet, rollback.quiet_messages, rollback.done) = (0, [0; 2], None);
        }
        if let Some(incident) = &mut self.state.incident {
            (incident.safe, incident.proof) = (None, None);
        }
    }
}

/// How severe it is; that cloud and local differ is as bad as a mismatch where it is more than one
/// answer in a thousand.
fn severity(trigger: Trigger, hops: &[Hop; HOPS]) -> Severity {
    let sum = |of: fn(&Hop) -> u64| hops.iter().map(of).sum::<u64>();
    let altered = sum(|hop| hop.ack_altered);
    let often = 1_000 * altered > altered + sum(|hop| hop.ack_match);
    if trigger == Trigger::Divergence && often { 1 } else { trigger.severity() }
}

/// What of mode and room a look saw go wrong, the worst of it.
fn seen_wrong(look: &Observations) -> Option<(Trigger, String)> {
    let hops = |of: fn(&Hop) -> u64| look.hops.iter().map(of).sum::<u64>();
    let crossed = hops(|hop| hop.contamination);
    if crossed > 0 {
        let (one, many) = ("request or answer", "requests or answers");
        let why = format!("{} of another room", in_words(crossed, one, many));
        return Some((Trigger::Contamination, why));
    }
    let lost = hops(Hop::mismatches);
    if lost > 0 {
        return Some((Trigger::Mismatch, in_words(lost, "mismatch", "mismatches")));
    }
    let altered = hops(|hop| hop.ack_altered);
    (altered > 0).then(|| {
        let answers = in_words(altered, "answer", "answers");
        (Trigger::Divergence, format!("{answers} in another mode than asked for"))
    })
}

/// Whether a look saw mode or room go wrong.
fn shows(look: &Observations) -> bool {
    let wrong = |hop: &Hop| hop.mismatches() + hop.contamination + hop.ack_altered;
    look.hops.iter().map(wrong).sum::<u64>() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_another_mode_are_as_bad_as_they_are_many() {
        let hops = |ack_altered, ack_match| {
            [Hop { ack_altered, ack_match, ..Hop::default() }, Hop::default(), Hop::default()]
        };
        for (altered, matched, expected) in [(1, 0, 1), (1, 998, 1), (1, 999, 2), (3, 9_000, 2)] {
            let said = severity(Trigger::Divergence, &hops(altered, matched));
            assert_eq!(said, expected, "{altered} beside {matched}");
        }
        assert_eq!(severity(Trigger::Errors, &hops(9, 0)), 2);
    }
}
