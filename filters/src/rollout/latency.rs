//! Engine B: the ratio of latencies, in an interval that may be looked at as often as one likes.
//!
//! Compared are means of logarithms, so that the ratio is of geometric means. The interval is the
//! one-sided asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
//! "Time-uniform central limit theory and asymptotic confidence sequences" (arXiv 2103.06476), as
//! the rollout facts give it in section 2.3. Sums are in a fixed order: the same looks give the same
//! interval bit for bit.

use serde::{Deserialize, Serialize};

use super::observe::{Arm, BUCKETS, REPLICATES};

/// The logarithm of a bucket's width: edges are 2^(1/4) apart.
const WIDTH: f64 = std::f64::consts::LN_2 / 4.0;
/// The first edge, in seconds.
const FIRST_EDGE: f64 = 0.05;
/// `Replicate::log_sum` counts so many to one.
const MILLI: f64 = 1000.0;
/// In fewer replicates than this, an arm has too few users to tell how they differ.
pub const LEAST_PARTS: usize = 5;

/// First events of one arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// By replicate: how many, and the sum of round(1000 · ln(microseconds)).
    parts: Vec<(u64, u64)>,
    buckets: Vec<u64>,
}

impl Latencies {
    /// Adds what a look saw of the arm.
    pub fn add(&mut self, arm: &Arm) {
        self.parts.resize(REPLICATES, (0, 0));
        self.buckets.resize(BUCKETS, 0);
        for (sum, part) in self.parts.iter_mut().zip(&arm.replicates) {
            *sum = (sum.0 + part.firsts, sum.1 + part.log_sum);
        }
        for (sum, count) in self.buckets.iter_mut().zip(&arm.first) {
            *sum += count;
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.parts.iter().map(|(count, _)| count).sum()
    }

    /// The bucket whose upper edge is the first at or above the quantile.
    pub fn quantile_edge(&self, quantile: f64) -> Option<usize> {
        let all: u64 = self.buckets.iter().sum();
        let wanted = (quantile * all as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        self.buckets.iter().position(|count| {
            below += count;
            below >= wanted
        })
    }

    /// How many are above the upper edge of `bucket`.
    pub fn above(&self, bucket: usize) -> u64 {
        self.buckets.iter().skip(bucket.saturating_add(1)).sum()
    }

    /// The median in seconds, to the bucket's middle.
    pub fn median(&self) -> Option<f64> {
        Some(middle(self.quantile_edge(0.5)?).exp())
    }

    fn mean(&self) -> f64 {
        let sum: u64 = self.parts.iter().map(|(_, sum)| sum).sum();
        sum as f64 / MILLI / self.count() as f64
    }

    /// The variance of the mean where each request is a user of its own: of the buckets' middles, and
    /// within them as if even.
    fn plain_variance(&self) -> f64 {
        let n: f64 = self.buckets.iter().map(|count| *count as f64).sum();
        let weighted = |of: &dyn Fn(f64) -> f64| {
            let each = self.buckets.iter().enumerate();
            each.map(|(at, count)| *count as f64 * of(middle(at))).sum::<f64>()
        };
        let mean = weighted(&|log| log) / n;
        let spread = weighted(&|log| (log - mean).powi(2)) / (n - 1.0);
        (spread + WIDTH.powi(2) / 12.0) / n
    }

    /// The variance of the mean from how the replicates differ, which holds however requests cluster
    /// in users: that of a ratio of sums, which with even counts is Σ(μ_r − μ)²/(R(R − 1)). And how
    /// many replicates have any.
    fn clustered_variance(&self) -> (f64, usize) {
        let (n, mean) = (self.count() as f64, self.mean());
        let seen: Vec<_> = self.parts.iter().filter(|(count, _)| *count > 0).collect();
        let parts = seen.len() as f64;
        let squares =
            seen.iter().map(|(count, sum)| (*sum as f64 / MILLI - mean * *count as f64).powi(2));
        (squares.sum::<f64>() / n.powi(2) * parts / (parts - 1.0), seen.len())
    }

    /// The variance of the mean that is gone by: the larger of the two, the replicates' one so much
    /// larger as its being known from few of them asks for at `deviations` (see [`of_few`]).
    fn variance(&self, deviations: f64) -> Option<f64> {
        if self.count() < 2 {
            return None;
        }
        let (clustered, parts) = self.clustered_variance();
        if parts < LEAST_PARTS {
            return None;
        }
        let widened = clustered * (of_few(deviations, parts) / deviations).powi(2);
        Some(self.plain_variance().max(widened))
    }
}

/// The logarithm of the seconds in the middle of a bucket; the last is as wide as the others.
fn middle(bucket: usize) -> f64 {
    FIRST_EDGE.ln() + (bucket as f64 - 0.5) * WIDTH
}

/// Where the ratio of the canary's first event to the control's is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The ratio of geometric means.
    pub ratio: f64,
    /// It is over this but for an error of alpha.
    pub low: f64,
    /// It is under this but for an error of alpha.
    pub high: f64,
}

/// The interval, tightest where so many samples are expected; `None` with too few of either.
pub fn interval(
    canary: &Latencies,
    control: &Latencies,
    alpha: f64,
    expected: u64,
) -> Option<Interval> {
    if canary.count() < 2 || control.count() < 2 || expected == 0 {
        return None;
    }
    let difference = canary.mean() - control.mean();
    let n = (canary.count() + control.count()) as f64;
    let deviations = half_width(n, n, alpha, expected as f64);
    let variance = canary.variance(deviations)? + control.variance(deviations)?;
    let half = half_width(n, n * variance, alpha, expected as f64);
    let [ratio, low, high] = [0.0, -half, half].map(|by| (difference + by).exp());
    Some(Interval { ratio, low, high })
}

/// The half width for a mean of n observations of this variance: equation 134 with the ρ that makes
/// it tightest at the expected n (equation 161).
pub fn half_width(n: f64, variance: f64, alpha: f64, expected: f64) -> f64 {
    let log = -2.0 * (2.0 * alpha).ln();
    let rho2 = (log + (log + 1.0).ln()) / expected;
    let scaled = n * rho2 + 1.0;
    let factor = 2.0 * scaled / (n * n * rho2) * (1.0 + scaled.sqrt() / (2.0 * alpha)).ln();
    (variance * factor).sqrt()
}

/// How many standard errors are as rarely exceeded as `z` of them, where the error is known from so
/// many replicates only. Twenty tell a variance to a third, and a bound that takes it for the true
/// one errs too often: four standard errors of Student's t with 19 degrees of freedom are exceeded
/// some twelve times as often as of the normal distribution. The expansion of t about the normal
/// quantile (Fisher and Cornish 1960; Abramowitz and Stegun 26.7.5). Of 9,000 simulated rollouts
/// whose users differ, 9 crossed an α of 0.0005 without it, where 4.5 may; with it 1 did.
fn of_few(z: f64, parts: usize) -> f64 {
    let freedom = parts as f64 - 1.0;
    z + (z.powi(3) + z) / (4.0 * freedom)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * freedom.powi(2))
        + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z)
            / (384.0 * freedom.powi(3))
}

/// How much more the mean varies than if each request were a user of its own, at least 1.
pub fn cluster_effect(control: &Latencies) -> f64 {
    if control.count() < 2 {
        return 1.0;
    }
    let (clustered, parts) = control.clustered_variance();
    if parts < LEAST_PARTS { 1.0 } else { (clustered / control.plain_variance()).max(1.0) }
}

#[cfg(test)]
mod tests {
    use super::super::observe::Replicate;
    use super::*;

    /// So many first events of about so long, in one replicate after the other.
    fn arm(seconds: &[f64]) -> Arm {
        let mut arm = Arm {
            replicates: vec![Replicate::default(); REPLICATES],
            first: vec![0; BUCKETS],
            ..Arm::default()
        };
        for (at, seconds) in seconds.iter().enumerate() {
            let part = &mut arm.replicates[at % REPLICATES];
            part.firsts += 1;
            part.log_sum += (1000.0 * (seconds * 1e6).ln()).round() as u64;
            let bucket = ((seconds / FIRST_EDGE).ln() / WIDTH).ceil().max(0.0) as usize;
            arm.first[bucket.min(BUCKETS - 1)] += 1;
        }
        arm
    }

    fn latencies(seconds: &[f64]) -> Latencies {
        let mut latencies = Latencies::default();
        latencies.add(&arm(seconds));
        latencies
    }

    #[test]
    fn quantiles_are_snapped_up_to_an_edge() {
        let all = latencies(&[0.04, 0.055, 0.11, 0.11, 0.11, 0.11, 0.11, 0.11, 0.11, 5.0]);
        assert_eq!(all.quantile_edge(0.1), Some(0));
        assert_eq!(all.quantile_edge(0.5), Some(5));
        assert_eq!(all.quantile_edge(0.95), Some(27));
        assert!((all.median().unwrap() - 0.109).abs() < 0.01);
        assert_eq!(Latencies::default().quantile_edge(0.5), None);
    }

    #[test]
    fn the_ratio_is_of_geometric_means_and_more_samples_say_more() {
        let slow: Vec<f64> = (0..4000).map(|at| 0.8 * (1.0 + f64::from(at % 40) / 40.0)).collect();
        let fast: Vec<f64> = slow.iter().map(|seconds| seconds * 0.8).collect();
        let whole = interval(&latencies(&fast), &latencies(&slow), 0.05, 10_000).unwrap();
        let part = interval(&latencies(&fast[..400]), &latencies(&slow[..400]), 0.05, 10_000);
        let part = part.unwrap();
        assert!((whole.ratio - 0.8).abs() < 0.002 && (part.ratio - 0.8).abs() < 0.002);
        assert!(whole.high < part.high && whole.low > part.low);
        assert!(whole.high < 0.95 && whole.low > 0.7);
        assert_eq!(interval(&latencies(&[1.0]), &latencies(&slow), 0.05, 10_000), None);
    }

    #[test]
    fn a_few_parts_widen_as_students_t_does() {
        // Quantiles of the normal distribution and of t with 19 degrees of freedom, from tables.
        for (z, t) in [(1.644_854, 1.729_133), (2.326_348, 2.539_483), (3.290_527, 3.883_406)] {
            let found = of_few(z, 20);
            assert!((found - t).abs() < 2e-3, "{found} is not {t}");
        }
    }

    #[test]
    fn too_few_replicates_say_nothing() {
        let plenty = latencies(&[1.0; 400]);
        let few = latencies(&[1.0; LEAST_PARTS - 1]);
        assert_eq!(interval(&few, &plenty, 0.05, 10_000), None);
        assert_eq!(interval(&plenty, &few, 0.05, 10_000), None);
        assert!((cluster_effect(&few) - 1.0).abs() < 1e-12);
        assert!(interval(&latencies(&[1.0; LEAST_PARTS]), &plenty, 0.05, 10_000).is_some());
        assert_eq!((plenty.above(17), plenty.above(18), plenty.above(usize::MAX)), (400, 0, 0));
    }

    #[test]
    fn users_who_differ_widen_it() {
        let even: Vec<f64> = (0..4000).map(|at| 0.8 + f64::from(at / 20 % 10) / 10.0).collect();
        // The same durations, each user's all alike.
        let by_user: Vec<f64> = (0..4000).map(|at| 0.8 + f64::from(at % 20 / 2) / 10.0).collect();
        assert!(cluster_effect(&latencies(&even)) < 1.5);
        assert!(cluster_effect(&latencies(&by_user)) > 50.0);
    }
}
