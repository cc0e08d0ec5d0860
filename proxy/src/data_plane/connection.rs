//! One client connection: hyper's HTTP/1.1 on the stream that pingora-core accepted.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use modegate_filters::rejection::Rejection;
use pingora_core::apps::ServerApp;
use pingora_core::protocols::Stream;
use pingora_core::protocols::l4::socket::SocketAddr as Address;
use pingora_core::server::ShutdownWatch;
use tower::ServiceExt;

use super::Plane;
use super::admission::{Admission, Admitted, TELL};
use super::client_io::ClientIo;
use super::drain::Drain;
use super::exchange::Exchange;
use super::refuse::refuse;
use super::serving::Serving;
use super::stack::{Serve, stack};
use crate::metrics::{Gauge, Held, count};

/// How long a connection that has not asked yet is waited for when the drain starts.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

/// Where a connection arrived.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Arrival {
    Tcp(SocketAddr),
    Port(u16),
    Unix(PathBuf),
}

/// The app of the data plane's service: every leg's listeners share its threads.
#[derive(Debug)]
pub struct DataPlane<S> {
    planes: HashMap<Arrival, Arc<Plane>>,
    drain: Drain,
    admission: Arc<Admission>,
    stack: S,
}

impl DataPlane<()> {
    /// The app, without listeners yet.
    pub fn build(drain: Drain, admission: Arc<Admission>) -> DataPlane<impl Serve> {
        DataPlane { planes: HashMap::new(), drain, admission, stack: stack() }
    }
}

impl<S: Serve> DataPlane<S> {
    /// Connections that arrive at this address belong to this plane; an unspecified address
    /// stands for every one with its port.
    pub fn serve_tcp(&mut self, address: SocketAddr, plane: Arc<Plane>) {
        let arrival = match address.ip().is_unspecified() {
            true => Arrival::Port(address.port()),
            false => Arrival::Tcp(address),
        };
        self.planes.insert(arrival, plane);
    }

    /// Connections that arrive at this socket belong to this plane.
    pub fn serve_unix(&mut self, path: &Path, plane: Arc<Plane>) {
        self.planes.insert(Arrival::Unix(path.to_owned()), plane);
    }

    fn plane(&self, stream: &Stream) -> Option<&Arc<Plane>> {
        let digest = stream.get_socket_digest()?;
        match digest.local_addr()? {
            Address::Inet(address) => self
                .planes
                .get(&Arrival::Tcp(*address))
                .or_else(|| self.planes.get(&Arrival::Port(address.port()))),
            Address::Unix(address) => {
                self.planes.get(&Arrival::Unix(address.as_pathname()?.to_owned()))
            }
        }
    }

    async fn serve(&self, plane: &Arc<Plane>, stream: Stream) {
        let settings = plane.store.snapshot().settings.clone();
        let (timeouts, limits) = (&settings.timeouts, &settings.limits);
        let admitted = self.admission.admit(peer(&stream), limits);
        let rejection = admitted.rejection();
        if let Admitted::No(rejection) = admitted {
            return count(plane.metrics.rejections(plane.leg, rejection));
        }
        let (_held, _) = Held::raise(&plane.metrics, Gauge::Connections(plane.leg), 1);

        let serving = Serving::default();
        let io = ClientIo::new(stream, serving.clone(), timeouts);
        let service = service_fn(|request: Request<Incoming>| {
            let exchange = Exchange::begin(plane, serving.clone(), request);
            let stack = self.stack.clone();
            async move {
                if let Some(rejection) = rejection {
                    return Ok::<_, Infallible>(refuse(exchange.record, rejection, None));
                }
                stack.oneshot(exchange).await
            }
        });
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_headers(limits.header_fields)
            .max_header_size(limits.header_bytes)
            .keep_alive(rejection.is_none())
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        if rejection.is_some() {
            let _ = tokio::time::timeout(TELL, connection).await;
            return;
        }
        let mut drain = self.drain.watch();
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => Some(ended),
            _ = drain.wait_for(|draining| *draining) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                // A client that has just connected is about to ask: its request is still served.
                tokio::select! {
                    biased;
                    _ = connection.as_mut() => return,
                    () = serving.first() => {}
                    () = tokio::time::sleep(FIRST_REQUEST) => {}
                }
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            count_bad_head(plane, &error);
            tracing::debug!(leg = plane.leg.word(), %error, "connection ended");
        }
    }
}

/// Whose connection it is; a unix socket has no address.
fn peer(stream: &Stream) -> Option<IpAddr> {
    let digest = stream.get_socket_digest()?;
    Some(digest.peer_addr()?.as_inet()?.ip())
}

/// What hyper answered by itself, before there was a request: a head it could not read.
fn count_bad_head(plane: &Plane, error: &hyper::Error) {
    let rejection = match error {
        error if error.is_parse_too_large() => Rejection::HeadTooLarge,
        error if error.is_parse() => Rejection::BadHead,
        _ => return,
    };
    count(plane.metrics.rejections(plane.leg, rejection));
}

#[async_trait]
impl<S: Serve> ServerApp for DataPlane<S> {
    async fn process_new(self: &Arc<Self>, stream: Stream, _: &ShutdownWatch) -> Option<Stream> {
        match self.plane(&stream) {
            Some(plane) => self.serve(plane, stream).await,
            None => tracing::error!("a connection arrived at no listener's address"),
        }
        None
    }
}
