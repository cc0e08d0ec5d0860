//! One upstream server: how it is reached, and what it is called in `Host`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use modegate_config::{Limits, Upstream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::pool::Sender;

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// An upstream server.
#[derive(Debug)]
pub struct Origin {
    /// Its place among all origins of the process, which the pools are indexed by.
    pub place: usize,
    /// What `Host` says to it.
    pub host: HeaderValue,
    upstream: Upstream,
    tls: Option<Tls>,
}

struct Tls {
    connector: TlsConnector,
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
    pub fn new(
        place: usize,
        upstream: &Upstream,
        tls: &Arc<ClientConfig>,
    ) -> Result<Origin, BadOrigin> {
        let bad = || BadOrigin(upstream.authority());
        let host = HeaderValue::try_from(upstream.authority()).map_err(|_| bad())?;
        let tls = match upstream {
            Upstream::Https { host, .. } => Some(Tls {
                connector: TlsConnector::from(tls.clone()),
                name: ServerName::try_from(host.clone()).map_err(|_| bad())?,
            }),
            Upstream::Http { .. } | Upstream::Unix(_) => None,
        };
        Ok(Origin { place, host, upstream: upstream.clone(), tls })
    }

    /// Where it is, for the upstreams that have an address.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Opens a connection, to `address` where the balancer chose one, else to the first address
    /// of the host that answers. The connection is driven by a task of this thread.
    pub async fn connect(
        &self,
        address: Option<SocketAddr>,
        limits: &Limits,
    ) -> io::Result<Sender> {
        let transport = self.transport(address).await?;
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

    async fn transport(&self, address: Option<SocketAddr>) -> io::Result<Box<dyn Transport>> {
        let tcp = match (&self.upstream, address) {
            (Upstream::Unix(path), _) => return Ok(Box::new(UnixStream::connect(path).await?)),
            (_, Some(address)) => TcpStream::connect(address).await?,
            (Upstream::Http { host, port } | Upstream::Https { host, port }, None) => {
                TcpStream::connect((host.as_str(), *port)).await?
            }
        };
        tcp.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Box::new(tcp)),
            Some(tls) => Ok(Box::new(tls.connector.connect(tls.name.clone(), tcp).await?)),
        }
    }
}
