//! Reads the configuration file again, on SIGHUP and when it changes.
//!
//! The directory is watched, not the file, and the file is also looked at every few seconds: a
//! Kubernetes ConfigMap swaps a symlink, and some mounts give no events at all.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use modegate_config::Config;
use notify::{RecursiveMode, Watcher};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::snapshot::Settings;
use super::store::Store;
use crate::logging::Logging;

/// How often the file is looked at without an event.
const POLL: Duration = Duration::from_secs(2);
/// How long events are gathered: a swap is several.
const SETTLE: Duration = Duration::from_millis(100);

/// The configuration file, as last read.
#[derive(Debug)]
pub struct Reload {
    path: PathBuf,
    running: Config,
    log: Logging,
    state: Mutex<State>,
}

/// What came of reading the file.
#[derive(Clone, Debug)]
struct State {
    /// What the last look saw, and what was last judged.
    looked: Seen,
    judged: Seen,
    loaded: SystemTime,
    text: String,
    loads: u64,
    failures: u64,
    error: Option<String>,
    restart: Vec<&'static str>,
}

/// What a look at the file saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// A text with this hash.
    Text(u64),
    /// No text.
    Unreadable(std::io::ErrorKind),
}

/// The state of the configuration as the admin API and the metrics show it.
#[derive(Clone, Debug)]
pub struct ConfigView {
    /// The file.
    pub path: PathBuf,
    /// The text in force.
    pub text: String,
    /// When it was taken over.
    pub loaded: SystemTime,
    /// How often a file was taken over, and how often refused.
    pub counts: (u64, u64),
    /// Why the file as it is now was refused.
    pub error: Option<String>,
    /// The sections whose change waits for a restart.
    pub restart: Vec<&'static str>,
}

impl Reload {
    /// The file that the process was started with, what it held, and the log that follows it.
    pub fn new(path: PathBuf, text: String, running: Config, log: Logging) -> Reload {
        let state = State {
            looked: Seen::Text(hash(&text)),
            judged: Seen::Text(hash(&text)),
            loaded: SystemTime::now(),
            text,
            loads: 1,
            failures: 0,
            error: None,
            restart: Vec::new(),
        };
        Reload { path, running, log, state: Mutex::new(state) }
    }

    /// The state as it is now.
    pub fn view(&self) -> ConfigView {
        let state = self.lock().clone();
        ConfigView {
            path: self.path.clone(),
            text: state.text,
            loaded: state.loaded,
            counts: (state.loads, state.failures),
            error: state.error,
            restart: state.restart,
        }
    }

    /// Reads the file again if it changed. A file that is gone, unreadable or wrong changes
    /// nothing but what [`Reload::view`] says.
    fn look(&self, store: &Store, why: Why) {
        let read = std::fs::read_to_string(&self.path);
        let seen = match &read {
            Ok(text) => Seen::Text(hash(text)),
            Err(error) => Seen::Unreadable(error.kind()),
        };
        let before = std::mem::replace(&mut self.lock().looked, seen);
        // A file that is gone may be a swap in progress: it is said at the second look.
        let swap = seen == Seen::Unreadable(std::io::ErrorKind::NotFound) && before != seen;
        if why == Why::Change && (swap || self.lock().judged == seen) {
            return;
        }
        self.lock().judged = seen;
        let taken = match read {
            Ok(text) => self.take(store, text),
            Err(error) => Err(format!("{}: {error}", self.path.display())),
        };
        if let Err(error) = taken {
            tracing::error!(%error, "configuration not reloaded");
            let mut state = self.lock();
            state.failures += 1;
            state.error = Some(error);
        }
    }

    fn take(&self, store: &Store, text: String) -> Result<(), String> {
        let config = Config::parse(&text).map_err(|report| report.to_string())?;
        let restart = restart_needed(&self.running, &config);
        let mut taken = config.clone();
        if restart.contains(&"contract.modes") {
            // The metrics' labels are the modes of the start; the profiles are theirs.
            let snapshot = store.snapshot();
            let running = snapshot.settings.policy.contract();
            taken.contract.modes = running.modes.clone();
            taken.contract.profiles = running.profiles.clone();
        }
        let snapshot = store
            .reload(Settings::new(&taken), config.flags)
            .map_err(|broken| broken.to_string())?;
        self.log.levels().configure(config.log);
        tracing::info!(generation = snapshot.generation, ?restart, "configuration reloaded");
        let mut state = self.lock();
        state.loaded = SystemTime::now();
        state.text = text;
        state.loads += 1;
        state.error = None;
        state.restart = restart;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Something may have changed.
    Change,
    /// An operator asked.
    Signal,
}

/// Watches the file until the task is dropped.
pub async fn watch(reload: Arc<Reload>, store: Arc<Store>) {
    let (events, mut changed) = mpsc::channel(1);
    let directory = reload.path.parent().filter(|path| !path.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new(".")).to_owned();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading the file is an event too, and none of interest.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            // One pending event says all.
            let _ = events.try_send(());
        }
    });
    let watching = watcher.and_then(|mut watcher| {
        watcher.watch(&directory, RecursiveMode::NonRecursive).map(|()| watcher)
    });
    if let Err(error) = &watching {
        tracing::warn!(%error, "no events for the configuration's directory; it is polled only");
    }
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => return tracing::error!(%error, "SIGHUP cannot be received"),
    };
    loop {
        let why = tokio::select! {
            _ = hangup.recv() => Why::Signal,
            event = changed.recv(), if watching.is_ok() => {
                // Let a swap of several steps come to its end.
                tokio::time::sleep(SETTLE).await;
                let _ = event;
                Why::Change
            }
            () = tokio::time::sleep(POLL) => Why::Change,
        };
        reload.look(&store, why);
    }
}

/// The sections that differ and are only read at start-up.
fn restart_needed(running: &Config, next: &Config) -> Vec<&'static str> {
    let differs = [
        ("listener", running.listeners != next.listeners),
        ("admin", running.admin != next.admin),
        ("server", running.server != next.server),
        ("upstream", running.upstream != next.upstream),
        ("traces", running.traces != next.traces),
        ("rollout", running.rollout != next.rollout),
        ("contract.modes", running.contract.modes != next.contract.modes),
        ("parity.records", running.parity.records != next.parity.records),
        ("parity.memory", running.parity.memory != next.parity.memory),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
