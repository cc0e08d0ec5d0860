//! Holds the body of an inspected request, asks the filters, and does what they say.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_LENGTH, HeaderValue, TRAILER, TRANSFER_ENCODING};
use http_body::Body;
use modegate_filters::contract::Mode;
use modegate_filters::decide::Action;
use modegate_filters::edit;
use modegate_filters::inspect::Verdict;
use modegate_filters::rejection::Rejection;
use modegate_filters::route::{Leg, Route};
use tower::{Layer, Service};

use super::Here;
use super::exchange::{Exchange, Payload};
use super::held_body::{HeldBody, hold};
use super::join;
use super::named::Named;
use super::pool::Protocol;
use super::record;
use super::refuse::refuse;
use super::stack::{Answer, Serve};
use super::upload::Outgoing;
use crate::flags::Settings;
use crate::metrics::Held;

/// What an edit takes, with its member, its span and the slices around it, in bytes: a body can be
/// made of them.
const EDIT_COST: u64 = 160;

/// Puts [`Contract`] around a service.
#[derive(Clone, Copy, Debug)]
pub struct ContractLayer;

impl<S> Layer<S> for ContractLayer {
    type Service = Contract<S>;

    fn layer(&self, inner: S) -> Contract<S> {
        Contract(inner)
    }
}

/// Keeps the contract on inspected routes and passes everything else on as it comes.
#[derive(Clone, Copy, Debug)]
pub struct Contract<S>(S);

impl<S: Serve> Service<Box<Exchange>> for Contract<S> {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut exchange: Box<Exchange>) -> Self::Future {
        let mut inner = self.0.clone();
        Box::pin(async move {
            let kept = match exchange.route.take() {
                Some(route) => keep(exchange, &route).await,
                None => measure(exchange).await,
            };
            match kept {
                Ok(exchange) => inner.call(exchange).await,
                Err(refused) => Ok(*refused),
            }
        })
    }
}

/// Inspects a request: what leaves is its body as the verdict has it, or a refusal.
async fn keep(mut exchange: Box<Exchange>, route: &Route) -> Result<Box<Exchange>, Box<Answer>> {
    let snapshot = exchange.snapshot.clone();
    let settings = &snapshot.settings;
    if let Some(rejection) = settings.policy.refuse_head(exchange.plane.leg, exchange.headers()) {
        return Err(refused(exchange, Verdict::refused(rejection), Named::default()));
    }
    let held = match take(&mut exchange, settings).await {
        Ok(held) => held,
        Err(rejection) => {
            return Err(refused(exchange, Verdict::refused(rejection), Named::default()));
        }
    };
    let leg = exchange.plane.leg;
    let verdict =
        settings.policy.inspect_body(snapshot.flags, leg, route, exchange.headers(), &held.chunks);
    let with_text = exchange.plane.joins() || record::is_logged();
    let digests = &exchange.plane.digests;
    let named = Named::of(digests, route.dialect, &verdict, &held.chunks, with_text);
    let (mut exchange, verdict) = join::arrive(exchange, route, verdict, named, &held.chunks)?;
    let named = match verdict.action {
        Action::Repair => named.in_room(&exchange.plane.digests, verdict.room.as_deref()),
        _ => named,
    };
    if verdict.rejection.is_some() {
        return Err(refused(exchange, verdict, named));
    }
    exchange.record.judged(&verdict, named);
    let mut memory = held.memory;
    let edits = verdict.edits.len() as u64 * EDIT_COST;
    if edits > 0 && memory.add(edits) > settings.limits.body_memory as u64 {
        let refused = refuse(exchange.record, Rejection::BodyMemory, verdict.id.as_deref());
        return Err(Box::new(refused));
    }
    join::leave(&mut exchange, &verdict, named, &held.chunks);
    if leg == Leg::Frontend && verdict.effective != Mode::DEFAULT {
        exchange.plane.metrics.rollout.fast_left.fetch_add(1, Relaxed);
    }
    let slices = match verdict.edits.as_slice() {
        [] => held.chunks,
        edits => edit::apply(&held.chunks, edits),
    };
    replace(&mut exchange, slices, memory);
    exchange.verdict = Some(verdict);
    Ok(exchange)
}

/// Reads first what cannot be sent on as it comes. A GET's body of unknown length is given one:
/// hyper's client sends no other with a GET, and Node's server reads it. A body that was said to be
/// empty and has not ended may turn out not to be (HTTP/2): nothing is sent before that is known.
async fn measure(mut exchange: Box<Exchange>) -> Result<Box<Exchange>, Box<Answer>> {
    let read_first = match &exchange.body {
        Payload::Unread(body) if body.is_end_stream() => false,
        Payload::Unread(body) => match body.size_hint().exact() {
            Some(length) => length == 0,
            None => matches!(exchange.head.method, Method::GET | Method::HEAD),
        },
        Payload::Held(_) => false,
    };
    if !read_first {
        return Ok(exchange);
    }
    let snapshot = exchange.snapshot.clone();
    match take(&mut exchange, &snapshot.settings).await {
        Err(rejection) => Err(Box::new(refuse(exchange.record, rejection, None))),
        Ok(held) => {
            replace(&mut exchange, held.chunks, held.memory);
            Ok(exchange)
        }
    }
}

/// Reads the request's body to its end.
async fn take(exchange: &mut Exchange, settings: &Settings) -> Result<HeldBody, Rejection> {
    match std::mem::replace(&mut exchange.body, Payload::Held(Outgoing::Empty)) {
        Payload::Unread(body) => {
            let protocol = Protocol::of(exchange.head.version);
            hold(body, protocol, settings, &exchange.plane, &exchange.record).await
        }
        // A body is read once.
        Payload::Held(_) => Err(Rejection::BodyCut),
    }
}

/// Lets these slices leave as the body, with their one right length.
fn replace(exchange: &mut Exchange, slices: Vec<Bytes>, memory: Held<Here>) {
    let length = slices.iter().map(|slice| slice.len() as u64).sum::<u64>();
    let headers = &mut exchange.head.headers;
    headers.remove(TRANSFER_ENCODING);
    headers.remove(TRAILER);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    exchange.body = Payload::Held(Outgoing::whole(slices, memory));
}

fn refused(mut exchange: Box<Exchange>, verdict: Verdict, named: Named) -> Box<Answer> {
    exchange.record.judged(&verdict, named);
    let rejection = verdict.rejection.unwrap_or(Rejection::NotJson);
    Box::new(refuse(exchange.record, rejection, verdict.id.as_deref()))
}
