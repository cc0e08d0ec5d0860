//! A histogram without a lock: the data plane counts, a scrape reads, in two forms at once.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::native::{self, Native};

/// Upper edges of the classic form in seconds: 0.05 · 2^(k/4) for k from 0 to 41, so that a bucket
/// is never wider than 19 % and the last is 61 s; the longest stream falls in `+Inf`.
const EDGES: usize = 42;

/// The classic edge within each native bucket, which has one at most; infinite where there is none.
static SPLITS: LazyLock<[f64; native::BUCKETS]> = LazyLock::new(|| {
    let mut splits = [f64::INFINITY; native::BUCKETS];
    for edge in (0..EDGES).map(edge) {
        if let Some(split) = splits.get_mut(native::bucket(edge)) {
            *split = edge;
        }
    }
    splits
});

/// Counts of durations, by the edges of both forms together: one addition counts for both, so that
/// they never disagree.
#[derive(Debug)]
pub struct Histogram {
    /// Of each native bucket what is up to its split, and what is above.
    cells: [AtomicU64; 2 * native::BUCKETS],
    nanoseconds: AtomicU64,
}

/// What a histogram holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The sum in seconds.
    pub sum: f64,
    /// How many durations there are.
    pub count: u64,
    /// The count of each classic bucket with its upper edge; the last edge is infinite.
    pub buckets: Vec<(f64, u64)>,
    /// The native form.
    pub native: Native,
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Histogram {
        Histogram {
            cells: [const { AtomicU64::new(0) }; 2 * native::BUCKETS],
            nanoseconds: AtomicU64::new(0),
        }
    }

    /// Counts one duration.
    pub fn observe(&self, lasted: Duration) {
        let seconds = lasted.as_secs_f64();
        let bucket = native::bucket(seconds);
        let above = SPLITS.get(bucket).is_some_and(|split| seconds > *split);
        if let Some(cell) = self.cells.get(2 * bucket + usize::from(above)) {
            cell.fetch_add(1, Relaxed);
        }
        let nanoseconds = u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    /// What it holds now.
    pub fn read(&self) -> Reading {
        let mut buckets = Vec::with_capacity(EDGES + 1);
        let mut counts = Vec::with_capacity(native::BUCKETS);
        let mut within = 0;
        for (cells, split) in self.cells.chunks_exact(2).zip(&*SPLITS) {
            let [up_to, above] = [0, 1].map(|at| cells.get(at).map_or(0, |c| c.load(Relaxed)));
            counts.push(up_to + above);
            within += up_to;
            if split.is_finite() {
                buckets.push((*split, within));
                within = 0;
            }
            within += above;
        }
        buckets.push((f64::INFINITY, within));
        let sum = Duration::from_nanos(self.nanoseconds.load(Relaxed)).as_secs_f64();
        Reading { sum, count: counts.iter().sum(), buckets, native: Native::new(&counts) }
    }
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::new()
    }
}

/// The upper edges of the classic form; the last is infinite.
pub fn edges() -> impl Iterator<Item = f64> {
    (0..EDGES).map(edge).chain([f64::INFINITY])
}

fn edge(at: usize) -> f64 {
    0.05 * (at as f64 / 4.0).exp2()
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
            let Reading { sum, count, buckets, .. } = histogram.read();
            assert!((sum - seconds).abs() < 1e-6);
            assert_eq!((count, buckets.len()), (1, EDGES + 1));
            let first = buckets.iter().position(|(edge, _)| *edge >= seconds).unwrap();
            assert_eq!(buckets[first].1, 1, "{seconds} s");
        }
    }

    #[test]
    fn the_edges_are_those_that_are_promised() {
        let edges: Vec<f64> =
            Histogram::new().read().buckets.iter().map(|(edge, _)| *edge).collect();
        let expected: Vec<f64> = (0..EDGES).map(edge).chain([f64::INFINITY]).collect();
        assert_eq!(edges, expected);
        assert!((edge(41) - 61.0).abs() < 0.5);
    }

    #[test]
    fn both_forms_count_the_same() {
        let histogram = Histogram::new();
        for k in 0..500_u32 {
            // From a microsecond to half an hour, every few per cent.
            histogram.observe(Duration::from_secs_f64(1e-6 * (f64::from(k) / 16.0).exp2()));
        }
        let reading = histogram.read();
        let classic: u64 = reading.buckets.iter().map(|(_, count)| count).sum();
        assert_eq!((reading.count, classic, reading.native.count()), (500, 500, 500));
    }
}
