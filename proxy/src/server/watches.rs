//! What runs beside the listeners: each ends with the process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use modegate_config::FlagSources;
use modegate_filters::bucket::Cohort;
use modegate_filters::rollout::emergency::Emergency;
use modegate_filters::rollout::observe::Breaker;
use pingora_core::server::{Server, ShutdownWatch};
use pingora_core::services::background::{BackgroundService, background_service};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::interval;

use super::shutdown::early;
use crate::data_plane::{ServerTls, Why};
use crate::flags::{DocumentSource, Reload, Remote, Store, watch as watch_config};
use crate::logging::Logging;
use crate::metrics::{Metrics, Sources};
use crate::parity::Parity;
use crate::traces::Export;

/// How often certificates are looked at: a secret's mount gives no events.
const CERTIFICATES: Duration = Duration::from_secs(2);

/// How often records are looked through.
const SWEEP: Duration = Duration::from_millis(500);

/// How often the canary's errors are compared with the control's.
const COMPARE: Duration = Duration::from_secs(1);

/// What runs beside the listeners, before it runs.
pub struct Watches {
    /// The certificates of every listener that has some.
    pub certificates: Vec<Arc<ServerTls>>,
    flag_sources: FlagSources,
    /// SIGHUPs from now on, for the configuration and for the certificates. They are asked for before
    /// anything listens: without that the signal ends the process, and so one that comes early waits.
    hangups: [Signal; 2],
}

impl Watches {
    /// Nothing runs yet.
    ///
    /// # Errors
    /// Where signals cannot be received.
    pub fn new(flag_sources: &FlagSources) -> std::io::Result<Watches> {
        let hangups = || signal(SignalKind::hangup());
        Ok(Watches {
            certificates: Vec::new(),
            flag_sources: flag_sources.clone(),
            hangups: early(|| Ok([hangups()?, hangups()?]))?,
        })
    }

    /// Has them run with the server.
    pub fn start(self, server: &mut Server, sources: &Sources, export: Option<Export>) {
        let Sources { metrics, flags, config, parity, log, .. } = sources.clone();
        let [for_config, for_certificates] = self.hangups;
        let watch_flags = WatchFlags::new(&self.flag_sources, flags.clone());
        server.add_service(background_service("parity", SweepParity(parity, flags.clone())));
        server.add_service(background_service("errors", WatchErrors(metrics, flags.clone())));
        server.add_service(background_service("overrides", Expiries(flags.clone(), log)));
        server.add_service(background_service("flag sources", watch_flags));
        let watch_config = WatchConfig::new(config, flags, for_config);
        server.add_service(background_service("config", watch_config));
        if !self.certificates.is_empty() {
            let watch = WatchCertificates::new(self.certificates, for_certificates);
            server.add_service(background_service("certificates", watch));
        }
        if let Some(export) = export {
            server.add_service(background_service("traces", export));
        }
    }
}

/// Ends overrides as they expire, of flags and of the log's level.
pub struct Expiries(pub Arc<Store>, pub Logging);

#[async_trait]
impl BackgroundService for Expiries {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        tokio::select! {
            () = self.0.expire_overrides() => {}
            () = self.1.levels().expire_override() => {}
            _ = shutdown.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// Reads the configuration again when it changes.
pub struct WatchConfig {
    reload: Arc<Reload>,
    store: Arc<Store>,
    /// Until it watches.
    hangups: Mutex<Option<Signal>>,
}

impl WatchConfig {
    /// The file, as it was read last, and whose settings it is.
    pub fn new(reload: Arc<Reload>, store: Arc<Store>, hangups: Signal) -> WatchConfig {
        WatchConfig { reload, store, hangups: Mutex::new(Some(hangups)) }
    }
}

#[async_trait]
impl BackgroundService for WatchConfig {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let Some(hangups) = take(&self.hangups) else { return };
        tokio::select! {
            () = watch_config(&self.reload, &self.store, hangups) => {}
            _ = shutdown.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// Takes the flags documents over as they change.
pub struct WatchFlags {
    store: Arc<Store>,
    /// Each until it is watched.
    document: Mutex<Option<DocumentSource>>,
    remote: Mutex<Option<Remote>>,
}

impl WatchFlags {
    /// The sources that the configuration names; the file is in force for the first request.
    pub fn new(settings: &FlagSources, store: Arc<Store>) -> WatchFlags {
        let mut document = settings.file.clone().map(DocumentSource::new);
        if let Some(document) = &mut document {
            document.look(&store);
        }
        let remote = Mutex::new(Remote::new(settings));
        WatchFlags { store, document: Mutex::new(document), remote }
    }
}

#[async_trait]
impl BackgroundService for WatchFlags {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let document = take(&self.document).map(|document| document.watch(&self.store));
        let remote = take(&self.remote).map(|remote| remote.poll(&self.store));
        tokio::select! {
            () = or_never(document) => {}
            () = or_never(remote) => {}
            _ = shutdown.wait_for(|stopping| *stopping) => {}
        }
    }
}

async fn or_never(watch: Option<impl Future<Output = ()>>) {
    match watch {
        Some(watch) => watch.await,
        None => std::future::pending().await,
    }
}

fn take<T>(of: &Mutex<Option<T>>) -> Option<T> {
    of.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Drops what a leg let through once its time is over, so that it is counted then, and not with the
/// next message.
pub struct SweepParity(pub Arc<Parity>, pub Arc<Store>);

#[async_trait]
impl BackgroundService for SweepParity {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut sweeps = interval(SWEEP);
        loop {
            tokio::select! {
                _ = sweeps.tick() => self.0.sweep(self.1.snapshot().settings.window),
                _ = shutdown.wait_for(|stopping| *stopping) => return,
            }
        }
    }
}

/// Opens the breaker where the canary errs far more than the control does.
pub struct WatchErrors(pub Arc<Metrics>, pub Arc<Store>);

#[async_trait]
impl BackgroundService for WatchErrors {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let WatchErrors(metrics, store) = self;
        let (began, mut emergency) = (Instant::now(), Emergency::default());
        let mut looks = interval(COMPARE);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                _ = shutdown.wait_for(|stopping| *stopping) => return,
            }
            let now = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let arm = |cohort| metrics.rollout.totals(cohort);
            if emergency.look(now, &arm(Cohort::Canary), &arm(Cohort::Control)) {
                store.trip(Breaker::Errors);
            }
        }
    }
}

/// Reads listeners' certificates again when they change, and on SIGHUP.
pub struct WatchCertificates {
    certificates: Vec<Arc<ServerTls>>,
    /// Until it watches.
    hangups: Mutex<Option<Signal>>,
}

impl WatchCertificates {
    /// The certificates of every listener.
    pub fn new(certificates: Vec<Arc<ServerTls>>, hangups: Signal) -> WatchCertificates {
        WatchCertificates { certificates, hangups: Mutex::new(Some(hangups)) }
    }

    async fn watch(&self, mut hangups: Signal) {
        let mut looks = interval(CERTIFICATES);
        loop {
            let why = tokio::select! {
                _ = looks.tick() => Why::Change,
                _ = hangups.recv() => Why::Signal,
            };
            self.certificates.iter().for_each(|tls| tls.look(why));
        }
    }
}

#[async_trait]
impl BackgroundService for WatchCertificates {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let Some(hangups) = take(&self.hangups) else { return };
        tokio::select! {
            () = self.watch(hangups) => {}
            _ = shutdown.wait_for(|stopping| *stopping) => {}
        }
    }
}
