//! Where each dialect keeps the contract member, the room and what its conversations are told
//! apart by.

use bytes::Bytes;

use crate::room;
use crate::route::Route;
use crate::scan::{Found, Kind, Slot, Value, Wanted};
use crate::text;

/// How a route carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// REST chat: `{"text", "processing"}`.
    Conversation,
    /// OpenAI's chat completions.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// JSON-RPC: `{"method", "params": {"text", "roomId", "processing"}}`.
    Rpc,
}

impl Dialect {
    /// Every dialect, in the order of the metrics' labels.
    pub const ALL: [Dialect; 4] =
        [Dialect::Conversation, Dialect::OpenAi, Dialect::Anthropic, Dialect::Rpc];

    /// The word that logs, metrics and commands use.
    pub fn word(self) -> &'static str {
        match self {
            Dialect::Conversation => "conversation",
            Dialect::OpenAi => "openai",
            Dialect::Anthropic => "anthropic",
            Dialect::Rpc => "rpc",
        }
    }
}

/// The members that each dialect's bodies are scanned for. Built once per configuration.
#[derive(Clone, Debug)]
pub struct Dialects {
    conversation: Wanted,
    completions: Wanted,
    rpc: Wanted,
}

impl Dialects {
    /// The dialects, with the contract's member of this name.
    pub fn new(field: &str) -> Dialects {
        Dialects {
            conversation: Wanted::new().root(field, Slot::Contract).root("text", Slot::Text),
            completions: Wanted::new()
                .root(field, Slot::Contract)
                .root("messages", Slot::Text)
                .root("system", Slot::System)
                .root("user", Slot::User)
                .within("metadata", "conversation_id", Slot::ConversationId)
                .within("metadata", "conversationId", Slot::ConversationIdCamel)
                .within("metadata", "user_id", Slot::UserId),
            rpc: Wanted::new()
                .root("method", Slot::Method)
                .root("id", Slot::Id)
                .root("params", Slot::Params)
                .within("params", field, Slot::Contract)
                .within("params", "text", Slot::Text)
                .within("params", "roomId", Slot::Room),
        }
    }

    /// What to scan a body of this dialect for.
    pub fn wanted(&self, dialect: Dialect) -> &Wanted {
        match dialect {
            Dialect::Conversation => &self.conversation,
            Dialect::OpenAi | Dialect::Anthropic => &self.completions,
            Dialect::Rpc => &self.rpc,
        }
    }
}

/// Which conversation a message belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The room as the cloud leg names it; `None` where it is not known.
    pub room: Option<String>,
    /// What tells this conversation from others, where it is not the room itself.
    conversation_key: Option<String>,
}

impl Place {
    /// In the room of this name.
    pub fn room(name: &str) -> Place {
        Place { room: Some(name.to_owned()), conversation_key: None }
    }

    /// Where the message of a scanned body belongs.
    pub fn of(route: &Route, found: &Found, chunks: &[Bytes]) -> Place {
        match route.dialect {
            Dialect::Conversation => match &route.conversation {
                None => Place::room("web-chat"),
                Some(id) => Place { room: room::of_conversation(id), conversation_key: None },
            },
            Dialect::OpenAi => Place {
                conversation_key: completions_key(found, chunks),
                ..Place::room("openai-compat")
            },
            Dialect::Anthropic => Place {
                conversation_key: completions_key(found, chunks),
                ..Place::room("anthropic-compat")
            },
            Dialect::Rpc => {
                let room = found.get(Slot::Room).and_then(|value| string(value, chunks));
                Place { room, conversation_key: None }
            }
        }
    }

    /// The place's bucket key: the room, or what takes its place; none for the shared rooms.
    pub fn bucket_key(&self) -> Option<&str> {
        let key = self.conversation_key.as_deref().or(self.room.as_deref())?;
        (!room::is_shared(key)).then_some(key)
    }
}

/// What the `/v1` routes tell conversations apart by: `user`, else the metadata's conversation,
/// else its user; the first 120 UTF-16 units.
fn completions_key(found: &Found, chunks: &[Bytes]) -> Option<String> {
    let sources = [Slot::User, Slot::ConversationId, Slot::ConversationIdCamel, Slot::UserId];
    let key = sources
        .into_iter()
        .filter_map(|slot| found.get(slot))
        .filter_map(|value| string(value, chunks))
        .find(|key| !key.is_empty())?;
    if key.len() <= 120 {
        return Some(key);
    }
    let units: Vec<u16> = key.encode_utf16().take(120).collect();
    Some(String::from_utf16_lossy(&units))
}

fn string(value: &Value, chunks: &[Bytes]) -> Option<String> {
    (value.kind == Kind::String).then(|| text::string(chunks, &value.span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Carries, Leg, route};
    use crate::scan::scan;
    use http::Method;

    fn place(leg: Leg, target: &str, body: &str) -> Place {
        let route = route(leg, &Method::POST, Carries::Body, target).unwrap();
        let chunks = [Bytes::copy_from_slice(body.as_bytes())];
        let found = scan(Dialects::new("processing").wanted(route.dialect), &chunks).unwrap();
        Place::of(&route, &found, &chunks)
    }

    #[test]
    fn rooms_and_keys() {
        let conversation = "/api/conversations/92df569d-c294-49f4-9d7b-ac722fb09c35/messages";
        let derived = "4c0bfadd-cf7e-06a4-b331-7621617a2f84";
        let bridge = "/api/v1/milady/agents/a/bridge";
        let cases = [
            (Leg::Frontend, conversation, "{}", Some(derived), Some(derived)),
            (Leg::Frontend, "/api/conversations/%zz/messages", "{}", None, None),
            (Leg::Frontend, "/api/chat", "{}", Some("web-chat"), None),
            (Leg::Frontend, "/v1/messages", "{}", Some("anthropic-compat"), None),
            (Leg::Frontend, "/v1/messages", r#"{"user":"u"}"#, Some("anthropic-compat"), Some("u")),
            (
                Leg::Frontend,
                "/v1/chat/completions",
                r#"{"user":"","metadata":{"user_id":"w","conversation_id":"c"}}"#,
                Some("openai-compat"),
                Some("c"),
            ),
            (
                Leg::Frontend,
                "/v1/chat/completions",
                r#"{"user":1,"metadata":{"conversationId":"d"}}"#,
                Some("openai-compat"),
                Some("d"),
            ),
            (
                Leg::Frontend,
                "/v1/chat/completions",
                r#"{"user":"default"}"#,
                Some("openai-compat"),
                None,
            ),
            (
                Leg::Frontend,
                "/v1/chat/completions",
                r#"{"metadata":{"user_id":"a"},"metadata":{}}"#,
                Some("openai-compat"),
                None,
            ),
            (Leg::Bridge, bridge, r#"{"params":{"roomId":"r"}}"#, Some("r"), Some("r")),
            (Leg::Bridge, bridge, r#"{"par\u0061ms":{"room\u0049d":"r"}}"#, Some("r"), Some("r")),
            (Leg::Bridge, bridge, r#"{"params":{"roomId":"r"},"params":{}}"#, None, None),
            (Leg::Bridge, bridge, r#"{"params":{"roomId":1}}"#, None, None),
            (Leg::Bridge, bridge, r#"{"params":{"roomId":"web-chat"}}"#, Some("web-chat"), None),
            (
                Leg::Bridge,
                bridge,
                r#"{"params":{"roomId":" a\ud800"}}"#,
                Some(" a\u{fffd}"),
                Some(" a\u{fffd}"),
            ),
            (Leg::Runtime, "/bridge", r#"{"method":"heartbeat"}"#, None, None),
        ];
        for (leg, target, body, room, key) in cases {
            let place = place(leg, target, body);
            assert_eq!((place.room.as_deref(), place.bucket_key()), (room, key), "{target} {body}");
        }
    }

    #[test]
    fn long_users_are_cut_as_javascript_cuts() {
        let body = format!(r#"{{"user":"{}"}}"#, "\u{1F600}".repeat(80));
        let place = place(Leg::Frontend, "/v1/messages", &body);
        assert_eq!(place.bucket_key().unwrap(), "\u{1F600}".repeat(60));
    }
}
