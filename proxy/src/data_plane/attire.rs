//! The headers that leave with a request: ours first, then what the client sent. A server that
//! drops the last fields of a head too long for it never drops ours.

use http::HeaderMap;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TE, UPGRADE};
use modegate_filters::tags;

use super::exchange::Exchange;
use super::hop;
use super::origin::Origin;
use super::pool::Protocol;

/// What a request is dressed in. It is kept apart until the upstream is known: its name and the
/// protocol that it speaks are part of it.
#[derive(Debug)]
pub struct Attire {
    ours: HeaderMap,
    /// The protocol that an upgrade asks for.
    pub upgrade: Option<HeaderValue>,
    trailers: Trailers,
}

/// Whether the client takes trailers.
#[derive(Debug, PartialEq, Eq)]
enum Trailers {
    Taken,
    Not,
}

impl Attire {
    /// Takes off what belongs to the client's connection, and makes what goes on in its place. An
    /// inspected request never asks for an upgrade: that is no way around the contract.
    pub fn of(exchange: &mut Exchange) -> Attire {
        let headers = &mut exchange.head.headers;
        let trailers = match hop::takes_trailers(headers) {
            true => Trailers::Taken,
            false => Trailers::Not,
        };
        let upgrade = hop::strip(headers).filter(|_| exchange.verdict.is_none());
        let mut ours = HeaderMap::with_capacity(12);
        ours.insert(tags::REQUEST_ID, exchange.record.request_id().clone());
        if let Some(traceparent) = exchange.trace.header(fastrand::u64(..)) {
            ours.insert(tags::TRACEPARENT, traceparent);
        }
        if let Some(verdict) = &exchange.verdict {
            tags::set(&mut ours, &exchange.snapshot.settings.policy, verdict);
        }
        Attire { ours, upgrade, trailers }
    }

    /// The headers for an upstream, of those that are left of the client's, or that it was dressed
    /// in for another one.
    pub fn dress(&self, headers: HeaderMap, origin: &Origin, protocol: Protocol) -> HeaderMap {
        let mut dressed = HeaderMap::with_capacity(headers.len() + self.ours.len() + 4);
        if protocol == Protocol::Http1 {
            dressed.insert(HOST, origin.host.clone());
        }
        for (name, value) in &self.ours {
            dressed.insert(name.clone(), value.clone());
        }
        match (&self.upgrade, protocol) {
            (Some(upgrade), Protocol::Http1) => {
                dressed.insert(UPGRADE, upgrade.clone());
                dressed.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            }
            (_, Protocol::Http2) if self.trailers == Trailers::Taken => {
                dressed.insert(TE, HeaderValue::from_static("trailers"));
            }
            _ => {}
        }
        let mut current = None;
        for (name, value) in headers {
            // An entry's further values come without its name.
            current = name.or(current);
            let Some(name) = current.as_ref().filter(|name| !self.is_ours(name)) else { continue };
            if *name != CONTENT_LENGTH {
                dressed.append(name.clone(), value);
            } else if let Some(length) = length(&value) {
                dressed.insert(name.clone(), length);
            }
        }
        dressed
    }

    fn is_ours(&self, name: &HeaderName) -> bool {
        matches!(*name, HOST | UPGRADE | CONNECTION | TE) || self.ours.contains_key(name)
    }
}

/// A length as every server reads it. HTTP/2 lets a client write one that is none, which is no
/// length then: the body has its own.
fn length(value: &HeaderValue) -> Option<HeaderValue> {
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits?.parse::<u64>().ok().map(HeaderValue::from)
}
