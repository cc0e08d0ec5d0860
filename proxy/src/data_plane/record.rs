//! What is known of a request. It travels with the request and then with its answer; when it is
//! dropped, wherever that is, the request is counted and its access line written.

mod answer;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderValue, Method, StatusCode};
use modegate_filters::bucket::{Cohort, Why};
use modegate_filters::contract::{Mode, Profile, Requested};
use modegate_filters::decide::{Action, Because};
use modegate_filters::dialect::Dialect;
use modegate_filters::inspect::Verdict;
use modegate_filters::parity;
use modegate_filters::rejection::Rejection;
use modegate_filters::rollout::observe::replicate;
use modegate_filters::route::{Leg, Route};
use modegate_filters::stream::Ending;
use modegate_filters::tags::Trace;

use super::Here;
use super::join::Joined;
use super::named::Named;
use super::read::Read;
use super::serving::{Busy, Serving};
use super::witness::Witness;
use crate::digest::hex;
use crate::flags::Snapshot;
use crate::metrics::{Gauge, Held, Labels, Outcome, Path, count};
use crate::parity::Inserted;
use crate::traces::{Decision, Span};
use answer::Concluded;

/// How much of a method is logged: more is none.
const METHOD: usize = 32;

/// Whether access lines are written. Some of what they say costs something to know.
pub fn is_logged() -> bool {
    tracing::enabled!(target: "access", tracing::Level::INFO)
}

/// One request's account.
#[derive(Debug)]
pub struct Record {
    plane: Here,
    snapshot: Arc<Snapshot>,
    started: Instant,
    method: Method,
    request_id: HeaderValue,
    trace: Trace,
    span: u64,
    route: Option<(&'static str, Dialect)>,
    conversation: Option<u64>,
    inspected: Option<Inspected>,
    joined: Option<Joined>,
    witness: Option<Box<Witness>>,
    /// Where it is written down for the next leg.
    left: Option<Inserted>,
    rejection: Option<Rejection>,
    status: Option<StatusCode>,
    outcome: Outcome,
    first_byte: Option<Duration>,
    /// The first piece of a streamed answer's text.
    first_event: Option<Duration>,
    read: Arc<Read>,
    bytes_out: u64,
    serving: Serving,
    _busy: Busy,
    _inflight: Held<Here>,
}

#[derive(Debug)]
struct Inspected {
    is_message: bool,
    action: Action,
    because: Option<Because>,
    requested: Requested,
    effective: Mode,
    /// Of a request whose body was read.
    cohort: Option<Cohort>,
    why: Why,
    /// The cohort and the part of a request that a rollout compares.
    eligible: Option<(Cohort, usize)>,
    profile: Option<Arc<Profile>>,
    named: Named,
}

impl Record {
    /// The account of a request that begins now; also how many are in flight on its leg with it.
    pub fn begin(
        plane: &Here,
        snapshot: &Arc<Snapshot>,
        method: &Method,
        request_id: &HeaderValue,
        (trace, span): (Trace, u64),
        serving: Serving,
    ) -> (Box<Record>, u64) {
        let (inflight, level) = Held::raise(plane, Gauge::Inflight(plane.leg), 1);
        let started = Instant::now();
        let record = Record {
            plane: plane.clone(),
            snapshot: snapshot.clone(),
            started,
            method: method.clone(),
            request_id: request_id.clone(),
            trace,
            span,
            route: None,
            conversation: None,
            inspected: None,
            joined: None,
            witness: None,
            left: None,
            rejection: None,
            status: None,
            outcome: Outcome::Gone,
            first_byte: None,
            first_event: None,
            read: Arc::new(Read::new(started.into())),
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
        let conversation = route.conversation.as_deref().filter(|_| is_logged());
        self.conversation = conversation.map(|id| self.plane.digests.digest(id));
    }

    /// The leg that it came on.
    pub fn leg(&self) -> Leg {
        self.plane.leg
    }

    /// The dialect of the route.
    pub fn dialect(&self) -> Option<Dialect> {
        self.route.map(|(_, dialect)| dialect)
    }

    /// What the contract said of the message that is named so.
    pub fn judged(&mut self, verdict: &Verdict, named: Named) {
        self.rejection = verdict.rejection;
        self.inspected = Some(Inspected {
            is_message: verdict.is_message,
            action: verdict.action,
            because: verdict.because,
            requested: verdict.requested,
            effective: verdict.effective,
            cohort: verdict.because.map(|_| verdict.assignment.cohort),
            why: verdict.assignment.why,
            eligible: eligible(self.plane.leg, verdict),
            profile: verdict.profile.clone(),
            named,
        });
    }

    /// It goes on in another trace than it seemed at first.
    pub fn continues(&mut self, trace: Trace) {
        self.trace = trace;
    }

    /// How it was joined to the leg before.
    pub fn joined(&mut self, joined: Joined) {
        self.joined = Some(joined);
    }

    /// It is written down here for the next leg.
    pub fn left(&mut self, left: Inserted) {
        self.left = Some(left);
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
        if self.rejection.is_some() {
            return;
        }
        self.outcome = match self.status {
            Some(status) if status.is_client_error() => Outcome::ClientError,
            Some(status) if status.is_server_error() => Outcome::ServerError,
            _ => Outcome::Ok,
        };
        // Its client may take long for it, and what was kept of it is not needed until then.
        self.acknowledged();
    }

    /// The upstream ended in the middle of its answer.
    pub fn cut(&mut self) {
        self.outcome = Outcome::Cut;
    }

    /// What became of what the frontend leg wrote down for the bridge leg. What the
    /// upstream refused, or never got, goes nowhere: a client may send it again.
    fn settle(&self) -> Option<Path> {
        let table = self.plane.parity.of(self.plane.leg)?;
        let place = self.left?.place;
        let refused = self.status.is_some_and(|status| status.is_client_error());
        let goes_nowhere = refused || self.rejection == Some(Rejection::Unreachable);
        let claimed = table.settle(place, goes_nowhere)?;
        let path = if claimed { Path::Cloud } else { Path::Local };
        (self.plane.leg == Leg::Frontend).then_some(path)
    }

    /// Whether it is a message on its way to the cloud, or in it.
    fn is_past_the_api(&self) -> bool {
        let is_message = self.inspected.as_ref().is_some_and(|inspected| inspected.is_message);
        is_message && self.plane.leg != Leg::Frontend
    }

    fn labels(&self) -> Labels {
        let inspected = self.inspected.as_ref();
        Labels {
            leg: self.plane.leg,
            dialect: self.dialect(),
            cohort: inspected.and_then(|inspected| inspected.cohort),
            mode: inspected.map_or(Mode::DEFAULT, |inspected| inspected.effective),
            requested: inspected.map_or(Requested::Nothing, |inspected| inspected.requested),
        }
    }

    fn count(&self, lasted: Duration, path: Option<Path>) {
        let metrics = &self.plane.metrics;
        let leg = self.plane.leg;
        let inspected = self.inspected.as_ref();
        let labels = self.labels();
        if let Some(histogram) = path.and_then(|path| metrics.answers.path(path, labels.mode)) {
            histogram.observe(lasted);
        }
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

    fn write_line(&self, lasted: Duration, path: Option<Path>, concluded: Concluded) {
        let modes = &self.snapshot.settings.policy.contract().modes;
        let inspected = self.inspected.as_ref();
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
            profile = inspected.and_then(|one| one.profile.as_ref()).map(|one| one.name.as_str()),
            cohort = inspected.and_then(|inspected| inspected.cohort).map(Cohort::word),
            conversation = self.conversation.map(hex),
            room = inspected.and_then(|inspected| inspected.named.room).map(hex),
            text = inspected.and_then(|inspected| inspected.named.text).map(hex),
            parity = self.joined.as_ref().map(|joined| joined.verdict.word()),
            repaired = self.joined.as_ref().and_then(|joined| joined.repaired).map(|was| was.word()),
            joined_by = self.joined.as_ref().map(|joined| joined.means.word()),
            joined = self.joined.as_ref().and_then(|joined| joined.request_id.as_deref()),
            path = path.map(Path::word),
            acknowledged = concluded.acknowledged.map(parity::Verdict::word),
            stream = concluded.ending.map(Ending::word),
            request_id = self.request_id.to_str().unwrap_or_default(),
            trace_id = std::str::from_utf8(&self.trace.id).unwrap_or_default(),
            generation = self.snapshot.generation,
            bytes_in = self.read.bytes(),
            bytes_out = self.bytes_out,
            first_byte_us = self.first_byte.map(micros),
            total_us = micros(lasted),
        );
    }
}

impl Record {
    fn span(&self, lasted: Duration, acknowledged: Option<parity::Verdict>) -> Span {
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
                room: inspected.named.room,
            }),
            verdict: self.joined.as_ref().map(|joined| joined.verdict),
            acknowledged,
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
        let settled = self.settle();
        let path = settled.or_else(|| self.is_past_the_api().then_some(Path::Cloud));
        let concluded = self.conclude();
        self.count(lasted, settled);
        self.compare(concluded.ending);
        self.write_line(lasted, path, concluded);
        if self.trace.sampled {
            self.plane.traces.record(|| self.span(lasted, concluded.acknowledged));
        }
    }
}

/// The cohort and the part of a message that asked for a mode other than the default while it could
/// apply, whatever became of it, and whose cohort its rank told.
fn eligible(leg: Leg, verdict: &Verdict) -> Option<(Cohort, usize)> {
    let could_apply =
        matches!(verdict.because?, Because::Applied | Because::Control | Because::ProfileFallback);
    let assignment = verdict.assignment;
    let is_compared = leg == Leg::Frontend && verdict.is_message && assignment.why == Why::Rank;
    let rank = assignment.rank.filter(|_| could_apply && is_compared)?;
    Some((assignment.cohort, replicate(rank)))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
