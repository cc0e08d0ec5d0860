//! What the process never writes down: texts, rooms, and the secrets of clients and operators.

use serde_json::json;

use crate::control_process::unauthorized;
use crate::harness::{Client, Modegate, Origin, Request, TOKEN, eventually, settings};

/// With everything logged that can be, by us and by what we are made of.
#[tokio::test]
async fn no_secret_text_or_room_is_ever_logged() {
    let (text, room, key) = ("the-secret-text", "room-of-ann-0815", "sk-data-port-secret");
    let origin = Origin::echo().await;
    let extra = "[log]\nlevel = \"trace\"\n[flags]\ncontract = true\n[canary]\npercent = 50\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let body = format!(
        r#"{{"text":"{text}","roomId":"{room}","processing":{{"mode":"fast","reason":"{text}"}}}}"#
    );
    let rpc = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"message.send","params":{body}}}"#);
    let dress = |request: Request| {
        request
            .header("Authorization", &format!("Bearer {key}"))
            .header("X-Api-Key", key)
            .header("Cookie", &format!("session={key}"))
    };
    let bad = body.replace("fast", "no-such-mode");
    let calls = [
        (modegate.frontend(), format!("/api/conversations/{room}/messages"), body.clone()),
        (modegate.frontend(), format!("/api/conversations/{room}/messages?token={key}"), bad),
        (modegate.frontend(), "/v1/messages".to_owned(), format!("{body}x")),
        (modegate.frontend(), format!("/other/{room}?token={key}"), body.clone()),
        (modegate.bridge(), "/api/v1/milady/agents/a/bridge".to_owned(), rpc.clone()),
        (modegate.runtime(), "/bridge".to_owned(), rpc),
    ];
    let number = calls.len();
    for (address, target, body) in calls {
        Client::once(address, dress(Request::post(&target, body))).await;
    }
    modegate.flag("kill", true).await;
    unauthorized(&modegate, dress(Request::new("PUT", "/flags/kill").body("{}"))).await;
    modegate.access(number).await;
    eventually("the change in the log", async || {
        modegate.logs().iter().any(|line| line.contains("flag set")).then_some(())
    })
    .await;
    let spilled: Vec<String> = modegate
        .logs()
        .into_iter()
        .filter(|line| [text, room, key, TOKEN].iter().any(|secret| line.contains(secret)))
        .collect();
    assert!(spilled.is_empty(), "{spilled:#?}");
    let shown = modegate.call("GET", "/config", None).await.text() + &modegate.metrics().await.text;
    assert!(![text, room, key, TOKEN].iter().any(|secret| shown.contains(secret)));
    assert_eq!(modegate.flags().await["flags"]["kill"]["value"], json!(true));
}
