//! `[flag_sources]` and `[breaker]`: where flags come from beside this file and the environment, and
//! what makes a sidecar switch fast mode off by itself. It reads no document.

use std::path::PathBuf;
use std::time::Duration;

use modegate_filters::rollout::observe::Breaker;

use crate::read::Section;
use crate::rule::{file, plain, word};
use crate::traces::{Endpoint, endpoint};
use crate::value::{DAY, duration};

/// Soon enough for a flag, and a load that no service notices.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
/// Several polls in a row that failed.
const DEFAULT_STALE_AFTER: Duration = Duration::from_secs(60);
/// Longer than it takes to bring a service back.
const DEFAULT_DROP_AFTER: Duration = Duration::from_secs(60 * 60);
/// What this program is called there.
const DEFAULT_NAME: &str = "modegate";

/// The longest targeting key or name of a flag, in bytes.
const NAME_LIMIT: usize = 256;

const SECOND: Duration = Duration::from_secs(1);

/// `[flag_sources]`: where flags come from at run time. In force until the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagSources {
    /// The file of the flags document, `None` for none; none.
    pub file: Option<PathBuf>,
    /// The service that is asked over OFREP, `None` for none; none.
    pub remote: Option<Endpoint>,
    /// How often it is asked; 10 s.
    pub interval: Duration,
    /// After how long without an answer what it said is stale; 60 s.
    pub stale_after: Duration,
    /// After how long without an answer nothing that it switched on is on any more; 1 h.
    pub drop_after: Duration,
    /// The targeting key by which it knows this sidecar; `modegate`.
    pub target: String,
    /// The flag there whose value is an object with the flags; `modegate`.
    pub flag: String,
}

/// Reads `[flag_sources]`.
pub(crate) fn read(root: &mut Section<'_, '_>) -> FlagSources {
    root.section("flag_sources", |section| {
        let wait = || duration(SECOND..=DAY);
        let sources = FlagSources {
            file: section.take("file", None, file()),
            remote: section.take("remote", None, endpoint()),
            interval: section.take("interval", DEFAULT_INTERVAL, wait()),
            stale_after: section.take("stale_after", DEFAULT_STALE_AFTER, wait()),
            drop_after: section.take("drop_after", DEFAULT_DROP_AFTER, wait()),
            target: section.take("target", DEFAULT_NAME.to_owned(), plain(NAME_LIMIT)),
            flag: section.take("flag", DEFAULT_NAME.to_owned(), plain(NAME_LIMIT)),
        };
        let sound = section.sound("stale_after") && section.sound("drop_after");
        if sound && sources.drop_after < sources.stale_after {
            let found = format!("{}s", sources.drop_after.as_secs());
            section.refuse("drop_after", &found, "at least stale_after".to_owned());
        }
        sources
    })
}

/// Reads `[breaker]`; without a word of the file every cause counts where flags come from beside it.
pub(crate) fn read_breaker(root: &mut Section<'_, '_>, is_told: bool) -> Vec<Breaker> {
    root.section("breaker", |section| {
        let each = word(Breaker::ALL.map(|cause| (cause.word(), cause)));
        section.list("on", each).unwrap_or_else(|| match is_told {
            true => Breaker::ALL.to_vec(),
            false => Vec::new(),
        })
    })
}
