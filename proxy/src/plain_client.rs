//! How collectors and flag services are reached: one plain connection for each exchange. They are
//! seconds apart; a connection that is kept would mostly be one that the other side has closed.

use std::pin::pin;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use modegate_config::Endpoint;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::net::TcpStream;

/// The most of an answer that is read, in bytes: it says what was rejected, and why.
const ANSWER_LIMIT: usize = 64 << 10;

/// The client. Its user says how long an exchange may take.
#[derive(Debug)]
pub struct PlainClient(pub Endpoint);

#[async_trait]
impl HttpClient for PlainClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answered = self.exchange(request).await;
        if let Err(error) = &answered {
            // The exporter does not pass it on.
            tracing::debug!(%error, collector = %self.0, "no answer from the collector");
        }
        answered
    }
}

impl PlainClient {
    /// One exchange, without a limit of time.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.exchange_up_to(request, ANSWER_LIMIT).await
    }

    /// One exchange whose answer is of so many bytes at most.
    pub async fn exchange_up_to(
        &self,
        request: Request<Bytes>,
        most: usize,
    ) -> Result<Response<Bytes>, HttpError> {
        let (mut head, body) = request.into_parts();
        if let Some(authority) = head.uri.authority() {
            head.headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
        }
        head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let path = head.uri.path_and_query().cloned();
        head.uri = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));

        let stream = TcpStream::connect((self.0.host.as_str(), self.0.port)).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        let mut exchange = pin!(async {
            let request = Request::from_parts(head, Full::new(body));
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, most).collect().await?;
            Ok(Response::from_parts(head, body.to_bytes()))
        });
        tokio::select! {
            answered = &mut exchange => answered,
            // What the connection brought before its end is still to be read.
            _ = connection => exchange.await,
        }
    }
}
