//! The flags document in a file that several writers may share: a write says which generation it
//! follows, and is refused where another came first. Readers see one document or the next, never a
//! part of one.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use modegate_config::Report;
use modegate_config::document::{DOCUMENT_LIMIT, Document};

use crate::whole_file::replace;

/// The file.
#[derive(Clone, Debug)]
pub struct DocumentFile {
    path: PathBuf,
}

/// Why a document was not read.
#[derive(Debug)]
pub enum ReadError {
    /// The file could not be read.
    Unreadable(io::Error),
    /// What it holds is no document.
    Invalid(Report),
}

/// Why a document was not written; the file is as it was.
#[derive(Debug)]
pub enum WriteError {
    /// Another writer came first, or what is there is not what was expected: its generation, 0 for
    /// no document.
    Conflict {
        /// What the writer expected.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The document does not go on from the one before: its generation is lower, or the same with
    /// more than a later lease.
    Backwards(u64),
    /// What is there is no document.
    Current(ReadError),
    /// The document to be written breaks its own rules.
    Invalid(Report),
    /// The directory cannot be written to, as that of a ConfigMap.
    ReadOnly(PathBuf),
    /// Anything else.
    Io(io::Error),
}

impl DocumentFile {
    /// The file at this path, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> DocumentFile {
        DocumentFile { path: path.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds; `None` where there is no file.
    ///
    /// # Errors
    /// Where it cannot be read, or is no document.
    pub fn read(&self) -> Result<Option<Document>, ReadError> {
        let text = match read_text(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ReadError::Unreadable(error)),
        };
        Document::parse(&text).map(Some).map_err(ReadError::Invalid)
    }

    /// Puts a document in the place of the one with the expected generation; 0 where there must be
    /// none. The same generation may be written again with a later lease and nothing else changed.
    /// When it returns, the document outlives a power cut.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write(&self, expected: u64, document: &Document) -> Result<(), WriteError> {
        let text = document.render();
        Document::parse(&text).map_err(WriteError::Invalid)?;
        // Held until it is dropped, and by a process no longer than it lives.
        let _turn = self.lock()?;
        let current = self.read().map_err(WriteError::Current)?;
        let found = current.as_ref().map_or(0, |document| document.generation);
        if found != expected {
            return Err(WriteError::Conflict { expected, found });
        }
        if !current.is_none_or(|current| follows(&current, document)) {
            return Err(WriteError::Backwards(document.generation));
        }
        self.put(&text)
    }

    /// Puts a document in the place of what is no document.
    ///
    /// # Errors
    /// See [`WriteError`]; a conflict where a document is there by now, or nothing.
    pub fn write_over(&self, document: &Document) -> Result<(), WriteError> {
        let text = document.render();
        Document::parse(&text).map_err(WriteError::Invalid)?;
        let _turn = self.lock()?;
        match self.read() {
            Err(ReadError::Invalid(_)) => self.put(&text),
            Err(error) => Err(WriteError::Current(error)),
            Ok(found) => {
                let found = found.map_or(0, |document| document.generation);
                Err(WriteError::Conflict { expected: 0, found })
            }
        }
    }

    fn put(&self, text: &str) -> Result<(), WriteError> {
        replace(&self.path, text.as_bytes()).map_err(|error| self.failed(error))
    }

    fn lock(&self) -> Result<File, WriteError> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = options.open(self.beside("lock")).map_err(|error| self.failed(error))?;
        file.lock().map_err(|error| self.failed(error))?;
        Ok(file)
    }

    fn failed(&self, error: io::Error) -> WriteError {
        match error.kind() {
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
                WriteError::ReadOnly(self.directory().to_owned())
            }
            _ => WriteError::Io(error),
        }
    }

    /// A hidden file in the same directory, so that a rename is one step.
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(self.path.file_name().unwrap_or_default());
        name.push(".");
        name.push(suffix);
        self.path.with_file_name(name)
    }

    fn directory(&self) -> &Path {
        directory(&self.path)
    }
}

/// The directory that a file is in.
pub(super) fn directory(path: &Path) -> &Path {
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

/// A document's text; one byte over the limit is enough to refuse it.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(DOCUMENT_LIMIT as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

/// Whether a document may come after another.
pub(super) fn follows(before: &Document, next: &Document) -> bool {
    next.generation > before.generation || before == next || renews(before, next)
}

/// Whether a document is another with a later lease.
pub(super) fn renews(before: &Document, next: &Document) -> bool {
    let later = before.lease_until.zip(next.lease_until).is_some_and(|(one, two)| two > one);
    later && *before == Document { lease_until: before.lease_until, ..next.clone() }
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReadError::Unreadable(error) => write!(f, "{error}"),
            ReadError::Invalid(report) => write!(f, "{report}"),
        }
    }
}

impl std::error::Error for ReadError {}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WriteError::Conflict { expected, found } => {
                write!(f, "generation {expected} was expected, and {found} is there")
            }
            WriteError::Backwards(generation) => {
                write!(f, "generation {generation} does not go on from the one that is there")
            }
            WriteError::Current(error) => write!(f, "what is there is no document: {error}"),
            WriteError::Invalid(report) => write!(f, "{report}"),
            WriteError::ReadOnly(directory) => write!(
                f,
                "{} cannot be written to; a ConfigMap's mount never can, its API must be used",
                directory.display()
            ),
            WriteError::Io(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for WriteError {}

#[cfg(test)]
mod tests;
