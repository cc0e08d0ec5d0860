//! The dashboard and the alert rules in `deploy/`: by promtool, and by a real Prometheus that
//! scraped a real sidecar.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{
    Answer, Client, Modegate, Origin, Prometheus, Request, eventually, promtool, settings,
};
use crate::messages::ROOM;

mod queries;

use queries::{alternatives, dashboard, dashboard_queries, deployed, selectors, text};

#[test]
fn promtool_passes_the_rules_and_their_tests() {
    let dir = deployed("prometheus");
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        let output = promtool(&dir, &arguments);
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard = dashboard();
    assert_eq!((&dashboard["uid"], &dashboard["schemaVersion"]), (&"modegate".into(), &39.into()));
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let names: Vec<&str> = variables.iter().map(|variable| text(&variable["name"])).collect();
    assert_eq!(names, ["datasource", "job", "instance", "leg"]);

    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = text(&panel["title"]);
        assert!(!title.is_empty() && ids.insert(panel["id"].as_u64().expect("an id")), "{title}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= 24, "{title} is beside the grid");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{title} covers another panel");
        }
        if panel["type"] == "row" {
            continue;
        }
        let defaults = &panel["fieldConfig"]["defaults"];
        assert!(defaults["unit"].is_string(), "{title} has no unit");
        assert!(defaults["thresholds"]["steps"][0]["value"].is_null(), "{title}: no first step");
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title} asks nothing");
        for target in targets {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            assert!(!text(&target["legendFormat"]).is_empty(), "{title} has no legend");
            let query = text(&target["expr"]);
            for name in ["job=~\"$job\"", "instance=~\"$instance\""] {
                let asked = query.matches("modegate_").count();
                assert_eq!(query.matches(name).count(), asked, "{title}: {query}");
            }
        }
    }
}

/// Everyone is control but `ana`.
const SETTINGS: &str = "[flags]\ncontract = true\nruntime = true\n\
     [canary]\npercent = 0\nkey = [\"header:x-user\"]\nallow = [\"ana\"]\n";

/// A stream of the API server, and one of the cloud: of the call with the id that all have here.
const STREAMS: [&str; 2] = [
    "data: {\"type\":\"token\",\"text\":\"a\"}\n\ndata: {\"type\":\"token\",\"text\":\"b\"}\n\n\
     data: {\"type\":\"done\",\"fullText\":\"ab\",\"agentName\":\"A\"}\n\n",
    "event: connected\ndata: {\"rpcId\":\"1\",\"timestamp\":1}\n\n\
     event: chunk\ndata: {\"text\":\"ab\"}\n\n\
     event: done\ndata: {\"rpcId\":\"1\",\"timestamp\":2}\n\n",
];

async fn origin() -> Origin {
    // One event a chunk: there are gaps between them.
    let streamed = |body: &str| {
        let chunk = |event: &str| format!("{:x}\r\n{event}\r\n", event.len());
        let events: String = body.split_inclusive("\n\n").map(chunk).collect();
        let fields = "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n";
        Answer::Bytes(format!("HTTP/1.1 200 OK\r\n{fields}\r\n{events}0\r\n\r\n").into_bytes())
    };
    Origin::start(move |received| match received.header("accept") {
        Some("text/event-stream") if received.target().starts_with("/api/conversations/") => {
            streamed(STREAMS[0])
        }
        Some("text/event-stream") => streamed(STREAMS[1]),
        _ => Answer::ok("{}"),
    })
    .await
}

/// A message of each of two users that ask for fast mode, on its way over all three legs, whole and
/// streamed: `ana` gets it, `bob` does not.
async fn traffic(modegate: &Modegate) -> u32 {
    let mut sent = 0;
    for (user, mode) in [("ana", "fast"), ("bob", "default")] {
        for (end, accept) in [("", "application/json"), ("/stream", "text/event-stream")] {
            let words = format!("{user}{end}");
            let conversation = "/api/conversations/550e8400-e29b-41d4-a716-446655440000/messages";
            let message = format!(r#"{{"text":"{words}","processing":{{"mode":"fast"}}}}"#);
            let call = format!(
                r#"{{"jsonrpc":"2.0","id":"1","method":"message.send","params":{{"text":"{words}","roomId":"{ROOM}","processing":{{"mode":"{mode}"}}}}}}"#
            );
            let cloud = if end.is_empty() { "bridge" } else { "stream" };
            let legs = [
                (modegate.frontend(), format!("{conversation}{end}"), message),
                (modegate.bridge(), format!("/api/v1/milady/agents/a/{cloud}"), call.clone()),
                (modegate.runtime(), format!("/bridge{end}"), call),
            ];
            for (address, target, body) in legs {
                let request = Request::post(&target, body);
                let request = request.header("x-user", user).header("Accept", accept);
                let answer = Client::once(address, request).await;
                assert_eq!(answer.status, 200, "{target}: {}", answer.text());
                assert_eq!(answer.header("x-processing-mode"), Some(mode), "{target}");
                sent += 1;
            }
        }
    }
    sent
}

#[tokio::test]
async fn a_real_prometheus_answers_every_query() {
    let origin = origin().await;
    let modegate = Modegate::start(&settings(&origin, SETTINGS)).await;
    let prometheus = Prometheus::start(modegate.admin(), &deployed("prometheus/alerts.yml")).await;
    // A rise shows between two scrapes, so one comes first.
    let sum = "sum(modegate_requests_total)";
    prometheus.until(sum).await;
    let sent = f64::from(traffic(&modegate).await);
    // An alert would fire, sooner or later.
    modegate.counted("modegate_contamination_total", &[], 0.0).await;
    modegate.flag("ui", true).await;
    let all = format!("{sum} == {sent} and sum(modegate_flag_override) == 1");
    prometheus.until(&all).await;

    let rules = evaluated(&prometheus).await;
    let mut asked = dashboard_queries();
    let shown = asked.len();
    asked.extend(
        rules.iter().map(|rule| (text(&rule["name"]).to_owned(), text(&rule["query"]).to_owned())),
    );
    let known = sample_names(&modegate.metrics().await.text);
    let mut checked = BTreeSet::new();
    for (at, (place, query)) in asked.iter().enumerate() {
        let selectors = selectors(query);
        let names = || selectors.iter().map(|(name, _)| name.as_str());
        let absent: Vec<&str> = names().filter(|name| !known.contains(*name)).collect();
        assert!(absent.is_empty(), "{place} asks for what is no metric: {absent:?}");
        let result = prometheus.query(query).await;
        // An alert is silent; a panel is not.
        let finite = result.iter().any(|(_, value)| value.is_finite());
        assert!(finite || at >= shown, "{place} shows nothing: {query}\n{result:?}");
        for (name, matchers) in selectors {
            let whole = format!("{name}{{{}}}", matchers.join(","));
            let each = matchers.iter().flat_map(|matcher| alternatives(matcher));
            let each = each.map(|matcher| format!("{name}{{{matcher}}}"));
            for selector in each.chain([whole]) {
                if checked.insert(selector.clone()) {
                    let count = prometheus.query(&format!("count({selector})")).await;
                    assert!(!count.is_empty(), "{place} asks for what is not there: {selector}");
                }
            }
        }
    }
}

/// The alert rules, once each was evaluated without an error; each has a severity, says what to do,
/// stands in the list of `deploy/README.md` and fires in a test.
async fn evaluated(prometheus: &Prometheus) -> Vec<Value> {
    let rules = eventually("every rule's first evaluation", async || {
        let rules = prometheus.rules().await;
        rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules)
    })
    .await;
    let read = |file: &str| std::fs::read_to_string(deployed(file)).expect(file);
    let (readme, tests) = (read("README.md"), read("prometheus/alerts_test.yml"));
    for rule in &rules {
        let name = text(&rule["name"]);
        assert_eq!(rule["health"], "ok", "{rule}");
        assert_ne!(rule["state"], "firing", "{rule}");
        assert!(["critical", "warning", "info"].contains(&text(&rule["labels"]["severity"])));
        for annotation in ["summary", "description"] {
            assert!(!text(&rule["annotations"][annotation]).is_empty(), "{name}: {annotation}");
        }
        assert!(readme.contains(&format!("| `{name}` |")), "{name} is not in deploy/README.md");
        let fires = format!("alertname=\"{name}\",alertstate=\"firing\"");
        assert!(tests.contains(&fires), "{name} never fires in a test");
    }
    rules
}

fn sample_names(scrape: &str) -> BTreeSet<String> {
    let samples = scrape.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| Some(line.split(['{', ' ']).next()?.to_owned())).collect()
}
