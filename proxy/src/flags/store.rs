//! Holds the layers and the snapshot folded from them. Readers never wait; writers take turns.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use modegate_config::Document;
use modegate_config::flags::{Broken, Flag, FlagLayer};
use modegate_filters::rollout::observe::Breaker;
use tokio::sync::Notify;

use super::documents::{Freshness, Layer, Step, Taken, Unfit, step};
use super::layers::{Layers, Opened};
use super::overrides::{Override, Refusal, vouched};
use super::snapshot::{Settings, Snapshot};
use super::store_view::View;
use crate::moment::milliseconds;

thread_local! {
    /// The snapshot that this thread saw last, and the thread's own copy of it: each request counts
    /// who has its snapshot, and a count that all threads share is one that they wait at. The first
    /// is kept so that no other can take its address.
    static SEEN: RefCell<Option<(Arc<Snapshot>, Arc<Snapshot>)>> = const { RefCell::new(None) };
}

/// A clock that jumps is looked at again within this time.
const LOOK: Duration = Duration::from_secs(1);

/// The flags and settings of the process.
#[derive(Debug)]
pub struct Store {
    current: ArcSwap<Snapshot>,
    layers: Mutex<Layers>,
    /// Something will expire at another time than before.
    expiries: Notify,
    trips: [AtomicU64; Breaker::ALL.len()],
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
        let layers = Layers::new(Arc::new(settings), file, environment);
        layers.check()?;
        let (flags, settings) = (layers.flags(), layers.settings.clone());
        let first = Snapshot { generation: 1, flags, settings, breaker: None };
        Ok(Store {
            current: ArcSwap::from_pointee(first),
            layers: Mutex::new(layers),
            expiries: Notify::new(),
            trips: Default::default(),
        })
    }

    /// The snapshot of this moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let current = self.current.load();
        SEEN.with_borrow_mut(|seen| match seen {
            Some((shared, own)) if Arc::ptr_eq(shared, &current) => own.clone(),
            _ => {
                let own = Arc::new(Snapshot::clone(&current));
                *seen = Some((Arc::clone(&current), own.clone()));
                own
            }
        })
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
        self.expiries.notify_one();
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
        let next = Layers { file, settings: Arc::new(settings), ..layers.clone() };
        // The file and the environment must keep the rules by themselves.
        next.check_base()?;
        // What a later layer lacks under the new file is off; it does not hold the file up.
        *layers = next;
        Ok(self.publish(&layers))
    }

    /// Takes a document over, for the next request on, whole or not at all. The one in force with a
    /// later lease renews it; any other goes on from it by a higher generation, unless it is forced,
    /// and closes the breaker.
    ///
    /// # Errors
    /// See [`Unfit`]; the document before stays in force then.
    pub fn take_document(
        &self,
        layer: Layer,
        document: Document,
        force: bool,
    ) -> Result<Arc<Snapshot>, Unfit> {
        let mut layers = self.lock();
        match take(&layers, layer, document, force) {
            Err(unfit) => {
                self.fail(&mut layers, layer, unfit.to_string());
                Err(unfit)
            }
            Ok((next, step)) => {
                let before = std::mem::replace(&mut *layers, next);
                if let Some(error) = layers.errors.get_mut(layer as usize) {
                    *error = None;
                }
                let changed = step != Step::Same
                    || before.flags() != layers.flags()
                    || before.share() != layers.share();
                if !changed {
                    return Ok(self.snapshot());
                }
                let snapshot = self.publish(&layers);
                let document = layers.document(layer).map_or(0, |taken| taken.document.generation);
                let (layer, generation) = (layer.word(), snapshot.generation);
                tracing::info!(layer, document, generation, ?step, "flags document taken over");
                drop(layers);
                self.expiries.notify_one();
                Ok(snapshot)
            }
        }
    }

    /// Writes down that what a document's place holds cannot be taken over. What was taken over from
    /// it before stays.
    pub fn document_failed(&self, layer: Layer, error: String) {
        self.fail(&mut self.lock(), layer, error);
    }

    /// Writes down that a document's source was reached, and has nothing new.
    pub fn document_reached(&self, layer: Layer) {
        if let Some(error) = self.lock().errors.get_mut(layer as usize) {
            *error = None;
        }
    }

    fn fail(&self, layers: &mut Layers, layer: Layer, error: String) {
        if let Some(said) = layers.errors.get_mut(layer as usize)
            && said.as_ref() != Some(&error)
        {
            tracing::error!(layer = layer.word(), %error, "flags document not taken over");
            *said = Some(error);
        }
    }

    /// How fresh a document is, its source having been asked again.
    pub fn freshness(&self, layer: Layer, freshness: Freshness) {
        let mut layers = self.lock();
        let Some(Some(taken)) = layers.document_mut(layer) else { return };
        if taken.freshness == freshness {
            return;
        }
        taken.freshness = freshness;
        let snapshot = self.publish(&layers);
        let (layer, freshness, generation) = (layer.word(), freshness.word(), snapshot.generation);
        tracing::warn!(layer, freshness, generation, "flags document's freshness changed");
    }

    /// The generation of the document that governs, the remote one where there is one; 0 for none.
    pub fn document_generation(&self) -> u64 {
        self.lock().governing().map_or(0, |taken| taken.document.generation)
    }

    /// Opens the breaker where `breaker.on` says so: fast mode is off from the next request on, until
    /// a new generation of the document or an operator closes it. Time never does.
    pub fn trip(&self, cause: Breaker) {
        let snapshot = self.snapshot();
        if !snapshot.settings.breaker.contains(&cause) {
            return;
        }
        if let Some(trips) = self.trips.get(cause as usize) {
            trips.fetch_add(1, Relaxed);
        }
        // What is open stays as it is: the first cause is the one to look into.
        if snapshot.breaker.is_some() {
            return;
        }
        let mut layers = self.lock();
        if layers.breaker.is_some() {
            return;
        }
        layers.breaker = Some(Opened { cause, at: SystemTime::now() });
        let generation = self.publish(&layers).generation;
        tracing::error!(cause = cause.word(), generation, "breaker open: fast mode is off here");
    }

    /// How often a cause was seen since the start.
    pub fn trips(&self, cause: Breaker) -> u64 {
        self.trips.get(cause as usize).map_or(0, |trips| trips.load(Relaxed))
    }

    /// Closes the breaker by hand.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing has changed then.
    pub fn reset_breaker(&self, by: (&str, &str)) -> Result<Arc<Snapshot>, Refusal> {
        vouched(by, None)?;
        let mut layers = self.lock();
        if layers.breaker.take().is_none() {
            return Err(Refusal::NotOpen);
        }
        Ok(self.publish(&layers))
    }

    /// What every layer says, of one moment.
    pub fn view(&self) -> View {
        let layers = self.lock();
        View::new(self.snapshot(), &layers)
    }

    /// Ends overrides and leases as they expire; never returns.
    pub async fn expire_overrides(&self) {
        loop {
            match self.next_expiry() {
                None => self.expiries.notified().await,
                Some(wait) if wait.is_zero() => self.expire(SystemTime::now()),
                Some(wait) => {
                    let _ = tokio::time::timeout(wait.min(LOOK), self.expiries.notified()).await;
                }
            }
        }
    }

    /// How long until something expires.
    fn next_expiry(&self) -> Option<Duration> {
        let (layers, now) = (self.lock(), SystemTime::now());
        let override_ = layers.overrides.next_expiry();
        let override_ = override_.map(|at| at.duration_since(now).unwrap_or_default());
        let leases = Layer::ALL.into_iter().filter_map(|layer| layers.document(layer));
        let leases = leases.filter(|taken| !taken.lapsed);
        let leases = leases.filter_map(|taken| taken.document.lease_until);
        let left = |until: u64| Duration::from_millis(until.saturating_sub(milliseconds(now)));
        leases.map(left).chain(override_).min()
    }

    fn expire(&self, now: SystemTime) {
        let mut layers = self.lock();
        self.lapse(&mut layers, now);
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
        let snapshot = self.publish(&layers);
        for flag in ended {
            tracing::info!(
                flag = flag.name(),
                generation = snapshot.generation,
                "override expired"
            );
        }
    }

    /// Whoever renews leases is gone: fast mode is off until it is back.
    fn lapse(&self, layers: &mut Layers, now: SystemTime) {
        for layer in Layer::ALL {
            let Some(Some(taken)) = layers.document_mut(layer) else { continue };
            if taken.lapse(now) {
                let (layer, document) = (layer.word(), taken.document.generation);
                let generation = self.publish(layers).generation;
                tracing::error!(layer, document, generation, "lease over: fast mode is off here");
            }
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
        Ok(self.publish(&layers))
    }

    /// Called with the layers locked, so that generations and snapshots come in one order.
    fn publish(&self, layers: &Layers) -> Arc<Snapshot> {
        let current = self.current.load();
        let ((_, share), base) = (layers.share(), &layers.settings);
        let settings = match share == base.policy.canary().share {
            true => base.clone(),
            false => Arc::new(base.with_share(share)),
        };
        let breaker = layers.breaker.map(|opened| opened.cause);
        let generation = current.generation + 1;
        let snapshot = Arc::new(Snapshot { generation, flags: layers.flags(), settings, breaker });
        self.current.store(snapshot.clone());
        snapshot
    }

    fn lock(&self) -> MutexGuard<'_, Layers> {
        // The layers are replaced whole, so a panic elsewhere leaves them whole too.
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layers with a document taken over, and what that was to them.
fn take(
    layers: &Layers,
    layer: Layer,
    document: Document,
    force: bool,
) -> Result<(Layers, Step), Unfit> {
    let step = step(layers.document(layer), &document, force)?;
    let mut next = layers.clone();
    let Some(place) = next.document_mut(layer) else { return Ok((next, Step::Same)) };
    match (step, place.as_mut()) {
        (Step::Same, Some(taken)) => taken.freshness = Freshness::Fresh,
        _ => *place = Some(Taken::new(document, SystemTime::now())),
    }
    if step == Step::New {
        next.check_up_to(layer).map_err(Unfit::Broken)?;
        next.breaker = None;
    }
    Ok((next, step))
}

#[cfg(test)]
mod document_tests;
#[cfg(test)]
mod tests;
