//! `[timeouts]`: how long each wait may take. Nothing waits for ever unless the file says so.

use std::time::Duration;

use crate::read::Section;
use crate::value::{DAY, MILLISECOND, duration, duration_or_off};

/// A client that has a request to make sends its head at once; a slow one holds a connection.
const DEFAULT_HEADER: Duration = Duration::from_secs(10);
/// A body of the largest size still arrives over a phone's uplink.
const DEFAULT_BODY: Duration = Duration::from_secs(30);
/// Upstreams are near: a connection that takes longer will not come.
const DEFAULT_CONNECT: Duration = Duration::from_secs(5);
/// The servers behind generate for up to 90 s before they answer; they give up first.
const DEFAULT_FIRST_BYTE: Duration = Duration::from_secs(120);
/// Between two pieces of an ordinary body nobody generates anything.
const DEFAULT_IDLE: Duration = Duration::from_secs(60);
/// Longer than the usual minute of a load balancer in front, so that it closes first.
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Node closes an idle connection after 5 s; a request sent later meets that close.
const DEFAULT_POOL_IDLE: Duration = Duration::from_secs(4);

/// `[timeouts]`: how long each wait may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte of a request's head to its last; 10 s.
    pub header: Duration,
    /// From the head to the whole of a body that is inspected; 30 s.
    pub body: Duration,
    /// Until an upstream accepts a connection, TLS included; 5 s.
    pub connect: Duration,
    /// From the request's last byte to the head of the upstream's answer; 120 s.
    pub first_byte: Duration,
    /// Between two pieces of a body that streams through, either way; 60 s.
    pub idle: Duration,
    /// Between two pieces of an event stream, `None` for no limit; none, since a stream may be
    /// silent for as long as nothing happens.
    pub stream_idle: Option<Duration>,
    /// Between two pieces of an upgraded connection, `None` for no limit; none, since a socket
    /// may be silent for as long as nothing happens.
    pub upgrade_idle: Option<Duration>,
    /// How long a client's connection may wait for its next request; 75 s.
    pub keep_alive: Duration,
    /// How long an idle connection to an upstream is kept; 4 s.
    pub pool_idle: Duration,
}

/// Reads `[timeouts]`.
pub(crate) fn read(root: &mut Section<'_, '_>) -> Timeouts {
    let wait = || duration(MILLISECOND..=DAY);
    let wait_or_not = || duration_or_off(MILLISECOND..=DAY);
    root.section("timeouts", |section| Timeouts {
        header: section.take("header", DEFAULT_HEADER, wait()),
        body: section.take("body", DEFAULT_BODY, wait()),
        connect: section.take("connect", DEFAULT_CONNECT, wait()),
        first_byte: section.take("first_byte", DEFAULT_FIRST_BYTE, wait()),
        idle: section.take("idle", DEFAULT_IDLE, wait()),
        stream_idle: section.take("stream_idle", None, wait_or_not()),
        upgrade_idle: section.take("upgrade_idle", None, wait_or_not()),
        keep_alive: section.take("keep_alive", DEFAULT_KEEP_ALIVE, wait()),
        pool_idle: section.take("pool_idle", DEFAULT_POOL_IDLE, wait()),
    })
}
