//! `[contract]` and `[profiles.*]`: the member that carries the mode, the modes and the profiles.
//! What a value of the member means is decided in `modegate_filters::contract`.

use std::collections::BTreeMap;
use std::sync::Arc;

use modegate_filters::contract::{Contract, Downgrade, Mode, Modes, Profile};

use crate::read::Section;
use crate::rule::{Rule, quoted, word};
use crate::value::{GIB, KIB, MIB, size};

/// The member that the product's clients send.
const DEFAULT_FIELD: &str = "processing";
/// The modes that the product has.
const DEFAULT_MODES: [&str; 2] = ["default", "fast"];
/// A server that knows the contract answers a replaced value with the mode it applied.
const DEFAULT_DOWNGRADE: Downgrade = Downgrade::Replace;
/// The servers behind take images inline, and refuse what is larger.
const DEFAULT_BODY_LIMIT: usize = 20 * MIB;
/// What the entrypoint reads; over it, it ends.
const DEFAULT_RUNTIME_BODY_LIMIT: usize = MIB;

/// Members that the dialects give a meaning of their own.
const TAKEN: [&str; 11] = [
    "id", "jsonrpc", "messages", "metadata", "method", "model", "params", "roomId", "stream",
    "text", "user",
];
/// The longest name of the member, in bytes.
const FIELD_LIMIT: usize = 64;

/// Reads both. The default modes stand in for faulty ones, so that the rest can be read.
pub(crate) fn read(root: &mut Section<'_, '_>) -> Contract {
    let mut known = None;
    let mut contract = root.section("contract", |section| Contract {
        field: section.take("field", DEFAULT_FIELD.to_owned(), field()),
        modes: {
            known = modes(section);
            known.clone().unwrap_or_else(default_modes)
        },
        downgrade: section.take(
            "downgrade",
            DEFAULT_DOWNGRADE,
            word([Downgrade::Replace, Downgrade::Strip].map(|one| (one.word(), one))),
        ),
        body_limit: section.take("body_limit", DEFAULT_BODY_LIMIT, size(KIB..=GIB)),
        runtime_body_limit: section.take(
            "runtime_body_limit",
            DEFAULT_RUNTIME_BODY_LIMIT,
            size(KIB..=GIB),
        ),
        profiles: BTreeMap::new(),
    });
    let profiles = root.section("profiles", |section| {
        section.named(|name, section| profile(name, section, known.as_ref()))
    });
    let by_name = |profile: Profile| (profile.name.clone(), Arc::new(profile));
    contract.profiles = profiles.into_iter().flatten().map(by_name).collect();
    contract
}

#[allow(clippy::expect_used, reason = "a constant list; without it no test passes")]
fn default_modes() -> Modes {
    Modes::new(DEFAULT_MODES.map(str::to_owned)).expect("the default modes are a valid list")
}

fn field() -> Rule<String> {
    let allowed = format!(
        "a member's name: 1 to {FIELD_LIMIT} visible ASCII characters without \" and \\, none of {}",
        TAKEN.join(", ")
    );
    Rule::text(allowed, |text| {
        let plain =
            text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        let named = plain && (1..=FIELD_LIMIT).contains(&text.len()) && !TAKEN.contains(&text);
        named.then(|| text.to_owned())
    })
}

/// The modes, `None` where they are a fault.
fn modes(section: &mut Section<'_, '_>) -> Option<Modes> {
    let each = Rule::text("a string", |text| Some(text.to_owned()));
    let Some(names) = section.list("modes", each) else {
        return Some(default_modes());
    };
    if !section.sound("modes") {
        return None;
    }
    let modes = Modes::new(names.iter().cloned());
    if modes.is_none() {
        let names: Vec<String> =
            names.iter().take(Modes::LIMIT + 1).map(|name| quoted(name)).collect();
        let allowed = format!(
            "1 to {} different names, the default first, each 1 to 32 of a-z, 0-9, - and _, \
             not none or invalid",
            Modes::LIMIT
        );
        section.refuse("modes", &format!("[{}]", names.join(", ")), allowed);
    }
    modes
}

fn profile(name: &str, section: &mut Section<'_, '_>, modes: Option<&Modes>) -> Option<Profile> {
    let mode = match modes {
        Some(modes) => section.require("mode", profile_mode(modes)),
        None => {
            section.require("mode", Rule::text("a mode of contract.modes", |_| Some(Mode::DEFAULT)))
        }
    };
    // A note for whoever reads the file: only its type is looked at.
    section.optional("description", Rule::text("a string", |_| Some(())));
    let profile = Profile::new(name.to_owned(), mode.unwrap_or(Mode::DEFAULT));
    if profile.is_none() {
        section.refuse_whole(
            format!("a profile named {}", quoted(name)),
            "a name of 1 to 64 visible ASCII characters".to_owned(),
        );
    }
    profile
}

fn profile_mode(modes: &Modes) -> Rule<Mode> {
    let others: Vec<(String, Mode)> = modes
        .iter()
        .filter(|(mode, _)| *mode != Mode::DEFAULT)
        .map(|(mode, name)| (name.to_owned(), mode))
        .collect();
    let names: Vec<String> = others.iter().map(|(name, _)| quoted(name)).collect();
    let allowed = if names.is_empty() {
        "nothing: contract.modes has only the default mode".to_owned()
    } else {
        format!("a mode of contract.modes other than the first: {}", names.join(", "))
    };
    Rule::text(allowed, move |text| {
        others.iter().find(|(name, _)| name == text).map(|(_, mode)| *mode)
    })
}
