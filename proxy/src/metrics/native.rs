//! The buckets of a native histogram, as Prometheus' specification of native histograms has them:
//! schema 3, each 2^(1/8) as wide as the one before, at 9 % half of a classic one.

use prometheus_client::encoding::{NativeHistogram, NativeHistogramBuckets};

/// log2 of the buckets in an octave.
const SCHEMA: i32 = 3;
const PER_OCTAVE: i32 = 1 << SCHEMA;
/// The octaves that are told apart: from 2^-10 s (1 ms) to 2^10 s (17 min).
const LOWEST: i32 = -10;
const HIGHEST: i32 = 10;

/// What is up to it, in seconds, is in the zero bucket.
const ZERO_THRESHOLD: f64 = 1.0 / 1024.0;
/// The specification's index of the first bucket above the zero bucket: its upper edge is 2^(i/8).
const FIRST: i32 = LOWEST * PER_OCTAVE + 1;
/// The zero bucket, and those above; what is longer than the last is counted there.
pub const BUCKETS: usize = 1 + ((HIGHEST - LOWEST) * PER_OCTAVE) as usize;

/// Upper edges within an octave, 2^(k/8)/2 rounded as the specification's readers round them.
const EDGES: [f64; PER_OCTAVE as usize] = [
    0.5,
    0.545_253_866_332_628_8,
    0.594_603_557_501_360_5,
    0.648_419_777_325_504_8,
    0.707_106_781_186_547_5,
    0.771_105_412_703_970_4,
    0.840_896_415_253_714_4,
    0.917_004_043_204_671_1,
];

/// The bucket of a time in seconds: 0 is the zero bucket. Exact, and without a logarithm.
pub fn bucket(seconds: f64) -> usize {
    if seconds <= ZERO_THRESHOLD {
        return 0;
    }
    // seconds = fraction · 2^exponent, the fraction from a half to below one.
    let bits = seconds.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1022;
    let fraction = f64::from_bits((bits & ((1 << 52) - 1)) | (1022 << 52));
    let within = EDGES.partition_point(|edge| *edge < fraction) as i32;
    let index = (exponent - 1) * PER_OCTAVE + within;
    usize::try_from(index - FIRST + 1).map_or(0, |bucket| bucket.min(BUCKETS - 1))
}

/// The counts of a histogram in the form that is sent: runs of buckets, and from each count to the
/// next the difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Native {
    zero: u64,
    spans: Vec<(i32, u32)>,
    deltas: Vec<i64>,
}

impl Native {
    /// Of the count of each bucket.
    pub fn new(counts: &[u64]) -> Native {
        let mut counts = counts.iter().copied();
        let mut native = Native { zero: counts.next().unwrap_or_default(), ..Native::default() };
        let (mut before, mut gap) = (0, FIRST);
        for count in counts {
            if count == 0 {
                gap += 1;
                continue;
            }
            match native.spans.last_mut() {
                Some((_, length)) if gap == 0 => *length += 1,
                _ => native.spans.push((gap, 1)),
            }
            gap = 0;
            native.deltas.push(count as i64 - before);
            before = count as i64;
        }
        native
    }

    /// As prometheus-client takes it.
    pub fn encoded(&self) -> NativeHistogram<'_> {
        NativeHistogram {
            schema: SCHEMA,
            zero_threshold: ZERO_THRESHOLD,
            zero_count: self.zero,
            negative: NativeHistogramBuckets { spans: &[], deltas: &[] },
            positive: NativeHistogramBuckets { spans: &self.spans, deltas: &self.deltas },
            created: None,
        }
    }

    /// How much it counts in all.
    #[cfg(test)]
    pub fn count(&self) -> u64 {
        let counts = self.deltas.iter().scan(0, |count, delta| {
            *count += delta;
            Some(*count)
        });
        self.zero + counts.sum::<i64>() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's formula.
    fn upper(bucket: usize) -> f64 {
        (f64::from(FIRST - 1 + bucket as i32) / 8.0).exp2()
    }

    #[test]
    fn a_time_is_in_the_first_bucket_that_reaches_it() {
        for at in 0..BUCKETS - 1 {
            let edge = upper(at);
            assert_eq!(bucket(edge * 0.999_999), at, "below {edge}");
            assert_eq!(bucket(edge * 1.000_001), at + 1, "above {edge}");
            // Powers of two are exact: an edge belongs to the bucket that it ends.
            if at % 8 == 0 {
                assert_eq!(bucket(edge), at, "{edge}");
            }
        }
        for (seconds, at) in [(0.0, 0), (1e-9, 0), (1024.0, BUCKETS - 1), (1e9, BUCKETS - 1)] {
            assert_eq!(bucket(seconds), at, "{seconds}");
        }
        assert!(
            (upper(0) - ZERO_THRESHOLD).abs() < 1e-12 && (upper(BUCKETS - 1) - 1024.0).abs() < 1e-9
        );
    }

    #[test]
    fn runs_and_differences() {
        type Case = (&'static [u64], u64, &'static [(i32, u32)], &'static [i64]);
        let cases: [Case; 5] = [
            (&[0, 0, 0], 0, &[], &[]),
            (&[7, 0, 0], 7, &[], &[]),
            (&[0, 5, 2, 2], 0, &[(-79, 3)], &[5, -3, 0]),
            (&[1, 0, 4, 0, 0, 1, 9, 0], 1, &[(-78, 1), (2, 2)], &[4, -3, 8]),
            (&[0, 0, 0, 3], 0, &[(-77, 1)], &[3]),
        ];
        for (counts, zero, spans, deltas) in cases {
            let native = Native::new(counts);
            assert_eq!((native.zero, &*native.spans, &*native.deltas), (zero, spans, deltas));
            assert_eq!(native.count(), counts.iter().sum::<u64>());
        }
    }
}
