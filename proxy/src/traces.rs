//! Spans of sampled requests, on their way to a collector: which requests have one, and the queue
//! that they wait in. A request never waits for it; what does not fit is dropped, and counted.
//!
//! ```text
//! Record ──► Traces ──► queue ──► Export ──► Collector
//! its span   sampled?   bounded   batches    OTLP over HTTP or gRPC
//! ```

mod attributes;
mod collector;
mod export;
mod span;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use modegate_config as config;
use modegate_filters::tags::Trace;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::metrics::{Metrics, SpanResult};

pub use export::Export;
pub use span::{Decision, Span};

use collector::Collector;
use export::{BATCH, Outbox};

/// Where requests leave their spans; nowhere, where no collector is configured.
#[derive(Clone, Debug)]
pub struct Traces(Option<Arc<Recorder>>);

#[derive(Debug)]
struct Recorder {
    sample: f64,
    timeout: Duration,
    queue: mpsc::Sender<Span>,
    /// So many are worth an export of their own.
    enough: usize,
    /// Told once there are enough. A queue that is waited on would wake its reader at every span.
    full: Arc<Notify>,
    flushes: mpsc::Sender<oneshot::Sender<()>>,
    metrics: Arc<Metrics>,
}

impl Traces {
    /// The queue and, where there is a collector, what empties it.
    pub fn new(settings: &config::Traces, metrics: &Arc<Metrics>) -> (Traces, Option<Export>) {
        let Some(endpoint) = &settings.endpoint else { return (Traces(None), None) };
        let (queue, spans) = mpsc::channel(settings.queue);
        let (flushes, asked) = mpsc::channel(1);
        let full = Arc::new(Notify::new());
        let outbox = Outbox {
            spans,
            full: full.clone(),
            flushes: asked,
            interval: settings.interval,
            collector: Collector::new(endpoint, settings),
            metrics: metrics.clone(),
        };
        let recorder = Recorder {
            sample: settings.sample,
            timeout: settings.timeout,
            queue,
            enough: BATCH.min(settings.queue.div_ceil(2)),
            full,
            flushes,
            metrics: metrics.clone(),
        };
        (Traces(Some(Arc::new(recorder))), Some(Export::new(outbox)))
    }

    /// The trace of a request: its caller's, or a new one that is sampled by lot.
    pub fn enter(&self, caller: Option<Trace>) -> Trace {
        caller.unwrap_or_else(|| {
            let mut trace = Trace::new(fastrand::u128(..));
            trace.sampled = self.0.as_ref().is_some_and(|recorder| recorder.draws());
            trace
        })
    }

    /// Takes the span of a request whose trace is sampled.
    pub fn record(&self, span: impl FnOnce() -> Span) {
        let Some(recorder) = &self.0 else { return };
        match recorder.queue.try_reserve() {
            Ok(place) => place.send(span()),
            Err(_) => {
                recorder.metrics.spans(SpanResult::Dropped).fetch_add(1, Relaxed);
            }
        }
        if recorder.queue.max_capacity() - recorder.queue.capacity() >= recorder.enough {
            recorder.full.notify_one();
        }
    }

    /// Returns when all that was recorded before has been sent, or the collector's time is over.
    pub async fn flush(&self) {
        let Some(recorder) = &self.0 else { return };
        let (done, finished) = oneshot::channel();
        let flushed = async {
            let asked = recorder.flushes.send(done).await.is_ok();
            asked && finished.await.is_ok()
        };
        if tokio::time::timeout(recorder.timeout, flushed).await != Ok(true) {
            tracing::warn!("left with spans that were not exported");
        }
    }
}

impl Recorder {
    fn draws(&self) -> bool {
        // Below 1, so that a share of 1 is every trace; at least 0, so that one of 0 is none.
        fastrand::f64() < self.sample
    }
}
