//! `/metrics` as a scraper takes it: read by a small strict reader of OpenMetrics text, with every
//! series of the request counter there from the start.

use std::collections::{BTreeMap, BTreeSet};

use crate::control_process::{CANARY, FAST, ROUTE};
use crate::harness::{Answer, Client, Modegate, Origin, Request, settings};

/// A series: its sample's name and its labels.
pub type Series = (String, BTreeMap<String, String>);

/// A family: its type, and its samples in order.
#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    pub help: Option<String>,
    pub samples: Vec<(Series, f64)>,
}

/// Reads a text by the OpenMetrics 1.0 grammar, as far as it is used without timestamps, units and
/// exemplars; anything else is a fault.
pub fn read(text: &str) -> BTreeMap<String, Family> {
    let body = text.strip_suffix("# EOF\n").expect("the end is `# EOF`, once");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    let mut seen = BTreeSet::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let (word, rest) = rest.split_once(' ').expect("a descriptor");
            let (name, said) = rest.split_once(' ').expect("a descriptor's text");
            assert!(is_name(name, ":"), "{line}");
            if name != current {
                assert!(!families.contains_key(name), "{name} is not in one piece");
                current = name.to_owned();
            }
            let family = families.entry(current.clone()).or_default();
            assert!(family.samples.is_empty(), "descriptors come first: {line}");
            match word {
                "HELP" => assert!(family.help.replace(said.to_owned()).is_none(), "{line}"),
                "TYPE" => {
                    assert!(["counter", "gauge", "histogram"].contains(&said), "{line}");
                    assert!(family.kind.is_empty(), "{line}");
                    family.kind = said.to_owned();
                }
                _ => panic!("{line}"),
            }
            continue;
        }
        let (series, value) = sample(line);
        let family = families.get_mut(&current).expect("a descriptor before a sample");
        let suffix = series.0.strip_prefix(&current).expect("a sample of its family");
        let fits = match family.kind.as_str() {
            "counter" => suffix == "_total",
            "gauge" => suffix.is_empty(),
            _ => ["_bucket", "_sum", "_count"].contains(&suffix),
        };
        assert!(fits, "{line} in a {}", family.kind);
        assert!(family.kind == "gauge" || value >= 0.0, "{line}");
        assert!(seen.insert(series.clone()), "twice: {line}");
        family.samples.push((series, value));
    }
    for (name, family) in &families {
        assert!(!family.kind.is_empty() && family.help.is_some(), "{name} is not described");
        assert!(!name.ends_with("_total"), "{name}: the suffix is the sample's");
        if family.kind == "histogram" {
            check_histogram(name, family);
        }
    }
    families
}

fn is_name(name: &str, more: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || more.contains(c);
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

fn sample(line: &str) -> (Series, f64) {
    let (name, mut rest) = line.split_at(line.find(['{', ' ']).expect("a sample"));
    assert!(is_name(name, ":"), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").expect("a label");
            assert!(is_name(label, ""), "{line}");
            let mut value = String::new();
            let mut letters = after.char_indices();
            let end = loop {
                match letters.next().expect("a label value's end") {
                    (at, '"') => break at + 1,
                    (_, '\\') => value.push(match letters.next() {
                        Some((_, 'n')) => '\n',
                        Some((_, c @ ('"' | '\\'))) => c,
                        other => panic!("{line}: {other:?}"),
                    }),
                    (_, c) => value.push(c),
                }
            };
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = &after[end..];
            rest = match rest.strip_prefix(',') {
                Some(more) if !more.starts_with('}') => more,
                _ => {
                    assert!(rest.starts_with('}'), "{line}");
                    rest
                }
            };
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').expect("one space before the value");
    let finite = value.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    assert!(finite && !value.contains(' '), "{line}");
    ((name.to_owned(), labels), value.parse().expect("a number"))
}

/// Buckets rise in edges and in counts, end in `+Inf`, and agree with the count.
fn check_histogram(name: &str, family: &Family) {
    let mut buckets: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
    let mut rest = BTreeMap::new();
    for ((sample, labels), value) in &family.samples {
        let mut labels = labels.clone();
        match labels.remove("le") {
            Some(edge) => {
                let edge = match edge.as_str() {
                    "+Inf" => f64::INFINITY,
                    edge => edge.parse().expect("an edge"),
                };
                buckets.entry(labels).or_default().push((edge, *value));
            }
            None => drop(rest.insert((sample.clone(), labels), *value)),
        }
    }
    assert_eq!(rest.len(), 2 * buckets.len(), "{name}: a sum and a count each");
    for (labels, buckets) in buckets {
        let rising = buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        assert!(rising, "{name} {labels:?}: {buckets:?}");
        let (edge, all) = *buckets.last().expect("a bucket");
        assert!(edge.is_infinite(), "{name} {labels:?}");
        assert!((rest[&(format!("{name}_count"), labels)] - all).abs() < 0.5);
    }
}

/// Every label set of the request counter that can occur, by the words of the documentation.
fn every_request_series() -> BTreeSet<BTreeMap<String, String>> {
    let legs: [(&str, &[&str]); 3] = [
        ("frontend", &["conversation", "openai", "anthropic"]),
        ("bridge", &["rpc"]),
        ("runtime", &["rpc"]),
    ];
    let asked = [
        ("default", "none"),
        ("default", "invalid"),
        ("default", "default"),
        ("default", "fast"),
        ("fast", "fast"),
    ];
    let outcomes = ["ok", "client_error", "server_error", "refused", "unavailable", "cut", "gone"];
    let mut all = BTreeSet::new();
    for (leg, dialects) in legs {
        let mut sets = vec![("none", "default", "none", "none")];
        for dialect in dialects {
            sets.push((*dialect, "default", "none", "none"));
            for (mode, requested) in asked {
                sets.extend(
                    ["canary", "control"].map(|cohort| (*dialect, mode, requested, cohort)),
                );
            }
        }
        for (dialect, mode, requested, cohort) in sets {
            for outcome in outcomes {
                let labels = [
                    ("leg", leg),
                    ("dialect", dialect),
                    ("mode", mode),
                    ("requested", requested),
                    ("cohort", cohort),
                    ("outcome", outcome),
                ];
                all.insert(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
            }
        }
    }
    all
}

fn requests(families: &BTreeMap<String, Family>) -> (BTreeSet<BTreeMap<String, String>>, f64) {
    let samples = &families["modegate_requests"].samples;
    let keys = samples.iter().map(|((_, labels), _)| labels.clone()).collect();
    (keys, samples.iter().map(|(_, value)| value).sum())
}

#[tokio::test]
async fn every_series_is_there_from_the_start_and_traffic_adds_none() {
    let origin = Origin::start(|received| match received.target() {
        "/missing" => Answer::status("404 Not Found", "", ""),
        "/broken" => Answer::status("500 Internal Server Error", "", ""),
        _ => Answer::ok("{}"),
    })
    .await;
    let flags = "[flags]\ncontract = true\nruntime = true\n";
    let modegate = Modegate::start(&settings(&origin, &format!("{CANARY}{flags}"))).await;
    let first = read(&modegate.metrics().await.text);
    let (series, sum) = requests(&first);
    let expected = every_request_series();
    let missing: Vec<_> = expected.difference(&series).collect();
    let surplus: Vec<_> = series.difference(&expected).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, surplus {surplus:?}");
    assert!(sum.abs() < 0.5, "all at zero");
    for name in ["modegate_rejections", "modegate_actions", "modegate_request_seconds"] {
        let all = &first[name].samples;
        assert!(!all.is_empty() && all.iter().all(|(_, value)| value.abs() < 0.5), "{name}");
    }

    let rpc = r#"{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"text":"x"}}"#;
    let invalid = FAST.replace("fast", "slow");
    let bridge = "/api/v1/milady/agents/a/bridge";
    let traffic = [
        (modegate.frontend(), ROUTE, FAST),
        (modegate.frontend(), ROUTE, &invalid),
        (modegate.frontend(), ROUTE, "{"),
        (modegate.frontend(), "/v1/messages", FAST),
        (modegate.frontend(), "/v1/chat/completions", "{}"),
        (modegate.frontend(), "/missing", FAST),
        (modegate.frontend(), "/broken", ""),
        (modegate.bridge(), bridge, rpc),
        (modegate.bridge(), bridge, "[]"),
        (modegate.bridge(), "/missing", rpc),
        (modegate.runtime(), "/bridge", rpc),
        (modegate.runtime(), "/bridge", "{}"),
        (modegate.runtime(), "/broken", "{"),
    ];
    let sent = f64::from(u32::try_from(traffic.len()).unwrap());
    for (address, target, body) in traffic {
        Client::once(address, Request::post(target, body)).await;
    }
    modegate.counted("modegate_requests_total", &[], sent).await;
    let after = read(&modegate.metrics().await.text);
    let (series, sum) = requests(&after);
    assert_eq!((series, sum), (expected, sent));
    let names = |families: &BTreeMap<String, Family>| {
        let of = |family: &Family| family.samples.iter().map(|(key, _)| key.clone()).collect();
        families.values().map(of).collect::<Vec<Vec<Series>>>()
    };
    assert_eq!(names(&first), names(&after), "no series comes or goes");
    let of = |outcome: &str, mode: &str| {
        let labels = [("leg", "frontend"), ("outcome", outcome), ("mode", mode)];
        modegate_sum(&after, "modegate_requests", &labels)
    };
    assert_eq!((of("ok", "fast"), of("refused", "default")), (1.0, 2.0));
    assert_eq!((of("client_error", "default"), of("server_error", "default")), (1.0, 1.0));
}

fn modegate_sum(families: &BTreeMap<String, Family>, name: &str, wanted: &[(&str, &str)]) -> f64 {
    let has = |labels: &BTreeMap<String, String>| {
        wanted.iter().all(|(key, value)| labels.get(*key).is_some_and(|said| said == value))
    };
    let samples = families[name].samples.iter();
    samples.filter(|((_, labels), _)| has(labels)).map(|(_, value)| value).sum()
}

#[test]
#[should_panic(expected = "twice")]
fn the_reader_refuses_a_series_that_is_there_twice() {
    read("# HELP a A.\n# TYPE a gauge\na 1\na 2\n# EOF\n");
}

#[test]
#[should_panic(expected = "not in one piece")]
fn the_reader_refuses_a_family_in_two_pieces() {
    read("# HELP a A.\n# TYPE a gauge\na 1\n# HELP b B.\n# TYPE b gauge\n# TYPE a gauge\n# EOF\n");
}

#[test]
#[should_panic(expected = "in a counter")]
fn the_reader_refuses_a_counter_without_its_suffix() {
    read("# HELP a A.\n# TYPE a counter\na 1\n# EOF\n");
}
