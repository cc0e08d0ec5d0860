//! What is logged: what the file says, or an override until it expires.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use modegate_config::Log;
use tokio::sync::Notify;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::flags::{Refusal, vouched};

/// Where a new filter is put in the place of the old.
type Handle = reload::Handle<EnvFilter, Registry>;

/// Repeats paths and authorities that are none, which may hold secrets; never said, at any level.
const SPILLS: &str = "h2::server";

/// The filter of these levels. That they were changed is said at every level.
pub(super) fn filter(level: &str, access: bool) -> EnvFilter {
    let access = if access { "info" } else { "off" };
    let own = module_path!();
    let filter = format!("{level},access={access},{own}=info,{SPILLS}=info");
    EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Levels set by hand, until they expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelOverride {
    /// As `log.level`.
    pub level: String,
    /// As `log.access`; `None` for what the file says.
    pub access: Option<bool>,
    /// Who set it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub expires: SystemTime,
}

/// The levels as the admin API shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelsView {
    /// What is in force.
    pub now: Log,
    /// What the file says.
    pub file: Log,
    /// The override in force.
    pub override_: Option<LevelOverride>,
}

/// The levels of the process; a clone is the same ones.
#[derive(Clone, Debug)]
pub struct Levels(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    filter: Option<Handle>,
    overridden: Notify,
}

#[derive(Clone, Debug)]
struct State {
    file: Log,
    override_: Option<LevelOverride>,
}

impl State {
    fn now(&self) -> Log {
        let Some(set) = &self.override_ else { return self.file.clone() };
        Log { level: set.level.clone(), access: set.access.unwrap_or(self.file.access) }
    }
}

impl Levels {
    pub(super) fn new(file: Log, filter: Option<Handle>) -> Levels {
        let state = Mutex::new(State { file, override_: None });
        Levels(Arc::new(Shared { state, filter, overridden: Notify::new() }))
    }

    /// What is in force, and why.
    pub fn view(&self) -> LevelsView {
        let state = self.lock().clone();
        LevelsView { now: state.now(), file: state.file, override_: state.override_ }
    }

    /// Takes over what a reloaded file says; an override stays in force.
    pub fn configure(&self, file: Log) {
        let mut state = self.lock();
        if state.file != file {
            state.file = file;
            self.apply(&state);
        }
    }

    /// Sets the levels by hand; the level has passed [`modegate_config::read_level`].
    ///
    /// # Errors
    /// See [`Refusal`]; nothing has changed then.
    pub fn set(
        &self,
        (level, access): (&str, Option<bool>),
        (actor, reason): (&str, &str),
        lasts: Duration,
        limit: Duration,
    ) -> Result<(), Refusal> {
        vouched((actor, reason), Some((lasts, limit)))?;
        let seconds = lasts.as_secs();
        let set = LevelOverride {
            level: level.to_owned(),
            access,
            actor: actor.to_owned(),
            reason: reason.to_owned(),
            expires: SystemTime::now() + lasts,
        };
        let mut state = self.lock();
        state.override_ = Some(set);
        self.apply(&state);
        tracing::warn!(set = level, access, %actor, %reason, seconds, "log level set");
        drop(state);
        self.0.overridden.notify_one();
        Ok(())
    }

    /// Takes the override back.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing has changed then.
    pub fn clear(&self, (actor, reason): (&str, &str)) -> Result<(), Refusal> {
        vouched((actor, reason), None)?;
        let mut state = self.lock();
        if state.override_.take().is_none() {
            return Err(Refusal::NotOverridden("the log level"));
        }
        self.apply(&state);
        tracing::warn!(%actor, %reason, "log level override cleared");
        Ok(())
    }

    /// Ends the override as it expires; never returns.
    pub async fn expire_override(&self) {
        loop {
            let next = self.lock().override_.as_ref().map(|set| set.expires);
            match next.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default()) {
                None => self.0.overridden.notified().await,
                Some(wait) if wait.is_zero() => self.expire(SystemTime::now()),
                // A clock that jumps is looked at again within a second.
                Some(wait) => {
                    let wait = wait.min(Duration::from_secs(1));
                    let _ = tokio::time::timeout(wait, self.0.overridden.notified()).await;
                }
            }
        }
    }

    fn expire(&self, now: SystemTime) {
        let mut state = self.lock();
        if state.override_.take_if(|set| set.expires <= now).is_some() {
            self.apply(&state);
            tracing::info!("log level override expired");
        }
    }

    /// Called with the state locked, so that filters come in the order of the changes.
    fn apply(&self, state: &State) {
        let Some(handle) = &self.0.filter else { return };
        let now = state.now();
        // It fails only where an embedding process has a subscriber of its own.
        let _ = handle.reload(filter(&now.level, now.access));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const ANN: (&str, &str) = ("ann", "a test");

    fn log(level: &str, access: bool) -> Log {
        Log { level: level.to_owned(), access }
    }

    #[test]
    fn an_override_holds_over_the_file_until_it_ends() {
        let levels = Levels::new(log("info", true), None);
        assert_eq!(levels.view().now, log("info", true));
        levels.set(("warn,modegate=debug", None), ANN, HOUR, HOUR).unwrap();
        assert_eq!(levels.view().now, log("warn,modegate=debug", true));
        levels.configure(log("error", false));
        let view = levels.view();
        assert_eq!((view.now, view.file), (log("warn,modegate=debug", false), log("error", false)));
        levels.set(("trace", Some(true)), ANN, HOUR, HOUR).unwrap();
        assert_eq!(levels.view().now, log("trace", true));
        levels.expire(SystemTime::now());
        assert_eq!(levels.view().now, log("trace", true), "not yet");
        levels.expire(SystemTime::now() + HOUR);
        assert_eq!(levels.view().now, log("error", false));
        levels.set(("trace", None), ANN, HOUR, HOUR).unwrap();
        levels.clear(ANN).unwrap();
        let view = levels.view();
        assert_eq!((view.now, view.override_), (log("error", false), None));
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let levels = Levels::new(log("info", true), None);
        let before = levels.view();
        let expiry = |found: &str| Refusal::Expiry { found: found.to_owned(), limit: HOUR };
        let cases = [
            (levels.set(("debug", None), ("", "r"), HOUR, HOUR), Refusal::Unexplained),
            (levels.set(("debug", None), ("ann", "a\nb"), HOUR, HOUR), Refusal::Unexplained),
            (levels.set(("debug", None), ANN, Duration::ZERO, HOUR), expiry("0ms")),
            (levels.set(("debug", None), ANN, 2 * HOUR, HOUR), expiry("2h")),
            (levels.clear(("ann", "")), Refusal::Unexplained),
            (levels.clear(ANN), Refusal::NotOverridden("the log level")),
        ];
        for (got, refusal) in cases {
            assert_eq!(got, Err(refusal));
        }
        assert_eq!(levels.view(), before);
    }
}
