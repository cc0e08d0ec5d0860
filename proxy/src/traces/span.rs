//! What a span is made of: a request's account, as it was when the request ended.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Method, StatusCode};
use modegate_filters::bucket::{Cohort, Why};
use modegate_filters::contract::{Mode, Profile, Requested};
use modegate_filters::decide::Action;
use modegate_filters::parity;
use modegate_filters::rejection::Rejection;
use modegate_filters::route::Leg;
use modegate_filters::tags::Trace;

use crate::flags::Snapshot;
use crate::metrics::Outcome;

/// A request on one leg.
#[derive(Debug)]
pub struct Span {
    /// The trace, with the caller's span.
    pub trace: Trace,
    /// Its own id, as the upstream was told it; never 0.
    pub id: u64,
    /// When the request ended.
    pub ended: SystemTime,
    /// How long it took.
    pub lasted: Duration,
    /// The leg.
    pub leg: Leg,
    /// The method, as the client wrote it.
    pub method: Method,
    /// The route's pattern, where it is one that is inspected.
    pub route: Option<&'static str>,
    /// The request's id.
    pub request_id: HeaderValue,
    /// The answer's status, where there was one.
    pub status: Option<StatusCode>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was refused.
    pub rejection: Option<Rejection>,
    /// The flags that it saw.
    pub snapshot: Arc<Snapshot>,
    /// What was decided, of an inspected request.
    pub decision: Option<Decision>,
    /// What parity said of it.
    pub verdict: Option<parity::Verdict>,
    /// What the answer says of the mode.
    pub acknowledged: Option<parity::Verdict>,
}

/// What was decided of a request.
#[derive(Debug)]
pub struct Decision {
    /// What was done.
    pub action: Action,
    /// The mode asked for.
    pub requested: Requested,
    /// The mode that left.
    pub effective: Mode,
    /// The profile that applied.
    pub profile: Option<Arc<Profile>>,
    /// The cohort, where the body was read.
    pub cohort: Option<Cohort>,
    /// How the cohort came about.
    pub why: Why,
    /// The room's digest.
    pub room: Option<u64>,
}
