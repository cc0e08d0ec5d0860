//! One instance's series, made into what it counted. Every series that there is from the start has to
//! be there: what is missing is not zero.

use std::collections::HashMap;

use modegate_filters::bucket::Cohort;
use modegate_filters::parity::Verdict;
use modegate_filters::rollout::looks::Sample;
use modegate_filters::rollout::observe::{
    Arm, Breaker, Fault, Hop, Instance, REPLICATES, Replicate, Side,
};
use modegate_filters::rollout::totals::Totals;
use modegate_filters::route::Leg;

use super::answer::{Native, Series};
use crate::metrics::names::{self, Name};
use crate::metrics::{Outcome, add_verdict, edges, kinds, micros};

/// What is told apart by labels: the family, how its samples' names end, and the labels.
const FAMILIES: [(Name, &str, &[&str]); 14] = [
    (names::ROLLOUT_REQUESTS, "_total", &["cohort", "replicate"]),
    (names::ROLLOUT_ERRORS, "_total", &["cohort", "replicate"]),
    (names::ROLLOUT_FIRSTS, "_total", &["cohort", "replicate"]),
    (names::ROLLOUT_FIRST_LOG_SUM, "_total", &["cohort", "replicate"]),
    (names::ROLLOUT_FAULTS, "_total", &["cohort", "fault"]),
    (names::ROLLOUT_FAST_LEFT, "_total", &[]),
    (names::ROLLOUT_FIRST, "_bucket", &["cohort", "le"]),
    (names::ROLLOUT_FIRST, "", &["cohort"]),
    (names::PARITY, "_total", &["leg", "verdict"]),
    (names::CONTAMINATION, "_total", &["leg", "source"]),
    (names::DOCUMENT_GENERATION, "", &["layer"]),
    (names::BREAKER_OPEN, "", &["cause"]),
    (names::FLAG_OVERRIDE, "", &["name"]),
    (names::START_TIME, "", &[]),
];
/// What is summed by leg and side.
const SIDES: [(Name, &str); 4] = [
    (names::REQUESTS, "_total"),
    (names::FIRST_BYTE, "_count"),
    (names::FIRST_BYTE, "_sum"),
    (names::FIRST_BYTE, ""),
];
const CANARY: &str = "canary";
const CONTROL: &str = "control";

/// The names that are asked for.
pub fn names() -> Vec<String> {
    let families = FAMILIES.iter().map(|((name, _), end, _)| format!("{name}{end}"));
    families.chain(SIDES.iter().map(|((name, _), end)| format!("{name}{end}"))).collect()
}

/// What an instance that is up says.
///
/// # Errors
/// Which series is missing, there twice, or no count.
pub fn sample(name: &str, series: &[Series]) -> Result<Sample, String> {
    let cells = Cells::of(series)?;
    let [canary, control] = [Cohort::Canary, Cohort::Control].map(|cohort| cells.arm(cohort));
    let [frontend, bridge, runtime] = Leg::ALL.map(|leg| cells.hop(leg));
    let mut breaker = None;
    for cause in Breaker::ALL {
        if cells.count(names::BREAKER_OPEN, "", &[cause.word()])? > 0 {
            breaker = Some(cause);
        }
    }
    let instance = Instance {
        name: name.to_owned(),
        up: true,
        generation: cells.highest(names::DOCUMENT_GENERATION)?,
        breaker,
        overridden: cells.highest(names::FLAG_OVERRIDE)? > 0,
    };
    let totals = Totals {
        canary: canary?,
        control: control?,
        hops: [frontend?, bridge?, runtime?],
        fast_left: cells.count(names::ROLLOUT_FAST_LEFT, "_total", &[])?,
    };
    let began = cells.number(names::START_TIME, "", &[])?;
    Ok(Sample { instance, totals, began: Some((began * 1000.0).round() as u64) })
}

/// The values by name and labels.
#[derive(Debug, Default)]
struct Cells<'s> {
    values: HashMap<String, f64>,
    /// By cohort.
    native: HashMap<&'s str, &'s Native>,
}

impl<'s> Cells<'s> {
    fn of(series: &'s [Series]) -> Result<Cells<'s>, String> {
        // What was not read has the default mode, whatever that is called.
        let unread = series.iter().find(|one| {
            one.label("__name__") == format!("{}_total", names::REQUESTS.0)
                && one.label("dialect") == "none"
        });
        let unread = unread.ok_or_else(|| format!("no {}_total", names::REQUESTS.0))?;
        let (default, mut cells) = (unread.label("mode"), Cells::default());
        for one in series {
            let name = one.label("__name__");
            let is = |family: &Name, end: &str| name.strip_suffix(end) == Some(family.0);
            if let Some((family, end, keys)) = FAMILIES.iter().find(|(f, end, _)| is(f, end)) {
                cells.put(one, family, end, keys)?;
            } else if let Some((family, end)) = SIDES.iter().find(|(f, end)| is(f, end)) {
                cells.add(one, family, end, default)?;
            }
        }
        Ok(cells)
    }

    fn put(
        &mut self,
        one: &'s Series,
        name: &Name,
        end: &str,
        keys: &[&str],
    ) -> Result<(), String> {
        let twice = |key: &str| format!("{key} is there twice");
        if let Some((_, native)) = &one.histogram {
            let cohort = one.label("cohort");
            return match self.native.insert(cohort, native) {
                None => Ok(()),
                Some(_) => Err(twice(&key(*name, end, &[cohort]))),
            };
        }
        let words = keys.iter().map(|label| match *label {
            "le" => edge(one.label("le")),
            label => one.label(label).to_owned(),
        });
        let words: Vec<String> = words.collect();
        let key = key(*name, end, &words.iter().map(String::as_str).collect::<Vec<_>>());
        let value = one.number().ok_or_else(|| format!("{key} is no number"))?;
        match self.values.insert(key.clone(), value) {
            None => Ok(()),
            Some(_) => Err(twice(&key)),
        }
    }

    fn add(&mut self, one: &Series, name: &Name, end: &str, default: &str) -> Result<(), String> {
        let side = match (one.label("mode") == default, one.label("cohort")) {
            (false, _) => CANARY,
            (true, "control") => CONTROL,
            (true, _) => return Ok(()),
        };
        let leg = one.label("leg");
        let mut add = |end: &str, words: &[&str], value: f64| {
            *self.values.entry(key(*name, end, words)).or_default() += value;
        };
        let number = |text: &str| {
            text.parse::<f64>().map_err(|_| format!("{} is no number: {text}", name.0))
        };
        match (&one.value, &one.histogram) {
            (_, Some((_, native))) => {
                add("_count", &[leg, side], number(&native.count)?);
                add("_sum", &[leg, side], micros(number(&native.sum)?) as f64);
            }
            (Some((_, value)), None) => match end {
                "_sum" => add(end, &[leg, side], micros(number(value)?) as f64),
                "_count" => add(end, &[leg, side], number(value)?),
                _ => add(end, &[leg, side, one.label("outcome")], number(value)?),
            },
            (None, None) => return Err(format!("{} has no value", name.0)),
        }
        Ok(())
    }

    fn arm(&self, cohort: Cohort) -> Result<Arm, String> {
        let word = cohort.word();
        let replicates = (0..REPLICATES).map(|at| {
            let at = at.to_string();
            let of = |name| self.count(name, "_total", &[word, &at]);
            Ok(Replicate {
                requests: of(names::ROLLOUT_REQUESTS)?,
                errors: of(names::ROLLOUT_ERRORS)?,
                firsts: of(names::ROLLOUT_FIRSTS)?,
                log_sum: of(names::ROLLOUT_FIRST_LOG_SUM)?,
            })
        });
        let mut faults = [0; Fault::ALL.len()];
        for (count, fault) in faults.iter_mut().zip(Fault::ALL) {
            *count = self.count(names::ROLLOUT_FAULTS, "_total", &[word, fault.word()])?;
        }
        let first = match self.native.get(word) {
            Some(native) if !self.is_classic(word) => classic(native)?,
            _ => self.buckets(word)?,
        };
        Ok(Arm { replicates: replicates.collect::<Result<_, String>>()?, first, faults })
    }

    fn is_classic(&self, cohort: &str) -> bool {
        self.values.contains_key(&key(names::ROLLOUT_FIRST, "_bucket", &[cohort, "inf"]))
    }

    /// The count of each bucket, of those up to each edge.
    fn buckets(&self, cohort: &str) -> Result<Vec<u64>, String> {
        let mut before = 0;
        let bucket = |upper: f64| {
            let edge = upper.to_string();
            let up_to = self.count(names::ROLLOUT_FIRST, "_bucket", &[cohort, &edge])?;
            let within = up_to.checked_sub(std::mem::replace(&mut before, up_to));
            within.ok_or_else(|| format!("{}: fewer up to {edge}", names::ROLLOUT_FIRST.0))
        };
        edges().map(bucket).collect()
    }

    fn hop(&self, leg: Leg) -> Result<Hop, String> {
        let leg_word = leg.word();
        let side = |side: &str| {
            let mut sum = Side {
                answered: self.count(names::FIRST_BYTE, "_count", &[leg_word, side])?,
                first_byte_sum: self.count(names::FIRST_BYTE, "_sum", &[leg_word, side])?,
                ..Side::default()
            };
            for outcome in Outcome::ALL {
                let words = [leg_word, side, outcome.word()];
                let count = self.count(names::REQUESTS, "_total", &words)?;
                sum.requests += count;
                sum.errors += if outcome.is_of_upstream() { count } else { 0 };
            }
            Ok::<Side, String>(sum)
        };
        let mut hop = Hop { canary: side(CANARY)?, control: side(CONTROL)?, ..Hop::default() };
        for (_, verdict) in kinds().filter(|(of, _)| *of == leg) {
            let count = self.count(names::PARITY, "_total", &[leg_word, verdict.word()])?;
            if verdict != Verdict::Unclaimed {
                add_verdict(&mut hop, verdict, count);
            }
        }
        for source in ["request", "answer"] {
            hop.contamination += self.count(names::CONTAMINATION, "_total", &[leg_word, source])?;
        }
        Ok(hop)
    }

    /// The highest of a family, of which there is at least one.
    fn highest(&self, name: Name) -> Result<u64, String> {
        let of_it = self.values.iter().filter(|(key, _)| key.split(' ').next() == Some(name.0));
        let highest = of_it.map(|(_, value)| *value).reduce(f64::max);
        whole(highest.ok_or_else(|| format!("no {}", name.0))?, name.0)
    }

    fn count(&self, name: Name, end: &str, words: &[&str]) -> Result<u64, String> {
        let key = key(name, end, words);
        whole(self.at(&key)?, &key)
    }

    fn number(&self, name: Name, end: &str, words: &[&str]) -> Result<f64, String> {
        self.at(&key(name, end, words))
    }

    fn at(&self, key: &str) -> Result<f64, String> {
        self.values.get(key).copied().ok_or_else(|| format!("no {key}"))
    }
}

fn key((name, _): Name, end: &str, words: &[&str]) -> String {
    let mut key = format!("{name}{end}");
    for word in words {
        key.push(' ');
        key.push_str(word);
    }
    key
}

/// An edge as we write it, whoever wrote it: `1`, `1.0`, `+Inf`.
fn edge(text: &str) -> String {
    text.parse::<f64>().map_or_else(|_| text.to_owned(), |edge| edge.to_string())
}

/// A count is a whole number that a float holds exactly.
fn whole(value: f64, key: &str) -> Result<u64, String> {
    let is_whole = value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value);
    is_whole.then_some(value as u64).ok_or_else(|| format!("{key} is no count: {value}"))
}

/// Of a native histogram each bucket goes where its middle is: it is half as wide as ours.
fn classic(native: &Native) -> Result<Vec<u64>, String> {
    let uppers: Vec<f64> = edges().collect();
    let mut buckets = vec![0; uppers.len()];
    let number = |text: &str| {
        text.parse::<f64>().map_err(|_| format!("{} is no number: {text}", names::ROLLOUT_FIRST.0))
    };
    for (_, lower, upper, count) in &native.buckets {
        let (lower, upper) = (number(lower)?, number(upper)?);
        let middle = if lower > 0.0 { (lower * upper).sqrt() } else { upper / 2.0 };
        let at = uppers.partition_point(|edge| *edge < middle);
        if let Some(bucket) = buckets.get_mut(at) {
            *bucket += whole(number(count)?, names::ROLLOUT_FIRST.0)?;
        }
    }
    Ok(buckets)
}
