//! `[traces]`: which requests have their span exported, and to which collector. It does not connect.

use std::fmt;
use std::time::Duration;

use toml::de::DeValue;

use crate::read::Section;
use crate::rule::{Rule, integer, number, plain, shown, word};
use crate::upstream::{Upstream, upstream};
use crate::value::{DAY, MILLISECOND, duration};

/// Enough to see where time goes, and cheap at any load.
const DEFAULT_SAMPLE: f64 = 0.01;
/// Five seconds of eight hundred sampled requests a second.
const DEFAULT_QUEUE: usize = 4096;
/// What OpenTelemetry's own batches wait.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// What OpenTelemetry's own exporters wait.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// One service, whose legs are attributes.
const DEFAULT_SERVICE_NAME: &str = "modegate";

/// The longest service name, in bytes.
const SERVICE_NAME_LIMIT: usize = 256;

/// `[traces]`: which requests have their span exported, and to which collector. In force until the
/// process ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Traces {
    /// The collector, `None` for no spans; none.
    pub endpoint: Option<Endpoint>,
    /// What the collector speaks; HTTP.
    pub protocol: Protocol,
    /// The share of new traces that are sampled, 0 to 1; 0.01.
    pub sample: f64,
    /// How many spans wait at most; 4096.
    pub queue: usize,
    /// How long a span waits for others at most; 5 s.
    pub interval: Duration,
    /// How long an export may take; 10 s.
    pub timeout: Duration,
    /// The resource's `service.name`; `modegate`.
    pub service_name: String,
}

/// A collector's address. It prints as the file writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an IP address, an IPv6 address without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "http://[{}]:{}", self.host, self.port),
            false => write!(f, "http://{}:{}", self.host, self.port),
        }
    }
}

/// How spans are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/HTTP with protobuf bodies.
    Http,
    /// OTLP/gRPC.
    Grpc,
}

/// Reads `[traces]`.
pub(crate) fn read(root: &mut Section<'_, '_>) -> Traces {
    root.section("traces", |section| Traces {
        endpoint: section.take("endpoint", None, endpoint()),
        protocol: section.take(
            "protocol",
            Protocol::Http,
            word([("http", Protocol::Http), ("grpc", Protocol::Grpc)]),
        ),
        sample: section.take("sample", DEFAULT_SAMPLE, share()),
        queue: section.take("queue", DEFAULT_QUEUE, integer(1..=1_048_576)),
        interval: section.take("interval", DEFAULT_INTERVAL, duration(MILLISECOND..=DAY)),
        timeout: section.take("timeout", DEFAULT_TIMEOUT, duration(MILLISECOND..=DAY)),
        service_name: section.take(
            "service_name",
            DEFAULT_SERVICE_NAME.to_owned(),
            plain(SERVICE_NAME_LIMIT),
        ),
    })
}

pub(crate) fn endpoint() -> Rule<Option<Endpoint>> {
    let any = upstream();
    Rule::new("\"http://host:port\", or \"\" for none", move |value| {
        if matches!(value, DeValue::String(text) if text.is_empty()) {
            return Ok(None);
        }
        let Upstream::Http { host, port } = any.read(value)? else {
            return Err(format!("{}, another scheme", shown(value)));
        };
        // Both protocols have a port of their own, and neither is 80.
        match value.as_str().is_some_and(names_a_port) {
            true => Ok(Some(Endpoint { host, port })),
            false => Err(format!("{}, without a port", shown(value))),
        }
    })
}

fn names_a_port(url: &str) -> bool {
    let port = url.trim_end_matches('/').rsplit(':').next().unwrap_or_default();
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn share() -> Rule<f64> {
    number(0.0..=1.0)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn endpoints() {
        let cases = [
            ("http://collector:4318", Ok("http://collector:4318")),
            ("http://collector:80/", Ok("http://collector:80")),
            ("http://[::1]:4317", Ok("http://[::1]:4317")),
            ("http://collector", Err("\"http://collector\", without a port")),
            ("http://[::1]", Err("\"http://[::1]\", without a port")),
            ("http://collector:0", Err("\"http://collector:0\", with port 0")),
            ("http://c:4318/v1/traces", Err("\"http://c:4318/v1/traces\", with a path")),
            ("https://collector:4318", Err("\"https://collector:4318\", another scheme")),
            ("unix:/run/otel.sock", Err("\"unix:/run/otel.sock\", another scheme")),
            ("http://me:secret@c:4318", Err("a URL with user info")),
            ("collector:4318", Err("\"collector:4318\"")),
        ];
        for (text, expected) in cases {
            let read = endpoint().read(&DeValue::String(Cow::Borrowed(text)));
            let read = read.map(|endpoint| endpoint.map(|endpoint| endpoint.to_string()));
            let expected = expected.map(|url| Some(url.to_owned())).map_err(str::to_owned);
            assert_eq!(read, expected, "{text}");
        }
        assert_eq!(endpoint().read(&DeValue::String(Cow::Borrowed(""))), Ok(None));
    }

    #[test]
    fn shares() {
        let cases = [
            ("0", Some(0.0)),
            ("1", Some(1.0)),
            ("1.0", Some(1.0)),
            ("0.25", Some(0.25)),
            ("1e-6", Some(0.000_001)),
            ("1.01", None),
            ("-0.1", None),
            ("2", None),
            ("nan", None),
            ("\"0.5\"", None),
        ];
        for (written, expected) in cases {
            let text = format!("sample = {written}");
            let table = toml::de::DeTable::parse(&text).unwrap().into_inner();
            let read = share().read(table.get("sample").unwrap().get_ref()).ok();
            assert_eq!(read, expected, "{written}");
        }
    }
}
