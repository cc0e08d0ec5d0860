//! What is wrong with a plan: stages that would expose people before anything was seen, show what
//! nobody may use, or never end. Whether the plan fits the machines is not asked here.

use std::collections::BTreeSet;

use crate::bucket::Share;
use crate::rollout::plan::{Approval, Gate, Plan, Stage, Step};

/// The gates that compare the canary with the control.
const COMPARING: [Gate; 3] = [Gate::Errors, Gate::Latency, Gate::Tail];

/// One fault of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The stage, from 0.
    pub stage: usize,
    /// Its key, as the configuration calls it.
    pub key: &'static str,
    /// What stands there.
    pub found: String,
    /// What may stand there.
    pub allowed: String,
}

/// Every fault of a plan, stage by stage; none means that it may be followed.
pub fn faults(plan: &Plan) -> Vec<Fault> {
    let mut found = Found::default();
    if plan.stages.is_empty() {
        found.add("name", "no stage", "at least one stage");
    }
    let mut names = BTreeSet::new();
    for (place, stage) in plan.stages.iter().enumerate() {
        let before = plan.stages.get(..place).unwrap_or_default();
        found.stage = place;
        if stage.name.is_empty() {
            found.add("name", "\"\"", "a name");
        } else if !names.insert(stage.name.as_str()) {
            let name = format!("{:?}, the name of a stage before", stage.name);
            found.add("name", name, "a name that no other stage has");
        }
        order(&mut found, stage, before.last());
        flags(&mut found, stage);
        exposure(&mut found, stage, before);
        end(&mut found, stage);
    }
    found.faults
}

#[derive(Default)]
struct Found {
    stage: usize,
    faults: Vec<Fault>,
}

impl Found {
    fn add(&mut self, key: &'static str, found: impl Into<String>, allowed: impl Into<String>) {
        let (found, allowed) = (found.into(), allowed.into());
        self.faults.push(Fault { stage: self.stage, key, found, allowed });
    }
}

/// Steps come in their order, and the share never falls: less is what a rollback is for.
fn order(found: &mut Found, stage: &Stage, before: Option<&Stage>) {
    let Some(before) = before else { return };
    if stage.step < before.step {
        let step = format!("{:?} after {:?}", stage.step.name(), before.step.name());
        found.add("step", step, format!("{:?} or a later step", before.step.name()));
    }
    if stage.share < before.share {
        let (now, least) = (stage.share.percent(), before.share.percent());
        found.add("percent", format!("{now} after {least}"), format!("{least} to 100"));
    }
}

/// What flags need of each other.
fn flags(found: &mut Found, stage: &Stage) {
    let flags = stage.flags;
    if flags.kill {
        found.add("kill", "true", "false: it is for rollbacks");
    }
    if flags.runtime && !flags.contract {
        found.add("runtime", "true without contract", "true only with contract");
    }
    if flags.ui && !(flags.contract && flags.runtime) {
        found.add("ui", "true without contract and runtime", "true only with contract and runtime");
    }
    if stage.share > Share::NONE && !flags.runtime {
        found.add("percent", format!("{} without runtime", stage.share.percent()), "0");
    }
}

/// Nobody is exposed before the path was watched, and nothing is shown before it was tried.
fn exposure(found: &mut Found, stage: &Stage, before: &[Stage]) {
    let watched = before
        .iter()
        .any(|stage| stage.share == Share::NONE && stage.gates.contains(&Gate::Parity));
    let first = stage.share > Share::NONE && before.iter().all(|stage| stage.share == Share::NONE);
    if first && !watched {
        let percent = format!("{} before any stage watched parity", stage.share.percent());
        found.add("percent", percent, "0 until a stage at 0 has the gate \"parity\"");
    }
    let tried = before.iter().any(|stage| {
        // The data gate alone asks nothing of the canary.
        stage.step == Step::Canary
            && stage.is_exposed()
            && stage.gates.iter().any(|gate| *gate != Gate::Data)
    });
    let may_show = stage.flags.contract && stage.flags.runtime && stage.flags.ui;
    if may_show && !before.iter().any(|stage| stage.flags.ui) && !tried {
        let allowed = "false until a canary stage over 0 percent has a gate other than \"data\"";
        found.add("ui", "true before a canary", allowed);
    }
}

/// A stage can end, and does not end unasked.
fn end(found: &mut Found, stage: &Stage) {
    if stage.max_dwell < stage.min_dwell {
        let dwell = format!("{} ms, under min_dwell", stage.max_dwell);
        found.add("max_dwell", dwell, format!("at least min_dwell, {} ms", stage.min_dwell));
    }
    if stage.min_samples > 0 && stage.share == Share::NONE {
        let samples = format!("{} at 0 percent", stage.min_samples);
        found.add("min_samples", samples, "0 where nobody is canary");
    }
    let everybody = stage.share.percent() >= 100.0;
    let without = if stage.share == Share::NONE { "a canary" } else { "a control" };
    let mut named = BTreeSet::new();
    for gate in &stage.gates {
        let name = gate.name();
        if !named.insert(*gate) {
            found.add("gates", format!("{name:?} twice"), "each gate once");
        } else if COMPARING.contains(gate) && (stage.share == Share::NONE || everybody) {
            let percent = stage.share.percent();
            let gate = format!("{name:?} at {percent} percent, without {without}");
            found.add("gates", gate, "parity, quality or data where one cohort is empty");
        } else if *gate == Gate::Quality && stage.share == Share::NONE {
            let gate = format!("{name:?} at 0 percent, without a canary");
            found.add("gates", gate, "parity or data where nobody is canary");
        }
    }
    if stage.gates.is_empty() && stage.approval == Approval::Automatic && stage.is_exposed() {
        let allowed = "at least one gate, or approval = \"manual\"";
        found.add("gates", "none in an exposed stage that goes on by itself", allowed);
    }
}

#[cfg(test)]
mod tests;
