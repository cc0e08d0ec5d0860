//! What the control is like: its base rates before anybody is exposed, and how much its users differ.
//!
//! Base rates are frozen when the first exposed stage begins to be observed, and enough was seen: what
//! is tested does not move (rollout facts, section 2.2). How much users differ is told by all of the
//! control, up to now: the effect of clusters grows with the requests that a user makes, so that it
//! must be counted over a time no shorter than the one that is judged by it. Of 2,000 made-up rollouts
//! of 60 looks of 1,000 requests whose users differ (correlation 0.2), the errors of 7.2 % were called
//! harm for nothing with the effect of the 1,000 requests before, of 3.3 % with 10,000; told up to now,
//! of 1.0 %, and with the bound that is used here of 0.4 %.

use serde::{Deserialize, Serialize};

use super::counts::{design_effect, margin};
use super::latency::{Latencies, cluster_effect};
use super::observe::{Arm, REPLICATES};
use super::plan::Thresholds;
use super::totals::add_arm;

/// An effect that twenty replicates tell is uncertain: 19 times it over the truth is about χ² with 19
/// degrees of freedom. Its upper bound at 80 %, 19 over the quantile 13.716.
const BOUND: f64 = 1.385;
/// And at 95 %, 19 over 10.117: what is gone by while too little was seen.
const CAREFUL_BOUND: f64 = 1.878;
/// Fewer errors than two in each replicate tell no effect of their own.
const FEW_ERRORS: u64 = 2 * REPLICATES as u64;
/// So many first events tell what is slow, while nothing is frozen.
const LEAST_FIRSTS: u64 = 200;

/// What the control was like before anybody was exposed, frozen for the rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// The margins of errors, of slow answers and of faulty ones, as ratios.
    pub margins: [f64; 3],
    /// What is above this bucket's edge is slow: the 95th percentile, snapped up.
    pub slow_above: usize,
}

/// How much more counts vary than if each request were a user of its own: what they are divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effects {
    /// Of errors.
    pub errors: f64,
    /// Of slow answers.
    pub tail: f64,
    /// Of faulty answers, which are not counted by replicate: the larger of the others.
    pub quality: f64,
}

/// The control, from the start up to now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    control: Arm,
    latencies: Latencies,
    /// What it was like before anybody was exposed.
    pub frozen: Option<Frozen>,
}

impl Baseline {
    /// Takes what a look saw of the control in.
    pub fn add(&mut self, control: &Arm) {
        add_arm(&mut self.control, control);
        self.latencies.add(control);
    }

    /// Eligible requests so far.
    pub fn requests(&self) -> u64 {
        self.control.requests()
    }

    /// Freezes the base rates, once there is enough.
    pub fn freeze(&mut self, go_by: &Thresholds) {
        if self.frozen.is_none() && self.is_enough(go_by) {
            self.frozen = self.rates(go_by);
        }
    }

    fn is_enough(&self, go_by: &Thresholds) -> bool {
        self.requests() >= go_by.baseline.max(1)
    }

    fn rates(&self, go_by: &Thresholds) -> Option<Frozen> {
        let rate = |events: u64| events as f64 / self.requests() as f64;
        let absolute = go_by.errors_absolute;
        let errors = margin(rate(self.control.errors()), go_by.errors_margin, absolute);
        let faults = rate(self.control.faulty());
        let quality = margin(faults, go_by.quality_margin - 1.0, absolute);
        Some(Frozen {
            margins: [errors, go_by.tail_margin, quality],
            slow_above: self.latencies.quantile_edge(0.95)?,
        })
    }

    /// What is above this bucket's edge is slow: as frozen, before that as seen so far. What was seen
    /// before a look may be what it is judged by, as long as both of its arms are.
    pub fn slow_above(&self) -> Option<usize> {
        match &self.frozen {
            Some(frozen) => Some(frozen.slow_above),
            None if self.latencies.count() < LEAST_FIRSTS => None,
            None => self.latencies.quantile_edge(0.95),
        }
    }

    /// What counts are divided by. However it is told, and whenever, it makes no false alarm of
    /// independent requests: see [`super::counts`].
    pub fn effects(&self, go_by: &Thresholds) -> Effects {
        let bound = if self.is_enough(go_by) { BOUND } else { CAREFUL_BOUND };
        let tail = bound * cluster_effect(&self.latencies);
        let own = bound * design_effect(&self.control.replicates);
        let errors = if self.control.errors() < FEW_ERRORS { own.max(tail) } else { own };
        Effects { errors, tail, quality: errors.max(tail) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::observe::Replicate;

    fn arm(errors: u64, requests: u64) -> Arm {
        let part = Replicate { requests, errors, firsts: 0, log_sum: 0 };
        Arm { replicates: vec![part; REPLICATES], ..Arm::default() }
    }

    #[test]
    fn too_little_is_judged_more_carefully_and_freezes_nothing() {
        let go_by = Thresholds { baseline: 4_000, ..Thresholds::default() };
        let mut baseline = Baseline::default();
        assert_eq!((baseline.slow_above(), baseline.requests()), (None, 0));
        assert!((baseline.effects(&go_by).errors - CAREFUL_BOUND).abs() < 1e-12);
        let mut first = Arm { first: vec![0, 0, 300], ..arm(2, 199) };
        first.replicates.iter_mut().for_each(|part| part.firsts = 15);
        baseline.add(&first);
        baseline.freeze(&go_by);
        assert_eq!((baseline.slow_above(), &baseline.frozen), (Some(2), &None));
        assert!((baseline.effects(&go_by).tail - CAREFUL_BOUND).abs() < 1e-12);
        baseline.add(&arm(0, 1));
        baseline.freeze(&go_by);
        assert!((baseline.effects(&go_by).errors - BOUND).abs() < 1e-12);
        let frozen = baseline.frozen.clone().unwrap();
        assert!((frozen.margins[0] - 1.5).abs() < 1e-12 && frozen.slow_above == 2);
        // What comes later tells how users differ, and no base rate.
        let mut uneven = arm(0, 100);
        uneven.replicates[0].errors = 100;
        baseline.add(&uneven);
        baseline.freeze(&go_by);
        assert_eq!(baseline.frozen, Some(frozen));
        assert!(baseline.effects(&go_by).errors > 10.0);
    }
}
