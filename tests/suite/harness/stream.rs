//! TCP, unix and TLS streams under one type, with the choice to end in a reset.

use std::fmt;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, UnixStream};

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// A unix socket's path.
    Unix(PathBuf),
}

impl Address {
    /// Reads what the process logs: `ip:port` or `unix:/path`.
    pub fn parse(text: &str) -> Address {
        match text.strip_prefix("unix:") {
            Some(path) => Address::Unix(path.into()),
            None => Address::Tcp(text.parse().expect("a logged address")),
        }
    }

    /// The address of a TCP socket.
    pub fn tcp(&self) -> SocketAddr {
        match self {
            Address::Tcp(address) => *address,
            Address::Unix(path) => panic!("{} is no TCP address", path.display()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What a stream can be.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Makes a stream's end a reset instead of an orderly close.
#[derive(Clone, Debug, Default)]
pub struct Reset(Arc<AtomicBool>);

impl Reset {
    /// From now on dropping the stream resets the connection.
    pub fn arm(&self) {
        self.0.store(true, Relaxed);
    }
}

/// Connects to an address.
pub async fn connect(address: &Address) -> io::Result<(Box<dyn Io>, Reset)> {
    match address {
        Address::Tcp(address) => tcp(TcpStream::connect(address).await?),
        Address::Unix(path) => {
            Ok((Box::new(UnixStream::connect(path).await?) as Box<dyn Io>, Reset::default()))
        }
    }
}

/// Connects from an address of this machine: all of 127.0.0.0/8 is.
pub async fn connect_from(from: IpAddr, to: &Address) -> io::Result<(Box<dyn Io>, Reset)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    tcp(socket.connect(to.tcp()).await?)
}

/// A TCP stream that sends what it is given at once.
pub fn tcp(stream: TcpStream) -> io::Result<(Box<dyn Io>, Reset)> {
    stream.set_nodelay(true)?;
    let reset = Reset::default();
    Ok((Box::new(Tcp { stream, reset: reset.clone() }), reset))
}

struct Tcp {
    stream: TcpStream,
    reset: Reset,
}

impl Drop for Tcp {
    fn drop(&mut self) {
        if self.reset.0.load(Relaxed) {
            let _ = self.stream.set_zero_linger();
        } else if let Ok(descriptor) = self.stream.as_fd().try_clone_to_owned() {
            // A process that another test starts holds every descriptor from its fork to its exec:
            // until then the peer would see nothing of a close.
            let _ = std::net::TcpStream::from(descriptor).shutdown(Shutdown::Write);
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn an_end_shows_while_another_process_holds_the_descriptor() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = Address::Tcp(listener.local_addr().expect("its address"));
    let (mut peer, _) = connect(&address).await.expect("a connection");
    let (stream, _) = listener.accept().await.expect("a connection");
    let _held = stream.as_fd().try_clone_to_owned().expect("a descriptor");
    drop(tcp(stream).expect("a stream"));
    let mut bytes = [0];
    let read = super::within("the end", peer.read(&mut bytes)).await;
    assert_eq!(read.expect("an orderly end"), 0);
}
