//! Idle upstream connections, last in first out, one pool a thread: no lock, and a request stays
//! on the thread that it came in on.
//!
//! A connection is given out while it is younger than `timeouts.pool_idle`, which is shorter than
//! the servers' own limit, so that a request does not meet a connection that is about to close.

use std::cell::RefCell;
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use super::upload::Outgoing;

/// The sending half of an upstream connection.
pub type Sender = SendRequest<Outgoing>;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { idle: Vec::new(), sweeping: false }) };
}

/// By origin's place, the longest idle first.
struct Pool {
    idle: Vec<Vec<(Sender, Instant)>>,
    sweeping: bool,
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
}

/// A connection in use; dropped without [`Lease::release`], it is closed.
#[derive(Debug)]
pub struct Lease {
    /// Sends requests on it.
    pub sender: Sender,
    /// Whether it had served another request before.
    pub reused: bool,
    keep: Keep,
}

impl Lease {
    /// A connection that was just opened.
    pub fn fresh(sender: Sender, keep: Keep) -> Lease {
        Lease { sender, reused: false, keep }
    }

    /// A pooled connection, the one used last.
    pub fn pooled(keep: Keep) -> Option<Lease> {
        POOL.with_borrow_mut(|pool| {
            let idle = pool.idle.get_mut(keep.place)?;
            while let Some((sender, since)) = idle.pop() {
                if since.elapsed() < keep.idle && sender.is_ready() {
                    return Some(Lease { sender, reused: true, keep });
                }
            }
            None
        })
    }

    /// Gives the connection back after an answer's end.
    pub fn release(self) {
        let Lease { sender, keep, .. } = self;
        if sender.is_closed() {
            return;
        }
        let sweep = POOL.with_borrow_mut(|pool| {
            if pool.idle.len() <= keep.place {
                pool.idle.resize_with(keep.place + 1, Vec::new);
            }
            if let Some(idle) = pool.idle.get_mut(keep.place)
                && idle.len() < keep.most
            {
                idle.push((sender, Instant::now()));
            }
            !std::mem::replace(&mut pool.sweeping, true)
        });
        if sweep {
            tokio::spawn(sweep_until_empty(keep.idle));
        }
    }
}

/// Closes what nobody takes any more; ends when the thread's pool is empty.
async fn sweep_until_empty(idle: Duration) {
    loop {
        tokio::time::sleep(idle).await;
        let empty = POOL.with_borrow_mut(|pool| {
            for connections in &mut pool.idle {
                connections.retain(|(sender, since)| since.elapsed() < idle && !sender.is_closed());
            }
            pool.sweeping = pool.idle.iter().any(|connections| !connections.is_empty());
            !pool.sweeping
        });
        if empty {
            return;
        }
    }
}
