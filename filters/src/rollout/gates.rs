//! The gates: what a stage's evidence says of each, in three values. No data is never a failure, and
//! never a pass (rollout facts, section 2.4). What compares the canary with the control is in
//! `compared`.

mod compared;

use serde::{Deserialize, Serialize};

use super::evidence::{Counted, Evidence};
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
        let effect = self.evidence().baseline.effects(&self.plan.thresholds).tail;
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
            let modes = in_words(modes, "mismatch of mode", "mismatches of mode");
            let why = format!("{modes} and {rooms} of room in {samples}");
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

    fn quality(&self, stage: &Stage) -> Said {
        if let Some(signal) = self.look.severe() {
            let why = format!("{} says severe: {}", signal.source, signal.reason);
            return (GateVerdict::Fail, why, Observed::default());
        }
        let said = match stage.is_exposed() && stage.share.percent() < 100.0 {
            true => self.faulty(),
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

/// So many of something.
pub(super) fn in_words(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
