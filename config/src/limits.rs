//! `[limits]`: how much may be held at once. What goes over a limit is refused, never queued
//! without end.

use modegate_filters::contract::Contract;

use crate::read::Section;
use crate::rule::integer;
use crate::value::{GIB, KIB, MIB, shown_size, size, size_or_off};

/// Well under the usual limit of open files once each has an upstream's beside it.
const DEFAULT_CONNECTIONS: usize = 10_000;
/// Half of all: one address never takes every connection.
const DEFAULT_CONNECTIONS_PER_ADDRESS: usize = DEFAULT_CONNECTIONS / 2;
/// More than the servers behind answer at once; past it waiting only adds delay.
const DEFAULT_IN_FLIGHT: usize = 4_096;
/// A dozen bodies of the largest size, thousands of ordinary ones.
const DEFAULT_BODY_MEMORY: usize = 256 * MIB;
/// Four times what Node takes, so that Node's own refusal is the one that is seen.
const DEFAULT_HEADER_BYTES: usize = 64 * KIB;
/// Several times what browsers and their proxies send.
const DEFAULT_HEADER_FIELDS: usize = 100;
/// Bursts reuse connections; the idle timeout takes them back soon after.
const DEFAULT_POOL_CONNECTIONS: usize = 256;
/// What browsers and gRPC clients open at most before they wait.
const DEFAULT_STREAMS: usize = 100;

/// Slower than any link that is in use; an attack is slower still, or it costs.
const DEFAULT_UPLOAD_RATE: usize = KIB;

/// The most of anything counted that is no mistake.
const COUNT_LIMIT: usize = 1_000_000;
/// Each stream may hold buffers of its own.
const STREAMS_LIMIT: usize = 10_000;

/// `[limits]`: how much may be held at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open client connections over all listeners; 10,000.
    pub connections: usize,
    /// Open client connections of one address over all listeners; 5,000.
    pub connections_per_address: usize,
    /// Requests in flight on one leg; 4,096.
    pub in_flight: usize,
    /// Bytes of inspected bodies held at once over all legs; 256 MiB, never less than
    /// `contract.body_limit`.
    pub body_memory: usize,
    /// Bytes of a request's or response's head; 64 KiB.
    pub header_bytes: usize,
    /// Fields of a request's or response's head; 100.
    pub header_fields: usize,
    /// Idle connections kept per upstream and worker thread; 256.
    pub pool_connections: usize,
    /// HTTP/2 streams at once on one connection, from clients and to upstreams; 100.
    pub streams: usize,
    /// Bytes a second that a body which streams through must bring on average once `timeouts.body`
    /// is over, `None` for no limit; 1 KiB.
    pub upload_rate: Option<usize>,
}

/// Reads `[limits]`, after the contract that they must fit.
pub(crate) fn read(root: &mut Section<'_, '_>, contract: &Contract) -> Limits {
    let limits = root.section("limits", |section| Limits {
        connections: section.take("connections", DEFAULT_CONNECTIONS, integer(1..=COUNT_LIMIT)),
        connections_per_address: section.take(
            "connections_per_address",
            DEFAULT_CONNECTIONS_PER_ADDRESS,
            integer(1..=COUNT_LIMIT),
        ),
        in_flight: section.take("in_flight", DEFAULT_IN_FLIGHT, integer(1..=COUNT_LIMIT)),
        body_memory: section.take("body_memory", DEFAULT_BODY_MEMORY, size(KIB..=1024 * GIB)),
        header_bytes: section.take("header_bytes", DEFAULT_HEADER_BYTES, size(8 * KIB..=MIB)),
        header_fields: section.take("header_fields", DEFAULT_HEADER_FIELDS, integer(10..=100)),
        pool_connections: section.take(
            "pool_connections",
            DEFAULT_POOL_CONNECTIONS,
            integer(0..=COUNT_LIMIT),
        ),
        streams: section.take("streams", DEFAULT_STREAMS, integer(1..=STREAMS_LIMIT)),
        upload_rate: section.take("upload_rate", Some(DEFAULT_UPLOAD_RATE), size_or_off(1..=GIB)),
    });
    check(root, &limits, contract);
    limits
}

/// A body of the largest size must fit, or it could never be taken.
fn check(root: &Section<'_, '_>, limits: &Limits, contract: &Contract) {
    let (memory, body) = ("limits.body_memory", "contract.body_limit");
    if !root.faults.sound(memory) || !root.faults.sound(body) {
        return;
    }
    if limits.body_memory < contract.body_limit {
        let default = if root.faults.has(memory) { "" } else { ", the default" };
        let found = format!("{}{default}", shown_size(limits.body_memory));
        let allowed = format!("at least {body}, {}", shown_size(contract.body_limit));
        root.faults.refuse(memory, &[body], found, allowed);
    }
}
