//! What this process counted, as a rollout sees it.

use std::sync::atomic::Ordering::Relaxed;

use modegate_filters::bucket::Cohort;
use modegate_filters::contract::{Mode, Requested};
use modegate_filters::parity::Verdict;
use modegate_filters::rollout::observe::{Hop, Side};
use modegate_filters::rollout::totals::Totals;
use modegate_filters::route::Leg;

use super::{Labels, Metrics, Outcome, Source, kinds, read};

impl Metrics {
    /// Everything that a rollout is decided by, since the process began.
    pub fn totals(&self) -> Totals {
        let [canary, control] =
            [Cohort::Canary, Cohort::Control].map(|one| self.rollout.totals(one));
        let fast_left = self.rollout.fast_left.load(Relaxed);
        Totals { canary, control, hops: Leg::ALL.map(|leg| self.hop(leg)), fast_left }
    }

    fn hop(&self, leg: Leg) -> Hop {
        let is_canary = |labels: &Labels| labels.mode != Mode::DEFAULT;
        // One that is in another mode all the same is no control.
        let is_control =
            |labels: &Labels| !is_canary(labels) && labels.cohort == Some(Cohort::Control);
        let mut hop = Hop {
            canary: self.side(leg, is_canary),
            control: self.side(leg, is_control),
            ..Hop::default()
        };
        for (_, verdict) in kinds().filter(|(of, _)| *of == leg) {
            // Unclaimed is nothing that a hop counts, and all that needs a table.
            add_verdict(&mut hop, verdict, read(self.parity.verdicts(leg, verdict)));
        }
        hop.contamination = [Source::Request, Source::Answer]
            .map(|source| read(self.parity.contamination(leg, source)))
            .iter()
            .sum();
        hop
    }

    fn side(&self, leg: Leg, is_of_it: impl Fn(&Labels) -> bool) -> Side {
        let mut side = Side::default();
        for labels in self.label_sets().iter().filter(|labels| labels.leg == leg) {
            if is_of_it(labels) {
                for outcome in Outcome::ALL {
                    let count = read(self.requests(*labels, outcome));
                    side.requests += count;
                    side.errors += if outcome.is_of_upstream() { count } else { 0 };
                }
            }
        }
        for (mode, _) in self.modes.iter() {
            for cohort in Cohort::ALL.map(Some) {
                let requested = Requested::Nothing;
                let labels = Labels { leg, dialect: None, cohort, mode, requested };
                if let Some(histogram) = self.first_byte(labels).filter(|_| is_of_it(&labels)) {
                    let reading = histogram.read();
                    side.answered += reading.count;
                    side.first_byte_sum += micros(reading.sum);
                }
            }
        }
        side
    }
}

impl Outcome {
    /// Whether the upstream failed: 5xx, unavailable, or cut.
    pub fn is_of_upstream(self) -> bool {
        matches!(self, Outcome::ServerError | Outcome::Unavailable | Outcome::Cut)
    }
}

/// Adds what a verdict was given so often to what a leg saw.
pub fn add_verdict(hop: &mut Hop, verdict: Verdict, count: u64) {
    if verdict.is_joined() {
        hop.joined += count;
    }
    match verdict {
        Verdict::Unobserved => hop.unobserved += count,
        Verdict::RoomMissing => hop.room_mismatches += count,
        Verdict::AckMatch => hop.ack_match += count,
        Verdict::AckAltered => hop.ack_altered += count,
        of_mode if of_mode.is_of_mode() => hop.mode_mismatches += count,
        // Another room is contamination, where it is sure.
        _ => {}
    }
}

/// A histogram's sum in microseconds: it only rises, as the sum does.
pub fn micros(seconds: f64) -> u64 {
    // What is no number is 0.
    (seconds * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use modegate_filters::contract::Modes;
    use modegate_filters::dialect::Dialect;

    use super::*;
    use crate::metrics::count;

    #[test]
    fn each_count_is_on_its_leg_and_side() {
        let modes = Modes::new(["default", "fast"].map(str::to_owned)).unwrap();
        let fast = modes.find("fast").unwrap();
        let metrics = Metrics::new(modes);
        let labels = |cohort, mode| Labels {
            leg: Leg::Bridge,
            dialect: Some(Dialect::Rpc),
            cohort,
            mode,
            requested: Requested::Mode(fast),
        };
        let (canary, control) = (Some(Cohort::Canary), Some(Cohort::Control));
        let rounds = [
            (labels(canary, fast), Outcome::Ok),
            (labels(control, fast), Outcome::Cut),
            (labels(control, Mode::DEFAULT), Outcome::ServerError),
            (labels(control, Mode::DEFAULT), Outcome::Gone),
            (labels(control, Mode::DEFAULT), Outcome::Unavailable),
            (labels(canary, Mode::DEFAULT), Outcome::Ok),
            (labels(None, Mode::DEFAULT), Outcome::ServerError),
        ];
        for (labels, outcome) in rounds {
            count(metrics.requests(labels, outcome));
            metrics.first_byte(labels).unwrap().observe(Duration::from_micros(1_500));
        }
        for verdict in Verdict::ALL {
            count(metrics.parity.verdicts(Leg::Bridge, verdict));
        }
        count(metrics.parity.contamination(Leg::Bridge, Source::Answer));
        count(Some(&metrics.rollout.fast_left));
        let [frontend, bridge, runtime] = metrics.totals().hops;
        assert_eq!([frontend, runtime], [Hop::default(); 2]);
        let side = |requests, errors| Side {
            requests,
            errors,
            answered: requests,
            first_byte_sum: requests * 1_500,
        };
        let expected = Hop {
            canary: side(2, 1),
            control: side(3, 2),
            // Match, three of mode, two of room, drift and duplicate.
            joined: 8,
            unobserved: 1,
            mode_mismatches: 3,
            room_mismatches: 1,
            contamination: 1,
            ack_altered: 1,
            ack_match: 1,
        };
        assert_eq!(bridge, expected);
        assert_eq!(metrics.totals().fast_left, 1);
    }
}
