//! A collector that keeps what it is sent, decoded: OTLP over HTTP, or over gRPC.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};

use super::eventually;

/// What a collector speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otlp {
    /// OTLP/HTTP.
    Http,
    /// OTLP/gRPC.
    Grpc,
}

impl Otlp {
    /// What the configuration calls it.
    pub fn word(self) -> &'static str {
        match self {
            Otlp::Http => "http",
            Otlp::Grpc => "grpc",
        }
    }
}

/// A running collector; it ends with the test.
pub struct Collector {
    url: String,
    exports: Arc<Mutex<Vec<Bytes>>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A span, with the scope and the resource that it came under.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The span.
    pub span: Span,
    /// The scope's name.
    pub scope: String,
    /// The resource's attributes.
    pub resource: Vec<KeyValue>,
}

impl Collector {
    /// A collector that takes everything.
    pub async fn start(otlp: Otlp) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let exports = Arc::new(Mutex::new(Vec::new()));
        let kept = exports.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, otlp, kept.clone()));
            }
        });
        Collector { url, exports, accepting }
    }

    /// What a configuration calls it.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The messages that came, as they are on the wire.
    pub fn exports(&self) -> Vec<Bytes> {
        self.exports.lock().expect("no panic").clone()
    }

    /// Every span that came.
    pub fn spans(&self) -> Vec<Exported> {
        let decode = |bytes: Bytes| ExportTraceServiceRequest::decode(bytes).expect("an export");
        let resources = self.exports().into_iter().flat_map(|bytes| decode(bytes).resource_spans);
        resources.flat_map(of_resource).collect()
    }

    /// Waits for this many spans; more are a fault.
    pub async fn wait_for(&self, spans: usize) -> Vec<Exported> {
        let found =
            eventually("spans", async || Some(self.spans()).filter(|found| found.len() >= spans))
                .await;
        assert_eq!(found.len(), spans, "{found:#?}");
        found
    }
}

fn of_resource(of: ResourceSpans) -> Vec<Exported> {
    let resource = of.resource.expect("a resource").attributes;
    let of_scope = |of: ScopeSpans| {
        let scope = of.scope.expect("a scope").name;
        let exported = |span| Exported { span, scope: scope.clone(), resource: resource.clone() };
        of.spans.into_iter().map(exported).collect::<Vec<_>>()
    };
    of.scope_spans.into_iter().flat_map(of_scope).collect()
}

impl Exported {
    /// The only attribute of this name, as text.
    pub fn attribute(&self, key: &str) -> Option<String> {
        attribute(&self.span.attributes, key)
    }
}

/// The only attribute of this name, as text.
pub fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let mut of = attributes.iter().filter(|attribute| attribute.key == key);
    let found = of.next()?;
    assert!(of.next().is_none(), "{key} twice in {attributes:#?}");
    match &found.value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text.clone()),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => Some(number.to_string()),
        other => panic!("{key}: {other:?}"),
    }
}

async fn serve(stream: TcpStream, otlp: Otlp, exports: Arc<Mutex<Vec<Bytes>>>) {
    let service = service_fn(move |request| {
        let exports = exports.clone();
        async move { Ok::<_, Infallible>(take(request, otlp, &exports).await) }
    });
    let stream = TokioIo::new(stream);
    // How a connection ends is the client's to say.
    let _ = match otlp {
        Otlp::Http => {
            hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await
        }
        Otlp::Grpc => {
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(stream, service)
                .await
        }
    };
}

async fn take(
    request: Request<Incoming>,
    otlp: Otlp,
    exports: &Mutex<Vec<Bytes>>,
) -> Response<BoxBody<Bytes, Infallible>> {
    let (head, body) = request.into_parts();
    assert_eq!(head.method, "POST");
    let body = body.collect().await.expect("a whole body").to_bytes();
    let (path, kind, message) = match otlp {
        Otlp::Http => ("/v1/traces", "application/x-protobuf", body),
        // One message, not compressed, with its length before it.
        Otlp::Grpc => {
            let length = u32::from_be_bytes(body[1..5].try_into().expect("a length"));
            assert_eq!((body[0], length as usize), (0, body.len() - 5));
            let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
            (path, "application/grpc", body.slice(5..))
        }
    };
    assert_eq!((head.uri.path(), head.headers["content-type"].as_bytes()), (path, kind.as_bytes()));
    exports.lock().expect("no panic").push(message);
    let body = match otlp {
        Otlp::Http => Empty::new().boxed(),
        Otlp::Grpc => {
            let status = HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                HeaderValue::from_static("0"),
            )]);
            Full::new(Bytes::from_static(&[0; 5])).with_trailers(async { Some(Ok(status)) }).boxed()
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", HeaderValue::from_static(kind));
    response
}
