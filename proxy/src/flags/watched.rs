//! When to look at a file again, and whether a look saw something else than the one before.
//!
//! The directory is watched, not the file, and the file is also looked at every few seconds: a
//! Kubernetes ConfigMap swaps a symlink, and some mounts give no events at all.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::document_file::directory;

/// How often the file is looked at without an event.
const POLL: Duration = Duration::from_secs(2);
/// How long events are gathered: a swap is several.
const SETTLE: Duration = Duration::from_millis(100);

/// A file whose changes are waited for.
pub(super) struct Watched {
    changed: mpsc::Receiver<()>,
    watcher: notify::Result<RecommendedWatcher>,
}

impl Watched {
    /// Watches a file, which need not exist.
    pub(super) fn new(path: &Path) -> Watched {
        let (events, changed) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading the file is an event too, and none of interest.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                // One pending event says all.
                let _ = events.try_send(());
            }
        });
        let directory = directory(path);
        let watcher = watcher.and_then(|mut watcher| {
            watcher.watch(directory, RecursiveMode::NonRecursive).map(|()| watcher)
        });
        if let Err(error) = &watcher {
            let directory = directory.display();
            tracing::warn!(%error, %directory, "no events for a directory; it is polled only");
        }
        Watched { changed, watcher }
    }

    /// Returns when the file may have changed.
    pub(super) async fn change(&mut self) {
        tokio::select! {
            _ = self.changed.recv(), if self.watcher.is_ok() => {
                // Let a swap of several steps come to its end.
                tokio::time::sleep(SETTLE).await;
            }
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// What a look at a file saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// A text with this hash.
    Text(u64),
    /// No text.
    Unreadable(ErrorKind),
}

impl Seen {
    pub(super) fn of(read: &io::Result<String>) -> Seen {
        match read {
            Ok(text) => Seen::text(text),
            Err(error) => Seen::Unreadable(error.kind()),
        }
    }

    pub(super) fn text(text: &str) -> Seen {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Seen::Text(hasher.finish())
    }

    /// Whether it may be a swap in progress: a file that is gone is said at the second look.
    pub(super) fn may_be_swap(self, before: Option<Seen>) -> bool {
        self == Seen::Unreadable(ErrorKind::NotFound) && before != Some(self)
    }
}
