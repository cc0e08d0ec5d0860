//! Durations and sizes: a whole number and a unit in one string. A bare number is refused, since
//! nobody can see its unit.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use crate::rule::{Rule, shown};

/// The shortest wait that means anything.
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);
/// The longest wait that is no mistake.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// 1024 bytes.
pub(crate) const KIB: usize = 1 << 10;
/// 1024 KiB.
pub(crate) const MIB: usize = 1 << 20;
/// 1024 MiB.
pub(crate) const GIB: usize = 1 << 30;

const DURATIONS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// A duration as the file writes it (`250ms`, `30s`, `5m`, `4h`); `None` for anything else. For
/// what speaks the file's language elsewhere, such as the admin API.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let value = DeValue::String(text.into());
    quantity(&value, &DURATIONS).ok().map(Duration::from_millis)
}

/// A duration as the file writes it, in the largest unit that has no remainder.
pub fn shown_duration(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    shown_quantity(milliseconds, &DURATIONS).trim_matches('"').to_owned()
}

/// A duration in a range, such as `"30s"`.
pub(crate) fn duration(range: RangeInclusive<Duration>) -> Rule<Duration> {
    let allowed = allowed_durations(&range);
    Rule::new(allowed, move |value| {
        let milliseconds = quantity(value, &DURATIONS)?;
        let duration = Duration::from_millis(milliseconds);
        range.contains(&duration).then_some(duration).ok_or_else(|| shown(value))
    })
}

/// A duration in a range, or `"off"`.
pub(crate) fn duration_or_off(range: RangeInclusive<Duration>) -> Rule<Option<Duration>> {
    let allowed = format!("{}, or \"off\"", allowed_durations(&range));
    let rule = duration(range);
    Rule::new(allowed, move |value| match value {
        DeValue::String(text) if text == "off" => Ok(None),
        _ => rule.read(value).map(Some),
    })
}

/// A size in bytes in a range, such as `"20MiB"`.
pub(crate) fn size(range: RangeInclusive<usize>) -> Rule<usize> {
    let allowed = format!(
        "a size with its unit (B, KiB, MiB, GiB), {} to {}",
        shown_size(*range.start()),
        shown_size(*range.end())
    );
    Rule::new(allowed, move |value| {
        let bytes = usize::try_from(quantity(value, &SIZES)?).ok();
        bytes.filter(|bytes| range.contains(bytes)).ok_or_else(|| shown(value))
    })
}

/// A size in a range, or `"off"`.
pub(crate) fn size_or_off(range: RangeInclusive<usize>) -> Rule<Option<usize>> {
    let rule = size(range);
    let allowed = format!("{}, or \"off\"", rule.allowed);
    Rule::new(allowed, move |value| match value {
        DeValue::String(text) if text == "off" => Ok(None),
        _ => rule.read(value).map(Some),
    })
}

/// A size as the file writes it, in the largest unit that has no remainder.
pub(crate) fn shown_size(bytes: usize) -> String {
    shown_quantity(bytes as u64, &SIZES)
}

fn allowed_durations(range: &RangeInclusive<Duration>) -> String {
    let shown = |duration: &Duration| {
        shown_quantity(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &DURATIONS)
    };
    format!(
        "a duration with its unit (ms, s, m, h), {} to {}",
        shown(range.start()),
        shown(range.end())
    )
}

/// The number a value stands for in the smallest of the units; the error is what was found.
fn quantity(value: &DeValue<'_>, units: &[(&str, u64)]) -> Result<u64, String> {
    let text = match value {
        DeValue::String(text) => text.as_ref(),
        DeValue::Integer(_) | DeValue::Float(_) => {
            return Err(format!("{}, its unit is missing", shown(value)));
        }
        _ => return Err(shown(value)),
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or(("", text));
    if unit.is_empty() && !number.is_empty() {
        return Err(format!("{}, its unit is missing", shown(value)));
    }
    let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let number = number.parse::<u64>().ok();
    number
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .ok_or_else(|| shown(value))
}

/// The quantity in the largest unit that has no remainder.
fn shown_quantity(quantity: u64, units: &[(&str, u64)]) -> String {
    let whole =
        |(_, factor): &&(&str, u64)| quantity >= *factor && quantity.is_multiple_of(*factor);
    let fits = units.iter().rev().find(whole).or(units.first());
    fits.map_or_else(String::new, |(unit, factor)| format!("\"{}{unit}\"", quantity / factor))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::borrow::Cow;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn string(text: &str) -> DeValue<'_> {
        DeValue::String(Cow::Borrowed(text))
    }

    #[test]
    fn durations() {
        let cases = [
            ("0s", Some(0)),
            ("0ms", Some(0)),
            ("250ms", Some(250)),
            ("30s", Some(30_000)),
            ("5m", Some(300_000)),
            ("4h", Some(14_400_000)),
            ("24h", Some(86_400_000)),
            ("007s", Some(7_000)),
            ("25h", None),
            ("86400001ms", None),
            ("", None),
            ("s", None),
            ("30", None),
            ("30 s", None),
            (" 30s", None),
            ("30S", None),
            ("1d", None),
            ("1h30m", None),
            ("1.5s", None),
            ("-1s", None),
            ("+1s", None),
            ("٣s", None),
            ("18446744073709551615h", None),
            ("18446744073709551616ms", None),
            ("off", None),
        ];
        let rule = duration(Duration::ZERO..=DAY);
        for (text, milliseconds) in cases {
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(rule.read(&string(text)).ok(), expected, "{text}");
        }
    }

    #[test]
    fn off_is_a_duration_only_where_it_may_be() {
        let rule = duration_or_off(SECOND..=DAY);
        assert_eq!(rule.read(&string("off")), Ok(None));
        assert_eq!(rule.read(&string("5s")), Ok(Some(Duration::from_secs(5))));
        for text in ["5ms", "OFF", "0s", "on"] {
            assert_eq!(rule.read(&string(text)), Err(format!("{text:?}")));
        }
        assert_eq!(
            rule.allowed,
            r#"a duration with its unit (ms, s, m, h), "1s" to "24h", or "off""#
        );
    }

    #[test]
    fn off_is_a_size_only_where_it_may_be() {
        let rule = size_or_off(1..=MIB);
        assert_eq!(rule.read(&string("off")), Ok(None));
        assert_eq!(rule.read(&string("2KiB")), Ok(Some(2 * KIB)));
        for text in ["0B", "OFF", "2MiB", "1024"] {
            assert!(rule.read(&string(text)).is_err(), "{text}");
        }
        assert!(rule.allowed.ends_with(", \"1B\" to \"1MiB\", or \"off\""), "{}", rule.allowed);
    }

    #[test]
    fn sizes() {
        let cases = [
            ("0B", Some(0)),
            ("512B", Some(512)),
            ("64KiB", Some(65_536)),
            ("20MiB", Some(20_971_520)),
            ("1GiB", Some(1_073_741_824)),
            ("2GiB", None),
            ("1073741825B", None),
            ("20MB", None),
            ("20M", None),
            ("20mib", None),
            ("20 MiB", None),
            ("1.5MiB", None),
            ("-1B", None),
            ("B", None),
            ("20", None),
            ("", None),
            ("18446744073709551615GiB", None),
        ];
        let rule = size(0..=GIB);
        for (text, bytes) in cases {
            assert_eq!(rule.read(&string(text)).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn shown_as_written() {
        let cases = [(0, "\"0B\""), (1, "\"1B\""), (1_536, "\"1536B\""), (20 * MIB, "\"20MiB\"")];
        for (bytes, text) in cases {
            assert_eq!(shown_size(bytes), text);
        }
    }

    proptest! {
        #[test]
        fn a_size_that_is_shown_reads_back(bytes in 0..=GIB) {
            let shown = shown_size(bytes);
            prop_assert_eq!(size(0..=GIB).read(&string(shown.trim_matches('"'))), Ok(bytes));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,24}") {
            if let Ok(duration) = duration(SECOND..=DAY).read(&string(&text)) {
                prop_assert!((SECOND..=DAY).contains(&duration));
            }
            if let Ok(bytes) = size(KIB..=MIB).read(&string(&text)) {
                prop_assert!((KIB..=MIB).contains(&bytes));
            }
        }
    }
}
