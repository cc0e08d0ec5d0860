//! Rollouts that are made up, judged by the very gates that judge real ones, at the errors of the
//! default plan and with base rates and design effects told from what was seen: how often they are
//! rolled back for nothing, how often they pass at their margin, how soon harm is found. What is
//! made up is in `traffic`, what is asked of it in `question`.
//!
//! Errors of three times 1 %, in a canary of 10 %, are to be found within 15 looks in 99 of 100
//! rollouts. That takes 2,000 requests a look. With 1,000 it is out of reach of what may be looked at
//! all times at the error of a gate: with a design effect known to be 1 it finds 97 %, with one that is
//! told, and bounded, 83 %. (A single test at the end, of an effect that is known, would find 99.4 %.)
//! What is found with fewer is shown beside it, and asked nothing of.

mod question;
mod random;
mod scenarios;
mod traffic;

use serde::Serialize;

use self::random::Random;
use self::scenarios::{Scenario, scenarios};

/// How much is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Rollouts of each scenario.
    pub rollouts: u32,
    /// Looks at each of them.
    pub looks: u32,
    /// Where the random numbers begin.
    pub seed: u64,
}

/// What is asked of a scenario's rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// That it is no greater.
    AtMost(f64),
    /// That it is no less.
    AtLeast(f64),
    /// That it is greater beyond chance: what the engines are spared by what this scenario lacks.
    Exceeds(f64),
    /// Nothing; it is shown for comparison.
    Shown,
}

impl Bound {
    /// Whether so many are no further beyond it than three standard deviations.
    fn holds(self, happened: u32, rollouts: u32) -> bool {
        let (happened, rollouts) = (f64::from(happened), f64::from(rollouts));
        let most = |rate: f64| rollouts * rate + 3.0 * (rollouts * rate * (1.0 - rate)).sqrt();
        match self {
            Bound::AtMost(rate) => happened <= most(rate),
            Bound::AtLeast(rate) => rollouts - happened <= most(1.0 - rate),
            Bound::Exceeds(rate) => happened > most(rate),
            Bound::Shown => true,
        }
    }
}

/// What became of the rollouts of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// What was simulated.
    pub scenario: &'static str,
    /// What was counted: `false rollback`, `false advance`, `detected`, `advanced`.
    pub counted: &'static str,
    /// How many rollouts there were.
    pub rollouts: u32,
    /// In how many of them it happened: the power, where it should.
    pub happened: u32,
    /// The median look, from 1, at which it did; where it did in fewer than half, of those.
    pub median_look: Option<u32>,
    /// What is asked of its rate.
    pub bound: Bound,
    /// Whether that is so, but for three standard deviations of chance.
    pub holds: bool,
}

/// Simulates every scenario; the same size gives the same outcomes.
pub fn simulate(size: Size) -> Vec<Outcome> {
    let each = scenarios().into_iter().enumerate();
    each.map(|(at, scenario)| outcome(at, &scenario, size)).collect()
}

fn outcome(at: usize, scenario: &Scenario, size: Size) -> Outcome {
    let Scenario { name, counted, bound, within, .. } = *scenario;
    let trial = scenario.trial(size.looks.min(within));
    let ends = (0..size.rollouts).filter_map(|rollout| {
        let mut random = Random::of(size.seed, at, rollout);
        trial.ask(&mut random)
    });
    let mut ends: Vec<u32> = ends.collect();
    ends.sort_unstable();
    let happened = ends.len() as u32;
    Outcome {
        scenario: name,
        counted,
        rollouts: size.rollouts,
        happened,
        median_look: ends.get(ends.len() / 2).copied(),
        bound,
        holds: bound.holds(happened, size.rollouts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reduced_simulation_holds() {
        let outcomes = simulate(Size { rollouts: 50, looks: 60, seed: 1 });
        // What is beyond chance is not in so few.
        let told = |outcome: &&Outcome| !matches!(outcome.bound, Bound::Exceeds(_));
        let broken: Vec<_> =
            outcomes.iter().filter(told).filter(|outcome| !outcome.holds).collect();
        assert!(broken.is_empty(), "{broken:#?}");
    }

    #[test]
    fn the_same_seed_gives_the_same() {
        let size = Size { rollouts: 2, looks: 5, seed: 7 };
        assert_eq!(simulate(size), simulate(size));
    }

    #[test]
    fn a_bound_allows_three_standard_deviations() {
        // Of 2000 at 1 %: 20, and a standard deviation of 4.45.
        let cases = [
            (Bound::AtMost(0.01), 33, true),
            (Bound::AtMost(0.01), 34, false),
            (Bound::AtLeast(0.99), 1_967, true),
            (Bound::AtLeast(0.99), 1_966, false),
            (Bound::Exceeds(0.01), 34, true),
            (Bound::Exceeds(0.01), 33, false),
            (Bound::Shown, 2_000, true),
        ];
        for (bound, happened, expected) in cases {
            assert_eq!(bound.holds(happened, 2_000), expected, "{bound:?} {happened}");
        }
    }
}
