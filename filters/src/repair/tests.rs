use http::{HeaderName, Method};
use proptest::prelude::*;

use super::*;
use crate::bucket::KeySource;
use crate::inspect::tests::policy;
use crate::route::{Carries, route};

const FLAGS: Flags =
    Flags { contract: true, runtime: true, ui: false, cloud_enforced: true, kill: false };

fn repaired(
    policy: &Policy,
    flags: Flags,
    body: &str,
    put_back: &PutBack<'_>,
) -> Option<(Verdict, String)> {
    let route =
        route(Leg::Bridge, &Method::POST, Carries::Body, "/api/v1/milady/agents/a/bridge").unwrap();
    let whole = [Bytes::copy_from_slice(body.as_bytes())];
    let verdict = policy.repair(flags, &route, &HeaderMap::new(), &whole, put_back)?;
    let bytes: Vec<Bytes> = body.bytes().map(|byte| Bytes::from(vec![byte])).collect();
    let in_bytes = policy.repair(flags, &route, &HeaderMap::new(), &bytes, put_back);
    assert_eq!(in_bytes.as_ref(), Some(&verdict), "{body}");
    let out = edit::apply(&whole, &verdict.edits).concat();
    Some((verdict, String::from_utf8(out).unwrap()))
}

const FAST: &str = r#"{"mode":"fast","profile":"fast-v1","reason":"voice"}"#;

#[test]
fn what_left_is_put_back_and_nothing_else_changes() {
    let policy = policy(Downgrade::Replace, 100.0, vec![KeySource::Room]);
    let fast = Bytes::from_static(FAST.as_bytes());
    let left = PutBack { value: Some(&fast), room: Some("r1"), cohort: Some(Cohort::Canary) };
    #[rustfmt::skip]
    let cases = [
        // The API server knows nothing of the contract.
        (r#"{"params":{"text":"t","roomId":"r1"}}"#, r#"{"params":{"processing":FAST,"text":"t","roomId":"r1"}}"#),
        // It writes another mode, null, or a value twice.
        (r#"{"params":{"text":"t","roomId":"r1","processing":{"mode":"default"}}}"#, r#"{"params":{"text":"t","roomId":"r1","processing":FAST}}"#),
        (r#"{"params":{"processing":null,"roomId":"r1"}}"#, r#"{"params":{"processing":FAST,"roomId":"r1"}}"#),
        (r#"{"params":{"processing":1,"roomId":"r1","processing":2}}"#, r#"{"params":{"processing":FAST,"roomId":"r1","processing":FAST}}"#),
        // It loses the room, or crosses it.
        (r#"{"params":{"processing":FAST}}"#, r#"{"params":{"roomId":"r1","processing":FAST}}"#),
        (r#"{"params":{"processing":FAST,"roomId":"r2"}}"#, r#"{"params":{"processing":FAST,"roomId":"r1"}}"#),
        (r#"{"params":{"processing":FAST,"roomId":7,"text":"t"}}"#, r#"{"params":{"processing":FAST,"roomId":"r1","text":"t"}}"#),
        (r#"{"params":{"roomId":"r1","roomId":"r2","processing":FAST}}"#, r#"{"params":{"roomId":"r1","roomId":"r1","processing":FAST}}"#),
        // Both, in params with nothing else.
        (r#"{"params":{}}"#, r#"{"params":{"processing":FAST,"roomId":"r1"}}"#),
        (r#"{"params":{ }}"#, r#"{"params":{"processing":FAST,"roomId":"r1" }}"#),
        (r#"{"params": {"text":"t"} }"#, r#"{"params": {"processing":FAST,"roomId":"r1","text":"t"} }"#),
        // Only the last params count.
        (r#"{"params":{"processing":1},"params":{"roomId":"r1"}}"#, r#"{"params":{"processing":1},"params":{"processing":FAST,"roomId":"r1"}}"#),
        // What is right already stays.
        (r#"{"params":{"processing":FAST,"roomId":"\u00721"}}"#, r#"{"params":{"processing":FAST,"roomId":"\u00721"}}"#),
    ];
    for (body, expected) in cases {
        let (body, expected) = (body.replace("FAST", FAST), expected.replace("FAST", FAST));
        let (verdict, out) = repaired(&policy, FLAGS, &body, &left).unwrap();
        assert_eq!(out, expected);
        assert_eq!(verdict.action, Action::Repair);
        assert_eq!(Some(verdict.effective), policy.contract().modes.find("fast"));
        assert_eq!(verdict.profile.as_ref().map(|profile| profile.name.as_str()), Some("fast-v1"));
        assert_eq!(verdict.room.as_deref(), Some("r1"));
    }
    for body in ["{}", r#"{"params":7}"#, r#"{"params":[]}"#, "[]", "{"] {
        assert!(repaired(&policy, FLAGS, body, &left).is_none(), "{body}");
    }
}

/// What is put in and what is taken away may meet at the first place of `params`.
#[test]
fn a_room_is_put_in_where_a_mode_is_taken_away() {
    let left = PutBack { value: None, room: Some("r1"), cohort: None };
    let policy = policy(Downgrade::Strip, 100.0, vec![KeySource::Room]);
    let off = Flags { contract: false, ..FLAGS };
    let bodies = [
        (
            r#"{"params":{"processing":{"mode":"fast"},"text":"t"}}"#,
            r#"{"params":{"roomId":"r1","text":"t"}}"#,
        ),
        (r#"{"params":{"processing":7,"text":"t"}}"#, r#"{"params":{"roomId":"r1","text":"t"}}"#),
        (r#"{"params":{"processing":7}}"#, r#"{"params":{"roomId":"r1"}}"#),
        (r#"{"params":{ "processing":7}}"#, r#"{"params":{"roomId":"r1" }}"#),
        (r#"{"params":{"processing":7,"processing":8 }}"#, r#"{"params":{"roomId":"r1" }}"#),
        (
            r#"{"params":{"processing":7, "processing":8,"text":"t"}}"#,
            r#"{"params":{"roomId":"r1", "text":"t"}}"#,
        ),
        (r#"{"params":{"text":"t","processing":7}}"#, r#"{"params":{"roomId":"r1","text":"t"}}"#),
        (
            r#"{"params":{"processing":7},"params":{"processing":8}}"#,
            r#"{"params":{},"params":{"roomId":"r1"}}"#,
        ),
    ];
    for (body, expected) in bodies {
        for flags in [FLAGS, off] {
            let (verdict, out) = repaired(&policy, flags, body, &left).unwrap();
            assert_eq!((out.as_str(), verdict.effective), (expected, Mode::DEFAULT), "{body}");
        }
    }
}

proptest! {
    /// Whatever is in `params`, in whatever order: what leaves is JSON, names the room, and has the
    /// member only where it was put back.
    #[test]
    fn what_is_repaired_is_json(
        members in proptest::collection::vec((0..5usize, 0..3usize, 0..3usize), 0..6),
        (contract, runtime, strips, fast) in any::<(bool, bool, bool, bool)>(),
    ) {
        let downgrade = if strips { Downgrade::Strip } else { Downgrade::Replace };
        let policy = policy(downgrade, 100.0, vec![KeySource::Room]);
        let flags = Flags { contract, runtime, ..FLAGS };
        let value = fast.then(|| Bytes::from_static(FAST.as_bytes()));
        let left = PutBack { value: value.as_ref(), room: Some("r1"), cohort: Some(Cohort::Canary) };
        let known = [r#""processing":{"mode":"fast"}"#, r#""processing":7"#, r#""text":"t""#, r#""roomId":"r2""#, r#""x":[]"#];
        let blanks = ["", " ", "\n "];
        let members: Vec<String> = members
            .iter()
            .map(|(which, before, behind)| format!("{}{}{}", blanks[*before], known[*which], blanks[*behind]))
            .collect();
        let body = format!(r#"{{"params":{{{}}}}}"#, members.join(","));
        let (verdict, out) = repaired(&policy, flags, &body, &left).unwrap();
        let read: serde_json::Value = serde_json::from_str(&out)
            .map_err(|error| TestCaseError::fail(format!("{body} left as {out}: {error}")))?;
        let params = &read["params"];
        prop_assert_eq!(&params["roomId"], "r1", "{} left as {}", body, out);
        let applies = fast && contract && runtime;
        let mode = params.get("processing").map(|member| member["mode"].as_str().unwrap_or("?"));
        let expected: &[Option<&str>] = match (applies, contract, strips) {
            (true, ..) => &[Some("fast")],
            (_, true, false) => &[None, Some("default")],
            _ => &[None],
        };
        prop_assert!(expected.contains(&mode), "{} left as {}", body, out);
        prop_assert_eq!(verdict.effective == Mode::DEFAULT, !applies);
    }
}

#[test]
fn an_invented_mode_is_taken_away() {
    let left = PutBack { value: None, room: Some("r1"), cohort: None };
    let body = r#"{"params":{"processing":{"mode":"fast"},"roomId":"r1"}}"#;
    let cases = [
        (Downgrade::Replace, r#"{"params":{"processing":{"mode":"default"},"roomId":"r1"}}"#),
        (Downgrade::Strip, r#"{"params":{"roomId":"r1"}}"#),
    ];
    for (downgrade, expected) in cases {
        let policy = policy(downgrade, 100.0, vec![KeySource::Room]);
        let (verdict, out) = repaired(&policy, FLAGS, body, &left).unwrap();
        assert_eq!((out.as_str(), verdict.effective), (expected, Mode::DEFAULT));
    }
}

/// A rollback between the two legs is not undone by a repair.
#[test]
fn the_flags_of_the_moment_decide() {
    let fast = Bytes::from_static(FAST.as_bytes());
    let left = PutBack { value: Some(&fast), room: Some("r1"), cohort: None };
    let body = r#"{"params":{"roomId":"r1"}}"#;
    let replaced = r#"{"params":{"processing":{"mode":"default"},"roomId":"r1"}}"#;
    let off = Flags { runtime: false, ..FLAGS };
    let killed = Flags { kill: true, ..FLAGS };
    for (flags, percent, expected) in
        [(off, 100.0, replaced), (FLAGS, 0.0, replaced), (killed, 100.0, body)]
    {
        let policy = policy(Downgrade::Replace, percent, vec![KeySource::Room]);
        let (verdict, out) = repaired(&policy, flags, body, &left).unwrap();
        assert_eq!((out.as_str(), verdict.effective), (expected, Mode::DEFAULT), "{flags:?}");
    }
    let policy = policy(Downgrade::Replace, 100.0, vec![KeySource::Room]);
    let mode = |flags, cohort| policy.would_leave(flags, Some(&fast), cohort);
    assert_eq!(Some(mode(FLAGS, Cohort::Canary)), policy.contract().modes.find("fast"));
    assert_eq!(mode(FLAGS, Cohort::Control), Mode::DEFAULT);
    assert_eq!(mode(off, Cohort::Canary), Mode::DEFAULT);
}

/// The header that makes a cohort does not come with the second leg.
#[test]
fn a_cohort_by_header_is_carried_across() {
    let policy =
        policy(Downgrade::Replace, 0.0, vec![KeySource::Header(HeaderName::from_static("x-user"))]);
    let fast = Bytes::from_static(br#"{"mode":"fast"}"#);
    for (cohort, expected) in [(Some(Cohort::Canary), "fast"), (None, "default")] {
        let left = PutBack { value: Some(&fast), room: Some("r1"), cohort };
        let (verdict, _) = repaired(&policy, FLAGS, r#"{"params":{}}"#, &left).unwrap();
        assert_eq!(policy.contract().modes.name(verdict.effective), expected);
    }
}
