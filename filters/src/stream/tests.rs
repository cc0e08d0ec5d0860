mod captured;

use bytes::Bytes;

use super::{Ending, Observer, Seen, Style};
use crate::answers::Answers;
use crate::contract::{Modes, Requested};
use crate::dialect::Dialect;
use crate::events::EVENT_LIMIT;

fn modes() -> Modes {
    Modes::new(["default".to_owned(), "fast".to_owned()]).unwrap()
}

/// What is said of a whole stream: what was seen, and then the style and the ending.
fn observe(dialect: Dialect, route: &str, chunks: &[&[u8]]) -> (Seen, Style, Ending) {
    let (answers, modes) = (Answers::new("processing"), modes());
    let mut observer = Observer::new(dialect, route);
    let mut all = Seen::default();
    for chunk in chunks {
        let seen = observer.see(&Bytes::copy_from_slice(chunk), &answers, &modes);
        all.events += seen.events;
        all.content |= seen.content;
        all.acknowledged.add(seen.acknowledged);
    }
    (all, observer.style(), observer.ending())
}

/// The same, and that no cut changes it.
fn observe_cut(dialect: Dialect, route: &str, stream: &str) -> (Seen, Style, Ending) {
    let whole = observe(dialect, route, &[stream.as_bytes()]);
    for at in 1..stream.len() {
        let (left, right) = stream.as_bytes().split_at(at);
        assert_eq!(observe(dialect, route, &[left, right]), whole, "{stream:?} at {at}");
    }
    let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    assert_eq!(observe(dialect, route, &bytes), whole, "{stream:?} byte by byte");
    whole
}

struct Case {
    name: &'static str,
    stream: &'static str,
    events: usize,
    content: bool,
    ending: Ending,
}

fn check(dialect: Dialect, route: &str, style: Style, cases: &[Case]) {
    for Case { name, stream, events, content, ending } in cases {
        let expected = (*events, *content, style, *ending);
        for stream in [stream.to_string(), stream.replace('\n', "\r\n"), stream.replace('\n', "\r")]
        {
            let (seen, style, ending) = observe_cut(dialect, route, &stream);
            assert_eq!((seen.events, seen.content, style, ending), expected, "{name}: {stream:?}");
        }
    }
}

use Ending::{Done, Empty, Error, Truncated};

#[test]
#[rustfmt::skip]
fn style_a() {
    check(Dialect::Conversation, "/api/conversations/:id/messages/stream", Style::A, &[
        Case { name: "happy", stream: "data: {\"type\":\"token\",\"text\":\"a\"}\n\ndata: {\"type\":\"token\",\"text\":\"b\"}\n\ndata: {\"type\":\"done\",\"fullText\":\"ab\",\"agentName\":\"A\"}\n\n", events: 3, content: true, ending: Done },
        Case { name: "a swallowed error", stream: "data: {\"type\":\"done\",\"fullText\":\"\",\"agentName\":\"A\"}\n\n", events: 1, content: false, ending: Empty },
        Case { name: "no text at all", stream: "data: {\"type\":\"done\"}\n\n", events: 1, content: false, ending: Empty },
        Case { name: "text in the end alone", stream: "data: {\"type\":\"done\",\"fullText\":\"ab\"}\n\n", events: 1, content: true, ending: Done },
        Case { name: "an empty end after text", stream: "data: {\"type\":\"token\",\"text\":\"a\"}\n\ndata: {\"type\":\"done\",\"fullText\":\"\"}\n\n", events: 2, content: true, ending: Done },
        Case { name: "an error", stream: "data: {\"type\":\"error\",\"message\":\"no\"}\n\n", events: 1, content: false, ending: Error },
        Case { name: "an error after text", stream: "data: {\"type\":\"token\",\"text\":\"a\"}\n\ndata: {\"type\":\"error\",\"message\":\"no\"}\n\n", events: 2, content: true, ending: Error },
        Case { name: "an error, then an end", stream: "data: {\"type\":\"error\",\"message\":\"no\"}\n\ndata: {\"type\":\"done\",\"fullText\":\"x\"}\n\n", events: 2, content: false, ending: Error },
        Case { name: "an end, then an error", stream: "data: {\"type\":\"done\",\"fullText\":\"x\"}\n\ndata: {\"type\":\"error\"}\n\n", events: 2, content: true, ending: Error },
        Case { name: "an end, then text", stream: "data: {\"type\":\"done\",\"fullText\":\"\"}\n\ndata: {\"type\":\"token\",\"text\":\"a\"}\n\n", events: 2, content: false, ending: Empty },
        Case { name: "cut short", stream: "data: {\"type\":\"token\",\"text\":\"a\"}\n\n", events: 1, content: true, ending: Truncated },
        Case { name: "no last blank line", stream: "data: {\"type\":\"token\",\"text\":\"a\"}\n\ndata: {\"type\":\"done\",\"fullText\":\"a\"}\n", events: 1, content: true, ending: Truncated },
        Case { name: "nothing", stream: "", events: 0, content: false, ending: Truncated },
        Case { name: "heartbeats", stream: ": heartbeat\n\n: heartbeat\n\n", events: 0, content: false, ending: Truncated },
        Case { name: "an empty token", stream: "data: {\"type\":\"token\",\"text\":\"\"}\n\n", events: 1, content: false, ending: Truncated },
        Case { name: "a token of a lone surrogate", stream: "data: {\"type\":\"token\",\"text\":\"\\ud83d\"}\n\n", events: 1, content: true, ending: Truncated },
        Case { name: "newer events", stream: "data: {\"type\":\"status\",\"text\":\"thinking\"}\n\ndata: {\"type\":\"tool\",\"name\":\"x\"}\n\ndata: {\"type\":\"token\",\"text\":\"\",\"fullText\":\"a\"}\n\n", events: 3, content: false, ending: Truncated },
        Case { name: "a token with the text so far", stream: "data: {\"type\":\"token\",\"text\":\"b\",\"fullText\":\"ab\"}\n\n", events: 1, content: true, ending: Truncated },
        Case { name: "data of several lines", stream: "data: {\"type\":\"token\",\ndata: \"text\":\"a\"}\n\ndata: {\ndata:\"type\":\"done\"}\n\n", events: 2, content: true, ending: Done },
        Case { name: "not JSON", stream: "data: hello\n\ndata: [DONE]\n\ndata: {\"type\":\n\n", events: 3, content: false, ending: Truncated },
        Case { name: "JSON of other shapes", stream: "data: [1]\n\ndata: \"done\"\n\ndata: {\"type\":1}\n\ndata: {\"type\":[\"done\"]}\n\ndata: {\"type\":\"\"}\n\n", events: 5, content: false, ending: Truncated },
        Case { name: "the last duplicate", stream: "data: {\"type\":\"done\",\"type\":\"token\",\"text\":\"a\"}\n\n", events: 1, content: true, ending: Truncated },
        Case { name: "no type", stream: "data: {\"text\":\"a\"}\n\n", events: 1, content: true, ending: Truncated },
    ]);
}

#[test]
#[rustfmt::skip]
fn style_a_legacy() {
    check(Dialect::Conversation, "/api/chat", Style::ALegacy, &[
        Case { name: "happy", stream: "data: {\"text\":\"a\"}\n\ndata: {\"text\":\"b\"}\n\nevent: done\ndata: {}\n\n", events: 3, content: true, ending: Done },
        Case { name: "a swallowed error", stream: "event: done\ndata: {}\n\n", events: 1, content: false, ending: Empty },
        Case { name: "cut short", stream: "data: {\"text\":\"a\"}\n\n", events: 1, content: true, ending: Truncated },
        Case { name: "no last blank line", stream: "data: {\"text\":\"a\"}\n\nevent: done\ndata: {}\n", events: 1, content: true, ending: Truncated },
        Case { name: "after what says nothing", stream: "data: {\"type\":\"status\"}\n\ndata: {\"text\":\"a\"}\n\n", events: 2, content: true, ending: Truncated },
    ]);
    check(Dialect::Conversation, "/api/chat", Style::A, &[
        Case { name: "the newer style", stream: "data: {\"type\":\"token\",\"text\":\"a\"}\n\ndata: {\"type\":\"done\",\"fullText\":\"a\"}\n\n", events: 2, content: true, ending: Done },
        Case { name: "the newer style's error", stream: "data: {\"type\":\"error\",\"message\":\"no\"}\n\n", events: 1, content: false, ending: Error },
        Case { name: "nothing yet", stream: "data: {}\n\n", events: 1, content: false, ending: Truncated },
    ]);
}

#[test]
#[rustfmt::skip]
fn style_openai() {
    const ROLE: &str = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}"#;
    assert_eq!(observe_cut(Dialect::OpenAi, "", &format!("{ROLE}\n\n")).0, Seen { events: 1, acknowledged: crate::answers::Acknowledged::default(), content: false }, "its own id is no call's");
    check(Dialect::OpenAi, "/v1/chat/completions", Style::OpenAi, &[
        Case { name: "happy", stream: "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", events: 4, content: true, ending: Done },
        Case { name: "empty", stream: "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", events: 3, content: false, ending: Empty },
        Case { name: "an error, then the end", stream: "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}\n\ndata: [DONE]\n\n", events: 2, content: false, ending: Error },
        Case { name: "the end, then an error", stream: "data: [DONE]\n\ndata: {\"error\":\"no\"}\n\n", events: 2, content: false, ending: Error },
        Case { name: "no error", stream: "data: {\"error\":null,\"choices\":[]}\n\ndata:[DONE]\n\n", events: 2, content: false, ending: Empty },
        Case { name: "cut short", stream: "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", events: 1, content: true, ending: Truncated },
        Case { name: "no last blank line", stream: "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n", events: 1, content: true, ending: Truncated },
        Case { name: "spaces", stream: "data: { \"choices\" : [ { \"delta\" : { \"content\" : \"a\" } } , { } ] }\n\ndata: [DONE] \n\n", events: 2, content: true, ending: Done },
        Case { name: "another choice", stream: "data: {\"choices\":[{\"delta\":{}},{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n", events: 2, content: false, ending: Empty },
        Case { name: "other shapes", stream: "data: {\"choices\":{\"delta\":{\"content\":\"a\"}}}\n\ndata: {\"choices\":[]}\n\ndata: {\"choices\":[ ]}\n\ndata: {\"choices\":[1,2]}\n\ndata: {\"choices\":[1]}\n\ndata: {\"choices\":[[{\"delta\":{\"content\":\"a\"}}]]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":null}}]}\n\ndata: {\"choices\":[{\"content\":\"a\"}]}\n\n", events: 8, content: false, ending: Truncated },
    ]);
}

#[test]
#[rustfmt::skip]
fn style_anthropic() {
    check(Dialect::Anthropic, "/v1/messages", Style::Anthropic, &[
        Case { name: "happy", stream: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[]}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\nevent: content_block_stop\ndata: {}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", events: 6, content: true, ending: Done },
        Case { name: "empty", stream: "event: message_start\ndata: {}\n\nevent: ping\ndata: {}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", events: 3, content: false, ending: Empty },
        Case { name: "an error", stream: "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"no\"}}\n\n", events: 1, content: false, ending: Error },
        Case { name: "an error, then the end", stream: "event: error\ndata: {}\n\nevent: message_stop\ndata: {}\n\n", events: 2, content: false, ending: Error },
        Case { name: "cut short", stream: "event: content_block_delta\ndata: {\"delta\":{\"text\":\"a\"}}\n\n", events: 1, content: true, ending: Truncated },
        Case { name: "no last blank line", stream: "event: message_stop\ndata: {}\n", events: 0, content: false, ending: Truncated },
        Case { name: "deltas without text", stream: "event: content_block_delta\ndata: {\"delta\":{\"type\":\"text_delta\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}\n\n", events: 2, content: false, ending: Truncated },
        Case { name: "types alone", stream: "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"a\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n", events: 2, content: true, ending: Done },
        Case { name: "data that is not JSON", stream: "event: content_block_delta\ndata: a\n\nevent: message_stop\ndata: -\n\n", events: 2, content: false, ending: Empty },
    ]);
}

#[test]
#[rustfmt::skip]
fn style_cloud() {
    check(Dialect::Rpc, "/bridge/stream", Style::Cloud, &[
        Case { name: "happy", stream: "event: connected\ndata: {\"rpcId\":\"1\"}\n\nevent: chunk\ndata: {\"text\":\"a\"}\n\nevent: done\ndata: {\"rpcId\":\"1\"}\n\n", events: 3, content: true, ending: Done },
        Case { name: "empty", stream: "event: connected\ndata: {\"rpcId\":\"1\"}\n\nevent: chunk\ndata: {\"text\":\"\"}\n\nevent: done\ndata: {}\n\n", events: 3, content: false, ending: Empty },
        Case { name: "an error", stream: "event: error\ndata: {\"message\":\"Sandbox is not running or unreachable\"}\n\n", events: 1, content: false, ending: Error },
        Case { name: "an error that is not JSON", stream: "event: error\ndata: no\n\n", events: 1, content: false, ending: Error },
        Case { name: "cut short", stream: "event: connected\ndata: {\"rpcId\":\"1\"}\n\nevent: chunk\ndata: {\"text\":\"a\"}\n\n", events: 2, content: true, ending: Truncated },
        Case { name: "no last blank line", stream: "event: chunk\ndata: {\"text\":\"a\"}\n\nevent: done\ndata: {}\n", events: 1, content: true, ending: Truncated },
        Case { name: "other events", stream: "event: status\ndata: {\"text\":\"a\"}\n\ndata: {\"text\":\"a\"}\n\nevent: done\n\n", events: 2, content: false, ending: Truncated },
    ]);
}

#[test]
fn what_the_events_acknowledge() {
    let stream = "event: connected\ndata: {\"rpcId\":\"1\",\"timestamp\":1}\n\nevent: chunk\ndata: {\"text\":\"a\",\"roomId\":\"r\"}\n\nevent: done\ndata: {\"rpcId\":\"2\",\"metadata\":{\"processing\":{\"mode\":\"fast\"},\"roomId\":\"s\"}}\n\nevent: done\ndata: {\"processing\":{\"mode\":\"default\"}}\n\n";
    let (seen, _, _) = observe_cut(Dialect::Rpc, "/bridge/stream", stream);
    let fast = modes().find("fast").map(Requested::Mode);
    assert_eq!(seen.acknowledged.mode, fast);
    assert_eq!(seen.acknowledged.room.as_deref(), Some("r"));
    assert_eq!(seen.acknowledged.id.as_deref(), Some("\"1\""));

    let late =
        "event: done\ndata: {}\n\nevent: done\ndata: {\"processing\":{\"mode\":\"fast\"}}\n\n";
    assert_eq!(observe_cut(Dialect::Rpc, "/bridge/stream", late).0.acknowledged.mode, None);
}

#[test]
fn of_what_is_too_long_to_read_the_beginning_tells() {
    let long = "x".repeat(EVENT_LIMIT);
    let messages = "/api/conversations/:id/messages/stream";
    let cases = [
        (
            Dialect::Conversation,
            format!("data: {{\"type\":\"token\",\"text\":\"{long}\"}}\n\n"),
            true,
            Truncated,
        ),
        (
            Dialect::Conversation,
            format!("data: {{\"type\":\"done\",\"fullText\":\"{long}\"}}\n\n"),
            true,
            Done,
        ),
        (
            Dialect::Conversation,
            format!("data: {{\"type\":\"error\",\"message\":\"{long}\"}}\n\n"),
            false,
            Error,
        ),
        (
            Dialect::Conversation,
            format!("data: {{\"type\":\"tool\",\"text\":\"{long}\"}}\n\n"),
            false,
            Truncated,
        ),
        (
            Dialect::OpenAi,
            format!(
                "data: {{\"id\":\"1\",\"choices\":[{{\"delta\":{{\"content\":\"{long}\"}}}}]}}\n\n"
            ),
            true,
            Truncated,
        ),
        (
            Dialect::OpenAi,
            format!("data: {{\"error\":{{\"message\":\"{long}\"}}}}\n\n"),
            false,
            Error,
        ),
        (
            Dialect::Anthropic,
            format!("event: content_block_delta\ndata: {{\"delta\":{{\"text\":\"{long}\"}}}}\n\n"),
            true,
            Truncated,
        ),
        (Dialect::Rpc, format!("event: chunk\ndata: {{\"text\":\"{long}\"}}\n\n"), true, Truncated),
        (
            Dialect::Rpc,
            format!("event: connected\ndata: {{\"text\":\"{long}\"}}\n\n"),
            false,
            Truncated,
        ),
    ];
    for (dialect, stream, content, ending) in cases {
        let whole = observe(dialect, messages, &[stream.as_bytes()]);
        assert_eq!(
            (whole.0.events, whole.0.content, whole.2),
            (1, content, ending),
            "{}",
            &stream[..40]
        );
        let chunks: Vec<&[u8]> = stream.as_bytes().chunks(1000).collect();
        assert_eq!(observe(dialect, messages, &chunks), whole);
    }
}
