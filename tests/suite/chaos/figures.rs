//! What a run came to, in figures.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::ask::Load;
use super::client::{Protocol, Seen};
use super::field::{Field, Held, Side};
use crate::harness::{Fault, Tally};

/// What the clients saw.
#[derive(Debug, Default)]
pub struct Figures {
    /// Answers and their absence, by kind.
    pub seen: BTreeMap<String, usize>,
    /// Which load, over which protocol, met which fault on which side.
    pub cells: HashSet<(Protocol, Fault, Side, Load)>,
    /// What must not be.
    pub wrong: Vec<String>,
}

impl Figures {
    /// Counts what became of a request.
    pub fn count(&mut self, seen: &Seen) {
        let kind = match seen {
            Seen::Whole { status: 200, .. } => "200, whole".to_owned(),
            Seen::Whole { status, .. } => status.to_string(),
            Seen::Cut { .. } => "cut".to_owned(),
            Seen::Nothing(why) => format!("no answer: {why:?}").to_lowercase(),
        };
        *self.seen.entry(kind).or_default() += 1;
    }

    /// Adds another's.
    pub fn add(&mut self, other: Figures) {
        for (kind, count) in other.seen {
            *self.seen.entry(kind).or_default() += count;
        }
        self.cells.extend(other.cells);
        self.wrong.extend(other.wrong);
    }
}

/// The figures of a whole run, for people.
pub struct Report<'f> {
    pub figures: &'f Figures,
    pub field: &'f Field,
    pub rounds: usize,
    pub seed: u64,
    pub start: Held,
    /// After each round.
    pub rests: &'f [Held],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = self.figures;
        writeln!(f, "rounds: {}, first seed: {}", self.rounds, self.seed)?;
        let requests: usize = figures.seen.values().sum();
        writeln!(f, "requests: {requests}, what the clients saw of them:")?;
        for (kind, count) in &figures.seen {
            writeln!(f, "  {kind:22}{count:9}")?;
        }
        self.field.origin.ledger(|ledger| {
            writeln!(f, "at the origin: {}, cut off: {}", ledger.requests(), ledger.cut)
        })?;
        injected(f, "between clients and modegate", &self.field.before)?;
        injected(f, "between modegate and origin", &self.field.behind)?;
        writeln!(f, "violations: {}", figures.wrong.len())?;
        let mut held = |when: &str, held: &Held| {
            let (descriptors, memory) = (held.descriptors, held.memory);
            writeln!(f, "{when}: {descriptors} descriptors, {memory} KiB")
        };
        held("at the start", &self.start)?;
        for (at, when) in [(0, "after round 1"), (1, "after round 2")] {
            self.rests.get(at).map_or(Ok(()), |rest| held(when, rest))?;
        }
        self.rests.last().map_or(Ok(()), |rest| held("at the end", rest))
    }
}

fn injected(f: &mut fmt::Formatter<'_>, place: &str, tally: &Tally) -> fmt::Result {
    writeln!(f, "injected {place}:")?;
    for (fault, count) in tally.counts() {
        let unit = if fault.is_lossless() { "pieces" } else { "connections" };
        writeln!(f, "  {:22}{count:9} {unit}", format!("{fault:?}"))?;
    }
    Ok(())
}
