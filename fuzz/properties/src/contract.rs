//! The decision on a whole body, against the table of the design written down a second time on top of the reference
//! reader: what is asked for, what is done about it, and what leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use http::{HeaderMap, HeaderName, HeaderValue};
use modegate_filters::bucket::{Canary, Cohort, KeySource, Share};
use modegate_filters::contract::{Contract, Downgrade, Modes, Profile};
use modegate_filters::decide::{Action, Flags};
use modegate_filters::dialect::Dialect;
use modegate_filters::inspect::{Policy, Verdict};
use modegate_filters::rejection::Rejection;
use modegate_filters::route::{Leg, Route};
use modegate_filters::{edit, tags};

use crate::asked::{Asked, asked};
use crate::edited::{assert_removed, assert_replaced};
use crate::input::Input;
use crate::reference::{self, Document};

const DEFAULT: &[u8] = br#"{"mode":"default"}"#;
const LIMITS: [usize; 2] = [1 << 20, 64];

/// Every setting that changes what is decided.
static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let mut policies = Vec::new();
    for downgrade in [Downgrade::Replace, Downgrade::Strip] {
        for percent in [100.0, 50.0, 0.0] {
            policies.extend(LIMITS.map(|limit| policy(downgrade, percent, limit)));
        }
    }
    policies
});

fn policy(downgrade: Downgrade, percent: f64, body_limit: usize) -> Policy {
    let modes = Modes::new(["default", "fast", "turbo"].map(str::to_owned)).expect("modes");
    let profiles = [("fast-v1", "fast"), ("turbo-v1", "turbo")].map(|(name, mode)| {
        let mode = modes.find(mode).expect("a mode");
        let profile = Profile::new(name.to_owned(), mode).expect("a profile");
        (name.to_owned(), Arc::new(profile))
    });
    let profiles = BTreeMap::from(profiles);
    let field = "processing".to_owned();
    let canary = Canary {
        salt: "s".to_owned(),
        share: Share::from_percent(percent).expect("a share"),
        keys: vec![KeySource::Room, KeySource::Header(HeaderName::from_static("x-user"))],
        allow: BTreeSet::new(),
        deny: BTreeSet::new(),
    };
    Policy::new(
        Contract { field, modes, downgrade, body_limit, runtime_body_limit: body_limit, profiles },
        canary,
    )
}

/// A body, its chunks, where it arrives, and all that is set.
pub fn contract(data: &[u8]) {
    let mut input = Input::new(data);
    let (leg, route) = route(&mut input);
    let policy = &POLICIES[usize::from(input.byte()) % POLICIES.len()];
    let bits = input.byte();
    let flags = Flags {
        contract: bits & 1 != 0,
        runtime: bits & 2 != 0,
        kill: bits & 4 != 0,
        ui: bits & 8 != 0,
        cloud_enforced: bits & 16 != 0,
    };
    let headers = headers(bits >> 5);
    let chunks = input.chunks();
    let body = chunks.concat();

    let verdict = policy.inspect(flags, leg, &route, &headers, &chunks);
    let document = match readable(policy, leg, route.dialect, &headers, &body) {
        Ok(document) => document,
        Err(rejection) => {
            assert_eq!(verdict.rejection, Some(rejection), "{}", body.escape_ascii());
            return assert_refused(policy, leg, &route, &verdict);
        }
    };
    if verdict.rejection == Some(Rejection::TooLarge) {
        let members = members(route.dialect, &document);
        let values = members.iter().map(|member| document.members[*member].value.len());
        let longer = values.map(|value| DEFAULT.len() as i64 - value as i64);
        let leaves = body.len() as i64 + longer.sum::<i64>();
        assert!(leaves > policy.contract().body_limit as i64, "{}", body.escape_ascii());
        return assert_refused(policy, leg, &route, &verdict);
    }
    assert_decided(policy, flags, &route, &verdict, &document, &body);
    if verdict.action == Action::Reject {
        return assert_refused(policy, leg, &route, &verdict);
    }
    let leaves = edit::apply(&chunks, &verdict.edits);
    assert_leaves(policy, &route, &verdict, &document, &body, &leaves.concat());
    assert_tags(policy, &verdict);
    let again = policy.inspect(flags, leg, &route, &headers, &leaves);
    assert_eq!(again.action, Action::Pass, "{}", leaves.concat().escape_ascii());
    assert_eq!(again.effective, verdict.effective, "{}", leaves.concat().escape_ascii());
    assert_eq!(again.room, verdict.room);
}

fn route(input: &mut Input<'_>) -> (Leg, Route) {
    let (leg, dialect, conversation) = input.one_of(&[
        (Leg::Frontend, Dialect::Conversation, None),
        (Leg::Frontend, Dialect::Conversation, Some("92df569d-c294-49f4-9d7b-ac722fb09c35")),
        (Leg::Frontend, Dialect::Conversation, Some("%zz")),
        (Leg::Frontend, Dialect::OpenAi, None),
        (Leg::Frontend, Dialect::Anthropic, None),
        (Leg::Bridge, Dialect::Rpc, None),
        (Leg::Runtime, Dialect::Rpc, None),
    ]);
    (leg, Route { name: "/", dialect, conversation: conversation.map(str::to_owned) })
}

fn headers(bits: u8) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if bits & 1 != 0 {
        headers.insert("x-user", HeaderValue::from_static("u"));
    }
    match bits >> 1 {
        1 => drop(headers.insert("content-encoding", HeaderValue::from_static(" Identity"))),
        2 => drop(headers.insert("content-encoding", HeaderValue::from_static("gzip"))),
        3 => drop(headers.insert("content-length", HeaderValue::from_static("1048577"))),
        _ => {}
    }
    headers
}

/// What the servers behind would read, or why that is not to be found out.
fn readable(
    policy: &Policy,
    leg: Leg,
    dialect: Dialect,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Document, Rejection> {
    if headers.get("content-encoding").is_some_and(|coding| coding == "gzip") {
        return Err(Rejection::Encoding);
    }
    if body.len() > policy.contract().body_limit || headers.contains_key("content-length") {
        return Err(Rejection::TooLarge);
    }
    let document = reference::read(body).map_err(|_| Rejection::NotJson)?;
    if document.boms > 0 && leg != Leg::Bridge {
        return Err(Rejection::NotJson);
    }
    if body[document.root.start] != b'{' {
        return Err(Rejection::NotAnObject);
    }
    let first = |name| document.last(name).map(|member| body[member.value.start]);
    let text = document.last_within("params", "text").map(|member| body[member.value.start]);
    let survives = first("method") == Some(b'"')
        && first("params").is_none_or(|first| first == b'{')
        && text.is_none_or(|first| first == b'"')
        && first("id").is_none_or(|first| !matches!(first, b'{' | b'['));
    if leg == Leg::Runtime && dialect == Dialect::Rpc && !survives {
        return Err(Rejection::NotARequest);
    }
    Ok(document)
}

/// The table of the design, section 4.
fn assert_decided(
    policy: &Policy,
    flags: Flags,
    route: &Route,
    verdict: &Verdict,
    document: &Document,
    body: &[u8],
) {
    let shown = format!("{flags:?} {verdict:?} {}", body.escape_ascii());
    let asked = asked(route.dialect, document, body);
    let modes = &policy.contract().modes;
    assert_eq!(verdict.requested.word(modes), asked.word(), "{shown}");
    let present = !members(route.dialect, document).is_empty();
    let share = policy.canary().share;
    let cohort = verdict.assignment.cohort;
    assert!(cohort == Cohort::Control || share != Share::NONE, "{shown}");
    assert!(
        cohort == Cohort::Canary || share.percent() < 100.0 || verdict.assignment.rank.is_none(),
        "{shown}"
    );

    let fits = |profile: &str, mode: &str| profile == format!("{mode}-v1");
    let (action, effective) = match &asked {
        _ if flags.kill || !flags.contract => {
            (if present { Action::Strip } else { Action::Pass }, "default")
        }
        Asked::Invalid => (Action::Reject, "default"),
        Asked::Nothing => (Action::Pass, "default"),
        Asked::Mode(mode, _) if mode == "default" => (Action::Pass, "default"),
        Asked::Mode(mode, profile)
            if flags.runtime
                && cohort == Cohort::Canary
                && profile.as_ref().is_none_or(|profile| fits(profile, mode)) =>
        {
            (Action::Pass, mode.as_str())
        }
        Asked::Mode(..) => (Action::Downgrade, "default"),
    };
    assert_eq!((verdict.action, modes.name(verdict.effective)), (action, effective), "{shown}");
    assert_eq!(verdict.rejection.is_some(), action == Action::Reject, "{shown}");
    let applied = match &asked {
        Asked::Mode(_, profile) if effective != "default" => profile.as_deref(),
        _ => None,
    };
    assert_eq!(verdict.profile.as_ref().map(|profile| profile.name.as_str()), applied, "{shown}");
}

fn members(dialect: Dialect, document: &Document) -> Vec<usize> {
    match dialect {
        Dialect::Rpc => document.all_within("params", "processing"),
        _ => document.all("processing"),
    }
}

fn assert_leaves(
    policy: &Policy,
    route: &Route,
    verdict: &Verdict,
    document: &Document,
    body: &[u8],
    leaves: &[u8],
) {
    let members = members(route.dialect, document);
    match (verdict.action, policy.contract().downgrade) {
        (Action::Pass, _) => assert_eq!(leaves, body),
        (Action::Downgrade, Downgrade::Replace) => {
            assert_replaced(body, document, &members, DEFAULT, leaves);
        }
        _ => assert_removed(body, document, &members, leaves),
    }
}

fn assert_refused(policy: &Policy, leg: Leg, route: &Route, verdict: &Verdict) {
    assert_eq!((verdict.action, verdict.edits.len()), (Action::Reject, 0));
    let rejection = verdict.rejection.expect("a reason");
    assert!(rejection.status().is_client_error());
    let answer = rejection.body(Some(route.dialect), policy.contract(), leg, verdict.id.as_deref());
    let document = reference::read(&answer);
    assert!(document.is_ok_and(|document| document.last("error").is_some()), "{answer:?}");
}

fn assert_tags(policy: &Policy, verdict: &Verdict) {
    let mut headers = HeaderMap::new();
    tags::set(&mut headers, policy, verdict);
    let visible = |value: &HeaderValue| value.as_bytes().iter().all(u8::is_ascii_graphic);
    assert!(headers.values().all(|value| value.len() <= 200 && visible(value)), "{headers:?}");
    assert!(headers.keys().all(tags::is_tag), "{headers:?}");
    assert_eq!(headers.contains_key(tags::ROOM), verdict.room.is_some(), "{headers:?}");
    assert_eq!(headers.contains_key(tags::PROFILE), verdict.profile.is_some(), "{headers:?}");
}
