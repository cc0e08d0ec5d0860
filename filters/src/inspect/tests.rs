//! Whole verdicts: the places where the modules meet. Each module's own cases are in it.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderName, Method};

use super::*;
use crate::bucket::{Cohort, Share, Why};
use crate::contract::{Fault, Modes};
use crate::route::{Carries, route};

const ON: Flags =
    Flags { contract: true, runtime: false, ui: false, cloud_enforced: false, kill: false };
const FAST: Flags = Flags { runtime: true, ..ON };

/// A policy of the modes default and fast, with one profile.
pub(crate) fn policy(downgrade: Downgrade, percent: f64, keys: Vec<KeySource>) -> Policy {
    let modes = Modes::new(["default".to_owned(), "fast".to_owned()]).unwrap();
    let fast = modes.find("fast").unwrap();
    let profile = Arc::new(Profile::new("fast-v1".to_owned(), fast).unwrap());
    let contract = Contract {
        field: "processing".to_owned(),
        modes,
        downgrade,
        body_limit: 4096,
        runtime_body_limit: 2048,
        profiles: BTreeMap::from([("fast-v1".to_owned(), profile)]),
    };
    let canary = Canary {
        salt: "s".to_owned(),
        share: Share::from_percent(percent).unwrap(),
        keys,
        allow: BTreeSet::from(["vip".to_owned()]),
        deny: BTreeSet::new(),
    };
    Policy::new(contract, canary)
}

fn room_policy() -> Policy {
    policy(Downgrade::Replace, 100.0, vec![KeySource::Room])
}

fn judge(
    policy: &Policy,
    flags: Flags,
    (leg, target): (Leg, &str),
    headers: &HeaderMap,
    body: &str,
) -> (Verdict, String) {
    let route = route(leg, &Method::POST, Carries::Body, target).unwrap();
    let chunks = [Bytes::copy_from_slice(body.as_bytes())];
    let verdict = policy.inspect(flags, leg, &route, headers, &chunks);
    let out = edit::apply(&chunks, &verdict.edits).concat();
    (verdict, String::from_utf8(out).unwrap())
}

const MESSAGES: (Leg, &str) = (Leg::Frontend, "/api/conversations/c/messages");
const BRIDGE: (Leg, &str) = (Leg::Bridge, "/api/v1/milady/agents/a/bridge");
const RUNTIME: (Leg, &str) = (Leg::Runtime, "/bridge");

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn what_leaves() {
    let off = Flags::default();
    let fast = r#"{"text":"t","processing":{"mode":"fast"}}"#;
    let rpc = r#"{"id":1,"method":"message.send","params":{"text":"t","roomId":"r","processing":{"mode":"fast"}}}"#;
    let cases = [
        ("off", off, MESSAGES, fast, Action::Strip, r#"{"text":"t"}"#),
        ("off, nothing there", off, MESSAGES, r#"{"text":"t"}"#, Action::Pass, r#"{"text":"t"}"#),
        ("off, invalid", off, MESSAGES, r#"{"processing":7}"#, Action::Strip, "{}"),
        (
            "downgrade",
            ON,
            MESSAGES,
            fast,
            Action::Downgrade,
            r#"{"text":"t","processing":{"mode":"default"}}"#,
        ),
        ("fast", FAST, MESSAGES, fast, Action::Pass, fast),
        (
            "shared room",
            FAST,
            (Leg::Frontend, "/api/chat"),
            fast,
            Action::Downgrade,
            r#"{"text":"t","processing":{"mode":"default"}}"#,
        ),
        (
            "rpc off",
            off,
            BRIDGE,
            rpc,
            Action::Strip,
            r#"{"id":1,"method":"message.send","params":{"text":"t","roomId":"r"}}"#,
        ),
        ("rpc fast", FAST, BRIDGE, rpc, Action::Pass, rpc),
        ("runtime fast", FAST, RUNTIME, rpc, Action::Pass, rpc),
        (
            "only params' member is the contract's",
            off,
            BRIDGE,
            r#"{"processing":1,"params":{}}"#,
            Action::Pass,
            r#"{"processing":1,"params":{}}"#,
        ),
        (
            "nor is a message's params'",
            off,
            MESSAGES,
            r#"{"params":{"processing":1}}"#,
            Action::Pass,
            r#"{"params":{"processing":1}}"#,
        ),
        (
            "duplicates",
            off,
            MESSAGES,
            r#"{"processing":1,"text":"t","processing":null}"#,
            Action::Strip,
            r#"{"text":"t"}"#,
        ),
        (
            "duplicate params",
            off,
            BRIDGE,
            r#"{"params":{"processing":1},"params":{"a":1}}"#,
            Action::Strip,
            r#"{"params":{},"params":{"a":1}}"#,
        ),
        (
            "/v1",
            ON,
            (Leg::Frontend, "/v1/messages"),
            r#"{"processing":{"mode":"fast"}}"#,
            Action::Downgrade,
            r#"{"processing":{"mode":"default"}}"#,
        ),
    ];
    for (name, flags, place, body, action, expected) in cases {
        let (verdict, out) = judge(&room_policy(), flags, place, &HeaderMap::new(), body);
        assert_eq!((verdict.action, out.as_str()), (action, expected), "{name}");
        assert_eq!(verdict.rejection, None, "{name}");
    }
    let strip = policy(Downgrade::Strip, 100.0, vec![KeySource::Room]);
    let (verdict, out) = judge(&strip, ON, MESSAGES, &HeaderMap::new(), fast);
    assert_eq!((verdict.action, out.as_str()), (Action::Downgrade, r#"{"text":"t"}"#));
}

#[test]
fn refusals() {
    let contract = Rejection::Contract(Fault::Mode);
    let request = Rejection::NotARequest;
    let cases = [
        (MESSAGES, "", Rejection::NotJson, None),
        (MESSAGES, "{bad", Rejection::NotJson, None),
        (MESSAGES, "\u{feff}{}", Rejection::NotJson, None),
        (MESSAGES, "[]", Rejection::NotAnObject, None),
        (MESSAGES, "null", Rejection::NotAnObject, None),
        (MESSAGES, r#"{"processing":{"mode":"x"}}"#, contract, None),
        (BRIDGE, r#"{"id":"a","params":{"processing":{"mode":1}}}"#, contract, Some(r#""a""#)),
        (BRIDGE, "[{}]", Rejection::NotAnObject, None),
        (RUNTIME, "\u{feff}{}", Rejection::NotJson, None),
        (RUNTIME, "{}", request, None),
        (RUNTIME, r#"{"id":7,"method":1}"#, request, Some("7")),
        (RUNTIME, r#"{"id":{},"method":"m","params":[]}"#, request, None),
        (RUNTIME, r#"{"id":[[]],"method":"m"}"#, request, None),
        (RUNTIME, r#"{"id":7,"method":"m","params":null}"#, request, Some("7")),
        (RUNTIME, r#"{"id":7,"method":"m","params":{"text":1}}"#, request, Some("7")),
    ];
    for (place, body, rejection, id) in cases {
        let (verdict, _) = judge(&room_policy(), ON, place, &HeaderMap::new(), body);
        assert_eq!(
            (verdict.action, verdict.rejection),
            (Action::Reject, Some(rejection)),
            "{body}"
        );
        assert_eq!(verdict.id.as_deref(), id, "{body}");
    }
    let long = format!(r#"{{"id":"{}","method":1}}"#, "i".repeat(ID_LIMIT));
    assert_eq!(judge(&room_policy(), ON, RUNTIME, &HeaderMap::new(), &long).0.id, None);
    let (verdict, _) = judge(&room_policy(), ON, BRIDGE, &HeaderMap::new(), "\u{feff}\u{feff}{}");
    assert_eq!(verdict.rejection, None, "the cloud proxy's reader skips byte order marks");
}

#[test]
fn heads() {
    let with = |name: HeaderName, value: &'static str| {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    };
    let cases = [
        (with(CONTENT_ENCODING, "identity"), None),
        (with(CONTENT_ENCODING, ""), None),
        (with(CONTENT_ENCODING, "gzip"), Some(Rejection::Encoding)),
        (with(CONTENT_ENCODING, "identity, gzip"), Some(Rejection::Encoding)),
        (with(CONTENT_LENGTH, "4096"), None),
        (with(CONTENT_LENGTH, "4097"), Some(Rejection::TooLarge)),
    ];
    for (headers, expected) in cases {
        assert_eq!(room_policy().refuse_head(Leg::Frontend, &headers), expected, "{headers:?}");
    }
    // The runtime takes less.
    let refused = |length| room_policy().refuse_head(Leg::Runtime, &with(CONTENT_LENGTH, length));
    assert_eq!((refused("2048"), refused("2049")), (None, Some(Rejection::TooLarge)));
}

#[test]
fn the_first_key_source_that_is_present_decides() {
    let user = HeaderName::from_static("x-user");
    let keys = vec![KeySource::Header(user.clone()), KeySource::Room];
    let policy = policy(Downgrade::Replace, 0.0, keys);
    let body = r#"{"processing":{"mode":"fast"}}"#;
    let headers = HeaderMap::from_iter([(user.clone(), HeaderValue::from_static("vip"))]);
    let (verdict, _) = judge(&policy, FAST, MESSAGES, &headers, body);
    assert_eq!((verdict.assignment.cohort, verdict.assignment.why), (Cohort::Canary, Why::Allowed));

    let (verdict, _) = judge(&policy, FAST, MESSAGES, &HeaderMap::new(), body);
    assert_eq!(verdict.assignment.why, Why::Rank, "the room takes the missing header's place");

    let (verdict, _) = judge(&policy, FAST, (Leg::Frontend, "/api/chat"), &HeaderMap::new(), body);
    assert_eq!(verdict.assignment, Assignment::NO_KEY, "a shared room is no key");
}

#[test]
fn profiles() {
    let profile = |name: &str| format!(r#"{{"processing":{{"mode":"fast","profile":"{name}"}}}}"#);
    let (known, _) = judge(&room_policy(), FAST, MESSAGES, &HeaderMap::new(), &profile("fast-v1"));
    assert_eq!(known.profile.unwrap().name, "fast-v1");
    let (unknown, out) = judge(&room_policy(), FAST, MESSAGES, &HeaderMap::new(), &profile("x"));
    assert_eq!(unknown.because, Some(Because::ProfileFallback));
    assert_eq!(out, r#"{"processing":{"mode":"default"}}"#);
}
