//! Empties the queue of spans: a batch at a time, once there are enough of them, and at least as
//! often as the interval says. It keeps nothing that the collector did not take.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::server::ShutdownWatch;
use pingora_core::services::background::BackgroundService;
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::collector::Collector;
use super::span::Span;
use crate::metrics::{Metrics, SpanResult};

/// The most spans that are sent at once, as many as OpenTelemetry's own exporters send.
pub const BATCH: usize = 512;
/// How long a span waits for others in a process that is about to end.
const LEAVING: Duration = Duration::from_millis(200);

/// The service that sends spans.
pub struct Export(Mutex<Outbox>);

impl Export {
    /// A service for these spans.
    pub fn new(outbox: Outbox) -> Export {
        Export(Mutex::new(outbox))
    }
}

#[async_trait]
impl BackgroundService for Export {
    async fn start(&self, shutdown: ShutdownWatch) {
        self.0.lock().await.run(shutdown).await;
    }
}

/// The end of the queue that is read.
pub struct Outbox {
    /// The spans.
    pub spans: mpsc::Receiver<Span>,
    /// Told when there are enough of them.
    pub full: Arc<Notify>,
    /// Who waits until there are none.
    pub flushes: mpsc::Receiver<oneshot::Sender<()>>,
    /// How long a span waits for others at most.
    pub interval: Duration,
    /// Where they go.
    pub collector: Collector,
    /// Where they are counted.
    pub metrics: Arc<Metrics>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    /// The sockets were handed over: the process ends without a further word.
    Leaving,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    Failing,
}

impl Outbox {
    async fn run(&mut self, mut shutdown: ShutdownWatch) {
        let (mut stage, mut health) = (Stage::Serving, Health::Well);
        let mut turns = every(self.interval);
        loop {
            let flush = tokio::select! {
                _ = turns.tick() => None,
                () = self.full.notified() => None,
                Some(done) = self.flushes.recv() => Some(done),
                _ = shutdown.wait_for(|ends| *ends), if stage == Stage::Serving => {
                    stage = Stage::Leaving;
                    turns = every(self.interval.min(LEAVING));
                    None
                }
            };
            self.send_all(&mut health).await;
            if let Some(done) = flush {
                // Who asked may have lost patience.
                let _ = done.send(());
            }
        }
    }

    async fn send_all(&mut self, health: &mut Health) {
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH
                && let Ok(span) = self.spans.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            let sent = self.collector.send(&batch).await;
            let result = match sent {
                Ok(()) => SpanResult::Exported,
                Err(_) => SpanResult::Failed,
            };
            self.metrics.spans(result).fetch_add(batch.len() as u64, Relaxed);
            // A collector that is away for long is news once.
            match (sent, *health) {
                (Err(error), Health::Well) => {
                    tracing::warn!(%error, collector = %self.collector, "spans not exported");
                    *health = Health::Failing;
                }
                (Ok(()), Health::Failing) => {
                    tracing::info!(collector = %self.collector, "spans exported again");
                    *health = Health::Well;
                }
                _ => {}
            }
        }
    }
}

/// Turns of this length, each from the end of what was done in the one before.
fn every(length: Duration) -> Interval {
    let mut turns = interval_at(Instant::now() + length, length);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}
