//! The gates that compare the canary with the control.

use super::{GateVerdict, Gates, Observed, Said};
use crate::rollout::baseline::Effects;
use crate::rollout::evidence::{Counted, Evidence, SLOW_LOOKS};
use crate::rollout::latency::interval;
use crate::rollout::plan::{Gate, Stage};

/// So many gates can fail by chance: errors, tail, quality and latency.
const FAILING: f64 = 4.0;

/// Events that are compared.
struct Compared<'a> {
    counted: &'a Counted,
    /// What they are divided by.
    effect: f64,
    /// The point ratio below which harm is not called.
    least: f64,
    what: &'static str,
}

impl Gates<'_> {
    pub(super) fn errors(&self) -> Said {
        if self.evidence().is_emergency() {
            let why = "over five times the control's errors, twenty and more in two minutes";
            return (GateVerdict::Fail, why.to_owned(), Observed::default());
        }
        let Evidence { errors, .. } = self.evidence();
        let least = self.plan.thresholds.errors_ratio;
        let effect = self.effects().errors;
        self.counted(Gate::Errors, &Compared { counted: errors, effect, least, what: "errors" })
    }

    pub(super) fn tail(&self) -> Said {
        let Evidence { tail, .. } = self.evidence();
        let effect = self.effects().tail;
        let what = "slow answers";
        self.counted(Gate::Tail, &Compared { counted: tail, effect, least: 1.0, what })
    }

    pub(super) fn faulty(&self) -> Said {
        let Evidence { quality, .. } = self.evidence();
        let effect = self.effects().quality;
        let what = "faulty answers";
        self.counted(Gate::Quality, &Compared { counted: quality, effect, least: 1.0, what })
    }

    pub(super) fn effects(&self) -> Effects {
        self.evidence().baseline.effects(&self.plan.thresholds)
    }

    /// The error of one failure. One in a hundred rollouts may be rolled back for nothing, and each of
    /// four gates has its part of that. Those that count have it for the whole rollout: their evidence
    /// of harm goes on from stage to stage, and that it ever reaches 1/α has probability α (Ville's
    /// inequality, see [`crate::rollout::counts`]). That of latency begins anew when a stage is applied
    /// and when it begins to be observed, so that each of these has its part of the gate's.
    pub(super) fn alpha_fail(&self, gate: Gate) -> f64 {
        let each = self.plan.thresholds.alpha_fail / FAILING;
        if gate != Gate::Latency {
            return each;
        }
        let judged = |stage: &&Stage| stage.is_exposed() && stage.gates.contains(&gate);
        each / (2 * self.plan.stages.iter().filter(judged).count()).max(1) as f64
    }

    pub(super) fn latency(&self, stage: &Stage) -> Said {
        let go_by = &self.plan.thresholds;
        let Evidence { canary, control, slow_looks, .. } = self.evidence();
        let (samples, needed) = (canary.count(), go_by.min_samples);
        let mut observed = Observed { samples, needed, ..Observed::default() };
        if *slow_looks >= SLOW_LOOKS {
            let why = "the median is over twice the control's for three looks".to_owned();
            return (GateVerdict::Fail, why, observed);
        }
        let at = |alpha| interval(canary, control, alpha, go_by.latency_samples);
        let Some((fail, pass)) = at(self.alpha_fail(Gate::Latency)).zip(at(go_by.alpha_pass))
        else {
            let why = self.lacks(samples, needed, "first events of both cohorts");
            return (GateVerdict::Inconclusive, why, observed);
        };
        // In the first steps it is enough to be no slower.
        let first = |other: &&Stage| other.is_exposed();
        let is_early =
            self.plan.stages.iter().filter(first).take(2).any(|early| early.name == stage.name);
        let most = if is_early { 1.0 } else { 1.0 - go_by.latency_gain };
        observed.ratio = Some(pass.ratio);
        // What is written down is read back: JSON knows no infinity.
        let known = |bound: f64| Some(bound).filter(|bound| bound.is_finite());
        (observed.low, observed.high) = (known(fail.low), known(pass.high));
        observed.threshold = Some(most);
        let ratio = pass.ratio;
        if samples >= needed && fail.low >= 1.0 + go_by.latency_loss {
            let why = format!("{ratio:.3} of the control's first event, over {:.3}", fail.low);
            return (GateVerdict::Fail, why, observed);
        }
        if samples >= needed && pass.high <= most {
            let why = format!("{ratio:.3} of the control's first event, under {:.3}", pass.high);
            return (GateVerdict::Pass, why, observed);
        }
        let why = match samples < needed {
            true => self.lacks(samples, needed, "first events"),
            false => format!(
                "{ratio:.3} of the control's first event, under {:.3}: needs to be under {most:.3}",
                pass.high
            ),
        };
        (GateVerdict::Inconclusive, why, observed)
    }

    fn counted(&self, gate: Gate, compared: &Compared<'_>) -> Said {
        let Compared { counted, effect, least, what } = compared;
        let go_by = &self.plan.thresholds;
        let pair = &counted.stage;
        let [canary, control] = pair.rates();
        let (samples, needed) = (pair.canary.0, go_by.min_samples);
        let observed = Observed {
            samples,
            needed,
            canary,
            control,
            ratio: pair.ratio(),
            log_e: Some(counted.harm.log_e(*effect)),
            threshold: self.margin(gate),
            ..Observed::default()
        };
        let numbers = format!(
            "{} {what} in {} canary requests, {} in {} of the control",
            pair.canary.1, pair.canary.0, pair.control.1, pair.control.0
        );
        let worse = pair.ratio().is_none_or(|ratio| ratio >= *least);
        if counted.harm.rejects(self.alpha_fail(gate), *effect) && worse {
            return (GateVerdict::Fail, numbers, observed);
        }
        match self.not_passed(gate, compared) {
            None => (GateVerdict::Pass, numbers, observed),
            Some(lacks) => (GateVerdict::Inconclusive, format!("{numbers}; {lacks}"), observed),
        }
    }

    /// The ratio that passes, once it is frozen.
    fn margin(&self, gate: Gate) -> Option<f64> {
        let [errors, tail, quality] = self.evidence().baseline.frozen.as_ref()?.margins;
        match gate {
            Gate::Errors => Some(errors),
            Gate::Tail => Some(tail),
            _ => Some(quality),
        }
    }

    /// What counts lack to pass.
    fn not_passed(&self, gate: Gate, compared: &Compared<'_>) -> Option<String> {
        let Compared { counted, effect, .. } = compared;
        let go_by = &self.plan.thresholds;
        let Some(margin) = self.margin(gate) else {
            // No time is told: they have been counted since before the stage.
            let missing = go_by.baseline.saturating_sub(self.evidence().baseline.requests());
            let lacks = format!("needs {missing} more eligible control requests");
            return Some(format!("the control's base rate is not known: {lacks}"));
        };
        let (samples, events) = counted.stage.canary;
        if samples < go_by.min_samples {
            return Some(self.lacks(samples, go_by.min_samples, "eligible canary"));
        }
        // Without any event there is no ratio: none in ln(1/α)/δ rules out more than δ.
        let enough = (-go_by.alpha_pass.ln() / go_by.errors_absolute).ceil();
        let none = events == 0 && samples as f64 >= enough;
        let passes = counted.pass.as_ref();
        let passes = passes.is_some_and(|pass| pass.rejects(go_by.alpha_pass, *effect));
        (!passes && !none).then(|| format!("not yet shown to be under {margin:.2} times"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::observe::Observations;
    use crate::rollout::plan::Plan;
    use crate::rollout::state::State;

    #[test]
    fn four_gates_share_the_error_of_a_failure() {
        let plan = Plan::default_plan("test");
        let (state, look) = (State::new(&plan, 0, 0), Observations::default());
        let gates = Gates { plan: &plan, state: &state, look: &look, at: 0 };
        for gate in [Gate::Errors, Gate::Tail, Gate::Quality] {
            assert!((gates.alpha_fail(gate) - 0.0025).abs() < 1e-12);
        }
        // Six canary stages and the toggle's, each applied and observed.
        assert!((gates.alpha_fail(Gate::Latency) - 0.0025 / 14.0).abs() < 1e-12);
    }
}
