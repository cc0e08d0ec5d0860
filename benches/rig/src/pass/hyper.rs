//! hyper's server on pingora-core's listeners, and hyper-util's client: modegate's engine, put
//! together as its users would, without a contract, deadlines, bounds, tags or metrics.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::{CONNECTION, HOST, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{Either, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use pingora_core::apps::ServerApp;
use pingora_core::listeners::{L4BufferSettings, ListenerConfig};
use pingora_core::protocols::Stream;
use pingora_core::server::ShutdownWatch;
use pingora_core::services::listening::Service;
use tokio::io::copy_bidirectional;

use super::Way;

type Body = Either<Incoming, Empty<Bytes>>;

struct Pass {
    client: Client<HttpConnector, Incoming>,
    origin: SocketAddr,
}

/// Serves until it is ended.
pub fn serve(way: Way) -> ! {
    let mut server = super::server();
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(512).build(connector);
    let mut service = Service::new("pass".to_owned(), Pass { client, origin: way.origin });
    service.threads = Some(1);
    let listener = ListenerConfig::tcp(way.listen.to_string());
    service.add_listener(listener.l4_buffer(L4BufferSettings::unbuffered()));
    server.add_service(service);
    server.run_forever()
}

#[async_trait]
impl ServerApp for Pass {
    async fn process_new(self: &Arc<Self>, stream: Stream, _: &ShutdownWatch) -> Option<Stream> {
        let service = service_fn(|request| self.pass(request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A client that goes away is none of our business.
        let _ = connection.with_upgrades().await;
        None
    }
}

impl Pass {
    async fn pass(&self, mut request: Request<Incoming>) -> Result<Response<Body>, http::Error> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let authority = self.origin.to_string();
        let host = HeaderValue::from_str(&authority)?;
        *request.uri_mut() =
            Uri::builder().scheme("http").authority(authority).path_and_query(path).build()?;
        let upgrade = request.headers().get(UPGRADE).cloned();
        let client = request.extensions_mut().remove::<OnUpgrade>();
        strip(request.headers_mut());
        request.headers_mut().insert(HOST, host);
        if let Some(upgrade) = upgrade {
            request.headers_mut().insert(UPGRADE, upgrade);
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        }
        let Ok(mut answer) = self.client.request(request).await else {
            let body = Either::Right(Empty::new());
            return Response::builder().status(StatusCode::BAD_GATEWAY).body(body);
        };
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            strip(answer.headers_mut());
        } else if let Some(client) = client {
            let upstream = hyper::upgrade::on(&mut answer);
            tokio::spawn(async move {
                if let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) {
                    let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
                    let _ = copy_bidirectional(&mut client, &mut upstream).await;
                }
            });
        }
        Ok(answer.map(Either::Left))
    }
}

fn strip(headers: &mut HeaderMap) {
    for name in [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}
