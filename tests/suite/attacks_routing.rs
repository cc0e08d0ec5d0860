//! Targets that are spelled, hidden or aimed elsewhere: what arrives is inspected wherever its
//! router takes it for a message, and goes to the configured upstream or nowhere (cases 44 to 47).

use crate::attacks::{Attack, Sent};
use crate::control_process::generation;
use crate::explain_oracle::node::Node;
use crate::explain_oracle::setting::{APPLIES, BRIDGE, Door, MESSAGE, RUNTIME, STRIPS, in_params};
use crate::harness::{Client, Modegate, Origin, Request, TOKEN, eventually, settings};

const BODY: &[u8] = br#"{"text":"a","processing":{"mode":"fast"}}"#;

fn message(leg: &str) -> Vec<u8> {
    match leg {
        "frontend" => BODY.to_vec(),
        _ => in_params(BODY),
    }
}

/// Spellings of a path: those that `new URL` reads as it, then those that it does not.
#[rustfmt::skip]
const SPELLINGS: &[&str] = &[
    "$", "//evil$", "/\\evil$", "\\$", "http://evil$", "ws://h$", "wss://h$", "ftp://h$", "file://$", "/x/..$", "/%2e%2e$", "/%2E./x/.%2e$", "/.$", "$#frag", "$?q", "$?", "$#", "$?/../x",
    "///evil$", "////evil$", "/\\/\\evil$", "http://user:password@evil$", "http://evil:80$", "http://[::1]:2138$", "HTTP://EVIL$", "https:$", "http:$", "http:\\\\evil$", "/c:/..$", "//xn--a-$", "http://evil/x/..$",
    "\\\\evil$", "javascript:$", "x:$", "api$", "?$", "#$",
    "$;x", "$/", "/$", "$%20", "$%00", "$.", "$/.", "$//", "/x$", "$$", "%2f$", "/%2e$", "/..;$",
];

/// Every spelling of every leg's path; backslashes in the path too.
fn targets(path: &str) -> Vec<String> {
    let spelled = SPELLINGS.iter().map(|spelling| spelling.replace('$', path));
    let mut targets: Vec<String> = spelled.collect();
    targets.push(path.replace('/', "\\"));
    targets.push(format!("/{}", path[1..].replace('/', "\\")));
    targets.push(path.replace("/", "//"));
    targets.push(path.replace("/", "/./"));
    targets.push(path.replace("/", "/a/../"));
    targets.push(path.replace("/", "/a/%2e%2E/"));
    targets.push(path.to_uppercase());
    targets.push(path.replace('e', "%65"));
    targets.push(path.replace('/', "%2F"));
    targets.push(path.replace('/', "/\u{200b}"));
    targets
}

/// Case 44.
#[tokio::test]
async fn every_spelling_of_a_path_is_read_as_its_server_reads_it() {
    let paths = [MESSAGE, BRIDGE, RUNTIME];
    for attack in [Attack::start(STRIPS).await, Attack::before_node(APPLIES).await] {
        let mut node = Node::start();
        for Door { leg, target: path } in paths {
            for target in targets(path) {
                let body = message(leg);
                let door = Door { leg, target: &*target.clone().leak() };
                let sent = Sent { may_be_refused: true, ..Sent::post(door, &body) };
                let request = Request::post(&target, body.clone());
                let fault = attack.send(&mut node, sent, &request).await;
                assert_eq!(fault, None, "case 44");
            }
        }
    }
}

/// Case 44: none of the spellings that HTTP and `new URL` allow is refused, but by the runtime leg:
/// the server behind it compares the target as it stands.
#[tokio::test]
async fn the_spellings_that_reach_a_handler_are_served() {
    let attack = Attack::start(STRIPS).await;
    let mut node = Node::start();
    let served =
        ["$", "//evil$", "http://evil$", "https://evil$", "/x/..$", "/%2e%2e$", "/.$", "$?q"];
    for door in [MESSAGE, BRIDGE] {
        for spelling in served {
            let target = spelling.replace('$', door.target);
            let body = message(door.leg);
            let door = Door { leg: door.leg, target: &*target.leak() };
            assert_eq!(attack.post(&mut node, door, &body).await, None, "case 44");
        }
    }
}

/// Case 45: ids that do not decode, or decode to what breaks lines, strings and headers.
#[tokio::test]
async fn a_conversation_of_any_name_is_one_conversation() {
    let long = "a%0a".repeat(2000);
    let ids = [
        "%zz",
        "%",
        "%2",
        "%00",
        "%ff",
        "%c3%28",
        "%ed%a0%80",
        "%0d%0ax-m:%20fast",
        "%1b%5b31m",
        "%2e%2e%2f",
        "%22%7d%7b",
        "%e2%80%a8",
        "%f0%9f%98%80",
        "a%2Fb",
        "$(x)",
        "'--",
        &long,
    ];
    for attack in [Attack::start(STRIPS).await, Attack::before_node(APPLIES).await] {
        let mut node = Node::start();
        for id in ids {
            let target = format!("/api/conversations/{id}/messages");
            let door = Door { leg: "frontend", target: &*target.leak() };
            assert_eq!(attack.post(&mut node, door, BODY).await, None, "case 45");
        }
        // At least each one's own line, and that of the clean request after it.
        eventually("the access lines", async || {
            (attack.modegate.access_lines().len() >= 2 * ids.len()).then_some(())
        })
        .await;
        for line in attack.modegate.logs() {
            let control = line.chars().any(char::is_control);
            assert!(!control && !line.contains("x-m") && !line.contains("zz"), "case 45: {line:?}");
        }
    }
}

/// Case 46: where a request goes is not for the request to say.
#[tokio::test]
async fn no_part_of_a_request_chooses_the_upstream() {
    let (origin, decoy) = (Origin::echo().await, Origin::echo().await);
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let admin = modegate.admin().to_string();
    let own = origin.address.to_string();
    let names =
        [decoy.address.to_string(), admin, "169.254.169.254".to_owned(), "[::1]:1".to_owned()];
    for name in &names {
        let aimed = [
            Request::post(&format!("http://{name}/api/chat"), BODY),
            Request::post(&format!("http://{name}/api/chat"), BODY)
                .header("Host", name)
                .only_last("Host"),
            Request::post(&format!("//{name}/api/chat"), BODY),
            Request::post("/api/chat", BODY).header("Host", name).only_last("Host"),
            Request::post("/api/chat", BODY).header("X-Forwarded-Host", name),
            Request::post("/api/chat", BODY)
                .header("Forwarded", &format!("host={name};for={name}")),
            Request::post("/api/chat", BODY).header("X-Original-URL", &format!("http://{name}/")),
            Request::post("/api/chat", BODY).header("X-Host", name),
        ];
        for request in &aimed {
            let response = Client::once(modegate.frontend(), request.clone()).await;
            let received = origin.received();
            origin.forget();
            let shown = format!("case 46: {request:?}");
            if response.status == 400 {
                assert!(received.is_empty(), "{shown}");
                continue;
            }
            assert_eq!(
                (response.text().as_str(), received.len()),
                (r#"{"text":"a"}"#, 1),
                "{shown}"
            );
            assert_eq!(received[0].header("host"), Some(&*own), "{shown}");
            assert!(received[0].target().ends_with("/api/chat"), "{shown}");
            assert!(!received[0].target().starts_with("http"), "{shown}");
        }
    }
    let mutation = format!(
        "PUT http://{}/flags/kill HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Length: 45\r\n\r\n{{\"value\":true,\"actor\":\"mallory\",\"reason\":\"x\"}}",
        names[1]
    );
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(mutation).await;
    client.response().await;
    for name in &names {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(format!("CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n\r\n")).await;
        assert_eq!(client.response_to("CONNECT").await.status, 405, "case 46");
    }
    assert_eq!((decoy.accepted(), generation(&modegate).await), (0, 1), "case 46");
    assert_eq!(modegate.post("/api/chat", "{}").await.status, 200);
}

/// Case 47: the runtime's own calls are not reached by any spelling of them; only the bridge's are.
#[tokio::test]
async fn what_the_runtime_would_tell_anybody_is_not_reached() {
    let attack = Attack::start(STRIPS).await;
    let calls =
        ["/api/snapshot", "/api/restore", "/api/anything", "/", "/bridge/x", "/bridge/stream/"];
    for call in calls {
        let spelled = targets(call).into_iter().chain([
            format!("/bridge/..{call}"),
            format!("/bridge/%2e%2e{call}"),
            format!("/bridge/stream/../..{call}"),
            format!("/bridge{call}"),
            format!("/bridge?{call}"),
            format!("/bridge#{call}"),
        ]);
        for target in spelled {
            for method in ["GET", "POST", "PUT"] {
                let body = in_params(BODY);
                let request = Request::new(method, &target).body(body);
                let mut client = Client::connect(attack.modegate.runtime()).await;
                let status = client.exchange(&request).await.status;
                for arrived in attack.arrived().await {
                    let path = arrived.target.split(['?', '#']).next().unwrap_or_default();
                    let bridge = ["/bridge", "/bridge/stream"].contains(&path);
                    assert!(
                        bridge && arrived.method == "POST",
                        "case 47: {method} {target} gave {status}"
                    );
                }
            }
        }
    }
    attack.control(None).await;
}
