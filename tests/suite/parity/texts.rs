//! Messages are known by what they say, however it is spelled; and only messages are.

use super::FAST;
use super::by_hand::{BRIDGE, ByHand, CONVERSATION, message, params, rpc};
use super::chain::{said, verdicts};
use crate::harness::Request;

#[tokio::test]
async fn a_text_is_known_by_what_the_server_makes_of_it() {
    let by_hand = ByHand::start(FAST).await;
    let long = format!("\"{}\"", "long é ".repeat(4000));
    let escaped = long.replace('é', "\\u00e9");
    let cases: &[(&str, &str, &str)] = &[
        ("plain", "\"plain\"", "\"plain\""),
        ("white space", "\" \\n\\t\\u00a0 trimmed \\u3000\\r\"", "\"trimmed\""),
        ("a byte order mark is trimmed", "\"\\ufeff marked \u{feff}\"", "\"marked\""),
        ("a next line is kept", "\"\\u0085kept\u{85}\"", "\"\u{85}kept\\u0085\""),
        ("escapes", "\"h\\u00e9 \\/ \\ud83d\\ude00 \\u0022\"", "\"hé / 😀 \\\"\""),
        ("escapes the other way", "\"crème\"", "\"cr\\u00e8me\""),
        ("half a pair", "\"half \\ud83d\"", "\"half \\ud83d\""),
        ("half a pair, replaced", "\"half \\ude00\"", "\"half \u{fffd}\""),
        ("a long one", &escaped, &long),
    ];
    for (name, left, arrived) in cases {
        let left = by_hand.leaves(left, Some(r#"{"mode":"fast"}"#)).await;
        let more = r#","processing":{"mode":"fast"}"#;
        let arrived = by_hand.arrives(&params(arrived, more)).await;
        let id = left.line["request_id"].as_str().expect("an id");
        assert_eq!(said(&arrived.line), ["match", "room_text", id], "{name}");
        assert_eq!(arrived.line["text"], left.line["text"], "{name}");
    }
    // What cannot be read as UTF-8 is replaced by the server.
    let body = [&br#"{"text":"bad "#[..], b"\xff", br#""}"#].concat();
    by_hand.send("frontend", Request::post(CONVERSATION, body)).await;
    let arrived = by_hand.arrives(&params("\"bad \u{fffd}\"", "")).await;
    assert_eq!(said(&arrived.line)[..2], ["match", "room_text"]);
    // Of two texts the last one counts.
    let body = r#"{"text":"first","te\u0078t":"last"}"#;
    by_hand.send("frontend", Request::post(CONVERSATION, body)).await;
    let arrived = by_hand.arrives(&params(r#""first","text":"last""#, "")).await;
    assert_eq!(said(&arrived.line)[..2], ["match", "room_text"]);
}

#[tokio::test]
async fn what_says_something_else_is_another_message() {
    let by_hand = ByHand::start(FAST).await;
    let cases = [
        ("\"\\u0085next line\"", "\"next line\""),
        ("\"case\"", "\"Case\""),
        ("\"two  spaces\"", "\"two spaces\""),
        ("\"e\\u0301\"", "\"é\""),
        ("\"nul\\u0000\"", "\"nul\""),
    ];
    for (left, arrived) in cases {
        by_hand.leaves(left, None).await;
        let arrived_line = by_hand.arrives(&params(arrived, "")).await.line;
        assert_eq!(said(&arrived_line), ["unobserved", "none", "-"], "{left} {arrived}");
        // Its own request still finds it.
        let own = by_hand.arrives(&params(left, "")).await.line;
        assert_eq!(said(&own)[..2], ["match", "room_text"], "{left}");
    }
}

#[tokio::test]
async fn a_prompt_is_what_system_and_developer_say_and_the_users_last_words() {
    let by_hand = ByHand::start(FAST).await;
    let turns = r#"{"role":"system","content":" be brief "},{"role":"user","content":"old"},
        {"role":"assistant","content":"a]}\""},{"role":"developer","content":"in verse"},
        {"role":"user","content":[{"type":"text","text":"new "},{"type":"image_url"},{"type":"text","text":"words "}]}"#;
    let (openai, anthropic) = ("openai-compat", "anthropic-compat");
    let only = r#"{"role":"user","content":"only"}"#;
    let cases = [
        ("/v1/chat/completions", openai, turns, "", "be brief\\n\\nin verse\\n\\nnew words"),
        ("/v1/chat/completions", openai, only, "", "only"),
        ("/v1/messages", anthropic, only, r#","system":"sys ""#, "sys\\n\\nonly"),
        (
            "/v1/messages",
            anthropic,
            turns,
            r#","system":[{"type":"text","text":"sys"}]"#,
            "sys\\n\\nbe brief\\n\\nin verse\\n\\nnew words",
        ),
    ];
    for (target, room, turns, more, text) in cases {
        let body = format!(r#"{{"model":"m","messages":[{turns}]{more}}}"#);
        let left = by_hand.send("frontend", Request::post(target, body)).await;
        let id = left.line["request_id"].as_str().expect("an id");
        let params = format!(r#"{{"text":"{text}","roomId":"{room}","mode":"power"}}"#);
        let arrived = by_hand.arrives(&params).await;
        assert_eq!(said(&arrived.line), ["match", "room_text", id], "{target} {text}");
    }
}

/// What the API server would refuse leaves no record, and other calls than `message.send` are none.
#[tokio::test]
async fn what_is_no_message_is_neither_recorded_nor_compared() {
    let by_hand = ByHand::start(FAST).await;
    for text in ["\"\"", "\"  \\ufeff\"", "7", "null", "[\"a\"]"] {
        let left = by_hand.send("frontend", message(CONVERSATION, text, None)).await;
        assert!(left.line.get("path").is_none(), "{text}: {}", left.line);
    }
    let records = by_hand.modegate.metrics().await.sum("modegate_parity_records", &[]);
    assert!(records < 0.5, "{records}");

    by_hand.leaves("\"pending\"", Some(r#"{"mode":"fast"}"#)).await;
    let params = params("\"pending\"", "");
    let calls = [
        r#"{"jsonrpc":"2.0","method":"heartbeat"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"status.get"}"#.to_owned(),
        rpc(&params).replace("message.send", "message.sent"),
        rpc(&params).replace("\"message.send\"", "7"),
    ];
    for body in calls {
        let arrived = by_hand.send("bridge", Request::post(BRIDGE, body.clone())).await;
        assert_eq!(arrived.response.status, 200, "{body}");
        assert_eq!(said(&arrived.line), ["-"; 3], "{body}");
        assert_eq!(arrived.forwarded.expect("it goes on").text(), body);
    }
    assert!(verdicts(&by_hand.modegate, "bridge").await.is_empty());
    let spelled = rpc(&params).replace("message.send", "message\\u002esend");
    let arrived = by_hand.send("bridge", Request::post(BRIDGE, spelled)).await;
    assert_eq!(said(&arrived.line)[..2], ["mode_missing", "room_text"]);
}
