//! The documents in force, one for each place that they come from: which one may follow which, and
//! what one says once its lease or its source is over.

use std::fmt;
use std::time::SystemTime;

use modegate_config::Document;
use modegate_config::flags::{Broken, Flag, FlagLayer};
use modegate_filters::bucket::Share;
use modegate_filters::hex;

use super::document_file::renews;
use crate::moment::milliseconds;

/// Where a document comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The file of `flag_sources.file`, or the controller inside this process.
    File,
    /// The service of `flag_sources.remote`.
    Remote,
}

impl Layer {
    /// Both, in the order of precedence and of the metrics' labels.
    pub const ALL: [Layer; 2] = [Layer::File, Layer::Remote];

    /// The word that the admin API and metrics use; `file` is the configuration file there.
    pub fn word(self) -> &'static str {
        match self {
            Layer::File => "document",
            Layer::Remote => "remote",
        }
    }
}

/// How fresh what a layer says is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// It is as its source has it.
    #[default]
    Fresh,
    /// Its source has not answered for a while; it holds.
    Stale,
    /// For so long that nothing that it switched on is on any more. What it switched off stays off:
    /// a sidecar that is alone only becomes safer.
    Dropped,
}

impl Freshness {
    /// The word that the admin API uses.
    pub fn word(self) -> &'static str {
        match self {
            Freshness::Fresh => "fresh",
            Freshness::Stale => "stale",
            Freshness::Dropped => "dropped",
        }
    }
}

/// Why a document was not taken over; the one before stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its generation is lower than that of the one in force.
    Backwards {
        /// The generation in force.
        has: u64,
        /// The document's.
        offered: u64,
    },
    /// It has the generation of the one in force and says something else than a later lease.
    Differs(u64),
    /// With the layers below it, a flag would be on without those that it needs.
    Broken(Broken),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Backwards { has, offered } => {
                write!(f, "generation {offered} comes before {has}, which is in force")
            }
            Unfit::Differs(generation) => {
                write!(f, "generation {generation} is in force already, and says something else")
            }
            Unfit::Broken(broken) => write!(f, "with the layers below it, {broken}"),
        }
    }
}

impl std::error::Error for Unfit {}

/// A document in force.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) document: Document,
    pub(super) sha256: String,
    pub(super) at: SystemTime,
    pub(super) freshness: Freshness,
    /// Once its lease is over it stays over, whatever the clock says later.
    pub(super) lapsed: bool,
}

/// What became of a document that is fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is the one in force.
    Same,
    /// It is the one in force with a later lease.
    Renewed,
    /// It is another.
    New,
}

/// What becomes of a document after the one in force.
pub(super) fn step(before: Option<&Taken>, next: &Document, force: bool) -> Result<Step, Unfit> {
    let Some(before) = before.map(|taken| &taken.document) else { return Ok(Step::New) };
    match (before == next, renews(before, next)) {
        (true, _) => Ok(Step::Same),
        (_, true) => Ok(Step::Renewed),
        _ if force || next.generation > before.generation => Ok(Step::New),
        _ if next.generation == before.generation => Err(Unfit::Differs(next.generation)),
        _ => Err(Unfit::Backwards { has: before.generation, offered: next.generation }),
    }
}

impl Taken {
    pub(super) fn new(document: Document, now: SystemTime) -> Taken {
        let sha256 = hex::sha256(document.render().as_bytes());
        let mut taken =
            Taken { document, sha256, at: now, freshness: Freshness::Fresh, lapsed: false };
        taken.lapse(now);
        taken
    }

    /// Ends the lease where its time is over; whether that is news.
    pub(super) fn lapse(&mut self, now: SystemTime) -> bool {
        let over = self.document.lease_until.is_some_and(|until| milliseconds(now) >= until);
        let news = over && !self.lapsed;
        self.lapsed |= over;
        news
    }

    /// What it says of the flags.
    pub(super) fn flags(&self) -> FlagLayer {
        let mut flags = self.document.flags.clone();
        if self.freshness == Freshness::Dropped {
            let safe = |flag: Flag, on: bool| on == (flag == Flag::Kill);
            for (flag, _) in self.document.flags.iter().filter(|(flag, on)| !safe(*flag, *on)) {
                flags.clear(flag);
            }
        }
        flags
    }

    /// The share, given that of the layers below.
    pub(super) fn share(&self, below: Share) -> Share {
        match (self.document.share, self.freshness) {
            (Some(share), Freshness::Dropped) => share.min(below),
            (Some(share), _) => share,
            (None, _) => below,
        }
    }
}
