//! What a rollout is decided by, as a running process counts it: which messages are compared, in
//! which cohort, and what of their answers is an error, a first event, a fault.

use modegate_filters::bucket::rank;
use modegate_filters::rollout::observe::replicate;

use crate::control_process::unauthorized;
use crate::harness::{Answer, Client, Modegate, Origin, Request, Response, settings};

const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
const DEFAULT: &str = r#"{"text":"hi","processing":{"mode":"default"}}"#;
/// `user-2` is canary, `user-1` control, by their published ranks.
const SALT: &str = "fast-mode/2026-12";
const CANARY: &str = "[canary]\npercent = 50\nsalt = \"fast-mode/2026-12\"\n\
     key = [\"header:x-user\"]\nallow = [\"vip\"]\ndeny = [\"banned\"]\n";
const ON: &str = "[flags]\ncontract = true\nruntime = true\n";
const USERS: [(&str, &str); 2] = [("canary", "user-2"), ("control", "user-1")];

const TOKEN: &str = "data: {\"type\":\"token\",\"text\":\"a\"}\n\n";
const DONE: &str = "data: {\"type\":\"done\",\"fullText\":\"a\"}\n\n";
const ERROR: &str = "data: {\"type\":\"error\",\"message\":\"m\"}\n\n";
const EMPTY: &str = "data: {\"type\":\"done\",\"fullText\":\"\"}\n\n";
const NOTHING: &str = "data: {\"type\":\"token\",\"text\":\"(no response)\"}\n\n";

fn message(user: &str, streams: bool, body: &str) -> Request {
    let end = if streams { "/stream" } else { "" };
    let target = format!("/api/conversations/c1/messages{end}");
    let accept = if streams { "text/event-stream" } else { "application/json" };
    let request = Request::post(&target, body).header("Accept", accept);
    if user.is_empty() { request } else { request.header("X-User", user) }
}

/// What of the rollout's counts grew: requests, errors, first events, and faults by kind.
async fn grown(modegate: &Modegate, cohort: &str) -> [f64; 8] {
    let metrics = modegate.metrics().await;
    let by = [("cohort", cohort)];
    let of = |name: &str| metrics.sum(&format!("modegate_rollout_{name}"), &by);
    assert_eq!(of("firsts_total"), of("first_seconds_count"));
    let fault = |fault| {
        metrics.sum("modegate_rollout_faults_total", &[("cohort", cohort), ("fault", fault)])
    };
    [
        of("requests_total"),
        of("errors_total"),
        of("firsts_total"),
        fault("empty"),
        fault("no_response"),
        fault("truncated"),
        fault("hidden_error"),
        fault("repeated"),
    ]
}

/// An origin that answers as the request's `X-Answer` says.
async fn origin() -> Origin {
    let stream = |events: &[&str]| {
        Answer::status("200 OK", "Content-Type: text/event-stream\r\n", &events.concat())
    };
    let whole = |status, body| Answer::status(status, "Content-Type: application/json\r\n", body);
    Origin::start(move |received| match received.header("x-answer").unwrap_or("whole") {
        "whole" => whole("200 OK", r#"{"text":"a"}"#),
        "no response" => whole("200 OK", r#"{"text":"(no response)","agentName":"Eliza"}"#),
        "quoted" => whole("200 OK", r#"{"text":"it said (no response)"}"#),
        "500" => whole("500 Internal Server Error", "{}"),
        "429" => whole("429 Too Many Requests", "{}"),
        "hang up" => Answer::ThenClose(Vec::new()),
        "cut" => Answer::ThenClose(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
                .into(),
        ),
        "stream" => stream(&[": heartbeat\n\n", TOKEN, DONE]),
        "error first" => stream(&[ERROR]),
        "error later" => stream(&[TOKEN, ERROR]),
        "empty" => stream(&[EMPTY]),
        "truncated" => stream(&[TOKEN]),
        "streamed no response" => stream(&[NOTHING, DONE]),
        "more than no response" => stream(&[NOTHING, TOKEN, DONE]),
        other => panic!("no answer {other}"),
    })
    .await
}

#[tokio::test]
async fn answers_of_both_cohorts() {
    // The answer, whether it streams, and what is counted: errors, first events, and the fault.
    let cases: [(&str, bool, f64, f64, Option<usize>); 14] = [
        ("whole", false, 0.0, 1.0, None),
        ("no response", false, 0.0, 1.0, Some(4)),
        ("quoted", false, 0.0, 1.0, None),
        ("500", false, 1.0, 0.0, None),
        ("429", false, 0.0, 0.0, None),
        ("hang up", false, 1.0, 0.0, None),
        ("cut", false, 1.0, 1.0, None),
        ("stream", true, 0.0, 1.0, None),
        ("error first", true, 1.0, 0.0, None),
        ("error later", true, 0.0, 1.0, Some(6)),
        ("empty", true, 0.0, 0.0, Some(3)),
        ("truncated", true, 0.0, 1.0, Some(5)),
        ("streamed no response", true, 0.0, 1.0, Some(4)),
        ("more than no response", true, 0.0, 1.0, None),
    ];
    let origin = origin().await;
    let modegate = Modegate::start(&settings(&origin, &format!("{ON}{CANARY}"))).await;
    let mut expected = [[0.0; 8]; 2];
    let mut sent = 0;
    for (answer, streams, errors, firsts, fault) in cases {
        for ((cohort, user), expected) in USERS.iter().zip(&mut expected) {
            let body = FAST.replace("hi", &format!("hi {sent}"));
            let request = message(user, streams, &body).header("X-Answer", answer);
            Client::once(modegate.frontend(), request).await;
            sent += 1;
            modegate.access(sent).await;
            expected[0] += 1.0;
            expected[1] += errors;
            expected[2] += firsts;
            if let Some(fault) = fault {
                expected[fault] += 1.0;
            }
            assert_eq!(grown(&modegate, cohort).await, *expected, "{answer} of {cohort}");
        }
    }
    // All of a key are in its part.
    let metrics = modegate.metrics().await;
    for (cohort, user) in USERS {
        let part = replicate(rank(SALT, user)).to_string();
        let by = [("cohort", cohort), ("replicate", part.as_str())];
        let requests = metrics.sum("modegate_rollout_requests_total", &by);
        assert_eq!(requests, cases.len() as f64, "{cohort}");
        let (sum, firsts) = (
            metrics.sum("modegate_rollout_first_log_sum_total", &by),
            metrics.sum("modegate_rollout_firsts_total", &by),
        );
        // Between a microsecond and a minute each.
        assert!(sum > 0.0 && sum < firsts * 18_000.0, "{sum} of {firsts}");
    }
    // Only the canary's left in the mode that was asked for.
    assert_eq!(metrics.sum("modegate_rollout_fast_left_total", &[]), cases.len() as f64);
}

/// The same text in the same room, once it was answered: by whom it is does not matter.
#[tokio::test]
async fn what_is_asked_again() {
    let origin = origin().await;
    let modegate = Modegate::start(&settings(&origin, &format!("{ON}{CANARY}"))).await;
    let other_text = FAST.replace("hi", "ho");
    // The body, the answer, and how many are repeated by then.
    let cases = [
        (FAST, "429", 0.0),
        (FAST, "whole", 0.0),
        (&*other_text, "whole", 0.0),
        (FAST, "whole", 1.0),
        // A worse fault, or an error, is that.
        (FAST, "no response", 1.0),
        (FAST, "500", 1.0),
        (FAST, "stream", 2.0),
    ];
    for (sent, (body, answer, repeated)) in cases.into_iter().enumerate() {
        let request = message("user-2", answer == "stream", body).header("X-Answer", answer);
        Client::once(modegate.frontend(), request).await;
        modegate.access(sent + 1).await;
        assert_eq!(grown(&modegate, "canary").await[7], repeated, "{sent}: {answer}");
    }
}

#[tokio::test]
async fn what_is_not_compared() {
    let origin = origin().await;
    let flags = [
        "",
        "[flags]\ncontract = true\n",
        "[flags]\ncontract = true\nruntime = true\nkill = true\n",
    ];
    for flags in flags {
        let modegate = Modegate::start(&settings(&origin, &format!("{flags}{CANARY}"))).await;
        for (_, user) in USERS {
            Client::once(modegate.frontend(), message(user, false, FAST)).await;
        }
        modegate.access(2).await;
        for (cohort, _) in USERS {
            assert_eq!(grown(&modegate, cohort).await, [0.0; 8], "{flags}");
        }
        modegate.counted("modegate_rollout_fast_left_total", &[], 0.0).await;
    }

    let modegate = Modegate::start(&settings(&origin, &format!("{ON}{CANARY}"))).await;
    let invalid = r#"{"text":"hi","processing":{"mode":"warp"}}"#;
    let call = r#"{"id":1,"method":"message.send","params":{"text":"t","roomId":"r","processing":{"mode":"fast"}}}"#;
    let rpc = |target: &str| Request::post(target, call).header("X-User", "user-2");
    let requests = [
        // No key; the lists; nothing asked for; what is refused; what is no message; other legs.
        (modegate.frontend(), message("", false, FAST)),
        (modegate.frontend(), message("vip", false, FAST)),
        (modegate.frontend(), message("banned", true, FAST)),
        (modegate.frontend(), message("user-2", false, DEFAULT)),
        (modegate.frontend(), message("user-1", false, r#"{"text":"hi"}"#)),
        (modegate.frontend(), message("user-2", false, invalid)),
        (modegate.frontend(), Request::get("/api/conversations").header("X-User", "user-2")),
        (modegate.bridge(), rpc("/api/v1/milady/agents/a/bridge")),
        (modegate.runtime(), rpc("/bridge")),
    ];
    let sent = requests.len();
    for (address, request) in requests {
        Client::once(address, request).await;
    }
    modegate.access(sent).await;
    for (cohort, _) in USERS {
        assert_eq!(grown(&modegate, cohort).await, [0.0; 8]);
    }
    // Whoever is on the allow list leaves in the mode all the same.
    modegate.counted("modegate_rollout_fast_left_total", &[], 1.0).await;
}

/// A client that goes is compared, and is no error; what it left in is counted before.
#[tokio::test]
async fn clients_that_go() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = Modegate::start(&settings(&origin, &format!("{ON}{CANARY}"))).await;
    for (round, begun) in [false, true].into_iter().enumerate() {
        let mut client = Client::connect(modegate.frontend()).await;
        let body = FAST.replace("hi", &format!("hi {round}"));
        client.write(message("user-2", true, &body).bytes()).await;
        let answer = scripts.next().await;
        let left = (round + 1) as f64;
        modegate.counted("modegate_rollout_fast_left_total", &[], left).await;
        modegate.counted("modegate_rollout_requests_total", &[], round as f64).await;
        if begun {
            answer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
            client.head().await.expect("a head");
            answer.chunk(TOKEN);
            client.data(&mut crate::harness::Framing::Chunked).await;
        }
        client.reset();
        modegate.access(round + 1).await;
        let firsts = if begun { 1.0 } else { 0.0 };
        let expected = [left, 0.0, firsts, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(grown(&modegate, "canary").await, expected);
    }
}

/// Every series is there before anything was counted.
#[tokio::test]
async fn all_are_there_from_the_start() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let answer: Response = unauthorized(&modegate, Request::get("/metrics")).await;
    let text = answer.text();
    for (name, series) in [
        ("requests_total", 40),
        ("errors_total", 40),
        ("firsts_total", 40),
        ("first_log_sum_total", 40),
        ("faults_total", 10),
        ("fast_left_total", 1),
        ("first_seconds_bucket", 86),
    ] {
        let name = format!("modegate_rollout_{name}");
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(&name)).collect();
        assert_eq!(lines.len(), series, "{name}");
        assert!(lines.iter().all(|line| line.ends_with(" 0")), "{lines:?}");
    }
}
