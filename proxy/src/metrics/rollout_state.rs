//! Where the rollout is that this process runs; all zero where it runs none.

use std::fmt::Error;

use modegate_filters::rollout::gates::{GateReport, GateVerdict};
use modegate_filters::rollout::plan::Gate;
use modegate_filters::rollout::state::Phase;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::names;
use super::scrape::{counters, family, gauge, gauges};
use crate::rollout::Reading;

/// Writes a reading of a rollout.
pub(super) fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    reading: Option<&Reading>,
) -> Result<(), Error> {
    let phases = Phase::ALL.into_iter();
    let is_at = |phase| u64::from(reading.is_some_and(|it| it.phase == Some(phase)));
    let at = phases.clone().map(|phase| ([("state", phase.word())], is_at(phase)));
    gauges(encoder, names::ROLLOUT_STATE, at)?;
    let entered = reading.map(|reading| reading.entered).unwrap_or_default();
    let entered = phases.zip(entered).map(|(phase, count)| ([("state", phase.word())], count));
    counters(encoder, names::ROLLOUT_TRANSITIONS, entered)?;
    gauge(encoder, names::ROLLOUT_STAGE, reading.map_or(0, |it| it.stage as u64))?;
    gauge(encoder, names::ROLLOUT_INCIDENT, u64::from(reading.is_some_and(|it| it.has_incident)))?;
    gauge(encoder, names::ROLLOUT_FAULT, u64::from(reading.is_some_and(|it| it.is_faulty)))?;
    encode_gates(encoder, reading.map(|reading| reading.gates.as_slice()).unwrap_or_default())
}

fn encode_gates(encoder: &mut DescriptorEncoder<'_>, reports: &[GateReport]) -> Result<(), Error> {
    let report = |gate| reports.iter().find(|report| report.gate == gate);
    let says = |gate, verdict| u64::from(report(gate).is_some_and(|said| said.verdict == verdict));
    let verdicts = Gate::ALL
        .into_iter()
        .flat_map(|gate| GateVerdict::ALL.into_iter().map(move |verdict| (gate, verdict)));
    let verdicts = verdicts.map(|(gate, verdict)| {
        ([("gate", gate.name()), ("verdict", verdict.word())], says(gate, verdict))
    });
    gauges(encoder, names::ROLLOUT_GATE, verdicts)?;
    let samples = |gate| report(gate).map_or(0, |said| said.observed.samples);
    let samples = Gate::ALL.into_iter().map(|gate| ([("gate", gate.name())], samples(gate)));
    gauges(encoder, names::ROLLOUT_GATE_SAMPLES, samples)?;
    let mut family = family(encoder, names::ROLLOUT_GATE_LOG_E, MetricType::Gauge)?;
    for gate in Gate::ALL {
        let log_e = report(gate).and_then(|said| said.observed.log_e).unwrap_or(0.0);
        family.encode_family(&[("gate", gate.name())])?.encode_gauge(&log_e)?;
    }
    Ok(())
}
