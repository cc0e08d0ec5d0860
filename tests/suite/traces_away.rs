//! A collector that is away, or hangs: requests are served as ever, spans are given up and counted,
//! and the process leaves in time.

use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::control_process::{FAST, ROUTE, handles};
use crate::harness::{
    Client, Collector, DEADLINE, Gone, Modegate, Origin, Otlp, Request, eventually, settings,
};

const TERMINATE: u32 = 15;
const SPANS: &str = "modegate_trace_spans_total";

fn traces(url: &str, otlp: Otlp, more: &str) -> String {
    let word = otlp.word();
    format!("[traces]\nendpoint = \"{url}\"\nprotocol = \"{word}\"\nsample = 1.0\n{more}\n")
}

/// A port that takes connections, and from then on does nothing.
async fn hanging() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    (listener, url)
}

/// This many requests on one connection, all of them answered.
async fn serve(modegate: &Modegate, requests: usize) {
    let mut client = Client::connect(modegate.frontend()).await;
    for _ in 0..requests {
        assert_eq!(client.exchange(&Request::post(ROUTE, FAST)).await.status, 200);
    }
}

/// Waits until every span is accounted for; gives how many were dropped and failed.
async fn given_up(modegate: &Modegate, spans: f64) -> (f64, f64) {
    modegate.counted(SPANS, &[], spans).await;
    let metrics = modegate.metrics().await;
    let of = |result| metrics.sum(SPANS, &[("result", result)]);
    assert!(of("exported") < 0.5);
    (of("dropped"), of("failed"))
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_no_request() {
    for otlp in [Otlp::Http, Otlp::Grpc] {
        let origin = Origin::echo().await;
        let gone = Gone::new();
        let more = "queue = 8\ninterval = \"10ms\"\ntimeout = \"300ms\"";
        let modegate = Modegate::start(&settings(&origin, &traces(&gone.url(), otlp, more))).await;
        serve(&modegate, 50).await;
        let (_, failed) = given_up(&modegate, 50.0).await;
        assert!(failed > 0.5, "{otlp:?}: none failed");
        let said = modegate.logged("spans not exported").await;
        assert_eq!(said["collector"].as_str(), Some(gone.url().as_str()));
        let lines = modegate.logs();
        let said = lines.iter().filter(|line| line.contains("spans not exported"));
        assert_eq!(said.count(), 1, "it is news once");
    }
}

#[tokio::test]
async fn a_collector_that_hangs_fills_the_queue_and_holds_nobody() {
    for otlp in [Otlp::Http, Otlp::Grpc] {
        let origin = Origin::echo().await;
        let (_listener, url) = hanging().await;
        let more = "queue = 8\ninterval = \"10ms\"\ntimeout = \"60s\"";
        let config = format!("[server]\ngrace = \"60s\"\n{}", traces(&url, otlp, more));
        let mut modegate = Modegate::start(&settings(&origin, &config)).await;
        handles(&modegate, TERMINATE).await;
        serve(&modegate, 50).await;
        // What is being sent and what waits is neither yet.
        eventually("dropped spans", async || {
            let dropped = modegate.metrics().await.sum(SPANS, &[("result", "dropped")]);
            (dropped >= 50.0 - 16.0).then_some(())
        })
        .await;
        modegate.counted(SPANS, &[("result", "failed")], 0.0).await;
        // Who is impatient interrupts.
        modegate.signal("TERM");
        modegate.logged("drained").await;
        modegate.signal("INT");
        assert_eq!(modegate.exited(DEADLINE).await, Some(0), "{otlp:?}");
    }
}

#[tokio::test]
async fn a_stop_is_not_held_longer_than_the_timeout() {
    for otlp in [Otlp::Http, Otlp::Grpc] {
        let origin = Origin::echo().await;
        let (_listener, url) = hanging().await;
        let more = "interval = \"24h\"\ntimeout = \"700ms\"";
        let config = format!("[server]\ngrace = \"60s\"\n{}", traces(&url, otlp, more));
        let mut modegate = Modegate::start(&settings(&origin, &config)).await;
        handles(&modegate, TERMINATE).await;
        serve(&modegate, 3).await;
        let begun = Instant::now();
        assert_eq!(modegate.terminate().await, Some(0), "{otlp:?}");
        let held = begun.elapsed();
        assert!(held >= Duration::from_millis(650), "{otlp:?}: only {held:?}");
        modegate.log_ended().await;
        // By the export, or by the stop: whose time is over first.
        let logs = modegate.logs();
        assert!(logs.iter().any(|line| line.contains("not exported")), "{otlp:?}: {logs:#?}");
    }
}

#[tokio::test]
async fn a_stop_sends_what_still_waits() {
    for otlp in [Otlp::Http, Otlp::Grpc] {
        let (collector, origin) = (Collector::start(otlp).await, Origin::echo().await);
        let more = "interval = \"24h\"";
        let config = settings(&origin, &traces(&collector.url(), otlp, more));
        let mut modegate = Modegate::start(&config).await;
        handles(&modegate, TERMINATE).await;
        serve(&modegate, 20).await;
        assert_eq!(modegate.terminate().await, Some(0));
        assert_eq!(collector.spans().len(), 20, "{otlp:?}");
        assert_eq!(collector.exports().len(), 1, "in one piece");
    }
}

#[tokio::test]
async fn half_a_queue_is_sent_without_waiting() {
    let (collector, origin) = (Collector::start(Otlp::Http).await, Origin::echo().await);
    let more = "queue = 16\ninterval = \"24h\"";
    let config = settings(&origin, &traces(&collector.url(), Otlp::Http, more));
    let modegate = Modegate::start(&config).await;
    serve(&modegate, 8).await;
    collector.wait_for(8).await;
}
