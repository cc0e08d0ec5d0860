//! The messages of a drill, one after the other on a few connections, and the origin that they reach.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use super::log::Log;
use super::origin::{Place, serve};
use crate::cli::Failure;
use crate::cli::call::host_and_port;

/// So many messages are on their way at a time.
const SENDERS: usize = 4;
/// Between two messages of a sender.
const PAUSE: Duration = Duration::from_millis(2);
/// So many conversations are tried before fast mode is said to be off for all of them.
const TRIED: usize = 5000;
/// How long one message may take.
const MESSAGE: Duration = Duration::from_secs(5);

/// Messages and their origin, on threads of their own.
pub struct Traffic {
    runtime: Runtime,
    target: Target,
}

#[derive(Clone)]
struct Target {
    authority: String,
    log: Arc<Log>,
}

impl Traffic {
    /// Listens as the origin, and for the signals that end a drill. Nothing is sent yet.
    pub fn start(frontend: &str, origin: &Place) -> Result<Traffic, Failure> {
        let usage = |why: String| Failure::Usage(why);
        let (host, port) = host_and_port(frontend)
            .ok_or_else(|| usage(format!("--frontend {frontend}: allowed: http://host:port")))?;
        let authority = format!("{host}:{port}");
        let failed = |error: std::io::Error| Failure::Failed(error.to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(failed)?;
        let log = Arc::new(Log::default());
        for listener in runtime.block_on(origin.listen()).map_err(usage)? {
            runtime.spawn(serve(listener, log.clone()));
        }
        let _within = runtime.enter();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let (mut signals, log) = (signal(kind).map_err(failed)?, log.clone());
            runtime.spawn(async move {
                signals.recv().await;
                log.interrupt();
            });
        }
        drop(_within);
        Ok(Traffic { runtime, target: Target { authority, log } })
    }

    /// Finds a conversation that is served in fast mode, and goes on sending messages of it.
    pub fn find_fast(&self) -> Result<(), Failure> {
        let conversation = self.runtime.block_on(async {
            let mut connection = self.target.connect().await?;
            for _ in 0..TRIED {
                self.target.log.goes_on()?;
                let conversation = Uuid::new_v4().to_string();
                if self.target.say(&mut connection, &conversation).await? {
                    return Ok(conversation);
                }
            }
            Err(Failure::Failed(format!(
                "none of {TRIED} conversations is served in fast mode: nothing to roll back"
            )))
        })?;
        for _ in 0..SENDERS {
            let (target, conversation) = (self.target.clone(), conversation.clone());
            self.runtime.spawn(async move {
                let sending = async {
                    let mut connection = target.connect().await?;
                    loop {
                        target.say(&mut connection, &conversation).await?;
                        tokio::time::sleep(PAUSE).await;
                    }
                };
                let ended: Result<(), Failure> = sending.await;
                if let Err(fault) = ended {
                    target.log.failed(fault);
                }
            });
        }
        Ok(())
    }

    /// What was sent, and what of it arrived.
    pub fn log(&self) -> &Log {
        &self.target.log
    }

    /// Ends everything.
    pub fn stop(self) {
        self.runtime.shutdown_background();
    }
}

impl Target {
    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let connected = TcpStream::connect(&self.authority);
        let late = |_| self.unreachable(&"no connection in time");
        let stream = tokio::time::timeout(MESSAGE, connected).await.map_err(late)?;
        let stream = stream.map_err(|error| self.unreachable(&error))?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| self.unreachable(&error))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Sends one message; whether it was served in fast mode. A connection that ended is made anew.
    async fn say(
        &self,
        connection: &mut SendRequest<Full<Bytes>>,
        conversation: &str,
    ) -> Result<bool, Failure> {
        if connection.ready().await.is_err() {
            *connection = self.connect().await?;
        }
        let text = format!("drill {}", self.log.sent());
        let body = serde_json::json!({ "text": text, "processing": { "mode": "fast" } });
        let request = Request::post(format!("/api/conversations/{conversation}/messages"))
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| Failure::Failed(error.to_string()))?;
        let exchange = async {
            let answer = connection.send_request(request).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            answer.into_body().collect().await?;
            Ok::<_, hyper::Error>((status, headers))
        };
        let (status, headers) = tokio::time::timeout(MESSAGE, exchange)
            .await
            .map_err(|_| self.unreachable(&"no answer in time"))?
            .map_err(|error| self.unreachable(&error))?;
        if status != StatusCode::OK {
            let why = format!("{}: a message was answered with {status}", self.authority);
            return Err(Failure::Failed(why));
        }
        Ok(headers.get("x-processing-mode").is_some_and(|mode| mode != "default"))
    }

    fn unreachable(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::Unreachable(format!("{}: {error}", self.authority))
    }
}
