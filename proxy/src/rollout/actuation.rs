//! What the machine desires, and what the flags document says: the one made of the other, here in
//! this process and in the file that others read.

use std::sync::Arc;

use modegate_config::Document;
use modegate_config::flags::{Flag, FlagLayer, fold};
use modegate_filters::bucket::Share;
use modegate_filters::rollout::state::Desired;

use crate::flags::{DocumentFile, Layer, ReadError, Store};

/// Where the flags go.
#[derive(Debug)]
pub struct Actuation {
    /// Names the rollout in the document.
    pub rollout: String,
    /// The document that sidecars take over.
    pub file: DocumentFile,
    /// The flags of this process, where the rollout is of it alone.
    pub store: Option<Arc<Store>>,
}

impl Actuation {
    /// What the document says; `None` where there is none, or it cannot be read.
    pub fn found(&self) -> Option<Desired> {
        self.file.read().ok().flatten().map(|document| desired(&document))
    }

    /// Has the file's document in force in this process. One that it cannot take over leaves what it
    /// has, and is said in `GET /flags`.
    pub fn follow(&self) {
        self.follow_as(|document| document);
    }

    /// The same of another rollout's document, of which nobody is exposed.
    pub fn follow_unexposed(&self) {
        self.follow_as(unexposed);
    }

    fn follow_as(&self, taken: fn(Document) -> Document) {
        let Some(store) = &self.store else { return };
        match self.file.read() {
            Ok(None) => {}
            // What is wrong with it the store says.
            Ok(Some(document)) => {
                drop(store.take_document(Layer::File, taken(document), false));
            }
            Err(error) => {
                let path = self.file.path().display();
                store.document_failed(Layer::File, format!("{path}: {error}"));
            }
        }
    }

    /// Has the document say what is desired. What takes exposure away does so here first, whatever
    /// becomes of the file; what gives some is in the file before anybody is exposed.
    ///
    /// # Errors
    /// What could not be written or taken over, in words.
    pub fn actuate(&self, wanted: &Desired) -> Result<(), String> {
        let current = self.file.read();
        let before = current.as_ref().ok().and_then(Option::as_ref).map(desired);
        let document = self.document(wanted);
        if exposes_nobody_else(before.as_ref(), wanted) {
            let here = self.take(&document);
            return self.write(current, &document).and(here);
        }
        self.write(current, &document)?;
        self.take(&document)
    }

    /// What sidecars that ask are told.
    ///
    /// # Errors
    /// Where the file cannot be read, and what is wanted exposes somebody, in words.
    pub fn served(&self, wanted: Option<&Desired>) -> Result<Option<Document>, String> {
        let found = self.file.read();
        let before = found.as_ref().ok().and_then(Option::as_ref).map(desired);
        let safer = wanted.filter(|wanted| {
            before.is_none_or(|before| before.generation < wanted.generation)
                && exposes_nobody_else(before.as_ref(), wanted)
        });
        match safer {
            Some(wanted) => Ok(Some(self.document(wanted))),
            None => found.map_err(|error| error.to_string()),
        }
    }

    /// What sidecars that ask are told of another rollout's document.
    ///
    /// # Errors
    /// Where the file cannot be read, in words.
    pub fn served_unexposed(&self) -> Result<Option<Document>, String> {
        let found = self.file.read().map_err(|error| error.to_string())?;
        Ok(found.map(unexposed))
    }

    fn take(&self, document: &Document) -> Result<(), String> {
        let Some(store) = &self.store else { return Ok(()) };
        let taken = store.take_document(Layer::File, document.clone(), false);
        taken.map(drop).map_err(|unfit| unfit.to_string())
    }

    fn write(
        &self,
        current: Result<Option<Document>, ReadError>,
        document: &Document,
    ) -> Result<(), String> {
        let written = match current {
            Ok(current) if current.as_ref() == Some(document) => return Ok(()),
            Ok(current) => {
                self.file.write(current.map_or(0, |current| current.generation), document)
            }
            // What no sidecar can read holds no rollback up.
            Err(ReadError::Invalid(_)) => self.file.write_over(document),
            Err(error) => return Err(format!("{}: {error}", self.file.path().display())),
        };
        written.map_err(|error| format!("{}: {error}", self.file.path().display()))
    }

    fn document(&self, desired: &Desired) -> Document {
        let mut flags = FlagLayer::default();
        for flag in Flag::ALL {
            flags.set(flag, flag.of(&desired.flags));
        }
        Document {
            generation: desired.generation,
            flags,
            share: Some(desired.share),
            lease_until: desired.lease_until,
            rollout: Some(self.rollout.clone()),
        }
    }
}

/// What a document says, for the machine: what it says nothing of is off.
fn desired(document: &Document) -> Desired {
    Desired {
        generation: document.generation,
        flags: fold(std::iter::once(&document.flags)),
        share: document.share.unwrap_or(Share::NONE),
        lease_until: document.lease_until,
    }
}

/// A document that keeps what is safe: contract and kill as they are, and nobody in fast mode.
fn unexposed(document: Document) -> Document {
    let mut flags = document.flags;
    flags.set(Flag::Runtime, false);
    flags.set(Flag::Ui, false);
    Document { flags, share: Some(Share::NONE), lease_until: None, ..document }
}

/// Whether a document exposes nobody whom the one before, if any, did not.
pub fn exposes_nobody_else(before: Option<&Desired>, after: &Desired) -> bool {
    let same_flags_for_fewer =
        |before: &Desired| before.flags == after.flags && after.share <= before.share;
    !after.is_exposed() || before.is_some_and(same_flags_for_fewer)
}

#[cfg(test)]
mod tests {
    use modegate_filters::decide::Flags;

    use super::*;

    #[test]
    fn a_document_says_all_that_is_desired() {
        let file = DocumentFile::new("none.json");
        let actuation = Actuation { rollout: "r".to_owned(), file, store: None };
        for flags in [
            Flags::default(),
            Flags { contract: true, runtime: true, ui: true, ..Flags::default() },
            Flags { contract: true, kill: true, ..Flags::default() },
        ] {
            for lease_until in [None, Some(5)] {
                let share = Share::from_percent(0.5).unwrap();
                let wanted = Desired { generation: 7, flags, share, lease_until };
                let text = actuation.document(&wanted).render();
                assert_eq!(desired(&Document::parse(&text).unwrap()), wanted);
            }
        }
    }
}
