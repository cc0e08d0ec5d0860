//! How a target is read, against the `url` crate: a dot segment never survives, what is matched is what the servers
//! behind would match, and the form in which the target is sent on is read as the form in which it came.

use http::{Method, Uri};
use modegate_filters::room;
use modegate_filters::route::{Carries, Leg, Route, route as route_of};
use modegate_filters::target::pathname;
use url::Url;

use crate::input::Input;

/// A target; its last byte chooses the leg.
pub fn route(data: &[u8]) {
    let mut input = Input::new(data);
    let leg = input.one_of(&Leg::ALL);
    let Ok(target) = std::str::from_utf8(input.rest()) else { return };

    let path = pathname(target);
    // A scheme without a slash after it has a path without segments; no server matches it.
    assert!(!path.starts_with('/') || !path.split('/').any(is_dots), "{target:?} is {path:?}");
    if let Some(url) = url_path(target) {
        assert_eq!(path, url, "{target:?}");
    }
    let route = message(leg, target);
    assert_eq!(route.as_ref().map(|route| route.name), pattern(leg, &path), "{target:?}");
    assert_eq!(route_of(leg, &Method::GET, Carries::Body, target), route, "{target:?}");
    assert_eq!(route_of(leg, &Method::GET, Carries::Nothing, target), None);
    if let Some(id) = route.as_ref().and_then(|route| route.conversation.as_deref()) {
        assert!(path.contains(&format!("/{id}/")), "{target:?}");
        let room = room::of_conversation(id);
        assert!(room.is_none_or(|room| room.len() == 36 && !room::is_shared(&room)));
    }
    // The proxy judges the path of a target that the http crate took, and sends on what follows the authority.
    if let Ok(uri) = target.parse::<Uri>() {
        let sent = uri.path_and_query().map_or("/", |sent| sent.as_str());
        assert_eq!(message(leg, sent), message(leg, uri.path()), "{target:?}");
    }
}

fn message(leg: Leg, target: &str) -> Option<Route> {
    route_of(leg, &Method::POST, Carries::Body, target)
}

/// The path of the `url` crate, where it reads the target. Left out is where it and Node are known to differ, or
/// where it judges a host, a scheme or a drive letter that Node's path does not depend on.
fn url_path(target: &str) -> Option<String> {
    let base = Url::parse("http://localhost").expect("a URL");
    let target = target.replace(['\t', '\n', '\r'], "");
    let after = target.trim_start_matches(['/', '\\']);
    let slashes = target.len() - after.len();
    if slashes == 0 || slashes > 2 || target.split(['/', '\\']).any(is_drive) {
        return None;
    }
    base.join(&target).ok().map(|url| url.path().to_owned())
}

/// `c:` and `c|`, which the crate keeps from `..` in any scheme; Node only in `file:`.
fn is_drive(segment: &str) -> bool {
    matches!(segment.as_bytes(), [letter, b':' | b'|', ..] if letter.is_ascii_alphabetic())
}

fn is_dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

/// The routes, written down a second time.
fn pattern(leg: Leg, path: &str) -> Option<&'static str> {
    let segments: Vec<&str> = path.split('/').collect();
    let [first, segments @ ..] = segments.as_slice() else { return None };
    if !first.is_empty() {
        return None;
    }
    Some(match (leg, segments) {
        (Leg::Frontend, ["api", "chat"]) => "/api/chat",
        (Leg::Frontend, ["api", "chat", "stream"]) => "/api/chat/stream",
        (Leg::Frontend, ["v1", "chat", "completions"]) => "/v1/chat/completions",
        (Leg::Frontend, ["v1", "messages"]) => "/v1/messages",
        (Leg::Frontend, ["api", "conversations", id, "messages"]) if !id.is_empty() => {
            "/api/conversations/:id/messages"
        }
        (Leg::Frontend, ["api", "conversations", id, "messages", "stream"]) if !id.is_empty() => {
            "/api/conversations/:id/messages/stream"
        }
        (Leg::Bridge, ["api", "v1", "milaidy" | "milady" | "eliza", "agents", id, call])
            if !id.is_empty() =>
        {
            match *call {
                "bridge" => "/api/v1/:product/agents/:id/bridge",
                "stream" => "/api/v1/:product/agents/:id/stream",
                _ => return None,
            }
        }
        (Leg::Runtime, ["bridge"]) => "/bridge",
        (Leg::Runtime, ["bridge", "stream"]) => "/bridge/stream",
        _ => return None,
    })
}
