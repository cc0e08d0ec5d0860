//! What the controller keeps on disk: where the rollout is, and an audit that only grows. A step is
//! in the audit before anything is done about it, so that a process after a crash knows all that the
//! one before may have done.

mod whose;

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use modegate_filters::hex;
use modegate_filters::rollout::audit::{Broken, Entry, Record, Tip};
use modegate_filters::rollout::decide::{Decision, Input, decide};
use modegate_filters::rollout::looks::Looks;
use modegate_filters::rollout::plan::{Millis, Plan};
use modegate_filters::rollout::state::{State, VERSION};
use serde::{Deserialize, Serialize};

use crate::whole_file::replace;
pub use whose::Whose;

/// The audit that grows.
const AUDIT: &str = "audit.jsonl";
/// Where the rollout is.
const STATE: &str = "state.json";
/// The largest audit, in bytes; then another is begun, and this one kept under another name.
const AUDIT_LIMIT: u64 = 64 << 20;
/// The end of an audit that is looked through for what the state does not know yet: many lines.
const TAIL: u64 = 4 << 20;

/// The state, and the audit beside it.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    salt: String,
    audit: File,
    bytes: u64,
    tip: Tip,
    /// A step could not be written down: what follows does not go on from the last record.
    gap: bool,
    /// Another controller on this directory waits while this one lives.
    _alone: File,
}

/// What a controller before left.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    tip: Tip,
    #[serde(default)]
    salt: Option<String>,
    state: Option<State>,
    looks: Looks,
}

/// Why a journal was not opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it.
    Taken,
    /// A file cannot be read or written.
    Io(PathBuf, io::Error),
    /// What a file holds is no journal's, or not of this version.
    Unusable(PathBuf, String),
    /// It is another rollout's, and the one to be opened has none here.
    Anothers {
        /// The directory.
        dir: PathBuf,
        /// Whose it is.
        kept: Box<Whose>,
        /// Whose it was asked for as.
        asked: Box<Whose>,
    },
}

impl Journal {
    /// Opens a directory's journal, or begins one: also the state that it was left in, and the counts
    /// that its last look saw. A record that the state does not know of, because the process ended
    /// in between, is decided again.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing is changed then.
    pub fn open(
        dir: &Path,
        plan: &Plan,
        salt: &str,
    ) -> Result<(Journal, Option<State>, Looks), OpenError> {
        fs::create_dir_all(dir).map_err(|error| OpenError::Io(dir.to_owned(), error))?;
        let alone = lock(&dir.join("lock"))?;
        let saved = read_saved(&dir.join(STATE))?;
        let path = dir.join(AUDIT);
        let io = |error| OpenError::Io(path.clone(), error);
        let mut audit =
            OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(io)?;
        let (records, bytes) = newer(&path, &mut audit, &saved.tip)?;
        let Saved { mut tip, salt: kept, mut state, mut looks } = saved;
        let mut by = plan.clone();
        for (record, after) in records {
            match record.entry {
                Entry::Begin { plan, state: begun } => (by, state) = (plan, Some(begun)),
                Entry::Step { input, .. } => {
                    state = state.map(|state| decide(&by, &state, &input).state);
                }
            }
            // What that look saw is counted already; how far is not known.
            (tip, looks) = (after, Looks::default());
        }
        let asked = Whose::new(plan, salt);
        let kept = state.as_ref().and_then(|state| Whose::of(state, kept.as_deref()));
        if let Some(kept) = kept.filter(|kept| !kept.is(&asked)) {
            let (kept, asked) = (Box::new(kept), Box::new(asked));
            return Err(OpenError::Anothers { dir: dir.to_owned(), kept, asked });
        }
        let (dir, salt) = (dir.to_owned(), salt.to_owned());
        let journal = Journal { dir, salt, audit, bytes, tip, gap: false, _alone: alone };
        Ok((journal, state, looks))
    }

    /// Writes down that a controller begins.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin(&mut self, at: Millis, plan: &Plan, state: &State) -> io::Result<()> {
        self.push(at, Entry::Begin { plan: plan.clone(), state: state.clone() })
    }

    /// Writes a step down.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn step(
        &mut self,
        (plan, state): (&Plan, &State),
        input: &Input,
        decision: &Decision,
    ) -> io::Result<()> {
        if self.bytes >= AUDIT_LIMIT {
            self.rotate()?;
            self.gap = true;
        }
        if self.gap {
            self.begin(input.at, plan, state)?;
            self.gap = false;
        }
        let written = self.push(input.at, Entry::step(input, decision));
        self.gap = written.is_err();
        written
    }

    /// Saves the state, as it is after the last record.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn save(&self, state: &State, looks: &Looks) -> io::Result<()> {
        let (tip, salt) = (self.tip.clone(), Some(self.salt.clone()));
        let saved = Saved { tip, salt, state: Some(state.clone()), looks: looks.clone() };
        replace(&self.dir.join(STATE), serde_json::to_string(&saved)?.as_bytes())
    }

    fn push(&mut self, at: Millis, entry: Entry) -> io::Result<()> {
        let (mut line, tip) = self.tip.append(at, entry)?;
        line.push('\n');
        let written = self.audit.write_all(line.as_bytes()).and_then(|()| self.audit.sync_data());
        if let Err(error) = written {
            // A part of a line would make the next one unreadable.
            let _ = self.audit.set_len(self.bytes);
            return Err(error);
        }
        self.bytes += line.len() as u64;
        self.tip = tip;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let path = self.dir.join(AUDIT);
        fs::rename(&path, self.dir.join(format!("audit-{:010}.jsonl", self.tip.sequence)))?;
        self.audit = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
        self.bytes = 0;
        File::open(&self.dir)?.sync_all()
    }
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let io = |error| OpenError::Io(path.to_owned(), error);
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Taken),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

fn read_saved(path: &Path) -> Result<Saved, OpenError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Saved::default()),
        Err(error) => return Err(OpenError::Io(path.to_owned(), error)),
    };
    let unusable = |why: String| OpenError::Unusable(path.to_owned(), why);
    let saved: Saved = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    match saved.state.as_ref().is_none_or(|state| state.version == VERSION) {
        true => Ok(saved),
        false => Err(unusable(format!("it is not of version {VERSION}"))),
    }
}

/// Records, each with where the chain ends behind it.
type Records = Vec<(Record, Tip)>;

/// The records behind the one that the state knows of, and how long the audit is. A last line that
/// was begun and never ended is taken away: nothing was done about it.
fn newer(path: &Path, audit: &mut File, known: &Tip) -> Result<(Records, u64), OpenError> {
    let io = |error| OpenError::Io(path.to_owned(), error);
    let unusable = |why: String| OpenError::Unusable(path.to_owned(), why);
    let length = audit.metadata().map_err(io)?.len();
    let from = length.saturating_sub(TAIL);
    audit.seek(SeekFrom::Start(from)).map_err(io)?;
    let mut bytes = Vec::new();
    audit.take(TAIL).read_to_end(&mut bytes).map_err(io)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    // The tail may begin within a character.
    let text = String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default());
    let lines: Vec<&str> = text.lines().collect();
    let records = behind(&lines, known).map_err(unusable)?;
    let length = from + whole as u64;
    audit.set_len(length).map_err(io)?;
    Ok((records, length))
}

fn behind(lines: &[&str], known: &Tip) -> Result<Records, String> {
    // From the last line backwards to the first that follows what is known.
    let follows = |line: &&&str| {
        serde_json::from_str::<Link>(line).is_ok_and(|link| link.previous == known.digest)
    };
    let Some(first) = lines.iter().rev().position(|line| follows(&line)) else {
        return match lines.last() {
            // It was begun anew when the one before was full.
            None => Ok(Vec::new()),
            Some(last) if hex::sha256(last.as_bytes()) == known.digest => Ok(Vec::new()),
            Some(_) => Err(format!("it does not go on from record {} of {STATE}", known.sequence)),
        };
    };
    let mut tip = known.clone();
    let mut records = Vec::new();
    for line in lines.get(lines.len() - 1 - first..).unwrap_or_default() {
        let (record, next) = tip.read(line).map_err(|broken: Broken| broken.to_string())?;
        tip = next.clone();
        records.push((record, next));
    }
    Ok(records)
}

/// What of a line says where it belongs.
#[derive(Deserialize)]
struct Link {
    previous: String,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Taken => f.write_str("another process runs the rollout"),
            OpenError::Io(path, error) => write!(f, "{}: {error}", path.display()),
            OpenError::Unusable(path, why) => write!(f, "{}: {why}", path.display()),
            OpenError::Anothers { dir, kept, asked } => write!(
                f,
                "{} is the state of {kept}, and this is {asked}: a new rollout needs a state_dir of its \
                 own; to go on with the one before, give it its id and salt back",
                dir.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {}

#[cfg(test)]
mod tests;
