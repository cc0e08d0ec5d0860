//! What is done about a mismatch: where the flags say so it is refused, or what was let through is
//! put back.

use std::sync::Arc;

use bytes::Bytes;
use modegate_config::OnMismatch;
use modegate_filters::bucket::{Cohort, Why};
use modegate_filters::decide::Action;
use modegate_filters::inspect::Verdict;
use modegate_filters::mismatch::{Mismatch, Shape};
use modegate_filters::parity;
use modegate_filters::repair::PutBack;
use modegate_filters::route::Route;

use super::exchange::Exchange;
use super::named::Named;
use super::refuse::refuse_mismatch;
use super::stack::Answer;
use crate::digest::hex;
use crate::flags::Snapshot;
use crate::parity::Left;

/// What is done about a mismatch.
pub enum Enforcement {
    /// Nothing.
    None,
    /// What was let through is put back: what goes on matches.
    Repair(Box<Verdict>),
    /// It is refused, for what this says.
    Reject(Arc<Left>),
}

/// Decides on a mismatch: it is refused or repaired where `cloud_enforced` is on and that makes a
/// difference. After a rollback between the two legs the mode would not be applied any more, and
/// its loss is none.
pub fn enforce(
    exchange: &Exchange,
    route: &Route,
    verdict: &Verdict,
    left: &Arc<Left>,
    said: parity::Verdict,
    chunks: &[Bytes],
) -> Enforcement {
    let (flags, settings) = (exchange.snapshot.flags, &exchange.snapshot.settings);
    if !flags.enforces(exchange.plane.leg) {
        return Enforcement::None;
    }
    if said.is_of_mode() && leaves_alike(exchange, verdict, left) {
        return Enforcement::None;
    }
    let put_back = PutBack {
        value: left.value.as_ref(),
        room: left.room.as_deref(),
        cohort: told_before(verdict, left),
    };
    let repaired = match settings.on_mismatch {
        OnMismatch::Reject => None,
        OnMismatch::Repair => {
            settings.policy.repair(flags, route, exchange.headers(), chunks, &put_back)
        }
    };
    match repaired {
        Some(repaired) => Enforcement::Repair(Box::new(repaired)),
        None => Enforcement::Reject(left.clone()),
    }
}

/// Whether the message leaves in the mode that the flags of this moment would give what was let
/// through.
pub fn leaves_alike(exchange: &Exchange, verdict: &Verdict, left: &Left) -> bool {
    let Snapshot { flags, settings, .. } = &*exchange.snapshot;
    let cohort = told_before(verdict, left).or(cohort(verdict)).unwrap_or(Cohort::Control);
    let would_leave = settings.policy.would_leave(*flags, left.value.as_ref(), cohort);
    verdict.rejection.is_none() && would_leave == verdict.effective
}

/// The cohort that another key told on the leg before: the server in between drops the headers that
/// may be one.
fn told_before(verdict: &Verdict, left: &Left) -> Option<Cohort> {
    left.cohort.filter(|_| left.rank != verdict.assignment.rank)
}

/// The refusal of a message that is not what was let through.
pub fn refuse(
    exchange: Box<Exchange>,
    route: &Route,
    verdict: &Verdict,
    named: Named,
    (left, said): (&Left, parity::Verdict),
) -> Answer {
    let plane = exchange.plane;
    let modes = &exchange.snapshot.settings.policy.contract().modes;
    let room = |digest: Option<u64>| digest.map_or_else(|| "none".to_owned(), hex);
    let (expected, found) = match said.is_of_room() {
        true => {
            let expected = left.room.as_deref().map(|room| plane.digests.digest(room));
            (room(expected), room(named.room))
        }
        false => (modes.name(left.mode).to_owned(), verdict.requested.word(modes).to_owned()),
    };
    let mismatch = Mismatch { verdict: said, expected: &expected, found: &found };
    let mut record = exchange.record;
    record.judged(&Verdict { action: Action::Reject, ..verdict.clone() }, named);
    refuse_mismatch(record, &mismatch, shape(route), verdict.id.as_deref())
}

fn shape(route: &Route) -> Shape {
    match route.name.ends_with("/stream") {
        true => Shape::Events,
        false => Shape::Whole,
    }
}

/// The cohort, where there was a key to tell it by.
pub fn cohort(verdict: &Verdict) -> Option<Cohort> {
    (verdict.assignment.why != Why::NoKey).then_some(verdict.assignment.cohort)
}
