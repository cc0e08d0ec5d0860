//! `modegate rollout replay`

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use modegate_filters::rollout::audit::{Again, Entry, Record, Replay, Tip};
use serde_json::json;

use crate::cli::Failure;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The audit: audit.jsonl in rollout.state_dir, or those before it and it, in their order.
    #[arg(required = true)]
    audit: Vec<PathBuf>,
    /// Print only what is not as it was.
    #[arg(long)]
    quiet: bool,
    /// One JSON line for each record.
    #[arg(long)]
    json: bool,
}

impl ReplayArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut replay: Option<Replay> = None;
        let (mut records, mut differ) = (0_u64, 0_u64);
        for path in &self.audit {
            let file = File::open(path)
                .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
            for (number, line) in BufReader::new(file).lines().enumerate() {
                let line = line.map_err(|error| broken(path, number, &error))?;
                let replay = match &mut replay {
                    Some(replay) => replay,
                    None => replay.insert(from(&line).map_err(|e| broken(path, number, &e))?),
                };
                let (record, again) =
                    replay.next(&line).map_err(|error| broken(path, number, &error))?;
                records += 1;
                differ += u64::from(again == Again::Differs);
                self.show(&record, again);
            }
        }
        let phase = replay.as_ref().and_then(Replay::state).map(|state| state.phase.word());
        if !self.json {
            let ends = phase.unwrap_or("nothing");
            println!("{records} records, the chain is whole, it ends in {ends}");
        }
        match differ {
            0 => Ok(()),
            _ => Err(Failure::Failed(format!("{differ} of {records} are decided otherwise now"))),
        }
    }

    fn show(&self, record: &Record, again: Again) {
        let said = match again {
            Again::Began => "began",
            Again::BeganElsewhere => "began with another state than it ended with",
            Again::Same => "same",
            Again::Differs => "DIFFERS",
        };
        let notes: &[String] = match &record.entry {
            Entry::Begin { .. } => &[],
            Entry::Step { notes, .. } => notes,
        };
        let (sequence, at) = (record.sequence, record.at);
        if self.json {
            println!(
                "{}",
                json!({ "sequence": sequence, "at": at, "again": said, "notes": notes })
            );
        } else if again == Again::Differs
            || !(self.quiet || again == Again::Same && notes.is_empty())
        {
            let notes: Vec<String> =
                notes.iter().map(|note| note.escape_debug().to_string()).collect();
            println!("{sequence} {at} {said} {}", notes.join("; "));
        }
    }
}

/// A first record that follows others is taken at its word for those.
fn from(line: &str) -> Result<Replay, serde_json::Error> {
    let record: Record = serde_json::from_str(line)?;
    let sequence = record.sequence.saturating_sub(1);
    Ok(Replay::after(Tip { sequence, digest: record.previous }))
}

fn broken(path: &Path, number: usize, error: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("{}:{}: {error}", path.display(), number + 1))
}
