//! What is wrong with a configuration: every fault with its place, what was found there and what
//! is allowed. It does not decide what is a fault.

use std::error::Error;
use std::fmt;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The key as a TOML path, `listener[1].upstream` (lists count from 0), or the name of an
    /// environment variable; empty where the text is not TOML.
    pub path: String,
    /// The line in the file, from 1; `None` for what is absent or not from a file.
    pub line: Option<usize>,
    /// The column in the line, from 1 in characters; only where the text is not TOML.
    pub column: Option<usize>,
    /// What stands there.
    pub found: String,
    /// What may stand there.
    pub allowed: String,
    /// The known key nearest to an unknown one.
    pub nearest: Option<String>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "not TOML" } else { &self.path };
        match (self.line, self.column) {
            (Some(line), Some(column)) => writeln!(f, "{path} (line {line}, column {column})")?,
            (Some(line), None) => writeln!(f, "{path} (line {line})")?,
            (None, _) => writeln!(f, "{path}")?,
        }
        writeln!(f, "  found: {}", self.found)?;
        write!(f, "  allowed: {}", self.allowed)?;
        match &self.nearest {
            Some(nearest) => write!(f, "\n  nearest: {nearest}"),
            None => Ok(()),
        }
    }
}

/// Every fault of a configuration, in the file's order; those without a line come last.
///
/// Its text is stable: a block of lines for each fault, `path (line n)`, then `found`, `allowed`
/// and perhaps `nearest`, each indented by two spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(Vec<Invalid>);

impl Report {
    /// A report of these faults; `None` where there are none.
    pub(crate) fn of(mut faults: Vec<Invalid>) -> Option<Report> {
        faults.sort_by_key(|fault| fault.line.unwrap_or(usize::MAX));
        (!faults.is_empty()).then_some(Report(faults))
    }

    /// A report of one fault.
    pub(crate) fn single(fault: Invalid) -> Report {
        Report(vec![fault])
    }

    /// The faults, at least one.
    pub fn faults(&self) -> &[Invalid] {
        &self.0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.0.iter().enumerate() {
            let gap = if place == 0 { "" } else { "\n" };
            write!(f, "{gap}{fault}")?;
        }
        Ok(())
    }
}

impl Error for Report {}
