//! Engine A: evidence from counts that may be looked at as often as one likes.
//!
//! Given that an event happened, it is the canary's with probability `n_c·ρ / (n_c·ρ + n_k)`, where ρ
//! is the ratio of rates and n are the exposures of the same look: ramps, the time of day and heavy
//! users cancel (Lindon and Malek, "Anytime-Valid Inference For Multinomial Count Data", NeurIPS 2022).
//! The likelihood of some ratios over that of the null is an e-process: under the null its mean never
//! exceeds 1, so that it ever reaches 1/α with probability α at most (Ville's inequality, 1939).
//! Events divided by a design effect φ ≥ 1 keep that: E\[L^(1/φ)\] ≤ E\[L\]^(1/φ) (Jensen); what they
//! gain is that clustered events, whose L is no likelihood, are bet on as the fewer independent ones
//! that they are worth.

use serde::{Deserialize, Serialize};

use super::observe::Replicate;

/// Ratios that harm is thought of as.
const HARM: [f64; 5] = [1.5, 2.0, 3.0, 5.0, 10.0];
/// Ratios that a pass is thought of as.
const PASS: [f64; 3] = [1.0, 0.85, 0.7];
/// The largest margin: what a control without events gives. An absolute allowance over next to nothing
/// would be an unbounded ratio, which any canary is below.
pub const LARGEST_MARGIN: f64 = 20.0;

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
        let margin =
            if margin.is_finite() { margin.clamp(PASS[2], LARGEST_MARGIN) } else { LARGEST_MARGIN };
        EProcess::new(margin, &PASS)
    }

    fn new(null: f64, grid: &[f64]) -> EProcess {
        // A ratio on the null's own side of a margin below 1 would be no bet against it: it stays at 1.
        let beyond = |ratio: f64| if null < 1.0 { ratio.min(null) } else { ratio };
        EProcess { null, grid: grid.iter().map(|ratio| (beyond(*ratio), 0.0)).collect() }
    }

    /// Takes a look in: exposures and events of the canary and of the control. Events may be divided
    /// by a design effect. A look in which either was not exposed says nothing of their ratio.
    pub fn look(&mut self, canary: (u64, f64), control: (u64, f64)) {
        let (n_c, n_k) = (canary.0 as f64, control.0 as f64);
        if n_c <= 0.0 || n_k <= 0.0 {
            return;
        }
        let (e_c, e_k) = (possible(canary.1, n_c), possible(control.1, n_k));
        let null = n_c * self.null + n_k;
        for (ratio, log) in &mut self.grid {
            // (1 - θ)/(1 - θ0), and θ/θ0, which is so many times more: no 1 - θ that cancels.
            let controls = (null / (n_c * *ratio + n_k)).ln();
            let canarys = (*ratio / self.null).ln() + controls;
            *log += e_c * canarys + e_k * controls;
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

/// Events that can have been: a number, none negative, no more than the exposures.
fn possible(events: f64, exposures: f64) -> f64 {
    if events.is_finite() { events.clamp(0.0, exposures) } else { 0.0 }
}

/// The ratio that passes: so much more in relative terms, or in absolute ones where the base rate is
/// so small that this is more. At most [`LARGEST_MARGIN`], as where there is no
/// base rate.
pub fn margin(base_rate: f64, relative: f64, absolute: f64) -> f64 {
    let by_absolute =
        if base_rate > 0.0 { (base_rate + absolute) / base_rate } else { LARGEST_MARGIN };
    (1.0 + relative).max(by_absolute).min(LARGEST_MARGIN)
}

/// How much more the events of an arm vary than if each request were a user of its own: the variance
/// over the mean of the events by replicate, at least 1. Replicates differ in exposures too, which
/// counts as variation: it errs on the careful side. It grows with the requests that a user makes, so
/// that the parts must be counted over a time like the one that is judged by it; of few events it
/// says little.
pub fn design_effect(parts: &[Replicate]) -> f64 {
    let n = parts.len() as f64;
    let mean = parts.iter().map(|part| part.errors as f64).sum::<f64>() / n.max(1.0);
    if n < 2.0 || mean <= 0.0 {
        return 1.0;
    }
    let squares = parts.iter().map(|part| (part.errors as f64 - mean).powi(2)).sum::<f64>();
    (squares / (n - 1.0) / mean).max(1.0)
}

/// The 95 % interval of a rate (Wilson 1927). For display: no gate goes by it, as it may not be
/// looked at twice.
pub fn wilson(events: u64, exposures: u64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if exposures == 0 {
        return (0.0, 1.0);
    }
    let n = exposures as f64;
    let rate = events.min(exposures) as f64 / n;
    let centre = rate + Z * Z / (2.0 * n);
    let half = Z * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0))
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
    fn nothing_is_proved_by_nothing() {
        let looks = [
            ((0, 0.0), (0, 0.0)),
            ((0, 0.0), (100, 5.0)),
            ((100, 5.0), (0, 0.0)),
            ((100, 0.0), (900, 0.0)),
            ((100, f64::NAN), (900, -3.0)),
        ];
        for (canary, control) in looks {
            for mut process in [EProcess::harm(), EProcess::pass(1.5), EProcess::pass(f64::NAN)] {
                process.look(canary, control);
                assert!(process.log_e().abs() < 1e-12, "{canary:?} {control:?}");
                assert!(!process.rejects(0.05));
            }
        }
    }

    /// Summed over how many of the events can have been the canary's, weighted by how likely that is.
    #[test]
    fn under_the_null_its_mean_is_one() {
        let (n_c, n_k, events) = (300_u64, 700_u64, 12_i32);
        for (start, null) in [(EProcess::harm(), 1.0), (EProcess::pass(1.5), 1.5)] {
            let theta = n_c as f64 * null / (n_c as f64 * null + n_k as f64);
            let (mut mean, mut ways) = (0.0, 1.0);
            for of_canary in 0..=events {
                let mut process = start.clone();
                process.look((n_c, f64::from(of_canary)), (n_k, f64::from(events - of_canary)));
                let chance = ways * theta.powi(of_canary) * (1.0 - theta).powi(events - of_canary);
                mean += chance * process.log_e().exp();
                ways *= f64::from(events - of_canary) / f64::from(of_canary + 1);
            }
            assert!((mean - 1.0).abs() < 1e-12, "{null}: {mean}");
        }
    }

    #[test]
    fn a_margin_below_one_is_not_passed_by_a_ratio_of_one() {
        let mut strict = EProcess::pass(0.8);
        strict.look((50_000, 500.0), (50_000, 500.0));
        assert!(strict.log_e() < 0.0);
    }

    #[test]
    fn wilson_is_as_published() {
        // Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I.
        let cases = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)];
        for (events, exposures, low, high) in cases {
            let found = wilson(events, exposures);
            assert!((found.0 - low).abs() < 5e-5 && (found.1 - high).abs() < 5e-5, "{found:?}");
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
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
        let cases =
            [(0.01, 0.5, 0.005, 1.5), (0.002, 0.5, 0.005, 3.5), (0.0, 0.5, 0.005, LARGEST_MARGIN)];
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
