//! What a `processing` value means: which mode, which profile, or why it is no valid value.
//! It does not decide what happens then; that is [`crate::decide`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use crate::route::Leg;
use crate::scan::{Kind, Slot, Value, Wanted, scan};
use crate::text;

/// The longest `profile`, in UTF-16 units as JavaScript's `length` counts.
pub const PROFILE_LIMIT: usize = 64;
/// The longest `reason`, in UTF-16 units as JavaScript's `length` counts.
pub const REASON_LIMIT: usize = 256;

/// A mode of the contract, as its place in [`Modes`]; only meaningful beside the list it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mode(u8);

impl Mode {
    /// The default mode: the first of every list.
    pub const DEFAULT: Mode = Mode(0);

    /// The mode's place in its list.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The modes of the contract: at least one, the first is the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modes(Vec<(String, HeaderValue)>);

impl Modes {
    /// The most modes a list may hold: each is a value of metric labels.
    pub const LIMIT: usize = 8;

    /// A list from names; `None` where it is empty, over [`Modes::LIMIT`], repeats a name, or a
    /// name is not 1 to 32 of `a-z`, `0-9`, `-`, `_`, or is one that the tags reserve
    /// (`none`, `invalid`).
    pub fn new<I: IntoIterator<Item = String>>(names: I) -> Option<Modes> {
        let mut modes: Vec<(String, HeaderValue)> = Vec::new();
        for name in names {
            let plain =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
            let named = (1..=32).contains(&name.len()) && name.bytes().all(plain);
            let reserved = name == "none" || name == "invalid";
            if !named || reserved || modes.iter().any(|(known, _)| *known == name) {
                return None;
            }
            let value = HeaderValue::from_str(&name).ok()?;
            modes.push((name, value));
        }
        (1..=Self::LIMIT).contains(&modes.len()).then_some(Modes(modes))
    }

    /// The mode with this name.
    pub fn find(&self, name: &str) -> Option<Mode> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        u8::try_from(place).ok().map(Mode)
    }

    /// The name of a mode of this list.
    pub fn name(&self, mode: Mode) -> &str {
        self.0.get(mode.index()).map_or("", |(name, _)| name)
    }

    /// A mode's name as a header value, without allocation.
    pub fn header(&self, mode: Mode) -> HeaderValue {
        self.0
            .get(mode.index())
            .map_or_else(|| HeaderValue::from_static(""), |(_, value)| value.clone())
    }

    /// Every mode with its name, the default first.
    pub fn iter(&self) -> impl Iterator<Item = (Mode, &str)> {
        self.0.iter().zip(0..).map(|((name, _), place)| (Mode(place), name.as_str()))
    }

    /// `"default" or "fast"`: the list as a message names it.
    pub fn listed(&self) -> String {
        let names: Vec<String> = self.0.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        match names.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => String::new(),
        }
    }
}

/// What a downgrade writes where a mode other than the default stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Downgrade {
    /// The value is replaced by `{"mode":"<default>"}`.
    Replace,
    /// The member is removed.
    Strip,
}

impl Downgrade {
    /// The word that the configuration has for it.
    pub fn word(self) -> &'static str {
        match self {
            Downgrade::Replace => "replace",
            Downgrade::Strip => "strip",
        }
    }
}

/// A configured profile: a named variant of one mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name, as a client writes it in `processing.profile`.
    pub name: String,
    /// The mode that it belongs to.
    pub mode: Mode,
    header: HeaderValue,
}

impl Profile {
    /// A profile; `None` where the name is not 1 to 64 visible ASCII characters.
    pub fn new(name: String, mode: Mode) -> Option<Profile> {
        let visible = name.bytes().all(|b| b.is_ascii_graphic());
        if !visible || !(1..=PROFILE_LIMIT).contains(&name.len()) {
            return None;
        }
        let header = HeaderValue::from_str(&name).ok()?;
        Some(Profile { name, mode, header })
    }

    /// The name as a header value, without allocation.
    pub fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

/// The settings of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// The name of the member, `processing`.
    pub field: String,
    /// The modes that a client may ask for.
    pub modes: Modes,
    /// What a downgrade writes.
    pub downgrade: Downgrade,
    /// The largest body that is inspected, in bytes; a larger one is refused.
    pub body_limit: usize,
    /// The same on the runtime leg, where that is less: its entrypoint ends with a larger one.
    pub runtime_body_limit: usize,
    /// The profiles by name.
    pub profiles: BTreeMap<String, Arc<Profile>>,
}

impl Contract {
    /// The largest body that is inspected on a leg, in bytes.
    pub fn limit(&self, leg: Leg) -> usize {
        match leg {
            Leg::Frontend | Leg::Bridge => self.body_limit,
            Leg::Runtime => self.body_limit.min(self.runtime_body_limit),
        }
    }
}

/// Why a value is no valid contract value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Neither null nor an object.
    NotAnObject,
    /// A `mode` outside the list.
    Mode,
    /// A `profile` that is not a string of at most [`PROFILE_LIMIT`] characters.
    Profile,
    /// A `reason` that is not a string of at most [`REASON_LIMIT`] characters.
    Reason,
}

/// What the client asked for, as `JSON.parse` would read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// No member, null, or an object that names no mode.
    Nothing,
    /// A mode of the list.
    Mode(Mode),
    /// Not a valid value.
    Invalid(Fault),
}

impl Requested {
    /// The word that tags, logs and metrics use: a mode's name, `none` or `invalid`.
    pub fn word(self, modes: &Modes) -> &str {
        match self {
            Requested::Nothing => "none",
            Requested::Mode(mode) => modes.name(mode),
            Requested::Invalid(_) => "invalid",
        }
    }
}

/// A contract value as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The mode asked for.
    pub requested: Requested,
    /// The profile asked for, where the value is valid and names one.
    pub profile: Option<String>,
}

impl Reading {
    /// The reading of a body without the member.
    pub const ABSENT: Reading = Reading { requested: Requested::Nothing, profile: None };
}

/// Reads contract values. Built once per configuration.
#[derive(Clone, Debug)]
pub struct Reader(Wanted);

impl Reader {
    /// A reader of `mode`, `profile` and `reason`.
    pub fn new() -> Reader {
        Reader(
            Wanted::new()
                .root("mode", Slot::Mode)
                .root("profile", Slot::Profile)
                .root("reason", Slot::Reason),
        )
    }

    /// Reads the value of the member that counts (the last duplicate), `None` where there is none.
    pub fn read(&self, modes: &Modes, chunks: &[Bytes], value: Option<&Value>) -> Reading {
        let invalid = |fault| Reading { requested: Requested::Invalid(fault), profile: None };
        let value = match value {
            None => return Reading::ABSENT,
            Some(value) if value.kind == Kind::Null => return Reading::ABSENT,
            Some(value) if value.kind != Kind::Object => return invalid(Fault::NotAnObject),
            Some(value) => value,
        };
        if let Some(mode) = alone(modes, &text::raw(chunks, &value.span)) {
            return Reading { requested: Requested::Mode(mode), profile: None };
        }
        let inner = text::slice(chunks, &value.span);
        // The span was scanned as part of its body, so it is an object and this cannot fail.
        let Ok(found) = scan(&self.0, &inner) else { return invalid(Fault::NotAnObject) };

        let requested = match found.get(Slot::Mode) {
            None => Requested::Nothing,
            Some(mode) => match bounded(&inner, mode, 32).and_then(|name| modes.find(&name)) {
                Some(mode) => Requested::Mode(mode),
                None => return invalid(Fault::Mode),
            },
        };
        let profile = match found.get(Slot::Profile) {
            None => None,
            Some(profile) => match bounded(&inner, profile, PROFILE_LIMIT) {
                None => return invalid(Fault::Profile),
                known => known,
            },
        };
        if let Some(reason) = found.get(Slot::Reason)
            && bounded(&inner, reason, REASON_LIMIT).is_none()
        {
            return invalid(Fault::Reason);
        }
        Reading { requested, profile }
    }
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::new()
    }
}

/// The mode of a value that is spelled as `JSON.stringify` spells a mode alone, which most are: that takes
/// no scan.
fn alone(modes: &Modes, value: &[u8]) -> Option<Mode> {
    let name = value.strip_prefix(br#"{"mode":""#)?.strip_suffix(br#""}"#)?;
    modes.find(std::str::from_utf8(name).ok()?)
}

/// The string a value holds, if it is one of at most `limit` UTF-16 units.
fn bounded(chunks: &[Bytes], value: &Value, limit: usize) -> Option<String> {
    // No unit takes more than the six bytes of \uXXXX: what is longer need not be decoded.
    let Range { start, end } = value.span;
    if value.kind != Kind::String || end - start > limit * 6 + 2 {
        return None;
    }
    let text = text::string(chunks, &value.span);
    (text.encode_utf16().count() <= limit).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modes() -> Modes {
        Modes::new(["default".to_owned(), "fast".to_owned()]).unwrap()
    }

    fn read(value: &str) -> Reading {
        let body = [Bytes::from(format!(r#"{{"processing":{value}}}"#))];
        let wanted = Wanted::new().root("processing", Slot::Contract);
        let found = scan(&wanted, &body).unwrap();
        Reader::new().read(&modes(), &body, found.get(Slot::Contract))
    }

    #[test]
    fn values() {
        let fast = Requested::Mode(modes().find("fast").unwrap());
        let default = Requested::Mode(Mode::DEFAULT);
        let long = |n: usize| format!(r#"{{"mode":"fast","reason":"{}"}}"#, "x".repeat(n));
        let invalid = Requested::Invalid;
        let cases = [
            ("null", Requested::Nothing),
            ("{}", Requested::Nothing),
            (r#"{"reason":"voice"}"#, Requested::Nothing),
            (r#"{"mode":"fast"}"#, fast),
            (r#"{"m\u006fde":"f\u0061st"}"#, fast),
            (r#"{"mode":"default","m\u006fde":"fast"}"#, fast),
            (r#"{"mode":"fast","mode":"default"}"#, default),
            (r#"{"mode":"fast","other":[1,{"mode":"x"}]}"#, fast),
            (r#"{"__proto__":{"mode":"fast"}}"#, Requested::Nothing),
            (r#""fast""#, invalid(Fault::NotAnObject)),
            ("1", invalid(Fault::NotAnObject)),
            ("true", invalid(Fault::NotAnObject)),
            (r#"["fast"]"#, invalid(Fault::NotAnObject)),
            (r#"{"mode":"FAST"}"#, invalid(Fault::Mode)),
            (r#"{"mode":" fast"}"#, invalid(Fault::Mode)),
            (r#"{"mode":"fast\u0000"}"#, invalid(Fault::Mode)),
            (r#"{"mode":["fast"]}"#, invalid(Fault::Mode)),
            (r#"{"mode":1}"#, invalid(Fault::Mode)),
            (r#"{"mode":null}"#, invalid(Fault::Mode)),
            (r#"{"mode":"fast","profile":1}"#, invalid(Fault::Profile)),
            (r#"{"mode":"fast","profile":null}"#, invalid(Fault::Profile)),
            (r#"{"mode":"fast","reason":{}}"#, invalid(Fault::Reason)),
            (&long(256), fast),
            (&long(257), invalid(Fault::Reason)),
            (&long(1 << 20), invalid(Fault::Reason)),
        ];
        for (value, expected) in cases {
            let shown = &value[..value.len().min(60)];
            assert_eq!(read(value).requested, expected, "{shown}");
        }
    }

    #[test]
    fn lengths_are_counted_as_javascript_does() {
        let emoji =
            |n: usize| format!(r#"{{"mode":"fast","profile":"{}"}}"#, "\u{1F600}".repeat(n));
        assert!(read(&emoji(32)).profile.is_some());
        assert_eq!(read(&emoji(33)).requested, Requested::Invalid(Fault::Profile));
        let escaped = format!(r#"{{"mode":"fast","profile":"{}"}}"#, r"\u0061".repeat(64));
        assert_eq!(read(&escaped).profile.as_deref(), Some("a".repeat(64).as_str()));
    }

    #[test]
    fn mode_lists() {
        let list = |names: &[&str]| Modes::new(names.iter().map(|n| (*n).to_owned()));
        for bad in [&[][..], &["a", "a"], &["A"], &[""], &["none"], &["invalid"], &["a b"]] {
            assert_eq!(list(bad), None, "{bad:?}");
        }
        assert_eq!(list(&["a", "b", "c"]).unwrap().listed(), r#""a", "b" or "c""#);
        assert_eq!(list(&["only"]).unwrap().listed(), r#""only""#);
    }
}
