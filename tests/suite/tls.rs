//! TLS listeners: which protocol is spoken, what is no handshake, and whom mutual TLS lets in.

use std::sync::Arc;

use crate::harness::{
    Answered, Authority, Client, Ended, H2, Modegate, Origin, Request, Start, TempDir, clear,
    eventually, listener, post, secure,
};

const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
const STRIPPED: &str = r#"{"text":"hi"}"#;
const NO_PROTOCOL: &[&str] = &[];

fn assert_served(answered: &Answered) {
    assert_eq!((answered.status, answered.text().as_str()), (200, STRIPPED));
    assert_eq!(answered.ended, Ended::Clean);
}

/// The clean request after an attack.
async fn assert_alive(modegate: &Modegate, authority: &Authority, case: &str) {
    let agreed = authority.client(&["h2"], None).connect(modegate.frontend()).await;
    let mut h2 = H2::over(agreed.unwrap_or_else(|error| panic!("{case}: {error}")).stream);
    h2.begin().await;
    assert_served(&h2.exchange(&post("/api/chat"), FAST).await);
}

#[tokio::test]
async fn one_port_serves_the_protocol_that_both_name() {
    let (authority, origin) = (Authority::new(), Origin::echo().await);
    let modegate = secure(&authority, &origin.url(), "").await;
    let cases: [(&[&str], Option<&[u8]>); 5] = [
        (&["h2"], Some(b"h2")),
        (&["h2", "http/1.1"], Some(b"h2")),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&["http/1.1"], Some(b"http/1.1")),
        (NO_PROTOCOL, None),
    ];
    for (protocols, expected) in cases {
        let agreed = authority.client(protocols, None).connect(modegate.frontend()).await.unwrap();
        assert_eq!(agreed.protocol.as_deref(), expected, "{protocols:?}");
        if expected == Some(b"h2") {
            let mut h2 = H2::over(agreed.stream);
            h2.begin().await;
            assert_served(&h2.exchange(&post("/api/chat"), FAST).await);
        } else {
            let mut client = Client::over(agreed.stream);
            let answer = client.exchange(&Request::post("/api/chat", FAST)).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, STRIPPED), "{protocols:?}");
        }
        assert_eq!(origin.last().text(), STRIPPED);
    }
    let unknown = authority.client(&["spdy/3"], None).connect(modegate.frontend()).await;
    assert!(unknown.is_err(), "no protocol in common");
    let foreign = Authority::new().client(&["h2"], None).connect(modegate.frontend()).await;
    assert!(foreign.is_err(), "the client does not trust it");
    modegate.counted("modegate_rejections_total", &[("reason", "handshake")], 2.0).await;
}

/// A ClientHello of this version, with no extension that offers a later one.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let suites = [0xc0, 0x2f, 0xc0, 0x2b, 0xc0, 0x13, 0xc0, 0x09, 0x00, 0x2f];
    // The groups x25519 and P-256; ECDSA and RSA-PSS with SHA-256.
    let groups = [0, 10, 0, 6, 0, 4, 0, 29, 0, 23];
    let schemes = [0, 13, 0, 6, 0, 4, 4, 3, 8, 4];
    let extensions = [&[0, (groups.len() + schemes.len()) as u8], &groups[..], &schemes].concat();
    let body = [&version[..], &[7; 32], &[0, 0, suites.len() as u8], &suites, &[1, 0], &extensions];
    let body = body.concat();
    let handshake = [&[1, 0, 0, body.len() as u8], &body[..]].concat();
    [&[22, 3, 1, 0, handshake.len() as u8], &handshake[..]].concat()
}

#[tokio::test]
async fn what_is_no_handshake_ends_at_once_and_is_counted() {
    let (authority, origin) = (Authority::new(), Origin::echo().await);
    let modegate = secure(&authority, &origin.url(), "").await;
    let request = Request::post("/api/chat", FAST).bytes();
    let long = [&[22, 3, 1, 0xff, 0xff][..], &[1; 70_000]].concat();
    let cases: [(&str, &[u8]); 8] = [
        ("a request in clear", &request),
        ("HTTP/2 in clear", crate::harness::frame::PREFACE),
        ("garbage", &[0xff; 4096]),
        ("zeros", &[0; 4096]),
        ("a record that is too long", &long),
        ("an alert", &[21, 3, 3, 0, 2, 2, 40]),
        ("TLS 1.1", &hello([3, 2])),
        ("TLS 1.0", &hello([3, 1])),
    ];
    for (done, (case, bytes)) in cases.into_iter().enumerate() {
        let mut client = Client::connect(modegate.frontend()).await;
        client.offer(bytes, crate::harness::DEADLINE).await;
        let mut said = Vec::new();
        loop {
            let more = client.bytes().await;
            if more.is_empty() {
                break;
            }
            said.extend(more);
        }
        // Nothing but an alert.
        assert!(said.is_empty() || said[0] == 21 && said.len() == 7, "{case}: {said:?}");
        if case.starts_with("TLS 1.") {
            assert_eq!(said[5..], [2, 70], "{case}: protocol_version");
        }
        let reason = [("leg", "frontend"), ("reason", "handshake")];
        modegate.counted("modegate_rejections_total", &reason, done as f64 + 1.0).await;
    }
    // In TLS 1.2 the same is answered.
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(hello([3, 3])).await;
    assert_eq!(client.bytes().await[0], 22, "a handshake's record");
    drop(client);
    assert_eq!((origin.accepted(), modegate.access_lines().len()), (0, 0));
    modegate.counted("modegate_connections", &[], 0.0).await;
    assert_alive(&modegate, &authority, "after no handshakes").await;
}

#[tokio::test]
async fn a_handshake_that_never_ends_has_as_long_as_a_head() {
    let (authority, origin) = (Authority::new(), Origin::echo().await);
    let modegate = secure(&authority, &origin.url(), "[timeouts]\nheader = \"300ms\"\n").await;
    let mut silent = Client::connect(modegate.frontend()).await;
    let mut half = Client::connect(modegate.frontend()).await;
    half.write(&hello([3, 3])[..20]).await;
    let mut left = Client::connect(modegate.frontend()).await;
    left.write(&hello([3, 3])[..20]).await;
    left.reset();
    for client in [&mut silent, &mut half] {
        client.closed().await;
    }
    modegate.counted("modegate_rejections_total", &[("reason", "handshake")], 3.0).await;
    modegate.counted("modegate_connections", &[], 0.0).await;

    // After the handshake, what never begins has as long again.
    for protocols in [&["h2"], &["http/1.1"], NO_PROTOCOL] {
        let tls = authority.client(protocols, None);
        let agreed = tls.connect(modegate.frontend()).await.unwrap();
        Client::over(agreed.stream).closed().await;
    }
    assert_eq!(origin.accepted(), 0);
    assert_alive(&modegate, &authority, "after slow handshakes").await;
}

#[tokio::test]
async fn mutual_tls_lets_in_whom_its_authority_knows() {
    let (authority, others, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let origin = Origin::echo().await;
    let dir = Arc::new(TempDir::new());
    let pair = authority.pair("localhost");
    for (name, content) in
        [("cert.pem", pair.cert), ("key.pem", pair.key), ("clients.pem", others.pem())]
    {
        dir.write(name, content);
    }
    let config = format!(
        "{}tls = {{ cert = \"{{dir}}/cert.pem\", key = \"{{dir}}/key.pem\", client_ca = \"{{dir}}/clients.pem\" }}\n",
        listener("frontend", &origin.url())
    );
    let modegate = Start::within(&config, dir).run().await;
    let (right, wrong) = (others.pair("a client"), strangers.pair("a client"));
    let own = authority.pair("a client");
    for (case, shown) in [("none", None), ("foreign", Some(&wrong)), ("the server's", Some(&own))] {
        // In TLS 1.3 the client learns of it with the first answer.
        if let Ok(agreed) =
            authority.client(&["http/1.1"], shown).connect(modegate.frontend()).await
        {
            let mut client = Client::over(agreed.stream);
            client.offer(&Request::post("/api/chat", FAST).bytes(), crate::harness::DEADLINE).await;
            assert!(client.try_response_to("POST").await.is_none(), "{case}");
        }
    }
    modegate.counted("modegate_rejections_total", &[("reason", "handshake")], 3.0).await;
    assert_eq!(origin.accepted(), 0);
    for protocol in ["h2", "http/1.1"] {
        let agreed = authority.client(&[protocol], Some(&right)).connect(modegate.frontend()).await;
        let stream = agreed.unwrap().stream;
        if protocol == "h2" {
            let mut h2 = H2::over(stream);
            h2.begin().await;
            assert_served(&h2.exchange(&post("/api/chat"), FAST).await);
        } else {
            let answer = Client::over(stream).exchange(&Request::post("/api/chat", FAST)).await;
            assert_eq!(answer.text(), STRIPPED);
        }
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_stop_the_start_and_are_named() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (pair, odd) = (authority.pair("localhost"), other.pair("localhost"));
    let dir = Arc::new(TempDir::new());
    for (name, content) in [
        ("cert.pem", pair.cert.as_str()),
        ("key.pem", &pair.key),
        ("odd.pem", &odd.key),
        ("empty.pem", ""),
        ("torn.pem", &pair.cert[..200]),
        ("garbage.pem", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"),
    ] {
        dir.write(name, content);
    }
    let cases = [
        ("none.pem", "key.pem", None, "none.pem"),
        ("cert.pem", "none.pem", None, "none.pem"),
        ("empty.pem", "key.pem", None, "empty.pem"),
        ("torn.pem", "key.pem", None, "torn.pem"),
        ("garbage.pem", "key.pem", None, "garbage.pem"),
        ("key.pem", "key.pem", None, "key.pem"),
        ("cert.pem", "empty.pem", None, "empty.pem"),
        ("cert.pem", "cert.pem", None, "cert.pem"),
        ("cert.pem", "odd.pem", None, "odd.pem"),
        ("cert.pem", "key.pem", Some("none.pem"), "none.pem"),
        ("cert.pem", "key.pem", Some("empty.pem"), "empty.pem"),
    ];
    for (cert, key, roots, named) in cases {
        let roots =
            roots.map(|file| format!(", client_ca = \"{{dir}}/{file}\"")).unwrap_or_default();
        let tls =
            format!("tls = {{ cert = \"{{dir}}/{cert}\", key = \"{{dir}}/{key}\"{roots} }}\n");
        let config = listener("frontend", "http://127.0.0.1:1") + &tls;
        let exited = Start::within(&config, dir.clone()).fails().await;
        assert_eq!(exited.code, Some(2), "{tls}: {exited:?}");
        assert!(exited.stderr.contains(named), "{tls}: {}", exited.stderr);
        assert_eq!(exited.stderr.lines().count(), 1, "{tls}: {}", exited.stderr);
    }
}

#[tokio::test]
async fn a_tls_client_on_a_port_in_clear_is_refused() {
    let origin = Origin::echo().await;
    for modegate in [
        clear(&origin.url(), "").await,
        Modegate::start(&listener("frontend", &origin.url())).await,
    ] {
        assert!(Authority::new().client(&["h2"], None).connect(modegate.frontend()).await.is_err());
        assert_eq!(origin.requests(), 0);
        assert_eq!(modegate.post("/api/chat", FAST).await.text(), STRIPPED);
        eventually("the connections' end", async || {
            (modegate.metrics().await.sum("modegate_connections", &[]) < 0.5).then_some(())
        })
        .await;
        origin.forget();
    }
}
