//! Incident reports on disk: one of each as JSON and as Markdown, in a directory of the state's.
//! They are written once and then only grow; nothing here deletes them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::whole_file::replace;

/// How many are listed.
const LISTED: usize = 200;

/// The directory of the reports.
#[derive(Clone, Debug)]
pub struct Incidents {
    dir: PathBuf,
}

impl Incidents {
    /// The reports beside the state.
    pub fn new(state_dir: &Path) -> Incidents {
        Incidents { dir: state_dir.join("incidents") }
    }

    /// Writes a report, or writes it again once more is known.
    ///
    /// # Errors
    /// Where the files cannot be written.
    pub fn write(&self, id: &str, report: &str, markdown: &str) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        replace(&self.dir.join(format!("{id}.json")), report.as_bytes())?;
        replace(&self.dir.join(format!("{id}.md")), markdown.as_bytes())
    }

    /// What there is, the last first: id, trigger, severity, stage, times and failing hop of each.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn list(&self) -> io::Result<Vec<Value>> {
        let mut names: Vec<String> = Vec::new();
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            names.extend(name.strip_suffix(".json").map(str::to_owned));
        }
        // An id begins with its time.
        names.sort_unstable_by(|one, other| other.cmp(one));
        names.truncate(LISTED);
        Ok(names.into_iter().map(|id| self.entry(&id)).collect())
    }

    fn entry(&self, id: &str) -> Value {
        let report = self.read(&format!("{id}.json")).ok().flatten().unwrap_or_default();
        let report: Value = serde_json::from_str(&report).unwrap_or_default();
        let said = |key: &str| report[key].clone();
        json!({
            "id": id,
            "trigger": said("trigger"),
            "severity": said("severity"),
            "stage": said("stage"),
            "opened": said("opened"),
            "safe": said("safe"),
            "hop": said("attribution")["hop"].clone(),
        })
    }

    /// A report by the name of its file; `None` where there is none.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Option<String>> {
        // A name, never a path.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !name.chars().all(plain) || name.starts_with('.') {
            return Ok(None);
        }
        match fs::read_to_string(self.dir.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
