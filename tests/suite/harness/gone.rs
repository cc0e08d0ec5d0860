//! Upstreams that are not there, or do not say so.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// Takes no connection: its port is held, so that no other test gets it, and nobody listens on it.
pub struct Gone(TcpSocket);

impl Gone {
    /// A port of its own.
    pub fn new() -> Gone {
        let socket = TcpSocket::new_v4().expect("a socket");
        // Who asks for this port by its number may still listen on it.
        socket.set_reuseaddr(true).expect("a socket's option");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        Gone(socket)
    }

    /// The address, for one who is to listen on it later.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    /// Its URL, as an upstream.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}

/// Takes no connection and refuses none: its queue is full.
pub struct Full {
    listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Full {
    /// On a port of its own.
    pub async fn new() -> Full {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let listener = socket.listen(1).expect("a listener");
        let address = listener.local_addr().expect("its address");
        // Until the next one waits for ever.
        let mut queued = Vec::new();
        while let Ok(stream) = timeout(PATIENCE, TcpStream::connect(address)).await {
            queued.push(stream.expect("a connection"));
            assert!(queued.len() < 64, "the queue is never full");
        }
        Full { listener, _queued: queued }
    }

    /// Its URL, as an upstream.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().expect("an address"))
    }
}

/// Who waits for so long waits for ever.
const PATIENCE: Duration = Duration::from_millis(150);
