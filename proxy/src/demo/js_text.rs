//! A JavaScript string: compared, trimmed and written as the Node programs do it.

use std::fmt::Write;

/// A JavaScript string: UTF-16 units, surrogates alone included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsText(Vec<u16>);

impl JsText {
    /// What `trim()` leaves.
    pub fn trimmed(&self) -> JsText {
        let kept = self.0.iter().position(|unit| !is_js_space(*unit));
        let last = self.0.iter().rposition(|unit| !is_js_space(*unit));
        match (kept, last) {
            (Some(first), Some(last)) => {
                JsText(self.0.get(first..=last).unwrap_or_default().to_vec())
            }
            _ => JsText::default(),
        }
    }

    /// Whether it has no units.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds another at the end.
    pub fn push(&mut self, more: &JsText) {
        self.0.extend_from_slice(&more.0);
    }

    /// The text where only its characters matter: a surrogate that stands alone as U+FFFD.
    pub fn to_lossy(&self) -> String {
        String::from_utf16_lossy(&self.0)
    }

    /// What `JSON.stringify` writes: a surrogate that stands alone as an escape.
    pub fn quoted(&self) -> String {
        let mut json = String::with_capacity(self.0.len() + 2);
        json.push('"');
        for unit in char::decode_utf16(self.0.iter().copied()) {
            // Writing to a String cannot fail.
            let _ = match unit {
                Ok('"') => write!(json, "\\\""),
                Ok('\\') => write!(json, "\\\\"),
                Ok('\u{8}') => write!(json, "\\b"),
                Ok('\u{c}') => write!(json, "\\f"),
                Ok('\n') => write!(json, "\\n"),
                Ok('\r') => write!(json, "\\r"),
                Ok('\t') => write!(json, "\\t"),
                Ok(c) if c < ' ' => write!(json, "\\u{:04x}", u32::from(c)),
                Ok(c) => write!(json, "{c}"),
                Err(lone) => write!(json, "\\u{:04x}", lone.unpaired_surrogate()),
            };
        }
        json.push('"');
        json
    }
}

impl From<&str> for JsText {
    fn from(text: &str) -> JsText {
        JsText(text.encode_utf16().collect())
    }
}

impl From<Vec<u16>> for JsText {
    fn from(units: Vec<u16>) -> JsText {
        JsText(units)
    }
}

/// White space and line terminators of ECMA-262: U+FEFF is one, U+0085 is not.
fn is_js_space(unit: u16) -> bool {
    matches!(
        unit,
        0x09..=0x0d | 0x20 | 0xa0 | 0x1680 | 0x2000..=0x200a | 0x2028 | 0x2029 | 0x202f | 0x205f | 0x3000 | 0xfeff
    )
}

#[cfg(test)]
mod tests {
    use crate::demo::json::Json;

    #[test]
    fn texts() {
        struct Case {
            name: &'static str,
            json: &'static str,
            trimmed: &'static str,
        }
        let cases = [
            Case { name: "plain", json: r#""  hi \n""#, trimmed: r#""hi""# },
            Case { name: "byte order mark goes", json: r#""\ufeffhi""#, trimmed: r#""hi""# },
            Case { name: "next line stays", json: r#""\u0085hi""#, trimmed: "\"\u{85}hi\"" },
            Case { name: "escapes", json: r#""a\"\\\/\b\u001f""#, trimmed: r#""a\"\\/\b\u001f""# },
            Case { name: "pair", json: r#""\ud83d\ude00""#, trimmed: "\"😀\"" },
            Case { name: "lone surrogate", json: r#""\uD83D!""#, trimmed: r#""\ud83d!""# },
            Case { name: "only space", json: r#"" \u3000 ""#, trimmed: r#""""# },
        ];
        for case in cases {
            let text = Json::parse(case.json).unwrap().string().unwrap();
            assert_eq!(text.trimmed().quoted(), case.trimmed, "{}", case.name);
        }
    }
}
