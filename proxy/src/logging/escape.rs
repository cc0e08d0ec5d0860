//! One event, one line, whoever reads it: what JSON may hold raw but a terminal or a line splitter
//! acts on is written as `\uXXXX`, which says the same.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use tracing_appender::non_blocking::NonBlocking;
use tracing_subscriber::fmt::MakeWriter;

/// Writes whole lines to the writer within, escaped.
#[derive(Clone, Debug)]
pub struct Escaped(pub NonBlocking);

impl<'w> MakeWriter<'w> for Escaped {
    type Writer = Escaped;

    fn make_writer(&'w self) -> Escaped {
        self.clone()
    }
}

impl io::Write for Escaped {
    /// Takes a line whole, as the formatter gives it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) => self.0.write_all(escape(text).as_bytes())?,
            Err(_) => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A line of JSON without what ends a line, starts a terminal's sequence or turns the direction of
/// what follows. JSON itself escapes what is below U+0020; outside of its strings all is ASCII.
fn escape(line: &str) -> Cow<'_, str> {
    if line.is_ascii() && !line.as_bytes().contains(&0x7f) {
        return Cow::Borrowed(line);
    }
    let mut escaped = String::with_capacity(line.len() + 16);
    for letter in line.chars() {
        match acts(letter) {
            // What acts is in the basic plane, so that one unit says it.
            true => drop(write!(escaped, "\\u{:04x}", u32::from(letter))),
            false => escaped.push(letter),
        }
    }
    Cow::Owned(escaped)
}

fn acts(letter: char) -> bool {
    matches!(letter,
        '\u{7f}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_escaped_and_says_the_same() {
        let cases = [
            ("plain \"text\" \\n", false),
            ("äöü 日本語 \u{1f600}", false),
            ("\u{7f}", true),
            ("\u{85}\u{9b}31m", true),
            ("a\u{2028}b\u{2029}c", true),
            ("\u{202e}abc\u{2066}\u{61c}\u{200f}\u{feff}", true),
        ];
        for (text, acts) in cases {
            let line = serde_json::json!({ "text": text }).to_string() + "\n";
            let escaped = escape(&line);
            assert_eq!(escaped != line, acts, "{text:?}");
            assert!(escaped.ends_with("}\n") && !escaped.chars().any(super::acts), "{escaped:?}");
            let read: serde_json::Value = serde_json::from_str(&escaped).unwrap();
            assert_eq!(read["text"], text, "{escaped:?}");
        }
    }
}
