//! What the layers say, for people to look at: of every flag, of the share, of every document.

use std::sync::Arc;
use std::time::SystemTime;

use modegate_config::Document;
use modegate_config::flags::{Flag, FlagLayer};
use modegate_filters::bucket::Share;

use super::documents::{Freshness, Layer};
use super::layers::{Layers, Opened};
use super::overrides::Override;
use super::snapshot::Snapshot;

/// Everything, of one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// The snapshot in force.
    pub snapshot: Arc<Snapshot>,
    /// Every flag.
    pub flags: Vec<FlagView>,
    /// The layer that decided on the share, and what each says of it, the lowest first.
    pub share: (&'static str, [(&'static str, Option<Share>); 5]),
    /// The documents' places.
    pub documents: [DocumentView; Layer::ALL.len()],
    /// The breaker, where it is open.
    pub breaker: Option<Opened>,
}

/// One flag: its value, and what each layer says.
#[derive(Clone, Debug)]
pub struct FlagView {
    /// The flag.
    pub flag: Flag,
    /// Its value in the snapshot.
    pub value: bool,
    /// The layer that decided, `default` where none did.
    pub layer: &'static str,
    /// What each layer says, the lowest first.
    pub said: [(&'static str, Option<bool>); 7],
    /// The override in force.
    pub override_: Option<Override>,
}

/// What came from one place.
#[derive(Clone, Debug)]
pub struct DocumentView {
    /// The place.
    pub layer: Layer,
    /// The document in force.
    pub taken: Option<TakenView>,
    /// Why what the place holds now was not taken over.
    pub error: Option<String>,
}

/// A document in force.
#[derive(Clone, Debug)]
pub struct TakenView {
    /// The document.
    pub document: Document,
    /// The digest of its text, in hexadecimal.
    pub sha256: String,
    /// When it was taken over.
    pub at: SystemTime,
    /// How fresh it is.
    pub freshness: Freshness,
    /// Whether its lease is over.
    pub lapsed: bool,
}

impl View {
    pub(super) fn new(snapshot: Arc<Snapshot>, layers: &Layers) -> View {
        let said = layers.said();
        let flag = |flag| FlagView::new(flag, &snapshot, &said, layers);
        View {
            flags: Flag::ALL.into_iter().map(flag).collect(),
            share: (layers.share().0, layers.shares()),
            documents: Layer::ALL.map(|layer| DocumentView {
                layer,
                taken: layers.document(layer).map(|taken| TakenView {
                    document: taken.document.clone(),
                    sha256: taken.sha256.clone(),
                    at: taken.at,
                    freshness: taken.freshness,
                    lapsed: taken.lapsed,
                }),
                error: layers.errors.get(layer as usize).cloned().flatten(),
            }),
            breaker: layers.breaker,
            snapshot,
        }
    }
}

impl DocumentView {
    /// The generation of the document in force; 0 for none.
    pub fn generation(&self) -> u64 {
        self.taken.as_ref().map_or(0, |taken| taken.document.generation)
    }

    /// Whether its lease is over.
    pub fn is_lapsed(&self) -> bool {
        self.taken.as_ref().is_some_and(|taken| taken.lapsed)
    }
}

impl FlagView {
    fn new(
        flag: Flag,
        snapshot: &Snapshot,
        said: &[(&'static str, FlagLayer); 7],
        layers: &Layers,
    ) -> FlagView {
        let value = flag.of(&snapshot.flags);
        let said = said.each_ref().map(|(name, layer)| (*name, layer.get(flag)));
        // The highest layer that says the value: for `kill`, any layer that says yes.
        let decided = said.iter().rev().find(|(_, said)| *said == Some(value));
        let layer = decided.map_or("default", |(name, _)| name);
        let override_ = layers.overrides.get(flag).cloned();
        FlagView { flag, value, layer, said, override_ }
    }
}
