//! How streamed answers get on: in every style, from the first piece to the end that they came to.

use crate::harness::{Answer, Client, Modegate, Origin, settings};
use crate::messages::{PLACES, Place, Wants};

const CANARY: &str = "[flags]\ncontract = true\nruntime = true\n[canary]\npercent = 100\n";

/// A style, and its streams by ending.
struct Style {
    name: &'static str,
    done: &'static str,
    empty: &'static str,
    error: &'static str,
    truncated: &'static str,
}

#[rustfmt::skip]
const STYLES: [Style; 4] = [
    Style {
        name: "a",
        done: ": heartbeat\n\ndata: {\"type\":\"token\",\"text\":\"a\"}\n\ndata: {\"type\":\"done\",\"fullText\":\"a\"}\n\n",
        empty: "data: {\"type\":\"done\",\"fullText\":\"\",\"agentName\":\"Eliza\"}\n\n",
        error: "data: {\"type\":\"token\",\"text\":\"a\"}\n\ndata: {\"type\":\"error\",\"message\":\"m\"}\n\n",
        truncated: "data: {\"type\":\"token\",\"text\":\"a\"}\n\n",
    },
    Style {
        name: "openai",
        done: "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n",
        empty: "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\ndata: [DONE]\n\n",
        error: "data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\"}}\n\ndata: [DONE]\n\n",
        truncated: "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
    },
    Style {
        name: "anthropic",
        done: "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        empty: "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        error: "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"server_error\",\"message\":\"m\"}}\n\n",
        truncated: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n",
    },
    Style {
        name: "cloud",
        done: "event: connected\ndata: {\"rpcId\":\"1\"}\n\nevent: chunk\ndata: {\"text\":\"a\"}\n\nevent: done\ndata: {}\n\n",
        empty: "event: connected\ndata: {}\n\nevent: done\ndata: {}\n\n",
        error: "event: error\ndata: {\"message\":\"Sandbox is not running or unreachable\"}\n\n",
        truncated: "event: connected\ndata: {}\n\nevent: chunk\ndata: {\"text\":\"a\"}\n\n",
    },
];

fn style(place: &Place) -> &'static Style {
    let name = match place.dialect {
        "conversation" => "a",
        "rpc" => "cloud",
        other => other,
    };
    STYLES.iter().find(|style| style.name == name).expect("every dialect has one")
}

fn stream_of(style: &Style, ending: &str) -> &'static str {
    match ending {
        "done" => style.done,
        "empty" => style.empty,
        "error" => style.error,
        _ => style.truncated,
    }
}

#[tokio::test]
async fn every_ending_of_every_style_is_counted_by_mode_and_cohort() {
    let origin = Origin::start(|request| {
        let style = STYLES.iter().find(|style| request.header("x-style") == Some(style.name));
        let style = style.unwrap_or(&STYLES[0]);
        let stream = stream_of(style, request.header("x-ending").unwrap_or("done"));
        Answer::status("200 OK", "Content-Type: text/event-stream\r\n", stream)
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, CANARY)).await;
    let mut asked = 0;
    for place in PLACES.iter().filter(|place| place.wants == Wants::Stream) {
        let style = style(place);
        for ending in ["done", "empty", "error", "truncated"] {
            for (member, mode) in [("", "default"), (r#""processing":{"mode":"fast"}"#, "fast")] {
                let request = place.request(place.body(member));
                let request = request.header("X-Style", style.name).header("X-Ending", ending);
                let before = modegate.metrics().await;
                let answer = Client::once(place.address(&modegate), request).await;
                assert_eq!(answer.text(), stream_of(style, ending), "nothing is held back");
                asked += 1;
                // What is counted is counted before the line is written.
                modegate.access(asked).await;
                let after = modegate.metrics().await;
                // The shared rooms are no bucket keys.
                let cohort = if place.room.len() == 36 { "canary" } else { "control" };
                let mode = if cohort == "canary" { mode } else { "default" };
                let labels = [("leg", place.leg), ("mode", mode), ("cohort", cohort)];
                let with = [&labels[..], &[("style", style.name), ("ending", ending)]].concat();
                let grown = |name, labels: &[(&str, &str)]| {
                    after.sum(name, labels) - before.sum(name, labels)
                };
                let what = format!("{} {} {ending} {mode}", place.target, style.name);
                assert_eq!(grown("modegate_streams_total", &with), 1.0, "{what}");
                assert_eq!(grown("modegate_streams_total", &[]), 1.0, "{what}");
                let said = stream_of(style, ending).contains("\"a\"");
                let first = grown("modegate_first_event_seconds_count", &labels);
                assert_eq!(first, f64::from(u8::from(said)), "{what}");
            }
        }
    }
}

/// The older style is told by its first event; the client that goes is told from the stream that
/// ends; gaps are counted between what comes.
#[tokio::test]
async fn clients_that_go_and_gaps() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = Modegate::start(&settings(&origin, CANARY)).await;
    let place = PLACES.iter().find(|place| place.target == "/api/chat").expect("listed");
    for (ending, goes) in [("aborted", true), ("done", false)] {
        let mut client = Client::connect(place.address(&modegate)).await;
        client.write(place.request(place.body("")).bytes()).await;
        let answer = scripts.next().await;
        answer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        let head = client.head().await.expect("a head");
        let mut framing = crate::harness::answer_framing("POST", 200, &head);
        for _ in 0..2 {
            answer.chunk("data: {\"text\":\"t\"}\n\n");
            assert_eq!(client.data(&mut framing).await, "data: {\"text\":\"t\"}\n\n");
        }
        if goes {
            client.reset();
        } else {
            answer.chunk("event: done\ndata: {}\n\n");
            answer.send("0\r\n\r\n");
        }
        modegate.access(if goes { 1 } else { 2 }).await;
        let labels = [("style", "a_legacy"), ("ending", ending)];
        modegate.counted("modegate_streams_total", &labels, 1.0).await;
    }
    let labels = [("leg", "frontend")];
    modegate.counted("modegate_event_gap_seconds_count", &labels, 3.0).await;
    modegate.counted("modegate_first_event_seconds_count", &labels, 2.0).await;
    let line = modegate.access(2).await.remove(1);
    assert_eq!(line["stream"], "done", "{line}");
}
