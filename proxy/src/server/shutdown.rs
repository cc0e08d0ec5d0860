//! How the process ends.
//!
//! pingora-core's own graceful stop sleeps the whole grace period. Here a stop drains first: as
//! soon as the last connection is gone the process leaves.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use modegate_filters::route::Leg;
use pingora_core::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, interval};

use crate::data_plane::Drain;
use crate::metrics::{Gauge, Metrics};
use crate::traces::Traces;

/// What tells a process to stop.
#[derive(Debug)]
pub enum Stop {
    /// SIGTERM (drain, then leave), SIGINT (leave) and SIGQUIT (hand the sockets over first, where
    /// there is a way to).
    Signals,
    /// The value turning true: drain, then leave. For a process that embeds the server.
    Told(watch::Receiver<bool>),
}

/// Waits for the stop, then for what is in flight.
pub struct DrainFirst {
    /// Until it waits.
    pub calls: Mutex<Option<Calls>>,
    pub drain: Drain,
    /// The admin listener's.
    pub admin: Drain,
    pub metrics: Arc<Metrics>,
    pub traces: Traces,
    pub grace: Duration,
    /// Whether SIGQUIT hands the sockets over.
    pub hands_over: bool,
}

#[async_trait]
impl ShutdownSignalWatch for DrainFirst {
    async fn recv(&self) -> ShutdownSignal {
        let signal = self.call().await;
        if matches!(signal, ShutdownSignal::FastShutdown) {
            // An accept loop that is not told to end fails without end once its thread shuts down,
            // and holds the process.
            self.drain.start();
            self.admin.start();
        }
        signal
    }
}

impl DrainFirst {
    /// What the process is to do, once that is to be done at once.
    async fn call(&self) -> ShutdownSignal {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It is asked once.
        let Some(mut calls) = calls else { return ShutdownSignal::FastShutdown };
        match calls.first().await {
            ShutdownSignal::FastShutdown => ShutdownSignal::FastShutdown,
            ShutdownSignal::GracefulUpgrade if self.hands_over => ShutdownSignal::GracefulUpgrade,
            ShutdownSignal::GracefulTerminate | ShutdownSignal::GracefulUpgrade => {
                self.drain.start();
                let done = async {
                    self.empty().await;
                    self.traces.flush().await;
                };
                tokio::select! {
                    () = done => {}
                    () = calls.interrupt() => tracing::warn!("interrupted: leaving at once"),
                }
                ShutdownSignal::FastShutdown
            }
        }
    }
}

impl Stop {
    /// Listens from now on. It is done before anything else listens: without that a signal ends the
    /// process and what it serves, and so one that comes early waits.
    ///
    /// # Errors
    /// Where signals cannot be received.
    pub fn listen(self) -> io::Result<Calls> {
        if let Stop::Told(told) = self {
            return Ok(Calls::Told(told));
        }
        early(|| {
            Ok(Calls::Signals {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
            })
        })
    }
}

/// Asks for signals before any runtime of the server runs; they are heard on whichever does then.
///
/// # Errors
/// Where signals cannot be received.
pub fn early<T>(ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _context = runtime.enter();
    ask()
}

/// The calls to stop, listened for from the start to the end: none is lost in between.
pub enum Calls {
    /// Of a process that embeds the server.
    Told(watch::Receiver<bool>),
    /// Signals.
    Signals { terminate: Signal, interrupt: Signal, quit: Signal },
}

impl Calls {
    async fn first(&mut self) -> ShutdownSignal {
        match self {
            Calls::Told(told) => {
                let _ = told.wait_for(|told| *told).await;
                ShutdownSignal::GracefulTerminate
            }
            Calls::Signals { terminate, interrupt, quit } => tokio::select! {
                _ = terminate.recv() => ShutdownSignal::GracefulTerminate,
                _ = interrupt.recv() => ShutdownSignal::FastShutdown,
                _ = quit.recv() => ShutdownSignal::GracefulUpgrade,
            },
        }
    }

    /// Returns at a SIGINT. A repeated SIGTERM is none: supervisors send it to a process and to
    /// its group.
    async fn interrupt(&mut self) {
        match self {
            Calls::Told(_) => std::future::pending().await,
            Calls::Signals { interrupt, .. } => {
                interrupt.recv().await;
            }
        }
    }
}

impl DrainFirst {
    /// Returns when no client is connected any more, or the grace period is over.
    async fn empty(&self) {
        let deadline = Instant::now() + self.grace;
        let mut looks = interval(Duration::from_millis(20));
        loop {
            looks.tick().await;
            let open = Leg::ALL
                .into_iter()
                .flat_map(|leg| [Gauge::Connections(leg), Gauge::Inflight(leg)]);
            let open: u64 = open.map(|gauge| self.metrics.gauge(gauge).load(Relaxed)).sum();
            if open == 0 {
                return tracing::info!("drained");
            }
            if Instant::now() >= deadline {
                return tracing::warn!(open, "grace period over with requests in flight");
            }
        }
    }
}
