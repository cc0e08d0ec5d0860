//! What is counted of parity, by leg.

use std::fmt::Error;
use std::sync::atomic::AtomicU64;

use modegate_filters::parity::{Means, Verdict};
use modegate_filters::route::Leg;
use prometheus_client::encoding::DescriptorEncoder;

use super::scrape::{counters, gauges};
use super::{names, read};
use crate::parity::Parity;

/// What is done about a mismatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforced {
    /// The request, or its answer, was refused.
    Reject,
    /// What was let through was put back.
    Repair,
}

/// Where another room showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a request.
    Request,
    /// In an answer.
    Answer,
}

const ENFORCED: [(Enforced, &str); 2] =
    [(Enforced::Reject, "reject"), (Enforced::Repair, "repair")];
const SOURCES: [(Source, &str); 2] = [(Source::Request, "request"), (Source::Answer, "answer")];

/// The counts of one leg.
#[derive(Debug)]
struct Counts {
    verdicts: [AtomicU64; Verdict::ALL.len()],
    joins: [AtomicU64; Means::ALL.len()],
    contamination: [AtomicU64; SOURCES.len()],
}

/// The counts of all legs.
#[derive(Debug)]
pub struct ParityCounts {
    legs: [Counts; 3],
    enforced: [AtomicU64; ENFORCED.len()],
}

impl ParityCounts {
    /// All at zero.
    pub fn new() -> ParityCounts {
        let counts = || Counts {
            verdicts: [const { AtomicU64::new(0) }; Verdict::ALL.len()],
            joins: [const { AtomicU64::new(0) }; Means::ALL.len()],
            contamination: Default::default(),
        };
        ParityCounts { legs: [counts(), counts(), counts()], enforced: Default::default() }
    }

    /// The counter of a verdict.
    pub fn verdicts(&self, leg: Leg, verdict: Verdict) -> Option<&AtomicU64> {
        self.leg(leg).verdicts.get(verdict as usize)
    }

    /// The counter of what requests were found by.
    pub fn joins(&self, leg: Leg, means: Means) -> Option<&AtomicU64> {
        self.leg(leg).joins.get(means as usize)
    }

    /// The counter of other rooms.
    pub fn contamination(&self, leg: Leg, source: Source) -> Option<&AtomicU64> {
        self.leg(leg).contamination.get(source as usize)
    }

    /// The counter of what was done about mismatches.
    pub fn enforced(&self, enforced: Enforced) -> Option<&AtomicU64> {
        self.enforced.get(enforced as usize)
    }

    fn leg(&self, leg: Leg) -> &Counts {
        let [frontend, bridge, runtime] = &self.legs;
        match leg {
            Leg::Frontend => frontend,
            Leg::Bridge => bridge,
            Leg::Runtime => runtime,
        }
    }

    /// Writes them, and the tables' sizes.
    pub fn encode(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        parity: &Parity,
    ) -> Result<(), Error> {
        let verdicts = kinds().map(|(leg, verdict)| {
            let set = [("leg", leg.word()), ("verdict", verdict.word())];
            (set, self.count(parity, leg, verdict))
        });
        counters(encoder, names::PARITY, verdicts)?;
        let joins = [Leg::Bridge, Leg::Runtime].into_iter().flat_map(|leg| {
            Means::ALL.into_iter().map(move |means| {
                ([("leg", leg.word()), ("means", means.word())], read(self.joins(leg, means)))
            })
        });
        counters(encoder, names::PARITY_JOINS, joins)?;
        let enforced = ENFORCED.into_iter();
        let enforced = enforced.map(|(kind, word)| ([("action", word)], read(self.enforced(kind))));
        counters(encoder, names::PARITY_ENFORCED, enforced)?;
        let contamination = Leg::ALL.into_iter().flat_map(|leg| {
            SOURCES.into_iter().map(move |(source, word)| {
                ([("leg", leg.word()), ("source", word)], read(self.contamination(leg, source)))
            })
        });
        counters(encoder, names::CONTAMINATION, contamination)?;
        encode_tables(encoder, parity)
    }

    /// How often a verdict was given.
    pub fn count(&self, parity: &Parity, leg: Leg, verdict: Verdict) -> u64 {
        match (verdict, parity.of(leg)) {
            (Verdict::Unclaimed, Some(table)) => read(Some(&table.unclaimed)),
            _ => read(self.verdicts(leg, verdict)),
        }
    }
}

impl Default for ParityCounts {
    fn default() -> ParityCounts {
        ParityCounts::new()
    }
}

/// The verdicts that each leg can give.
pub fn kinds() -> impl Iterator<Item = (Leg, Verdict)> {
    let gives = |leg, verdict| match (leg, verdict) {
        (Leg::Runtime, Verdict::Unclaimed) => false,
        (
            Leg::Frontend,
            Verdict::Unclaimed | Verdict::AckMatch | Verdict::AckAltered | Verdict::AckUnobserved,
        ) => true,
        (Leg::Frontend, _) => false,
        _ => true,
    };
    Leg::ALL.into_iter().flat_map(move |leg| {
        Verdict::ALL.into_iter().filter(move |verdict| gives(leg, *verdict)).map(move |v| (leg, v))
    })
}

fn encode_tables(encoder: &mut DescriptorEncoder<'_>, parity: &Parity) -> Result<(), Error> {
    let legs = [Leg::Frontend, Leg::Bridge];
    let of = |leg: Leg| {
        let (records, bytes) = parity.of(leg).map_or((0, 0), |table| table.size());
        ([("leg", leg.word())], records as u64, bytes as u64)
    };
    let sizes = legs.map(of);
    gauges(encoder, names::PARITY_RECORDS, sizes.into_iter().map(|(set, size, _)| (set, size)))?;
    gauges(encoder, names::PARITY_BYTES, sizes.into_iter().map(|(set, _, size)| (set, size)))?;
    let dropped = legs.into_iter().flat_map(|leg| {
        let dropped = parity.of(leg).map(|table| &table.dropped);
        let bounds = [
            ("records", read(dropped.map(|dropped| &dropped.records))),
            ("bytes", read(dropped.map(|dropped| &dropped.bytes))),
        ];
        bounds.map(|(bound, count)| ([("leg", leg.word()), ("bound", bound)], count))
    });
    counters(encoder, names::PARITY_DROPPED, dropped)
}
