//! What a stage's gates go by: sums over its looks, and the engines that every look feeds.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::counts::EProcess;
use super::emergency::{WINDOW, is_emergency};
use super::latency::Latencies;
use super::observe::{Arm, HOPS, Hop, Observations};
use super::plan::{Millis, Plan};
use super::totals::add_hop;

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
    fn look(&mut self, pair: Pair, margin: Option<f64>) {
        self.stage.add(pair);
        self.harm.look(pair.canary, pair.control);
        if let Some(margin) = margin {
            let pass = self.pass.get_or_insert_with(|| EProcess::pass(margin));
            pass.look(pair.canary, pair.control);
        }
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
    /// What the control is like.
    pub baseline: Baseline,
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
    /// Nothing but what the control is like.
    pub fn begun_again(&self) -> Evidence {
        Evidence { baseline: self.baseline.clone(), ..Evidence::default() }
    }

    /// Takes a look in. Once an exposed stage is observed the base rates are those of before.
    pub fn absorb(&mut self, plan: &Plan, look: &Observations, at: Millis, observed: bool) {
        for (sum, hop) in self.hops.iter_mut().zip(&look.hops) {
            add_hop(sum, hop);
        }
        if observed {
            self.baseline.freeze(&plan.thresholds);
        }
        self.samples += look.canary.requests();
        self.canary.add(&look.canary);
        self.control.add(&look.control);
        self.note_recent(look, at);
        let margins = self.baseline.frozen.as_ref().map(|frozen| frozen.margins);
        let [errors, tail, quality] = margins.map_or([None; 3], |margins| margins.map(Some));
        let pair = |of: fn(&Arm) -> (u64, u64)| Pair {
            canary: of(&look.canary),
            control: of(&look.control),
        };
        self.errors.look(pair(|arm| (arm.requests(), arm.errors())), errors);
        self.quality.look(pair(|arm| (arm.requests(), arm.faulty())), quality);
        if let Some(above) = self.baseline.slow_above() {
            let slow =
                |arm: &Arm| (arm.first.iter().sum(), arm.first.iter().skip(above + 1).sum::<u64>());
            self.tail.look(Pair { canary: slow(&look.canary), control: slow(&look.control) }, tail);
        }
        self.baseline.add(&look.control);
    }

    /// Eligible canary requests of the stage.
    pub fn canary_seen(&self) -> u64 {
        self.samples
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
        is_emergency(sum.canary.into(), sum.control.into())
    }

    fn note_recent(&mut self, look: &Observations, at: Millis) {
        let errors = Pair {
            canary: (look.canary.requests(), look.canary.errors()),
            control: (look.control.requests(), look.control.errors()),
        };
        self.recent.push_back(Recent { at, errors });
        while self.recent.front().is_some_and(|first| first.at + WINDOW < at) {
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
}
