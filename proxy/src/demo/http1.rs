//! Serves HTTP/1.1 on one listener until it is dropped, or until the program behind it dies: then
//! it refuses connections and every open one ends without a reply.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::request::Parts;
use http::{HeaderValue, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::call::header;
use super::recorder::{Recorder, Ticket};
use super::reply::Outgoing;

/// How long Node keeps an idle connection, and waits for a request's head.
const IDLE: Duration = Duration::from_secs(5);
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(60);
/// Connections that one origin holds at a time; more wait to be accepted.
const CONNECTIONS: usize = 512;
/// How long no connection is accepted after accepting failed, as for want of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Why a request gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The client went away: its connection ends.
    Abandoned,
    /// The process died of it: everything ends.
    Died,
}

/// One of the programs.
pub trait Program: Send + Sync + 'static {
    /// Where its requests are recorded.
    fn recorder(&self) -> &Recorder;

    /// Answers one request.
    fn answer(
        &self,
        request: Arrival<'_>,
    ) -> impl Future<Output = Result<Response<Outgoing>, NoAnswer>> + Send;
}

/// A request that is recorded, its body not read yet.
pub struct Arrival<'a> {
    /// The head.
    pub head: Parts,
    body: Incoming,
    recorder: &'a Recorder,
    ticket: Ticket,
}

/// A body, or why there is none.
pub enum Reading {
    /// All of it.
    Body(Bytes),
    /// It is over the limit. What came was read to the end.
    TooLarge,
}

impl Arrival<'_> {
    /// Reads the body and records it. One over `limit` bytes is drained and not kept.
    pub async fn read(self, limit: usize) -> Result<Reading, NoAnswer> {
        let reading = tokio::time::timeout(BODY_TIME, collect(self.body, limit)).await;
        let reading = reading.map_err(|_| NoAnswer::Abandoned)??;
        if let Reading::Body(body) = &reading {
            self.recorder.body_read(self.ticket, body.clone());
        }
        Ok(reading)
    }
}

async fn collect(mut body: Incoming, limit: usize) -> Result<Reading, NoAnswer> {
    let mut bytes = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| NoAnswer::Abandoned)?;
        let Some(data) = frame.data_ref() else { continue };
        length += data.len();
        if length <= limit {
            bytes.extend_from_slice(data);
        }
    }
    Ok(if length > limit { Reading::TooLarge } else { Reading::Body(bytes.into()) })
}

/// An origin that serves; dropping it ends it.
#[derive(Debug)]
pub struct Serving {
    died: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Serving {
    /// Whether the program has not died.
    pub fn alive(&self) -> bool {
        !*self.died.borrow()
    }

    /// Ends it; its port is closed when this returns.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a program on a listener, on the runtime that this is called on.
pub fn serve<P: Program>(listener: TcpListener, program: Arc<P>) -> Serving {
    let (death, died) = watch::channel(false);
    let mut ended = died.clone();
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = ended.changed() => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, program.clone(), death.clone()));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
                },
            }
        }
        // First the listener: who sees its connection end must find the next one refused.
        drop(listener);
        connections.shutdown().await;
    });
    Serving { died, task }
}

async fn connection<P: Program>(stream: TcpStream, program: Arc<P>, death: watch::Sender<bool>) {
    let service = service_fn(|request: http::Request<Incoming>| {
        let (program, death) = (&program, &death);
        async move {
            let (head, body) = request.into_parts();
            let last = header(&head.headers, CONNECTION.as_str()) == Some("close");
            let recorder = program.recorder();
            let ticket = recorder.arrived(&head);
            let answer = program.answer(Arrival { head, body, recorder, ticket }).await;
            match answer {
                Ok(mut response) => {
                    if last {
                        response
                            .headers_mut()
                            .insert(CONNECTION, HeaderValue::from_static("close"));
                        response.headers_mut().remove("keep-alive");
                    }
                    Ok::<_, AbandonedError>(response)
                }
                Err(NoAnswer::Abandoned) => Err(AbandonedError),
                Err(NoAnswer::Died) => {
                    death.send_replace(true);
                    // The accept loop ends this task, after it closed the listener.
                    let never: Infallible = std::future::pending().await;
                    match never {}
                }
            }
        }
    });
    // An error here is the client's or the death's; either way the connection is over.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Ends a connection whose client went away.
#[derive(Debug)]
struct AbandonedError;

impl std::fmt::Display for AbandonedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the client went away")
    }
}

impl std::error::Error for AbandonedError {}
