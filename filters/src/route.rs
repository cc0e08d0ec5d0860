//! Which requests carry a message: leg, method and target to a route.
//!
//! Paths are those that `new URL(target, base).pathname` gives, matched exactly, since that is
//! how the servers behind match.

use http::Method;

use crate::dialect::Dialect;
use crate::target::pathname;

/// A listener's place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leg {
    /// Frontend client to API server.
    Frontend,
    /// API server to cloud proxy.
    Bridge,
    /// Cloud proxy to runtime entrypoint.
    Runtime,
}

impl Leg {
    /// Every leg, in the order of the chain.
    pub const ALL: [Leg; 3] = [Leg::Frontend, Leg::Bridge, Leg::Runtime];

    /// The word that configuration, logs and metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Leg::Frontend => "frontend",
            Leg::Bridge => "bridge",
            Leg::Runtime => "runtime",
        }
    }

    /// The leg with this word.
    pub fn from_word(word: &str) -> Option<Leg> {
        Leg::ALL.into_iter().find(|leg| leg.word() == word)
    }
}

/// A request that carries a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The route's pattern: a stable name for logs.
    pub name: &'static str,
    /// How it carries the message.
    pub dialect: Dialect,
    /// The conversation's id as it stands in the path, still percent-encoded.
    pub conversation: Option<String>,
}

/// Whether a request announces a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// One, though it may turn out empty.
    Body,
    /// None.
    Nothing,
}

/// The route of a request, `None` where it is not one that is inspected. `target` is the request
/// line's: origin or absolute form.
///
/// Messages are POSTs; but Node's server delivers the body of any method, so whatever comes with
/// one to where messages go is held to the same contract.
pub fn route(leg: Leg, method: &Method, carries: Carries, target: &str) -> Option<Route> {
    if method != Method::POST && carries == Carries::Nothing {
        return None;
    }
    let path = pathname(target);
    match leg {
        Leg::Frontend => frontend(&path),
        Leg::Bridge => bridge(&path),
        Leg::Runtime => runtime(&path),
    }
}

fn frontend(path: &str) -> Option<Route> {
    let plain = |name, dialect| Some(Route { name, dialect, conversation: None });
    match path {
        "/api/chat" => return plain("/api/chat", Dialect::Conversation),
        "/api/chat/stream" => return plain("/api/chat/stream", Dialect::Conversation),
        "/v1/chat/completions" => return plain("/v1/chat/completions", Dialect::OpenAi),
        "/v1/messages" => return plain("/v1/messages", Dialect::Anthropic),
        _ => {}
    }
    let (id, tail) = path.strip_prefix("/api/conversations/")?.split_once('/')?;
    let name = match tail {
        "messages" => "/api/conversations/:id/messages",
        "messages/stream" => "/api/conversations/:id/messages/stream",
        _ => return None,
    };
    let conversation = Some(id.to_owned()).filter(|id| !id.is_empty())?;
    Some(Route { name, dialect: Dialect::Conversation, conversation: Some(conversation) })
}

fn bridge(path: &str) -> Option<Route> {
    let (product, rest) = path.strip_prefix("/api/v1/")?.split_once('/')?;
    if !matches!(product, "milaidy" | "milady" | "eliza") {
        return None;
    }
    let (agent, call) = rest.strip_prefix("agents/")?.split_once('/')?;
    let name = match call {
        "bridge" => "/api/v1/:product/agents/:id/bridge",
        "stream" => "/api/v1/:product/agents/:id/stream",
        _ => return None,
    };
    let route = Route { name, dialect: Dialect::Rpc, conversation: None };
    (!agent.is_empty()).then_some(route)
}

fn runtime(path: &str) -> Option<Route> {
    let name = match path {
        "/bridge" => "/bridge",
        "/bridge/stream" => "/bridge/stream",
        _ => return None,
    };
    Some(Route { name, dialect: Dialect::Rpc, conversation: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = "/api/conversations/:id/messages";

    fn name(leg: Leg, target: &str) -> Option<&'static str> {
        route(leg, &Method::POST, Carries::Nothing, target).map(|route| route.name)
    }

    #[test]
    fn every_route() {
        let cases = [
            (Leg::Frontend, "/api/conversations/1/messages", Some(MESSAGES)),
            (
                Leg::Frontend,
                "/api/conversations/1/messages/stream",
                Some("/api/conversations/:id/messages/stream"),
            ),
            (Leg::Frontend, "/api/chat", Some("/api/chat")),
            (Leg::Frontend, "/api/chat/stream", Some("/api/chat/stream")),
            (Leg::Frontend, "/v1/chat/completions", Some("/v1/chat/completions")),
            (Leg::Frontend, "/v1/messages", Some("/v1/messages")),
            (Leg::Frontend, "/api/conversations/1/greeting", None),
            (Leg::Frontend, "/api/conversations", None),
            (Leg::Frontend, "/bridge", None),
            (
                Leg::Bridge,
                "/api/v1/milaidy/agents/a/bridge",
                Some("/api/v1/:product/agents/:id/bridge"),
            ),
            (
                Leg::Bridge,
                "/api/v1/milady/agents/a/stream",
                Some("/api/v1/:product/agents/:id/stream"),
            ),
            (
                Leg::Bridge,
                "/api/v1/eliza/agents/a/bridge",
                Some("/api/v1/:product/agents/:id/bridge"),
            ),
            (Leg::Bridge, "/api/v1/other/agents/a/bridge", None),
            (Leg::Bridge, "/api/v1/milady/agents/a/provision", None),
            (Leg::Bridge, "/api/v1/milady/agents//bridge", None),
            (Leg::Bridge, "/api/v1/milady/agents/a/b/bridge", None),
            (Leg::Runtime, "/bridge", Some("/bridge")),
            (Leg::Runtime, "/bridge/stream", Some("/bridge/stream")),
            (Leg::Runtime, "/api/snapshot", None),
        ];
        for (leg, target, expected) in cases {
            assert_eq!(name(leg, target), expected, "{leg:?} {target}");
        }
    }

    #[test]
    fn methods() {
        let cases = [
            (Method::POST, Carries::Body, true),
            (Method::POST, Carries::Nothing, true),
            (Method::GET, Carries::Nothing, false),
            (Method::OPTIONS, Carries::Nothing, false),
            (Method::GET, Carries::Body, true),
            (Method::DELETE, Carries::Body, true),
        ];
        for (method, carries, inspected) in cases {
            let route = route(Leg::Frontend, &method, carries, "/api/chat");
            assert_eq!(route.is_some(), inspected, "{method} {carries:?}");
        }
    }

    #[test]
    fn spellings_that_reach_the_same_handler() {
        for target in [
            "//evil/api/conversations/1/messages",
            "/\\evil/api/conversations/1/messages",
            "/api\\conversations\\1\\messages",
            "http://evil/api/conversations/1/messages",
            "ws://h/api/conversations/1/messages",
            "file:///api/conversations/1/messages",
            "/x/../api/conversations/1/messages",
            "/%2e%2e/api/conversations/1/messages",
            "/./api/conversations/1/messages",
            "/api/conversations/1/messages#frag",
            "/api/conversations/1/messages?q",
            "/api/conversations/1/messages?a/../b",
            "///evil/api/conversations/1/messages",
            "//xn--a-/api/conversations/1/messages",
            "/c:/../api/conversations/1/messages",
        ] {
            assert_eq!(name(Leg::Frontend, target), Some(MESSAGES), "{target}");
        }
    }

    #[test]
    fn spellings_that_do_not() {
        for target in [
            "/api/conversations/1/messages;x",
            "/api/conversations/1/messages/",
            "/api//conversations/1/messages",
            "/API/conversations/1/messages",
            "/api/%63onversations/1/messages",
            "/api%2Fconversations/1/messages",
            "//api/conversations/1/messages",
            "/api/conversations//messages",
            "*",
            "",
        ] {
            assert_eq!(name(Leg::Frontend, target), None, "{target}");
        }
    }
}
