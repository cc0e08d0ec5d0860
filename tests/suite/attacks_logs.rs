//! What is sent to be logged: line ends, colours, quotes, megabytes and secrets make one bounded
//! record a request, and no series (case 86).

use serde_json::Value;

use crate::harness::{Answer, Client, Modegate, Origin, Request, settings};
use crate::messages::PLACES;

const SECRET: &str = "s3cret";
/// No record is longer, whatever was sent.
const LONGEST: usize = 2000;

fn members() -> Vec<String> {
    let long = "x".repeat(1 << 20);
    let forged = r#"\n{\"target\":\"access\"}\r\u001b[31m\u2028\u0000\u009b\"}"#;
    let mut members = Vec::new();
    for text in [long.as_str(), forged, SECRET, "\u{1f600}\u{202e}\u{7f}", "\\ud800"] {
        members.push(format!(r#""processing":"{text}""#));
        for member in ["mode", "profile", "reason", "other"] {
            members.push(format!(r#""processing":{{"{member}":"{text}"}}"#));
        }
        members.push(format!(r#""{text}":1,"roomId":"{text}","text":"{text}""#));
    }
    members
}

#[tokio::test]
async fn whatever_is_sent_is_one_bounded_record() {
    let origin = Origin::start(|_| Answer::ok("{}")).await;
    let extra = "[log]\nlevel = \"trace\"\n[flags]\ncontract = true\nruntime = true\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let series = series(&modegate).await;
    let mut sent = 0;
    for place in [&PLACES[0], &PLACES[4], &PLACES[8], &PLACES[11]] {
        for member in members() {
            let request = place.request(place.body(&member));
            Client::once(place.address(&modegate), request).await;
            sent += 1;
        }
        let bodies = [format!("{{{SECRET}"), format!(r#"{{"id":"{}"}}"#, "\\n".repeat(100_000))];
        for body in bodies {
            Client::once(place.address(&modegate), place.request(body)).await;
            sent += 1;
        }
    }
    let long = "%0a%1b".repeat(1000);
    let targets = [
        "/x%0a%1b%5b31m".to_owned(),
        "/\"}{\"target\":\"access\"}".to_owned(),
        format!("/x?token={SECRET}&key={SECRET}"),
        format!("/api/chat?api_key={SECRET}"),
        format!("/api/conversations/{SECRET}/messages?access_token={SECRET}"),
        format!("http://{SECRET}:{SECRET}@h/api/chat?{SECRET}"),
        format!("/{long}"),
        format!("/api/conversations/{long}/messages"),
    ];
    let mut recorded = 0;
    for target in targets {
        for (method, id) in
            [("POST", "\"}{\\\"\\n"), ("M-SEARCH", "\u{1b}[31m"), ("GET", "\\u000a")]
        {
            let mut request = Request::new(method, &target)
                .header("X-Request-Id", id)
                .header("Traceparent", "00-\"}{-\"-01")
                .header("User-Agent", &format!("\u{9b}31m{SECRET}\"}}{{"))
                .header("Authorization", &format!("Bearer {SECRET}"))
                .header("X-Api-Key", SECRET)
                .header("Cookie", &format!("session={SECRET}"))
                .header("Referer", &format!("http://h/?{SECRET}"))
                .header("X-Processing-Room", SECRET);
            if method == "POST" {
                request = request.body("{}");
            }
            let mut client = Client::connect(modegate.frontend()).await;
            client.write(request.bytes()).await;
            let response = client.response_to(method).await;
            // A head that is none at all has no record.
            recorded += usize::from(response.header("x-request-id").is_some());
        }
    }
    // Of three requests to each target two have a head that is one.
    assert!(recorded >= 14, "case 86: {recorded} heads were read");
    sent += recorded;
    let lines = modegate.access(sent).await;
    for line in lines {
        assert!(line["request_id"].as_str().is_some_and(|id| id.len() <= 64), "case 86: {line}");
    }
    for line in modegate.logs() {
        let parsed: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"));
        assert!(parsed.is_object(), "case 86: {line:?}");
        assert!(!line.chars().any(char::is_control), "case 86: {line:?}");
        assert!(line.len() < LONGEST, "case 86: {} bytes: {}", line.len(), &line[..200]);
        assert!(!line.contains(SECRET), "case 86: {line}");
    }
    assert_eq!(modegate.stderr(), "", "case 86");
    assert_eq!(self::series(&modegate).await, series, "case 86: no request adds a series");
    assert_eq!(modegate.post("/api/chat", "{}").await.status, 200);
}

/// The names and labels of every series.
async fn series(modegate: &Modegate) -> Vec<String> {
    let text = modegate.metrics().await.text;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
}
