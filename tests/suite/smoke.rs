//! The least that must work before anything else is worth asking.

use crate::harness::{Modegate, Origin, settings};

#[tokio::test]
async fn a_message_passes() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let response = modegate.post("/api/chat", r#"{"text":"hi"}"#).await;
    assert_eq!((response.status, response.text().as_str()), (200, r#"{"text":"hi"}"#));
    let lines = modegate.access(1).await;
    assert_eq!(lines[0]["route"], "/api/chat");
    modegate
        .counted("modegate_requests_total", &[("leg", "frontend"), ("outcome", "ok")], 1.0)
        .await;
    assert_eq!(modegate.flags().await["flags"]["contract"]["value"], false);
}
