//! Other ways to be reached and to reach: unix sockets, TLS, and several upstreams.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::harness::{
    Address, Answer, Client, Full, Gone, Modegate, Origin, Request, Start, TempDir, eventually,
    listener,
};
use crate::messages::PLACES;

#[tokio::test]
async fn unix_sockets_on_both_sides() {
    let dir = Arc::new(TempDir::new());
    let origin = Origin::start_unix(&dir.path().join("api.sock"), |_| Answer::Echo).await;
    let config = format!(
        "[[listener]]\nleg = \"frontend\"\nbind = \"unix:{{dir}}/front.sock\"\nupstream = \"{}\"\n\
         [admin]\nbind = \"unix:{{dir}}/admin.sock\"\n",
        origin.url()
    );
    let modegate = Start::within(&config, dir.clone()).run().await;
    assert_eq!(*modegate.frontend(), Address::Unix(dir.path().join("front.sock")));
    assert_eq!(*modegate.admin(), Address::Unix(dir.path().join("admin.sock")));
    for place in PLACES.iter().filter(|place| place.leg == "frontend") {
        let member = place.body(r#""processing":{"mode":"fast"}"#);
        let response = Client::once(modegate.frontend(), place.request(member)).await;
        assert_eq!((response.status, response.text()), (200, place.body("")));
        assert_eq!(origin.last().header("host"), Some("localhost"));
    }
    let large = vec![b'x'; 3 << 20];
    let request = Request::post("/upload", large.clone()).chunked(100_000);
    assert!(Client::once(modegate.frontend(), request).await.body == large);
    modegate.counted("modegate_requests_total", &[("leg", "frontend")], 9.0).await;
}

#[tokio::test]
async fn a_unix_socket_that_is_left_over_is_replaced() {
    let dir = Arc::new(TempDir::new());
    let origin = Origin::echo().await;
    let config = format!(
        "[[listener]]\nleg = \"frontend\"\nbind = \"unix:{{dir}}/front.sock\"\nupstream = \"{}\"\n",
        origin.url()
    );
    for _ in 0..2 {
        // The first one is killed and leaves its socket behind.
        let modegate = Start::within(&config, dir.clone()).run().await;
        let response = Client::once(modegate.frontend(), Request::get("/")).await;
        assert_eq!(response.status, 200);
        assert!(dir.path().join("front.sock").exists());
    }
}

#[tokio::test]
async fn several_listeners_of_one_leg_each_have_their_upstream() {
    let (one, other) = (Origin::echo().await, Origin::echo().await);
    let config = listener("bridge", &one.url()) + &listener("bridge", &other.url());
    let modegate = Modegate::start(&config).await;
    for (at, origin) in [(0, &one), (1, &other), (1, &other)] {
        let before = origin.requests();
        assert_eq!(Client::once(modegate.leg("bridge", at), Request::get("/")).await.status, 200);
        assert_eq!(origin.requests(), before + 1);
    }
}

/// A certificate authority's PEM, and a server's means to speak TLS under a name.
fn certified(name: &str) -> (String, TlsAcceptor) {
    let mut ca = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().expect("a key");
    let pem = ca.self_signed(&ca_key).expect("a certificate").pem();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .expect("a configuration");
    (pem, TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn an_https_upstream_with_a_root_of_its_own() {
    let (pem, acceptor) = certified("localhost");
    let origin = Origin::start_tls(Some(acceptor), |_| Answer::Echo).await;
    let port = origin.address.tcp().port();
    let dir = Arc::new(TempDir::new());
    dir.write("ca.pem", pem);
    let config = format!(
        "[upstream]\nca_file = \"{{dir}}/ca.pem\"\n{}",
        listener("bridge", &format!("https://localhost:{port}"))
    );
    let modegate = Start::within(&config, dir).run().await;
    for place in PLACES.iter().filter(|place| place.leg == "bridge") {
        let body = place.body(&format!("\"pad\":\"{}\"", "x".repeat(200_000)));
        let response = Client::once(modegate.bridge(), place.request(body.clone())).await;
        assert_eq!((response.status, response.text()), (200, body));
        assert_eq!(origin.last().header("host"), Some(&*format!("localhost:{port}")));
    }
}

#[tokio::test]
async fn an_https_upstream_that_is_not_trusted_gets_nothing() {
    let (_, acceptor) = certified("localhost");
    let (elsewhere, wrong_name) = certified("other.example");
    let strange = Origin::start_tls(Some(acceptor), |_| Answer::Echo).await;
    let misnamed = Origin::start_tls(Some(wrong_name), |_| Answer::Echo).await;
    let dir = Arc::new(TempDir::new());
    dir.write("ca.pem", elsewhere);
    for origin in [&strange, &misnamed] {
        let url = format!("https://localhost:{}", origin.address.tcp().port());
        let config =
            format!("[upstream]\nca_file = \"{{dir}}/ca.pem\"\n{}", listener("bridge", &url));
        let modegate = Start::within(&config, dir.clone()).run().await;
        let place = PLACES.iter().find(|place| place.leg == "bridge").expect("a place");
        let response = Client::once(modegate.bridge(), place.request(place.body(""))).await;
        place.assert_refused(&response, (502, -32000, "Upstream unreachable"), "rpc-7".into());
        assert_eq!(origin.requests(), 0);
    }
}

/// A listener that balances over these URLs.
fn balanced(urls: &[String], extra: &str) -> String {
    format!(
        "{extra}\n[[listener]]\nleg = \"frontend\"\nbind = \"127.0.0.1:0\"\nupstream = {urls:?}\n"
    )
}

#[tokio::test]
async fn requests_are_spread_over_upstreams() {
    let origins = [Origin::echo().await, Origin::echo().await, Origin::echo().await];
    let config = balanced(&origins.each_ref().map(Origin::url), "");
    let modegate = Modegate::start(&config).await;
    let first = async || Client::once(modegate.frontend(), Request::get("/")).await.status;
    eventually("the first resolution", async || (first().await == 200).then_some(())).await;
    origins.iter().for_each(Origin::forget);
    for _ in 0..30 {
        assert_eq!(modegate.post("/api/chat", "{}").await.status, 200);
    }
    let shares: Vec<usize> = origins.iter().map(Origin::requests).collect();
    assert_eq!(shares.iter().sum::<usize>(), 30, "{shares:?}");
    assert!(shares.iter().all(|share| (8..=12).contains(share)), "{shares:?}");
    for origin in &origins {
        assert_eq!(origin.last().header("host"), Some(&*origin.address.to_string()));
    }
}

#[tokio::test]
async fn an_upstream_that_dies_is_taken_out_and_one_that_comes_back_is_used() {
    let dir = TempDir::new();
    let socket = dir.path().join("api.sock");
    let alive = Origin::echo().await;
    let dead = Origin::start_unix(&socket, |_| Answer::Echo).await;
    let extra = "[upstream]\nhealth_interval = \"20ms\"\n";
    let modegate = Modegate::start(&balanced(&[alive.url(), dead.url()], extra)).await;
    let status = async || Client::once(modegate.frontend(), Request::get("/")).await.status;
    eventually("both in use", async || {
        status().await;
        (alive.requests() > 0 && dead.requests() > 0).then_some(())
    })
    .await;
    drop(dead);
    std::fs::remove_file(&socket).expect("its socket");
    // A run of good answers longer than the balancer's turn.
    eventually("the dead one out", async || {
        for _ in 0..8 {
            if status().await != 200 {
                return None;
            }
        }
        Some(())
    })
    .await;
    let back = Origin::start_unix(&socket, |_| Answer::Echo).await;
    eventually("the one that came back in use", async || {
        assert_eq!(status().await, 200);
        (back.requests() > 0).then_some(())
    })
    .await;
}

/// Nothing was sent where no connection came about: another upstream is asked.
#[tokio::test]
async fn an_upstream_that_takes_no_connection_in_time_leaves_the_request_to_another() {
    let full = Full::new().await;
    let alive = Origin::echo().await;
    let extra = "[timeouts]\nconnect = \"100ms\"\n[upstream]\nhealth_interval = \"off\"\n";
    let modegate = Modegate::start(&balanced(&[full.url(), alive.url()], extra)).await;
    for _ in 0..4 {
        assert_eq!(modegate.post("/api/chat", "{}").await.status, 200);
    }
    assert_eq!(alive.requests(), 4);
}

#[tokio::test]
async fn no_upstream_left_is_an_answer_too() {
    let gone = [Gone::new(), Gone::new()];
    let urls = gone.each_ref().map(Gone::url);
    let config = balanced(&urls, "[upstream]\nhealth_interval = \"20ms\"\n");
    let modegate = Modegate::start(&config).await;
    for place in PLACES.iter().filter(|place| place.leg == "frontend") {
        let response = Client::once(modegate.frontend(), place.request(place.body(""))).await;
        place.assert_refused(&response, (502, -32000, "Upstream unreachable"), "rpc-7".into());
    }
}
