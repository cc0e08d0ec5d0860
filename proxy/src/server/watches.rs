//! What runs beside the listeners: each ends with the process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use modegate_config::FlagSources;
use pingora_core::server::ShutdownWatch;
use pingora_core::services::background::BackgroundService;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::interval;

use crate::data_plane::{ServerTls, Why};
use crate::flags::{DocumentSource, Reload, Remote, Store, watch as watch_config};
use crate::logging::Logging;
use crate::parity::Parity;

/// How often certificates are looked at: a secret's mount gives no events.
const CERTIFICATES: Duration = Duration::from_secs(2);

/// How often records are looked through.
const SWEEP: Duration = Duration::from_millis(500);

/// SIGHUP ends a process that has not asked for it, so it is asked for before anything listens. What
/// arrives before the watches begin is not lost: they look at their files without it, too.
///
/// # Errors
/// Where signals cannot be received.
pub fn expect_hangup() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _context = runtime.enter();
    signal(SignalKind::hangup()).map(drop)
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
pub struct WatchConfig(pub Arc<Reload>, pub Arc<Store>);

#[async_trait]
impl BackgroundService for WatchConfig {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        tokio::select! {
            () = watch_config(self.0.clone(), self.1.clone()) => {}
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

/// Reads listeners' certificates again when they change, and on SIGHUP.
pub struct WatchCertificates(pub Vec<Arc<ServerTls>>);

impl WatchCertificates {
    async fn watch(&self) {
        let mut looks = interval(CERTIFICATES);
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => return tracing::error!(%error, "SIGHUP cannot be received"),
        };
        loop {
            let why = tokio::select! {
                _ = looks.tick() => Why::Change,
                _ = hangup.recv() => Why::Signal,
            };
            self.0.iter().for_each(|tls| tls.look(why));
        }
    }
}

#[async_trait]
impl BackgroundService for WatchCertificates {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        tokio::select! {
            () = self.watch() => {}
            _ = shutdown.wait_for(|stopping| *stopping) => {}
        }
    }
}
