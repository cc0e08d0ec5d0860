//! The messages of a drill, one after the other on a few connections, and the origin that they reach.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::log::Log;
use super::origin::serve;
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
    /// Listens as the origin. Nothing is sent yet.
    pub fn start(frontend: &str, origin: SocketAddr) -> Result<Traffic, Failure> {
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
        let listener = runtime
            .block_on(TcpListener::bind(origin))
            .map_err(|error| usage(format!("--origin {origin}: {error}")))?;
        let log = Arc::new(Log::default());
        runtime.spawn(serve(listener, log.clone()));
        Ok(Traffic { runtime, target: Target { authority, log } })
    }

    /// Finds a conversation that is served in fast mode, and goes on sending messages of it.
    pub fn find_fast(&self) -> Result<(), Failure> {
        let conversation = self.runtime.block_on(async {
            let mut connection = self.target.connect().await?;
            for _ in 0..TRIED {
                let conversation = Uuid::new_v4().to_string();
                if self.target.say(&mut connection, &conversation).await? {
                    return Ok(conversation);
                }
            }
            Err(format!(
                "none of {TRIED} conversations is served in fast mode: nothing to roll back"
            ))
        });
        let conversation = conversation.map_err(Failure::Failed)?;
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
                let ended: Result<(), String> = sending.await;
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
    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", self.authority);
        let stream = TcpStream::connect(&self.authority).await.map_err(|e| failed(&e))?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Sends one message; whether it was served in fast mode. A connection that ended is made anew.
    async fn say(
        &self,
        connection: &mut SendRequest<Full<Bytes>>,
        conversation: &str,
    ) -> Result<bool, String> {
        if connection.ready().await.is_err() {
            *connection = self.connect().await?;
        }
        let text = format!("drill {}", self.log.sent());
        let body = serde_json::json!({ "text": text, "processing": { "mode": "fast" } });
        let request = Request::post(format!("/api/conversations/{conversation}/messages"))
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let answer = connection.send_request(request).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            answer.into_body().collect().await?;
            Ok::<_, hyper::Error>((status, headers))
        };
        let (status, headers) = tokio::time::timeout(MESSAGE, exchange)
            .await
            .map_err(|_| format!("{}: no answer in time", self.authority))?
            .map_err(|error| format!("{}: {error}", self.authority))?;
        if status != StatusCode::OK {
            return Err(format!("{}: a message was answered with {status}", self.authority));
        }
        Ok(headers.get("x-processing-mode").is_some_and(|mode| mode != "default"))
    }
}
