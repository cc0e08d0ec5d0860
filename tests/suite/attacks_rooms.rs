//! Rooms that break headers, rooms that are no strings, and rooms chosen to be canary
//! (cases 72 to 75).

use std::collections::BTreeSet;

use crate::attacks::{Attack, Sent};
use crate::explain_oracle::node::Node;
use crate::explain_oracle::setting::{APPLIES, BRIDGE, RUNTIME, SALT, Setting};
use crate::harness::{Address, Client, Modegate, Origin, Request, listener};

/// A request with this `roomId`, as it stands in the JSON; none where it is empty.
fn request(room: &[u8]) -> Vec<u8> {
    let member: &[u8] = if room.is_empty() { b"" } else { br#","roomId":"# };
    let start: &[u8] = br#"{"method":"m","params":{"processing":{"mode":"fast"}"#;
    [start, member, room, b"}}"].concat()
}

async fn every_room(number: u8, rooms: &[&[u8]]) {
    let half = Setting { percent: 50, ..APPLIES };
    for attack in [Attack::start(APPLIES).await, Attack::before_node(half).await] {
        let mut node = Node::start();
        for door in [BRIDGE, RUNTIME] {
            for room in rooms {
                let body = request(room);
                let shown = String::from_utf8_lossy(&room[..room.len().min(60)]);
                let mut client = attack.connect(door).await;
                let response = client.exchange(&Request::post(door.target, body.clone())).await;
                let arrived = attack.arrived().await;
                let sent = Sent::post(door, &body);
                let fault = attack.fault(&mut node, sent, arrived.first(), &response);
                assert_eq!((fault, arrived.len()), (None, 1), "case {number}: {shown}");
                let header = arrived[0].header("x-processing-room").unwrap_or_default();
                assert!(header.len() <= 200, "case {number}: {shown}");
                assert!(
                    header.bytes().all(|byte| byte.is_ascii_graphic()),
                    "case {number}: {shown}"
                );
                assert_eq!(arrived[0].headers.get("x-m"), None, "case {number}: {shown}");
            }
        }
        attack.control(None).await;
    }
}

/// Whatever a room holds, its header is short, visible ASCII, and one (case 72).
#[tokio::test]
async fn a_room_breaks_no_header() {
    let quoted = |text: &str| format!("\"{text}\"").into_bytes();
    let long = ["x".repeat(17 << 10), "x".repeat(1 << 20), "é".repeat(5000), "\\u0000".repeat(300)];
    let long = long.map(|text| quoted(&text));
    let rooms: Vec<Vec<u8>> = [
        r"a\r\nx-m: fast",
        r"a\nx-m: fast",
        r"\r\n\r\nGET / HTTP/1.1",
        r"a\u0000b",
        r"a\u2028b",
        r"\u00e9",
        "é",
        "日本語",
        r"\ud83d\ude00",
        r"\ud83d",
        "..",
        "%0d%0ax-m:%20fast",
        "%",
        "%25",
        " ",
        "a b",
        r"\u007f\u0080\u009f",
        r"\ufeff",
        "sha256:0",
        "=?utf-8?q?x?=",
        r#"\"}{\""#,
    ]
    .map(quoted)
    .into_iter()
    .chain([b"\"\xff\xc3\x28\"".to_vec(), b"\"\xe9\"".to_vec()])
    .chain(long)
    .collect();
    every_room(72, &rooms.iter().map(Vec::as_slice).collect::<Vec<_>>()).await;
}

/// A room is a string or there is none, as `typeof` says, and equal as `===` says (case 73).
#[tokio::test]
async fn a_room_is_a_string_or_none() {
    let rooms: [&[u8]; 20] = [
        b"",
        b"1",
        b"\"1\"",
        b"1.0",
        b"-0",
        b"[\"a\"]",
        b"{\"a\":\"b\"}",
        b"{}",
        b"true",
        b"null",
        b"\"\"",
        b"\" a \"",
        b"\"a\"",
        b"\"\\u0061\"",
        b"\"\xc3\xa9\"",
        b"\"e\xcc\x81\"",
        b"\"null\"",
        b"\"a\",\"roomId\":1",
        b"1,\"roomId\":\"a\"",
        b"\"a\",\"r\\u006fomId\":\"b\"",
    ];
    every_room(73, &rooms).await;
}

const CLIENTS: usize = 120;

/// Case 74: who may see an answer learns the mode that applied and nothing that leads to it.
#[tokio::test]
async fn an_answer_shows_neither_cohort_nor_rank_nor_salt() {
    let attack = Attack::start(Setting { percent: 50, ..APPLIES }).await;
    let mut client = attack.connect(BRIDGE).await;
    let mut modes = BTreeSet::new();
    for number in 0..CLIENTS {
        let bodies = [
            request(format!("\"room-{number}\"").as_bytes()),
            request(br#""r","processing":7"#),
            b"{bad".to_vec(),
        ];
        for body in bodies {
            let response = client.exchange(&Request::post(BRIDGE.target, body)).await;
            let said = String::from_utf8_lossy(&response.head.raw).into_owned() + &response.text();
            let said = said.to_ascii_lowercase();
            for secret in
                [SALT, "canary", "control", "cohort", "rank", "bucket", "x-processing-room"]
            {
                assert!(!said.contains(secret), "case 74: {said}");
            }
            modes.extend(response.header("x-processing-mode").map(str::to_owned));
        }
    }
    assert_eq!(modes.len(), 2, "half of many rooms is neither none nor all");
    let document = Request::get("/.well-known/processing");
    let document = Client::once(attack.modegate.frontend(), document).await.text();
    assert!(!document.contains(SALT) && !document.contains("percent"), "case 74: {document}");
    assert_eq!(attack.arrived().await.len(), CLIENTS, "case 74: one of each three");
    attack.control(None).await;
}

/// The conversations whose messages arrive as canary's.
async fn canaries(origin: &Origin, address: &Address) -> BTreeSet<usize> {
    let mut client = Client::connect(address).await;
    let mut members = BTreeSet::new();
    for number in 0..CLIENTS {
        let target = format!("/api/conversations/conversation-{number}/messages");
        let body = r#"{"text":"a","processing":{"mode":"fast"}}"#;
        let response = client.exchange(&Request::post(&target, body)).await;
        let received = origin.last();
        let canary = received.header("x-processing-cohort") == Some("canary");
        let mode = if canary { "fast" } else { "default" };
        assert_eq!(response.header("x-processing-mode"), Some(mode));
        assert_eq!(received.text().contains("fast"), canary);
        if canary {
            members.insert(number);
        }
        origin.forget();
    }
    members
}

/// Case 75: on both of two listeners, before and after a restart, at growing percentages.
#[tokio::test]
async fn a_room_stays_where_it_is_and_growth_only_adds() {
    let origin = Origin::echo().await;
    let listener = listener("frontend", &origin.url());
    let mut before = BTreeSet::new();
    for percent in ["0", "0.01", "10", "50", "99.99", "100"] {
        let config = format!(
            "[flags]\ncontract = true\nruntime = true\n[canary]\npercent = {percent}\n{listener}{listener}"
        );
        let mut members = Vec::new();
        for _ in 0..2 {
            let modegate = Modegate::start(&config).await;
            for at in 0..2 {
                members.push(canaries(&origin, modegate.leg("frontend", at)).await);
            }
        }
        let first = members[0].clone();
        assert!(members.iter().all(|one| *one == first), "case 75: {percent}: {members:?}");
        assert!(before.is_subset(&first), "case 75: {percent}: {before:?} {first:?}");
        match percent {
            "0" => assert!(first.is_empty(), "case 75"),
            "100" => assert_eq!(first.len(), CLIENTS, "case 75"),
            "50" => assert!((30..90).contains(&first.len()), "case 75: {}", first.len()),
            _ => {}
        }
        before = first;
    }
}
