//! Which metrics there are, written down: names, types, help, label keys and label values, but no
//! counts. What users' dashboards rely on changes only together with `golden/metrics.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use modegate::metrics::Outcome;
use modegate_config::flags::Flag;
use modegate_filters::bucket::Cohort;
use modegate_filters::decide::Action;
use modegate_filters::dialect::Dialect;
use modegate_filters::parity::{Means, Verdict};
use modegate_filters::rejection::Rejection;
use modegate_filters::rollout::gates::GateVerdict;
use modegate_filters::rollout::observe::{Breaker, Fault, REPLICATES};
use modegate_filters::rollout::plan::Gate;
use modegate_filters::rollout::state::Phase;
use modegate_filters::route::Leg;
use modegate_filters::stream::{Ending, Style};

use crate::control_metrics::{Family, Series, read};
use crate::control_process::CANARY;
use crate::harness::{Client, Modegate, Origin, Request, settings};

/// Set to anything, the file is written instead of compared.
const REWRITE: &str = "MODEGATE_GOLDEN";
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/golden/metrics.txt");

/// The values of each label of a family.
fn labels(family: &Family) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for ((_, pairs), _) in &family.samples {
        for (key, value) in pairs {
            labels.entry(key).or_default().insert(value);
        }
    }
    labels
}

fn written(families: &BTreeMap<String, Family>) -> String {
    let mut text = String::new();
    for (name, family) in families {
        let help = family.help.as_deref().unwrap_or_default();
        writeln!(text, "{name} {}: {help}", family.kind).unwrap();
        for (key, values) in labels(family) {
            let mut values: Vec<&str> = values.into_iter().collect();
            match key {
                "le" => values.sort_by(|a, b| number(a).total_cmp(&number(b))),
                // A release changes it, and no metric.
                "version" => values = vec!["(the package's)"],
                // One at a time: what it says is the configuration's.
                "fingerprint" => values = vec!["(16 digits)"; values.len()],
                _ => {}
            }
            writeln!(text, "  {key}: {}", values.join(" ")).unwrap();
        }
    }
    text
}

fn number(edge: &str) -> f64 {
    edge.replace("+Inf", "inf").parse().expect("an edge")
}

#[tokio::test]
async fn the_metrics_are_those_that_are_written_down() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let now = written(&read(&modegate.metrics().await.text));
    if std::env::var_os(REWRITE).is_some() {
        std::fs::create_dir_all(Path::new(GOLDEN).parent().unwrap()).unwrap();
        return std::fs::write(GOLDEN, now).expect("the golden file");
    }
    let then = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    let gone: Vec<&str> = then.lines().filter(|line| !now.lines().any(|l| l == *line)).collect();
    let new: Vec<&str> = now.lines().filter(|line| !then.lines().any(|l| l == *line)).collect();
    assert!(
        now == then,
        "not what tests/suite/golden/metrics.txt says; gone: {gone:#?}, new: {new:#?}\n\
         Where it is meant: {REWRITE}=write cargo test --test suite control_metrics_golden, and a \
         line in docs/operating.md and the changelog"
    );
}

/// What a label may say: the words of its enum, and what stands for none.
fn words(key: &str) -> Vec<&'static str> {
    let modes = ["default", "fast"];
    let none = ["none"];
    let actions = [Action::Pass, Action::Strip, Action::Downgrade, Action::Repair, Action::Reject];
    match key {
        "leg" => Leg::ALL.map(Leg::word).into(),
        "dialect" => [&Dialect::ALL.map(Dialect::word)[..], &none].concat(),
        "mode" => modes.into(),
        "requested" => [&modes[..], &none, &["invalid"]].concat(),
        "cohort" => [&Cohort::ALL.map(Cohort::word)[..], &none].concat(),
        "outcome" => Outcome::ALL.map(Outcome::word).into(),
        "reason" => Rejection::ALL.map(Rejection::reason).into(),
        "action" => actions.map(Action::word).into(),
        "name" => Flag::ALL.map(Flag::name).into(),
        "result" => vec!["ok", "failed", "refused", "exported", "dropped"],
        "verdict" => {
            [&Verdict::ALL.map(Verdict::word)[..], &GateVerdict::ALL.map(GateVerdict::word)]
                .concat()
        }
        "gate" => Gate::ALL.map(Gate::name).into(),
        "state" => Phase::ALL.map(Phase::word).into(),
        "means" => Means::ALL.map(Means::word).into(),
        "style" => Style::ALL.map(Style::word).into(),
        "ending" => Ending::ALL.map(Ending::word).into(),
        "path" => vec!["local", "cloud"],
        "source" => vec!["request", "answer"],
        "bound" => vec!["records", "bytes"],
        "layer" => vec!["document", "remote"],
        "fault" => Fault::ALL.map(Fault::word).into(),
        "replicate" => (0..REPLICATES).map(|at| &*format!("{at}").leak()).collect(),
        "cause" => Breaker::ALL.map(Breaker::word).into(),
        "version" => vec![env!("CARGO_PKG_VERSION")],
        _ => panic!("the label {key} has no enum here"),
    }
}

fn series(families: &BTreeMap<String, Family>) -> BTreeSet<Series> {
    families.values().flat_map(|family| &family.samples).map(|(key, _)| key.clone()).collect()
}

#[tokio::test]
async fn every_label_is_a_word_of_an_enum_whatever_comes() {
    let origin = Origin::echo().await;
    let flags = "[flags]\ncontract = true\nruntime = true\n";
    let modegate = Modegate::start(&settings(&origin, &format!("{CANARY}{flags}"))).await;
    let first = series(&read(&modegate.metrics().await.text));
    let distinct = 100;
    for n in 0..distinct {
        let member = format!(r#""processing":{{"mode":"m{n}","profile":"p{n}","reason":"r{n}"}}"#);
        let fast = format!(r#""roomId":"r{n}","processing":{{"mode":"fast","profile":"p{n}"}}"#);
        let params = format!(r#""id":{n},"method":"m{n}","params":{{"text":"x",{fast}}}"#);
        let letters: String =
            format!("{n:03}").bytes().map(|b| char::from(b - b'0' + b'A')).collect();
        let requests = [
            Request::post(&format!("/api/conversations/c{n}/messages"), format!("{{{member}}}")),
            Request::post(&format!("/api/conversations/d{n}/messages"), format!("{{{fast}}}")),
            Request::get(&format!("/path/{n}")).header("X-Request-Id", &format!("id{n}")),
            Request::new(&letters, "/x").header(&format!("X-{n}"), "y"),
        ];
        for request in requests {
            Client::once(modegate.frontend(), request).await;
        }
        let target = format!("/api/v1/milady/agents/a{n}/bridge");
        let request = Request::post(&target, format!(r#"{{"jsonrpc":"2.0",{params}}}"#));
        assert_eq!(Client::once(modegate.bridge(), request).await.status, 200);
    }
    modegate.counted("modegate_requests_total", &[], f64::from(distinct * 5)).await;
    let families = read(&modegate.metrics().await.text);
    let now = series(&families);
    let come: Vec<_> = now.difference(&first).collect();
    let gone: Vec<_> = first.difference(&now).collect();
    assert!(come.is_empty() && gone.is_empty(), "come {come:?}, gone {gone:?}");
    for (name, family) in &families {
        for (key, values) in labels(family) {
            for value in values {
                let known = match key {
                    "le" => number(value) > 0.0,
                    "fingerprint" => {
                        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                        value.len() == 16 && value.bytes().all(hex)
                    }
                    _ => words(key).contains(&value),
                };
                assert!(known, "{name}: {key}={value:?}");
            }
        }
    }
}
