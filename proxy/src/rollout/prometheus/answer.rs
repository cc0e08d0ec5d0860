//! An answer of Prometheus's query API.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Deserialize;

use super::Fault;

/// So much of an error is passed on, in characters.
const ERROR: usize = 200;

#[derive(Debug, Deserialize)]
struct Answer {
    status: String,
    data: Option<Data>,
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Data {
    result: Vec<Series>,
}

/// One series at the moment that was asked about, which is the first of each pair.
#[derive(Debug, Deserialize)]
pub struct Series {
    metric: BTreeMap<String, String>,
    /// Of one that is a number.
    pub value: Option<(f64, String)>,
    /// Of one that is a native histogram.
    pub histogram: Option<(f64, Native)>,
}

/// A native histogram.
#[derive(Debug, Deserialize)]
pub struct Native {
    /// How many there are.
    pub count: String,
    /// Their sum.
    pub sum: String,
    /// Which edges belong to it, the lower and the upper edge, and how many are between them; none
    /// where it is empty.
    #[serde(default)]
    pub buckets: Vec<(u8, String, String, String)>,
}

impl Series {
    /// A label's value; empty where it has none, as Prometheus has it.
    pub fn label(&self, key: &str) -> &str {
        self.metric.get(key).map_or("", String::as_str)
    }

    /// The number that it is.
    pub fn number(&self) -> Option<f64> {
        self.value.as_ref()?.1.parse().ok()
    }
}

/// The series of an answer that is whole.
pub fn read(status: StatusCode, body: &[u8]) -> Result<Vec<Series>, Fault> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| match status {
        StatusCode::OK => Fault::Unreadable(error.to_string()),
        status => Fault::Refused(format!("status {}", status.as_u16())),
    })?;
    let shown = |text: &str| text.chars().take(ERROR).collect::<String>();
    if status != StatusCode::OK || answer.status != "success" {
        let why = answer.error.unwrap_or_else(|| format!("status {}", status.as_u16()));
        return Err(Fault::Refused(shown(&why)));
    }
    // What stands before several servers answers in part where one of them is away.
    if let Some(warning) = answer.warnings.first() {
        return Err(Fault::Refused(shown(warning)));
    }
    let data = answer.data.ok_or_else(|| Fault::Unreadable("no data".to_owned()))?;
    Ok(data.result)
}
