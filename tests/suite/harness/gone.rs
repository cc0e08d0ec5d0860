//! An upstream that is not there.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

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
