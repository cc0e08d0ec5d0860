//! What a value may be: a text that says it and a function that decides it, kept together so
//! that a report never says other than what is enforced.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::de::DeValue;

/// The longest piece of a value that a report repeats, in characters.
const SHOWN: usize = 80;

type Parse<T> = dyn Fn(&DeValue<'_>) -> Result<T, String>;

/// What one value may be.
pub(crate) struct Rule<T> {
    /// What is allowed, as a report says it.
    pub(crate) allowed: String,
    parse: Box<Parse<T>>,
}

impl<T: 'static> Rule<T> {
    /// A rule; the function's error is what was found, as a report says it.
    pub(crate) fn new(
        allowed: impl Into<String>,
        parse: impl Fn(&DeValue<'_>) -> Result<T, String> + 'static,
    ) -> Rule<T> {
        Rule { allowed: allowed.into(), parse: Box::new(parse) }
    }

    /// A rule for strings, shown as they were written where the function says `None`.
    pub(crate) fn text(
        allowed: impl Into<String>,
        parse: impl Fn(&str) -> Option<T> + 'static,
    ) -> Rule<T> {
        Rule::new(allowed, move |value| match value {
            DeValue::String(text) => parse(text).ok_or_else(|| shown(value)),
            _ => Err(shown(value)),
        })
    }

    /// A rule for strings that may be secret: where the function says `None`, a report gives the
    /// length only.
    pub(crate) fn discreet(
        allowed: impl Into<String>,
        parse: impl Fn(&str) -> Option<T> + 'static,
    ) -> Rule<T> {
        Rule::new(allowed, move |value| match value {
            DeValue::String(text) => {
                parse(text).ok_or_else(|| format!("a string of {} bytes", text.len()))
            }
            _ => Err(shown(value)),
        })
    }

    /// Reads a value; the error is what was found.
    pub(crate) fn read(&self, value: &DeValue<'_>) -> Result<T, String> {
        (self.parse)(value)
    }
}

/// `true` or `false`.
pub(crate) fn boolean() -> Rule<bool> {
    Rule::new("true or false", |value| match value {
        DeValue::Boolean(value) => Ok(*value),
        _ => Err(shown(value)),
    })
}

/// An integer in a range.
pub(crate) fn integer(range: RangeInclusive<usize>) -> Rule<usize> {
    let allowed = format!("an integer from {} to {}", range.start(), range.end());
    Rule::new(allowed, move |value| {
        let DeValue::Integer(integer) = value else {
            return Err(shown(value));
        };
        usize::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| shown(value))
    })
}

/// A number in a range, whole or not.
pub(crate) fn number(range: RangeInclusive<f64>) -> Rule<f64> {
    let allowed = format!("a number from {} to {}", range.start(), range.end());
    Rule::new(allowed, move |value| {
        let number = match value {
            DeValue::Float(float) => float.as_str().parse().ok(),
            DeValue::Integer(integer) => {
                u32::from_str_radix(integer.as_str(), integer.radix()).ok().map(f64::from)
            }
            _ => None,
        };
        number.filter(|number| range.contains(number)).ok_or_else(|| shown(value))
    })
}

/// One of a few words.
pub(crate) fn word<T: Copy + 'static, const N: usize>(words: [(&'static str, T); N]) -> Rule<T> {
    let names: Vec<String> = words.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let allowed = match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    };
    Rule::text(allowed, move |text| {
        words.iter().find(|(name, _)| *name == text).map(|(_, meaning)| *meaning)
    })
}

/// A string of at most so many bytes that is fit to be shown.
pub(crate) fn plain(limit: usize) -> Rule<String> {
    let allowed = format!("a string of 1 to {limit} bytes without control characters");
    Rule::text(allowed, move |text| {
        let plain = !text.chars().any(char::is_control);
        (plain && (1..=limit).contains(&text.len())).then(|| text.to_owned())
    })
}

/// A file's path, `None` for the empty string.
pub(crate) fn file() -> Rule<Option<PathBuf>> {
    Rule::text("a file's path, or \"\" for none", |text| {
        let path = (!text.is_empty()).then(|| PathBuf::from(text));
        (!text.contains('\0')).then_some(path)
    })
}

/// A value as a report shows it: on one line and not too long.
pub(crate) fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(integer) => shortened(&integer.to_string()),
        DeValue::Float(float) => shortened(&float.to_string()),
        DeValue::Boolean(boolean) => boolean.to_string(),
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::Array(list) => format!("a list of {}", list.len()),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// What a value is, without the value.
pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A string in quotes, control characters escaped, not too long.
pub(crate) fn quoted(text: &str) -> String {
    if text.chars().nth(SHOWN).is_none() {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start:?}…")
}

fn shortened(text: &str) -> String {
    if text.chars().nth(SHOWN).is_none() {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}
