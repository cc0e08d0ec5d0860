use std::time::Duration;

use modegate_filters::rollout::observe::Breaker;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A mismatch as `GET /parity` shows it.
fn shown(at: Millis) -> Value {
    let account = |mode: &str, room: Option<&str>, id: &str| json!({ "mode": mode, "room": room, "generation": 3, "request_id": id });
    json!({
        "at_ms": at,
        "leg": "bridge",
        "verdict": "mode_missing",
        "joined_by": "room_text",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "expected": account("fast", Some("77a868376e9b20f0"), "before"),
        "found": account("none", None, "here"),
    })
}

fn answer(mismatches: &[Value]) -> String {
    json!({ "generation": 3, "legs": {}, "mismatches": mismatches }).to_string()
}

fn texts(one: &Exemplar) -> [&str; 6] {
    [&one.leg, &one.what, &one.expected, &one.found, &one.request_id, &one.trace_id]
}

#[test]
fn a_mismatch_becomes_an_exemplar() {
    let of_room = {
        let mut one = shown(8);
        one["verdict"] = json!("room_missing");
        one
    };
    let read = read(answer(&[shown(7), of_room]).as_bytes()).unwrap();
    assert_eq!(read.iter().map(|one| one.at).collect::<Vec<_>>(), [7, 8]);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    assert_eq!(texts(&read[0]), ["bridge", "mode_missing", "fast", "none", "here", trace]);
    let room = ["bridge", "room_missing", "77a868376e9b20f0", "none", "here", trace];
    assert_eq!(texts(&read[1]), room);
}

#[test]
fn what_is_no_mismatch_is_left_out_and_takes_nothing_with_it() {
    struct Case(&'static str, fn(&mut Value), bool);
    let cases = [
        Case("as it is", |_| {}, true),
        Case("more than is read", |one| one["new"] = json!(1), true),
        Case("of before", |one| _ = one.as_object_mut().unwrap().remove("trace_id"), true),
        Case("no object", |one| *one = json!(1), false),
        Case("no time", |one| one["at_ms"] = json!("now"), false),
        Case("a time before 1970", |one| one["at_ms"] = json!(-1), false),
        Case("another leg", |one| one["leg"] = json!("elsewhere"), false),
        Case("another verdict", |one| one["verdict"] = json!("bad"), false),
        Case("a match", |one| one["verdict"] = json!("match"), false),
        Case("nothing expected", |one| one["expected"] = json!(null), false),
        Case("a text", |one| one["found"]["mode"] = json!("what somebody wrote"), false),
        Case("a line", |one| one["found"]["request_id"] = json!("a\n| b"), false),
        Case("too long", |one| one["trace_id"] = json!("a".repeat(65)), false),
    ];
    for Case(name, change, stays) in cases {
        let mut one = shown(1);
        change(&mut one);
        let read = read(answer(&[one, shown(2)]).as_bytes()).unwrap();
        assert_eq!(read.len(), 1 + usize::from(stays), "{name}");
    }
    for junk in ["", "{}", "[]", "<html>", r#"{"mismatches":3}"#] {
        assert!(read(junk.as_bytes()).is_err(), "{junk}");
    }
}

#[test]
fn names_that_are_addresses() {
    let cases = [
        ("10.0.0.7:9901", Some(("10.0.0.7", 9901))),
        ("[::1]:9901", Some(("::1", 9901))),
        ("chat-0.chat:9901", Some(("chat-0.chat", 9901))),
        ("chat-0", None),
        ("10.0.0.7:0", None),
        ("10.0.0.7:99010", None),
        (":9901", None),
        ("user@10.0.0.7:9901", None),
        ("http://10.0.0.7:9901", None),
        ("10.0.0.7:9901/metrics", None),
        ("", None),
    ];
    for (name, expected) in cases {
        let expected = expected.map(|(host, port)| Endpoint { host: host.to_owned(), port });
        assert_eq!(endpoint(name), expected, "{name}");
    }
}

/// An instance that is up and answers every connection with these bytes; without any it is silent.
async fn instance(answer: Option<String>) -> Instance {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(answer) = &answer else {
                silent.push(stream);
                continue;
            };
            let mut head = [0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            assert!(head[..read].starts_with(b"GET /parity HTTP/1.1\r\n"), "{head:?}");
            // Whoever does not read it to its end goes away.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Instance { name, up: true, generation: 1, breaker: None, overridden: false }
}

fn whole(status: &str, body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

#[tokio::test]
async fn whoever_does_not_answer_costs_its_own_only() {
    let good: Vec<Value> = (1..=12).map(shown).collect();
    let large = format!("{}{}", answer(&good), " ".repeat(ANSWER_LIMIT));
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let up = |name: &str| Instance {
        name: name.to_owned(),
        up: true,
        generation: 1,
        breaker: None,
        overridden: false,
    };
    let mut down = instance(whole("200 OK", &answer(&[shown(30)]))).await;
    down.up = false;
    let mut instances = vec![
        instance(None).await,
        instance(whole("401 Unauthorized", &answer(&good))).await,
        instance(whole("200 OK", "<html>")).await,
        instance(whole("200 OK", &large)).await,
        instance(Some("SSH-2.0\r\n".to_owned())).await,
        up(&gone.to_string()),
        up("chat-0"),
        down,
        instance(whole("200 OK", &answer(&good[..6]))).await,
        instance(whole("200 OK", &answer(&good[6..]))).await,
    ];
    let times = |found: Vec<Exemplar>| found.iter().map(|one| one.at).collect::<Vec<_>>();
    let asked = tokio::time::timeout(Duration::from_secs(30), ask(&instances, 0));
    assert_eq!(times(asked.await.unwrap()), (3..=12).collect::<Vec<_>>());
    // Its stage began later.
    instances.remove(0);
    assert_eq!(times(ask(&instances, 11).await), [11, 12]);
    assert_eq!(ask(&[], 0).await, []);
}

#[tokio::test]
async fn of_very_many_those_whose_breaker_is_open_are_asked() {
    let mut last = instance(whole("200 OK", &answer(&[shown(1)]))).await;
    let others = vec![Instance { name: "chat".to_owned(), ..last.clone() }; ASKED];
    let and = |last: &Instance| [&others[..], std::slice::from_ref(last)].concat();
    assert_eq!(ask(&and(&last), 0).await, []);
    last.breaker = Some(Breaker::Mismatch);
    assert_eq!(ask(&and(&last), 0).await.len(), 1);
}
