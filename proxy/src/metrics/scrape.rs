//! Writes everything that is counted, as OpenMetrics text or as Prometheus' protobuf.

use std::fmt::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use modegate_filters::bucket::Cohort;
use modegate_filters::contract::{Fault, Mode, Requested};
use modegate_filters::dialect::Dialect;
use modegate_filters::fingerprint::{canonical, fingerprint, short};
use modegate_filters::rejection::Rejection;
use modegate_filters::rollout::observe::Breaker;
use modegate_filters::route::Leg;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, MetricEncoder, prometheus_protobuf, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::histogram::Reading;
use super::names::{self, Name};
use super::{ACTIONS, Format, Gauge, Histogram, Labels, Metrics, Outcome, SpanResult, read, rollout_state};
use crate::flags::{DocumentView, FlagView, Reload, Store, View};
use crate::logging::Logging;
use crate::parity::Parity;
use crate::rollout::Controller;

/// The labels of the exemplars that we do not have.
type NoLabels = [(&'static str, &'static str); 0];

/// Where the numbers come from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The data plane's counts.
    pub metrics: Arc<Metrics>,
    /// The flags.
    pub flags: Arc<Store>,
    /// The configuration file.
    pub config: Arc<Reload>,
    /// What the legs know of one another.
    pub parity: Arc<Parity>,
    /// The rollout, where this process runs one.
    pub rollout: Option<Arc<Controller>>,
    /// The log.
    pub log: Logging,
    /// What the process may have open at most, whatever the configuration says.
    pub most_connections: usize,
}

/// The metrics of this moment, in the form.
///
/// # Errors
/// Only where formatting fails, which it does not for the labels in use.
pub fn encode(sources: &Sources, format: Format) -> Result<Vec<u8>, Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(sources.clone()));
    match format {
        Format::Text => {
            let mut text = String::with_capacity(64 * 1024);
            text::encode(&mut text, &registry)?;
            Ok(text.into_bytes())
        }
        Format::Protobuf => prometheus_protobuf::encode_to_vec(&registry).map_err(|_| Error),
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let metrics = &*self.metrics;
        metrics.encode_requests(&mut encoder)?;
        metrics.encode_times(&mut encoder, names::FIRST_BYTE, Metrics::first_byte)?;
        metrics.encode_times(&mut encoder, names::REQUEST, Metrics::request)?;
        metrics.encode_times(&mut encoder, names::FIRST_EVENT, |metrics, labels| {
            metrics.answers.first_event(labels)
        })?;
        metrics.encode_times(&mut encoder, names::EVENT_GAP, |metrics, labels| {
            metrics.answers.event_gap(labels)
        })?;
        metrics.encode_paths(&mut encoder)?;
        metrics.answers.encode(&mut encoder)?;
        metrics.rollout.encode(&mut encoder)?;
        metrics.encode_decisions(&mut encoder)?;
        metrics.encode_levels(&mut encoder)?;
        metrics.parity.encode(&mut encoder, &self.parity)?;
        self.encode_flags(&mut encoder)?;
        let reading = self.rollout.as_ref().map(|controller| controller.reading());
        rollout_state::encode(&mut encoder, reading.as_ref())?;
        self.encode_process(&mut encoder)
    }
}

impl Metrics {
    /// The label sets that can occur: a leg's dialects, and either the default mode, whatever was
    /// asked for, or the mode that was asked for.
    pub(super) fn label_sets(&self) -> Vec<Labels> {
        let mut requested = vec![Requested::Nothing, Requested::Invalid(Fault::Mode)];
        requested.extend(self.modes.iter().map(|(mode, _)| Requested::Mode(mode)));
        let asked = requested.iter().map(|requested| (Mode::DEFAULT, *requested));
        let given = self.modes.iter().skip(1).map(|(mode, _)| (mode, Requested::Mode(mode)));
        let pairs: Vec<_> = asked.chain(given).collect();

        let mut sets = Vec::new();
        for leg in Leg::ALL {
            // Of a body that was not read nothing is known.
            let unread = |dialect| {
                let (mode, requested) = (Mode::DEFAULT, Requested::Nothing);
                Labels { leg, dialect, cohort: None, mode, requested }
            };
            sets.push(unread(None));
            for dialect in Dialect::ALL {
                if (dialect == Dialect::Rpc) == (leg == Leg::Frontend) {
                    continue;
                }
                let dialect = Some(dialect);
                sets.push(unread(dialect));
                for cohort in Cohort::ALL.map(Some) {
                    let set = |(mode, requested)| Labels { leg, dialect, cohort, mode, requested };
                    sets.extend(pairs.iter().copied().map(set));
                }
            }
        }
        sets
    }

    fn encode_requests(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = family(encoder, names::REQUESTS, MetricType::Counter)?;
        for labels in self.label_sets() {
            for outcome in Outcome::ALL {
                let set = [
                    ("leg", labels.leg.word()),
                    ("dialect", labels.dialect.map_or("none", Dialect::word)),
                    ("mode", self.modes.name(labels.mode)),
                    ("requested", labels.requested.word(&self.modes)),
                    ("cohort", labels.cohort.map_or("none", Cohort::word)),
                    ("outcome", outcome.word()),
                ];
                let count = self.requests(labels, outcome).map_or(0, load);
                family.encode_family(&set)?.encode_counter::<NoLabels, _, f64>(&count, None)?;
            }
        }
        Ok(())
    }

    fn encode_times(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: Name,
        of: fn(&Metrics, Labels) -> Option<&Histogram>,
    ) -> Result<(), Error> {
        let mut family = family(encoder, name, MetricType::Histogram)?;
        let cohorts = [None, Some(Cohort::Canary), Some(Cohort::Control)];
        for leg in Leg::ALL {
            for (mode, mode_name) in self.modes.iter() {
                for cohort in cohorts.into_iter().filter(|c| c.is_some() || mode == Mode::DEFAULT) {
                    let requested = Requested::Nothing;
                    let labels = Labels { leg, dialect: None, cohort, mode, requested };
                    let Some(histogram) = of(self, labels) else { continue };
                    let set = [
                        ("leg", leg.word()),
                        ("mode", mode_name),
                        ("cohort", cohort.map_or("none", Cohort::word)),
                    ];
                    encode_histogram(&mut family, &set, histogram)?;
                }
            }
        }
        Ok(())
    }

    fn encode_paths(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = family(encoder, names::PATH, MetricType::Histogram)?;
        for (set, histogram) in self.answers.paths() {
            encode_histogram(&mut family, &set, histogram)?;
        }
        Ok(())
    }

    fn encode_decisions(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let rejections = Leg::ALL.into_iter().flat_map(|leg| {
            Rejection::ALL.into_iter().map(move |rejection| {
                let set = [("leg", leg.word()), ("reason", rejection.reason())];
                (set, read(self.rejections(leg, rejection)))
            })
        });
        counters(encoder, names::REJECTIONS, rejections)?;
        let actions = Leg::ALL.into_iter().flat_map(|leg| {
            ACTIONS.into_iter().map(move |action| {
                let set = [("leg", leg.word()), ("action", action.word())];
                (set, read(self.actions(leg, action)))
            })
        });
        counters(encoder, names::ACTIONS, actions)?;
        counter(encoder, names::PROFILE_FALLBACKS, load(&self.profile_fallbacks))?;
        counter(encoder, names::NO_KEY, load(&self.no_key))
    }

    fn encode_levels(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        type OfLeg = fn(Leg) -> Gauge;
        let by_leg: [(Name, OfLeg); 2] =
            [(names::INFLIGHT, Gauge::Inflight), (names::CONNECTIONS, Gauge::Connections)];
        for (name, gauge) in by_leg {
            let of = |leg: Leg| ([("leg", leg.word())], load(self.gauge(gauge(leg))));
            gauges(encoder, name, Leg::ALL.into_iter().map(of))?;
        }
        gauge(encoder, names::TUNNELS, load(self.gauge(Gauge::Tunnels)))?;
        gauge(encoder, names::BODY_MEMORY, load(self.gauge(Gauge::BodyMemory)))?;
        let connects = ["ok", "failed"].into_iter().zip(&self.connects);
        let connects = connects.map(|(result, count)| ([("result", result)], load(count)));
        counters(encoder, names::UPSTREAM_CONNECTS, connects)?;
        counter(encoder, names::UPSTREAM_REUSES, load(&self.reuses))?;
        let spans = SpanResult::ALL.into_iter();
        let spans = spans.map(|result| ([("result", result.word())], load(self.spans(result))));
        counters(encoder, names::TRACE_SPANS, spans)
    }
}

impl Sources {
    fn encode_flags(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let View { snapshot, flags, documents, breaker, .. } = self.flags.view();
        let name = |view: &FlagView| [("name", view.flag.name())];
        let values = flags.iter().map(|view| (name(view), u64::from(view.value)));
        gauges(encoder, names::FLAG, values)?;
        let overrides = flags.iter().map(|view| (name(view), u64::from(view.override_.is_some())));
        gauges(encoder, names::FLAG_OVERRIDE, overrides)?;
        gauge(encoder, names::GENERATION, snapshot.generation)?;
        let share = u32::from(snapshot.settings.policy.canary().share);
        gauge(encoder, names::SHARE, u64::from(share))?;
        let layer = |place: &DocumentView| [("layer", place.layer.word())];
        let of = |value: fn(&DocumentView) -> u64| {
            documents.iter().map(move |place| (layer(place), value(place)))
        };
        gauges(encoder, names::DOCUMENT_GENERATION, of(|p| p.generation()))?;
        gauges(encoder, names::LAYER_ERROR, of(|place| u64::from(place.error.is_some())))?;
        gauges(encoder, names::LEASE_OVER, of(|p| u64::from(p.is_lapsed())))?;
        let open = |cause: Breaker| breaker.is_some_and(|opened| opened.cause == cause);
        let causes = Breaker::ALL.map(|cause| ([("cause", cause.word())], cause));
        let opened = causes.map(|(set, cause)| (set, u64::from(open(cause))));
        gauges(encoder, names::BREAKER_OPEN, opened.into_iter())?;
        let trips = causes.map(|(set, cause)| (set, self.flags.trips(cause)));
        counters(encoder, names::BREAKER_TRIPS, trips.into_iter())?;
        let limit = snapshot.settings.limits.connections.min(self.most_connections);
        gauge(encoder, names::CONNECTIONS_LIMIT, limit as u64)
    }

    fn encode_process(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let config = self.config.view();
        let loads = [("ok", config.counts.0), ("refused", config.counts.1)];
        let loads = loads.into_iter().map(|(result, count)| ([("result", result)], count));
        counters(encoder, names::CONFIG_LOADS, loads)?;
        gauge(encoder, names::CONFIG_ERROR, u64::from(config.error.is_some()))?;
        let snapshot = self.flags.snapshot();
        let whole = fingerprint(&canonical(snapshot.settings.policy.contract()));
        let series = ([("fingerprint", short(&whole))], 1);
        gauges(encoder, names::CONTRACT, std::iter::once(series))?;
        counter(encoder, names::LOG_DROPPED, self.log.dropped())?;
        let began = self.metrics.began() as f64 / 1000.0;
        family(encoder, names::START_TIME, MetricType::Gauge)?.encode_gauge(&began)?;
        let mut build = family(encoder, names::BUILD, MetricType::Gauge)?;
        build.encode_family(&[("version", env!("CARGO_PKG_VERSION"))])?.encode_gauge(&1_i64)
    }
}

pub(super) fn family<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    (name, help): Name,
    kind: MetricType,
) -> Result<MetricEncoder<'e>, Error> {
    encoder.encode_descriptor(name, help, None, kind)
}

/// Both forms of a histogram; the text takes the classic one.
pub(super) fn encode_histogram(
    family: &mut MetricEncoder<'_>,
    set: &impl EncodeLabelSet,
    histogram: &Histogram,
) -> Result<(), Error> {
    let Reading { sum, count, buckets, native } = histogram.read();
    family.encode_family(set)?.encode_histogram_with_native::<NoLabels>(
        sum,
        count,
        &buckets,
        None,
        native.encoded(),
    )
}

/// Writes a family of counters: the labels and the value of each.
pub(super) fn counters<'l, const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: Name,
    series: impl Iterator<Item = ([(&'static str, &'l str); N], u64)>,
) -> Result<(), Error> {
    let mut family = family(encoder, name, MetricType::Counter)?;
    for (set, value) in series {
        family.encode_family(&set)?.encode_counter::<NoLabels, _, f64>(&value, None)?;
    }
    Ok(())
}

/// Writes a family of gauges: the labels and the value of each.
pub(super) fn gauges<'l, const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: Name,
    series: impl Iterator<Item = ([(&'static str, &'l str); N], u64)>,
) -> Result<(), Error> {
    let mut family = family(encoder, name, MetricType::Gauge)?;
    for (set, value) in series {
        family.encode_family(&set)?.encode_gauge(&signed(value))?;
    }
    Ok(())
}

pub(super) fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: Name,
    value: u64,
) -> Result<(), Error> {
    family(encoder, name, MetricType::Counter)?.encode_counter::<NoLabels, _, f64>(&value, None)
}

pub(super) fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: Name,
    value: u64,
) -> Result<(), Error> {
    family(encoder, name, MetricType::Gauge)?.encode_gauge(&signed(value))
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn load(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
