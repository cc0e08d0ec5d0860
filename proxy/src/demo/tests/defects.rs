//! The defects and refusals that the facts name, and that no capture shows.

use std::io::ErrorKind;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{LONG, chain, exchange, new_conversation, post};
use crate::demo::call::{Answer, Base};
use crate::demo::origins::{Hop, Origins};

fn last_body(origins: &Origins, hop: Hop) -> String {
    let last = origins.recorded(hop).pop().unwrap();
    String::from_utf8(last.body.to_vec()).unwrap()
}

#[tokio::test]
async fn the_runtime_dies_of_what_is_no_json_or_null_and_of_an_id_that_it_cannot_write() {
    let deep = format!(r#"{{"method":"m","id":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    for body in ["{bad", "", "null", " null ", "{}x", "\u{feff}{}", &deep] {
        let origins = chain().await;
        let mut idle = TcpStream::connect(origins.runtime).await.unwrap();
        let mut deadly = TcpStream::connect(origins.runtime).await.unwrap();
        let runtime = Base::new(&origins.runtime.to_string());
        assert_eq!(post(&runtime, "/bridge", "{}").await.status, StatusCode::OK);
        assert!(origins.alive(Hop::Runtime), "{body:?}");

        let head = "POST /bridge HTTP/1.1\r\nhost: a\r\ncontent-length";
        let request = format!("{head}: {}\r\n\r\n{body}", body.len());
        deadly.write_all(request.as_bytes()).await.unwrap();
        for connection in [&mut deadly, &mut idle] {
            let mut reply = Vec::new();
            // An end or a reset, and nothing before it.
            let _ = connection.read_to_end(&mut reply).await;
            assert_eq!(reply, b"", "{body:?}");
        }
        assert!(!origins.alive(Hop::Runtime), "{body:?}");
        let refused = TcpStream::connect(origins.runtime).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{body:?}");
        assert!(origins.alive(Hop::Cloud) && origins.alive(Hop::Api), "{body:?}");
    }
}

#[tokio::test]
async fn the_runtime_lives_through_every_other_json() {
    let origins = chain().await;
    let runtime = Base::new(&origins.runtime.to_string());
    let send = r#"{"id":1,"method":"message.send""#;
    let deep =
        format!(r#"{send},"params":{{"text":"d","x":{}1{}}}}}"#, "[".repeat(500), "]".repeat(500));
    let missing =
        r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found: undefined"}}"#;
    let cases = [
        ("[]".to_owned(), missing.to_owned()),
        ("5".to_owned(), missing.to_owned()),
        ("\"s\"".to_owned(), missing.to_owned()),
        (r#"{"id":"a","method":"x\ny"}"#.to_owned(), r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32601,"message":"Method not found: x\ny"}}"#.to_owned()),
        (format!("{send}}}"), r#"{"jsonrpc":"2.0","id":#,"result":{"text":"[echo] ","metadata":{"timestamp":#}}}"#.to_owned()),
        (format!(r#"{send},"params":{{"text":"\ud83d"}}}}"#), r#"{"jsonrpc":"2.0","id":#,"result":{"text":"[echo] \ud83d","metadata":{"timestamp":#}}}"#.to_owned()),
        (deep, r#"{"jsonrpc":"2.0","id":#,"result":{"text":"[echo] d","metadata":{"timestamp":#}}}"#.to_owned()),
        (r#"{"method":"heartbeat","id":7}"#.to_owned(), r#"{"jsonrpc":"2.0","method":"heartbeat.ack","params":{"timestamp":#}}"#.to_owned()),
    ];
    for (body, expected) in cases {
        let answer = post(&runtime, "/bridge", &body).await;
        let expected = expected.replace("\"id\":#", "\"id\":1");
        let text = answer.text();
        let text = match text.split_once("\"timestamp\":") {
            Some((before, after)) => {
                format!("{before}\"timestamp\":#{}", &after[after.find('}').unwrap()..])
            }
            None => text,
        };
        assert_eq!((answer.status, text), (StatusCode::OK, expected), "{body:.80}");
    }
    for target in ["/bridge/", "/bridge?a=b", "/Bridge"] {
        let answer = post(&runtime, target, "{bad").await;
        assert_eq!(
            (answer.status.as_u16(), answer.text()),
            (404, r#"{"error":"Not Found"}"#.to_owned())
        );
    }
    let refused = post(&runtime, "/bridge/stream", "{}").await;
    assert_eq!(refused.text(), r#"{"error":"Only message.send is streamable"}"#);
    let status = post(&runtime, "/bridge", r#"{"method":"status.get"}"#).await;
    assert!(status.text().contains(r#""result":{"status":"running""#));
    assert!(origins.alive(Hop::Runtime));
}

#[tokio::test]
async fn the_cloud_keeps_params_on_bridge_and_loses_them_on_stream() {
    let origins = chain().await;
    let cloud = Base::new(&origins.cloud.to_string());
    let body = r#"{ "processing": 1, "params": { "text": "t", "processing": {"mode":"fast"}, "roomId":"r", "n":1.50 }, "method":"message.send", "id":9, "jsonrpc":"2.0" }"#;
    let cases = [
        (
            "bridge",
            r#"{"jsonrpc":"2.0","id":9,"method":"message.send","params":{"text":"t","processing":{"mode":"fast"},"roomId":"r","n":1.50}}"#,
        ),
        (
            "stream",
            r#"{"jsonrpc":"2.0","id":9,"method":"message.send","params":{"text":"t","roomId":"r"}}"#,
        ),
    ];
    for (call, onward) in cases {
        let target = format!("/api/v1/milady/agents/x/{call}");
        let request =
            Request::post(target).header("x-api-key", "k").header("x-processing-mode", "fast");
        let answer = exchange(&cloud, request.body(Bytes::from(body)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{call}");
        assert_eq!(last_body(&origins, Hop::Runtime), onward, "{call}");
        let headers = origins.recorded(Hop::Runtime).pop().unwrap().headers;
        assert!(!headers.contains_key("x-processing-mode") && !headers.contains_key("x-api-key"));
    }
}

#[tokio::test]
async fn the_cloud_refuses_by_its_schemas() {
    let origins = chain().await;
    let cloud = Base::new(&origins.cloud.to_string());
    let invalid_rpc = r#"{"success":false,"error":"Invalid JSON-RPC request","details":["#;
    let invalid = r#"{"error":"Invalid request","details":["#;
    let internal =
        r#"{"success":false,"error":"An unexpected error occurred","code":"internal_error"}"#;
    let cases = [
        ("bridge", "{bad", 500, internal),
        ("stream", "", 500, internal),
        ("bridge", "[]", 400, invalid_rpc),
        ("bridge", r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#, 400, invalid_rpc),
        ("bridge", r#"{"jsonrpc":"2.0","method":""}"#, 400, invalid_rpc),
        ("bridge", r#"{"jsonrpc":"2.0","method":"m","params":[]}"#, 400, invalid_rpc),
        ("bridge", r#"{"method":"m"}"#, 400, invalid_rpc),
        ("stream", r#"{"jsonrpc":"2.0","method":"message.send"}"#, 400, invalid),
        ("stream", r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"text":"t"}}"#, 400, invalid),
        (
            "stream",
            r#"{"jsonrpc":"2.0","method":"message.send","params":{"text":""}}"#,
            400,
            invalid,
        ),
        (
            "stream",
            r#"{"jsonrpc":"2.0","method":"message.send","params":{"text":"t","roomId":1}}"#,
            400,
            invalid,
        ),
        (
            "bridge",
            "\u{feff}{\"jsonrpc\":\"2.0\",\"method\":\"heartbeat\"}",
            200,
            r#"{"jsonrpc":"2.0","method":"heartbeat.ack""#,
        ),
    ];
    for (call, body, status, start) in cases {
        let target = format!("/api/v1/milaidy/agents/x/{call}");
        let request =
            Request::post(target).header("x-api-key", "k").body(Bytes::from(body)).unwrap();
        let answer = exchange(&cloud, request).await;
        assert_eq!(answer.status.as_u16(), status, "{call} {body}");
        assert!(answer.text().starts_with(start), "{call} {body}: {}", answer.text());
    }
    let unknown = post(&cloud, "/api/v1/milaidy/agents/x/bridge", "{}").await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
    assert!(origins.alive(Hop::Runtime));
}

#[tokio::test]
async fn a_dead_runtime_is_an_error_in_a_good_answer() {
    let origins = chain().await;
    let [api, cloud, runtime] = [origins.api, origins.cloud, origins.runtime]
        .map(|address| Base::new(&address.to_string()));
    let (conversation, _) = new_conversation(&api).await;
    runtime.fetch(Method::POST, "/bridge", &[], Bytes::from("{bad"), LONG).await.unwrap_err();

    let rpc = r#"{"jsonrpc":"2.0","id":"i","method":"message.send","params":{"text":"t"}}"#;
    let cases = [
        (
            "bridge",
            r#"{"jsonrpc":"2.0","id":"i","error":{"code":-32000,"message":"Sandbox bridge is unreachable"}}"#,
        ),
        (
            "stream",
            "event: error\ndata: {\"message\":\"Sandbox is not running or unreachable\"}\n\n",
        ),
    ];
    for (call, expected) in cases {
        let target = format!("/api/v1/milaidy/agents/x/{call}");
        let request =
            Request::post(target).header("x-api-key", "k").body(Bytes::from(rpc)).unwrap();
        let answer = exchange(&cloud, request).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, expected.to_owned()));
    }

    let target = format!("/api/conversations/{conversation}/messages");
    let answer = post(&api, &target, r#"{"text":"t"}"#).await;
    let expected = r#"{"error":"Sandbox bridge is unreachable"}"#.to_owned();
    assert_eq!((answer.status.as_u16(), answer.text()), (500, expected));
    // The error event is swallowed: a reply that is empty, and well.
    let answer = post(&api, &format!("{target}/stream"), r#"{"text":"t"}"#).await;
    let expected = "data: {\"type\":\"done\",\"fullText\":\"\",\"agentName\":\"A\"}\n\n".to_owned();
    assert_eq!((answer.status.as_u16(), answer.text()), (200, expected));
}

#[tokio::test]
async fn the_api_drops_processing_and_trims_as_javascript_does() {
    let origins = chain().await;
    let api = Base::new(&origins.api.to_string());
    let (conversation, room) = new_conversation(&api).await;
    let conversation = format!("/api/conversations/{conversation}/messages");
    let stream = format!("{conversation}/stream");
    let fast = r#""processing":{"mode":"fast"}"#;
    let cases = [
        (
            conversation.as_str(),
            format!(r#"{{"text":"\ufeff a\u0085 ",{fast}}}"#),
            "a\u{85}",
            room.as_str(),
            "power",
        ),
        (&stream, format!(r#"{{{fast},"text":"b","mode":"simple"}}"#), "b", &room, "simple"),
        (
            "/api/chat?x=1",
            format!(r#"{{"text":"c","mode":null,{fast}}}"#),
            "c",
            "web-chat",
            "power",
        ),
        ("/api/chat/stream", format!(r#"{{"text":"d",{fast}}}"#), "d", "web-chat", "power"),
        (
            "/v1/chat/completions",
            format!(
                r#"{{{fast},"messages":[{{"role":"system","content":"s"}},{{"role":"user","content":"x"}},{{"role":"user","content":[{{"type":"text","text":"e"}}]}}]}}"#
            ),
            "s\n\ne",
            "openai-compat",
            "power",
        ),
        (
            "/v1/messages",
            format!(
                r#"{{{fast},"system":"s","messages":[{{"role":"user","content":"f"}}],"stream":true}}"#
            ),
            "s\n\nf",
            "anthropic-compat",
            "power",
        ),
    ];
    for (target, body, text, room, mode) in cases {
        let answer = post(&api, target, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{target}: {}", answer.text());
        let escaped = text.replace('\n', "\\n");
        assert!(
            answer.text().contains(&format!("[echo] {escaped}")),
            "{target}: {}",
            answer.text()
        );
        let sent: serde_json::Value =
            serde_json::from_str(&last_body(&origins, Hop::Cloud)).unwrap();
        let params = serde_json::json!({ "text": text, "roomId": room, "mode": mode });
        assert_eq!(
            (&sent["params"], &sent["method"]),
            (&params, &"message.send".into()),
            "{target}"
        );
        assert_eq!(sent.as_object().unwrap().len(), 4, "{target}");
    }
}

#[tokio::test]
async fn the_api_refuses_in_its_own_words() {
    let origins = chain().await;
    let api = Base::new(&origins.api.to_string());
    let (conversation, _) = new_conversation(&api).await;
    let messages = format!("/api/conversations/{conversation}/messages");
    let large = format!(r#"{{"text":"{}"}}"#, "a".repeat(1024 * 1024));
    let no_user = r#"{"error":{"message":"messages must be an array containing at least one user message","type":"invalid_request_error"}}"#;
    let cases = [
        (messages.as_str(), "", 400, r#"{"error":"Invalid JSON in request body"}"#),
        (&messages, "[]", 400, r#"{"error":"Request body must be a JSON object"}"#),
        (&messages, r#"{"text":" \n"}"#, 400, r#"{"error":"text is required"}"#),
        (&messages, r#"{"text":null}"#, 400, r#"{"error":"text is required"}"#),
        (&messages, r#"{"text":1}"#, 500, r#"{"error":"body.text?.trim is not a function"}"#),
        (
            &messages,
            r#"{"text":"a","mode":"fast"}"#,
            400,
            r#"{"error":"mode must be 'simple' or 'power'"}"#,
        ),
        (
            &messages,
            &large,
            413,
            r#"{"error":"Request body exceeds maximum size (1048576 bytes)"}"#,
        ),
        ("/api/conversations/%zz/messages", "{}", 500, r#"{"error":"URI malformed"}"#),
        (
            "/api/conversations/nope/messages/stream",
            "{bad",
            404,
            r#"{"error":"Conversation not found"}"#,
        ),
        ("/api/conversations//messages", "{}", 404, r#"{"error":"Not found"}"#),
        ("/api/chat/", "{}", 404, r#"{"error":"Not found"}"#),
        ("/v1/chat/completions", "{bad", 400, r#"{"error":"Invalid JSON in request body"}"#),
        ("/v1/chat/completions", r#"{"messages":[]}"#, 400, no_user),
        ("/v1/messages", r#"{"messages":[{"role":"user","content":" "}]}"#, 400, no_user),
    ];
    for (target, body, status, expected) in cases {
        let answer = post(&api, target, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text().as_str()),
            (status, expected),
            "{target} {body:.60}"
        );
    }
    assert_eq!(origins.recorded(Hop::Cloud).len(), 0);
    let cors = Request::get("/api/auth/status").header("origin", "https://evil.example");
    let answer = exchange(&api, cors.body(Bytes::new()).unwrap()).await;
    assert_eq!(answer.text(), r#"{"error":"Origin not allowed"}"#);
}

#[tokio::test]
async fn event_streams_have_their_styles() {
    let origins = chain().await;
    let api = Base::new(&origins.api.to_string());
    let user = r#""messages":[{"role":"user","content":"u"}],"stream":true"#;
    let cases = [
        (
            "/api/chat",
            r#"{"text":"u"}"#.to_owned(),
            vec![r#"{"text":"[echo] u"}"#, "event: done", "{}"],
        ),
        (
            "/v1/chat/completions",
            format!("{{{user}}}"),
            vec![
                r#""delta":{"role":"assistant"},"finish_reason":null"#,
                r#""delta":{"content":"[echo] u"},"finish_reason":null"#,
                r#""delta":{},"finish_reason":"stop""#,
                "data: [DONE]",
            ],
        ),
        (
            "/v1/messages",
            format!(r#"{{{user},"model":"m"}}"#),
            vec![
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_",
                "event: content_block_start\n",
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"[echo] u\"}}\n\n",
                "event: content_block_stop\n",
                "event: message_delta\n",
                "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            ],
        ),
    ];
    for (target, body, frames) in cases {
        let own = [("accept", "text/event-stream")];
        let mut request = Request::post(target).body(Bytes::from(body)).unwrap();
        request.headers_mut().insert(own[0].0, own[0].1.parse().unwrap());
        let answer: Answer = exchange(&api, request).await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{target}");
        let text = answer.text();
        let mut rest = text.as_str();
        for frame in frames {
            let Some((_, after)) = rest.split_once(frame) else {
                panic!("{target}: no {frame} in order in {text}");
            };
            rest = after;
        }
    }
}

#[tokio::test]
async fn what_stops_refuses() {
    let mut origins = chain().await;
    origins.stop().await;
    assert!(!Hop::ALL.into_iter().any(|hop| origins.alive(hop)));
    for address in [origins.api, origins.cloud, origins.runtime] {
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}
