//! Asks a service for the flags over OFREP (0.3.0), all of them at once with a context that never
//! changes, and takes over what one of them holds: this sidecar evaluates nothing per request.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode, Uri};
use modegate_config::{Document, Endpoint, FlagSources};
use serde_json::{Value, json};

use super::documents::{Freshness, Layer};
use super::store::Store;
use crate::plain_client::PlainClient;

/// How long one exchange may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long it is waited at most after failures, where the interval is not longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// The longest wait that a service may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);
/// How often the age of the last answer is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The service, as last asked.
#[derive(Debug)]
pub struct Remote {
    endpoint: Endpoint,
    settings: FlagSources,
    etag: Option<HeaderValue>,
    answered: Instant,
    failures: u32,
}

/// What an answer is.
#[derive(Debug)]
enum Said {
    Document(Box<Document>, Option<HeaderValue>),
    NotModified,
    /// It will not be asked again before.
    Later(Duration),
    Failed(String),
}

impl Remote {
    /// The service of the configuration, if it names one.
    pub fn new(settings: &FlagSources) -> Option<Remote> {
        Some(Remote {
            endpoint: settings.remote.clone()?,
            settings: settings.clone(),
            etag: None,
            answered: Instant::now(),
            failures: 0,
        })
    }

    /// Asks until the task is dropped.
    pub async fn poll(mut self, store: &Store) {
        loop {
            let said = self.ask().await;
            let wait = self.take(said, store);
            let until = Instant::now() + wait;
            loop {
                store.freshness(Layer::Remote, self.freshness(self.answered.elapsed()));
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                tokio::time::sleep(left.min(LOOK)).await;
            }
        }
    }

    /// Takes over what was said; how long to wait before asking again.
    fn take(&mut self, said: Said, store: &Store) -> Duration {
        let failed = match said {
            Said::NotModified => None,
            Said::Document(document, etag) => {
                match store.take_document(Layer::Remote, *document, false) {
                    Ok(_) => {
                        self.etag = etag;
                        None
                    }
                    // The service answers; the store has said what is wrong.
                    Err(_) => {
                        self.etag = None;
                        return jittered(self.settings.interval);
                    }
                }
            }
            Said::Later(wait) => {
                let least = jittered(self.settings.interval);
                return wait.clamp(least, LONGEST_RETRY_AFTER.max(least));
            }
            Said::Failed(error) => Some(error),
        };
        let Some(error) = failed else {
            (self.answered, self.failures) = (Instant::now(), 0);
            store.document_reached(Layer::Remote);
            return jittered(self.settings.interval);
        };
        self.failures = self.failures.saturating_add(1);
        store.document_failed(Layer::Remote, format!("{}: {error}", self.endpoint));
        jittered(backoff(self.settings.interval, self.failures))
    }

    fn freshness(&self, age: Duration) -> Freshness {
        match age {
            age if age > self.settings.drop_after => Freshness::Dropped,
            age if age > self.settings.stale_after => Freshness::Stale,
            _ => Freshness::Fresh,
        }
    }

    async fn ask(&self) -> Said {
        let request = match self.request() {
            Ok(request) => request,
            Err(error) => return Said::Failed(error.to_string()),
        };
        let client = PlainClient(self.endpoint.clone());
        match tokio::time::timeout(TIMEOUT, client.exchange(request)).await {
            Err(_) => Said::Failed(format!("no answer within {} s", TIMEOUT.as_secs())),
            Ok(Err(error)) => Said::Failed(error.to_string()),
            Ok(Ok(answer)) => read(&answer, &self.settings.flag, self.etag.is_some()),
        }
    }

    fn request(&self) -> Result<Request<Bytes>, http::Error> {
        let body = json!({ "context": { "targetingKey": self.settings.target } });
        let uri: Uri = format!("{}/ofrep/v1/evaluate/flags", self.endpoint).parse()?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json");
        if let Some(etag) = &self.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        request.body(Bytes::from(body.to_string()))
    }
}

fn read(answer: &Response<Bytes>, flag: &str, asked_for_changes: bool) -> Said {
    match answer.status() {
        StatusCode::OK => match document(answer.body(), flag) {
            Ok(document) => Said::Document(Box::new(document), answer.headers().get(ETAG).cloned()),
            Err(error) => Said::Failed(error),
        },
        StatusCode::NOT_MODIFIED if asked_for_changes => Said::NotModified,
        StatusCode::TOO_MANY_REQUESTS => {
            // A date is as good as nothing: the interval is waited.
            let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = seconds.and_then(|seconds| seconds.trim().parse().ok());
            Said::Later(Duration::from_secs(seconds.unwrap_or_default()))
        }
        status => Said::Failed(format!("status {}", status.as_u16())),
    }
}

/// The document that a bulk answer holds as one flag's value.
fn document(body: &[u8], name: &str) -> Result<Document, String> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let flags = answer["flags"].as_array().ok_or("an answer without a list of flags")?;
    let mut named = flags.iter().filter(|flag| flag["key"] == name);
    let flag = named.next().ok_or_else(|| format!("no flag {name:?} in the answer"))?;
    if named.next().is_some() {
        return Err(format!("the flag {name:?} twice in the answer"));
    }
    if let Some(code) = flag["errorCode"].as_str() {
        let code: String = code.chars().filter(|c| !c.is_control()).take(64).collect();
        return Err(format!("the flag {name:?} has the error {code}"));
    }
    let value = flag.get("value").ok_or_else(|| format!("the flag {name:?} has no value"))?;
    Document::from_value(value).map_err(|report| report.to_string())
}

/// Twice as long after every failure.
fn backoff(interval: Duration, failures: u32) -> Duration {
    let doubled = interval.saturating_mul(2_u32.saturating_pow(failures.min(10)));
    doubled.min(LONGEST_BACKOFF.max(interval))
}

/// A fleet that was started together does not ask together.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.8 + 0.4 * fastrand::f64())
}

#[cfg(test)]
mod tests;
