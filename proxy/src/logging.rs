//! Where log lines go: JSON, one object a line, written by a thread of their own.

use modegate_config::Log;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Lines that wait to be written; what comes above is dropped and counted.
const QUEUE: usize = 64 * 1024;

/// Counts the lines that were dropped.
#[derive(Clone, Debug)]
pub struct Dropped(Option<ErrorCounter>);

impl Dropped {
    /// How many lines were dropped since the start.
    pub fn lines(&self) -> u64 {
        self.0.as_ref().map_or(0, |counter| counter.dropped_lines() as u64)
    }
}

/// Keeps the writer alive; what is queued is written when it is dropped.
#[must_use]
pub struct Writer {
    _guard: WorkerGuard,
    dropped: Dropped,
}

impl Writer {
    /// The count of dropped lines.
    pub fn dropped(&self) -> Dropped {
        self.dropped.clone()
    }
}

/// Sends every event of the process to standard output; once per process, a second call changes
/// nothing. A module's level comes from `log.level`; `log.access` off silences the access line.
pub fn start(log: &Log) -> Writer {
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE);
    let (writer, guard) = builder.finish(std::io::stdout());
    let dropped = Dropped(Some(writer.error_counter()));
    let mut directives = log.level.clone();
    directives.push_str(if log.access { ",access=info" } else { ",access=off" });
    let filter = EnvFilter::try_new(&directives).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_ansi(false)
        .with_writer(writer);
    // A process that embeds this library may have a subscriber of its own.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    if log::set_logger(&EngineLog).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
    Writer { _guard: guard, dropped }
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

/// For commands that do not log: nothing is dropped.
pub fn silent() -> Dropped {
    Dropped(None)
}
