//! What the process counts. The data plane adds to atomics it finds by index; a scrape reads
//! them through prometheus-client.

mod answers;
mod format;
mod histogram;
pub mod names;
mod native;
mod parity;
mod rollout;
mod rollout_state;
mod scrape;
mod totals;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use modegate_filters::bucket::Cohort;
use modegate_filters::contract::{Mode, Modes, Requested};
use modegate_filters::decide::Action;
use modegate_filters::dialect::Dialect;
use modegate_filters::rejection::Rejection;
use modegate_filters::rollout::plan::Millis;
use modegate_filters::route::Leg;

use crate::moment::milliseconds;

pub use answers::{AnswerCounts, Path};
pub use format::Format;
pub use histogram::{Histogram, edges};
pub use parity::{Enforced, ParityCounts, Source, kinds};
pub use rollout::{Ended, RolloutCounts};
pub use scrape::{Sources, encode};
pub use totals::{add_verdict, micros};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream answered below 400, to the end.
    Ok,
    /// The upstream answered 4xx.
    ClientError,
    /// The upstream answered 5xx.
    ServerError,
    /// Refused by us.
    Refused,
    /// No answer from the upstream: 502 or 504 by us.
    Unavailable,
    /// The upstream ended in the middle of its answer.
    Cut,
    /// The client went before the end.
    Gone,
}

impl Outcome {
    /// Every outcome, in the order of the labels.
    pub const ALL: [Outcome; 7] = [
        Outcome::Ok,
        Outcome::ClientError,
        Outcome::ServerError,
        Outcome::Refused,
        Outcome::Unavailable,
        Outcome::Cut,
        Outcome::Gone,
    ];

    /// The word that logs and metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::ClientError => "client_error",
            Outcome::ServerError => "server_error",
            Outcome::Refused => "refused",
            Outcome::Unavailable => "unavailable",
            Outcome::Cut => "cut",
            Outcome::Gone => "gone",
        }
    }
}

/// What became of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanResult {
    /// The collector took it.
    Exported,
    /// The queue was full.
    Dropped,
    /// The collector did not take it, or did not say so in time.
    Failed,
}

impl SpanResult {
    /// Every result, in the order of the labels.
    pub const ALL: [SpanResult; 3] =
        [SpanResult::Exported, SpanResult::Dropped, SpanResult::Failed];

    /// The word that metrics use.
    pub fn word(self) -> &'static str {
        match self {
            SpanResult::Exported => "exported",
            SpanResult::Dropped => "dropped",
            SpanResult::Failed => "failed",
        }
    }
}

/// What a request is counted under.
#[derive(Clone, Copy, Debug)]
pub struct Labels {
    /// The leg.
    pub leg: Leg,
    /// The dialect, of a request on an inspected route.
    pub dialect: Option<Dialect>,
    /// The cohort, of a request whose body was read.
    pub cohort: Option<Cohort>,
    /// The effective mode.
    pub mode: Mode,
    /// The mode asked for.
    pub requested: Requested,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    began: SystemTime,
    modes: Modes,
    requests: Vec<AtomicU64>,
    first_byte: Vec<Histogram>,
    request: Vec<Histogram>,
    rejections: Vec<AtomicU64>,
    actions: Vec<AtomicU64>,
    /// Downgrades for want of a valid profile.
    pub profile_fallbacks: AtomicU64,
    /// Inspected requests without a bucket key.
    pub no_key: AtomicU64,
    /// Requests in flight, by leg.
    inflight: [AtomicU64; 3],
    /// Client connections open, by leg.
    connections: [AtomicU64; 3],
    /// Tunnels open.
    tunnels: AtomicU64,
    /// Bytes of request bodies held.
    body_memory: AtomicU64,
    /// Upstream connections opened, and failed to open.
    pub connects: [AtomicU64; 2],
    /// Requests on pooled connections.
    pub reuses: AtomicU64,
    /// Verdicts on what came from the leg before.
    pub parity: ParityCounts,
    /// How answers get on.
    pub answers: AnswerCounts,
    /// What a rollout is decided by.
    pub rollout: RolloutCounts,
    /// Spans, by result.
    spans: [AtomicU64; 3],
}

const COHORTS: usize = Cohort::ALL.len() + 1;
const DIALECTS: usize = Dialect::ALL.len() + 1;
const ACTIONS: [Action; 5] =
    [Action::Pass, Action::Strip, Action::Downgrade, Action::Repair, Action::Reject];

impl Metrics {
    /// All at zero. The modes are those of the configuration that the process started with.
    pub fn new(modes: Modes) -> Arc<Metrics> {
        let count = modes.iter().count();
        let zeros = |n: usize| (0..n).map(|_| AtomicU64::new(0)).collect();
        let histograms =
            || (0..Leg::ALL.len() * count * COHORTS).map(|_| Histogram::new()).collect();
        Arc::new(Metrics {
            began: SystemTime::now(),
            requests: zeros(
                Leg::ALL.len() * DIALECTS * count * (count + 2) * COHORTS * Outcome::ALL.len(),
            ),
            first_byte: histograms(),
            request: histograms(),
            rejections: zeros(Leg::ALL.len() * Rejection::ALL.len()),
            actions: zeros(Leg::ALL.len() * ACTIONS.len()),
            profile_fallbacks: AtomicU64::new(0),
            no_key: AtomicU64::new(0),
            inflight: Default::default(),
            connections: Default::default(),
            tunnels: AtomicU64::new(0),
            body_memory: AtomicU64::new(0),
            connects: Default::default(),
            reuses: AtomicU64::new(0),
            parity: ParityCounts::new(),
            answers: AnswerCounts::new(modes.clone()),
            rollout: RolloutCounts::default(),
            spans: Default::default(),
            modes,
        })
    }

    /// The modes by which it counts.
    pub fn modes(&self) -> &Modes {
        &self.modes
    }

    /// When the process began, since 1970.
    pub fn began(&self) -> Millis {
        milliseconds(self.began)
    }

    /// The counter of requests that ended so.
    pub fn requests(&self, labels: Labels, outcome: Outcome) -> Option<&AtomicU64> {
        let modes = self.modes.iter().count();
        let requested = match labels.requested {
            Requested::Nothing => 0,
            Requested::Invalid(_) => 1,
            Requested::Mode(mode) => 2 + mode.index(),
        };
        let dialect = labels.dialect.map_or(0, |dialect| 1 + dialect as usize);
        let at = (labels.leg as usize * DIALECTS + dialect) * modes + labels.mode.index();
        let at = (at * (modes + 2) + requested) * COHORTS + cohort(labels);
        self.requests.get(at * Outcome::ALL.len() + outcome as usize)
    }

    /// The histogram of times to the first byte.
    pub fn first_byte(&self, labels: Labels) -> Option<&Histogram> {
        self.first_byte.get(self.timed(labels))
    }

    /// The histogram of times to the end.
    pub fn request(&self, labels: Labels) -> Option<&Histogram> {
        self.request.get(self.timed(labels))
    }

    /// The counter of a refusal.
    pub fn rejections(&self, leg: Leg, rejection: Rejection) -> Option<&AtomicU64> {
        let at = Rejection::ALL.iter().position(|known| *known == rejection)?;
        self.rejections.get(leg as usize * Rejection::ALL.len() + at)
    }

    /// The counter of what was done with inspected bodies.
    pub fn actions(&self, leg: Leg, action: Action) -> Option<&AtomicU64> {
        let at = ACTIONS.iter().position(|known| *known == action)?;
        self.actions.get(leg as usize * ACTIONS.len() + at)
    }

    /// The gauge's value.
    pub fn gauge(&self, gauge: Gauge) -> &AtomicU64 {
        match gauge {
            Gauge::Inflight(leg) => by_leg(&self.inflight, leg),
            Gauge::Connections(leg) => by_leg(&self.connections, leg),
            Gauge::Tunnels => &self.tunnels,
            Gauge::BodyMemory => &self.body_memory,
        }
    }

    /// The counter of spans of which this became.
    pub fn spans(&self, result: SpanResult) -> &AtomicU64 {
        let [exported, dropped, failed] = &self.spans;
        match result {
            SpanResult::Exported => exported,
            SpanResult::Dropped => dropped,
            SpanResult::Failed => failed,
        }
    }

    fn timed(&self, labels: Labels) -> usize {
        let modes = self.modes.iter().count();
        (labels.leg as usize * modes + labels.mode.index()) * COHORTS + cohort(labels)
    }
}

fn by_leg([frontend, bridge, runtime]: &[AtomicU64; 3], leg: Leg) -> &AtomicU64 {
    match leg {
        Leg::Frontend => frontend,
        Leg::Bridge => bridge,
        Leg::Runtime => runtime,
    }
}

fn cohort(labels: Labels) -> usize {
    labels.cohort.map_or(0, |cohort| 1 + cohort as usize)
}

/// A counter's value.
pub fn read(counter: Option<&AtomicU64>) -> u64 {
    counter.map_or(0, |counter| counter.load(Relaxed))
}

/// Adds one.
pub fn count(counter: Option<&AtomicU64>) {
    if let Some(counter) = counter {
        counter.fetch_add(1, Relaxed);
    }
}

/// A number that rises and falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// Requests in flight on a leg.
    Inflight(Leg),
    /// Client connections open on a leg.
    Connections(Leg),
    /// Tunnels open.
    Tunnels,
    /// Bytes of request bodies held.
    BodyMemory,
}

/// A gauge that is higher by an amount while this lives.
#[derive(Debug)]
pub struct Held<M: AsRef<Metrics> = Arc<Metrics>> {
    metrics: M,
    gauge: Gauge,
    amount: u64,
}

impl<M: AsRef<Metrics> + Clone> Held<M> {
    /// Does not raise the gauge yet.
    pub fn nothing(metrics: &M, gauge: Gauge) -> Held<M> {
        Held { metrics: metrics.clone(), gauge, amount: 0 }
    }

    /// Raises the gauge by an amount; also says what it is then.
    pub fn raise(metrics: &M, gauge: Gauge, amount: u64) -> (Held<M>, u64) {
        let before = metrics.as_ref().gauge(gauge).fetch_add(amount, Relaxed);
        (Held { metrics: metrics.clone(), gauge, amount }, before + amount)
    }

    /// Raises it further; says what it is then.
    pub fn add(&mut self, amount: u64) -> u64 {
        self.amount += amount;
        self.metrics.as_ref().gauge(self.gauge).fetch_add(amount, Relaxed) + amount
    }
}

impl<M: AsRef<Metrics>> Drop for Held<M> {
    fn drop(&mut self) {
        self.metrics.as_ref().gauge(self.gauge).fetch_sub(self.amount, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use modegate_filters::contract::Fault;

    use super::*;

    fn modes() -> Modes {
        Modes::new(["default", "fast", "slow"].map(str::to_owned)).unwrap()
    }

    fn address(counter: Option<&AtomicU64>) -> usize {
        std::ptr::from_ref(counter.expect("a counter")).addr()
    }

    #[test]
    fn every_label_set_has_counters_of_its_own() {
        let metrics = Metrics::new(modes());
        let mut requested = vec![Requested::Nothing, Requested::Invalid(Fault::Mode)];
        requested.extend(metrics.modes.iter().map(|(mode, _)| Requested::Mode(mode)));
        let dialects = Dialect::ALL.into_iter().map(Some).chain([None]);
        let cohorts = || Cohort::ALL.into_iter().map(Some).chain([None]);
        let pairs = dialects.flat_map(|dialect| cohorts().map(move |cohort| (dialect, cohort)));
        let pairs: Vec<_> = pairs.collect();
        let (mut counters, mut sets) = (BTreeSet::new(), 0);
        for leg in Leg::ALL {
            for (dialect, cohort) in pairs.iter().copied() {
                for (mode, _) in metrics.modes.iter() {
                    for requested in requested.iter().copied() {
                        let labels = Labels { leg, dialect, cohort, mode, requested };
                        for outcome in Outcome::ALL {
                            counters.insert(address(metrics.requests(labels, outcome)));
                            sets += 1;
                        }
                        assert!(metrics.first_byte(labels).is_some());
                        assert!(metrics.request(labels).is_some());
                    }
                }
            }
        }
        assert_eq!(counters.len(), sets);
        let reasons = Leg::ALL.into_iter().flat_map(|leg| {
            let metrics = &metrics;
            Rejection::ALL.map(move |rejection| address(metrics.rejections(leg, rejection)))
        });
        assert_eq!(reasons.collect::<BTreeSet<_>>().len(), Leg::ALL.len() * Rejection::ALL.len());
        let actions = Leg::ALL.into_iter().flat_map(|leg| {
            let metrics = &metrics;
            ACTIONS.map(move |action| address(metrics.actions(leg, action)))
        });
        assert_eq!(actions.collect::<BTreeSet<_>>().len(), Leg::ALL.len() * ACTIONS.len());
    }

    #[test]
    fn a_gauge_is_higher_exactly_while_it_is_held() {
        let metrics = Metrics::new(modes());
        let gauge = Gauge::Inflight(Leg::Bridge);
        let level = || metrics.gauge(gauge).load(Relaxed);
        let (one, first) = Held::raise(&metrics, gauge, 5);
        let (mut other, second) = Held::raise(&metrics, gauge, 2);
        assert_eq!((first, second, level()), (5, 7, 7));
        assert_eq!((other.add(10), level()), (17, 17));
        drop(one);
        assert_eq!(level(), 12);
        drop(other);
        assert_eq!(level(), 0);
        assert_eq!(metrics.gauge(Gauge::Inflight(Leg::Frontend)).load(Relaxed), 0);
    }
}
