//! What a message says, as the server behind will send it on: legs are joined by it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use bytes::Bytes;

use crate::dialect::Dialect;
use crate::scan::{Kind, Slot, Wanted, scan};
use crate::text;

/// So much of a message tells it from others, in bytes.
pub const LIMIT: usize = 64 * 1024;
/// The longest history that a prompt is looked for in: what the `/v1` routes take.
const HISTORY_LIMIT: usize = 1024 * 1024;
/// The most turns of a history, and parts of a turn, that are looked at.
const TURNS: usize = 4096;

/// Where a body keeps what its message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The text, quotes included; of the `/v1` routes `messages` whole.
    pub text: Option<Range<usize>>,
    /// `system` of `/v1/messages`.
    pub system: Option<Range<usize>>,
}

impl Said {
    /// The message's text as the bridge leg will carry it, trimmed as JavaScript does, its first
    /// [`LIMIT`] bytes. `None` where there is none, or nothing that its server would send on.
    pub fn text<'c>(&self, dialect: Dialect, chunks: &'c [Bytes]) -> Option<Cow<'c, str>> {
        let span = self.text.as_ref()?;
        let text = match dialect {
            Dialect::Conversation | Dialect::Rpc => {
                let literal = text::raw(chunks, &(span.start..span.start + 1));
                literal.starts_with(b"\"").then(|| text::trimmed(chunks, span, LIMIT))?
            }
            _ if span.len() > HISTORY_LIMIT => return None,
            Dialect::OpenAi => Cow::Owned(prompt(None, &text::raw(chunks, span))?),
            Dialect::Anthropic => {
                let system = self.system.as_ref().filter(|span| span.len() <= HISTORY_LIMIT);
                let system = system.map(|span| text::raw(chunks, span));
                Cow::Owned(prompt(system.as_deref(), &text::raw(chunks, span))?)
            }
        };
        (!text.is_empty()).then_some(text)
    }
}

/// What system and developer say, a blank line between any two, and the last thing that the user
/// said (wire facts, "/v1 body facts").
fn prompt(system: Option<&[u8]>, messages: &[u8]) -> Option<String> {
    let mut parts: Vec<String> = system.map(content).into_iter().collect();
    let mut user = None;
    for message in elements(messages)?.into_iter().filter(|message| message.starts_with(b"{")) {
        let message = [Bytes::copy_from_slice(message)];
        let Ok(found) = scan(&MESSAGE, &message) else { continue };
        let member = |slot| found.get(slot).map(|value| text::raw(&message, &value.span));
        let (Some(role), Some(said)) = (member(Slot::Mode), member(Slot::Text)) else { continue };
        match string(&role).as_deref() {
            Some("system" | "developer") => parts.push(content(&said)),
            Some("user") => user = Some(content(&said)).filter(|text| !text.is_empty()).or(user),
            _ => {}
        }
    }
    parts.push(user?);
    parts.retain(|part| !part.is_empty());
    Some(text::trim(&parts.join("\n\n"), LIMIT).to_owned())
}

/// A message's members: its role in [`Slot::Mode`], its content in [`Slot::Text`].
static MESSAGE: LazyLock<Wanted> =
    LazyLock::new(|| Wanted::new().root("role", Slot::Mode).root("content", Slot::Text));
/// A part's members: its type in [`Slot::Mode`], its text in [`Slot::Text`].
static PART: LazyLock<Wanted> =
    LazyLock::new(|| Wanted::new().root("type", Slot::Mode).root("text", Slot::Text));

/// What a content says: a string, `{text}`, or parts of the type `text`; trimmed.
fn content(json: &[u8]) -> String {
    let said = match json.first() {
        Some(b'"') => string(json).unwrap_or_default(),
        Some(b'{') => part(json).map(|(_, text)| text).unwrap_or_default(),
        _ => elements(json)
            .into_iter()
            .flatten()
            .filter(|part| part.starts_with(b"{"))
            .filter_map(part)
            .filter(|(kind, _)| kind.as_deref() == Some("text"))
            .map(|(_, text)| text)
            .collect(),
    };
    text::trim(&said, usize::MAX).to_owned()
}

/// A part's type and text.
fn part(json: &[u8]) -> Option<(Option<String>, String)> {
    let part = [Bytes::copy_from_slice(json)];
    let found = scan(&PART, &part).ok().filter(|found| found.root == Kind::Object)?;
    let member = |slot| {
        let value = found.get(slot)?;
        string(&text::raw(&part, &value.span))
    };
    Some((member(Slot::Mode), member(Slot::Text)?))
}

/// The string that a literal denotes, where it is one.
fn string(json: &[u8]) -> Option<String> {
    let inside = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    Some(text::unescape(inside))
}

/// The elements of a well-formed array, as they are written; `None` of anything else, and of one
/// that has too many.
fn elements(array: &[u8]) -> Option<Vec<&[u8]>> {
    let inside = array.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let mut elements = Vec::new();
    let (mut depth, mut start, mut at) = (0_usize, 0, 0);
    while let Some(byte) = inside.get(at) {
        match byte {
            b'"' => at += string_length(inside.get(at + 1..)?),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 && elements.len() == TURNS => return None,
            b',' if depth == 0 => {
                elements.push(inside.get(start..at)?.trim_ascii());
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    elements.push(inside.get(start..)?.trim_ascii());
    Some(elements)
}

/// How long the rest of a string is, its closing quote included.
fn string_length(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(next) = memchr::memchr2(b'"', b'\\', rest.get(at..).unwrap_or(&[])) {
        at += next + 1;
        if rest.get(at - 1) == Some(&b'"') {
            return at;
        }
        at += 1;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(dialect: Dialect, text: &str, system: Option<&str>) -> Option<String> {
        let system = system.unwrap_or_default();
        let body = format!("{text}{system}");
        let said = Said {
            text: Some(0..text.len()),
            system: (!system.is_empty()).then_some(text.len()..body.len()),
        };
        let whole = said.text(dialect, &[Bytes::from(body.clone())]).map(Cow::into_owned);
        let bytes: Vec<Bytes> = body.bytes().map(|byte| Bytes::from(vec![byte])).collect();
        assert_eq!(said.text(dialect, &bytes).map(Cow::into_owned), whole, "{body}");
        whole
    }

    #[test]
    fn texts() {
        for dialect in [Dialect::Conversation, Dialect::Rpc] {
            let cases = [
                (r#"" hi \n""#, Some("hi")),
                (r#""\ud83d""#, Some("\u{fffd}")),
                (r#""""#, None),
                (r#""   ""#, None),
                ("7", None),
                ("null", None),
                (r#"["hi"]"#, None),
            ];
            for (text, expected) in cases {
                assert_eq!(said(dialect, text, None).as_deref(), expected, "{text}");
            }
        }
        assert_eq!(Said::default().text(Dialect::Rpc, &[]), None);
    }

    #[test]
    fn prompts() {
        let (openai, anthropic) = (Dialect::OpenAi, Dialect::Anthropic);
        let user = r#"{"role":"user","content":"hi"}"#;
        let turns = r#"[{"role":"system","content":" s "},{"role":"user","content":"a"},
            {"role":"assistant","content":"x, ]} \" y"},{"content":"b\\","role":"user"},
            {"role":"developer","content":"d"},{"role":"user","content":"  "},{"role":"user"},7,[]]"#;
        let parts = r#"[{"role":"user","content":[{"type":"text","text":"a "},{"type":"image","text":"no"},
            {"type":"text","text":"b"},"c"]}]"#;
        let text = r#"[{"role":"user","content":{"text":" t "}}]"#;
        let one = format!("[{user}]");
        let cases = [
            (openai, one.as_str(), None, Some("hi")),
            (openai, turns, None, Some("s\n\nd\n\nb\\")),
            (openai, parts, None, Some("a b")),
            (openai, text, None, Some("t")),
            (openai, "[]", None, None),
            (openai, r#"[{"role":"assistant","content":"hi"}]"#, None, None),
            (openai, user, None, None),
            (openai, "null", None, None),
            (openai, &one, Some(r#""system""#), Some("hi")),
            (anthropic, &one, Some(r#""system""#), Some("system\n\nhi")),
            (anthropic, &one, Some(r#"[{"type":"text","text":"sys"}]"#), Some("sys\n\nhi")),
            (anthropic, &one, Some("7"), Some("hi")),
        ];
        for (dialect, messages, system, expected) in cases {
            assert_eq!(said(dialect, messages, system).as_deref(), expected, "{messages}");
        }
    }
}
