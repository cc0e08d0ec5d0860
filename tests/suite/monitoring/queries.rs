//! The dashboard's queries, and which metrics and labels a query asks for.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

/// What the dashboard's variables are in a query.
const VARIABLES: [(&str, &str); 5] = [
    ("$__rate_interval", "1m"),
    ("$__range", "1m"),
    ("$instance", ".*"),
    ("$job", "modegate"),
    ("$leg", ".*"),
];

/// A file of `deploy/`.
pub fn deployed(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file)
}

/// The dashboard.
pub fn dashboard() -> Value {
    let text = std::fs::read_to_string(deployed("grafana/modegate.json")).expect("the dashboard");
    serde_json::from_str(&text).expect("JSON")
}

/// Every query of the dashboard, with where it stands, as Prometheus is to run it.
pub fn dashboard_queries() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut queries = Vec::new();
    for panel in list(&dashboard["panels"]) {
        for target in list(&panel["targets"]) {
            let place = format!("{} {}", text(&panel["title"]), text(&target["refId"]));
            queries.push((place, substituted(text(&target["expr"]))));
        }
    }
    for annotation in list(&dashboard["annotations"]["list"]) {
        if annotation["builtIn"] != 1 {
            queries.push((
                text(&annotation["name"]).to_owned(),
                substituted(text(&annotation["expr"])),
            ));
        }
    }
    queries
}

/// The string that stands here.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn substituted(query: &str) -> String {
    let query =
        VARIABLES.iter().fold(query.to_owned(), |query, (name, value)| query.replace(name, value));
    assert!(!query.contains('$'), "a variable is left: {query}");
    query
}

/// The names of our metrics in a query, each with the matchers behind it, such as `mode="fast"`.
pub fn selectors(query: &str) -> BTreeSet<(String, Vec<String>)> {
    let mut found = BTreeSet::new();
    for (at, _) in query.match_indices("modegate_") {
        let rest = &query[at..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let inside = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let matchers = inside.map(|(inside, _)| inside.split(',').map(str::to_owned).collect());
        found.insert((name.to_owned(), matchers.unwrap_or_default()));
    }
    found
}

/// A matcher's alternatives, each as a matcher: a word that no series has is found so.
pub fn alternatives(matcher: &str) -> Vec<String> {
    match matcher.split_once("=~") {
        Some((label, words)) if !words.contains('*') => {
            let words = words.trim_matches('"').split('|');
            words.map(|word| format!("{label}=\"{word}\"")).collect()
        }
        _ => vec![matcher.to_owned()],
    }
}
