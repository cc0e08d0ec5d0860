//! What a body asks for, as the servers behind would read it with `JSON.parse`: said by the reference reader.

use modegate_filters::dialect::Dialect;

use crate::reference::{self, Document, Member};

/// What a body asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// No member, null, or no mode in it.
    Nothing,
    /// A mode of the list, and perhaps a profile.
    Mode(String, Option<String>),
    /// Not a valid value.
    Invalid,
}

impl Asked {
    /// The word that tags use.
    pub fn word(&self) -> &str {
        match self {
            Asked::Nothing => "none",
            Asked::Mode(mode, _) => mode,
            Asked::Invalid => "invalid",
        }
    }
}

/// What a body asks for.
pub fn asked(dialect: Dialect, document: &Document, body: &[u8]) -> Asked {
    let member = match dialect {
        Dialect::Rpc => document.last_within("params", "processing"),
        _ => document.last("processing"),
    };
    let Some(value) = member.map(|member| &body[member.value.clone()]) else {
        return Asked::Nothing;
    };
    match value[0] {
        b'n' => return Asked::Nothing,
        b'{' => {}
        _ => return Asked::Invalid,
    }
    let inside = reference::read(value).expect("a part of a document");
    let string = |name, limit| match inside.last(name) {
        None => Ok(None),
        Some(member) => string(value, member, limit).map(Some).ok_or(()),
    };
    let (Ok(mode), Ok(profile), Ok(_)) =
        (string("mode", 32), string("profile", 64), string("reason", 256))
    else {
        return Asked::Invalid;
    };
    match mode {
        None => Asked::Nothing,
        Some(mode) if matches!(mode.as_str(), "default" | "fast" | "turbo") => {
            Asked::Mode(mode, profile)
        }
        Some(_) => Asked::Invalid,
    }
}

fn string(object: &[u8], member: &Member, limit: usize) -> Option<String> {
    let literal = &object[member.value.clone()];
    let units = (literal[0] == b'"').then(|| reference::string(literal))?;
    (units.len() <= limit).then(|| String::from_utf16_lossy(&units))
}
