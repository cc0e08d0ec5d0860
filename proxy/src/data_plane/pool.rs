//! Upstream connections between requests, one pool a thread: no lock, and a request stays on the
//! thread that it came in on.
//!
//! HTTP/1.1: idle connections, last in first out. One is given out while it is younger than
//! `timeouts.pool_idle`, which is shorter than the servers' own limit, so that a request does not
//! meet a connection that is about to close. HTTP/2: connections that requests share, each with at
//! most as many streams as the upstream and `limits.streams` allow.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::Either;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use tokio::time::Instant;

use super::upload::Outgoing;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { origins: Vec::new(), sweeping: false, limit: Duration::ZERO }) };
}

struct Pool {
    /// By origin's place.
    origins: Vec<Connections>,
    sweeping: bool,
    /// For how long a connection may be idle, as it was last said.
    limit: Duration,
}

#[derive(Default)]
struct Connections {
    /// The longest idle first.
    idle: Vec<(http1::SendRequest<Outgoing>, Instant)>,
    shared: Vec<Shared>,
}

/// A connection that requests share, and when one last took it.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Sends requests on it.
    pub sender: http2::SendRequest<Outgoing>,
    /// How many streams the upstream allows, as it last said.
    pub allowed: Arc<AtomicUsize>,
    /// One more than its streams.
    streams: Arc<()>,
    taken: Instant,
}

/// A connection that was just opened.
#[derive(Debug)]
pub enum Opened {
    /// For one request at a time.
    Http1(http1::SendRequest<Outgoing>),
    /// For several.
    Http2(Shared),
}

/// How the connections of an origin are kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// The origin's place.
    pub place: usize,
    /// For how long one may be idle.
    pub idle: Duration,
    /// How many may be idle, on each thread.
    pub most: usize,
    /// How many streams one may have.
    pub streams: usize,
}

/// Which protocol a request can be sent by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// One request at a time, and upgrades.
    Http1,
    /// Streams.
    Http2,
}

impl Protocol {
    /// What a message of this version came by.
    pub fn of(version: Version) -> Protocol {
        if version == Version::HTTP_2 { Protocol::Http2 } else { Protocol::Http1 }
    }
}

/// A connection in use. One of HTTP/1.1 that is dropped without [`Lease::release`] is closed.
#[derive(Debug)]
pub struct Lease {
    connection: Leased,
    /// Whether it was there before.
    pub reused: bool,
    keep: Keep,
}

#[derive(Debug)]
enum Leased {
    Http1(http1::SendRequest<Outgoing>),
    Http2 { sender: http2::SendRequest<Outgoing>, _stream: Arc<()> },
}

impl Shared {
    /// A connection without streams yet.
    pub fn new(sender: http2::SendRequest<Outgoing>, allowed: Arc<AtomicUsize>) -> Shared {
        Shared { sender, allowed, streams: Arc::new(()), taken: Instant::now() }
    }

    fn lease(&mut self) -> Leased {
        self.taken = Instant::now();
        Leased::Http2 { sender: self.sender.clone(), _stream: self.streams.clone() }
    }

    fn has_room(&self, most: usize) -> bool {
        let streams = Arc::strong_count(&self.streams) - 1;
        streams < most.min(self.allowed.load(Relaxed)) && !self.sender.is_closed()
    }

    fn is_wanted(&self, idle: Duration) -> bool {
        let busy = Arc::strong_count(&self.streams) > 1;
        !self.sender.is_closed() && (busy || self.taken.elapsed() < idle)
    }
}

impl Lease {
    /// A connection that was just opened; one that can be shared is, from now on.
    pub fn fresh(opened: Opened, keep: Keep) -> Lease {
        let connection = match opened {
            Opened::Http1(sender) => Leased::Http1(sender),
            Opened::Http2(mut shared) => {
                let leased = shared.lease();
                put(keep, |connections| connections.shared.push(shared));
                leased
            }
        };
        Lease { connection, reused: false, keep }
    }

    /// A connection that is there: of HTTP/1.1 the one used last. An upgrade needs
    /// [`Protocol::Http1`].
    pub fn pooled(keep: Keep, only: Option<Protocol>) -> Option<Lease> {
        let connection = POOL.with_borrow_mut(|pool| {
            let connections = pool.origins.get_mut(keep.place)?;
            if only != Some(Protocol::Http1)
                && let Some(shared) =
                    connections.shared.iter_mut().find(|shared| shared.has_room(keep.streams))
            {
                return Some(shared.lease());
            }
            while let Some((sender, since)) = connections.idle.pop() {
                if since.elapsed() < keep.idle && sender.is_ready() {
                    return Some(Leased::Http1(sender));
                }
            }
            None
        })?;
        Some(Lease { connection, reused: true, keep })
    }

    /// What is spoken on it.
    pub fn protocol(&self) -> Protocol {
        match self.connection {
            Leased::Http1(_) => Protocol::Http1,
            Leased::Http2 { .. } => Protocol::Http2,
        }
    }

    /// Sends a request. One that was not written comes back in the error.
    pub fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>> + use<>
    {
        match &mut self.connection {
            Leased::Http1(sender) => Either::Left(sender.try_send_request(request)),
            Leased::Http2 { sender, .. } => Either::Right(sender.try_send_request(request)),
        }
    }

    /// Gives the connection back after an answer's end.
    pub fn release(self) {
        let Lease { connection: Leased::Http1(sender), keep, .. } = self else { return };
        if sender.is_closed() {
            return;
        }
        put(keep, |connections| {
            if connections.idle.len() < keep.most {
                connections.idle.push((sender, Instant::now()));
            }
        });
    }
}

fn put(keep: Keep, add: impl FnOnce(&mut Connections)) {
    let sweep = POOL.with_borrow_mut(|pool| {
        if pool.origins.len() <= keep.place {
            pool.origins.resize_with(keep.place + 1, Connections::default);
        }
        if let Some(connections) = pool.origins.get_mut(keep.place) {
            add(connections);
        }
        pool.limit = keep.idle;
        !std::mem::replace(&mut pool.sweeping, true)
    });
    if sweep {
        tokio::spawn(sweep_until_empty());
    }
}

/// Closes what nobody takes any more; ends when the thread's pool is empty.
async fn sweep_until_empty() {
    loop {
        tokio::time::sleep(POOL.with_borrow(|pool| pool.limit)).await;
        let empty = POOL.with_borrow_mut(|pool| {
            let idle = pool.limit;
            for connections in &mut pool.origins {
                connections
                    .idle
                    .retain(|(sender, since)| since.elapsed() < idle && !sender.is_closed());
                connections.shared.retain(|shared| shared.is_wanted(idle));
            }
            let holds = |one: &Connections| !one.idle.is_empty() || !one.shared.is_empty();
            pool.sweeping = pool.origins.iter().any(holds);
            !pool.sweeping
        });
        if empty {
            return;
        }
    }
}
