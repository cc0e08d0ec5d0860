//! Takes a document apart and writes down every fault instead of stopping at the first. Nothing of
//! a document with a fault is used.

use modegate_filters::bucket::Share;
use serde_json::{Map, Value};

use super::{CANARY, DOCUMENT_LIMIT, Document, FLAG_SET, ROLLOUT_LIMIT};
use crate::canary::{PERCENT, exact_share};
use crate::flags::{Flag, FlagLayer, broken, fold};
use crate::report::{Invalid, Report};
use crate::rule::quoted;

mod time;

/// What a state may be.
const STATES: &str = "\"ENABLED\" or \"DISABLED\"";

pub(super) fn document(text: &str) -> Result<Document, Report> {
    if text.len() > DOCUMENT_LIMIT {
        let found = format!("{} bytes", text.len());
        return Err(Report::single(fault("document", found, format!("at most {DOCUMENT_LIMIT}"))));
    }
    let root: Value = serde_json::from_str(text)
        .map_err(|error| Report::single(fault("document", error.to_string(), "JSON")))?;
    let mut faults = Faults::default();
    let mut document = empty();
    if let Some(root) = faults.object("document", &root) {
        faults.known("", root, &["$schema", "flags", "metadata"]);
        match root.get("flags") {
            Some(flags) => faults.flags(flags, &mut document),
            None => faults.add("flags", "nothing", "an object"),
        }
        match root.get("metadata") {
            Some(metadata) => faults.metadata(metadata, &mut document),
            None => faults.add("metadata.generation", "nothing", GENERATION),
        }
    }
    faults.finish(document)
}

pub(super) fn value(value: &Value) -> Result<Document, Report> {
    let (mut faults, mut document) = (Faults::default(), empty());
    if let Some(object) = faults.object("value", value) {
        let mut known: Vec<&str> = Flag::ALL.iter().map(|flag| flag.name()).collect();
        known.extend(["percent", "generation", "leaseUntil", "rollout"]);
        faults.known("value.", object, &known);
        for flag in Flag::ALL {
            let path = format!("value.{}", flag.name());
            match object.get(flag.name()) {
                None => {}
                Some(Value::Bool(on)) => document.flags.set(flag, *on),
                Some(other) => faults.add(&path, shown(other), "true or false"),
            }
        }
        document.share =
            object.get("percent").and_then(|percent| faults.percent("value.percent", percent));
        faults.provenance("value", object, &mut document);
    }
    faults.finish(document)
}

const GENERATION: &str = "an integer from 1";

fn empty() -> Document {
    let (flags, share, lease_until, rollout) = (FlagLayer::default(), None, None, None);
    Document { generation: 0, flags, share, lease_until, rollout }
}

/// The faults found so far.
#[derive(Default)]
struct Faults(Vec<Invalid>);

impl Faults {
    fn add(&mut self, path: &str, found: impl Into<String>, allowed: impl Into<String>) {
        self.0.push(fault(path, found, allowed));
    }

    /// The document, if it has no fault of its own and its flags may stand together.
    fn finish(mut self, document: Document) -> Result<Document, Report> {
        if self.0.is_empty() {
            for broken in broken(&fold([&document.flags].into_iter())) {
                let needs: Vec<String> =
                    broken.needs.iter().map(|need| format!("{} on", need.name())).collect();
                let path = format!("flags.{}", broken.flag.name());
                self.add(&path, "on", format!("off, or {}", needs.join(" and ")));
            }
        }
        Report::of(self.0).map_or(Ok(document), Err)
    }

    fn object<'v>(&mut self, path: &str, value: &'v Value) -> Option<&'v Map<String, Value>> {
        let object = value.as_object();
        if object.is_none() {
            self.add(path, shown(value), "an object");
        }
        object
    }

    fn known(&mut self, prefix: &str, object: &Map<String, Value>, known: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let path = format!("{prefix}{}", plain(key));
            self.add(&path, "an unknown key", known.join(", "));
        }
    }

    fn flags(&mut self, flags: &Value, document: &mut Document) {
        let Some(flags) = self.object("flags", flags) else { return };
        let mut known: Vec<&str> = Flag::ALL.iter().map(|flag| flag.name()).collect();
        known.push(CANARY);
        self.known("flags.", flags, &known);
        for flag in Flag::ALL {
            let Some(entry) = flags.get(flag.name()) else { continue };
            let said = self.flag(flag.name(), entry, |faults, path, value| {
                if !value.is_boolean() {
                    faults.add(path, shown(value), "true or false");
                }
                value.as_bool()
            });
            if let Some(on) = said {
                document.flags.set(flag, on);
            }
        }
        if let Some(entry) = flags.get(CANARY) {
            document.share = self.flag(CANARY, entry, |faults, path, value| {
                let object = faults.object(path, value)?;
                faults.known(&format!("{path}."), object, &["percent"]);
                let path = format!("{path}.percent");
                match object.get("percent") {
                    Some(percent) => faults.percent(&path, percent),
                    None => {
                        faults.add(&path, "nothing", PERCENT);
                        None
                    }
                }
            });
        }
    }

    /// What one flag's entry says: the value of its default variant, nothing where it is disabled.
    /// All of its variants must be values that it may have.
    fn flag<T>(
        &mut self,
        name: &str,
        entry: &Value,
        read: impl Fn(&mut Faults, &str, &Value) -> Option<T>,
    ) -> Option<T> {
        let path = format!("flags.{name}");
        let entry = self.object(&path, entry)?;
        // Targeting is refused by a name of its own: it is flagd's, and not supported.
        let known = ["state", "variants", "defaultVariant", "metadata", "targeting"];
        self.known(&format!("{path}."), entry, &known);
        let targets = |rule: &Value| !rule.as_object().is_some_and(Map::is_empty);
        if entry.get("targeting").is_some_and(targets) {
            let allowed = "no targeting: every request of a sidecar has the same flags";
            self.add(&format!("{path}.targeting"), "a rule", allowed);
        }
        let state = entry.get("state").and_then(Value::as_str);
        if !matches!(state, Some("ENABLED" | "DISABLED")) {
            let found = entry.get("state").map_or_else(|| "nothing".to_owned(), shown);
            self.add(&format!("{path}.state"), found, STATES);
        }
        let mut variants = Vec::new();
        match entry.get("variants") {
            None => self.add(&format!("{path}.variants"), "nothing", "an object"),
            Some(given) => {
                for (variant, value) in self.object(&format!("{path}.variants"), given)? {
                    let path = format!("{path}.variants.{}", plain(variant));
                    variants.push((variant, read(self, &path, value)));
                }
            }
        }
        let default = entry.get("defaultVariant").and_then(Value::as_str);
        let chosen = variants
            .iter()
            .position(|(variant, _)| default.is_some_and(|default| default == variant.as_str()));
        let Some(chosen) = chosen else {
            let found = entry.get("defaultVariant").map_or_else(|| "nothing".to_owned(), shown);
            self.add(&format!("{path}.defaultVariant"), found, "the name of a variant");
            return None;
        };
        variants.swap_remove(chosen).1.filter(|_| state == Some("ENABLED"))
    }

    fn percent(&mut self, path: &str, value: &Value) -> Option<Share> {
        let share = value.as_f64().and_then(exact_share);
        if share.is_none() {
            self.add(path, shown(value), PERCENT);
        }
        share
    }

    fn metadata(&mut self, metadata: &Value, document: &mut Document) {
        let Some(metadata) = self.object("metadata", metadata) else { return };
        let known = ["flagSetId", "version", "generation", "leaseUntil", "rollout"];
        self.known("metadata.", metadata, &known);
        if let Some(set) = metadata.get("flagSetId").filter(|set| set.as_str() != Some(FLAG_SET)) {
            self.add("metadata.flagSetId", shown(set), format!("\"{FLAG_SET}\""));
        }
        self.provenance("metadata", metadata, document);
        let written = metadata.get("version").and_then(Value::as_str);
        if let Some(version) = metadata.get("version")
            && document.generation != 0
            && written != Some(document.generation.to_string().as_str())
        {
            self.add("metadata.version", shown(version), format!("\"{}\"", document.generation));
        }
    }

    fn provenance(&mut self, under: &str, object: &Map<String, Value>, document: &mut Document) {
        match object.get("generation").map(|value| (value, value.as_u64())) {
            Some((_, Some(generation))) if generation > 0 => document.generation = generation,
            found => {
                let found = found.map_or_else(|| "nothing".to_owned(), |(value, _)| shown(value));
                self.add(&format!("{under}.generation"), found, GENERATION);
            }
        }
        if let Some(until) = object.get("leaseUntil") {
            let read = until.as_u64().or_else(|| until.as_str().and_then(time::milliseconds));
            match read {
                Some(read) => document.lease_until = Some(read),
                None => self.add(&format!("{under}.leaseUntil"), shown(until), time::ALLOWED),
            }
        }
        if let Some(rollout) = object.get("rollout") {
            let plain = |text: &&str| {
                !text.chars().any(char::is_control) && (1..=ROLLOUT_LIMIT).contains(&text.len())
            };
            match rollout.as_str().filter(plain) {
                Some(rollout) => document.rollout = Some(rollout.to_owned()),
                None => {
                    let allowed = format!(
                        "a string of 1 to {ROLLOUT_LIMIT} bytes without control characters"
                    );
                    self.add(&format!("{under}.rollout"), shown(rollout), allowed);
                }
            }
        }
    }
}

fn fault(path: &str, found: impl Into<String>, allowed: impl Into<String>) -> Invalid {
    Invalid {
        path: path.to_owned(),
        line: None,
        column: None,
        found: found.into(),
        allowed: allowed.into(),
        nearest: None,
    }
}

/// A key as a path shows it.
fn plain(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'$');
    let is_bare = (1..=80).contains(&key.len()) && key.bytes().all(bare);
    if is_bare { key.to_owned() } else { quoted(key) }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}
