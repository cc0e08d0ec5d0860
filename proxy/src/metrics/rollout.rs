//! What a rollout is decided by: eligible requests of the frontend leg by cohort and by the part
//! that their key's rank is in, their critical errors, their first events and their faults.

use std::fmt::Error;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use modegate_filters::bucket::Cohort;
use modegate_filters::rollout::observe::{Arm, BUCKETS, Fault, REPLICATES, Replicate};
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::scrape::{counter, counters, encode_histogram, family};
use super::{Histogram, names};

/// The parts' label values.
const PARTS: [&str; REPLICATES] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19",
];

/// An eligible request that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its cohort, told by its key's rank.
    pub cohort: Cohort,
    /// The part that the rank is in.
    pub replicate: usize,
    /// Whether it was a critical error.
    pub error: bool,
    /// The time to the first event, where there was one.
    pub first: Option<Duration>,
    /// What was wrong with an answer that was no critical error.
    pub fault: Option<Fault>,
}

/// The counts of both cohorts.
#[derive(Debug, Default)]
pub struct RolloutCounts {
    sides: [Side; Cohort::ALL.len()],
    /// Requests that left the frontend leg in a mode other than the default, counted as they leave.
    pub fast_left: AtomicU64,
}

#[derive(Debug, Default)]
struct Side {
    parts: [Part; REPLICATES],
    first: Histogram,
    faults: [AtomicU64; Fault::ALL.len()],
}

#[derive(Debug, Default)]
struct Part {
    requests: AtomicU64,
    errors: AtomicU64,
    firsts: AtomicU64,
    log_sum: AtomicU64,
}

impl RolloutCounts {
    /// Counts one.
    pub fn count(&self, ended: &Ended) {
        let side = self.side(ended.cohort);
        let Some(part) = side.parts.get(ended.replicate) else { return };
        part.requests.fetch_add(1, Relaxed);
        part.errors.fetch_add(u64::from(ended.error), Relaxed);
        if let Some(first) = ended.first {
            part.firsts.fetch_add(1, Relaxed);
            part.log_sum.fetch_add(log(first), Relaxed);
            side.first.observe(first);
        }
        if let Some(counter) = ended.fault.and_then(|fault| side.faults.get(fault as usize)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Everything that was counted of a cohort since the process began.
    pub fn totals(&self, cohort: Cohort) -> Arm {
        let side = self.side(cohort);
        // What is part of another count is read before it, so that it is hardly ever more.
        let faults = side.faults.each_ref().map(|counter| counter.load(Relaxed));
        let first = side.first.read().buckets.into_iter().map(|(_, count)| count);
        let first: Vec<u64> = first.collect();
        debug_assert_eq!(first.len(), BUCKETS);
        let replicates = side.parts.iter().map(|part| {
            let [log_sum, firsts, errors, requests] =
                [&part.log_sum, &part.firsts, &part.errors, &part.requests]
                    .map(|counter| counter.load(Relaxed));
            Replicate { requests, errors, firsts, log_sum }
        });
        Arm { replicates: replicates.collect(), first, faults }
    }

    fn side(&self, cohort: Cohort) -> &Side {
        let [canary, control] = &self.sides;
        match cohort {
            Cohort::Canary => canary,
            Cohort::Control => control,
        }
    }

    /// Writes them, all of one moment.
    pub fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let arms = Cohort::ALL.map(|cohort| (cohort, self.totals(cohort)));
        type Value = fn(&Replicate) -> u64;
        let families: [(names::Name, Value); 4] = [
            (names::ROLLOUT_REQUESTS, |part| part.requests),
            (names::ROLLOUT_ERRORS, |part| part.errors),
            (names::ROLLOUT_FIRSTS, |part| part.firsts),
            (names::ROLLOUT_FIRST_LOG_SUM, |part| part.log_sum),
        ];
        for (name, value) in families {
            let series = arms.iter().flat_map(|(cohort, arm)| {
                let parts = PARTS.into_iter().zip(&arm.replicates);
                parts.map(move |(at, part)| {
                    ([("cohort", cohort.word()), ("replicate", at)], value(part))
                })
            });
            counters(encoder, name, series)?;
        }
        let faults = arms.iter().flat_map(|(cohort, arm)| {
            Fault::ALL.into_iter().zip(arm.faults).map(move |(fault, count)| {
                ([("cohort", cohort.word()), ("fault", fault.word())], count)
            })
        });
        counters(encoder, names::ROLLOUT_FAULTS, faults)?;
        counter(encoder, names::ROLLOUT_FAST_LEFT, self.fast_left.load(Relaxed))?;
        let mut first = family(encoder, names::ROLLOUT_FIRST, MetricType::Histogram)?;
        for cohort in Cohort::ALL {
            encode_histogram(&mut first, &[("cohort", cohort.word())], &self.side(cohort).first)?;
        }
        Ok(())
    }
}

/// A thousand times the natural logarithm of the microseconds, of which there is at least one.
fn log(first: Duration) -> u64 {
    let micros = (first.as_secs_f64() * 1e6).max(1.0);
    // Below 60,000 for any duration there is.
    (1000.0 * micros.ln()).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Ended =
        Ended { cohort: Cohort::Canary, replicate: 7, error: false, first: None, fault: None };

    #[test]
    fn each_is_counted_once_where_it_belongs() {
        let counts = RolloutCounts::default();
        let first = Some(Duration::from_millis(100));
        let cases = [
            NOTHING,
            Ended { error: true, ..NOTHING },
            Ended { first, fault: Some(Fault::HiddenError), ..NOTHING },
            Ended { cohort: Cohort::Control, replicate: 0, first, ..NOTHING },
            // No such part: nothing is counted, and nothing breaks.
            Ended { replicate: REPLICATES, error: true, ..NOTHING },
        ];
        for ended in &cases {
            counts.count(ended);
        }
        let [canary, control] = Cohort::ALL.map(|cohort| counts.totals(cohort));
        let log_sum = 11_513; // ln 100,000
        let part = Replicate { requests: 3, errors: 1, firsts: 1, log_sum };
        assert_eq!((canary.requests(), canary.errors()), (3, 1));
        assert_eq!(canary.replicates[7], part);
        assert_eq!(canary.faults, [0, 0, 0, 1, 0]);
        assert_eq!((canary.first.len(), canary.first.iter().sum::<u64>()), (BUCKETS, 1));
        assert_eq!(canary.first[4], 1, "0.1 s is the fifth edge");
        let part = Replicate { requests: 1, errors: 0, firsts: 1, log_sum };
        assert_eq!(control.replicates[0], part);
        assert_eq!((control.requests(), control.faults), (1, [0; 5]));
    }

    #[test]
    fn logarithms_are_never_negative() {
        for (first, expected) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 0),
            (Duration::from_micros(1), 0),
            (Duration::from_micros(2), 693),
            (Duration::from_secs(1), 13_816),
        ] {
            assert_eq!(log(first), expected, "{first:?}");
        }
        assert!(log(Duration::MAX) < 60_000);
    }
}
