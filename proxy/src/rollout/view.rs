//! What `GET /rollout` says of a rollout.

use modegate_filters::rollout::gates::GateVerdict;
use modegate_filters::rollout::plan::{Approval, Millis, Plan, Stage};
use modegate_filters::rollout::state::{Hold, Phase, State};
use serde_json::{Value, json};

use super::controller::{Inner, Open};

/// Where a rollout is, as JSON.
pub fn rollout(plan: &Plan, inner: &Inner, now: Millis) -> Value {
    let Some(open) = &inner.open else {
        return json!({ "rollout": plan.id, "phase": null, "fault": inner.fault });
    };
    let Open { state, gates, instances, .. } = open;
    let at = plan.place(state.stage);
    let stage = plan.stages.get(at);
    let seen = state.seen_at.map(|seen| now.saturating_sub(seen));
    json!({
        "rollout": plan.id,
        "phase": state.phase.word(),
        "since": state.entered,
        "stage": {
            "number": at + 1,
            "of": plan.stages.len(),
            "name": stage.map(|stage| &stage.name),
            "step": stage.map(|stage| stage.step.name()),
            "since": state.stage_entered,
        },
        "percent": state.desired.share.percent(),
        "desired": state.desired,
        "held": state.held,
        "why": why(state),
        "next": next(plan, stage, open, now),
        "gates": gates,
        "instances": instances,
        "looks": state.looks,
        "seen_ms_ago": seen,
        "blind": inner.blind,
        "rollback": state.rollback,
        "attestation": state.attestation,
        "incident": state.incident.as_ref().map(|incident| &incident.id),
        "fault": inner.fault,
    })
}

/// Why it is not going on, where it is not.
fn why(state: &State) -> Option<String> {
    if let Some(held) = &state.held {
        return Some(held_because(held));
    }
    let rollback = state.rollback.as_ref().filter(|_| state.phase.is_back())?;
    let how = if rollback.hard { "hard" } else { "soft" };
    let why = state.incident.as_ref().map(|incident| format!(": {}", incident.why));
    Some(format!("{how} rollback, {}{}", rollback.trigger.word(), why.unwrap_or_default()))
}

fn held_because(held: &Hold) -> String {
    match held {
        Hold::Ordered => "somebody said so".to_owned(),
        Hold::Inconclusive => "the stage's time is over and not all gates passed".to_owned(),
        Hold::Skew { laggards } if laggards.is_empty() => "no instance was seen".to_owned(),
        Hold::Skew { laggards } => format!("without the flags: {}", laggards.join(", ")),
        Hold::Blind => "nothing fresh is seen".to_owned(),
        Hold::ExternalChange => "somebody else wrote the flags document".to_owned(),
        Hold::PlanChanged => "its plan is another one than it followed".to_owned(),
        Hold::Failed { trigger } => format!("{} where nobody is exposed", trigger.word()),
    }
}

/// What it waits for, or what an operator may do.
fn next(plan: &Plan, stage: Option<&Stage>, open: &Open, now: Millis) -> Option<String> {
    let state = &open.state;
    let text = match state.phase {
        Phase::Draft => "start".to_owned(),
        Phase::Applying => "every instance is to have the flags".to_owned(),
        Phase::Settling => "what began under the flags before is ending".to_owned(),
        Phase::Observing => waits(stage?, open, now),
        Phase::AwaitingApproval => "approve".to_owned(),
        Phase::Held => "resume, advance or rollback".to_owned(),
        Phase::RollingBack => {
            "every instance is to have the flags, and two looks to see nothing in fast mode"
                .to_owned()
        }
        Phase::RolledBack => {
            let done = state.rollback.and_then(|rollback| rollback.done).unwrap_or(state.entered);
            let until = done.saturating_add(plan.timing.cool_down);
            match until.saturating_sub(now).div_ceil(1000) {
                0 => "start, from the stage before".to_owned(),
                seconds => format!("start, in {seconds} s"),
            }
        }
        Phase::Failed => {
            "look at the instances that do not follow: it goes on asking them".to_owned()
        }
        Phase::Done => "nothing; its gates are looked at all the same".to_owned(),
    };
    Some(text)
}

fn waits(stage: &Stage, open: &Open, now: Millis) -> String {
    let state = &open.state;
    let since = state.observing_since.unwrap_or(state.entered);
    let dwell = stage.min_dwell.saturating_sub(now.saturating_sub(since)).div_ceil(1000);
    let samples = stage.min_samples.saturating_sub(state.evidence.canary_seen());
    let gates = open.gates.iter().filter(|gate| gate.verdict != GateVerdict::Pass);
    let gates: Vec<&str> = gates.map(|gate| gate.gate.name()).collect();
    let mut waits = Vec::new();
    if dwell > 0 {
        waits.push(format!("{dwell} s more"));
    }
    if samples > 0 {
        waits.push(format!("{samples} more eligible canary requests"));
    }
    if !gates.is_empty() {
        waits.push(format!("gates: {}", gates.join(", ")));
    }
    match (waits.is_empty(), stage.approval) {
        (true, Approval::Manual) => "a human's approval, after the next look".to_owned(),
        (true, Approval::Automatic) => "the next look".to_owned(),
        (false, _) => waits.join("; "),
    }
}
