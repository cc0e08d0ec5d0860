//! Floods of connections: caps for all and for one address, and what is left for the others
//! (case 87).

use std::time::Duration;

use tokio::task::JoinSet;

use crate::harness::{
    Answer, Authority, Client, Modegate, Origin, Request, eventually, listener, secure, settings,
    share,
};

const CLIENT: [u8; 4] = [127, 0, 0, 2];

async fn hundred(modegate: &Modegate) -> Vec<Client> {
    let mut flood = Vec::new();
    for _ in 0..100 {
        flood.push(Client::connect(modegate.frontend()).await);
    }
    flood
}

/// Case 87: a connection that became a tunnel is one all the same.
#[tokio::test]
async fn tunnels_are_connections() {
    const SWITCH: &str =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n";
    let origin = Origin::start(|request| match request.target() {
        "/ws" => Answer::Tunnel(SWITCH.as_bytes().to_vec()),
        _ => Answer::ok("{}"),
    })
    .await;
    let modegate =
        Modegate::start(&settings(&origin, "[limits]\nconnections_per_address = 2\n")).await;
    let upgrade = Request::get("/ws").header("Connection", "Upgrade").header("Upgrade", "foo");
    let mut tunnels = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(upgrade.bytes()).await;
        assert_eq!(client.head().await.expect("an answer").part(1), "101");
        tunnels.push(client);
    }
    modegate.counted("modegate_tunnels", &[], 2.0).await;
    modegate.counted("modegate_connections", &[], 2.0).await;
    assert_eq!(Client::once(modegate.frontend(), Request::get("/other")).await.status, 503);
    drop(tunnels);
    modegate.counted("modegate_connections", &[], 0.0).await;
    assert_eq!(Client::once(modegate.frontend(), Request::get("/other")).await.status, 200);
}

/// Case 87: idle connections over the cap are closed, all but a few at once.
#[tokio::test]
async fn over_the_cap_few_connections_are_told_and_none_stays() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "[limits]\nconnections = 2\n")).await;
    let mut served = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(modegate.frontend()).await;
        assert_eq!(client.exchange(&Request::get("/other")).await.status, 200);
        served.push(client);
    }
    let mut flood = hundred(&modegate).await;
    flood.extend(hundred(&modegate).await);
    // Those closed at once are counted at once, those that are told when they ask: none does.
    let reason = [("leg", "frontend"), ("reason", "connections")];
    eventually("the rest closed", async || {
        let metrics = modegate.metrics().await;
        let open = metrics.sum("modegate_connections", &[]);
        assert!(open < 66.5, "{open} connections open");
        (metrics.sum("modegate_rejections_total", &reason) > 0.5).then_some(())
    })
    .await;
    for client in &mut flood {
        client.closed().await;
    }
    modegate.counted("modegate_connections", &[], 2.0).await;
    assert_eq!(origin.requests(), 2);

    for client in &mut served {
        assert_eq!(client.exchange(&Request::get("/other")).await.status, 200);
    }
    drop(served.pop());
    modegate.counted("modegate_connections", &[], 1.0).await;
    assert_eq!(Client::once(modegate.frontend(), Request::get("/other")).await.status, 200);
}

/// Case 87: a connection over the cap has a deadline of its own, whatever it sends.
#[tokio::test]
async fn over_the_cap_a_dripping_head_is_cut() {
    let origin = Origin::echo().await;
    let extra = "[timeouts]\nheader = \"1h\"\n[limits]\nconnections = 1\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let mut served = Client::connect(modegate.frontend()).await;
    assert_eq!(served.exchange(&Request::get("/other")).await.status, 200);
    let mut dripping = Client::connect(modegate.frontend()).await;
    dripping.write("GET /other HTTP/1.1\r\nHost: h\r\nX-A: ").await;
    eventually("the end of a head that drips", async || {
        (!dripping.offer(b"a", Duration::from_millis(50)).await).then_some(())
    })
    .await;
    assert_eq!(served.exchange(&Request::get("/other")).await.status, 200);
    assert_eq!(origin.requests(), 2);
}

/// Case 87: one address never takes the connections of the others.
#[tokio::test]
async fn one_address_leaves_connections_to_the_others() {
    let origin = Origin::echo().await;
    let extra = "[limits]\nconnections = 6\nconnections_per_address = 3\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let mut held = Vec::new();
    for address in [modegate.frontend(), modegate.bridge(), modegate.frontend()] {
        let mut client = Client::connect(address).await;
        assert_eq!(client.exchange(&Request::get("/other")).await.status, 200);
        held.push(client);
    }
    for address in [modegate.frontend(), modegate.bridge(), modegate.runtime()] {
        let mut fourth = Client::connect(address).await;
        let response = fourth.exchange(&Request::get("/other")).await;
        let refused = (503, r#"{"error":"Too many connections from this address"}"#.to_owned());
        assert_eq!((response.status, response.text()), refused);
        assert_eq!(response.header("retry-after"), Some("1"));
        fourth.closed().await;
    }
    let reason = [("reason", "connections_per_address")];
    modegate.counted("modegate_rejections_total", &reason, 3.0).await;
    assert_eq!(origin.requests(), 3);

    let flood = hundred(&modegate).await;
    for _ in 0..3 {
        let mut other = Client::connect_from(CLIENT, modegate.frontend()).await;
        assert_eq!(other.exchange(&Request::get("/other")).await.status, 200);
    }
    drop((flood, held.pop()));
    modegate.counted("modegate_connections", &[], 2.0).await;
    assert_eq!(Client::once(modegate.frontend(), Request::get("/other")).await.status, 200);
}

#[tokio::test]
async fn a_unix_socket_has_no_address_to_be_capped() {
    let origin = Origin::echo().await;
    let config = format!(
        "[limits]\nconnections = 3\nconnections_per_address = 1\n{}",
        listener("frontend", &origin.url()).replace("127.0.0.1:0", "unix:{dir}/front.sock")
    );
    let modegate = Modegate::start(&config).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(modegate.frontend()).await;
        assert_eq!(client.exchange(&Request::get("/other")).await.status, 200);
        held.push(client);
    }
    let over = Client::once(modegate.frontend(), Request::get("/other")).await;
    let refused = (503, r#"{"error":"Too many connections"}"#.to_owned());
    assert_eq!((over.status, over.text()), refused);
}

/// Case 87: the admin API has connections of its own, and not too many.
#[tokio::test]
async fn the_admin_api_is_not_taken_by_idle_connections() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let live = Request::get("/live").header("Host", "localhost").only_last("Host");
    let mut idle = Vec::new();
    for _ in 0..64 {
        let mut client = Client::connect(modegate.admin()).await;
        assert_eq!(client.exchange(&live).await.status, 200);
        idle.push(client);
    }
    // Those that have waited longest for a call make room, whether it began or not.
    for _ in 0..100 {
        let mut client = Client::connect(modegate.admin()).await;
        client.write("PUT /flags/kill HTTP/1.1\r\nX-A: ").await;
        idle.push(client);
    }
    modegate.flag("kill", true).await;
    for mut client in idle.drain(..100) {
        client.closed().await;
    }
    assert_eq!(modegate.post("/other", "x").await.text(), "x");
}

/// Case 87: a handshake, and nothing after it.
#[tokio::test]
async fn clients_are_served_among_thousands_of_idle_tls_connections() {
    let (authority, origin) = (Authority::new(), Origin::echo().await);
    let extra = "[timeouts]\nheader = \"60s\"\nkeep_alive = \"60s\"\n\
        [limits]\nconnections_per_address = 10000\n";
    let modegate = secure(&authority, &origin.url(), extra).await;
    let tls = authority.client(&["http/1.1"], None);
    let (mut connecting, mut idle) = (JoinSet::new(), Vec::new());
    for _ in 0..share(5000) {
        if connecting.len() == 50 {
            idle.extend(connecting.join_next().await);
        }
        let (tls, address) = (tls.clone(), modegate.frontend().clone());
        connecting.spawn(async move {
            Client::over(tls.connect(&address).await.expect("a handshake").stream)
        });
    }
    let mut idle: Vec<Client> = idle
        .into_iter()
        .map(|one| one.expect("no panic"))
        .chain(connecting.join_all().await)
        .collect();
    modegate.counted("modegate_connections", &[], idle.len() as f64).await;

    let stream = tls.connect(modegate.frontend()).await.expect("a handshake").stream;
    let last = idle.last_mut().expect("one at least");
    for client in [&mut Client::over(stream), last] {
        assert_eq!(client.exchange(&Request::post("/other", "x")).await.text(), "x");
    }
    assert_eq!(modegate.call("GET", "/live", None).await.status, 200);
    drop(idle);
    modegate.counted("modegate_connections", &[], 0.0).await;
}
