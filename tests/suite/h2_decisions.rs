//! The same message gets the same decision in HTTP/1.1 and in HTTP/2: what the origin receives,
//! what the client is told, and what is written of it (case 75).

use serde_json::Value;

use crate::harness::{Client, Ended, H2, Modegate, Origin, settings};
use crate::messages::PLACES;

/// Members that meet every kind of row of the decision table.
const MEMBERS: [&str; 8] = [
    "",
    r#""processing":null"#,
    r#""processing":{"mode":"default"}"#,
    r#""processing":{"mode":"fast"}"#,
    r#""processing":{"mode":"fast","profile":"fast-v1"},"processing":{"mode":"fast"}"#,
    r#""proces\u0073ing":{"m\u006Fde":"fast"}"#,
    r#""processing":{"mode":"turbo"}"#,
    r#""processing":[]"#,
];

/// What the versions write differently, and what is each request's own.
const OWN: [&str; 6] =
    ["x-request-id", "traceparent", "date", "connection", "transfer-encoding", "content-length"];

fn sorted(fields: &[(String, String)]) -> Vec<(String, String)> {
    let mut fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| !OWN.contains(&&**name))
        .collect();
    fields.sort();
    fields
}

/// The access line without what is each request's own.
fn line(modegate: &Modegate, at: usize) -> Value {
    let mut line = modegate.access_lines()[at].clone();
    let of = line.as_object_mut().expect("an object");
    for own in ["timestamp", "request_id", "trace_id", "joined", "first_byte_us", "total_us"] {
        of.remove(own);
    }
    line
}

async fn compare(flags: &str, percent: u32) {
    let origin = Origin::echo().await;
    let extra = format!(
        "[flags]\n{flags}\n[profiles.fast-v1]\nmode = \"fast\"\n[canary]\npercent = {percent}\n\
         key = [\"room\", \"header:x-user\"]\n"
    );
    let config = settings(&origin, &extra).replace("[[listener]]", "[[listener]]\nh2c = true");
    let modegate = Modegate::start(&config).await;
    let mut lines = 0;
    for place in PLACES {
        let mut h1 = Client::connect(place.address(&modegate)).await;
        let mut h2 = H2::connect(place.address(&modegate)).await;
        for member in MEMBERS
            .map(|member| place.body(member))
            .iter()
            .map(String::as_str)
            .chain(["{bad", "[]"])
        {
            for user in ["user-1", "user-2", "日本語"] {
                let case = format!("{member} of {user} to {place:?}");
                let request = place.request(member).header("X-User", user);
                origin.forget();
                let one = h1.exchange(&request).await;
                let first = origin.received();
                origin.forget();
                let fields = request.h2_fields();
                let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                let two = h2.exchange(&fields, request.content()).await;
                let second = origin.received();

                assert_eq!(two.ended, Ended::Clean, "{case}");
                assert_eq!((one.status, one.text()), (two.status, two.text()), "{case}");
                assert_eq!(sorted(&one.head.fields), sorted(&two.fields), "{case}");
                assert_eq!(first.len(), second.len(), "{case}");
                for (first, second) in first.iter().zip(&second) {
                    assert_eq!(first.head.line, second.head.line, "{case}");
                    assert_eq!(first.text(), second.text(), "{case}");
                    assert_eq!(sorted(&first.head.fields), sorted(&second.head.fields), "{case}");
                    let length = second.body.len().to_string();
                    assert_eq!(second.header("content-length"), Some(&*length), "{case}");
                }
                lines += 2;
                modegate.access(lines).await;
                assert_eq!(line(&modegate, lines - 2), line(&modegate, lines - 1), "{case}");
            }
        }
    }
    let ended = modegate.metrics().await.sum("modegate_requests_total", &[]);
    assert_eq!(ended as usize, lines);
}

#[tokio::test]
async fn while_everything_is_off() {
    compare("", 100).await;
}

#[tokio::test]
async fn for_half_of_all_keys() {
    compare("contract = true\nruntime = true", 50).await;
}

#[tokio::test]
async fn for_all_keys() {
    compare("contract = true\nruntime = true", 100).await;
}
