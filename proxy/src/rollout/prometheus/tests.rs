use http::StatusCode;
use modegate_filters::bucket::Cohort;
use modegate_filters::parity::Verdict;
use modegate_filters::rollout::observe::{BUCKETS, Breaker, Hop, REPLICATES, Side};
use modegate_filters::route::Leg;
use serde_json::{Value, json};

use super::*;
use crate::metrics::{Outcome, edges, kinds};

const NOW: f64 = 1_790_000_000.25;

/// A series as the API shows it.
fn one(name: &str, labels: &[(&str, &str)], value: f64) -> Value {
    let mut metric = json!({ "__name__": name, "job": "modegate" });
    for (key, value) in labels {
        metric[key] = json!(value);
    }
    json!({ "metric": metric, "value": [NOW, value.to_string()] })
}

/// All that an instance says, with every count at `n`, and so many first events in each bucket.
fn all(instance: &str, n: u64) -> Vec<Value> {
    let n = n as f64;
    let of = |name: &str, labels: &[(&str, &str)], value| {
        one(&format!("modegate_{name}"), &[labels, &[("instance", instance)]].concat(), value)
    };
    let mut series = vec![one("up", &[("instance", instance)], 1.0)];
    for cohort in Cohort::ALL.map(Cohort::word) {
        let parts = (0..REPLICATES).map(|part| part.to_string());
        for part in parts {
            for name in ["requests", "errors", "firsts", "first_log_sum"] {
                let labels = [("cohort", cohort), ("replicate", part.as_str())];
                series.push(of(&format!("rollout_{name}_total"), &labels, n));
            }
        }
        for fault in ["empty", "no_response", "truncated", "hidden_error", "repeated"] {
            series.push(of("rollout_faults_total", &[("cohort", cohort), ("fault", fault)], n));
        }
        for (at, edge) in edges().enumerate() {
            let edge = if edge.is_finite() { edge.to_string() } else { "+Inf".to_owned() };
            let labels = [("cohort", cohort), ("le", edge.as_str())];
            series.push(of("rollout_first_seconds_bucket", &labels, n * (at + 1) as f64));
        }
    }
    series.push(of("rollout_fast_left_total", &[], n));
    for leg in Leg::ALL.map(Leg::word) {
        // What was not read; a canary in the default mode is on neither side.
        let rounds = [
            ("default", "none"),
            ("default", "control"),
            ("default", "canary"),
            ("fast", "canary"),
        ];
        for (mode, cohort) in rounds {
            let labels = [("leg", leg), ("mode", mode), ("cohort", cohort)];
            for (end, value) in [("count", n), ("sum", n * 0.001_500)] {
                series.push(of(&format!("first_byte_seconds_{end}"), &labels, value));
            }
            let dialect = if cohort == "none" { "none" } else { "rpc" };
            for outcome in Outcome::ALL.map(Outcome::word) {
                let more = [("dialect", dialect), ("requested", mode), ("outcome", outcome)];
                series.push(of("requests_total", &[&labels[..], &more].concat(), n));
            }
        }
        for source in ["request", "answer"] {
            series.push(of("contamination_total", &[("leg", leg), ("source", source)], n));
        }
    }
    for (leg, verdict) in kinds() {
        let labels = [("leg", leg.word()), ("verdict", verdict.word())];
        series.push(of("parity_total", &labels, n));
    }
    for (layer, generation) in [("document", 7.0), ("remote", 0.0)] {
        series.push(of("flags_document_generation", &[("layer", layer)], generation));
    }
    for cause in Breaker::ALL.map(Breaker::word) {
        series.push(of("breaker_open", &[("cause", cause)], 0.0));
    }
    for flag in ["contract", "runtime", "ui"] {
        series.push(of("flag_override", &[("name", flag)], 0.0));
    }
    series.push(of("start_time_seconds", &[], 1_789_999_000.123));
    series
}

fn answer(result: &[Value]) -> Result<Vec<Series>, Fault> {
    let body = json!({ "status": "success", "data": { "resultType": "vector", "result": result } });
    answer::read(StatusCode::OK, body.to_string().as_bytes())
}

fn scraped(instances: &[(&str, f64)]) -> Vec<Series> {
    let of = |(instance, ago): &(&str, f64)| {
        let mut series = one("", &[("instance", instance)], NOW - ago);
        series["metric"].as_object_mut().unwrap().remove("__name__");
        series
    };
    answer(&instances.iter().map(of).collect::<Vec<_>>()).unwrap()
}

fn read_all(series: &[Value]) -> Result<(Vec<Sample>, Option<Millis>), Fault> {
    read(NOW, &scraped(&[("a:1", 0.25), ("b:1", 12.5), ("c:1", 60.0)]), answer(series)?)
}

/// The only one's.
fn sample(series: &[Value]) -> Result<Sample, String> {
    match read_all(series) {
        Ok((samples, _)) => Ok(samples.into_iter().next().unwrap()),
        Err(Fault::Instance { name, why }) if name == "a:1" => Err(why),
        Err(fault) => panic!("{fault}"),
    }
}

#[test]
fn every_series_becomes_its_count() {
    let Sample { instance, totals, began } = sample(&all("a:1", 3)).unwrap();
    assert_eq!((instance.up, instance.generation, instance.overridden), (true, 7, false));
    assert_eq!((instance.breaker, began), (None, Some(1_789_999_000_123)));
    assert_eq!(totals.fast_left, 3);
    for arm in [&totals.canary, &totals.control] {
        assert_eq!((arm.requests(), arm.errors()), (60, 60));
        assert!(arm.replicates.iter().all(|part| (part.firsts, part.log_sum) == (3, 3)));
        assert_eq!((arm.faults, &arm.first), ([3; 5], &vec![3; BUCKETS]));
    }
    let side = Side { requests: 21, errors: 9, answered: 3, first_byte_sum: 4_500 };
    let [frontend, bridge, runtime] = totals.hops;
    let expected = Hop { canary: side, control: side, contamination: 6, ..Hop::default() };
    assert_eq!(frontend, Hop { ack_altered: 3, ack_match: 3, ..expected });
    let joins = Hop {
        joined: 3 * Verdict::ALL.into_iter().filter(|verdict| verdict.is_joined()).count() as u64,
        unobserved: 3,
        mode_mismatches: 9,
        room_mismatches: 3,
        ..frontend
    };
    assert_eq!([bridge, runtime], [joins; 2]);
}

#[test]
fn instances_and_their_age() {
    let mut series = [all("a:1", 1), all("b:1", 2)].concat();
    series.push(one("up", &[("instance", "c:1")], 0.0));
    let (samples, age) = read_all(&series).unwrap();
    let seen: Vec<_> = samples
        .iter()
        .map(|sample| (&*sample.instance.name, sample.instance.up, sample.totals.fast_left))
        .collect();
    assert_eq!(seen, [("a:1", true, 1), ("b:1", true, 2), ("c:1", false, 0)]);
    assert_eq!(age, Some(12_500), "the one that was scraped the longest ago, of those that are up");
    // Its first scrape ended between the two questions.
    let (samples, age) = read(NOW, &scraped(&[("b:1", 1.0)]), answer(&series).unwrap()).unwrap();
    assert_eq!((samples.len(), age), (3, Some(1_000)));
    let down = [one("up", &[("instance", "c:1")], 0.0)];
    assert_eq!(read_all(&down).unwrap().1, None);
}

#[test]
fn what_flags_and_breaker_say() {
    let mut series = all("a:1", 1);
    for one in &mut series {
        let metric = &one["metric"];
        if metric["cause"] == "errors" || metric["name"] == "ui" {
            one["value"][1] = json!("1");
        }
    }
    let instance = sample(&series).unwrap().instance;
    assert_eq!((instance.breaker, instance.overridden), (Some(Breaker::Errors), true));
}

/// Whichever is missing, it is said, and nothing is zero for it.
#[test]
fn no_series_may_be_missing_or_there_twice() {
    let whole = all("a:1", 1);
    for at in 0..whole.len() {
        let mut series = whole.clone();
        let gone = series.remove(at);
        let metric = &gone["metric"];
        let name = metric["__name__"].as_str().unwrap();
        // One of several that are summed, or of which one counts, is not told from none.
        let summed = ["modegate_requests_total", "modegate_first_byte_seconds"];
        let of_no_side = summed.iter().any(|summed| name.starts_with(summed))
            && (metric["cohort"] == "none"
                || metric["mode"] == "default" && metric["cohort"] == "canary");
        let of_many = name == "modegate_flag_override" || name.ends_with("document_generation");
        match sample(&series) {
            Ok(_) => assert!(of_no_side || of_many, "{gone}"),
            Err(why) => assert!(why.starts_with("no "), "{why}: {gone}"),
        }
        let twice = [&whole[..], std::slice::from_ref(&gone)].concat();
        let is_summed = summed.iter().any(|summed| name.starts_with(summed));
        assert_eq!(sample(&twice).is_err(), !is_summed, "{gone}");
    }
    let homeless = read(NOW, &scraped(&[]), answer(&whole[1..]).unwrap());
    assert!(matches!(homeless, Err(Fault::Instance { .. })), "{homeless:?}");
}

#[test]
fn no_count_is_no_whole_number() {
    for value in ["0.5", "-1", "NaN", "+Inf", "1e300", "x"] {
        let mut series = all("a:1", 1);
        for one in series.iter_mut().filter(|one| one["metric"]["fault"] == "empty") {
            one["value"][1] = json!(value);
        }
        assert!(sample(&series).is_err(), "{value}");
    }
}

/// As Prometheus 3 shows a native histogram.
#[test]
fn native_histograms_fall_into_the_same_buckets() {
    let classic = |one: &Value| {
        let name = one["metric"]["__name__"].as_str().unwrap();
        name.starts_with("modegate_rollout_first_seconds")
            || name.starts_with("modegate_first_byte")
    };
    let mut series: Vec<Value> = all("a:1", 2).into_iter().filter(|one| !classic(one)).collect();
    let native = |name: &str, labels: Value| {
        let mut metric = json!({ "__name__": name, "instance": "a:1", "job": "modegate" });
        metric.as_object_mut().unwrap().extend(labels.as_object().unwrap().clone());
        json!({ "metric": metric, "histogram": [NOW, {
            "count": "10", "sum": "2.5",
            "buckets": [
                [3, "-0.0009765625", "0.0009765625", "1"],
                [0, "0.09170040432046712", "0.1", "2"],
                [0, "0.1", "0.10905077326652577", "3"],
                [0, "939.0", "1024", "4"],
            ],
        }]})
    };
    for cohort in ["canary", "control"] {
        series.push(native("modegate_rollout_first_seconds", json!({ "cohort": cohort })));
    }
    for leg in Leg::ALL.map(Leg::word) {
        for (mode, cohort) in [("default", "control"), ("fast", "canary"), ("default", "none")] {
            let labels = json!({ "leg": leg, "mode": mode, "cohort": cohort });
            series.push(native("modegate_first_byte_seconds", labels));
        }
    }
    let totals = sample(&series).unwrap().totals;
    let mut expected = vec![0; BUCKETS];
    (expected[0], expected[4], expected[5], expected[BUCKETS - 1]) = (1, 2, 3, 4);
    assert_eq!((&totals.canary.first, &totals.control.first), (&expected, &expected));
    let side = totals.hops[2].canary;
    assert_eq!((side.answered, side.first_byte_sum), (10, 2_500_000));

    // An empty one has no buckets at all.
    for one in series.iter_mut().filter(|one| one["histogram"].is_array()) {
        one["histogram"][1] = json!({ "count": "0", "sum": "0" });
    }
    assert_eq!(sample(&series).unwrap().totals.canary.first, vec![0; BUCKETS]);
}

#[test]
fn what_is_no_whole_answer_is_a_fault() {
    let refused = |status: u16, body: &str| {
        answer::read(StatusCode::from_u16(status).unwrap(), body.as_bytes()).unwrap_err()
    };
    let error = r#"{"status":"error","errorType":"execution","error":"query timed out"}"#;
    assert_eq!(refused(503, error), Fault::Refused("query timed out".to_owned()));
    assert_eq!(refused(502, "<html>"), Fault::Refused("status 502".to_owned()));
    let partial = r#"{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["no store"]}"#;
    assert_eq!(refused(200, partial), Fault::Refused("no store".to_owned()));
    for unreadable in [
        "",
        r#"{"status":"success"}"#,
        r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"1"]}}"#,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":3}]}}"#,
    ] {
        let read = answer::read(StatusCode::OK, unreadable.as_bytes());
        let none = read.as_ref().is_ok_and(|series| series.iter().all(|one| one.value.is_none()));
        assert!(none || matches!(read, Err(Fault::Unreadable(_))), "{unreadable}: {read:?}");
    }
    assert_eq!(answer(&[]).unwrap().len(), 0);
}

#[test]
fn the_question_is_escaped() {
    let endpoint = Endpoint { host: "localhost".to_owned(), port: 9090 };
    let prometheus = Prometheus::new(&endpoint, "a\"b\\");
    assert_eq!(prometheus.of_job(), r#"job="a\"b\\""#);
    let request = prometheus.request("up{job=\"a&b\"}", Some(NOW)).unwrap();
    assert_eq!(request.uri(), "http://localhost:9090/api/v1/query");
    assert_eq!(request.body(), "query=up%7Bjob%3D%22a%26b%22%7D&time=1790000000.25");
}
