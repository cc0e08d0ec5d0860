//! Targets and rooms: our pathname is `new URL`'s, and our room is the one that the servers derive.

use std::cell::RefCell;

use http::Method;
use modegate_filters::room;
use modegate_filters::route::{Carries, Leg, route};
use modegate_filters::target::pathname;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use serde_json::json;

use crate::generated::runner;
use crate::node::Node;

/// Ours must be Node's, but where no handler can be reached: `new URL` throws; or Node 20 leaves
/// dot segments as they stand, in a path that begins with another dot, and no route has one. With
/// schemes that no client of a server sends, `file:` and unknown ones, slashes and drives may differ
/// as long as no message is missed.
fn compare(node: &mut Node, target: &str) -> Result<(), String> {
    let theirs = node.ask(&json!({ "op": "pathname", "target": target }), &[]);
    let Some(theirs) = theirs.as_str() else { return Ok(()) };
    let ours = pathname(target);
    let unfinished = theirs.split('/').any(|segment| segment == "." || segment == "..");
    if ours == theirs || unfinished || (odd_scheme(target) && !is_route(theirs)) {
        return Ok(());
    }
    Err(format!("{target:?}: ours {ours:?}, Node's {theirs:?}"))
}

fn odd_scheme(target: &str) -> bool {
    let scheme = target.split([':', '/', '\\', '?', '#']).next().unwrap_or_default();
    let usual = ["http", "https", "ws", "wss", "ftp"];
    let named = target.get(scheme.len()..).is_some_and(|rest| rest.starts_with(':'));
    named && !scheme.is_empty() && !usual.iter().any(|usual| scheme.eq_ignore_ascii_case(usual))
}

fn is_route(path: &str) -> bool {
    Leg::ALL.into_iter().any(|leg| route(leg, &Method::POST, Carries::Body, path).is_some())
}

/// What [`compare`] lets differ does differ, so that the list of it is as short as it can be.
#[test]
fn where_node_reads_otherwise() {
    let mut node = Node::start();
    let cases = [
        ("/api/.a/.", "/api/.a/", "/api/.a/."),
        ("/a/.b/./api/../chat", "/a/.b/chat", "/a/.b/./api/../chat"),
        ("file:///c|/a", "/c|/a", "/c:/a"),
        ("file:////a", "/a", "//a"),
    ];
    for (target, ours, theirs) in cases {
        assert_eq!(pathname(target), ours, "{target}");
        let answer = node.ask(&json!({ "op": "pathname", "target": target }), &[]);
        // A newer Node may have mended the one or the other.
        assert!(answer == theirs || answer == ours, "{target}: {answer}");
    }
}

#[rustfmt::skip]
const TARGETS: &[&str] = &[
    "/api/conversations/1/messages", "//evil/api/conversations/1/messages", "/\\evil/api/conversations/1/messages", "/api\\conversations\\1\\messages",
    "http://evil/api/conversations/1/messages", "ws://h/api/conversations/1/messages", "file:///api/conversations/1/messages", "/x/../api/conversations/1/messages",
    "/%2e%2e/api/conversations/1/messages", "/./api/conversations/1/messages", "/api/conversations/1/messages#frag", "/api/conversations/1/messages?q",
    "\\\\evil\\api\\conversations\\1\\messages", "javascript:/api/conversations/1/messages", "api/conversations/1/messages", "http:/api/conversations/1/messages",
    "/api/conversations/1/messages;x", "/api/conversations/1/messages/", "/api//conversations/1/messages", "/API/conversations/1/messages", "/api/%63onversations/1/messages",
    "/api%2Fconversations/1/messages", "//api/conversations/1/messages", "/api/conversations//messages", "/api/conversations/%zz/messages", "/api/conversations/%00/messages",
    "*", "", "/", "//", "///", "////a/b", "/.", "/..", "/../", "/a/..", "/a/./b/../../c", "/%2E", "/%2e%2E/x", "/.%2e/x", "/%2e.", "/...", "/..a", "/a..", "/a/.b", "/a/%2e%2e%2f", "/a;/../b",
    "/é", "/a b", "/a\"b<c>d`e{f}g|h^i[j]k'l", "/%", "/%4", "/%41", "/a?b/../c", "/a#b/../c", "/a\\..\\b", "/\\", "\\", "/a\\?b\\c", "/\t/a", "/a\nb", " /a ", "/a\u{0}", "/\u{7f}", "/\u{feff}", "/\u{2028}",
    "http://h", "http://h?x", "http://h#x", "http://h/../..", "HTTP://h/a", "https://h:443/a", "http://h:99999/a", "http://h:/a", "http://u:p@h/a", "http://@/a", "http:///a", "http:////a//b", "http:a", "http:?x",
    "http://[::1]/a", "http://[::1/a", "http://[::g]/a", "http://1.2.3/a", "http://0x7f.1/a", "http://256.1.1.1/a", "http://1.2.3.4.5/a", "http://h%41/a", "http://h%00/a", "http://h%2f/a", "http://a b/c", "http://a<b/c",
    "http://xn--/a", "http://xn--a/b", "http://xn--zn7c.com/a", "http://\u{e9}/a", "http://\u{ad}/a", "http://a\u{200d}b/c", "http://-a-/b", "http://a_b/c", "http://a..b/c", "http://a./b", "http://%zz/a", "http://*/a",
    "//h:80/a", "//h:x/a", "//[::1]/a", "//u@h/a", "//@/a", "//h\\a", "//h?a", "//h#a", "//%/a", "//a b/c", "//a^b/c", "//a|b/c", "//xn--a/b", "//1.2.3.999/b", "//0x/b", "//a%2eb/c", "/\\/a/b", "\\/a/b",
    "file:/a", "file:a", "file://h/a", "file:///c:/a/../..", "file:///c|/a", "/c:/../a", "/c|/../a", "data:text/html,x", "mailto:a", "about:blank", "blob:http://h/a", "javascript:a/../b", "x:/a/../b", "x://h/a/../b", "x:a", "x:", "x:?",
    "ftp://h/a", "wss://h/a", "wss:a", "a:80/b", "localhost:80/a", "?", "?a", "#", "#a", "..", "../a", "./a", ".", ";", ":", "/:", ":a", "1:a", "a+b:c/d", "%2e%2e/a", "/a/%2E%2E/b", "/a/.%2E", "/a//../b", "/a//..//b",
    "///h/api/chat", "////h/api/chat", "/\\/h/api/chat", "/\\\\h/api/chat", "///h", "///", "////", "http:////h/api/chat", "http:\\\\h\\api\\chat", "///h:x/a", "///@/a", "/c:/../api/chat", "/c|/../api/chat", "/x/c:/../../api/chat",
    "//h/c:/../api/chat", "http://h/c:/../api/chat", "/c:/%2e%2e/api/chat", "/C:\\..\\api\\chat", "//xn--a-/api/chat", "http://xn--a-/api/chat", "/\\xn--zn7cxn--/api/chat", "//u:p@xn--a-:80/api/chat",
];

#[test]
fn the_pathname_of_listed_targets() {
    let mut node = Node::start();
    let faults: Vec<String> =
        TARGETS.iter().filter_map(|target| compare(&mut node, target).err()).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_pathname_of_generated_targets() {
    #[rustfmt::skip]
    const PARTS: &[&str] = &[
        "/", "/", "/", "\\", ".", "..", "%2e", "%2E.", "a", "api", "chat", "//", ":", "?", "#", "@", "%", "%41", "%zz", ";", "=", "&", "~", "-", "_", "!", "$", "'", "(", ")", "*", "+", ",", "[", "]", "|", "^", "\"", "<", ">", "`", "{", "}",
        "http:", "http://", "ws://", "file://", "x:", "h", "1", "0x1", "256", ".", "xn--", "[::1]", ":80", "c:", "c|",
    ];
    let node = RefCell::new(Node::start());
    let visible = (0x21u8..0x7f).prop_map(|byte| char::from(byte).to_string());
    let part = prop_oneof![6 => select(PARTS).prop_map(str::to_owned), 1 => visible];
    let start = select(&["/", "/", "/", "//", "/\\", "http://", "", "/api/"][..]);
    let target =
        (start, vec(part, 0..9)).prop_map(|(start, parts)| start.to_owned() + &parts.concat());
    runner(6000)
        .run(&target, |target| {
            compare(&mut node.borrow_mut(), &target).map_err(TestCaseError::fail)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn the_room_of_any_conversation() {
    let node = RefCell::new(Node::start());
    #[rustfmt::skip]
    const PARTS: &[&str] = &[
        "%", "%2", "%41", "%zz", "%C3%A9", "%c3", "%A9", "%ED%A0%80", "%F0%9F%98%80", "%F4%90%80%80", "%C0%AF", "%EF%BB%BF", "%00", "%25", "%2F", "%E2%80", "%EF%BF%BF", "a", "Z", "-", "_", ".", "!", "~", "*", "'", "(", ")", "+", " ", ";", ",", "&", "=",
        "@", ":", "$", "#", "é", "日", "😀", "\u{feff}", "\u{7f}", "\n",
    ];
    let anything = any::<String>();
    let pieces = vec(select(PARTS), 0..8).prop_map(|parts| parts.concat());
    runner(3000)
        .run(&prop_oneof![1 => anything, 3 => pieces, 1 => "[0-9a-f-]{36}"], |segment| {
            let theirs = node.borrow_mut().ask(&json!({ "op": "room", "segment": segment }), &[]);
            let ours = room::of_conversation(&segment);
            prop_assert_eq!(ours.as_deref(), theirs.as_str());
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}
