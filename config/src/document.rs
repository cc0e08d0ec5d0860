//! The document that gives a fleet its flags: what it says, and how it is written. Its form is a
//! subset of flagd's flag file, so that one document can serve both.

mod read;

#[cfg(test)]
mod tests;

use modegate_filters::bucket::Share;
use serde_json::{Map, Value, json};

use crate::flags::FlagLayer;
use crate::report::Report;

/// The schema that the form is a subset of.
const SCHEMA: &str = "https://flagd.dev/schema/v0/flags.json";
/// The flag set's name; a document of another set is refused.
const FLAG_SET: &str = "modegate";
/// The flag whose value holds the share.
const CANARY: &str = "canary";
/// The largest document that is read, in bytes.
pub const DOCUMENT_LIMIT: usize = 64 << 10;
/// The longest name of a rollout, in bytes.
const ROLLOUT_LIMIT: usize = 256;

/// What a document says. It stands by itself: what one of its flags needs is on in it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Counts the documents of a deployment, from 1; it never goes back.
    pub generation: u64,
    /// What it says of each flag.
    pub flags: FlagLayer,
    /// The share of keys in the canary cohort, `None` where it says nothing of that.
    pub share: Option<Share>,
    /// When sidecars fall to a share of zero by themselves, in milliseconds since 1970; `None` for
    /// never.
    pub lease_until: Option<u64>,
    /// The rollout that wrote it, where one did.
    pub rollout: Option<String>,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// Everything that is wrong with it; of the first fault only where the text is not JSON.
    pub fn parse(text: &str) -> Result<Document, Report> {
        read::document(text)
    }

    /// Reads the value of the one flag that a remote service gives:
    /// `{"generation","contract"?,…,"percent"?,"leaseUntil"?,"rollout"?}`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_value(value: &Value) -> Result<Document, Report> {
        read::value(value)
    }

    /// The value of the one flag that a remote service gives; see [`Document::from_value`].
    pub fn value(&self) -> Value {
        let flags = self.flags.iter().map(|(flag, on)| (flag.name().to_owned(), Value::Bool(on)));
        let mut value: Map<String, Value> = flags.collect();
        value.insert("generation".to_owned(), json!(self.generation));
        if let Some(share) = self.share {
            value.insert("percent".to_owned(), json!(share.percent()));
        }
        if let Some(until) = self.lease_until {
            value.insert("leaseUntil".to_owned(), json!(until));
        }
        if let Some(rollout) = &self.rollout {
            value.insert("rollout".to_owned(), json!(rollout));
        }
        Value::Object(value)
    }

    /// The document's text. Reading it gives the document again.
    pub fn render(&self) -> String {
        let mut flags: Map<String, Value> = self
            .flags
            .iter()
            .map(|(flag, on)| {
                let variants = json!({ "on": true, "off": false });
                (flag.name().to_owned(), enabled(variants, if on { "on" } else { "off" }))
            })
            .collect();
        if let Some(share) = self.share {
            let variants = json!({ "stage": { "percent": share.percent() } });
            flags.insert(CANARY.to_owned(), enabled(variants, "stage"));
        }
        let mut metadata = json!({
            "flagSetId": FLAG_SET,
            "version": self.generation.to_string(),
            "generation": self.generation,
        });
        if let Some(until) = self.lease_until {
            metadata["leaseUntil"] = json!(until);
        }
        if let Some(rollout) = &self.rollout {
            metadata["rollout"] = json!(rollout);
        }
        let document = json!({ "$schema": SCHEMA, "flags": flags, "metadata": metadata });
        format!("{document:#}\n")
    }
}

fn enabled(variants: Value, default: &str) -> Value {
    json!({ "state": "ENABLED", "variants": variants, "defaultVariant": default })
}
