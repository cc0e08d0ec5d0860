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

use super::forward;
use super::pool::Lease;
use super::record::Record;
use super::refuse::{refuse, refuse_mismatch};
use super::reply::Reply;
use super::stack::Answer;
use super::witness::DOCUMENT_LIMIT;
use crate::metrics::{Enforced, count};

/// The upstream's answer, or what is said in its place. One that is too large to be looked into
/// passes: it acknowledges nothing.
pub async fn give_back(
    answer: Response<Incoming>,
    lease: Lease,
    mut record: Box<Record>,
    id: Option<&str>,
) -> Answer {
    let idle = record.snapshot().settings.timeouts.idle;
    if answer.body().size_hint().lower() > DOCUMENT_LIMIT as u64 {
        return forward::give_back(answer, record, |body, record| {
            Reply::upstream(body, lease, Some(idle), record)
        });
    }
    let length = answer.body().size_hint().exact();
    let (head, mut body) = answer.into_parts();
    let mut frames: VecDeque<Frame<_>> = VecDeque::new();
    let mut held = 0;
    loop {
        let mut frame = match timeout(idle, body.frame()).await {
            Err(_) => return refuse(record, Rejection::UpstreamTimeout, id),
            Ok(Some(Err(_))) => return refuse(record, Rejection::Unreachable, id),
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
        };
        if let Some(data) = frame.data_ref() {
            held += data.len();
            record.see(data);
        }
        if let Some(trailers) = frame.trailers_mut() {
            tags::strip(trailers);
        }
        frames.push_back(frame);
        if held > DOCUMENT_LIMIT {
            let answer = Response::from_parts(head, body);
            return forward::give_back(answer, record, |body, record| {
                Reply::upstream_after(frames, body, lease, Some(idle), record)
            });
        }
    }
    lease.release();
    match record.acknowledged() {
        Some(verdict @ (Verdict::AckAltered | Verdict::RoomCrossed)) => {
            count(record.counts().enforced(Enforced::Reject));
            let [left, said] = record.modes_said().map(str::to_owned);
            let (expected, found) = match verdict {
                Verdict::AckAltered => (left.as_str(), said.as_str()),
                _ => ("its own", "another"),
            };
            let mismatch = Mismatch { verdict, expected, found };
            refuse_mismatch(record, &mismatch, Shape::Whole, id)
        }
        _ => {
            let answer = Response::from_parts(head, frames);
            forward::give_back(answer, record, |frames, record| Reply::held(frames, length, record))
        }
    }
}
