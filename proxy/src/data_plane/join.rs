//! Where a leg meets the leg before: what arrives is compared with what was let through, and what
//! leaves is written down for the next leg. What is done about a mismatch is in `enforce`.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use modegate_filters::contract::{Mode, Requested};
use modegate_filters::inspect::Verdict;
use modegate_filters::parity::{self, Means};
use modegate_filters::rollout::observe::Breaker;
use modegate_filters::route::{Leg, Route};
use modegate_filters::tags::Trace;
use modegate_filters::text;

use super::enforce::{Enforcement, cohort, enforce, leaves_alike, refuse};
use super::exchange::Exchange;
use super::named::Named;
use super::stack::Answer;
use crate::digest::DigestKey;
use crate::metrics::{Enforced, Source, count};
use crate::parity::{self as table, Claim, Kind, Left, Origins, Table, VALUE_LIMIT, Wanted};

/// How a message was joined to the leg before.
#[derive(Clone, Debug)]
pub struct Joined {
    /// What its record says of it.
    pub verdict: parity::Verdict,
    /// What its record was found by.
    pub means: Means,
    /// The record's request id.
    pub request_id: Option<Box<str>>,
    /// What was wrong before it was repaired.
    pub repaired: Option<parity::Verdict>,
}

/// Compares a message with what the leg before let through. What goes on may be repaired.
///
/// # Errors
/// The refusal of a mismatch.
pub fn arrive(
    mut exchange: Box<Exchange>,
    route: &Route,
    verdict: Verdict,
    named: Named,
    chunks: &[Bytes],
) -> Result<(Box<Exchange>, Verdict), Box<Answer>> {
    let plane = exchange.plane.clone();
    let Some(table) = plane.parity.before(plane.leg).filter(|_| verdict.is_message) else {
        return Ok((exchange, verdict));
    };
    let (means, claim) = claim(&exchange, table, &verdict, named);
    // Where only the text is the same, and others may well say it too, nothing is done about it:
    // another conversation's room must not be written into a stranger's message.
    let (left, is_sure) = match &claim {
        // An id that was given twice.
        Claim::Found(left) if plane.leg == Leg::Runtime && says_another(left, named) => {
            (None, true)
        }
        Claim::Found(left) => (Some(left.clone()), true),
        Claim::Elsewhere { left, in_flight } => {
            (Some(left.clone()), *in_flight || named.is_distinct)
        }
        Claim::Taken | Claim::Ambiguous | Claim::Nothing => (None, true),
    };
    let said = match (&left, claim) {
        (Some(left), _) => compare(&exchange, &verdict, left),
        (None, Claim::Taken) => parity::Verdict::Duplicate,
        (None, _) => parity::Verdict::Unobserved,
    };
    let counts = &plane.metrics.parity;
    count(counts.joins(plane.leg, means));
    if said == parity::Verdict::RoomCrossed && is_sure {
        count(counts.contamination(plane.leg, Source::Request));
        plane.store.trip(Breaker::Contamination);
    }
    if let Some(left) = left.as_ref().filter(|_| is_sure) {
        continue_trace(&mut exchange, left);
    }
    let request_id = left.as_ref().map(|left| left.request_id.clone());
    let mut joined = Joined { verdict: said, means, request_id, repaired: None };
    let was_fast = left.as_ref().is_some_and(|left| left.mode != Mode::DEFAULT);
    let is_lost = said.is_of_mode() && is_sure && was_fast;
    let enforced = match left.filter(|_| said.is_mismatch()) {
        None => Enforcement::None,
        Some(left) => {
            remember(&exchange, &verdict, named, &left, (said, means));
            match is_sure {
                true => enforce(&exchange, route, &verdict, &left, said, chunks),
                false => Enforcement::None,
            }
        }
    };
    if matches!(enforced, Enforcement::Repair(_)) {
        count(counts.enforced(Enforced::Repair));
        (joined.verdict, joined.repaired) = (parity::Verdict::Match, Some(said));
    } else if is_lost {
        plane.store.trip(Breaker::Mismatch);
    }
    count(counts.verdicts(plane.leg, joined.verdict));
    exchange.record.joined(joined);
    match enforced {
        Enforcement::None => Ok((exchange, verdict)),
        Enforcement::Repair(repaired) => Ok((exchange, *repaired)),
        Enforcement::Reject(left) => {
            count(counts.enforced(Enforced::Reject));
            Err(Box::new(refuse(exchange, route, &verdict, named, (&left, said))))
        }
    }
}

/// What a message's record says of it.
fn compare(exchange: &Exchange, verdict: &Verdict, left: &Left) -> parity::Verdict {
    // What another key says is no drift: the API server drops the headers that were one.
    let by_one_key = left.rank == verdict.assignment.rank;
    let expected = parity::Left {
        mode: left.mode,
        cohort: left.cohort.filter(|_| by_one_key),
        room: left.room.as_deref(),
    };
    let arrived = parity::Arrived {
        requested: verdict.requested,
        cohort: cohort(verdict),
        room: verdict.room.as_deref(),
    };
    let said = parity::compare(&expected, &arrived);
    // The flags changed between the legs: what would not leave any more is not missed.
    let flipped = left.generation != exchange.snapshot.generation;
    if said.is_of_mode() && flipped && leaves_alike(exchange, verdict, left) {
        let requested = Requested::Mode(left.mode);
        return parity::compare(&expected, &parity::Arrived { requested, ..arrived });
    }
    said
}

fn says_another(left: &Left, named: Named) -> bool {
    left.text.zip(named.text).is_some_and(|(left, arrived)| left != arrived)
}

/// The server in between dropped the trace: it goes on all the same.
fn continue_trace(exchange: &mut Exchange, left: &Left) {
    if !exchange.sent.trace {
        exchange.trace = Trace { parent: Some(left.span), ..left.trace };
        exchange.record.continues(exchange.trace);
    }
}

fn claim(exchange: &Exchange, table: &Table, verdict: &Verdict, named: Named) -> (Means, Claim) {
    let plane = &exchange.plane;
    let (key, by_key) = match plane.leg {
        Leg::Runtime => (named.call_key(), Means::RpcId),
        _ => (named.message_key(), Means::RoomText),
    };
    let sent = exchange.sent;
    let request_id = sent.request_id.then(|| id(&plane.digests, exchange));
    let trace = sent.trace.then(|| plane.digests.fast_digest(&exchange.trace.id));
    let mode = match verdict.requested {
        Requested::Mode(mode) => mode,
        _ => Mode::DEFAULT,
    };
    let origins = match exchange.snapshot.settings.is_exclusive {
        true => Origins::Here,
        false => Origins::Anywhere,
    };
    let wanted = Wanted { key, by_key, ids: [request_id, trace], mode, origins };
    table.claim(Instant::now(), window(exchange), &wanted)
}

fn remember(
    exchange: &Exchange,
    verdict: &Verdict,
    named: Named,
    left: &Left,
    (said, means): (parity::Verdict, Means),
) {
    let plane = &exchange.plane;
    plane.parity.recent.keep(|| table::Mismatch {
        at: SystemTime::now(),
        leg: plane.leg,
        verdict: said,
        means,
        mode: (left.mode, Some(verdict.requested)),
        room: (left.room.as_deref().map(|room| plane.digests.digest(room)), named.room),
        generation: (left.generation, exchange.snapshot.generation),
        request_id: (left.request_id.to_string(), request_id(exchange).to_owned()),
        trace_id: exchange.trace.shown(),
    });
}

/// Writes down what leaves, for the next leg.
pub fn leave(exchange: &mut Exchange, verdict: &Verdict, named: Named, chunks: &[Bytes]) {
    let plane = exchange.plane.clone();
    let Some(table) = plane.parity.of(plane.leg).filter(|_| verdict.is_message) else { return };
    let key = match plane.leg {
        Leg::Bridge if named.call.is_some() => named.call_key(),
        Leg::Frontend if named.text.is_some() && named.room.is_some() => named.message_key(),
        _ => return,
    };
    let value = verdict.value.as_ref().filter(|_| verdict.effective != Mode::DEFAULT);
    let left = Left {
        mode: verdict.effective,
        cohort: cohort(verdict),
        rank: verdict.assignment.rank,
        text: named.text,
        room: verdict.room.as_deref().map(Box::from),
        value: value
            .filter(|value| value.len() <= VALUE_LIMIT)
            .map(|value| Bytes::from(text::raw(chunks, value).into_owned()))
            .or_else(|| rewritten(exchange, verdict)),
        request_id: request_id(exchange).into(),
        trace: exchange.trace,
        span: exchange.span,
        generation: exchange.snapshot.generation,
    };
    let kind = Kind {
        mode: left.mode,
        cohort: left.cohort,
        room: named.room.unwrap_or(0),
        value: left.value.as_ref().map_or(0, |value| plane.digests.fast_digest(value)),
    };
    let ids = [id(&plane.digests, exchange), plane.digests.fast_digest(&exchange.trace.id)];
    let inserted = table.insert(Instant::now(), window(exchange), key, kind, ids, left);
    if let Some(inserted) = inserted {
        exchange.record.left(inserted);
    }
}

/// A value too long to be kept as it is: its mode and its profile.
fn rewritten(exchange: &Exchange, verdict: &Verdict) -> Option<Bytes> {
    let modes = &exchange.snapshot.settings.policy.contract().modes;
    let mode = Some(verdict.effective).filter(|mode| *mode != Mode::DEFAULT)?;
    let mut value = serde_json::json!({ "mode": modes.name(mode) });
    if let (Some(profile), Some(value)) = (&verdict.profile, value.as_object_mut()) {
        value.insert("profile".to_owned(), profile.name.as_str().into());
    }
    Some(Bytes::from(value.to_string()))
}

fn id(digests: &DigestKey, exchange: &Exchange) -> u64 {
    digests.fast_digest(request_id(exchange).as_bytes())
}

fn request_id(exchange: &Exchange) -> &str {
    exchange.record.request_id().to_str().unwrap_or_default()
}

fn window(exchange: &Exchange) -> Duration {
    exchange.snapshot.settings.window
}
