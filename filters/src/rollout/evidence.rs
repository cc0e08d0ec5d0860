//! What a stage's gates go by: sums over its looks, and the engines that every look feeds.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::counts::{EProcess, design_effect, margin};
use super::latency::{Latencies, cluster_effect};
use super::observe::{Arm, HOPS, Hop, Observations, REPLICATES, Replicate};
use super::plan::{Millis, Plan};

/// So many control requests tell the base rates.
pub const BASELINE: u64 = 200;
/// The emergency stop looks back so far.
const EMERGENCY_WINDOW: Millis = 120_000;
/// It takes so many canary errors.
const EMERGENCY_ERRORS: u64 = 20;
/// And so many times the control's rate.
const EMERGENCY_RATIO: f64 = 5.0;
/// The canary's median may be so many times the control's.
const SLOW_RATIO: f64 = 2.0;
/// For fewer looks in a row than this.
pub const SLOW_LOOKS: u32 = 3;
/// A look with fewer first events says nothing of the median.
const SLOW_SAMPLES: u64 = 20;

/// Exposures and events of both arms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Of the canary: exposures, events.
    pub canary: (u64, u64),
    /// Of the control.
    pub control: (u64, u64),
}

impl Pair {
    fn add(&mut self, other: Pair) {
        self.canary = (self.canary.0 + other.canary.0, self.canary.1 + other.canary.1);
        self.control = (self.control.0 + other.control.0, self.control.1 + other.control.1);
    }

    /// The rates, `None` of an arm that was not exposed.
    pub fn rates(&self) -> [Option<f64>; 2] {
        [self.canary, self.control].map(|(n, e)| (n > 0).then(|| e as f64 / n as f64))
    }

    /// The canary's rate over the control's.
    pub fn ratio(&self) -> Option<f64> {
        let [canary, control] = self.rates();
        Some(canary? / control.filter(|rate| *rate > 0.0)?)
    }
}

/// What the control was like before anybody was exposed: frozen for the rollout, so that what is
/// tested does not move (rollout facts, section 2.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// The margins of errors, of slow answers and of faulty ones, as ratios.
    pub margins: [f64; 3],
    /// How much more errors vary than if each request were a user of its own.
    pub errors_effect: f64,
    /// The same of first events.
    pub tail_effect: f64,
    /// What is above this bucket's edge is slow: the 95th percentile, snapped up.
    pub slow_above: usize,
}

/// One kind of event in both arms: harm over the whole rollout, the margin over the stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// The events of the stage.
    pub stage: Pair,
    /// Whether the canary has more of them at all.
    pub harm: EProcess,
    /// Whether it has at most the margin's; `None` until the margin is frozen.
    pub pass: Option<EProcess>,
}

impl Default for Counted {
    fn default() -> Counted {
        Counted { stage: Pair::default(), harm: EProcess::harm(), pass: None }
    }
}

impl Counted {
    fn look(&mut self, pair: Pair, margin: f64, effect: f64) {
        self.stage.add(pair);
        let scaled = |(exposures, events): (u64, u64)| (exposures, events as f64 / effect);
        let (canary, control) = (scaled(pair.canary), scaled(pair.control));
        self.harm.look(canary, control);
        self.pass.get_or_insert_with(|| EProcess::pass(margin)).look(canary, control);
    }

    fn next_stage(&mut self) {
        (self.stage, self.pass) = (Pair::default(), None);
    }
}

/// A look of the last two minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Recent {
    at: Millis,
    errors: Pair,
}

/// Everything that the gates go by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The control's counts until they are frozen.
    baseline: Arm,
    /// The control's latencies until they are frozen.
    baseline_latencies: Latencies,
    /// What the control was like.
    pub frozen: Option<Frozen>,
    /// Eligible canary requests of the stage.
    samples: u64,
    /// Critical errors.
    pub errors: Counted,
    /// Slow answers.
    pub tail: Counted,
    /// Faulty answers.
    pub quality: Counted,
    /// The canary's first events of the stage.
    pub canary: Latencies,
    /// The control's.
    pub control: Latencies,
    /// What each leg saw in the stage.
    pub hops: [Hop; HOPS],
    recent: VecDeque<Recent>,
    /// Looks in a row whose canary median was over twice the control's.
    pub slow_looks: u32,
}

impl Evidence {
    /// Takes a look in.
    pub fn absorb(&mut self, plan: &Plan, look: &Observations, at: Millis) {
        for (sum, hop) in self.hops.iter_mut().zip(&look.hops) {
            add_hop(sum, hop);
        }
        if self.frozen.is_none() {
            add_arm(&mut self.baseline, &look.control);
            self.baseline_latencies.add(&look.control);
            self.frozen = self.freeze(plan);
        }
        self.samples += look.canary.requests();
        self.canary.add(&look.canary);
        self.control.add(&look.control);
        self.note_recent(look, at);
        let Some(Frozen { margins, errors_effect, tail_effect, slow_above }) = self.frozen.clone()
        else {
            return;
        };
        let [errors, tail, quality] = margins;
        let pair = |of: fn(&Arm) -> (u64, u64)| Pair {
            canary: of(&look.canary),
            control: of(&look.control),
        };
        self.errors.look(pair(|arm| (arm.requests(), arm.errors())), errors, errors_effect);
        self.quality.look(pair(|arm| (arm.requests(), faults(arm))), quality, errors_effect);
        let slow = |arm: &Arm| {
            (arm.first.iter().sum(), arm.first.iter().skip(slow_above + 1).sum::<u64>())
        };
        let slow = Pair { canary: slow(&look.canary), control: slow(&look.control) };
        self.tail.look(slow, tail, tail_effect);
    }

    /// Eligible canary requests of the stage.
    pub fn canary_seen(&self) -> u64 {
        self.samples
    }

    /// What was seen of the control so far.
    pub fn baseline_requests(&self) -> u64 {
        self.baseline.requests()
    }

    /// Forgets the stage; what harm was seen stays, as products of e-values may, and so
    /// does what the emergency stops look back at.
    pub fn next_stage(&mut self) {
        self.samples = 0;
        self.errors.next_stage();
        self.tail.next_stage();
        self.quality.next_stage();
        self.canary = Latencies::default();
        self.control = Latencies::default();
        self.hops = Default::default();
    }

    /// Moments so much earlier: see [`super::state::State::keep_time`].
    pub(super) fn set_back(&mut self, by: Millis) {
        self.recent.iter_mut().for_each(|recent| recent.at = recent.at.saturating_sub(by));
    }

    /// Whether the canary errs so much that no statistics are needed: over five times the control's
    /// rate, and at least twenty times within two minutes.
    pub fn is_emergency(&self) -> bool {
        let mut sum = Pair::default();
        self.recent.iter().for_each(|recent| sum.add(recent.errors));
        let [canary, control] = sum.rates();
        sum.canary.1 >= EMERGENCY_ERRORS
            && sum.control.0 > 0
            && canary.unwrap_or(0.0) > EMERGENCY_RATIO * control.unwrap_or(0.0)
    }

    fn note_recent(&mut self, look: &Observations, at: Millis) {
        let errors = Pair {
            canary: (look.canary.requests(), look.canary.errors()),
            control: (look.control.requests(), look.control.errors()),
        };
        self.recent.push_back(Recent { at, errors });
        while self.recent.front().is_some_and(|first| first.at + EMERGENCY_WINDOW < at) {
            self.recent.pop_front();
        }
        let [canary, control] = [&look.canary, &look.control].map(|arm| {
            let mut latencies = Latencies::default();
            latencies.add(arm);
            (latencies.count() >= SLOW_SAMPLES).then(|| latencies.median()).flatten()
        });
        if let Some((canary, control)) = canary.zip(control) {
            let slow = canary > SLOW_RATIO * control;
            self.slow_looks = if slow { self.slow_looks + 1 } else { 0 };
        }
    }

    fn freeze(&self, plan: &Plan) -> Option<Frozen> {
        let requests = self.baseline.requests();
        if requests < BASELINE || self.baseline_latencies.count() == 0 {
            return None;
        }
        let rate = |events: u64| events as f64 / requests as f64;
        let go_by = &plan.thresholds;
        let errors =
            margin(rate(self.baseline.errors()), go_by.errors_margin, go_by.errors_absolute);
        let quality =
            margin(rate(faults(&self.baseline)), go_by.quality_margin - 1.0, go_by.errors_absolute);
        Some(Frozen {
            margins: [errors, go_by.tail_margin, quality],
            errors_effect: design_effect(&self.baseline.replicates),
            tail_effect: cluster_effect(&self.baseline_latencies),
            slow_above: self.baseline_latencies.quantile_edge(0.95)?,
        })
    }
}

/// Answers with a fault of any kind.
fn faults(arm: &Arm) -> u64 {
    arm.faults.iter().sum()
}

fn add_arm(sum: &mut Arm, arm: &Arm) {
    sum.replicates.resize(REPLICATES, Replicate::default());
    for (sum, part) in sum.replicates.iter_mut().zip(&arm.replicates) {
        sum.requests += part.requests;
        sum.errors += part.errors;
        sum.firsts += part.firsts;
        sum.log_sum += part.log_sum;
    }
    for (sum, more) in sum.faults.iter_mut().zip(&arm.faults) {
        *sum += more;
    }
}

fn add_hop(sum: &mut Hop, hop: &Hop) {
    for (sum, side) in [(&mut sum.canary, &hop.canary), (&mut sum.control, &hop.control)] {
        sum.requests += side.requests;
        sum.errors += side.errors;
        sum.answered += side.answered;
        sum.first_byte_sum += side.first_byte_sum;
    }
    sum.joined += hop.joined;
    sum.unobserved += hop.unobserved;
    sum.mode_mismatches += hop.mode_mismatches;
    sum.room_mismatches += hop.room_mismatches;
    sum.contamination += hop.contamination;
    sum.ack_altered += hop.ack_altered;
    sum.ack_match += hop.ack_match;
}
