//! The metrics as protobuf: the same numbers as in the text, and histograms in native buckets too.

use std::collections::BTreeMap;

use crate::control_metrics::{Family as TextFamily, read};
use crate::control_process::{CANARY, FAST, ROUTE};
use crate::harness::{Client, Modegate, Origin, Request, Response, protobuf, settings};

const ACCEPT: &str =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
const TEXT: &str = "application/openmetrics-text;version=1.0.0";

async fn scrape(modegate: &Modegate, accept: &str) -> Response {
    let request = Request::get("/metrics").header("Host", "localhost").only_last("Host");
    Client::once(modegate.admin(), request.header("Accept", accept)).await
}

#[tokio::test]
async fn the_form_is_what_the_scraper_prefers() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let text = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let protobuf = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                    encoding=delimited";
    let cases = [
        (ACCEPT.to_owned(), protobuf),
        (format!("{ACCEPT};q=0.6,{TEXT};q=0.5,*/*;q=0.1"), protobuf),
        (format!("{TEXT};q=0.6,{ACCEPT};q=0.5,*/*;q=0.1"), text),
        (TEXT.to_owned(), text),
        ("text/html,*/*;q=0.8".to_owned(), text),
        ("application/vnd.google.protobuf".to_owned(), text),
        (";;,=,q=;q=\u{e9}".to_owned(), text),
    ];
    for (accept, kind) in cases {
        let response = scrape(&modegate, &accept).await;
        assert_eq!(
            (response.status, response.header("content-type")),
            (200, Some(kind)),
            "{accept}"
        );
    }
}

/// The samples of a histogram's text that have these labels.
fn of_text(family: &TextFamily, labels: &BTreeMap<String, String>) -> BTreeMap<String, f64> {
    let own = family.samples.iter().filter(|((_, said), _)| {
        let mut said = said.clone();
        said.remove("le");
        said == *labels
    });
    own.map(|((name, said), value)| {
        let suffix = name.rsplit('_').next().expect("a suffix").to_owned();
        (said.get("le").cloned().unwrap_or(suffix), *value)
    })
    .collect()
}

fn check(histogram: &protobuf::Histogram, text: &BTreeMap<String, f64>, what: &str) {
    let same = |ours: u64, key: &str| {
        assert!((text[key] - ours as f64).abs() < 0.5, "{what}: {ours} and {} at {key}", text[key]);
    };
    same(histogram.count, "count");
    assert!((text["sum"] - histogram.sum).abs() < 1e-9, "{what}");
    // The text's buckets, a sum and a count.
    assert_eq!(histogram.classic.len() + 2, text.len(), "{what}");
    for (edge, cumulative) in &histogram.classic {
        let said = text.keys().find(|said| said.parse::<f64>().is_ok_and(|said| said == *edge));
        let said = said.or(text.keys().find(|said| *said == "+Inf" && edge.is_infinite()));
        same(*cumulative, said.unwrap_or_else(|| panic!("{what}: no bucket {edge}")));
    }

    assert_eq!(histogram.schema, 3, "{what}");
    let (zero_edge, zero) = histogram.zero;
    assert!((zero_edge - 1.0 / 1024.0).abs() < 1e-12, "a native histogram, empty or not");
    assert_eq!(zero + histogram.native.values().sum::<u64>(), histogram.count, "{what}");
    // Each form bounds the other: what is surely at or below an edge by the one is by the other.
    let upper = |index: i64| (index as f64 / 8.0).exp2();
    for (edge, cumulative) in &histogram.classic {
        let to = |edge: f64| -> u64 {
            let below = histogram.native.iter().filter(|(index, _)| upper(**index) <= edge);
            zero + below.map(|(_, count)| count).sum::<u64>()
        };
        assert!(to(*edge) <= *cumulative, "{what}: native up to {edge}");
        assert!(to(edge * 1.1) >= *cumulative, "{what}: native from {edge}");
    }
}

#[tokio::test]
async fn both_forms_say_the_same() {
    let origin = Origin::echo().await;
    let flags = "[flags]\ncontract = true\nruntime = true\n";
    let modegate = Modegate::start(&settings(&origin, &format!("{CANARY}{flags}"))).await;
    for body in [FAST, "{}", "{"].repeat(10) {
        modegate.post(ROUTE, body).await;
    }
    modegate.counted("modegate_requests_total", &[], 30.0).await;
    let text = read(&modegate.metrics().await.text);
    let response = scrape(&modegate, ACCEPT).await;
    let families = protobuf::families(&response.body);

    let names: Vec<&str> =
        families.iter().map(|f| f.name.strip_suffix("_total").unwrap_or(&f.name)).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, text.keys().map(String::as_str).collect::<Vec<_>>());
    let mut observed = 0;
    for (family, name) in families.iter().zip(names) {
        let said = &text[name];
        assert_eq!((family.kind, Some(&family.help)), (said.kind.as_str(), said.help.as_ref()));
        let counter = family.kind == "counter";
        assert_eq!(family.name.ends_with("_total"), counter, "{}", family.name);
        for (labels, sample) in &family.metrics {
            let what = format!("{} {labels:?}", family.name);
            match sample {
                protobuf::Sample::Value(value) => {
                    let key = (family.name.clone(), labels.clone());
                    let said = said.samples.iter().find(|(series, _)| *series == key);
                    let (_, said) = said.unwrap_or_else(|| panic!("{what} is not in the text"));
                    assert!((said - value).abs() < 1e-9, "{what}: {said} and {value}");
                }
                protobuf::Sample::Histogram(histogram) => {
                    check(histogram, &of_text(said, labels), &what);
                    observed += histogram.count;
                }
            }
        }
        let samples: usize = match family.kind {
            "histogram" => family.metrics.len() * 45,
            _ => family.metrics.len(),
        };
        assert_eq!(samples, said.samples.len(), "{name}: as many series");
    }
    // Thirty ends, twenty heads of answers, ten messages by the way they took, and the ten first
    // events that a rollout compares: nothing of refusals.
    assert_eq!(observed, 70);
}
