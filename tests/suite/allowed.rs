//! What the runtime leg serves, and that nothing else reaches its entrypoint (case 47).

use serde_json::json;

use crate::explain_oracle::{Explainer, Request as Explained};
use crate::harness::{Client, Modegate, Origin, Request, settings};

const RPC: &str = r#"{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"text":"t"}}"#;
const NOT_FOUND: &str = r#"{"error":"Not Found"}"#;

/// Ways to ask the entrypoint for its memory, or for what is no message.
const REFUSED: &[(&str, &str)] = &[
    ("POST", "/api/snapshot"),
    ("POST", "/api/restore"),
    ("GET", "/api/restore"),
    ("POST", "/api/restore?x"),
    ("POST", "/api/restore/"),
    ("POST", "/bridge/../api/restore"),
    ("POST", "/bridge/%2e%2e/api/restore"),
    ("POST", "/%2e%2e/api/restore"),
    ("POST", "/%2E./api/restore"),
    ("POST", "/api/./restore"),
    ("POST", "//x/api/restore"),
    ("POST", "/\\x/api/restore"),
    ("POST", "/api\\restore"),
    ("POST", "http://client.example/api/restore"),
    ("POST", "http://client.example/bridge/../api/restore"),
    ("POST", "/x/../bridge"),
    ("POST", "//x/bridge"),
    ("POST", "/bridge/"),
    ("POST", "/Bridge"),
    ("POST", "/%62ridge"),
    ("GET", "/bridge"),
    ("PUT", "/bridge"),
    ("OPTIONS", "/bridge/stream"),
    ("PATCH", "/bridge/stream"),
    ("GET", "/health"),
    ("GET", "/"),
    ("OPTIONS", "*"),
];

#[tokio::test]
async fn what_is_no_message_does_not_reach_the_runtime() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let mut refused = 0.0;
    for (method, target) in REFUSED {
        for chunk in [None, Some(20)] {
            let mut request = Request::new(method, target).body(RPC);
            if let Some(chunk) = chunk {
                request = request.chunked(chunk);
            }
            let mut client = Client::connect(modegate.runtime()).await;
            let response = client.exchange(&request).await;
            let case = format!("{method} {target}");
            // A backslash is in no HTTP target.
            if !(target.contains('\\') && response.status == 400) {
                let answer = (response.status, response.text());
                assert_eq!(answer, (404, NOT_FOUND.to_owned()), "{case}");
                assert_eq!(response.header("content-type"), Some("application/json"), "{case}");
                refused += 1.0;
            }
            // The body was not read: what follows it is no request.
            client.closed().await;
            assert_eq!(origin.accepted(), 0, "{case}");
        }
    }
    // A request without a body leaves nothing behind: its connection goes on.
    let mut client = Client::connect(modegate.runtime()).await;
    for _ in 0..2 {
        assert_eq!(client.exchange(&Request::get("/api/snapshot")).await.status, 404);
    }
    assert_eq!(origin.accepted(), 0);
    let reason = [("leg", "runtime"), ("reason", "not_allowed")];
    modegate.counted("modegate_rejections_total", &reason, refused + 2.0).await;

    for target in ["/bridge", "/bridge/stream", "http://client.example/bridge"] {
        assert_eq!(client.exchange(&Request::post(target, RPC)).await.text(), RPC, "{target}");
    }
    // The other legs serve what their servers serve.
    for address in [modegate.frontend(), modegate.bridge()] {
        assert_eq!(Client::once(address, Request::post("/api/snapshot", "x")).await.text(), "x");
    }
}

#[tokio::test]
async fn the_configuration_can_allow_more() {
    let origin = Origin::echo().await;
    let allow = "allow = [\"GET /health\", \"POST /api/snapshot\"]\n";
    let modegate = Modegate::start(&(settings(&origin, "") + allow)).await;
    let cases = [
        ("GET", "/health", 200),
        ("GET", "/health?verbose", 200),
        ("POST", "/api/snapshot", 200),
        ("POST", "/bridge", 200),
        ("POST", "/health", 404),
        ("HEAD", "/health", 404),
        ("GET", "/health/", 404),
        ("GET", "/x/../health", 404),
        ("GET", "/api/snapshot", 404),
        ("POST", "/api/restore", 404),
        ("POST", "/api/snapshot/../restore", 404),
        ("POST", "/api/restore/../snapshot", 404),
    ];
    for (method, target, status) in cases {
        let before = origin.requests();
        let request = Request::new(method, target).body(RPC);
        let response = Client::once(modegate.runtime(), request).await;
        let case = format!("{method} {target}");
        assert_eq!(response.status, status, "{case}");
        assert_eq!(origin.requests() - before, usize::from(status == 200), "{case}");
    }
}

#[tokio::test]
async fn explain_says_the_same() {
    let explainer = Explainer::new(crate::explain_oracle::setting::STRIPS);
    for (method, target) in REFUSED {
        let request = Explained {
            method,
            target,
            ..Explained::post(crate::explain_oracle::setting::RUNTIME, RPC.as_bytes())
        };
        let explained = explainer.explain(request);
        let rejection = json!({
            "status": 404,
            "reason": "not_allowed",
            "message": "Not Found",
            "body": NOT_FOUND,
        });
        assert_eq!(explained["action"], "reject", "{method} {target}");
        assert_eq!(explained["rejection"], rejection, "{method} {target}");
    }
    let served =
        explainer.explain(Explained::post(crate::explain_oracle::setting::RUNTIME, RPC.as_bytes()));
    assert_eq!((&served["action"], &served["rejection"]), (&json!("pass"), &json!(null)));
}
