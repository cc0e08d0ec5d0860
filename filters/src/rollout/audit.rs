//! The audit's records: one line of JSON each, with the digest of the line before it, so that no line
//! is changed or left out unseen. A record holds all that a step went by, and the digest of what was
//! decided: deciding again must give the same to the bit.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::decide::{Decision, Input, decide};
use super::plan::{Millis, Plan};
use super::state::State;
use crate::hex;

/// What the first record has for the digest of the line before.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Counts the records from 1.
    pub sequence: u64,
    /// When.
    pub at: Millis,
    /// SHA-256 of the line before, without its end, in hexadecimal; zeros for none.
    pub previous: String,
    /// What it records.
    pub entry: Entry,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "written and read one at a time")]
pub enum Entry {
    /// A controller begins, or a file does, from this plan and state.
    Begin {
        /// The plan.
        plan: Plan,
        /// The state.
        state: State,
    },
    /// A step, from the state of the record before.
    Step {
        /// What it went by: what was seen, ordered and signalled.
        input: Input,
        /// What happened, in words.
        notes: Vec<String>,
        /// SHA-256 of the decision, see [`digest`].
        decision: String,
    },
}

impl Entry {
    /// The record of a step.
    pub fn step(input: &Input, decision: &Decision) -> Entry {
        Entry::Step {
            input: input.clone(),
            notes: decision.notes.clone(),
            decision: digest(decision),
        }
    }
}

/// SHA-256 of a decision's JSON text, in hexadecimal: equal exactly where decisions are, floats to
/// their last bit.
pub fn digest(decision: &Decision) -> String {
    // There is nothing in a decision that JSON has no form for.
    hex::sha256(serde_json::to_string(decision).unwrap_or_default().as_bytes())
}

/// Where a chain ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// The last record's number; 0 for none.
    pub sequence: u64,
    /// The last line's digest.
    pub digest: String,
}

impl Default for Tip {
    fn default() -> Tip {
        Tip { sequence: 0, digest: NOTHING.to_owned() }
    }
}

impl Tip {
    /// The next line, without its end, and where the chain ends then.
    ///
    /// # Errors
    /// What of the entry JSON has no form for.
    pub fn append(&self, at: Millis, entry: Entry) -> Result<(String, Tip), serde_json::Error> {
        let sequence = self.sequence.saturating_add(1);
        let record = Record { sequence, at, previous: self.digest.clone(), entry };
        let line = serde_json::to_string(&record)?;
        let digest = hex::sha256(line.as_bytes());
        Ok((line, Tip { sequence, digest }))
    }

    /// Reads the next line.
    ///
    /// # Errors
    /// What is wrong with the line, or with the chain.
    pub fn read(&self, line: &str) -> Result<(Record, Tip), Broken> {
        let record: Record =
            serde_json::from_str(line).map_err(|error| Broken::Unreadable(error.to_string()))?;
        if record.previous != self.digest || record.sequence != self.sequence.saturating_add(1) {
            return Err(Broken::Chain { after: self.sequence, found: record.sequence });
        }
        let tip = Tip { sequence: record.sequence, digest: hex::sha256(line.as_bytes()) };
        Ok((record, tip))
    }
}

/// What is wrong with an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A line is no record.
    Unreadable(String),
    /// A line does not follow the one before.
    Chain {
        /// The record before.
        after: u64,
        /// The one that was found.
        found: u64,
    },
    /// A step before anything began.
    Headless,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Unreadable(error) => write!(f, "no record: {error}"),
            Broken::Chain { after, found } => write!(
                f,
                "record {found} does not follow record {after}: a line was changed, lost or moved"
            ),
            Broken::Headless => f.write_str("a step before anything began"),
        }
    }
}

impl std::error::Error for Broken {}

/// Decides a chain of records again.
#[derive(Debug, Default)]
pub struct Replay {
    tip: Tip,
    from: Option<(Plan, State)>,
}

/// What deciding a record again gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// A controller began where the one before ended.
    Began,
    /// A controller began with another state than the one before ended with.
    BeganElsewhere,
    /// The same decision.
    Same,
    /// Another one: the program is not the one that wrote it.
    Differs,
}

impl Replay {
    /// A replay that goes on behind this record: what comes before it is not there to be read.
    pub fn after(tip: Tip) -> Replay {
        Replay { tip, from: None }
    }

    /// Reads the next line and decides it again.
    ///
    /// # Errors
    /// What is wrong with the line, or with the chain.
    pub fn next(&mut self, line: &str) -> Result<(Record, Again), Broken> {
        let (record, tip) = self.tip.read(line)?;
        self.tip = tip;
        let again = match &record.entry {
            Entry::Begin { plan, state } => {
                let before = self.from.replace((plan.clone(), state.clone()));
                match before.is_none_or(|(_, before)| before == *state) {
                    true => Again::Began,
                    false => Again::BeganElsewhere,
                }
            }
            Entry::Step { input, decision, .. } => {
                let (plan, state) = self.from.as_mut().ok_or(Broken::Headless)?;
                let decided = decide(plan, state, input);
                let same = digest(&decided) == *decision;
                *state = decided.state;
                if same { Again::Same } else { Again::Differs }
            }
        };
        Ok((record, again))
    }

    /// Where the rollout is after the records so far; `None` before anything began.
    pub fn state(&self) -> Option<&State> {
        self.from.as_ref().map(|(_, state)| state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::decide::{Command, Verb};

    fn lines() -> Vec<String> {
        let plan = Plan::default_plan("r");
        let mut state = State::new(&plan, 3, 0);
        let mut tip = Tip::default();
        let mut lines = Vec::new();
        let mut push = |at, entry| {
            let (line, next) = tip.append(at, entry).unwrap();
            tip = next;
            lines.push(line);
        };
        push(0, Entry::Begin { plan: plan.clone(), state: state.clone() });
        for at in 1..4 {
            let start =
                Command { verb: Verb::Start, actor: "ann".to_owned(), reason: "go".to_owned() };
            let commands = if at == 2 { vec![start] } else { Vec::new() };
            let input = Input { at, commands, ..Input::default() };
            let decision = decide(&plan, &state, &input);
            push(at, Entry::step(&input, &decision));
            state = decision.state;
        }
        push(9, Entry::Begin { plan, state });
        lines
    }

    #[test]
    fn a_chain_is_decided_again() {
        let mut replay = Replay::default();
        let again: Vec<_> = lines().iter().map(|line| replay.next(line).unwrap().1).collect();
        let same = Again::Same;
        assert_eq!(again, [Again::Began, same, same, same, Again::Began]);
        assert_eq!(replay.state().unwrap().desired.generation, 4);
    }

    #[test]
    fn what_was_changed_lost_or_moved_shows() {
        let whole = lines();
        let mut edited = whole.clone();
        edited[2] = edited[2].replacen("ann", "bob", 1);
        let mut lost = whole.clone();
        lost.remove(1);
        let mut moved = whole.clone();
        moved.swap(1, 2);
        for broken in [edited, lost, moved] {
            let mut replay = Replay::default();
            assert!(broken.iter().any(|line| replay.next(line).is_err()));
        }
        assert!(Replay::default().next("{}").is_err());
        assert!(Replay::default().next(&whole[1]).is_err());
    }

    #[test]
    fn a_last_line_that_was_changed_shows_as_another_decision() {
        let mut whole = lines();
        whole.truncate(3);
        whole[2] = whole[2].replacen("ann", "bob", 1);
        let mut replay = Replay::default();
        let again: Vec<_> = whole.iter().map(|line| replay.next(line).unwrap().1).collect();
        assert_eq!(again, [Again::Began, Again::Same, Again::Differs]);
    }

    #[test]
    fn a_state_from_elsewhere_shows() {
        let (plan, lines) = (Plan::default_plan("r"), lines());
        let mut replay = Replay::default();
        let mut tip = Tip::default();
        for line in &lines {
            tip = tip.read(line).unwrap().1;
            replay.next(line).unwrap();
        }
        let state = State::new(&plan, 0, 0);
        let (line, _) = tip.append(10, Entry::Begin { plan, state }).unwrap();
        assert_eq!(replay.next(&line).unwrap().1, Again::BeganElsewhere);
    }
}
