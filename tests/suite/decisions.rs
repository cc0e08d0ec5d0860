//! The decision table, row by row, on every route of every leg: what the origin receives, byte
//! for byte, how it is tagged, and what the client is told.

use serde_json::json;

use crate::harness::{Answer, Client, Modegate, Origin, settings};
use crate::messages::{PLACES, Place, Wants};

/// What becomes of a message.
#[derive(Clone, Copy, Debug)]
enum Becomes {
    /// It leaves as it came; in this mode, with this profile.
    Kept(&'static str, Option<&'static str>),
    /// The value is replaced by the default mode.
    Replaced,
    /// The member is removed.
    Removed,
    /// It is refused.
    Refused(&'static str),
}
use Becomes::{Kept, Refused, Removed, Replaced};

/// A member, the mode it asks for, and what becomes of it.
type Row = (&'static str, &'static str, Becomes);

const FAST: &str = r#""processing":{"mode":"fast"}"#;
const TWICE: &str = r#""processing":{"mode":"default"},"processing" : {"mode":"fast"}"#;
const ESCAPED: &str = r#""proces\u0073ing":{"m\u006Fde":"fast"}"#;
const NULL_LAST: &str = r#""processing":{"mode":"fast"},"processing":null"#;
const PROFILED: &str = r#""processing":{"mode":"fast","profile":"fast-v1","reason":"voice"}"#;
const STRANGE: &str = r#""processing":{"mode":"fast","profile":"fast-v2"}"#;
const TURBO: &str = r#""processing":{"mode":"turbo"}"#;
const TEXT: &str = r#""processing":"fast""#;
const DEFAULT: &str = r#""processing":{"mode":"default","profile":"fast-v1"}"#;
const EMPTY: &str = r#""processing":{ "unknown":[{"mode":"fast"}] }"#;
const NULL: &str = r#""processing":null"#;
const MODE: &str = r#"processing.mode must be "default" or "fast""#;
const OBJECT: &str = "processing must be an object or null";

/// Nothing asked for, or the default: the same with the contract on, whatever else is on.
const QUIET: [Row; 6] = [
    ("", "none", Kept("default", None)),
    (NULL, "none", Kept("default", None)),
    (NULL_LAST, "none", Kept("default", None)),
    (EMPTY, "none", Kept("default", None)),
    (DEFAULT, "default", Kept("default", None)),
    (r#""Processing":{"mode":"fast"}"#, "none", Kept("default", None)),
];
const INVALID: [Row; 2] = [(TURBO, "invalid", Refused(MODE)), (TEXT, "invalid", Refused(OBJECT))];

/// The contract off, or killed.
const OFF: [Row; 12] = [
    ("", "none", Kept("default", None)),
    (NULL, "none", Removed),
    (NULL_LAST, "none", Removed),
    (EMPTY, "none", Removed),
    (DEFAULT, "default", Removed),
    (FAST, "fast", Removed),
    (TWICE, "fast", Removed),
    (ESCAPED, "fast", Removed),
    (PROFILED, "fast", Removed),
    (STRANGE, "fast", Removed),
    (TURBO, "invalid", Removed),
    (TEXT, "invalid", Removed),
];

/// Fast asked for where it does not apply.
const fn asked(becomes: Becomes) -> [Row; 5] {
    [
        (FAST, "fast", becomes),
        (TWICE, "fast", becomes),
        (ESCAPED, "fast", becomes),
        (PROFILED, "fast", becomes),
        (STRANGE, "fast", becomes),
    ]
}

/// Fast asked for where it applies; a profile that is not configured does not.
const fn granted(fallback: Becomes) -> [Row; 5] {
    [
        (FAST, "fast", Kept("fast", None)),
        (TWICE, "fast", Kept("fast", None)),
        (ESCAPED, "fast", Kept("fast", None)),
        (PROFILED, "fast", Kept("fast", Some("fast-v1"))),
        (STRANGE, "fast", fallback),
    ]
}

/// Checks these rows under these flags, everywhere. Every message has a bucket key.
async fn check(flags: &str, percent: u32, downgrade: &str, rows: &[&[Row]]) {
    let origin = Origin::start(|request| match request.header("accept") {
        None => Answer::status("200 OK", "Content-Type: application/json\r\n", "{}"),
        Some(_) => Answer::Bytes(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\
              \r\n9\r\ndata: {}\n\r\n1\r\n\n\r\n0\r\n\r\n"
                .to_vec(),
        ),
    })
    .await;
    let extra = format!(
        "[flags]\n{flags}\n[contract]\ndowngrade = \"{downgrade}\"\n\
         [profiles.fast-v1]\nmode = \"fast\"\n\
         [canary]\npercent = {percent}\nkey = [\"room\", \"header:x-user\"]\n"
    );
    let modegate = Modegate::start(&settings(&origin, &extra)).await;
    let cohort = if percent == 100 { "canary" } else { "control" };
    for place in PLACES {
        for row in rows.iter().flat_map(|rows| rows.iter()) {
            for chunks in [None, Some(1), Some(5000)] {
                check_row(&modegate, &origin, place, *row, cohort, chunks).await;
            }
        }
    }
}

async fn check_row(
    modegate: &Modegate,
    origin: &Origin,
    place: &Place,
    (member, requested, becomes): Row,
    cohort: &str,
    chunks: Option<usize>,
) {
    let case = format!("{member} to {place:?}, {becomes:?}");
    let mut request = place.request(place.body(member)).header("X-User", "u-1");
    if let Some(size) = chunks {
        request = request.chunked(size);
    }
    let before = origin.requests();
    let response = Client::once(place.address(modegate), request).await;
    let (body, mode, profile) = match becomes {
        Refused(message) => {
            place.assert_refused(&response, (400, -32602, message), json!("rpc-7"));
            assert_eq!(origin.requests(), before, "{case}");
            return;
        }
        Kept(mode, profile) => (place.body(member), mode, profile),
        Removed => (place.body(""), "default", None),
        Replaced => (replaced(place, member), "default", None),
    };
    assert_eq!(origin.requests(), before + 1, "{case}");
    let received = origin.last();
    assert_eq!(received.text(), body, "{case}");
    let tags = [
        ("x-processing-mode", Some(mode)),
        ("x-processing-requested", Some(requested)),
        ("x-processing-profile", profile),
        ("x-processing-room", Some(place.room)),
        ("x-processing-cohort", Some(cohort)),
        ("content-length", Some(&*body.len().to_string())),
        ("transfer-encoding", None),
        ("x-request-id", response.header("x-request-id")),
    ];
    for (name, value) in tags {
        assert_eq!(received.header(name), value, "{name}: {case}");
    }
    assert_eq!(response.status, 200, "{case}");
    assert_eq!(response.header("x-processing-mode"), Some(mode), "{case}");
    assert!(response.header("x-processing-requested").is_none(), "{case}");
    let answer = if place.wants == Wants::Whole { "{}" } else { "data: {}\n\n" };
    assert_eq!(response.text(), answer, "{case}");
}

/// The message with every value of the member replaced, the keys as they stood.
fn replaced(place: &Place, member: &str) -> String {
    place.body(match member {
        TWICE => r#""processing":{"mode":"default"},"processing" : {"mode":"default"}"#,
        ESCAPED => r#""proces\u0073ing":{"mode":"default"}"#,
        _ => r#""processing":{"mode":"default"}"#,
    })
}

#[tokio::test]
async fn contract_off() {
    check("", 100, "replace", &[&OFF]).await;
}

#[tokio::test]
async fn killed() {
    check("kill = true\ncontract = true\nruntime = true", 100, "replace", &[&OFF]).await;
}

#[tokio::test]
async fn killed_where_downgrades_strip() {
    check("kill = true\ncontract = true", 0, "strip", &[&OFF]).await;
}

#[tokio::test]
async fn runtime_off() {
    check("contract = true", 100, "replace", &[&QUIET, &INVALID, &asked(Replaced)]).await;
}

#[tokio::test]
async fn runtime_off_where_downgrades_strip() {
    check("contract = true", 100, "strip", &[&QUIET, &INVALID, &asked(Removed)]).await;
}

#[tokio::test]
async fn control() {
    let flags = "contract = true\nruntime = true";
    check(flags, 0, "replace", &[&QUIET, &INVALID, &asked(Replaced)]).await;
}

#[tokio::test]
async fn control_where_downgrades_strip() {
    let flags = "contract = true\nruntime = true";
    check(flags, 0, "strip", &[&QUIET, &INVALID, &asked(Removed)]).await;
}

#[tokio::test]
async fn canary() {
    let flags = "contract = true\nruntime = true";
    check(flags, 100, "replace", &[&QUIET, &INVALID, &granted(Replaced)]).await;
}

#[tokio::test]
async fn canary_where_downgrades_strip() {
    let flags = "contract = true\nruntime = true";
    check(flags, 100, "strip", &[&QUIET, &INVALID, &granted(Removed)]).await;
}

#[tokio::test]
async fn enforcing_and_the_toggle_change_nothing_here() {
    let flags = "contract = true\nruntime = true\nui = true\ncloud_enforced = true";
    check(flags, 100, "replace", &[&QUIET, &INVALID, &granted(Replaced)]).await;
}
