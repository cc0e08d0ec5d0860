//! An answer that is read to its end before its client sees anything of it: with `cloud_enforced` on,
//! one that acknowledges another mode than the one that left, or that is another room's, becomes an
//! error.

use std::collections::VecDeque;

use http::Response;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use modegate_filters::mismatch::{Mismatch, Shape};
use modegate_filters::parity::Verdict;
use modegate_filters::rejection::Rejection;
use modegate_filters::tags;
use tokio::time::timeout;

use super::ending::is_cut;
use super::forward;
use super::pool::Lease;
use super::record::Record;
use super::refuse::{refuse, refuse_mismatch};
use super::reply::Reply;
use super::stack::Answer;
use super::witness::{DOCUMENT_LIMIT, Witness};
use crate::metrics::{Enforced, count};

/// Whether the upstream's answer is looked into before its client sees anything of it, or is refused
/// for its head.
pub fn is_kept(record: &Record) -> bool {
    let kept = |witness: &Witness| witness.is_document() || is_contradiction(witness.verdict());
    record.enforced().is_some_and(kept)
}

fn is_contradiction(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::AckAltered | Verdict::RoomCrossed)
}

/// The upstream's answer, or what is said in its place. One whose head contradicts is not read; one
/// that is too large to be looked into passes: its body acknowledges nothing.
pub async fn give_back(
    answer: Response<Incoming>,
    lease: Lease,
    mut record: Box<Record>,
    id: Option<&str>,
) -> Answer {
    let idle = record.snapshot().settings.timeouts.idle;
    if let Some(verdict) = record.enforced().map(|witness| witness.verdict())
        && is_contradiction(verdict)
    {
        // The lease goes with it, and the connection: its rest is nobody's answer.
        return refused(record, verdict, id);
    }
    if answer.body().size_hint().lower() > DOCUMENT_LIMIT as u64 {
        return forward::give_back(answer, record, |body, record| {
            Reply::upstream(body, lease, Some(idle), record)
        });
    }
    let length = answer.body().size_hint().exact();
    let (head, mut body) = answer.into_parts();
    let mut frames: VecDeque<Frame<_>> = VecDeque::new();
    loop {
        let mut frame = match timeout(idle, body.frame()).await {
            Err(_) => return refuse(record, Rejection::UpstreamTimeout, id),
            Ok(Some(Err(_))) => return refuse(record, Rejection::Unreachable, id),
            Ok(Some(Ok(frame))) => frame,
            Ok(None) if is_cut(&body, lease.protocol()) => {
                return refuse(record, Rejection::Unreachable, id);
            }
            Ok(None) => break,
        };
        if let Some(data) = frame.data_ref() {
            record.see(data);
        }
        if let Some(trailers) = frame.trailers_mut() {
            tags::strip(trailers);
        }
        if frame.data_ref().is_none_or(|data| !data.is_empty()) {
            frames.push_back(frame);
        }
        // Too large to be looked into, or no memory for it.
        if !record.enforced().is_some_and(Witness::is_document) {
            let answer = Response::from_parts(head, body);
            return forward::give_back(answer, record, |body, record| {
                Reply::upstream_after(frames, body, lease, Some(idle), record)
            });
        }
    }
    lease.release();
    match record.acknowledged() {
        Some(verdict) if is_contradiction(verdict) => refused(record, verdict, id),
        _ => {
            let answer = Response::from_parts(head, frames);
            forward::give_back(answer, record, |frames, record| Reply::held(frames, length, record))
        }
    }
}

fn refused(record: Box<Record>, verdict: Verdict, id: Option<&str>) -> Answer {
    count(record.counts().enforced(Enforced::Reject));
    let [left, said] = record.modes_said().map(str::to_owned);
    let (expected, found) = match verdict {
        Verdict::AckAltered => (left.as_str(), said.as_str()),
        _ => ("its own", "another"),
    };
    refuse_mismatch(record, &Mismatch { verdict, expected, found }, Shape::Whole, id)
}
