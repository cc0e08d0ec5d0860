//! Calls the admin API of a running sidecar.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::Failure;

/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// Which sidecar, and as whom.
#[derive(Debug, Args)]
pub(super) struct AdminArgs {
    /// The sidecar's admin listener: `http://host:port`, or `unix:/path`.
    #[arg(long, global = true, default_value = "http://127.0.0.1:9901", value_name = "URL")]
    admin: String,
    /// The file with the bearer token.
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl AdminArgs {
    /// A sidecar that is only read.
    pub(super) fn at(admin: &str) -> AdminArgs {
        AdminArgs { admin: admin.to_owned(), token_file: None }
    }

    /// Makes one call; an answer other than 2xx is a failure that says why.
    pub(super) fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let answer = self.bytes(method, path, body)?;
        serde_json::from_slice(&answer)
            .map_err(|_| Failure::Failed(format!("{}: not a JSON answer", self.admin)))
    }

    /// What a call gives that is a text.
    pub(super) fn text(&self, path: &str) -> Result<String, Failure> {
        let answer = self.bytes(Method::GET, path, None)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    fn bytes(&self, method: Method, path: &str, body: Option<Value>) -> Result<Bytes, Failure> {
        let usage = |error: String| Failure::Usage(error);
        let mut request = Request::builder().method(method).uri(path);
        if let Some(file) = &self.token_file {
            let token = std::fs::read_to_string(file)
                .map_err(|error| usage(format!("{}: {error}", file.display())))?;
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim()))
                .map_err(|_| usage(format!("{}: no usable token", file.display())))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = request
            .header(HOST, self.host())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| usage(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Failed(error.to_string()))?;
        let (status, answer) = runtime.block_on(async {
            let late = |_| Failure::Unreachable(format!("{}: no answer in time", self.admin));
            timeout(CALL_TIMEOUT, self.exchange(request)).await.map_err(late)?
        })?;
        let not_json = |_| Failure::Failed(format!("{}: {status}, not a JSON answer", self.admin));
        if status.is_success() {
            return Ok(answer);
        }
        let answer: Value = serde_json::from_slice(&answer).map_err(not_json)?;
        let error = answer.get("error").and_then(Value::as_str).unwrap_or("refused");
        Err(Failure::Failed(format!("{status}: {error}")))
    }

    fn host(&self) -> String {
        let host = self.admin.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        host.unwrap_or("localhost").to_owned()
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let unreachable =
            |error: std::io::Error| Failure::Unreachable(format!("{}: {error}", self.admin));
        if let Some(path) = self.admin.strip_prefix("unix:") {
            return send(UnixStream::connect(path).await.map_err(unreachable)?, request)
                .await
                .map_err(|error| unreachable(std::io::Error::other(error)));
        }
        let bad =
            || Failure::Usage(format!("{:?}: allowed: http://host:port, unix:/path", self.admin));
        let (host, port) = host_and_port(&self.admin).ok_or_else(bad)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, port)).await.map_err(unreachable)?;
        send(stream, request).await.map_err(|error| unreachable(std::io::Error::other(error)))
    }
}

/// The host of an `http://` URL, an IPv6 address in brackets, and its port.
pub(super) fn host_and_port(url: &str) -> Option<(String, u16)> {
    let url = url::Url::parse(url).ok().filter(|url| url.scheme() == "http")?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

async fn send<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await?;
        Ok((status, body.to_bytes()))
    };
    tokio::select! {
        answer = exchange => answer,
        ended = connection => match ended {
            Err(error) => Err(error.into()),
            Ok(()) => Err("the connection ended before its answer".into()),
        },
    }
}
