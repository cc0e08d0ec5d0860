//! The contract of a configuration beside those of running sidecars.

use std::collections::BTreeSet;

use http::Method;
use modegate_filters::contract::Contract;
use modegate_filters::fingerprint::{canonical, fingerprint, short};
use serde_json::{Value, json};

use super::Failure;
use super::answer::CONTRACT;
use super::call::AdminArgs;

/// A value that two contracts do not share; `None` where one does not have it.
#[derive(Debug, PartialEq)]
struct Difference {
    path: String,
    local: Option<Value>,
    other: Option<Value>,
}

/// What came of comparing with one sidecar.
#[derive(Debug)]
struct Compared {
    url: String,
    found: Result<(String, Vec<Difference>), Failure>,
}

/// Compares a contract with those of the sidecars at these URLs; says all of it, in JSON or not, and
/// fails where something differs, or else where one of them could not be asked.
pub(super) fn compare(contract: &Contract, urls: &[String], as_json: bool) -> Result<(), Failure> {
    let local = canonical(contract);
    let all: Vec<Compared> =
        urls.iter().map(|url| Compared { url: url.clone(), found: ask(&local, url) }).collect();
    let own = fingerprint(&local);
    if as_json {
        let against: Vec<Value> = all.iter().map(Compared::document).collect();
        println!("{}", json!({ "valid": true, "fingerprint": own, "against": against }));
    } else {
        println!("fingerprint {}", short(&own));
        all.iter().for_each(Compared::print);
    }
    let differing =
        all.iter().filter(|one| matches!(&one.found, Ok((_, found)) if !found.is_empty()));
    match differing.count() {
        0 => all.into_iter().try_for_each(|one| one.found.map(|_| ())),
        some => Err(Failure::Failed(format!("{some} of {} differ", urls.len()))),
    }
}

fn ask(local: &Value, url: &str) -> Result<(String, Vec<Difference>), Failure> {
    let answer = AdminArgs::at(url).call(Method::GET, "/config", None, &CONTRACT)?;
    let other = &answer["contract"]["in_force"];
    let mut found = Vec::new();
    differences(String::new(), Some(local), Some(other), &mut found);
    // Its own is not believed: the values that were compared are what counts.
    Ok((fingerprint(other), found))
}

/// Every member that differs, by its path in the configuration file.
fn differences(
    path: String,
    local: Option<&Value>,
    other: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    let members = |value: Option<&Value>| match value {
        Some(Value::Object(members)) => Some(members.keys().cloned().collect::<BTreeSet<_>>()),
        _ => None,
    };
    match (members(local), members(other)) {
        (Some(ours), Some(theirs)) => {
            for name in ours.union(&theirs) {
                let at =
                    |value: Option<&'_ Value>| value.and_then(|value| value.get(name)).cloned();
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{}", key(name));
                differences(path, at(local).as_ref(), at(other).as_ref(), found);
            }
        }
        _ if local != other => {
            found.push(Difference { path, local: local.cloned(), other: other.cloned() });
        }
        _ => {}
    }
}

/// A key as TOML writes it; what a sidecar says must not act on a terminal.
fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match !name.is_empty() && name.bytes().all(bare) {
        true => name.to_owned(),
        false => Value::from(name).to_string(),
    }
}

impl Compared {
    fn print(&self) {
        let url = self.url.escape_debug();
        match &self.found {
            Err(failure) => println!("{url}: not compared: {}", failure.text().escape_debug()),
            Ok((_, found)) if found.is_empty() => println!("{url}: the same"),
            Ok((fingerprint, found)) => {
                println!("{url}: differs, fingerprint {}", short(fingerprint));
                for Difference { path, local, other } in found {
                    println!("  {path}: {} here, {} there", shown(local), shown(other));
                }
            }
        }
    }

    fn document(&self) -> Value {
        match &self.found {
            Err(failure) => json!({ "url": self.url, "error": failure.text() }),
            Ok((fingerprint, found)) => {
                let differs: Vec<Value> = found
                    .iter()
                    .map(|one| json!({ "path": one.path, "local": one.local, "other": one.other }))
                    .collect();
                let same = differs.is_empty();
                json!({ "url": self.url, "fingerprint": fingerprint, "same": same, "differs": differs })
            }
        }
    }
}

fn shown(value: &Option<Value>) -> String {
    value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(local: &Value, other: &Value) -> Vec<(String, String, String)> {
        let mut found = Vec::new();
        differences(String::new(), Some(local), Some(other), &mut found);
        found.iter().map(|one| (one.path.clone(), shown(&one.local), shown(&one.other))).collect()
    }

    #[test]
    fn every_member_that_differs_is_named() {
        let local = json!({ "contract": { "modes": ["a", "b"] },
            "profiles": { "x": { "mode": "b" }, "v.1": { "mode": "b" } } });
        assert_eq!(between(&local, &local), []);
        let other = json!({ "contract": { "modes": ["a", "c"], "more": 1 },
            "profiles": { "x": { "mode": "c" }, "\u{1b}[2J": {} } });
        let text = str::to_owned;
        let expected = [
            ("contract.modes", r#"["a","b"]"#, r#"["a","c"]"#),
            ("contract.more", "nothing", "1"),
            (r#"profiles."\u001b[2J""#, "nothing", "{}"),
            (r#"profiles."v.1""#, r#"{"mode":"b"}"#, "nothing"),
            ("profiles.x.mode", r#""b""#, r#""c""#),
        ];
        let expected = expected.map(|(path, ours, theirs)| (text(path), text(ours), text(theirs)));
        assert_eq!(between(&local, &other), expected);
        assert_eq!(between(&json!({}), &json!({ "profiles": {} })).len(), 1);
    }
}
