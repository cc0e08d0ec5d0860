//! The admin API against pages, forms and guesses, and control while streams run (cases 84 and 85).

use crate::control_process::{CANARY, DOWNGRADED, FAST, ROUTE, STRIPPED, generation, until_flag};
use crate::harness::{
    Client, End, Framing, Gone, Modegate, Origin, Piece, Request, Start, TOKEN, eventually,
    settings, share,
};

const CHANGE: &str = r#"{"value":true,"actor":"mallory","reason":"r"}"#;

fn to_admin(method: &str, path: &str) -> Request {
    Request::new(method, path).header("Host", "localhost").only_last("Host")
}

/// Case 84: what a page can send without asking first: forms and images, from anywhere.
#[tokio::test]
async fn no_form_of_a_page_changes_a_flag() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let kinds =
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"];
    let origins = [None, Some("null"), Some("https://page.example"), Some("http://localhost:3000")];
    let bodies = [CHANGE, "value=true&actor=mallory&reason=r", "{\"value\":true,\"x\":\"=\"}"];
    for method in ["GET", "HEAD", "POST"] {
        for path in ["/flags/kill", "/flags", "/flags/kill?value=true&actor=m&reason=r&_method=PUT"]
        {
            for kind in kinds {
                for page in origins {
                    for body in bodies {
                        let request =
                            to_admin(method, path).header("Content-Type", kind).body(body);
                        let request = match page {
                            Some(page) => request.header("Origin", page),
                            None => request.header("Sec-Fetch-Site", "cross-site"),
                        };
                        let mut client = Client::connect(modegate.admin()).await;
                        let response = client.exchange(&request).await;
                        let seen = [200, 403, 405].contains(&response.status);
                        assert!(seen, "case 84: {method} {path}: {}", response.status);
                        assert_eq!(response.header("access-control-allow-origin"), None);
                    }
                }
            }
        }
    }
    assert_eq!(generation(&modegate).await, 1, "case 84: nothing changed");
}

/// Case 84: with the token too, only PUT and DELETE change, whatever else says that it is one.
#[tokio::test]
async fn no_other_method_is_taken_for_a_change() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let token = format!("Bearer {TOKEN}");
    for method in ["GET", "HEAD", "POST", "PATCH", "OPTIONS", "TRACE", "put", "PUTS", "M-SEARCH"] {
        for path in ["/flags/kill", "/flags/kill?method=PUT", "/flags/kill/"] {
            let request = to_admin(method, path)
                .header("Authorization", &token)
                .header("X-HTTP-Method-Override", "PUT")
                .header("X-Method-Override", "PUT")
                .body(CHANGE);
            let mut client = Client::connect(modegate.admin()).await;
            let response = client.exchange(&request).await;
            let told = response.text() + &String::from_utf8_lossy(&response.head.raw);
            assert!(response.status >= 400, "case 84: {method} {path}: {told}");
            assert!(!told.contains(TOKEN), "case 84: a TRACE shows what was sent: {told}");
        }
    }
    assert_eq!(generation(&modegate).await, 1, "case 84: nothing changed");
    modegate.flag("kill", true).await;
}

/// Case 84: every beginning of the token, and the token with more.
#[tokio::test]
async fn no_part_of_the_token_is_the_token() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let parts =
        (0..TOKEN.len()).flat_map(|at| [TOKEN[..at].to_owned(), TOKEN[at + 1..].to_owned()]);
    let more = [0, 1, 64, 4000].map(|more| format!("{TOKEN}{}", "0".repeat(more)));
    let changed = (0..TOKEN.len()).map(|at| format!("{}_{}", &TOKEN[..at], &TOKEN[at + 1..]));
    for guess in parts.chain(more).chain(changed).filter(|guess| guess != TOKEN) {
        let request = to_admin("PUT", "/flags/kill")
            .header("Authorization", &format!("Bearer {guess}"))
            .body(CHANGE);
        let response = Client::once(modegate.admin(), request).await;
        assert_eq!(response.status, 401, "case 84: {guess:?}");
        assert!(!response.text().contains(TOKEN));
    }
    assert_eq!(generation(&modegate).await, 1);
    modegate.flag("kill", true).await;
}

/// Case 84: another machine is let in only by who says so in so many words.
#[tokio::test]
async fn an_address_of_every_interface_is_not_bound_by_mistake() {
    let origin = Origin::echo().await;
    for bind in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let admin = format!("[admin]\nbind = \"{bind}\"\ntoken_file = \"{{dir}}/token\"\n");
        let ended = Start::new(&format!("{}\n{admin}", settings(&origin, ""))).fails().await;
        assert_eq!(ended.code, Some(2), "case 84: {bind}");
        assert!(ended.stderr.contains("admin.allow_remote"), "case 84: {}", ended.stderr);
    }
}

const STREAMS: u64 = 1000;

/// Case 85: streams go on through the kill switch, a reload that moves an upstream to where nobody
/// is, and SIGTERM; what is asked meanwhile obeys at once.
#[tokio::test]
async fn control_under_open_streams() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let plain = Origin::echo().await;
    let config = format!(
        "{CANARY}[flags]\ncontract = true\n{}{}",
        crate::harness::listener("frontend", &origin.url()),
        crate::harness::listener("frontend", &plain.url()),
    );
    let mut modegate = Modegate::start(&config).await;
    let mut streams = Vec::new();
    for _ in 0..share(STREAMS) {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::post("/api/chat/stream", "{}").bytes()).await;
        let steps = scripts.next().await;
        steps.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(client.head().await.is_some());
        streams.push((client, steps, Framing::Chunked));
    }
    let message = async |modegate: &Modegate| {
        let request = Request::post(ROUTE, FAST);
        Client::once(modegate.leg("frontend", 1), request).await.text()
    };
    assert_eq!(message(&modegate).await, DOWNGRADED);
    modegate.flag("kill", true).await;
    assert_eq!(message(&modegate).await, STRIPPED, "case 85: at once");
    go_on(&mut streams, "data: 1\n\n").await;

    let gone = Gone::new();
    let text = std::fs::read_to_string(modegate.file()).unwrap();
    let moved = text.replace(&origin.url(), &gone.url()).replace(&plain.url(), &gone.url());
    std::fs::write(
        modegate.file(),
        moved.replace("contract = true", "contract = true\nruntime = true"),
    )
    .unwrap();
    modegate.signal("HUP");
    until_flag(&modegate, "runtime", true).await;
    assert_eq!(message(&modegate).await, STRIPPED, "case 85: the upstream stays, and so does kill");
    go_on(&mut streams, "data: 2\n\n").await;

    modegate.signal("TERM");
    let refused = eventually("the drain", async || {
        let request = Request::get("/ready").header("Host", "localhost").only_last("Host");
        let response = Client::once(modegate.admin(), request).await;
        (response.status == 503).then_some(())
    });
    refused.await;
    go_on(&mut streams, "data: 3\n\n").await;
    for (mut client, steps, mut framing) in streams {
        steps.send("0\r\n\r\n");
        assert_eq!(client.piece(&mut framing).await, Piece::End(End::Clean, vec![]), "case 85");
    }
    assert_eq!(modegate.exited(crate::harness::DEADLINE).await, Some(0), "case 85");
}

type Stream = (Client, crate::harness::Steps, Framing);

async fn go_on(streams: &mut [Stream], event: &str) {
    for (client, steps, framing) in streams {
        steps.chunk(event);
        assert_eq!(client.data(framing).await, event, "case 85");
    }
}
