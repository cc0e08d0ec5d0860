//! The gates: what a stage's evidence says of each, in three values. No data is never a failure, and
//! never a pass (rollout facts, section 2.4).

use serde::{Deserialize, Serialize};

use super::evidence::{BASELINE, Counted, Evidence, SLOW_LOOKS};
use super::latency::interval;
use super::observe::{Hop, Observations};
use super::plan::{Gate, Millis, Plan, Stage};
use super::state::State;

/// What a gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// There is evidence that it holds.
    Pass,
    /// There is evidence that it does not.
    Fail,
    /// There is not enough evidence of either.
    Inconclusive,
}

impl GateVerdict {
    /// Every verdict, in the order of the metrics' labels.
    pub const ALL: [GateVerdict; 3] =
        [GateVerdict::Pass, GateVerdict::Fail, GateVerdict::Inconclusive];

    /// The word that commands and metrics use.
    pub fn word(self) -> &'static str {
        match self {
            GateVerdict::Pass => "pass",
            GateVerdict::Fail => "fail",
            GateVerdict::Inconclusive => "inconclusive",
        }
    }
}

/// The numbers that a gate saw; what does not apply to it is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The samples of the canary, or the messages that were checked.
    pub samples: u64,
    /// How many there must be.
    pub needed: u64,
    /// The canary's rate.
    pub canary: Option<f64>,
    /// The control's rate.
    pub control: Option<f64>,
    /// Canary over control.
    pub ratio: Option<f64>,
    /// The ratio is over this, at the error of a failure.
    pub low: Option<f64>,
    /// The ratio is under this, at the error of a pass.
    pub high: Option<f64>,
    /// The logarithm of the evidence for harm; at `threshold` it fails.
    pub log_e: Option<f64>,
    /// What it goes by: the ratio that passes, or the coverage.
    pub threshold: Option<f64>,
}

/// What one gate says, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// The gate.
    pub gate: Gate,
    /// What it says.
    pub verdict: GateVerdict,
    /// Why, in words and numbers; what is needed where it is not enough.
    pub why: String,
    /// The number of the look.
    pub look: u64,
    /// The numbers.
    pub observed: Observed,
}

/// One look at the gates of a stage.
#[derive(Clone, Copy, Debug)]
pub struct Gates<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Where the rollout is, this look taken in.
    pub state: &'a State,
    /// The look.
    pub look: &'a Observations,
    /// Now.
    pub at: Millis,
}

type Said = (GateVerdict, String, Observed);

impl Gates<'_> {
    /// What each of the stage's gates says. Where the data cannot be believed nothing passes.
    pub fn evaluate(&self, stage: &Stage) -> Vec<GateReport> {
        let data = self.data(stage);
        let is_good = data.0 == GateVerdict::Pass;
        let why = data.1.clone();
        let report = |gate| {
            let said = match gate {
                Gate::Data => data.clone(),
                Gate::Parity => self.parity(stage),
                Gate::Errors => self.errors(),
                Gate::Latency => self.latency(stage),
                Gate::Tail => self.tail(),
                Gate::Quality => self.quality(stage),
            };
            let (verdict, said, observed) = said;
            let (verdict, why) = match verdict == GateVerdict::Pass && !is_good {
                true => (GateVerdict::Inconclusive, format!("it would pass, but: {why}")),
                false => (verdict, said),
            };
            GateReport { gate, verdict, why, look: self.state.looks, observed }
        };
        stage.gates.iter().copied().map(report).collect()
    }

    fn evidence(&self) -> &Evidence {
        &self.state.evidence
    }

    /// The error of one failure: one in a hundred rollouts may be rolled back for nothing, and every
    /// gate of every stage has its part of that.
    fn alpha_fail(&self) -> f64 {
        let tests: usize = self.plan.stages.iter().map(|stage| stage.gates.len()).sum();
        self.plan.thresholds.alpha_fail / tests.max(1) as f64
    }

    fn data(&self, stage: &Stage) -> Said {
        let observed = Observed::default();
        let doubt = |why: String| (GateVerdict::Inconclusive, why, observed);
        let late = 2 * self.plan.timing.tick;
        match self.look.age {
            None => return doubt("nothing is seen yet".to_owned()),
            Some(age) if age > late => {
                return doubt(format!("the newest data is {} s old", age / 1000));
            }
            Some(_) => {}
        }
        let up = || self.look.instances.iter().filter(|instance| instance.up);
        let behind = up().find(|instance| instance.generation != self.state.desired.generation);
        if up().next().is_none() {
            return doubt("no instance is up".to_owned());
        }
        if let Some(behind) = behind {
            let (name, has) = (&behind.name, behind.generation);
            return doubt(format!("{name} has document {has}"));
        }
        if let Some(overridden) = up().find(|instance| instance.overridden) {
            let name = &overridden.name;
            return doubt(format!("a flag is held by hand at {name}: this is not the experiment"));
        }
        self.sample_ratio(stage).map_or_else(
            || (GateVerdict::Pass, "fresh, and the same everywhere".to_owned(), observed),
            doubt,
        )
    }

    /// Whether the arms have the sizes that the share gives them.
    fn sample_ratio(&self, stage: &Stage) -> Option<String> {
        let Counted { stage: pair, .. } = &self.evidence().errors;
        let (canary, control) = (pair.canary.0, pair.control.0);
        let n = (canary + control) as f64;
        let share = stage.share.percent() / 100.0;
        let effect = self.evidence().frozen.as_ref().map_or(1.0, |frozen| frozen.tail_effect);
        if !stage.is_exposed() || share >= 1.0 || n < 1.0 {
            return None;
        }
        let found = canary as f64 / n;
        let most = 5.0 * (share * (1.0 - share) * effect / n).sqrt();
        ((found - share).abs() > most).then(|| {
            let (found, share) = (found * 100.0, share * 100.0);
            format!("{found:.2} % of eligible requests are canary, where {share} % should be")
        })
    }

    fn parity(&self, stage: &Stage) -> Said {
        let [_, bridge, runtime] = &self.evidence().hops;
        let go_by = &self.plan.thresholds;
        let (joined, unobserved) = (bridge.joined, bridge.unobserved);
        let samples = match stage.is_exposed() {
            true => bridge.canary.requests.min(joined),
            false => joined,
        };
        // The rule of three at 95 %: none in ln(20)/p rules out more than p.
        let needed = (20_f64.ln() / go_by.mismatch_rate).ceil() as u64;
        let coverage = joined as f64 / (joined + unobserved).max(1) as f64;
        let threshold = Some(go_by.coverage);
        let observed = Observed { samples, needed, threshold, ..Observed::default() };
        let of = |sum: fn(&Hop) -> u64| sum(bridge) + sum(runtime);
        let modes = of(|hop| hop.mode_mismatches);
        let rooms = of(|hop| hop.room_mismatches + hop.contamination);
        if modes + rooms > 0 {
            let why = format!("{modes} mismatches of mode and {rooms} of room in {samples}");
            return (GateVerdict::Fail, why, observed);
        }
        if samples < needed {
            let why =
                format!("no mismatch in {samples}; {}", self.lacks(samples, needed, "checked"));
            return (GateVerdict::Inconclusive, why, observed);
        }
        let percent = coverage * 100.0;
        match coverage < go_by.coverage {
            true => {
                let why = format!("only {percent:.1} % of messages could be joined");
                (GateVerdict::Inconclusive, why, observed)
            }
            false => {
                let why = format!("no mismatch in {samples}, {percent:.1} % joined");
                (GateVerdict::Pass, why, observed)
            }
        }
    }

    fn errors(&self) -> Said {
        if self.evidence().is_emergency() {
            let why = "over five times the control's errors, twenty and more in two minutes";
            return (GateVerdict::Fail, why.to_owned(), Observed::default());
        }
        self.counted(&self.evidence().errors, 0, self.plan.thresholds.errors_ratio, "errors")
    }

    fn tail(&self) -> Said {
        self.counted(&self.evidence().tail, 1, 1.0, "slow answers")
    }

    fn quality(&self, stage: &Stage) -> Said {
        if let Some(signal) = self.look.severe() {
            let why = format!("{} says severe: {}", signal.source, signal.reason);
            return (GateVerdict::Fail, why, Observed::default());
        }
        let said = match stage.is_exposed() && stage.share.percent() < 100.0 {
            true => self.counted(&self.evidence().quality, 2, 1.0, "faulty answers"),
            false => {
                let why = "there is no control to compare with: it needs an attestation".to_owned();
                (GateVerdict::Inconclusive, why, Observed::default())
            }
        };
        let signed = self.state.attestation.as_ref();
        match signed.filter(|signal| signal.expires.is_none_or(|expires| expires > self.at)) {
            Some(signal) if said.0 == GateVerdict::Inconclusive => {
                let why = format!("signed off by {}: {}", signal.source, signal.reason);
                (GateVerdict::Pass, why, said.2)
            }
            _ => said,
        }
    }

    fn latency(&self, stage: &Stage) -> Said {
        let go_by = &self.plan.thresholds;
        let Evidence { canary, control, slow_looks, .. } = self.evidence();
        let (samples, needed) = (canary.count(), go_by.min_samples);
        let mut observed = Observed { samples, needed, ..Observed::default() };
        if *slow_looks >= SLOW_LOOKS {
            let why = "the median is over twice the control's for three looks".to_owned();
            return (GateVerdict::Fail, why, observed);
        }
        let at = |alpha| interval(canary, control, alpha, go_by.latency_samples);
        let Some((fail, pass)) = at(self.alpha_fail()).zip(at(go_by.alpha_pass)) else {
            let why = self.lacks(samples, needed, "first events of both cohorts");
            return (GateVerdict::Inconclusive, why, observed);
        };
        // In the first steps it is enough to be no slower.
        let first = |other: &&Stage| other.is_exposed();
        let is_early =
            self.plan.stages.iter().filter(first).take(2).any(|early| early.name == stage.name);
        let most = if is_early { 1.0 } else { 1.0 - go_by.latency_gain };
        observed.ratio = Some(pass.ratio);
        (observed.low, observed.high) = (Some(fail.low), Some(pass.high));
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

    fn counted(&self, counted: &Counted, margin: usize, least: f64, what: &str) -> Said {
        let go_by = &self.plan.thresholds;
        let Some(frozen) = &self.evidence().frozen else {
            let seen = self.evidence().baseline_requests();
            let why = format!(
                "the control's base rate is not known: {}",
                self.lacks(seen, BASELINE, "eligible control")
            );
            return (GateVerdict::Inconclusive, why, Observed::default());
        };
        let pair = &counted.stage;
        let [canary, control] = pair.rates();
        let (samples, needed) = (pair.canary.0, go_by.min_samples);
        let threshold = frozen.margins.get(margin).copied();
        let observed = Observed {
            samples,
            needed,
            canary,
            control,
            ratio: pair.ratio(),
            log_e: Some(counted.harm.log_e()),
            threshold,
            ..Observed::default()
        };
        let numbers = format!(
            "{} {what} in {} canary requests, {} in {} of the control",
            pair.canary.1, pair.canary.0, pair.control.1, pair.control.0
        );
        let worse = pair.ratio().is_none_or(|ratio| ratio >= least);
        if counted.harm.rejects(self.alpha_fail()) && worse {
            return (GateVerdict::Fail, numbers, observed);
        }
        if samples < needed {
            let lacks = self.lacks(samples, needed, "eligible canary");
            return (GateVerdict::Inconclusive, format!("{numbers}; {lacks}"), observed);
        }
        let passes = counted.pass.as_ref().is_some_and(|pass| pass.rejects(go_by.alpha_pass));
        // Without any event there is no ratio: none in ln(1/α)/δ rules out more than δ.
        let enough = (-go_by.alpha_pass.ln() / go_by.errors_absolute).ceil();
        let none = pair.canary.1 == 0 && samples as f64 >= enough;
        match passes || none {
            true => (GateVerdict::Pass, numbers, observed),
            false => {
                let most = threshold.unwrap_or(1.0);
                let why = format!("{numbers}; not yet shown to be under {most:.2} times");
                (GateVerdict::Inconclusive, why, observed)
            }
        }
    }

    /// How many more are needed, and how long that takes at the rate so far.
    fn lacks(&self, seen: u64, needed: u64, what: &str) -> String {
        let missing = needed.saturating_sub(seen);
        let since = self.state.observing_since.map_or(0, |since| self.at.saturating_sub(since));
        match seen > 0 && since > 0 {
            true => {
                let minutes = (missing as f64 * since as f64 / seen as f64 / 60_000.0).ceil();
                format!("needs {missing} more {what} requests, about {minutes} min at this rate")
            }
            false => format!("needs {missing} more {what} requests"),
        }
    }
}
