//! JSON as the Node programs read it: what `JSON.parse` accepts, at any depth. Values stay the
//! text they came as; what a value means is the caller's.

use super::js_text::JsText;

/// One valid JSON value, as the text that it stood as.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// The value of a whole text; `None` where `JSON.parse` throws.
    pub fn parse(text: &'a str) -> Option<Json<'a>> {
        let bytes = text.as_bytes();
        let start = skip_space(bytes, 0);
        let end = value_end(bytes, start)?;
        if skip_space(bytes, end) < bytes.len() {
            return None;
        }
        text.get(start..end).map(Json)
    }

    /// Whether it is an object, which an array is not.
    pub fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Whether it is an array.
    pub fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// Whether it is `true`.
    pub fn is_true(self) -> bool {
        self.0 == "true"
    }

    /// Whether it is a number.
    pub fn is_number(self) -> bool {
        self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit())
    }

    /// What JavaScript counts as false: `null`, `false`, zero and the empty string.
    pub fn is_falsy(self) -> bool {
        let zero = self.is_number() && self.0.parse() == Ok(0.0);
        zero || matches!(self.0, "null" | "false" | "\"\"")
    }

    /// An object's member: of several with this name the last.
    pub fn member(self, name: &str) -> Option<Json<'a>> {
        let name = JsText::from(name);
        let mut found = None;
        let mut rest = self.0.strip_prefix('{').unwrap_or_default();
        while let Some((key, after)) = first_value(rest) {
            let (value, after) = first_value(after)?;
            if key.string().as_ref() == Some(&name) {
                found = Some(value);
            }
            rest = after;
        }
        found
    }

    /// An array's items; nothing for what is no array.
    pub fn items(self) -> Vec<Json<'a>> {
        let mut items = Vec::new();
        let mut rest = self.0.strip_prefix('[').unwrap_or_default();
        while let Some((item, after)) = first_value(rest) {
            items.push(item);
            rest = after;
        }
        items
    }

    /// A string's value; `None` for what is no string.
    pub fn string(self) -> Option<JsText> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        let mut units = Vec::with_capacity(inner.len());
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                units.extend(c.encode_utf16(&mut [0; 2]).iter());
                continue;
            }
            units.push(match chars.next()? {
                'b' => 0x08,
                'f' => 0x0c,
                'n' => 0x0a,
                'r' => 0x0d,
                't' => 0x09,
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    u16::from_str_radix(&digits, 16).ok()?
                }
                same => u16::try_from(u32::from(same)).ok()?,
            });
        }
        Some(JsText::from(units))
    }

    /// What `JSON.stringify(JSON.parse(…))` would write, but that numbers, escapes and duplicate
    /// members stay as they were: the space between tokens is gone.
    pub fn compact(self) -> String {
        let mut written = String::with_capacity(self.0.len());
        let mut rest = self.0;
        while let Some(c) = rest.chars().next() {
            let length = match c {
                '"' => string_end(rest.as_bytes(), 0).unwrap_or(rest.len()),
                _ => c.len_utf8(),
            };
            let (token, after) = rest.split_at(length);
            if !matches!(c, ' ' | '\t' | '\n' | '\r') {
                written.push_str(token);
            }
            rest = after;
        }
        written
    }
}

/// The next value inside a container whose text is known to be valid, and what follows it.
fn first_value(text: &str) -> Option<(Json<'_>, &str)> {
    let start = text.find(|c: char| !matches!(c, ' ' | '\t' | '\n' | '\r' | ',' | ':'))?;
    let end = value_end(text.as_bytes(), start)?;
    Some((Json(text.get(start..end)?), text.get(end..)?))
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Where the value that starts at `at` ends; an explicit stack, so that depth costs no stack.
fn value_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut open = Vec::new();
    loop {
        at = skip_space(bytes, at);
        at = match bytes.get(at)? {
            b'{' => match skip_space(bytes, at + 1) {
                inner if bytes.get(inner) == Some(&b'}') => inner + 1,
                inner => {
                    open.push(b'}');
                    at = key_end(bytes, inner)?;
                    continue;
                }
            },
            b'[' => match skip_space(bytes, at + 1) {
                inner if bytes.get(inner) == Some(&b']') => inner + 1,
                inner => {
                    open.push(b']');
                    at = inner;
                    continue;
                }
            },
            b'"' => string_end(bytes, at)?,
            b'-' | b'0'..=b'9' => number_end(bytes, at)?,
            _ => {
                let rest = bytes.get(at..)?;
                let literals: [&[u8]; 3] = [b"true", b"false", b"null"];
                at + literals.into_iter().find(|word| rest.starts_with(word))?.len()
            }
        };
        while let Some(&closer) = open.last() {
            at = skip_space(bytes, at);
            let byte = *bytes.get(at)?;
            at += 1;
            if byte == b',' {
                if closer == b'}' {
                    at = key_end(bytes, skip_space(bytes, at))?;
                }
                break;
            }
            if byte != closer {
                return None;
            }
            open.pop();
        }
        if open.is_empty() {
            return Some(at);
        }
    }
}

fn key_end(bytes: &[u8], at: usize) -> Option<usize> {
    let colon = skip_space(bytes, string_end(bytes, at)?);
    (bytes.get(colon) == Some(&b':')).then_some(colon + 1)
}

fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => {
                at += match bytes.get(at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                    b'u' => {
                        let digits = bytes.get(at + 2..at + 6)?;
                        digits.iter().all(u8::is_ascii_hexdigit).then_some(6)?
                    }
                    _ => return None,
                }
            }
            0..0x20 => return None,
            _ => at += 1,
        }
    }
}

fn number_end(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = |from: usize| {
        let count = bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
        (count > 0).then_some(from + count)
    };
    let first = at + usize::from(bytes.get(at) == Some(&b'-'));
    let mut end = match bytes.get(first)? {
        b'0' => first + 1,
        _ => digits(first)?,
    };
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign)?;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_json_parse_accepts() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let accepted = [
            "null",
            " 1 ",
            "-0",
            "1E400",
            "0.5e-3",
            "\"\\ud83d\"",
            "\"\\/\"",
            "{}",
            "[ ]",
            "{\"a\":1,\"a\":[{},[]] }",
            "[1,\"]\",{\"}\":2}]",
            deep.as_str(),
        ];
        for text in accepted {
            assert!(Json::parse(text).is_some(), "{text:.40}");
        }
        let refused = [
            "",
            " ",
            "{bad",
            "01",
            "+1",
            ".5",
            "1.",
            "1e",
            "nul",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{1:2}",
            "[1}",
            "\"a",
            "\"\\x41\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "1 2",
            "\u{feff}1",
            "{}\0",
            "[",
            "'a'",
        ];
        for text in refused {
            assert!(Json::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn members_and_items() {
        let json = Json::parse(r#"{"a" : 1 , "p":{"a":9}, "\u0061":[ {"x":"y, z"}, 2 ]}"#).unwrap();
        let items = json.member("a").unwrap().items();
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].member("x").unwrap().string(), Some(JsText::from("y, z")));
        assert!(json.member("x").is_none());
        assert_eq!(json.compact(), r#"{"a":1,"p":{"a":9},"\u0061":[{"x":"y, z"},2]}"#);
        for falsy in ["0", "-0.0", "null", "false", "\"\""] {
            assert!(Json::parse(falsy).unwrap().is_falsy(), "{falsy}");
        }
        assert!(!Json::parse("[]").unwrap().is_falsy());
    }
}
