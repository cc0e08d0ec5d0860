//! Engine A: evidence from counts that may be looked at as often as one likes.
//!
//! Given that an event happened, it is the canary's with probability `n_c·ρ / (n_c·ρ + n_k)`, where ρ
//! is the ratio of rates and n are the exposures of the same look: ramps, the time of day and heavy
//! users cancel (Lindon and Malek, "Anytime-Valid Inference For Multinomial Count Data", NeurIPS 2022).
//! The likelihood of some ratios over that of the null is an e-process: under the null its mean never
//! exceeds 1, so that it ever reaches 1/α with probability α at most (Ville's inequality, 1939).

use serde::{Deserialize, Serialize};

use super::observe::Replicate;

/// Ratios that harm is thought of as.
const HARM: [f64; 5] = [1.5, 2.0, 3.0, 5.0, 10.0];
/// Ratios that a pass is thought of as.
const PASS: [f64; 3] = [1.0, 0.85, 0.7];
/// The largest margin: what a control without events gives.
const MOST: f64 = 1000.0;

/// The evidence that the canary's rate is not what the null says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EProcess {
    null: f64,
    /// Each ratio that is thought of, and the logarithm of its likelihood over the null's.
    grid: Vec<(f64, f64)>,
}

impl EProcess {
    /// Against "the canary's rate is at most the control's".
    pub fn harm() -> EProcess {
        EProcess::new(1.0, &HARM)
    }

    /// Against "the canary's rate is at least so many times the control's".
    pub fn pass(margin: f64) -> EProcess {
        EProcess::new(margin, &PASS)
    }

    fn new(null: f64, grid: &[f64]) -> EProcess {
        EProcess { null, grid: grid.iter().map(|ratio| (*ratio, 0.0)).collect() }
    }

    /// Takes a look in: exposures and events of the canary and of the control. Events may be divided
    /// by a design effect. A look in which either was not exposed says nothing of their ratio.
    pub fn look(&mut self, canary: (u64, f64), control: (u64, f64)) {
        let (n_c, n_k) = (canary.0 as f64, control.0 as f64);
        if n_c <= 0.0 || n_k <= 0.0 {
            return;
        }
        let share = |ratio: f64| n_c * ratio / (n_c * ratio + n_k);
        let null = share(self.null);
        for (ratio, log) in &mut self.grid {
            let thought = share(*ratio);
            *log += canary.1 * (thought / null).ln()
                + control.1 * ((1.0 - thought) / (1.0 - null)).ln();
        }
    }

    /// The natural logarithm of the e-value: the mean of the likelihood ratios.
    pub fn log_e(&self) -> f64 {
        let most = self.grid.iter().map(|(_, log)| *log).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = self.grid.iter().map(|(_, log)| (log - most).exp()).sum();
        most + (sum / self.grid.len() as f64).ln()
    }

    /// Whether the null is rejected at this error.
    pub fn rejects(&self, alpha: f64) -> bool {
        self.log_e() >= -alpha.ln()
    }
}

/// The ratio that passes: so much more in relative terms, or in absolute ones where the base rate is
/// so small that this is more. At most 1000, as where there is no base rate.
pub fn margin(base_rate: f64, relative: f64, absolute: f64) -> f64 {
    let by_absolute = if base_rate > 0.0 { (base_rate + absolute) / base_rate } else { MOST };
    (1.0 + relative).max(by_absolute).min(MOST)
}

/// How much more the events of an arm vary than if each request were a user of its own: the variance
/// over the mean of the events by replicate, at least 1. Replicates differ in exposures too, which
/// counts as variation: it errs on the careful side.
pub fn design_effect(parts: &[Replicate]) -> f64 {
    let n = parts.len() as f64;
    let mean = parts.iter().map(|part| part.errors as f64).sum::<f64>() / n.max(1.0);
    if n < 2.0 || mean <= 0.0 {
        return 1.0;
    }
    let squares = parts.iter().map(|part| (part.errors as f64 - mean).powi(2)).sum::<f64>();
    (squares / (n - 1.0) / mean).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_e_value_is_the_mean_of_the_likelihood_ratios() {
        let mut process = EProcess::harm();
        assert!(process.log_e().abs() < 1e-12);
        let looks = [((100, 3.0), (900, 5.0)), ((50, 0.0), (950, 9.0)), ((400, 7.0), (600, 2.0))];
        let mut direct = [1.0_f64; HARM.len()];
        for ((n_c, e_c), (n_k, e_k)) in looks {
            process.look((n_c, e_c), (n_k, e_k));
            for (value, ratio) in direct.iter_mut().zip(HARM) {
                let share = |ratio: f64| n_c as f64 * ratio / (n_c as f64 * ratio + n_k as f64);
                *value *= (share(ratio) / share(1.0)).powf(e_c)
                    * ((1.0 - share(ratio)) / (1.0 - share(1.0))).powf(e_k);
            }
        }
        let mean = direct.iter().sum::<f64>() / direct.len() as f64;
        assert!((process.log_e() - mean.ln()).abs() < 1e-9);
    }

    #[test]
    fn looks_without_one_of_the_arms_say_nothing() {
        for (canary, control) in [((0, 0.0), (100, 5.0)), ((100, 5.0), (0, 0.0))] {
            let mut process = EProcess::harm();
            process.look(canary, control);
            assert!(process.log_e().abs() < 1e-12);
        }
    }

    #[test]
    fn what_is_plain_is_seen_soon() {
        let (mut worse, mut same) = (EProcess::harm(), EProcess::pass(1.5));
        for _ in 0..40 {
            worse.look((100, 6.0), (900, 9.0));
            same.look((500, 5.0), (500, 5.0));
        }
        assert!(worse.rejects(1e-4) && same.rejects(0.05));
        assert!(!EProcess::harm().rejects(0.05));
    }

    #[test]
    fn margins() {
        let cases = [(0.01, 0.5, 0.005, 1.5), (0.002, 0.5, 0.005, 3.5), (0.0, 0.5, 0.005, MOST)];
        for (base, relative, absolute, expected) in cases {
            assert!((margin(base, relative, absolute) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn clusters_raise_the_design_effect() {
        let part = |errors| Replicate { errors, ..Replicate::default() };
        let even: Vec<_> = (0..20).map(|_| part(10)).collect();
        let uneven: Vec<_> = (0..20).map(|at| part(if at == 0 { 200 } else { 0 })).collect();
        assert!((design_effect(&even) - 1.0).abs() < 1e-12);
        assert!((design_effect(&uneven) - 200.0).abs() < 1e-9);
        assert!((design_effect(&[]) - 1.0).abs() < 1e-12);
    }
}
