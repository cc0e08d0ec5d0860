//! From what instances counted to what a look sees: what each counted since the look before, summed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::observe::{Instance, Observations};
use super::plan::Millis;
use super::totals::{Totals, delta, fell};

/// An instance that is not named any more is expected for so long: as long as Prometheus remembers
/// one that it does not scrape.
pub const EXPECTED: Millis = 5 * 60_000;
/// So many that are not named any more are remembered at most.
pub const GONE: usize = 256;

/// One instance at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// How it is; of one that is down the totals say nothing.
    pub instance: Instance,
    /// What it counted since it began.
    pub totals: Totals,
    /// When it began, where it says so.
    pub began: Option<Millis>,
}

/// What every instance had counted by the look before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looks {
    /// When that was.
    at: Option<Millis>,
    seen: BTreeMap<String, Seen>,
}

/// What is known of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// As it was the last time that it was named.
    instance: Instance,
    /// When that was.
    at: Millis,
    /// What it had counted when it was up the last time.
    baseline: Option<Baseline>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Baseline {
    totals: Totals,
    began: Option<Millis>,
}

impl Looks {
    /// What is new since the look before, of data this old. Signals and exemplars are the caller's.
    pub fn look(&mut self, now: Millis, samples: Vec<Sample>, age: Option<Millis>) -> Observations {
        let mut seen = Observations { age, ..Observations::default() };
        // Every count is there, whoever is up.
        Totals::default().add_to(&mut seen);
        for sample in samples {
            if let Some(new) = self.take(now, sample) {
                new.add_to(&mut seen);
            }
        }
        self.forget(now);
        seen.instances = self.seen.values().map(|one| one.instance.clone()).collect();
        self.at = Some(now);
        seen
    }

    /// What is new of one instance.
    fn take(&mut self, now: Millis, sample: Sample) -> Option<Totals> {
        let Sample { mut instance, totals, began } = sample;
        let name = instance.name.clone();
        let before = self.seen.remove(&name).and_then(|seen| seen.baseline);
        let (new, baseline) = match before {
            before if !instance.up => (None, before),
            Some(before) => {
                let new = match before.began.zip(began) {
                    // It says so, even where it counts more by now.
                    Some((then, began)) if began > then => Some(totals.clone()),
                    // Of two servers that are asked in turn one is behind: it will have been seen.
                    Some((then, began)) if began < then => {
                        instance.up = false;
                        None
                    }
                    Some(_) if fell(&before.totals, &totals) => None,
                    _ => Some(delta(&before.totals, &totals)),
                };
                let baseline = if new.is_some() { Baseline { totals, began } } else { before };
                (new, Some(baseline))
            }
            None => {
                // Nobody looked before: what it counted may be of any time.
                let is_new = self.at.zip(began).is_some_and(|(at, began)| began > at);
                (is_new.then(|| totals.clone()), Some(Baseline { totals, began }))
            }
        };
        self.seen.insert(name, Seen { instance, at: now, baseline });
        new
    }

    /// What was not named this time is down, and forgotten after a while.
    fn forget(&mut self, now: Millis) {
        self.seen.retain(|_, seen| seen.at == now || seen.at.saturating_add(EXPECTED) > now);
        let mut gone: Vec<(Millis, String)> = Vec::new();
        for (name, seen) in self.seen.iter_mut().filter(|(_, seen)| seen.at != now) {
            seen.instance.up = false;
            gone.push((seen.at, name.clone()));
        }
        // The last to go are remembered.
        gone.sort_unstable();
        for (_, name) in gone.iter().rev().skip(GONE) {
            self.seen.remove(name);
        }
    }
}

#[cfg(test)]
mod tests;
