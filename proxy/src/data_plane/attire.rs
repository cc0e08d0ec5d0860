//! The headers that leave with a request: ours first, then what the client sent. A server that
//! drops the last fields of a head too long for it never drops ours.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderValue, TE, UPGRADE,
};
use modegate_filters::inspect::Verdict;
use modegate_filters::tags;

use super::exchange::Exchange;
use super::hop;
use super::origin::Origin;
use super::pool::Protocol;
use crate::flags::Snapshot;

/// At most so many fields are ours.
const OURS: usize = 10;

/// What a request is dressed in. It is kept apart until the upstream is known: its name and the
/// protocol that it speaks are part of it.
#[derive(Debug)]
pub struct Attire {
    request_id: HeaderValue,
    traceparent: Option<HeaderValue>,
    verdict: Option<Verdict>,
    snapshot: Arc<Snapshot>,
    trailers: Trailers,
    /// The protocol that an upgrade asks for.
    pub upgrade: Option<HeaderValue>,
}

/// Whether the client takes trailers.
#[derive(Debug, PartialEq, Eq)]
enum Trailers {
    Taken,
    Not,
}

impl Attire {
    /// Takes off what belongs to the client's connection, and keeps what goes on in its place. An
    /// inspected request never asks for an upgrade: that is no way around the contract.
    pub fn of(exchange: &mut Exchange) -> Attire {
        let headers = &mut exchange.head.headers;
        let trailers = match hop::takes_trailers(headers) {
            true => Trailers::Taken,
            false => Trailers::Not,
        };
        let verdict = exchange.verdict.take();
        let upgrade = hop::strip(headers).filter(|_| verdict.is_none());
        headers.remove(HOST);
        Attire {
            request_id: exchange.record.request_id().clone(),
            traceparent: exchange.trace.header(exchange.span),
            verdict,
            snapshot: exchange.snapshot.clone(),
            trailers,
            upgrade,
        }
    }

    /// Whether the answer is looked into as it passes.
    fn is_looked_into(&self) -> bool {
        self.verdict.as_ref().is_some_and(|verdict| verdict.is_message)
    }

    /// The headers for an upstream, of what is left of the client's.
    pub fn dress(&self, headers: HeaderMap, origin: &Origin, protocol: Protocol) -> HeaderMap {
        let mut dressed = HeaderMap::with_capacity(headers.len() + OURS);
        if protocol == Protocol::Http1 {
            dressed.insert(HOST, origin.host.clone());
        }
        dressed.insert(tags::REQUEST_ID, self.request_id.clone());
        if let Some(traceparent) = &self.traceparent {
            dressed.insert(tags::TRACEPARENT, traceparent.clone());
        }
        if let Some(verdict) = &self.verdict {
            tags::set(&mut dressed, &self.snapshot.settings.policy, verdict);
        }
        // A request that does not say takes any coding (RFC 9110, section 12.5.3), and servers of
        // Node may be told to compress then (koa-compress `defaultEncoding`, compression
        // `enforceEncoding`): so it says that it takes none.
        if self.is_looked_into() {
            dressed.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
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
            let Some(name) = &current else { continue };
            match *name {
                CONTENT_LENGTH => {
                    if let Some(length) = length(&value) {
                        dressed.insert(CONTENT_LENGTH, length);
                    }
                }
                ACCEPT_ENCODING if self.is_looked_into() => {}
                COOKIE if protocol == Protocol::Http1 => add_cookie(&mut dressed, value),
                _ => {
                    dressed.append(name, value);
                }
            }
        }
        dressed
    }

    /// What was the client's of the headers of a request that was not sent.
    pub fn undress(headers: &mut HeaderMap) {
        tags::strip(headers);
        for name in [HOST, UPGRADE, CONNECTION, TE] {
            headers.remove(name);
        }
    }
}

/// HTTP/2 lets a client send each cookie by itself; HTTP/1.1 has one field for all (RFC 9113, section
/// 8.2.3).
fn add_cookie(dressed: &mut HeaderMap, value: HeaderValue) {
    let joined =
        dressed.get(COOKIE).map(|cookies| [cookies.as_bytes(), value.as_bytes()].join(&b"; "[..]));
    let cookies = joined.and_then(|joined| HeaderValue::from_bytes(&joined).ok());
    dressed.insert(COOKIE, cookies.unwrap_or(value));
}

/// A length as every server reads it. HTTP/2 lets a client write one that is none, which is no
/// length then: the body has its own.
fn length(value: &HeaderValue) -> Option<HeaderValue> {
    let text = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    let length = text.parse::<u64>().ok()?;
    let is_padded = text.len() > 1 && text.starts_with('0');
    Some(if is_padded { HeaderValue::from(length) } else { value.clone() })
}
