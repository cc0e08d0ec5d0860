//! Every layer at one moment, and what they give together. A later one goes before an earlier:
//! configuration file, environment, document, remote document, breaker and lease, overrides.

use std::sync::Arc;
use std::time::SystemTime;

use modegate_config::flags::{Broken, Flag, FlagLayer, check, fold};
use modegate_filters::bucket::Share;
use modegate_filters::decide::Flags;
use modegate_filters::rollout::observe::Breaker;

use super::documents::{Layer, Taken};
use super::overrides::Overrides;
use super::snapshot::Settings;

/// The layers.
#[derive(Clone, Debug)]
pub(super) struct Layers {
    /// The configuration's settings, its share among them.
    pub(super) settings: Arc<Settings>,
    pub(super) file: FlagLayer,
    pub(super) environment: FlagLayer,
    pub(super) documents: [Option<Taken>; Layer::ALL.len()],
    /// Why what a document's place holds now was not taken over.
    pub(super) errors: [Option<String>; Layer::ALL.len()],
    pub(super) breaker: Option<Opened>,
    pub(super) overrides: Overrides,
}

/// A breaker that is open.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// What opened it.
    pub cause: Breaker,
    /// When.
    pub at: SystemTime,
}

impl Layers {
    pub(super) fn new(settings: Arc<Settings>, file: FlagLayer, environment: FlagLayer) -> Layers {
        Layers {
            settings,
            file,
            environment,
            documents: [None, None],
            errors: [None, None],
            breaker: None,
            overrides: Overrides::default(),
        }
    }

    /// What each layer says, the lowest first, by its name.
    pub(super) fn said(&self) -> [(&'static str, FlagLayer); 7] {
        let [document, remote] = Layer::ALL.map(|layer| {
            let taken = self.document(layer);
            (layer.word(), taken.map(Taken::flags).unwrap_or_default())
        });
        [
            ("file", self.file.clone()),
            ("environment", self.environment.clone()),
            document,
            remote,
            ("lease", off(self.lapsed())),
            ("breaker", off(self.breaker.is_some())),
            ("override", self.overrides.layer()),
        ]
    }

    fn fold(&self) -> Flags {
        let said = self.said();
        fold(said.iter().map(|(_, layer)| layer))
    }

    /// Whether a flag is on by hand.
    pub(super) fn holds_on(&self, flag: Flag) -> bool {
        self.overrides.get(flag).is_some_and(|set| set.value)
    }

    /// Whether the flags keep the rules among themselves.
    pub(super) fn check(&self) -> Result<(), Broken> {
        check(&self.fold())
    }

    /// Whether the configuration file and the environment keep them.
    pub(super) fn check_base(&self) -> Result<(), Broken> {
        check(&fold([&self.file, &self.environment].into_iter()))
    }

    /// Whether they are kept up to a document's layer. Kill is taken from a document whatever else
    /// is wrong with it there.
    pub(super) fn check_up_to(&self, layer: Layer) -> Result<(), Broken> {
        let said = self.said();
        let last = said.iter().position(|(name, _)| *name == layer.word()).unwrap_or_default();
        let flags = fold(said.iter().take(last + 1).map(|(_, layer)| layer));
        if flags.kill { Ok(()) } else { check(&flags) }
    }

    /// The flags as they take effect: what lacks what it needs is off. The end of an override, or
    /// a new file under one, can leave it so.
    pub(super) fn flags(&self) -> Flags {
        let folded = self.fold();
        let runtime = folded.runtime && folded.contract;
        Flags { runtime, ui: folded.ui && runtime, ..folded }
    }

    /// What each layer says of the share, the lowest first.
    pub(super) fn shares(&self) -> [(&'static str, Option<Share>); 5] {
        let file = self.settings.policy.canary().share;
        let mut below = file;
        let [document, remote] = Layer::ALL.map(|layer| {
            let taken = self.document(layer).filter(|taken| taken.document.share.is_some());
            let said = taken.map(|taken| taken.share(below));
            below = said.unwrap_or(below);
            (layer.word(), said)
        });
        [
            ("file", Some(file)),
            document,
            remote,
            ("lease", self.lapsed().then_some(Share::NONE)),
            ("breaker", self.breaker.map(|_| Share::NONE)),
        ]
    }

    /// The share as it takes effect, and the layer that decided.
    pub(super) fn share(&self) -> (&'static str, Share) {
        let said = self.shares().into_iter().rev().find_map(|(name, share)| Some((name, share?)));
        said.unwrap_or(("file", Share::NONE))
    }

    pub(super) fn document(&self, layer: Layer) -> Option<&Taken> {
        self.documents.get(layer as usize)?.as_ref()
    }

    pub(super) fn document_mut(&mut self, layer: Layer) -> Option<&mut Option<Taken>> {
        self.documents.get_mut(layer as usize)
    }

    /// The document that governs: the highest that there is.
    pub(super) fn governing(&self) -> Option<&Taken> {
        Layer::ALL.into_iter().rev().find_map(|layer| self.document(layer))
    }

    /// Whether the lease of the document that governs is over.
    pub(super) fn lapsed(&self) -> bool {
        self.governing().is_some_and(|taken| taken.lapsed)
    }
}

/// What the layers say that a sidecar switches off by itself.
fn off(is_off: bool) -> FlagLayer {
    let mut layer = FlagLayer::default();
    if is_off {
        layer.set(Flag::Runtime, false);
        layer.set(Flag::Ui, false);
    }
    layer
}
