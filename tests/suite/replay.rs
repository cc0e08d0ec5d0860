//! Real traffic, captured between the unmodified programs, goes through each leg as it was on the
//! wire: only the documented headers differ, and the contract member where the flags say so.

mod capture;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use capture::{Message, read};

use crate::harness::{Answer, Client, End, Head, Modegate, Origin, Received, Response, settings};

const LEGS: [(&str, &[u8], &[u8]); 3] = [
    (
        "frontend",
        include_bytes!("../captures/frontend.requests.txt"),
        include_bytes!("../captures/frontend.responses.txt"),
    ),
    (
        "bridge",
        include_bytes!("../captures/bridge.requests.txt"),
        include_bytes!("../captures/bridge.responses.txt"),
    ),
    (
        "runtime",
        include_bytes!("../captures/runtime.requests.txt"),
        include_bytes!("../captures/runtime.responses.txt"),
    ),
];

const ASKED: &str = r#""processing":{"mode":"fast","profile":"fast-v1","reason":"voice"}"#;

/// What the flags are, what becomes of a message that asks for fast, and in which mode it leaves.
struct State {
    flags: &'static str,
    becomes: &'static str,
    mode: &'static str,
}

const STATES: [State; 5] = [
    State { flags: "", becomes: "", mode: "default" },
    State {
        flags: "contract = true",
        becomes: r#","processing":{"mode":"default"}"#,
        mode: "default",
    },
    State {
        flags: "contract = true\nruntime = true",
        becomes: r#","processing":{"mode":"fast","profile":"fast-v1","reason":"voice"}"#,
        mode: "fast",
    },
    State {
        flags: "contract = true\nruntime = true\nui = true",
        becomes: r#","processing":{"mode":"fast","profile":"fast-v1","reason":"voice"}"#,
        mode: "fast",
    },
    State { flags: "contract = true\nruntime = true\nkill = true", becomes: "", mode: "default" },
];

/// An origin that answers with what it is given, in turn.
async fn origin_of(answers: &Arc<Mutex<VecDeque<Vec<u8>>>>) -> Origin {
    let answers = answers.clone();
    Origin::start(move |_| {
        Answer::Bytes(answers.lock().expect("no panic").pop_front().expect("an answer is left"))
    })
    .await
}

async fn start(origin: &Origin, flags: &str) -> Modegate {
    let extra =
        format!("[flags]\n{flags}\n[canary]\npercent = 100\n[profiles.fast-v1]\nmode = \"fast\"\n");
    Modegate::start(&settings(origin, &extra)).await
}

#[tokio::test]
async fn every_captured_exchange_in_every_state_of_the_flags() {
    for state in STATES {
        let answers = Arc::default();
        let origin = origin_of(&answers).await;
        let modegate = start(&origin, state.flags).await;
        for (leg, requests, responses) in LEGS {
            let mut client = Client::connect(modegate.leg(leg, 0)).await;
            let (requests, responses) = (read(requests), read(responses));
            assert_eq!(requests.len(), responses.len());
            for (request, captured) in requests.iter().zip(&responses) {
                let case = format!("{leg} {} under {:?}", request.line, state.flags);
                let refused = request.inspected()
                    && !request.text().starts_with("{\"")
                    && request.text() != "{}";
                if !refused {
                    answers.lock().expect("no panic").push_back(captured.raw.clone());
                }
                let before = origin.requests();
                client.write(&request.raw).await;
                let response = client.response_to(request.method()).await;
                if refused {
                    assert_eq!(origin.requests(), before, "{case}");
                    // What the server itself would have said.
                    assert_eq!(response.text(), captured.text(), "{case}");
                    assert!(captured.line.contains(&response.status.to_string()), "{case}");
                    continue;
                }
                assert_eq!(origin.requests(), before + 1, "{case}");
                assert_arrived(&origin, &origin.last(), request, &state, &case);
                assert_answered(&response, captured, request, &state, &case);
            }
        }
    }
}

/// Fields by name, in any order.
fn sorted(fields: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    fields.into_iter().collect()
}

fn fields_of(head: &Head) -> BTreeMap<String, String> {
    let fields = sorted(head.fields.iter().map(|(n, v)| (n.to_ascii_lowercase(), v.clone())));
    assert_eq!(fields.len(), head.fields.len(), "a field occurs twice: {:?}", head.fields);
    fields
}

fn assert_arrived(origin: &Origin, got: &Received, sent: &Message, state: &State, case: &str) {
    assert_eq!(got.head.line, sent.line, "{case}");
    let body = sent.text().replace(&format!(",{ASKED}"), state.becomes);
    assert_eq!(got.text(), body, "{case}");
    let mut expected = sorted(sent.fields.clone());
    let mut set = |name: &str, value: &str| expected.insert(name.to_owned(), value.to_owned());
    set("host", &origin.address.to_string());
    let asks = sent.text().contains(ASKED);
    if sent.inspected() {
        let room = sent
            .room()
            .unwrap_or_else(|| got.header("x-processing-room").expect("a room").to_owned());
        set("content-length", &body.len().to_string());
        if sent.is_message() {
            set("accept-encoding", "identity");
        }
        set("x-processing-mode", if asks { state.mode } else { "default" });
        set("x-processing-requested", if asks { "fast" } else { "none" });
        set("x-processing-cohort", if room == "web-chat" { "control" } else { "canary" });
        set("x-processing-room", &room);
        if asks && state.mode == "fast" {
            set("x-processing-profile", "fast-v1");
        }
    }
    expected.remove("connection");
    let mut fields = fields_of(&got.head);
    for own in ["x-request-id", "traceparent"] {
        assert!(fields.remove(own).is_some(), "{own}: {case}");
    }
    assert_eq!(fields, expected, "{case}");
}

fn assert_answered(got: &Response, sent: &Message, asked: &Message, state: &State, case: &str) {
    assert_eq!(got.head.line, sent.line, "{case}");
    assert_eq!((got.text().as_str(), got.end), (sent.text(), End::Clean), "{case}");
    let mut expected = sorted(sent.fields.clone());
    for own in ["connection", "keep-alive"] {
        expected.remove(own);
    }
    if asked.inspected() {
        let fast = asked.text().contains(ASKED);
        let mode = if fast { state.mode } else { "default" };
        expected.insert("x-processing-mode".to_owned(), mode.to_owned());
    }
    let mut fields = fields_of(&got.head);
    assert!(fields.remove("x-request-id").is_some(), "{case}");
    assert_eq!(fields, expected, "{case}");
}

#[tokio::test]
async fn a_whole_capture_in_one_write_is_answered_in_order() {
    let answers: Arc<Mutex<VecDeque<Vec<u8>>>> = Arc::default();
    let origin = origin_of(&answers).await;
    let modegate = start(&origin, "contract = true\nruntime = true").await;
    for (leg, requests, responses) in LEGS {
        let responses = read(responses);
        let forwarded = responses.iter().filter(|response| !response.line.contains("400"));
        answers.lock().expect("no panic").extend(forwarded.map(|response| response.raw.clone()));
        let before = origin.requests();
        let mut client = Client::connect(modegate.leg(leg, 0)).await;
        client.write(requests).await;
        for (request, captured) in read(requests).iter().zip(&responses) {
            let response = client.response_to(request.method()).await;
            assert_eq!(response.text(), captured.text(), "{leg} {}", request.line);
        }
        let forwarded = responses.iter().filter(|response| !response.line.contains("400")).count();
        assert_eq!(origin.requests() - before, forwarded, "{leg}");
    }
}

#[tokio::test]
async fn a_message_has_one_room_and_one_text_on_all_legs() {
    let answers: Arc<Mutex<VecDeque<Vec<u8>>>> = Arc::default();
    let origin = origin_of(&answers).await;
    let modegate = start(&origin, "contract = true").await;
    let mut lines = 0;
    for text in ["fast please", "fast stream", r#"héllo \"world\" 😀"#] {
        let mut seen = Vec::new();
        for (leg, requests, _) in LEGS {
            let requests = read(requests);
            let says =
                |request: &&Message| request.text().contains(&format!("\"text\":\"{text}\""));
            let request = requests.iter().find(says).expect("a message with this text");
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec();
            answers.lock().expect("no panic").push_back(answer);
            let mut client = Client::connect(modegate.leg(leg, 0)).await;
            client.write(&request.raw).await;
            assert_eq!(client.response().await.status, 200);
            lines += 1;
            let line = modegate.access(lines).await.pop().expect("a line");
            seen.push((line["room"].clone(), line["text"].clone()));
        }
        assert!(seen[0].0.is_string() && seen[0].1.is_string(), "{seen:?}");
        assert!(seen.iter().all(|both| *both == seen[0]), "{text}: {seen:?}");
    }
}
