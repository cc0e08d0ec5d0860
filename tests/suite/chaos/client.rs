//! The clients of the chaos: one connection, several requests on it, and what becomes of each.

mod http1;
mod http2;

use std::net::SocketAddr;
use std::time::Duration;

use super::ask::Ask;
use crate::harness::Wire;

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Http1,
    /// In clear, by prior knowledge.
    Http2,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Seen {
    /// An answer that ended as it should.
    Whole { status: u16, id: Option<String>, head: Vec<u8>, body: Vec<u8> },
    /// An answer that broke off.
    Cut { status: u16, head: Vec<u8>, body: Vec<u8> },
    /// No answer.
    Nothing(Why),
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    Unconnected,
    Closed,
    Reset,
    Silent,
}

/// A client's connection.
pub enum Session {
    Http1(Wire),
    Http2(http2::Connection),
}

impl Session {
    /// Connects; `None` where that fails.
    pub async fn open(protocol: Protocol, address: SocketAddr) -> Option<Session> {
        match protocol {
            Protocol::Http1 => http1::open(address).await.map(Session::Http1),
            Protocol::Http2 => http2::Connection::open(address).await.map(Session::Http2),
        }
    }

    /// Asks, and waits for the answer as long as `patience` lasts. The session goes on after a
    /// whole answer only.
    pub async fn ask(self, ask: &Ask, patience: Duration) -> (Seen, Option<Session>) {
        match self {
            Session::Http1(wire) => {
                let (seen, wire) = http1::ask(wire, ask, patience).await;
                (seen, wire.map(Session::Http1))
            }
            Session::Http2(mut connection) => {
                let seen = connection.ask(ask, patience).await;
                let whole = matches!(seen, Seen::Whole { .. });
                (seen, whole.then_some(Session::Http2(connection)))
            }
        }
    }
}
