//! Reads the configuration file again, on SIGHUP and when it changes.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use modegate_config::Config;
use tokio::signal::unix::Signal;

use super::snapshot::Settings;
use super::store::Store;
use super::watched::{Seen, Watched};
use crate::logging::Logging;

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
            looked: Seen::text(&text),
            judged: Seen::text(&text),
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
        let seen = Seen::of(&read);
        let before = std::mem::replace(&mut self.lock().looked, seen);
        let swap = seen.may_be_swap(Some(before));
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
        if self.running.rollout.enabled {
            // Its stages were passed by the members that the salt of the start draws.
            taken.canary.salt.clone_from(&self.running.canary.salt);
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
pub async fn watch(reload: &Reload, store: &Store, mut hangups: Signal) {
    let mut watched = Watched::new(&reload.path);
    loop {
        let why = tokio::select! {
            _ = hangups.recv() => Why::Signal,
            () = watched.change() => Why::Change,
        };
        reload.look(store, why);
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
        ("flag_sources", running.flag_sources != next.flag_sources),
        ("rollout", running.rollout != next.rollout),
        ("contract.modes", running.contract.modes != next.contract.modes),
        ("parity.records", running.parity.records != next.parity.records),
        ("parity.memory", running.parity.memory != next.parity.memory),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
}

#[cfg(test)]
mod tests;
