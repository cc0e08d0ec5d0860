//! What others change: the plan, the flags document, and the time that a document is good for.

use super::turn::Turn;
use crate::decide::Flags;
use crate::rollout::state::{Desired, Hold, Phase};

impl Turn<'_> {
    pub(super) fn is_other_plan(&self) -> bool {
        self.digest != self.state.plan
    }

    /// The plan is another one. Where no stage of it goes on it is adopted; else a human is asked,
    /// while the gates go on by what it says now.
    pub(super) fn notice_plan(&mut self) {
        if !self.is_other_plan() || self.state.held == Some(Hold::PlanChanged) {
            return;
        }
        match self.state.phase {
            Phase::Draft => {}
            Phase::Done => self.state.stage = self.plan.stages.len(),
            phase if phase.is_back() => self.find_stage(),
            _ => return self.hold(Hold::PlanChanged),
        }
        self.state.plan.clone_from(&self.digest);
        self.state.rollout.clone_from(&self.plan.id);
    }

    /// Where a start after the rollback begins: before the stage of the same name, else at the first.
    fn find_stage(&mut self) {
        let name = &self.state.stage_name;
        let at = self.plan.stages.iter().position(|stage| stage.name == *name).unwrap_or(0);
        self.state.stage = at;
        if let Some(rollback) = &mut self.state.rollback {
            rollback.stage = at;
        }
    }

    /// A human says that the other plan is to be followed.
    pub(super) fn adopt_plan(&mut self) -> Result<(), String> {
        let (at, was) = (self.state.stage, &self.state.stage_name);
        let is = self.stage().map_or("", |stage| stage.name.as_str());
        if is != was {
            return Err(format!(
                "stage {at} is {is:?} in this plan and was {was:?}: roll back, then start"
            ));
        }
        self.state.plan.clone_from(&self.digest);
        self.state.rollout.clone_from(&self.plan.id);
        self.state.held = Some(Hold::PlanChanged);
        Ok(())
    }

    /// Somebody else wrote the document. What raises exposure is taken back at once, what lowers it
    /// stands, and a human is asked.
    pub(super) fn notice_document(&mut self) {
        let Some(found) = self.input.document else { return };
        let desired = self.state.desired;
        let is_same = |other: Desired| (found.flags, found.share) == (other.flags, other.share);
        let is_newer = found.generation > desired.generation
            || found.generation == desired.generation && !is_same(desired);
        if !is_newer {
            return;
        }
        self.state.desired.generation = found.generation;
        // A draft goes on from whatever there is.
        if is_same(desired) || self.state.phase == Phase::Draft {
            return;
        }
        let safest = safest(found, desired);
        let is_back = self.state.phase.is_back();
        if is_same(safest) && !is_back {
            self.state.desired = found;
        } else {
            self.desire(safest.flags, safest.share);
            self.note("somebody else wrote the flags document: it is taken back");
        }
        match is_back {
            true => self.doubt(safest.flags.kill && !desired.flags.kill),
            false => self.hold(Hold::ExternalChange),
        }
    }

    /// What was confirmed of a rollback was of another document.
    fn doubt(&mut self, hardened: bool) {
        let at = self.at();
        let was_over = self.state.phase == Phase::RolledBack;
        let Some(rollback) = &mut self.state.rollback else { return };
        rollback.hard |= hardened;
        (rollback.quiet, rollback.quiet_messages) = (0, [0; 2]);
        if hardened || was_over {
            rollback.ordered = at;
        }
        if was_over {
            self.not_over();
            self.enter(Phase::RollingBack);
        }
    }

    /// Sidecars take exposure away by themselves where nobody renews it. Where they have, they may not
    /// take the same generation again.
    pub(super) fn keep_lease(&mut self) {
        let (at, lasts) = (self.at(), self.plan.timing.lease);
        let desired = self.state.desired;
        if !desired.is_exposed() || lasts == 0 {
            self.state.desired.lease_until = None;
            return;
        }
        let written = self.input.document.filter(|found| found.generation == desired.generation);
        let lease = desired.lease_until;
        let mut leases = [lease, written.and_then(|found| found.lease_until)].into_iter().flatten();
        if leases.any(|until| at >= until) {
            self.desire(desired.flags, desired.share);
            let generation = self.state.desired.generation;
            self.note(format!("the lease was over: it is renewed in generation {generation}"));
        } else if lease.is_some_and(|until| until.saturating_sub(at) >= lasts / 2) {
            return;
        }
        self.state.desired.lease_until = Some(at.saturating_add(lasts));
    }
}

/// What exposes nobody whom either does not.
fn safest(found: Desired, desired: Desired) -> Desired {
    let (ours, theirs) = (desired.flags, found.flags);
    let flags = Flags {
        contract: ours.contract && theirs.contract,
        runtime: ours.runtime && theirs.runtime,
        ui: ours.ui && theirs.ui,
        kill: ours.kill || theirs.kill,
        ..theirs
    };
    Desired { flags, share: desired.share.min(found.share), ..found }
}
