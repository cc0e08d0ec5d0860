//! A moment in UTC as RFC 3339 writes it, in milliseconds since 1970.

/// What a moment may be.
pub(super) const ALLOWED: &str =
    "milliseconds since 1970, or a time in UTC such as \"2026-12-01T09:30:00Z\"";

pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let fraction = (1..=9).contains(&fraction.len()).then_some(fraction)?;
    let nanoseconds: u64 = digits(fraction)? * 10_u64.pow(9 - u32::try_from(fraction.len()).ok()?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let exists = year >= 1970 && (1..=longest).contains(&day);
    if !exists || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * 1000 + nanoseconds / 1_000_000)
}

/// Days since 1970: years that begin in March have their leap day at the end.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    before + (153 * month + 2) / 5 + day - 1 - 719_468
}

fn numbers(text: &str, between: char, lengths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(between);
    let mut values = [0; 3];
    for (value, length) in values.iter_mut().zip(lengths) {
        *value = digits(parts.next().filter(|part| part.len() == length)?)?;
    }
    parts.next().is_none().then_some(values)
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
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
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
