//! Flags from a service over OFREP: what is asked, and what becomes of every answer.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::control_process::{DOWNGRADED, FAST, message};
use crate::harness::{Answer, Modegate, Origin, eventually, settings};

/// What the service answers next: status, fields, body.
type Script = Arc<Mutex<(String, String, String)>>;

async fn service(script: &Script) -> Origin {
    let script = script.clone();
    Origin::start(move |_| {
        let (status, fields, body) = script.lock().expect("no panic").clone();
        Answer::status(&status, &fields, &body)
    })
    .await
}

fn say(script: &Script, status: &str, fields: &str, body: &str) {
    *script.lock().expect("no panic") = (status.to_owned(), fields.to_owned(), body.to_owned());
}

fn bulk(generation: u64, percent: f64) -> String {
    let value = json!({
        "generation": generation, "contract": true, "runtime": true, "percent": percent
    });
    let other = json!({ "key": "other", "errorCode": "PARSE_ERROR" });
    let flag = json!({ "key": "modegate", "value": value, "reason": "STATIC", "variant": "s" });
    json!({ "flags": [other, flag], "metadata": {} }).to_string()
}

async fn remote(modegate: &Modegate, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        let remote = modegate.flags().await["documents"]["remote"].clone();
        is(&remote).then_some(remote)
    })
    .await
}

#[tokio::test]
async fn every_answer_of_the_service() {
    let script = Script::default();
    say(&script, "200 OK", "ETag: \"one\"\r\n", &bulk(1, 100.0));
    let (origin, service) = (Origin::echo().await, service(&script).await);
    let extra = format!(
        "[flag_sources]\nremote = \"{}\"\ninterval = \"1s\"\nstale_after = \"3s\"\n\
         drop_after = \"12s\"\ntarget = \"pod-1\"\n",
        service.url()
    );
    let modegate = Modegate::start(&settings(&origin, &extra)).await;
    remote(&modegate, "generation 1", |remote| remote["generation"] == 1).await;
    assert_eq!(message(&modegate, &origin).await.1, FAST);
    assert_eq!(modegate.flags().await["flags"]["runtime"]["layer"], "remote");
    let asked = service.last();
    assert_eq!((asked.method(), asked.target()), ("POST", "/ofrep/v1/evaluate/flags"));
    let context: Value = serde_json::from_str(&asked.text()).expect("JSON");
    assert_eq!(context, json!({ "context": { "targetingKey": "pod-1" } }));

    say(&script, "304 Not Modified", "", "");
    eventually("a question for changes", async || {
        (service.last().header("if-none-match") == Some("\"one\"")).then_some(())
    })
    .await;
    // An error of the service, garbage, what is too large: the last good one stays.
    let large = format!("{{\"flags\":[],\"pad\":\"{}\"}}", "x".repeat(70_000));
    for (status, body) in [
        ("500 Internal Server Error", "{}"),
        ("200 OK", "<html>"),
        ("200 OK", &large),
        ("200 OK", &bulk(0, 1.0)),
    ] {
        say(&script, "200 OK", "ETag: \"one\"\r\n", &bulk(1, 100.0));
        remote(&modegate, "no error", |remote| remote["error"].is_null()).await;
        say(&script, status, "", body);
        remote(&modegate, "an error", |remote| !remote["error"].is_null()).await;
        assert_eq!(message(&modegate, &origin).await.1, FAST, "{status} {body:.20}");
    }
    remote(&modegate, "stale", |remote| remote["freshness"] == "stale").await;
    assert_eq!(message(&modegate, &origin).await.1, FAST, "stale holds");
    remote(&modegate, "dropped", |remote| remote["freshness"] == "dropped").await;
    assert_eq!(message(&modegate, &origin).await.1, crate::control_process::STRIPPED);

    say(&script, "200 OK", "", &bulk(2, 0.0));
    remote(&modegate, "generation 2", |remote| remote["generation"] == 2).await;
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);
}

#[tokio::test]
async fn a_service_that_asks_for_patience_gets_it() {
    let script = Script::default();
    say(&script, "429 Too Many Requests", "Retry-After: 600\r\n", "");
    let (origin, service) = (Origin::echo().await, service(&script).await);
    let remote = format!("[flag_sources]\nremote = \"{}\"\ninterval = \"1s\"\n", service.url());
    let modegate = Modegate::start(&settings(&origin, &remote)).await;
    eventually("a question", async || (!service.received().is_empty()).then_some(())).await;
    // Several intervals later, seen by an override's end, it was not asked again.
    let set = json!({ "value": true, "actor": "suite", "reason": "a test", "expires": "3s" });
    assert_eq!(modegate.call("PUT", "/flags/kill", Some(set)).await.status, 200);
    modegate.counted("modegate_flag", &[("name", "kill")], 0.0).await;
    assert_eq!(service.received().len(), 1);
}
