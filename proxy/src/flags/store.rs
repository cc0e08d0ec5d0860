//! Holds the layers and the snapshot folded from them. Readers never wait; writers take turns.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use modegate_config::flags::{Broken, Flag, FlagLayer, check, fold};
use modegate_filters::decide::Flags;
use tokio::sync::Notify;

use super::overrides::{Override, Overrides, Refusal, vouched};
use super::snapshot::{Settings, Snapshot};

/// The flags and settings of the process.
#[derive(Debug)]
pub struct Store {
    current: ArcSwap<Snapshot>,
    layers: Mutex<Layers>,
    overridden: Notify,
}

#[derive(Clone, Debug)]
struct Layers {
    file: FlagLayer,
    environment: FlagLayer,
    overrides: Overrides,
}

impl Layers {
    fn fold(&self) -> Flags {
        let overrides = self.overrides.layer();
        fold([&self.file, &self.environment, &overrides].into_iter())
    }

    /// Whether a flag is on by hand.
    fn holds_on(&self, flag: Flag) -> bool {
        self.overrides.get(flag).is_some_and(|set| set.value)
    }

    /// Whether the flags keep the rules among themselves.
    fn check(&self) -> Result<(), Broken> {
        check(&self.fold())
    }

    /// The flags as they take effect: what lacks what it needs is off. The end of an override, or
    /// a new file under one, can leave it so.
    fn flags(&self) -> Flags {
        let folded = self.fold();
        let runtime = folded.runtime && folded.contract;
        Flags { runtime, ui: folded.ui && runtime, ..folded }
    }
}

/// One flag as the admin API shows it: its value, and what each layer says.
#[derive(Clone, Debug)]
pub struct FlagView {
    /// The flag.
    pub flag: Flag,
    /// Its value in the snapshot.
    pub value: bool,
    /// The layer that decided: `default`, `file`, `environment` or `override`.
    pub layer: &'static str,
    /// What the configuration file says.
    pub file: Option<bool>,
    /// What the environment says.
    pub environment: Option<bool>,
    /// The override in force.
    pub override_: Option<Override>,
}

impl Store {
    /// A store in generation 1.
    ///
    /// # Errors
    /// Where file and environment together break a rule among the flags.
    pub fn new(
        settings: Settings,
        file: FlagLayer,
        environment: FlagLayer,
    ) -> Result<Store, Broken> {
        let layers = Layers { file, environment, overrides: Overrides::default() };
        layers.check()?;
        let first = Snapshot { generation: 1, flags: layers.flags(), settings: Arc::new(settings) };
        Ok(Store {
            current: ArcSwap::from_pointee(first),
            layers: Mutex::new(layers),
            overridden: Notify::new(),
        })
    }

    /// The snapshot of this moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Sets a flag by hand, for the next request on.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing has changed then.
    pub fn set(
        &self,
        flag: Flag,
        value: bool,
        (actor, reason): (&str, &str),
        lasts: Duration,
        limit: Duration,
    ) -> Result<Arc<Snapshot>, Refusal> {
        vouched((actor, reason), Some((lasts, limit)))?;
        let expires = SystemTime::now() + lasts;
        let (actor, reason) = (actor.to_owned(), reason.to_owned());
        let set = Override { value, actor, reason, expires };
        let snapshot = self.change(|layers| layers.overrides.set(flag, Some(set)))?;
        self.overridden.notify_one();
        Ok(snapshot)
    }

    /// Takes an override back.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing has changed then.
    pub fn clear(
        &self,
        flag: Flag,
        (actor, reason): (&str, &str),
    ) -> Result<Arc<Snapshot>, Refusal> {
        vouched((actor, reason), None)?;
        if self.lock().overrides.get(flag).is_none() {
            return Err(Refusal::NotOverridden(flag.name()));
        }
        self.change(|layers| layers.overrides.set(flag, None))
    }

    /// Takes a reloaded configuration over: its flags and its settings.
    ///
    /// # Errors
    /// Where its flags break a rule together with the environment; nothing has changed then.
    pub fn reload(&self, settings: Settings, file: FlagLayer) -> Result<Arc<Snapshot>, Broken> {
        let mut layers = self.lock();
        let next = Layers { file, ..layers.clone() };
        // The file and the environment must keep the rules by themselves.
        Layers { overrides: Overrides::default(), ..next.clone() }.check()?;
        // What an override lacks under the new file is off; it does not hold the file up.
        *layers = next;
        Ok(self.publish(&layers, Arc::new(settings)))
    }

    /// What every layer says of every flag.
    pub fn view(&self) -> (Arc<Snapshot>, Vec<FlagView>) {
        let layers = self.lock();
        let snapshot = self.snapshot();
        let views = Flag::ALL.into_iter().map(|flag| {
            let override_ = layers.overrides.get(flag).cloned();
            let (file, environment) = (layers.file.get(flag), layers.environment.get(flag));
            let value = flag.of(&snapshot.flags);
            let said = [
                ("override", override_.as_ref().map(|set| set.value)),
                ("environment", environment),
                ("file", file),
            ];
            // The highest layer that says the value: for `kill`, any layer that says yes.
            let layer =
                said.iter().find(|(_, said)| *said == Some(value)).map_or("default", |s| s.0);
            FlagView { flag, value, layer, file, environment, override_ }
        });
        let views = views.collect();
        (snapshot, views)
    }

    /// Ends overrides as they expire; never returns.
    pub async fn expire_overrides(&self) {
        loop {
            let next = self.lock().overrides.next_expiry();
            match next.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default()) {
                None => self.overridden.notified().await,
                Some(wait) if wait.is_zero() => self.expire(SystemTime::now()),
                // A clock that jumps is looked at again within a second.
                Some(wait) => {
                    let wait = wait.min(Duration::from_secs(1));
                    let _ = tokio::time::timeout(wait, self.overridden.notified()).await;
                }
            }
        }
    }

    fn expire(&self, now: SystemTime) {
        let mut layers = self.lock();
        let mut ended = layers.overrides.expire(now);
        if ended.is_empty() {
            return;
        }
        // What was set on in reliance on it, and is not given by a layer below, ends with it.
        while let Some(broken) = layers.check().err().filter(|broken| layers.holds_on(broken.flag))
        {
            layers.overrides.set(broken.flag, None);
            ended.push(broken.flag);
        }
        let snapshot = self.publish(&layers, self.snapshot().settings.clone());
        for flag in ended {
            tracing::info!(
                flag = flag.name(),
                generation = snapshot.generation,
                "override expired"
            );
        }
    }

    fn change(&self, edit: impl FnOnce(&mut Layers)) -> Result<Arc<Snapshot>, Refusal> {
        let mut layers = self.lock();
        let mut next = layers.clone();
        edit(&mut next);
        // A change may not break a rule; where one is broken already, no change is held up by it,
        // the kill switch least of all.
        if layers.check().is_ok() {
            next.check().map_err(Refusal::Broken)?;
        }
        *layers = next;
        Ok(self.publish(&layers, self.snapshot().settings.clone()))
    }

    /// Called with the layers locked, so that generations and snapshots come in one order.
    fn publish(&self, layers: &Layers, settings: Arc<Settings>) -> Arc<Snapshot> {
        let generation = self.current.load().generation + 1;
        let snapshot = Arc::new(Snapshot { generation, flags: layers.flags(), settings });
        self.current.store(snapshot.clone());
        snapshot
    }

    fn lock(&self) -> MutexGuard<'_, Layers> {
        // The layers are replaced whole, so a panic elsewhere leaves them whole too.
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
