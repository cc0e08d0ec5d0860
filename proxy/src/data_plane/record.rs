//! What is known of a request. It travels with the request and then with its answer; when it is
//! dropped, wherever that is, the request is counted and its access line written.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use modegate_filters::bucket::{Cohort, Why};
use modegate_filters::contract::{Mode, Profile, Requested};
use modegate_filters::decide::{Action, Because};
use modegate_filters::dialect::Dialect;
use modegate_filters::inspect::Verdict;
use modegate_filters::rejection::Rejection;
use modegate_filters::route::Route;
use modegate_filters::tags::Trace;

use super::Plane;
use super::read::Read;
use super::serving::{Busy, Serving};
use crate::flags::Snapshot;
use crate::metrics::{Gauge, Held, Labels, Outcome, count};
use crate::traces::{Decision, Span};

/// How much of a method is logged: more is none.
const METHOD: usize = 32;

/// One request's account.
#[derive(Debug)]
pub struct Record {
    plane: Arc<Plane>,
    snapshot: Arc<Snapshot>,
    started: Instant,
    method: Method,
    request_id: HeaderValue,
    trace: Trace,
    span: u64,
    route: Option<(&'static str, Dialect)>,
    inspected: Option<Inspected>,
    rejection: Option<Rejection>,
    status: Option<StatusCode>,
    outcome: Outcome,
    first_byte: Option<Duration>,
    read: Arc<Read>,
    bytes_out: u64,
    serving: Serving,
    _busy: Busy,
    _inflight: Held,
}

#[derive(Debug)]
struct Inspected {
    action: Action,
    because: Option<Because>,
    requested: Requested,
    effective: Mode,
    profile: Option<Arc<Profile>>,
    /// Of a request whose body was read.
    cohort: Option<Cohort>,
    why: Why,
    room: Option<u64>,
    text: Option<u64>,
}

impl Record {
    /// The account of a request that begins now; also how many are in flight on its leg with it.
    pub fn begin(
        plane: &Arc<Plane>,
        snapshot: &Arc<Snapshot>,
        method: &Method,
        request_id: &HeaderValue,
        (trace, span): (Trace, u64),
        serving: Serving,
    ) -> (Box<Record>, u64) {
        let (inflight, level) = Held::raise(&plane.metrics, Gauge::Inflight(plane.leg), 1);
        let record = Record {
            plane: plane.clone(),
            snapshot: snapshot.clone(),
            started: Instant::now(),
            method: method.clone(),
            request_id: request_id.clone(),
            trace,
            span,
            route: None,
            inspected: None,
            rejection: None,
            status: None,
            outcome: Outcome::Gone,
            first_byte: None,
            read: Arc::new(Read::new()),
            bytes_out: 0,
            _busy: serving.request(),
            serving,
            _inflight: inflight,
        };
        (Box::new(record), level)
    }

    /// The route, where it is one that is inspected.
    pub fn routed(&mut self, route: &Route) {
        self.route = Some((route.name, route.dialect));
    }

    /// The dialect of the route.
    pub fn dialect(&self) -> Option<Dialect> {
        self.route.map(|(_, dialect)| dialect)
    }

    /// What the contract said, of the body in these chunks.
    pub fn judged(&mut self, verdict: &Verdict, chunks: &[Bytes]) {
        let digests = &self.plane.digests;
        self.rejection = verdict.rejection;
        self.inspected = Some(Inspected {
            action: verdict.action,
            because: verdict.because,
            requested: verdict.requested,
            effective: verdict.effective,
            profile: verdict.profile.clone(),
            cohort: verdict.because.map(|_| verdict.assignment.cohort),
            why: verdict.assignment.why,
            room: verdict.room.as_deref().map(|room| digests.digest(room)),
            text: verdict.text.as_ref().map(|text| digests.digest_span(chunks, text)),
        });
    }

    /// The effective mode, where the request was inspected.
    pub fn mode(&self) -> Option<Mode> {
        self.inspected.as_ref().map(|inspected| inspected.effective)
    }

    /// Whether the answer's body is asked for.
    pub fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Keeps the connection busy beyond this record.
    pub fn busy(&self) -> Busy {
        self.serving.busy()
    }

    /// The connection becomes a tunnel.
    pub fn becomes_tunnel(&self) {
        self.serving.becomes_tunnel();
    }

    /// The request's id.
    pub fn request_id(&self) -> &HeaderValue {
        &self.request_id
    }

    /// The settings that the request sees.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// What was read of the request's body.
    pub fn read(&self) -> &Arc<Read> {
        &self.read
    }

    /// It is refused.
    pub fn refused(&mut self, rejection: Rejection) {
        self.rejection = Some(rejection);
        self.outcome = match rejection {
            // Nobody is there any more to be refused.
            Rejection::BodyCut => Outcome::Gone,
            Rejection::Unreachable | Rejection::UpstreamTimeout => Outcome::Unavailable,
            _ => Outcome::Refused,
        };
        self.status = Some(rejection.status());
    }

    /// The head of the answer is there.
    pub fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
        self.read.answer();
        self.first_byte = Some(self.started.elapsed());
    }

    /// Some of the answer's body left.
    pub fn sent(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// The answer came to its end.
    pub fn finished(&mut self) {
        if self.rejection.is_some() && self.outcome != Outcome::Gone {
            return;
        }
        self.outcome = match self.status {
            Some(status) if status.is_client_error() => Outcome::ClientError,
            Some(status) if status.is_server_error() => Outcome::ServerError,
            _ => Outcome::Ok,
        };
    }

    /// The upstream ended in the middle of its answer.
    pub fn cut(&mut self) {
        self.outcome = Outcome::Cut;
    }

    fn count(&self, lasted: Duration) {
        let metrics = &self.plane.metrics;
        let leg = self.plane.leg;
        let inspected = self.inspected.as_ref();
        let labels = Labels {
            leg,
            dialect: self.dialect(),
            cohort: inspected.and_then(|inspected| inspected.cohort),
            mode: inspected.map_or(Mode::DEFAULT, |inspected| inspected.effective),
            requested: inspected.map_or(Requested::Nothing, |inspected| inspected.requested),
        };
        count(metrics.requests(labels, self.outcome));
        // How long a tunnel was open is no time that a request took.
        let tunnel = self.status == Some(StatusCode::SWITCHING_PROTOCOLS);
        if let Some(histogram) = metrics.request(labels).filter(|_| !tunnel) {
            histogram.observe(lasted);
        }
        if let Some((histogram, first_byte)) = metrics.first_byte(labels).zip(self.first_byte) {
            histogram.observe(first_byte);
        }
        if let Some(rejection) = self.rejection {
            count(metrics.rejections(leg, rejection));
        }
        if let Some(inspected) = inspected {
            count(metrics.actions(leg, inspected.action));
            if inspected.because == Some(Because::ProfileFallback) {
                metrics.profile_fallbacks.fetch_add(1, Relaxed);
            }
            if inspected.because.is_some() && inspected.why == Why::NoKey {
                metrics.no_key.fetch_add(1, Relaxed);
            }
        }
    }

    fn write_line(&self, lasted: Duration) {
        let modes = &self.snapshot.settings.policy.contract().modes;
        let inspected = self.inspected.as_ref();
        let trace = std::str::from_utf8(&self.trace.id).unwrap_or_default();
        tracing::info!(
            target: "access",
            leg = self.plane.leg.word(),
            method = self.method.as_str().get(..METHOD).unwrap_or(self.method.as_str()),
            route = self.route.map_or("-", |(name, _)| name),
            dialect = self.dialect().map(Dialect::word),
            status = self.status.map(|status| status.as_u16()),
            outcome = self.outcome.word(),
            reason = self.rejection.map(Rejection::reason),
            action = inspected.map(|inspected| inspected.action.word()),
            requested = inspected.map(|inspected| inspected.requested.word(modes)),
            mode = inspected.map(|inspected| modes.name(inspected.effective)),
            cohort = inspected.and_then(|inspected| inspected.cohort).map(Cohort::word),
            room = inspected.and_then(|inspected| inspected.room).map(hex),
            text = inspected.and_then(|inspected| inspected.text).map(hex),
            request_id = self.request_id.to_str().unwrap_or_default(),
            trace_id = trace,
            generation = self.snapshot.generation,
            bytes_in = self.read.bytes(),
            bytes_out = self.bytes_out,
            first_byte_us = self.first_byte.map(micros),
            total_us = micros(lasted),
        );
    }
}

impl Record {
    fn span(&self, lasted: Duration) -> Span {
        Span {
            trace: self.trace,
            id: self.span,
            ended: SystemTime::now(),
            lasted,
            leg: self.plane.leg,
            method: self.method.clone(),
            route: self.route.map(|(name, _)| name),
            request_id: self.request_id.clone(),
            status: self.status,
            outcome: self.outcome,
            rejection: self.rejection,
            snapshot: self.snapshot.clone(),
            decision: self.inspected.as_ref().map(|inspected| Decision {
                action: inspected.action,
                requested: inspected.requested,
                effective: inspected.effective,
                profile: inspected.profile.clone(),
                cohort: inspected.cohort,
                why: inspected.why,
                room: inspected.room,
            }),
            // The legs are not joined yet.
            verdict: None,
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let lasted = self.started.elapsed();
        self.read.end();
        if self.outcome == Outcome::Gone && self.first_byte.is_none() {
            self.serving.abandon();
        }
        self.count(lasted);
        self.write_line(lasted);
        if self.trace.sampled {
            self.plane.traces.record(|| self.span(lasted));
        }
    }
}

fn hex(digest: u64) -> String {
    format!("{digest:016x}")
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
