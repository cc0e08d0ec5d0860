//! Unix sockets, TLS and plain TCP side by side: streams and upgrades through TLS, mixed upstreams
//! that share the load, and what is wrong with an upstream told apart.

use std::sync::Arc;

use crate::harness::{
    Answer, Authority, Client, Framing, Gone, Modegate, Origin, Request, Start, TempDir,
    eventually, listener, script,
};

/// One listener on a port, in front of these upstreams.
fn balanced(upstreams: &[&str], upstream_settings: &str) -> String {
    let list: Vec<String> = upstreams.iter().map(|upstream| format!("\"{upstream}\"")).collect();
    let list = list.join(", ");
    format!(
        "[upstream]\n{upstream_settings}\n\
         [[listener]]\nleg = \"frontend\"\nbind = \"127.0.0.1:0\"\nupstream = [{list}]\n"
    )
}

/// What a configuration calls a TLS origin on this port.
fn https(origin: &Origin) -> String {
    format!("https://localhost:{}", origin.address.tcp().port())
}

/// A frontend leg in front of a TLS origin, with one authority that it trusts.
async fn trusting(authority: &Authority, settings: &str, origin: &Origin) -> Modegate {
    let dir = Arc::new(TempDir::new());
    dir.write("ca.pem", authority.pem());
    let leg = listener("frontend", &https(origin));
    let config = format!("{settings}[upstream]\nca_file = \"{{dir}}/ca.pem\"\n{leg}");
    Start::within(&config, dir).run().await
}

const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;

#[tokio::test]
async fn a_unix_socket_that_is_not_there_is_an_upstream_that_is_not_there() {
    let modegate = Modegate::start(&listener("runtime", "unix:{dir}/none.sock")).await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"heartbeat"}"#;
    let response = Client::once(modegate.runtime(), Request::post("/bridge", body)).await;
    assert_eq!(response.status, 502);
    assert_eq!(response.json()["id"], 1, "{}", response.text());
}

#[tokio::test]
async fn connections_belong_to_the_listener_where_they_arrive() {
    let dir = Arc::new(TempDir::new());
    let (one, two) =
        (Origin::start(|_| Answer::ok("one")).await, Origin::start(|_| Answer::ok("two")).await);
    let three = Origin::start(|_| Answer::ok("three")).await;
    let listener = |bind: &str, origin: &Origin| {
        let url = origin.url();
        format!("[[listener]]\nleg = \"frontend\"\nbind = \"{bind}\"\nupstream = \"{url}\"\n")
    };
    let config = [
        listener("127.0.0.1:0", &one),
        listener("unix:{dir}/front.sock", &two),
        // Any address of the machine, known by its port.
        listener("0.0.0.0:0", &three),
    ];
    let modegate = Start::within(&config.concat(), dir).run().await;
    for (at, expected) in ["one", "two", "three"].into_iter().enumerate() {
        let mut address = modegate.leg("frontend", at).clone();
        if let crate::harness::Address::Tcp(address) = &mut address {
            address.set_ip([127, 0, 0, 1].into());
        }
        let response = Client::once(&address, Request::get("/")).await;
        assert_eq!(response.text(), expected);
    }
}

#[tokio::test]
async fn https_upstreams_are_held_to_the_configured_roots() {
    let authority = Authority::new();
    let origin = Origin::start_tls(Some(authority.server("localhost")), |_| Answer::Echo).await;
    let modegate = trusting(&authority, "", &origin).await;

    let mut client = Client::connect(modegate.frontend()).await;
    let response = client.exchange(&Request::post("/api/chat", FAST)).await;
    assert_eq!((response.status, response.text().as_str()), (200, r#"{"text":"hi"}"#));
    let received = origin.last();
    let host = format!("localhost:{}", origin.address.tcp().port());
    assert_eq!(received.header("host"), Some(host.as_str()));

    let large: Vec<u8> = (0..5_000_000u32).map(|n| (n % 253) as u8).collect();
    let response = client.exchange(&Request::post("/upload", large.clone())).await;
    assert!(response.status == 200 && response.body == large && origin.last().body == large);
    assert_eq!(origin.accepted(), 1, "the connection is used again");
}

#[tokio::test]
async fn event_streams_and_upgrades_go_through_tls_as_they_come() {
    let authority = Authority::new();
    let (steps, answer) = script();
    let answer = std::sync::Mutex::new(Some(answer));
    let origin = Origin::start_tls(Some(authority.server("localhost")), move |request| {
        if request.target() == "/ws" {
            let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
            return Answer::Tunnel(head.into());
        }
        answer.lock().expect("no panic").take().expect("one stream")
    })
    .await;
    let modegate = trusting(&authority, "", &origin).await;

    let mut client = Client::connect(modegate.frontend()).await;
    client.write(Request::post("/api/chat/stream", "{}").bytes()).await;
    origin.wait_for(1).await;
    steps.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    assert_eq!(client.head().await.expect("a head").part(1), "200");
    let mut framing = Framing::Chunked;
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        steps.send(format!("{:x}\r\n{event}\r\n", event.len()));
        assert_eq!(client.data(&mut framing).await, event);
    }

    let mut client = Client::connect(modegate.frontend()).await;
    let upgrade =
        Request::get("/ws").header("Connection", "Upgrade").header("Upgrade", "websocket");
    client.write(upgrade.bytes()).await;
    assert_eq!(client.head().await.expect("a head").part(1), "101");
    client.write("ping").await;
    assert_eq!(client.bytes().await, b"ping");
}

#[tokio::test]
async fn an_https_upstream_without_tls_gets_no_longer_than_any_connection() {
    let plain = Origin::echo().await;
    let modegate = trusting(&Authority::new(), "[timeouts]\nconnect = \"150ms\"\n", &plain).await;
    let response = modegate.post("/api/chat", r#"{"text":"secret"}"#).await;
    let slow = (504, r#"{"error":"Upstream did not answer in time"}"#);
    assert_eq!((response.status, response.text().as_str()), slow);
    assert_eq!((plain.accepted(), plain.requests()), (1, 0));
}

#[tokio::test]
async fn roots_that_cannot_be_read_are_said_at_the_start() {
    let dir = Arc::new(TempDir::new());
    dir.write("empty.pem", "");
    for file in ["none.pem", "empty.pem"] {
        let config = format!(
            "[upstream]\nca_file = \"{{dir}}/{file}\"\n{}",
            listener("frontend", "https://localhost:1")
        );
        let exited = Start::within(&config, dir.clone()).fails().await;
        assert_eq!(exited.code, Some(2), "{exited:?}");
        assert!(
            exited.stderr.contains("upstream.ca_file") && exited.stderr.contains(file),
            "{exited:?}"
        );
    }
}

#[tokio::test]
async fn several_upstreams_take_turns() {
    let dir = Arc::new(TempDir::new());
    let authority = Authority::new();
    dir.write("ca.pem", authority.pem());
    let origins = [
        Origin::start(|_| Answer::Echo).await,
        Origin::start_unix(&dir.path().join("two.sock"), |_| Answer::Echo).await,
        Origin::start_tls(Some(authority.server("localhost")), |_| Answer::Echo).await,
    ];
    let urls = [origins[0].url(), origins[1].url(), https(&origins[2])];
    let urls = urls.each_ref().map(String::as_str);
    let modegate = Start::within(&balanced(&urls, "ca_file = \"{dir}/ca.pem\""), dir).run().await;
    await_balance(&modegate).await;
    let before = origins.each_ref().map(Origin::requests);
    for _ in 0..30 {
        assert_eq!(modegate.post("/api/chat", "{}").await.text(), "{}");
    }
    let taken: Vec<usize> = origins.iter().zip(before).map(|(o, b)| o.requests() - b).collect();
    assert_eq!(taken, [10, 10, 10]);
    assert_eq!(origins[1].last().header("host"), Some("localhost"));
}

/// Waits until the balancer knows its upstreams.
async fn await_balance(modegate: &Modegate) {
    eventually("an upstream", async || {
        (modegate.post("/warm", "").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_upstream_that_was_never_there_costs_no_request_once_it_was_looked_at() {
    let gone = Gone::new();
    let dead = gone.url();
    let origin = Origin::echo().await;
    let config = balanced(&[&dead, &origin.url()], "health_interval = \"50ms\"");
    let modegate = Modegate::start(&config).await;
    eventually("eight good answers", async || {
        for _ in 0..8 {
            if modegate.post("/api/chat", "{}").await.status != 200 {
                return None;
            }
        }
        Some(())
    })
    .await;
    for _ in 0..20 {
        assert_eq!(modegate.post("/api/chat", "{}").await.status, 200);
    }
}

#[tokio::test]
async fn a_message_is_never_sent_to_a_second_upstream() {
    let cuts = || Origin::start(|_| Answer::ThenClose(Vec::new()));
    let (one, two) = (cuts().await, cuts().await);
    let config = balanced(&[&one.url(), &two.url()], "health_interval = \"off\"");
    let modegate = Modegate::start(&config).await;
    eventually("an upstream", async || {
        modegate.post("/warm", "").await;
        (one.requests() + two.requests() > 0).then_some(())
    })
    .await;
    for _ in 0..6 {
        let before = one.requests() + two.requests();
        assert_eq!(modegate.post("/api/chat", "{}").await.status, 502);
        assert_eq!(one.requests() + two.requests(), before + 1);
    }
}

#[tokio::test]
async fn upstreams_may_be_names() {
    let (one, two) = (Origin::echo().await, Origin::echo().await);
    let url = |origin: &Origin| format!("http://localhost:{}", origin.address.tcp().port());
    let configs = [listener("frontend", &url(&one)), balanced(&[&url(&one), &url(&two)], "")];
    for config in configs {
        let modegate = Modegate::start(&config).await;
        await_balance(&modegate).await;
        for _ in 0..4 {
            assert_eq!(modegate.post("/api/chat", "{}").await.text(), "{}");
        }
    }
    for origin in [one, two] {
        let host = format!("localhost:{}", origin.address.tcp().port());
        assert_eq!(origin.last().header("host"), Some(host.as_str()));
    }
}
