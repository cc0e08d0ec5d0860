//! What an answer of the admin API must be for a command to believe it. A listener that is none of a
//! sidecar's admin listeners, but answers, must not be taken for one.

use serde_json::Value;

/// What a value must be. Members that a shape does not name may be there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Null,
    Bool,
    Number,
    Text,
    /// An object with these members; one that may be null may be absent.
    Object(&'static [(&'static str, Shape)]),
    /// A list of these.
    List(&'static Shape),
    /// The first, or else the second.
    Either(&'static Shape, &'static Shape),
}

use Shape::{Bool, Either, List, Null, Number, Object, Text};

/// `GET /flags`.
pub(super) const FLAGS: Shape = Object(&[
    ("generation", Number),
    (
        "flags",
        Object(&[
            ("contract", FLAG),
            ("runtime", FLAG),
            ("ui", FLAG),
            ("cloud_enforced", FLAG),
            ("kill", FLAG),
        ]),
    ),
    ("documents", Object(&[("document", DOCUMENT), ("remote", DOCUMENT)])),
    ("breaker", Either(&Object(&[("cause", Text)]), &Null)),
]);

const FLAG: Shape = Object(&[
    ("value", Bool),
    ("layer", Text),
    ("layers", Object(&[("override", Either(&OVERRIDE, &Null))])),
]);

const OVERRIDE: Shape =
    Object(&[("value", Bool), ("actor", Text), ("reason", Text), ("expires", Number)]);

const DOCUMENT: Shape =
    Object(&[("generation", Either(&Number, &Null)), ("lease_over", Either(&Bool, &Null))]);

/// `PUT` and `DELETE /flags/{name}`.
pub(super) const FLAG_CHANGED: Shape =
    Object(&[("flag", Text), ("value", Bool), ("generation", Number)]);

/// `DELETE /breaker`.
pub(super) const BREAKER_CLOSED: Shape = Object(&[("breaker", Null), ("generation", Number)]);

/// `GET`, `PUT` and `DELETE /log`.
pub(super) const LOG: Shape = Object(&[
    ("level", Text),
    ("access", Bool),
    ("file", Object(&[("level", Text), ("access", Bool)])),
    ("override", Either(&Object(&[("actor", Text), ("reason", Text)]), &Null)),
]);

/// `GET /config`, as far as two are compared.
pub(super) const CONTRACT: Shape = Object(&[("contract", Object(&[("in_force", Object(&[]))]))]);

/// `GET /parity`.
pub(super) const PARITY: Shape = Object(&[
    ("generation", Number),
    ("cloud_enforced", Bool),
    ("on_mismatch", Text),
    ("enforced", Object(&[("reject", Number), ("repair", Number)])),
    ("legs", Object(&[("frontend", LEG), ("bridge", LEG), ("runtime", LEG)])),
    ("mismatches", List(&MISMATCH)),
]);

const LEG: Shape = Object(&[
    ("verdicts", Object(&[])),
    ("coverage", Either(&Number, &Null)),
    ("table", Either(&Object(&[("records", Number)]), &Null)),
]);

const MISMATCH: Shape = Object(&[
    ("at_ms", Number),
    ("leg", Text),
    ("verdict", Text),
    ("joined_by", Either(&Text, &Null)),
    ("expected", Object(&[])),
    ("found", Object(&[])),
]);

/// `GET /rollout`.
pub(super) const ROLLOUT: Shape = Either(&ROLLOUT_OPEN, &ROLLOUT_ELSEWHERE);

/// The answer to an order, and `GET /rollout` where the rollout is open.
pub(super) const ROLLOUT_OPEN: Shape = Object(&[
    ("rollout", Text),
    ("phase", Text),
    ("stage", Object(&[("number", Number), ("of", Number), ("name", Either(&Text, &Null))])),
    ("percent", Number),
    ("desired", Object(&[("generation", Number), ("flags", DESIRED)])),
    ("gates", List(&Object(&[("gate", Text), ("verdict", Text), ("why", Text)]))),
    ("instances", List(&INSTANCE)),
    ("why", Either(&Text, &Null)),
    ("next", Either(&Text, &Null)),
    ("blind", Either(&Text, &Null)),
    ("fault", Either(&Text, &Null)),
    ("incident", Either(&Text, &Null)),
]);

const ROLLOUT_ELSEWHERE: Shape =
    Object(&[("rollout", Text), ("phase", Null), ("fault", Either(&Text, &Null))]);

const DESIRED: Shape = Object(&[
    ("contract", Bool),
    ("runtime", Bool),
    ("ui", Bool),
    ("cloud_enforced", Bool),
    ("kill", Bool),
]);

const INSTANCE: Shape = Object(&[("name", Text), ("up", Bool)]);

/// `GET /incidents`.
pub(super) const INCIDENTS: Shape = Object(&[("incidents", List(&Object(&[("id", Text)])))]);

/// `GET /incidents/{id}.json`.
pub(super) const INCIDENT: Shape =
    Object(&[("id", Text), ("trigger", Text), ("severity", Number), ("stage", Text)]);

impl Shape {
    /// What an answer lacks to be of this shape; `None` where it lacks nothing.
    pub(super) fn lack(&self, value: &Value) -> Option<String> {
        self.lack_at("", value)
    }

    fn lack_at(&self, path: &str, value: &Value) -> Option<String> {
        match (self, value) {
            (Object(members), Value::Object(_)) => members.iter().find_map(|(name, shape)| {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{name}");
                match value.get(name) {
                    None if shape.lack(&Value::Null).is_none() => None,
                    None => Some(format!("has no {path:?}")),
                    Some(value) => shape.lack_at(&path, value),
                }
            }),
            (List(shape), Value::Array(values)) => {
                let each = values.iter().enumerate();
                each.map(|(at, value)| shape.lack_at(&format!("{path}[{at}]"), value))
                    .find_map(|lack| lack)
            }
            (Either(first, second), _) => {
                let lack = first.lack_at(path, value)?;
                second.lack_at(path, value).map(|_| lack)
            }
            (Null, Value::Null)
            | (Bool, Value::Bool(_))
            | (Number, Value::Number(_))
            | (Text, Value::String(_)) => None,
            _ if path.is_empty() => Some(format!("is not {}", self.name())),
            _ => Some(format!("has a {path:?} that is not {}", self.name())),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Null => "null",
            Bool => "true or false",
            Number => "a number",
            Text => "a text",
            Object(_) => "an object",
            List(_) => "a list",
            Either(first, _) => first.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use modegate_config::flags::Flag;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_answer_lacks() {
        let rollout = json!({
            "rollout": "r", "phase": "observing", "percent": 1.0, "gates": [], "instances": [],
            "stage": { "number": 1, "of": 2, "name": "s" },
            "desired": { "generation": 1, "flags": {
                "contract": true, "runtime": true, "ui": true, "cloud_enforced": true, "kill": false
            } },
        });
        let with = |key: &str, value: Value| {
            let mut rollout = rollout.clone();
            rollout[key] = value;
            rollout
        };
        let cases = [
            (&FLAGS, json!({ "ok": true }), Some("has no \"generation\"")),
            (&FLAGS, json!([]), Some("is not an object")),
            (&FLAG_CHANGED, json!({ "flag": "kill", "value": true, "generation": 1 }), None),
            (
                &FLAG_CHANGED,
                json!({ "flag": "kill", "value": "on", "generation": 1 }),
                Some("has a \"value\" that is not true or false"),
            ),
            (&CONTRACT, json!({ "contract": {} }), Some("has no \"contract.in_force\"")),
            (&ROLLOUT, json!({ "rollout": "r", "phase": null, "fault": "f" }), None),
            (
                &ROLLOUT_OPEN,
                json!({ "rollout": "r", "phase": null, "fault": "f" }),
                Some("has a \"phase\" that is not a text"),
            ),
            (&ROLLOUT, json!({ "ok": true }), Some("has no \"rollout\"")),
            (&ROLLOUT, rollout.clone(), None),
            (&ROLLOUT, with("why", Value::Null), None),
            (&ROLLOUT, with("why", json!(1)), Some("has a \"why\" that is not a text")),
            (
                &ROLLOUT,
                with("instances", json!([{ "name": "i" }])),
                Some("has no \"instances[0].up\""),
            ),
            (&INCIDENTS, json!({ "incidents": [{ "id": "i" }] }), None),
        ];
        for (shape, answer, lacks) in cases {
            assert_eq!(shape.lack(&answer).as_deref(), lacks, "{answer}");
        }
    }

    #[test]
    fn every_flag_is_in_the_shapes_of_flags() {
        let Object(members) = FLAGS else { panic!("{FLAGS:?}") };
        let flags = members.iter().find(|(name, _)| *name == "flags").map(|(_, shape)| shape);
        let Some(Object(flags)) = flags else { panic!("{flags:?}") };
        let Object(desired) = DESIRED else { panic!("{DESIRED:?}") };
        let names = |members: &[(&'static str, Shape)]| -> Vec<&str> {
            members.iter().map(|(name, _)| *name).collect()
        };
        assert_eq!(names(flags), Flag::ALL.map(Flag::name));
        assert_eq!(names(desired), Flag::ALL.map(Flag::name));
    }
}
