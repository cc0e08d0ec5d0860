//! Asks Prometheus for the bare counters, all of one moment. What is new of them is told by
//! `modegate_filters::rollout::looks`: PromQL's `increase` makes fractions of whole numbers, and
//! loses the first.

mod answer;
mod instance;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request, Uri};
use modegate_config::Endpoint;
use modegate_filters::rollout::looks::Sample;
use modegate_filters::rollout::observe::Instance;
use modegate_filters::rollout::plan::Millis;
use modegate_filters::rollout::totals::Totals;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::plain_client::PlainClient;
use answer::Series;

/// How long one exchange may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer, in bytes: an instance has about 200 KiB in it.
const ANSWER_LIMIT: usize = 64 << 20;

/// The Prometheus that scrapes every instance.
#[derive(Debug)]
pub struct Prometheus {
    client: PlainClient,
    job: String,
}

/// Why nothing is known at this look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No answer, or not in time.
    Unreachable(String),
    /// It answered with an error, or only in part.
    Refused(String),
    /// It answered with what is no answer.
    Unreadable(String),
    /// An instance that is up lacks a series, has it twice, or counts what is no whole number.
    Instance {
        /// Its name.
        name: String,
        /// Which, and what is wrong.
        why: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unreachable(why) => write!(f, "Prometheus: no answer: {why}"),
            Fault::Refused(why) => write!(f, "Prometheus refused: {why}"),
            Fault::Unreadable(why) => write!(f, "Prometheus: unreadable answer: {why}"),
            Fault::Instance { name, why } => write!(f, "instance {name}: {why}"),
        }
    }
}

impl std::error::Error for Fault {}

impl Prometheus {
    /// The Prometheus there, which calls our instances by this job.
    pub fn new(endpoint: &Endpoint, job: &str) -> Prometheus {
        Prometheus { client: PlainClient(endpoint.clone()), job: job.to_owned() }
    }

    /// Every instance of the job as it was scraped last, and how long ago that is of the one that
    /// was scraped the longest ago; `None` where none is up.
    ///
    /// # Errors
    /// See [`Fault`]: then nothing is known, not even that there are none.
    pub async fn samples(&self) -> Result<(Vec<Sample>, Option<Millis>), Fault> {
        // Prometheus's own clock says when now is, and both questions are about that moment.
        let scraped = self.ask(&format!("timestamp(up{{{}}})", self.of_job()), None).await?;
        let Some(now) = scraped.first().and_then(|series| Some(series.value.as_ref()?.0)) else {
            return Ok((Vec::new(), None));
        };
        let names = instance::names().join("|");
        let query = format!("{{{},__name__=~\"up|{names}\"}}", self.of_job());
        let series = self.ask(&query, Some(now)).await?;
        read(now, &scraped, series)
    }

    fn of_job(&self) -> String {
        // A JSON string is one of PromQL too.
        format!("job={}", serde_json::Value::from(self.job.as_str()))
    }

    async fn ask(&self, query: &str, at: Option<f64>) -> Result<Vec<Series>, Fault> {
        let request =
            self.request(query, at).map_err(|error| Fault::Unreachable(error.to_string()))?;
        let exchange = self.client.exchange_up_to(request, ANSWER_LIMIT);
        match tokio::time::timeout(TIMEOUT, exchange).await {
            Err(_) => Err(Fault::Unreachable(format!("none within {} s", TIMEOUT.as_secs()))),
            Ok(Err(error)) => Err(Fault::Unreachable(error.to_string())),
            Ok(Ok(answer)) => answer::read(answer.status(), answer.body()),
        }
    }

    fn request(&self, query: &str, at: Option<f64>) -> Result<Request<Bytes>, http::Error> {
        let mut body = format!("query={}", utf8_percent_encode(query, NON_ALPHANUMERIC));
        if let Some(at) = at {
            body.push_str(&format!("&time={at}"));
        }
        let uri: Uri = format!("{}/api/v1/query", self.client.0).parse()?;
        Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(Bytes::from(body))
    }
}

/// Makes samples of when instances were scraped, and of their series.
fn read(
    now: f64,
    scraped: &[Series],
    series: Vec<Series>,
) -> Result<(Vec<Sample>, Option<Millis>), Fault> {
    let mut instances: BTreeMap<String, Vec<Series>> = BTreeMap::new();
    for one in series {
        let name = one.label("instance").to_owned();
        instances.entry(name).or_default().push(one);
    }
    let (mut samples, mut age) = (Vec::new(), None);
    for (name, series) in instances {
        let fault = |why: &str| Fault::Instance { name: name.clone(), why: why.to_owned() };
        let mut ups = series.iter().filter(|one| one.label("__name__") == "up");
        let up = match (ups.next(), ups.next()) {
            (None, _) => return Err(fault("no up")),
            (Some(up), None) => up.number().is_some_and(|value| value > 0.0),
            (Some(_), Some(_)) => return Err(fault("it is there twice")),
        };
        if !up {
            samples.push(down(name));
            continue;
        }
        // One whose first scrape ended between the two questions is of now.
        let of_it = scraped.iter().find(|one| one.label("instance") == name);
        let ago = of_it.and_then(Series::number).map(|at| (now - at).max(0.0));
        age = age.max(ago.map(|ago| (ago * 1000.0).round() as Millis));
        samples.push(instance::sample(&name, &series).map_err(|why| fault(&why))?);
    }
    Ok((samples, age))
}

fn down(name: String) -> Sample {
    let instance = Instance { name, up: false, generation: 0, breaker: None, overridden: false };
    Sample { instance, totals: Totals::default(), began: None }
}

#[cfg(test)]
mod tests;
