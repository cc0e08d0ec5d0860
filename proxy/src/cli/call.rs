//! Calls the admin API of a running sidecar.

use std::path::{Path, PathBuf};
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
use super::answer::Shape;

/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// Where an admin listener is by default.
const DEFAULT_ADMIN: &str = "http://127.0.0.1:9901";

/// Which sidecar, and as whom.
#[derive(Debug, Args)]
pub(super) struct AdminArgs {
    /// The sidecar's admin listener: `http://host:port`, or `unix:/path`.
    #[arg(long, global = true, default_value = DEFAULT_ADMIN, value_name = "URL")]
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

    /// Whether a sidecar other than the default one was named, or a token.
    pub(super) fn is_given(&self) -> bool {
        self.admin != DEFAULT_ADMIN || self.token_file.is_some()
    }

    /// Makes one call; an answer other than 2xx, or of another shape, is a failure that says why.
    pub(super) fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        shape: &Shape,
    ) -> Result<Value, Failure> {
        let call = format!("{method} {path}");
        let answer = self.exchanged(method, path, body)?.body;
        let answer: Value = serde_json::from_slice(&answer)
            .map_err(|_| self.stranger(&format!("its answer to {call} is not JSON")))?;
        match shape.lack(&answer) {
            None => Ok(answer),
            Some(lack) => Err(self.stranger(&format!("its answer to {call} {lack}"))),
        }
    }

    /// What a call gives that is Markdown.
    pub(super) fn markdown(&self, path: &str) -> Result<String, Failure> {
        let Exchanged { content_type, body, .. } = self.exchanged(Method::GET, path, None)?;
        match content_type.as_ref().map(HeaderValue::as_bytes) {
            Some(b"text/markdown") => Ok(String::from_utf8_lossy(&body).into_owned()),
            _ => Err(self.stranger(&format!("its answer to GET {path} is not Markdown"))),
        }
    }

    fn exchanged(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Exchanged, Failure> {
        let usage = |error: String| Failure::Usage(error);
        let call = format!("{method} {path}");
        let mut request = Request::builder().method(method).uri(path);
        if let Some(file) = &self.token_file {
            request = request.header(AUTHORIZATION, bearer(file)?);
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
        let answer = runtime.block_on(async {
            let late = |_| Failure::Unreachable(format!("{}: no answer in time", self.admin));
            timeout(CALL_TIMEOUT, self.exchange(request)).await.map_err(late)?
        })?;
        let status = answer.status;
        if status.is_success() {
            return Ok(answer);
        }
        let said: Option<Value> = serde_json::from_slice(&answer.body).ok();
        match said.as_ref().and_then(|said| said["error"].as_str()) {
            Some(error) => Err(Failure::Failed(format!("{status}: {error}{}", self.hint(status)))),
            None => Err(self.stranger(&format!("its answer to {call} is {status} and no error"))),
        }
    }

    /// What answers is not what was asked for.
    fn stranger(&self, why: &str) -> Failure {
        Failure::Failed(format!("{} is no modegate admin listener: {why}", self.admin))
    }

    fn hint(&self, status: StatusCode) -> String {
        match (status, &self.token_file) {
            (StatusCode::UNAUTHORIZED, None) => "; --token-file FILE gives it".to_owned(),
            (StatusCode::UNAUTHORIZED, Some(file)) => {
                format!("; what was sent stands in {}", file.display())
            }
            _ => String::new(),
        }
    }

    fn host(&self) -> String {
        let host = self.admin.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        host.unwrap_or("localhost").to_owned()
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Exchanged, Failure> {
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

/// An answer as it came.
struct Exchanged {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Bytes,
}

/// The credentials that a token file holds.
fn bearer(file: &Path) -> Result<HeaderValue, Failure> {
    let usage = |found: &str| Failure::Usage(format!("--token-file {}: {found}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| usage(&error.to_string()))?;
    let allowed = "allowed: one line, the token of the sidecar's admin.token_file";
    let token = text.trim();
    if token.is_empty() {
        return Err(usage(&format!("found: nothing; {allowed}")));
    }
    if token.contains(['\n', '\r']) {
        return Err(usage(&format!("found: {} lines; {allowed}", token.lines().count())));
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| usage(&format!("found: control characters; {allowed}")))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The host of an `http://` URL, an IPv6 address in brackets, and its port.
pub(super) fn host_and_port(url: &str) -> Option<(String, u16)> {
    let url = url::Url::parse(url).ok().filter(|url| url.scheme() == "http")?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

async fn send<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<Exchanged, Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let (head, body) = answer.into_parts();
        let content_type = head.headers.get(CONTENT_TYPE).cloned();
        let body = Limited::new(body, ANSWER_LIMIT).collect().await?.to_bytes();
        Ok(Exchanged { status: head.status, content_type, body })
    };
    tokio::select! {
        answer = exchange => answer,
        ended = connection => match ended {
            Err(error) => Err(error.into()),
            Ok(()) => Err("the connection ended before its answer".into()),
        },
    }
}
