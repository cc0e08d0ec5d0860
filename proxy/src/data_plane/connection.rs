//! One client connection: hyper's HTTP/1.1 on the stream that pingora-core accepted.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use modegate_filters::rejection::Rejection;
use modegate_filters::route::Leg;
use pingora_core::apps::ServerApp;
use pingora_core::protocols::Stream;
use pingora_core::protocols::l4::socket::SocketAddr as Address;
use pingora_core::server::ShutdownWatch;
use tower::ServiceExt;

use super::Plane;
use super::client_io::ClientIo;
use super::drain::Drain;
use super::exchange::Exchange;
use super::framed::Framed;
use super::refuse::refuse;
use super::serving::Serving;
use super::stack::{Answer, Serve, stack};
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
    stack: S,
}

impl DataPlane<()> {
    /// The app, without listeners yet.
    pub fn build(drain: Drain) -> DataPlane<impl Serve> {
        DataPlane { planes: HashMap::new(), drain, stack: stack() }
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
        let (_held, _) = Held::raise(&plane.metrics, Gauge::Connections(plane.leg), 1);
        let open = |leg| plane.metrics.gauge(Gauge::Connections(leg)).load(Relaxed);
        let admitted = Leg::ALL.into_iter().map(open).sum::<u64>() <= limits.connections as u64;

        let serving = Serving::default();
        let io = ClientIo::new(stream, serving.clone(), timeouts, Some(Framed::new()));
        let service = service_fn(|request: Request<Incoming>| {
            let upgrade = request.headers().contains_key(UPGRADE);
            let exchange = Exchange::begin(plane, serving.clone(), request);
            let stack = self.stack.clone();
            async move {
                if !admitted {
                    return Ok::<_, Infallible>(refuse(
                        exchange.record,
                        Rejection::Connections,
                        None,
                    ));
                }
                let mut answer = stack.oneshot(exchange).await?;
                if upgrade {
                    end_unless_upgraded(&mut answer);
                }
                Ok(answer)
            }
        });
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_headers(limits.header_fields)
            .max_header_size(limits.header_bytes)
            .keep_alive(admitted)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
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

/// What follows a request for an upgrade was not judged, and so is never read as a request.
fn end_unless_upgraded(answer: &mut Answer) {
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
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
