//! What was measured, by proxy and by load, every round of it.

use std::collections::BTreeMap;

use serde::Serialize;

/// A figure of a proxy, in every round that it was taken in.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figure {
    /// The rounds, in their order.
    pub rounds: Vec<f64>,
}

/// Everything of a run.
#[derive(Debug, Default, Serialize)]
pub struct Results {
    /// By load, by proxy, by what was measured: `cpu_us` (CPU time of the proxy's process, user and
    /// system, of a request or an event), `rps` (requests or events a second), `p50_us`, `p99_us`
    /// and `p999_us` (of a request at the open rate), `idle_kib`, `peak_kib`, `connection_kib`,
    /// `bodies` (memory, see the report).
    pub figures: BTreeMap<String, BTreeMap<String, BTreeMap<String, Figure>>>,
    /// What could not be measured, and why.
    pub failures: Vec<String>,
}

impl Figure {
    /// The middle of the rounds.
    pub fn median(&self) -> f64 {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match (sorted.len() % 2, sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
            (0, Some(below), Some(above)) => f64::midpoint(*below, *above),
            (_, _, Some(middle)) => *middle,
            _ => f64::NAN,
        }
    }

    /// The least and the most of the rounds.
    pub fn spread(&self) -> (f64, f64) {
        let all = self.rounds.iter().copied();
        (all.clone().fold(f64::NAN, f64::min), all.fold(f64::NAN, f64::max))
    }
}

impl Results {
    /// Takes a figure in.
    pub fn add(&mut self, load: &str, proxy: &str, what: &str, value: f64) {
        let of_load = self.figures.entry(load.to_owned()).or_default();
        let of_proxy = of_load.entry(proxy.to_owned()).or_default();
        of_proxy.entry(what.to_owned()).or_default().rounds.push(value);
    }

    /// A figure, where it was taken.
    pub fn get(&self, load: &str, proxy: &str, what: &str) -> Option<&Figure> {
        self.figures.get(load)?.get(proxy)?.get(what)
    }

    /// The median of a figure, where it was taken.
    pub fn median(&self, load: &str, proxy: &str, what: &str) -> Option<f64> {
        self.get(load, proxy, what).map(Figure::median)
    }

    /// What a figure of one proxy is of another's: the median of the rounds' own ratios, since what
    /// disturbs a round disturbs both.
    pub fn ratio(&self, load: &str, what: &str, (one, other): (&str, &str)) -> Option<f64> {
        let (one, other) = (self.get(load, one, what)?, self.get(load, other, what)?);
        let rounds = one.rounds.iter().zip(&other.rounds).map(|(one, other)| one / other);
        Some(Figure { rounds: rounds.collect() }.median())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ratios() {
        let mut results = Results::default();
        for (ours, theirs) in [(10.0, 20.0), (30.0, 60.0), (11.0, 20.0)] {
            results.add("get", "a", "cpu_us", ours);
            results.add("get", "b", "cpu_us", theirs);
        }
        assert_eq!(results.median("get", "a", "cpu_us"), Some(11.0));
        assert_eq!(results.ratio("get", "cpu_us", ("a", "b")), Some(0.5));
        assert_eq!(results.ratio("get", "cpu_us", ("a", "c")), None);
        let even = Figure { rounds: vec![1.0, 4.0, 2.0, 3.0] };
        assert_eq!((even.median(), even.spread()), (2.5, (1.0, 4.0)));
    }
}
