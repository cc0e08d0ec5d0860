//! What is counted of parity, by leg.

use std::fmt::Error;
use std::sync::atomic::AtomicU64;

use modegate_filters::parity::{Means, Verdict};
use modegate_filters::route::Leg;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::names;
use super::scrape::{NoLabels, family, load, signed};
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
        let mut verdicts = family(encoder, names::PARITY, MetricType::Counter)?;
        for (leg, verdict) in kinds() {
            let set = [("leg", leg.word()), ("verdict", verdict.word())];
            let count = self.count(parity, leg, verdict);
            verdicts.encode_family(&set)?.encode_counter::<NoLabels, _, f64>(&count, None)?;
        }
        let mut joins = family(encoder, names::PARITY_JOINS, MetricType::Counter)?;
        for leg in [Leg::Bridge, Leg::Runtime] {
            for means in Means::ALL {
                let set = [("leg", leg.word()), ("means", means.word())];
                let count = self.joins(leg, means).map_or(0, load);
                joins.encode_family(&set)?.encode_counter::<NoLabels, _, f64>(&count, None)?;
            }
        }
        let mut enforced = family(encoder, names::PARITY_ENFORCED, MetricType::Counter)?;
        for (kind, word) in ENFORCED {
            let count = self.enforced(kind).map_or(0, load);
            let set = [("action", word)];
            enforced.encode_family(&set)?.encode_counter::<NoLabels, _, f64>(&count, None)?;
        }
        let mut contamination = family(encoder, names::CONTAMINATION, MetricType::Counter)?;
        for leg in Leg::ALL {
            for (source, word) in SOURCES {
                let set = [("leg", leg.word()), ("source", word)];
                let count = self.contamination(leg, source).map_or(0, load);
                contamination
                    .encode_family(&set)?
                    .encode_counter::<NoLabels, _, f64>(&count, None)?;
            }
        }
        encode_tables(encoder, parity)
    }

    /// How often a verdict was given.
    pub fn count(&self, parity: &Parity, leg: Leg, verdict: Verdict) -> u64 {
        match (verdict, parity.of(leg)) {
            (Verdict::Unclaimed, Some(table)) => load(&table.unclaimed),
            _ => self.verdicts(leg, verdict).map_or(0, load),
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
    let size = |leg| parity.of(leg).map_or((0, 0), |table| table.size());
    let mut records = family(encoder, names::PARITY_RECORDS, MetricType::Gauge)?;
    for leg in legs {
        let value = signed(size(leg).0 as u64);
        records.encode_family(&[("leg", leg.word())])?.encode_gauge(&value)?;
    }
    let mut bytes = family(encoder, names::PARITY_BYTES, MetricType::Gauge)?;
    for leg in legs {
        let value = signed(size(leg).1 as u64);
        bytes.encode_family(&[("leg", leg.word())])?.encode_gauge(&value)?;
    }
    let mut dropped = family(encoder, names::PARITY_DROPPED, MetricType::Counter)?;
    for leg in legs {
        let table = parity.of(leg);
        let counts = [
            ("records", table.map_or(0, |table| load(&table.dropped.records))),
            ("bytes", table.map_or(0, |table| load(&table.dropped.bytes))),
        ];
        for (bound, count) in counts {
            let set = [("leg", leg.word()), ("bound", bound)];
            dropped.encode_family(&set)?.encode_counter::<NoLabels, _, f64>(&count, None)?;
        }
    }
    Ok(())
}
