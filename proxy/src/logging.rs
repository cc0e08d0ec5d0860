//! Where log lines go: JSON, one object a line, written by a thread of their own.

mod escape;
mod levels;

use modegate_config::Log;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

pub use levels::{LevelOverride, Levels, LevelsView};

/// Lines that wait to be written; what comes above is dropped and counted.
const QUEUE: usize = 64 * 1024;

/// What the log can be asked and told while the process runs.
#[derive(Clone, Debug)]
pub struct Logging {
    dropped: Option<ErrorCounter>,
    levels: Levels,
}

impl Logging {
    /// How many lines were dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.as_ref().map_or(0, |counter| counter.dropped_lines() as u64)
    }

    /// What is logged.
    pub fn levels(&self) -> &Levels {
        &self.levels
    }
}

/// Keeps the writer alive; what is queued is written when it is dropped.
#[must_use]
pub struct Writer {
    _guard: WorkerGuard,
    logging: Logging,
}

impl Writer {
    /// The log, to be asked and told.
    pub fn logging(&self) -> Logging {
        self.logging.clone()
    }
}

/// Sends every event of the process to standard output; once per process, a second call changes
/// nothing. A module's level comes from `log.level`; `log.access` off silences the access line.
pub fn start(log: &Log) -> Writer {
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE);
    let (writer, guard) = builder.finish(std::io::stdout());
    let dropped = Some(writer.error_counter());
    let (filter, handle) = reload::Layer::new(levels::filter(&log.level, log.access));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_ansi(false)
        .with_writer(escape::Escaped(writer));
    // A process that embeds this library may have a subscriber of its own.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    if log::set_logger(&EngineLog).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
    let levels = Levels::new(log.clone(), Some(handle));
    Writer { _guard: guard, logging: Logging { dropped, levels } }
}

/// pingora-core's log records as events of the target `engine`: its messages, without the source
/// files of the machine that built it.
struct EngineLog;

impl log::Log for EngineLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Debug && metadata.target().starts_with("pingora")
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let message = record.args();
        // What goes well with the engine is of no news to an operator.
        match record.level() {
            log::Level::Error => tracing::error!(target: "engine", "{message}"),
            log::Level::Warn => tracing::warn!(target: "engine", "{message}"),
            _ => tracing::debug!(target: "engine", "{message}"),
        }
    }

    fn flush(&self) {}
}

/// For commands that do not log: nothing is dropped, and no level has an effect.
pub fn silent() -> Logging {
    let log = Log { level: "info".to_owned(), access: true };
    Logging { dropped: None, levels: Levels::new(log, None) }
}
