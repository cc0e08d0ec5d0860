//! The loads, and where they are sent.

pub mod closed;
pub mod held;
pub mod open;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::task::{AbortHandle, spawn_local};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::message::{Member, Message, get};
use crate::wire::{Io, Wire};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Load {
    /// Messages of so many bytes.
    Message(usize, Member),
    /// A request without a body.
    Get,
    /// A message that is answered by a stream of events.
    Stream,
}

/// Every load that is measured in requests.
pub const LOADS: [Load; 12] = [
    Load::Message(400, Member::Last),
    Load::Message(1 << 10, Member::Last),
    Load::Message(32 << 10, Member::Last),
    Load::Message(512 << 10, Member::Last),
    Load::Message(20_000_000, Member::Last),
    Load::Message(400, Member::None),
    Load::Message(1 << 10, Member::None),
    Load::Message(32 << 10, Member::None),
    Load::Message(512 << 10, Member::None),
    Load::Message(20_000_000, Member::None),
    Load::Get,
    Load::Stream,
];

impl Load {
    /// What it is called on the command line and in results.
    pub fn name(self) -> String {
        let size = |bytes: usize| match bytes {
            400 => "0.4KB".to_owned(),
            20_000_000.. => format!("{}MB", bytes / 1_000_000),
            _ => format!("{}KB", bytes >> 10),
        };
        match self {
            Load::Message(bytes, Member::Last) => size(bytes),
            Load::Message(bytes, Member::None) => format!("{}-without", size(bytes)),
            Load::Get => "get".to_owned(),
            Load::Stream => "events".to_owned(),
        }
    }

    /// How many connections send it at once.
    pub fn connections(self) -> usize {
        match self {
            Load::Message(1_000_000.., _) => 2,
            Load::Message(100_000.., _) => 8,
            Load::Message(..) | Load::Get => 16,
            Load::Stream => 32,
        }
    }

    /// Its request.
    pub fn request(self) -> Request {
        match self {
            Load::Message(size, member) => {
                Request::Message(Message::new(size, member, "/messages", ""))
            }
            Load::Get => Request::Same(get()),
            Load::Stream => {
                Request::Message(Message::new(400, Member::Last, "/messages/stream", ""))
            }
        }
    }
}

/// A request that can be sent again.
#[derive(Clone, Debug)]
pub enum Request {
    /// Another message each time.
    Message(Message),
    /// The same each time.
    Same(Vec<u8>),
}

impl Request {
    /// The bytes of the request of this number.
    pub fn bytes(&mut self, number: u64) -> &[u8] {
        match self {
            Request::Message(message) => {
                message.number(number);
                &message.bytes
            }
            Request::Same(bytes) => bytes,
        }
    }
}

/// Where requests are sent.
#[derive(Clone)]
pub struct Target {
    /// The proxy's address.
    pub address: SocketAddr,
    /// How it is spoken to, where that is not in clear.
    pub tls: Option<Arc<TlsConnector>>,
}

impl Target {
    /// Opens a connection.
    pub async fn connect(&self) -> io::Result<Wire<Box<dyn Io>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Wire::new(Box::new(stream))) };
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        Ok(Wire::new(Box::new(tls.connect(name, stream).await?)))
    }
}

/// The error of the first connection that failed.
pub type First = Rc<RefCell<Option<io::Error>>>;

/// Starts so many connections on this thread, which go on until they fail or are aborted.
pub fn start<F: Future<Output = io::Result<()>> + 'static>(
    count: usize,
    first: &First,
    connection: impl Fn() -> F,
) -> Vec<AbortHandle> {
    let start = |_| {
        let (connection, first) = (connection(), first.clone());
        let watched = async move {
            if let Err(error) = connection.await {
                first.borrow_mut().get_or_insert(error);
            }
        };
        spawn_local(watched).abort_handle()
    };
    (0..count).map(start).collect()
}

/// What of an answer is not as it must be.
pub fn failed(what: impl std::fmt::Display) -> io::Error {
    io::Error::other(what.to_string())
}
