//! `GET /.well-known/processing`: what a client may show, whatever the flags are.

use serde_json::json;

use crate::harness::{Client, Modegate, Origin, Request, settings};

const PATH: &str = "/.well-known/processing";

#[tokio::test]
async fn it_says_what_the_flags_say() {
    let origin = Origin::echo().await;
    let extra = "[profiles.fast-v1]\nmode = \"fast\"\n[profiles.fast-v2]\nmode = \"fast\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let steps: [(&str, bool, bool, bool); 9] = [
        ("", false, false, false),
        ("contract", true, true, false),
        ("runtime", true, true, false),
        ("ui", true, true, true),
        ("cloud_enforced", true, true, true),
        ("kill", true, false, false),
        ("kill", false, true, true),
        ("ui", false, true, false),
        ("runtime", false, true, false),
    ];
    for (flag, value, contract, ui) in steps {
        if !flag.is_empty() {
            modegate.flag(flag, value).await;
        }
        let response = Client::once(modegate.frontend(), Request::get(PATH)).await;
        let expected = json!({
            "contract": contract,
            "ui": ui,
            "modes": ["default", "fast"],
            "profiles": ["fast-v1", "fast-v2"],
        });
        assert_eq!((response.status, response.json()), (200, expected), "{flag} {value}");
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    }
    assert_eq!(origin.accepted(), 0);
}

#[tokio::test]
async fn only_reading_it_on_the_frontend_leg_is_answered_here() {
    let origin = Origin::echo().await;
    let allow = format!("allow = [\"GET {PATH}\"]\n");
    let modegate = Modegate::start(&(settings(&origin, "") + &allow)).await;
    let cases = [
        ("frontend", "GET", PATH, false),
        ("frontend", "HEAD", PATH, false),
        ("frontend", "GET", "/.well-known/processing?x=1", false),
        ("frontend", "POST", PATH, true),
        ("frontend", "OPTIONS", PATH, true),
        ("frontend", "GET", "/.well-known/processing/", true),
        ("frontend", "GET", "/.well-known/other", true),
        ("bridge", "GET", PATH, true),
        ("runtime", "GET", PATH, true),
    ];
    for (number, (leg, method, target, forwarded)) in cases.into_iter().enumerate() {
        let before = origin.requests();
        let response = Client::once(modegate.leg(leg, 0), Request::new(method, target)).await;
        assert_eq!(response.status, 200, "{method} {target}");
        let case = format!("{method} {target} on {leg}");
        assert_eq!(origin.requests() - before, usize::from(forwarded), "{case}");
        let line = modegate.access(number + 1).await.remove(number);
        assert_eq!((&line["status"], &line["outcome"]), (&json!(200), &json!("ok")), "{case}");
    }
}
