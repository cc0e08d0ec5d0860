//! A moment in UTC as RFC 3339 writes it, in milliseconds since 1970.

use chrono::DateTime;

/// What a moment may be.
pub(super) const ALLOWED: &str =
    "milliseconds since 1970, or a time in UTC such as \"2026-12-01T09:30:00Z\"";

/// The longest moment: one with nanoseconds.
const LONGEST: usize = "2026-12-01T09:30:00.123456789Z".len();

pub(super) fn milliseconds(text: &str) -> Option<u64> {
    // One of the spellings that RFC 3339 allows, without offsets and leap seconds.
    let plain = text.len() <= LONGEST && text.ends_with('Z') && text.get(10..11) == Some("T");
    let moment = DateTime::parse_from_rfc3339(text).ok().filter(|_| plain)?;
    let is_leap = moment.timestamp_subsec_nanos() >= 1_000_000_000;
    u64::try_from(moment.timestamp_millis()).ok().filter(|_| !is_leap)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn moments() {
        let cases = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00Z", Some(951_825_600_000)),
            ("2026-11-25T07:32:04Z", Some(1_795_591_924_000)),
            ("2026-11-25T07:32:04.25Z", Some(1_795_591_924_250)),
            ("2100-03-01T00:00:00Z", Some(4_107_542_400_000)),
            ("2100-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-11-25T24:00:00Z", None),
            ("2026-11-25T07:32:04", None),
            ("2026-11-25T07:32:04+01:00", None),
            ("2026-11-25T07:32:04.Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("+026-11-25T07:32:04Z", None),
            ("2026-11-25T07:32:60Z", None),
            ("2026-11-25T07:32:04.123456789Z", Some(1_795_591_924_123)),
            ("2026-11-25T07:32:04.1234567891Z", None),
            ("2026-11-25 07:32:04Z", None),
            ("2026-11-25T07:32:04z", None),
            ("2026-1-25T07:32:04Z", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
