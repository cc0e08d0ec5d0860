//! What `/metrics` says.

use super::client::{Client, Request};
use super::eventually;
use super::modegate::Modegate;

/// A scrape.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// The text as it came.
    pub text: String,
}

impl Modegate {
    /// Scrapes the metrics.
    pub async fn metrics(&self) -> Metrics {
        let request = Request::get("/metrics").header("Host", "localhost");
        // The request has a Host already; the admin API takes exactly one.
        let request = request.only_last("Host");
        let response = Client::once(self.admin(), request).await;
        assert_eq!(response.status, 200, "{}", response.text());
        Metrics { text: response.text() }
    }

    /// Waits until a series, or the sum of several, has a value.
    pub async fn counted(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        let what = format!("{name}{labels:?} to be {value}");
        eventually(&what, async || {
            let now = self.metrics().await.sum(name, labels);
            ((now - value).abs() < 0.5).then_some(())
        })
        .await;
    }
}

impl Metrics {
    /// The sum of every series of this name that has these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |line: &str| {
            labels.iter().all(|(key, value)| {
                let label = format!("{key}=\"{value}\"");
                line.contains(&format!("{{{label}")) || line.contains(&format!(",{label}"))
            })
        };
        let of = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' '])) && has(line)
        };
        let value =
            |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        let series: Vec<&str> = self.text.lines().filter(of).collect();
        assert!(!series.is_empty(), "no series {name} with {labels:?}");
        series.into_iter().filter_map(value).sum()
    }
}
