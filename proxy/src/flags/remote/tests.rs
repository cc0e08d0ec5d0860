use super::*;

fn answer(status: u16, fields: &[(&str, &str)], body: &str) -> Response<Bytes> {
    let mut answer = Response::builder().status(status);
    for (name, value) in fields {
        answer = answer.header(*name, *value);
    }
    answer.body(Bytes::from(body.to_owned())).unwrap()
}

/// A bulk answer by the published description: successes and failures side by side.
const BULK: &str = r#"{"flags":[
    {"key":"other","value":"x","reason":"STATIC","variant":"a","metadata":{"owner":"b"}},
    {"key":"broken","errorCode":"PARSE_ERROR","errorDetails":"d"},
    {"key":"modegate","reason":"STATIC","variant":"stage",
     "value":{"generation":7,"contract":true,"runtime":true,"percent":5}}]}"#;

#[test]
fn answers() {
    let said = |answer: &Response<Bytes>, asked| match read(answer, "modegate", asked) {
        Said::Document(document, etag) => {
            format!("generation {} etag {}", document.generation, etag.is_some())
        }
        Said::NotModified => "not modified".to_owned(),
        Said::Later(wait) => format!("later {}", wait.as_secs()),
        Said::Failed(_) => "failed".to_owned(),
    };
    let cases = [
        (answer(200, &[("etag", "\"7\"")], BULK), "generation 7 etag true"),
        (answer(200, &[], BULK), "generation 7 etag false"),
        (answer(304, &[], ""), "not modified"),
        (answer(429, &[("retry-after", "30")], ""), "later 30"),
        (answer(429, &[("retry-after", "2026-11-25T07:32:04Z")], ""), "later 0"),
        (answer(429, &[], ""), "later 0"),
        (answer(400, &[], r#"{"errorCode":"INVALID_CONTEXT"}"#), "failed"),
        (answer(401, &[], ""), "failed"),
        (answer(500, &[], r#"{"errorDetails":"x"}"#), "failed"),
        (answer(200, &[], "<html>"), "failed"),
        (answer(200, &[], "{}"), "failed"),
        (answer(200, &[], r#"{"flags":[]}"#), "failed"),
        (answer(200, &[], r#"{"flags":[{"key":"modegate","reason":"DISABLED"}]}"#), "failed"),
        (answer(200, &[], r#"{"flags":[{"key":"modegate","value":true}]}"#), "failed"),
        (answer(200, &[], r#"{"flags":[{"key":"modegate","errorCode":"GENERAL"}]}"#), "failed"),
    ];
    for (answer, expected) in cases {
        assert_eq!(said(&answer, true), expected, "{answer:?}");
    }
    assert_eq!(said(&answer(304, &[], ""), false), "failed", "nobody asked for changes");
}

#[test]
fn waits_grow_and_are_bounded() {
    let second = Duration::from_secs(1);
    let waits = [1, 2, 5, 6, 100].map(|failures| backoff(second, failures).as_secs());
    assert_eq!(waits, [2, 4, 32, 60, 60]);
    assert_eq!(backoff(Duration::from_secs(300), 3).as_secs(), 300);
    for _ in 0..100 {
        let wait = jittered(second * 10).as_millis();
        assert!((8_000..=12_000).contains(&wait), "{wait}");
    }
}
