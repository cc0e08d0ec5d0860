//! Takes the document of a file over whenever it changes.

use std::path::PathBuf;

use modegate_config::Document;

use super::document_file::read_text;
use super::documents::Layer;
use super::store::Store;
use super::watched::{Seen, Watched};

/// The file of the flags document, as last looked at.
#[derive(Debug)]
pub struct DocumentSource {
    path: PathBuf,
    looked: Option<Seen>,
    judged: Option<Seen>,
}

impl DocumentSource {
    /// The file at this path, not looked at yet.
    pub fn new(path: PathBuf) -> DocumentSource {
        DocumentSource { path, looked: None, judged: None }
    }

    /// Takes the document over if it changed. One that is gone, torn or wrong leaves the one before
    /// in force.
    pub fn look(&mut self, store: &Store) {
        let read = read_text(&self.path);
        let seen = Seen::of(&read);
        let before = self.looked.replace(seen);
        if seen.may_be_swap(before) || self.judged == Some(seen) {
            return;
        }
        self.judged = Some(seen);
        let failed = |error: String| {
            store.document_failed(Layer::File, format!("{}: {error}", self.path.display()));
        };
        match read.map_err(|error| error.to_string()) {
            Err(error) => failed(error),
            Ok(text) => match Document::parse(&text) {
                Err(report) => failed(report.to_string()),
                // What only the layers below do not allow yet is tried again at every look.
                Ok(document) => {
                    if store.take_document(Layer::File, document, false).is_err() {
                        self.judged = None;
                    }
                }
            },
        }
    }

    /// Watches the file until the task is dropped.
    pub async fn watch(mut self, store: &Store) {
        let mut watched = Watched::new(&self.path);
        loop {
            self.look(store);
            watched.change().await;
        }
    }
}

#[cfg(test)]
mod tests;
