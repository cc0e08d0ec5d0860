//! A client's connection: where it arrived, and which protocol is spoken on it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use http::Request;
use hyper::body::Incoming;
use modegate_filters::rejection::Rejection;
use pingora_core::apps::ServerApp;
use pingora_core::protocols::Stream;
use pingora_core::protocols::l4::socket::SocketAddr as Address;
use pingora_core::server::ShutdownWatch;
use tokio::time::timeout;
use tower::ServiceExt;

use super::admission::{Admission, Admitted, TELL};
use super::drain::Drain;
use super::exchange::Exchange;
use super::refuse::refuse;
use super::server_tls::{H2, ServerTls};
use super::serving::Serving;
use super::stack::{Answer, Serve, stack};
use super::{Here, Plane};
use super::{http1, http2, preface};
use crate::flags::Settings;
use crate::metrics::{Gauge, Held, count};

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

/// A connection that is there: what its requests share.
pub struct Connection<'c, S> {
    /// Its listener.
    pub plane: Here,
    /// The settings that it began with.
    pub settings: Arc<Settings>,
    /// Its requests.
    pub serving: Serving,
    /// The word that the process is about to stop.
    pub drain: &'c Drain,
    /// Why its requests are refused, where it is one too many.
    pub rejection: Option<Rejection>,
    stack: &'c S,
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
        let admitted = self.admission.admit(peer(&stream), &settings.limits);
        let rejection = admitted.rejection();
        if let Admitted::No(rejection) = admitted {
            return count(plane.metrics.rejections(plane.leg, rejection));
        }
        let (counted, _) = Held::raise(&plane.metrics, Gauge::Connections(plane.leg), 1);
        let connection = Connection {
            plane: Here::new(plane),
            settings,
            serving: Serving::holding((admitted, counted)),
            drain: &self.drain,
            rejection,
            stack: &self.stack,
        };
        match rejection {
            None => connection.serve(stream).await,
            Some(_) => {
                let _ = timeout(TELL, connection.serve(stream)).await;
            }
        }
    }
}

/// Whose connection it is; a unix socket has no address.
fn peer(stream: &Stream) -> Option<IpAddr> {
    let digest = stream.get_socket_digest()?;
    Some(digest.peer_addr()?.as_inet()?.ip())
}

impl<S: Serve> Connection<'_, S> {
    async fn serve(self, stream: Stream) {
        let plane = self.plane.clone();
        match &plane.tls {
            Some(tls) => Box::pin(self.serve_tls(tls, stream)).await,
            None if plane.h2c => Box::pin(self.serve_either(stream)).await,
            None => http1::serve(self, stream, &[]).await,
        }
    }

    /// The protocol is the one that both sides name in the handshake.
    async fn serve_tls(self, tls: &ServerTls, stream: Stream) {
        let stream = match self.begun(tls.acceptor().accept(stream)).await {
            Some(Ok(stream)) => stream,
            Some(Err(error)) => {
                count(self.plane.metrics.rejections(self.plane.leg, Rejection::Handshake));
                return tracing::debug!(leg = self.plane.leg.word(), %error, "no TLS");
            }
            None => {
                count(self.plane.metrics.rejections(self.plane.leg, Rejection::Handshake));
                return tracing::debug!(leg = self.plane.leg.word(), "no TLS in time");
            }
        };
        match stream.get_ref().1.alpn_protocol() {
            Some(H2) => http2::serve(self, stream, &[]).await,
            _ => http1::serve(self, stream, &[]).await,
        }
    }

    /// HTTP/2 in clear begins with its preface, HTTP/1.1 with anything else.
    async fn serve_either(self, mut stream: Stream) {
        match self.begun(preface::read(&mut stream)).await {
            Some(Ok(preface::Begun::Http2)) => http2::serve(self, stream, preface::PREFACE).await,
            Some(Ok(preface::Begun::Http1(begun))) => http1::serve(self, stream, &begun).await,
            _ => tracing::debug!(leg = self.plane.leg.word(), "connection ended unused"),
        }
    }

    /// What it begins with, if that is there in time: within `timeouts.header`, and before a drain
    /// is done with those that have not begun.
    async fn begun<F: Future>(&self, beginning: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            begun = timeout(self.settings.timeouts.header, beginning) => begun.ok(),
            () = self.drain.last_call() => None,
        }
    }

    /// Answers one of its requests.
    pub fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Answer> + Send + use<S> {
        let exchange = Exchange::begin(&self.plane, self.serving.clone(), request);
        let (stack, rejection) = (self.stack.clone(), self.rejection);
        async move {
            if let Some(rejection) = rejection {
                return refuse(exchange.record, rejection, None);
            }
            match stack.oneshot(exchange).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            }
        }
    }
}

#[async_trait]
impl<S: Serve> ServerApp for DataPlane<S> {
    async fn process_new(self: &Arc<Self>, stream: Stream, _: &ShutdownWatch) -> Option<Stream> {
        // In a task of its own: the one that this is called in is kept to its end, with all that
        // pingora-core's handshake needs, some 9 KiB a connection.
        let app = self.clone();
        tokio::spawn(async move {
            match app.plane(&stream) {
                Some(plane) => app.serve(plane, stream).await,
                None => tracing::error!("a connection arrived at no listener's address"),
            }
        });
        None
    }
}
