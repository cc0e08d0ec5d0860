//! A histogram without a lock: the data plane counts, a scrape reads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper edges in seconds: 0.05 · 2^(k/4) for k from 0 to 41, so that a bucket is never wider than
/// 19 % and the last is 61 s; the longest stream falls in `+Inf`.
const EDGES: usize = 42;

/// Counts of durations, by edge.
#[derive(Debug)]
pub struct Histogram {
    counts: [AtomicU64; EDGES + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Histogram {
        Histogram {
            counts: [const { AtomicU64::new(0) }; EDGES + 1],
            nanoseconds: AtomicU64::new(0),
        }
    }

    /// Counts one duration.
    pub fn observe(&self, lasted: Duration) {
        // The first edge at or above; the logarithm finds it to within rounding, so look around it.
        let seconds = lasted.as_secs_f64();
        let guess = ((seconds / 0.05).log2() * 4.0).ceil().clamp(0.0, EDGES as f64) as usize;
        let mut at = guess.saturating_sub(1);
        while at < EDGES && edge(at) < seconds {
            at += 1;
        }
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Relaxed);
        }
        let nanoseconds = u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    /// The sum in seconds, the count, and the count of each bucket with its upper edge; the last
    /// edge is infinite.
    pub fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        let buckets = counts.iter().enumerate().map(|(at, count)| (edge(at), *count)).collect();
        let sum = Duration::from_nanos(self.nanoseconds.load(Relaxed)).as_secs_f64();
        (sum, counts.iter().sum(), buckets)
    }
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::new()
    }
}

fn edge(at: usize) -> f64 {
    if at >= EDGES { f64::INFINITY } else { 0.05 * (at as f64 / 4.0).exp2() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_falls_in_the_first_edge_at_or_above_it() {
        let cases = [0.0, 0.049, 0.05, 0.0501, 0.0595, 0.1, 0.2, 1.0, 60.0, 60.9, 61.1, 3600.0];
        for seconds in cases {
            let histogram = Histogram::new();
            histogram.observe(Duration::from_secs_f64(seconds));
            let (sum, count, buckets) = histogram.read();
            assert!((sum - seconds).abs() < 1e-6);
            assert_eq!(count, 1);
            let first = buckets.iter().position(|(edge, _)| *edge >= seconds).unwrap();
            assert_eq!(buckets[first].1, 1, "{seconds} s");
        }
        assert!((edge(41) - 61.0).abs() < 0.5);
    }
}
