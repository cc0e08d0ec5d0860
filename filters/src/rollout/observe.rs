//! What a look sees: counts since the look before, summed over every instance, and how the
//! instances are. Integers only, so that it can be written down and read back exactly.

use serde::{Deserialize, Serialize};

use super::plan::Millis;
use crate::bucket::RANKS;

/// How many parts the keys of an arm are split in, by a hash of their own, to see how much users
/// differ: the design effect of errors and the variance of latencies come from it.
pub const REPLICATES: usize = 20;

/// How many buckets the first event's histogram has: edges at 0.05 s · 2^(k/4) for k from 0 to 41,
/// and one above.
pub const BUCKETS: usize = 43;

/// The part that a bucket rank is in, 0 to [`REPLICATES`] - 1: a finaliser (splitmix64, Steele and
/// others 2014) makes it independent of the threshold that told the cohort.
pub fn replicate(rank: u64) -> usize {
    let mut mixed = (rank % RANKS).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) % REPLICATES as u64) as usize
}

/// What went wrong with an answer that was no critical error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It said nothing.
    Empty,
    /// It said `(no response)`, which the API server writes for nothing.
    NoResponse,
    /// It ended without the event that ends it.
    Truncated,
    /// An error in an answer whose status was 200, after its first piece.
    HiddenError,
    /// The same text in the same room came again within the parity window.
    Repeated,
}

impl Fault {
    /// Every fault, in the order of the metrics' labels.
    pub const ALL: [Fault; 5] =
        [Fault::Empty, Fault::NoResponse, Fault::Truncated, Fault::HiddenError, Fault::Repeated];

    /// The word that metrics and reports use.
    pub fn word(self) -> &'static str {
        match self {
            Fault::Empty => "empty",
            Fault::NoResponse => "no_response",
            Fault::Truncated => "truncated",
            Fault::HiddenError => "hidden_error",
            Fault::Repeated => "repeated",
        }
    }
}

/// Counts of one part of an arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicate {
    /// Eligible requests that ended.
    pub requests: u64,
    /// Of them, critical errors.
    pub errors: u64,
    /// First events.
    pub firsts: u64,
    /// The sum over first events of round(1000 · ln(microseconds)), each at least 0.
    pub log_sum: u64,
}

/// One side of the comparison: eligible requests of the frontend leg, that is messages that asked
/// for a mode other than the default while contract and runtime were on, and whose cohort their rank
/// told (neither allow nor deny list, and no missing key).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// By replicate.
    pub replicates: Vec<Replicate>,
    /// First events by bucket, [`BUCKETS`] of them.
    pub first: Vec<u64>,
    /// Answers with a fault, in the order of [`Fault::ALL`].
    pub faults: [u64; Fault::ALL.len()],
}

impl Arm {
    /// Eligible requests that ended.
    pub fn requests(&self) -> u64 {
        self.replicates.iter().map(|part| part.requests).sum()
    }

    /// Critical errors among them: 5xx or no answer from the upstream, a stream cut or an error
    /// before its first piece.
    pub fn errors(&self) -> u64 {
        self.replicates.iter().map(|part| part.errors).sum()
    }

    /// Answers with a fault of any kind.
    pub fn faulty(&self) -> u64 {
        self.faults.iter().sum()
    }
}

/// What one leg saw of the canary and of the control, for finding the hop that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Messages that ended.
    pub requests: u64,
    /// Of them 5xx, unavailable, or cut by the upstream.
    pub errors: u64,
    /// First bytes seen.
    pub answered: u64,
    /// The sum of the times to them, in microseconds.
    pub first_byte_sum: u64,
}

/// What one leg saw. On a frontend leg, parity is what the upstream acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Messages in a mode other than the default.
    pub canary: Side,
    /// Messages of the control cohort.
    pub control: Side,
    /// Messages that were joined to the leg before.
    pub joined: u64,
    /// Messages that were not, though they are messages.
    pub unobserved: u64,
    /// Mismatches of mode: missing, altered, invented.
    pub mode_mismatches: u64,
    /// Mismatches of room: missing.
    pub room_mismatches: u64,
    /// Another room's request or answer.
    pub contamination: u64,
    /// Answers that acknowledged another mode than the one that left.
    pub ack_altered: u64,
    /// Answers that acknowledged it.
    pub ack_match: u64,
}

impl Hop {
    /// Messages whose mode or room did not survive the hop before.
    pub fn mismatches(&self) -> u64 {
        self.mode_mismatches + self.room_mismatches
    }
}

/// The legs in order: frontend, bridge, runtime.
pub const HOPS: usize = 3;

/// How one instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name: its address, or `self`.
    pub name: String,
    /// Whether it answers.
    pub up: bool,
    /// The generation of the flags document that it has in force; 0 for none.
    pub generation: u64,
    /// Why its local breaker is open, if it is.
    pub breaker: Option<Breaker>,
    /// Whether somebody holds a flag by hand there.
    pub overridden: bool,
}

/// Why a sidecar switched fast mode off by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// Another room's request or answer.
    Contamination,
    /// A confirmed mismatch of mode.
    Mismatch,
    /// Far more errors than the control has.
    Errors,
}

impl Breaker {
    /// Every cause, in the order of the metrics' labels.
    pub const ALL: [Breaker; 3] = [Breaker::Contamination, Breaker::Mismatch, Breaker::Errors];

    /// The word that metrics and reports use.
    pub fn word(self) -> &'static str {
        match self {
            Breaker::Contamination => "contamination",
            Breaker::Mismatch => "mismatch",
            Breaker::Errors => "errors",
        }
    }
}

/// What somebody else says of the answers' quality, or an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// What it says.
    pub verdict: SignalVerdict,
    /// Who says it.
    pub source: String,
    /// Why.
    pub reason: String,
    /// Where the evidence is.
    pub evidence: Option<String>,
    /// Until when an attestation is good.
    pub expires: Option<Millis>,
}

/// What a signal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalVerdict {
    /// A severe fault of quality or safety: rolls back.
    Severe,
    /// Quality was looked at and is good: stands in for the quality gate until it expires.
    Attested,
}

/// Everything that one look saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observations {
    /// The canary.
    pub canary: Arm,
    /// The control, at the same time.
    pub control: Arm,
    /// Frontend, bridge, runtime.
    pub hops: [Hop; HOPS],
    /// Requests that left in a mode other than the default, whatever their cohort, counted as they
    /// left.
    pub fast_left: u64,
    /// Every instance that there should be.
    pub instances: Vec<Instance>,
    /// How old the newest data is; `None` where there is none.
    pub age: Option<Millis>,
    /// What was signalled since the step before.
    pub signals: Vec<Signal>,
    /// Digests of the traces of mismatches, contaminations and errors, newest last; at most ten.
    pub exemplars: Vec<Exemplar>,
}

impl Observations {
    /// What somebody says is severe, if anybody does.
    pub fn severe(&self) -> Option<&Signal> {
        severe(&self.signals)
    }
}

/// The first of these that says severe.
pub fn severe<'a>(signals: impl IntoIterator<Item = &'a Signal>) -> Option<&'a Signal> {
    signals.into_iter().find(|signal| signal.verdict == SignalVerdict::Severe)
}

/// A request that shows what went wrong; rooms by digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemplar {
    /// When.
    pub at: Millis,
    /// On which leg.
    pub leg: String,
    /// The verdict's word.
    pub what: String,
    /// Expected and found, modes or digests of rooms.
    pub expected: String,
    /// See `expected`.
    pub found: String,
    /// The request's id there.
    pub request_id: String,
    /// The id of the trace that it is part of.
    pub trace_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicates_are_even_and_independent_of_the_rank() {
        let mut counts = [[0_u32; REPLICATES]; 2];
        for at in 0..200_000_u64 {
            let rank = at * (RANKS / 200_000);
            counts[usize::from(at >= 2_000)][replicate(rank)] += 1;
        }
        // Of the lowest one percent too: 100 each on average, five standard deviations.
        assert!(counts[0].iter().all(|count| (50..=150).contains(count)), "{:?}", counts[0]);
        assert!(counts[1].iter().all(|count| (9_400..=10_400).contains(count)), "{:?}", counts[1]);
    }
}
