//! What `GET /parity` shows.

use modegate_config::OnMismatch;
use modegate_filters::contract::{Modes, Requested};
use modegate_filters::parity::{Means, Verdict};
use modegate_filters::route::Leg;
use serde_json::{Map, Value, json};

use crate::digest::hex;
use crate::metrics::{Enforced, Metrics, Source, Sources, kinds, read};
use crate::moment::milliseconds;
use crate::parity::{Mismatch, Parity};

/// Counts by leg and verdict, how much of what arrived could be joined, and the last mismatches.
pub fn parity(sources: &Sources) -> Value {
    let Sources { metrics, parity, flags, .. } = sources;
    let snapshot = flags.snapshot();
    let settings = &snapshot.settings;
    let legs = Leg::ALL.map(|leg| (leg.word().to_owned(), of_leg(metrics, parity, leg)));
    let enforced = |enforced| read(metrics.parity.enforced(enforced));
    let modes = &settings.policy.contract().modes;
    let mismatches = parity.recent.list();
    json!({
        "generation": snapshot.generation,
        "window_ms": u64::try_from(settings.window.as_millis()).unwrap_or(u64::MAX),
        "exclusive": settings.is_exclusive,
        "cloud_enforced": snapshot.flags.cloud_enforced,
        "on_mismatch": match settings.on_mismatch {
            OnMismatch::Reject => "reject",
            OnMismatch::Repair => "repair",
        },
        "enforced": {
            "reject": enforced(Enforced::Reject),
            "repair": enforced(Enforced::Repair),
        },
        "legs": Value::Object(legs.into_iter().collect()),
        "mismatches": mismatches.iter().map(|one| shown(one, modes)).collect::<Vec<_>>(),
    })
}

fn of_leg(metrics: &Metrics, parity: &Parity, leg: Leg) -> Value {
    let counts = &metrics.parity;
    let verdicts: Vec<(Verdict, u64)> = kinds()
        .filter(|(of, _)| *of == leg)
        .map(|(_, verdict)| (verdict, counts.count(parity, leg, verdict)))
        .collect();
    let joined: u64 =
        verdicts.iter().filter(|(verdict, _)| verdict.is_joined()).map(|(_, count)| count).sum();
    let unobserved = counts.count(parity, leg, Verdict::Unobserved);
    let all = joined + unobserved;
    let means = Means::ALL
        .map(|means| (means.word().to_owned(), Value::from(read(counts.joins(leg, means)))));
    let words =
        verdicts.iter().map(|(verdict, count)| (verdict.word().to_owned(), (*count).into()));
    let table = parity.of(leg).map(|table| {
        let (records, bytes) = table.size();
        let dropped = read(Some(&table.dropped.records)) + read(Some(&table.dropped.bytes));
        json!({ "records": records, "bytes": bytes, "dropped": dropped })
    });
    let contamination = |source| read(counts.contamination(leg, source));
    json!({
        "joined": joined,
        "coverage": (all > 0).then(|| joined as f64 / all as f64),
        "verdicts": Value::Object(words.collect()),
        "joined_by": parity.before(leg).map(|_| Value::Object(means.into_iter().collect::<Map<_, _>>())),
        "contamination": {
            "request": contamination(Source::Request),
            "answer": contamination(Source::Answer),
        },
        "table": table,
    })
}

fn shown(mismatch: &Mismatch, modes: &Modes) -> Value {
    let (expected, found) = mismatch.mode;
    json!({
        "at_ms": milliseconds(mismatch.at),
        "leg": mismatch.leg.word(),
        "verdict": mismatch.verdict.word(),
        "joined_by": mismatch.means.word(),
        "trace_id": mismatch.trace_id,
        "expected": {
            "mode": modes.name(expected),
            "room": mismatch.room.0.map(hex),
            "generation": mismatch.generation.0,
            "request_id": mismatch.request_id.0,
        },
        "found": {
            "mode": found.unwrap_or(Requested::Nothing).word(modes),
            "room": mismatch.room.1.map(hex),
            "generation": mismatch.generation.1,
            "request_id": mismatch.request_id.1,
        },
    })
}
