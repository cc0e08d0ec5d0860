//! One upstream server: how it is reached, and what it is called in `Host`.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use http::HeaderValue;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use modegate_config::{Limits, Upstream};
use pingora_core::protocols::TcpKeepalive;
use pingora_core::protocols::l4::ext::set_tcp_keepalive;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::pki_types::ServerName;

use super::client_tls::ClientTls;
use super::pool::{Opened, Protocol, Shared};
use super::server_tls::H2;

/// How often an HTTP/2 upstream is asked whether it is still there while streams wait for it, and
/// how long its answer may take.
const PING: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(20));
/// What is queued of one stream to an HTTP/2 upstream that does not take it, in bytes.
const SEND_BUFFER: usize = 64 * 1024;
/// What may arrive of one answer before its client takes it, in bytes. All streams together have as
/// much each: an answer that nobody takes holds up no other.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The most that HTTP/2 knows.
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// An upstream server.
#[derive(Debug)]
pub struct Origin {
    /// Its place among all origins of the process, which the pools are indexed by.
    pub place: usize,
    /// What `Host` says to it.
    pub host: HeaderValue,
    authority: Authority,
    upstream: Upstream,
    tls: Option<Tls>,
}

struct Tls {
    client: ClientTls,
    name: ServerName<'static>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.name)
    }
}

/// An upstream that cannot be used as it is configured.
#[derive(Debug)]
pub struct BadOrigin(String);

impl std::fmt::Display for BadOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "upstream {} is no usable host name", self.0)
    }
}

impl std::error::Error for BadOrigin {}

impl Origin {
    /// An origin of the configuration; `tls` is what https origins are reached with.
    pub fn new(place: usize, upstream: &Upstream, tls: &ClientTls) -> Result<Origin, BadOrigin> {
        let bad = || BadOrigin(upstream.authority());
        let host = HeaderValue::try_from(upstream.authority()).map_err(|_| bad())?;
        let authority = Authority::try_from(upstream.authority()).map_err(|_| bad())?;
        let tls = match upstream {
            Upstream::Https { host, .. } => Some(Tls {
                client: tls.clone(),
                name: ServerName::try_from(host.clone()).map_err(|_| bad())?,
            }),
            Upstream::Http { .. } | Upstream::Unix(_) => None,
        };
        Ok(Origin { place, host, authority, upstream: upstream.clone(), tls })
    }

    /// Where it is, for the upstreams that have an address.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// A target as a protocol has it: HTTP/2 names the server in it, HTTP/1.1 in `Host`.
    pub fn target(&self, protocol: Protocol, target: Uri) -> Uri {
        let mut parts = target.into_parts();
        parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
        (parts.scheme, parts.authority) = match protocol {
            Protocol::Http1 => (None, None),
            Protocol::Http2 => (Some(Scheme::HTTPS), Some(self.authority.clone())),
        };
        // A path alone, and a path behind a server, are targets both.
        Uri::from_parts(parts).unwrap_or_default()
    }

    /// Opens a connection, to `address` where the balancer chose one, else to the first address
    /// of the host that answers in its share of `patience`, which the whole may take; in HTTP/2 where the upstream offers that and `only` does not say
    /// otherwise. The connection is driven by a task of this thread.
    pub async fn connect(
        &self,
        address: Option<SocketAddr>,
        only: Option<Protocol>,
        limits: &Limits,
        patience: Duration,
    ) -> io::Result<Opened> {
        let (transport, protocol) = self.transport(address, only, patience).await?;
        match protocol {
            Protocol::Http1 => http1_connection(transport, limits).await.map(Opened::Http1),
            Protocol::Http2 => http2_connection(transport, limits).await.map(Opened::Http2),
        }
    }

    async fn transport(
        &self,
        address: Option<SocketAddr>,
        only: Option<Protocol>,
        patience: Duration,
    ) -> io::Result<(Box<dyn Transport>, Protocol)> {
        let tcp = match (&self.upstream, address) {
            (Upstream::Unix(path), _) => {
                return Ok((Box::new(UnixStream::connect(path).await?), Protocol::Http1));
            }
            (_, Some(address)) => TcpStream::connect(address).await?,
            (Upstream::Http { host, port } | Upstream::Https { host, port }, None) => {
                first_that_answers(host, *port, patience).await?
            }
        };
        tcp.set_nodelay(true)?;
        set_tcp_keepalive(&tcp, &keep_alive()).map_err(io::Error::other)?;
        let Some(Tls { client, name }) = &self.tls else {
            return Ok((Box::new(tcp), Protocol::Http1));
        };
        let connector = match only {
            Some(Protocol::Http1) => &client.http1,
            _ => &client.any,
        };
        let stream = connector.connect(name.clone(), tcp).await?;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(H2) => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok((Box::new(stream), protocol))
    }
}

/// Connects to a host's addresses one after another: one that says nothing leaves time for those
/// behind it.
async fn first_that_answers(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let begun = Instant::now();
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    first_of(&addresses, patience.saturating_sub(begun.elapsed())).await
}

async fn first_of(addresses: &[SocketAddr], patience: Duration) -> io::Result<TcpStream> {
    let begun = Instant::now();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for (at, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let share = patience.saturating_sub(begun.elapsed()) / left;
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// A peer that vanished without a word is noticed after about two minutes, also where no timeout
/// of ours runs: in a tunnel, or in a silent event stream.
pub fn keep_alive() -> TcpKeepalive {
    TcpKeepalive {
        idle: Duration::from_secs(60),
        interval: Duration::from_secs(15),
        count: 4,
        // The system's own.
        user_timeout: Duration::ZERO,
    }
}

async fn http1_connection(
    transport: Box<dyn Transport>,
    limits: &Limits,
) -> io::Result<http1::SendRequest<super::upload::Outgoing>> {
    let (sender, connection) = http1::Builder::new()
        .max_headers(limits.header_fields)
        .max_header_size(limits.header_bytes)
        .handshake(TokioIo::new(transport))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(async move {
        // Its failures show in the request that is on it.
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}

async fn http2_connection(transport: Box<dyn Transport>, limits: &Limits) -> io::Result<Shared> {
    let streams = u32::try_from(limits.streams).unwrap_or(u32::MAX);
    let window = STREAM_WINDOW.saturating_mul(streams).min(LARGEST_WINDOW);
    let (sender, mut connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(window)
        .handshake(TokioIo::new(transport))
        .await
        .map_err(io::Error::other)?;
    let allowed = Arc::new(AtomicUsize::new(connection.current_max_send_streams()));
    let shared = Shared::new(sender, allowed.clone());
    tokio::spawn(std::future::poll_fn(move |cx| {
        let ended = Pin::new(&mut connection).poll(cx);
        allowed.store(connection.current_max_send_streams(), Relaxed);
        // Its failures show in the requests that are on it.
        ended.map(drop)
    }));
    Ok(shared)
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn an_address_that_says_nothing_leaves_time_for_the_next() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let full = socket.listen(1).unwrap();
        let silent = full.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(150), TcpStream::connect(silent)).await
        {
            queued.push(stream.unwrap());
            assert!(queued.len() < 64);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fine = listener.local_addr().unwrap();
        let patience = Duration::from_secs(1);
        let connected = first_of(&[silent, silent, fine], patience).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), fine);
        let late = first_of(&[silent], patience / 10).await.unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        let nothing = first_of(&[], patience).await.unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::NotFound);
    }
}
