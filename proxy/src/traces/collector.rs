//! The collector at the other end: the exporter for its protocol, and how long it may take.

use std::fmt;

use modegate_config::{Endpoint, Protocol, Traces as Settings};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use tokio::time::timeout;

use super::attributes;
use super::span::Span;
use crate::plain_client::PlainClient;

/// Where OTLP/HTTP takes spans (OTLP specification, section "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A collector.
#[derive(Debug)]
pub struct Collector {
    endpoint: Endpoint,
    settings: Settings,
    scope: InstrumentationScope,
    exporter: Option<SpanExporter>,
}

impl Collector {
    /// A collector that nothing was sent to yet.
    pub fn new(endpoint: &Endpoint, settings: &Settings) -> Collector {
        Collector {
            endpoint: endpoint.clone(),
            settings: settings.clone(),
            scope: InstrumentationScope::builder("modegate").with_version(VERSION).build(),
            exporter: None,
        }
    }

    /// Sends spans, within `traces.timeout`; needs a tokio runtime.
    ///
    /// # Errors
    /// Why it cannot be known that the collector has them.
    pub async fn send(&mut self, batch: &[Span]) -> Result<(), String> {
        let exporter = match self.exporter.take() {
            Some(exporter) => exporter,
            None => self.open().map_err(|error| error.to_string())?,
        };
        let batch = batch.iter().map(|span| attributes::data(span, &self.scope)).collect();
        match timeout(self.settings.timeout, exporter.export(batch)).await {
            Ok(Ok(())) => {
                self.exporter = Some(exporter);
                Ok(())
            }
            // Its connection may lead nowhere: the next export opens another.
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {:?}", self.settings.timeout)),
        }
    }

    fn open(&self) -> Result<SpanExporter, ExporterBuildError> {
        let builder = SpanExporter::builder();
        let mut exporter = match self.settings.protocol {
            Protocol::Http => builder
                .with_http()
                // Said here, so that no environment variable says otherwise.
                .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
                .with_endpoint(format!("{}{PATH}", self.endpoint))
                .with_timeout(self.settings.timeout)
                .with_http_client(PlainClient(self.endpoint.clone()))
                .build(),
            Protocol::Grpc => builder
                .with_tonic()
                .with_endpoint(self.endpoint.to_string())
                .with_timeout(self.settings.timeout)
                .build(),
        }?;
        let attributes = [
            KeyValue::new("service.name", self.settings.service_name.clone()),
            KeyValue::new("service.version", VERSION),
        ];
        exporter.set_resource(&Resource::builder_empty().with_attributes(attributes).build());
        Ok(exporter)
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}
