//! Traffic that is made up: users of both cohorts, their requests look by look, counted as a sidecar
//! counts them.

use super::random::Random;
use crate::rollout::observe::{Arm, BUCKETS, REPLICATES, Replicate};

/// The control's median first event: 1.5 s, as ln(microseconds).
const MEDIAN: f64 = 14.220_975_666_072_44;

/// ln(50,000), the first edge in microseconds.
const FIRST_EDGE: f64 = 10.819_778_284_410_283;

/// Requests that a user makes in a rollout, on average.
const PER_USER: usize = 10;

/// The exponent of the tail of how much users ask (Pareto), and how many times the least the most
/// asks: a tenth of the users make four tenths of the requests.
const TAIL: f64 = 1.5;
const HEAVIEST: f64 = 30.0;

/// What is made up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// The share of the canary.
    pub(super) share: f64,
    /// The control's rate of errors.
    pub(super) rate: f64,
    /// The canary's rate over the control's; faults come as errors do.
    pub(super) errors: f64,
    /// The standard deviation of the logarithm of the first event.
    pub(super) sd: f64,
    /// The canary's median first event over the control's.
    pub(super) latency: f64,
    /// The correlation of two requests of one user, in errors as in latency; with 0, every request is
    /// a user of its own.
    pub(super) icc: f64,
    /// Whether a user's requests are all in one replicate, as they are; else each is in any.
    pub(super) told: bool,
    /// Eligible requests of both cohorts in a look.
    pub(super) requests: usize,
}

/// A user.
#[derive(Clone, Copy, Debug)]
struct User {
    canary: bool,
    replicate: usize,
    /// The chance that a request of theirs errs.
    errs: f64,
    /// The mean of ln(microseconds) of their first events.
    mean: f64,
}

/// A population of users, and what they ask.
pub(super) struct Traffic {
    shape: Shape,
    users: Vec<User>,
    /// Users by how much they ask: a request is of one of these.
    tickets: Vec<usize>,
}

impl Traffic {
    /// The users of so many looks.
    pub(super) fn new(shape: Shape, looks: u32, random: &mut Random) -> Traffic {
        let mut traffic = Traffic { shape, users: Vec::new(), tickets: Vec::new() };
        if shape.icc > 0.0 {
            for at in 0..(shape.requests * looks as usize).div_ceil(PER_USER) {
                traffic.users.push(shape.user(random));
                let tickets = random.unit().powf(-1.0 / TAIL).min(HEAVIEST) as usize;
                traffic.tickets.extend(std::iter::repeat_n(at, tickets));
            }
        }
        traffic
    }

    /// What a look sees: the canary, the control.
    pub(super) fn look(&self, random: &mut Random) -> [Arm; 2] {
        let mut arms = [empty(), empty()];
        let within = self.shape.sd * (1.0 - self.shape.icc).sqrt();
        for _ in 0..self.shape.requests {
            let user = self.user(random);
            let [canary, control] = &mut arms;
            let arm = if user.canary { canary } else { control };
            let logarithm = user.mean + within * random.normal();
            let replicate = if self.shape.told { user.replicate } else { random.below(REPLICATES) };
            arm.faults[0] += u64::from(random.happens(user.errs));
            if let Some(part) = arm.replicates.get_mut(replicate) {
                part.requests += 1;
                part.errors += u64::from(random.happens(user.errs));
                part.firsts += 1;
                part.log_sum += (logarithm * 1_000.0).round().max(0.0) as u64;
            }
            if let Some(count) = arm.first.get_mut(bucket(logarithm)) {
                *count += 1;
            }
        }
        arms
    }

    fn user(&self, random: &mut Random) -> User {
        let ticket = self.tickets.get(random.below(self.tickets.len()));
        match ticket.and_then(|at| self.users.get(*at)) {
            Some(user) => *user,
            None => self.shape.user(random),
        }
    }
}

impl Shape {
    /// A user errs never, or with one chance: it and how many do make both the rate p and the
    /// correlation, by q = icc·(1 − p) + p, of p/q of them.
    fn user(&self, random: &mut Random) -> User {
        let canary = random.happens(self.share);
        let rate = if canary { self.rate * self.errors } else { self.rate };
        let chance = self.icc * (1.0 - rate) + rate;
        let (errs, mean) = match self.icc > 0.0 {
            true => {
                let errs = if random.happens(rate / chance) { chance } else { 0.0 };
                (errs, MEDIAN + self.sd * self.icc.sqrt() * random.normal())
            }
            false => (rate, MEDIAN),
        };
        let mean = if canary { mean + self.latency.ln() } else { mean };
        User { canary, replicate: random.below(REPLICATES), errs, mean }
    }
}

fn empty() -> Arm {
    Arm {
        replicates: vec![Replicate::default(); REPLICATES],
        first: vec![0; BUCKETS],
        ..Arm::default()
    }
}

/// The bucket of a ln(microseconds).
fn bucket(logarithm: f64) -> usize {
    let edges = (logarithm - FIRST_EDGE) / (std::f64::consts::LN_2 / 4.0);
    (edges.ceil().max(0.0) as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_ratios_and_shares_are_as_asked() {
        for icc in [0.0, 0.2] {
            let shape = Shape {
                share: 0.25,
                rate: 0.02,
                errors: 2.0,
                sd: 0.8,
                latency: 0.9,
                icc,
                told: true,
                requests: 1_000,
            };
            let mut random = Random::of(5, 0, 0);
            let (mut sums, mut requests) = ([(0.0, 0.0); 2], [0.0; 2]);
            // Many populations: one of them is not to tell.
            for _ in 0..60 {
                let traffic = Traffic::new(shape, 10, &mut random);
                for _ in 0..10 {
                    for (at, arm) in traffic.look(&mut random).iter().enumerate() {
                        let logs: u64 = arm.replicates.iter().map(|part| part.log_sum).sum();
                        assert_eq!(arm.first.iter().sum::<u64>(), arm.requests());
                        requests[at] += arm.requests() as f64;
                        sums[at].0 += arm.errors() as f64;
                        sums[at].1 += logs as f64 / 1_000.0;
                    }
                }
            }
            let rate = |at: usize| sums[at].0 / requests[at];
            let mean = |at: usize| sums[at].1 / requests[at];
            assert!((requests[0] / (requests[0] + requests[1]) - 0.25).abs() < 0.02);
            assert!((rate(1) / 0.02 - 1.0).abs() < 0.15 && (rate(0) / 0.04 - 1.0).abs() < 0.15);
            assert!((mean(0) - mean(1) - 0.9_f64.ln()).abs() < 0.05);
        }
    }

    #[test]
    fn buckets_end_at_their_edges() {
        for (seconds, expected) in [(0.01, 0), (0.05, 0), (0.051, 1), (0.1, 4), (1e6, BUCKETS - 1)]
        {
            assert_eq!(bucket((seconds * 1e6_f64).ln() - 1e-9), expected, "{seconds}");
        }
    }
}
