//! File descriptors that run out: the caps leave enough, and without them the process survives
//! (case 87).

use serde_json::json;

use crate::harness::{Client, Modegate, Origin, Request, Start, eventually, settings};

const CLIENT: [u8; 4] = [127, 0, 0, 2];

async fn flood(modegate: &Modegate, connections: usize) -> Vec<Client> {
    let mut flood = Vec::new();
    for _ in 0..connections {
        flood.push(Client::connect(modegate.frontend()).await);
    }
    flood
}

/// The process raises its limit, and takes fewer connections where that is too low.
#[tokio::test]
async fn the_cap_fits_the_limit_of_open_files() {
    let origin = Origin::echo().await;
    // (600 - 256) / 2 connections, each with one to an upstream.
    let extra = "[limits]\nconnections = 1000\nconnections_per_address = 100\n";
    let modegate = Start::new(&settings(&origin, extra)).open_files(64, 600).run().await;
    let warning =
        modegate.logged("the limit of open files is too low for limits.connections").await;
    let numbers = ["open_files", "connections", "configured", "needed"].map(|key| &warning[key]);
    assert_eq!(numbers, [&json!(600), &json!(172), &json!(1000), &json!(2256)], "{warning}");
    modegate.counted("modegate_connections_limit", &[], 172.0).await;

    let flood = flood(&modegate, 400).await;
    eventually("the flood's end", async || {
        assert_eq!(modegate.call("GET", "/live", None).await.status, 200);
        let open = modegate.metrics().await.sum("modegate_connections", &[]);
        (open < 100.5).then_some(())
    })
    .await;
    assert!(modegate.open_files() < 600);
    let mut other = Client::connect_from(CLIENT, modegate.frontend()).await;
    assert_eq!(other.exchange(&Request::post("/other", "x")).await.text(), "x");
    assert_eq!(origin.requests(), 1);
    drop(flood);
    assert_eq!(modegate.post("/other", "y").await.text(), "y");
}

#[tokio::test]
async fn a_limit_that_is_high_enough_is_left_alone() {
    let origin = Origin::echo().await;
    let extra = "[limits]\nconnections = 100\n";
    let modegate = Start::new(&settings(&origin, extra)).open_files(100, 600).run().await;
    modegate.counted("modegate_connections_limit", &[], 100.0).await;
    assert!(!modegate.logs().iter().any(|line| line.contains("the limit of open files")));
}

/// Case 87: accepting fails for a while, and goes on.
#[tokio::test]
async fn the_accept_loop_survives_running_out_of_descriptors() {
    let origin = Origin::echo().await;
    let modegate = Start::new(&settings(&origin, "")).open_files(1000, 1000).run().await;
    assert_eq!(modegate.post("/other", "x").await.text(), "x");
    modegate.limit_open_files(modegate.open_files() + 5);
    let flood = flood(&modegate, 50).await;
    eventually("a failed accept", async || {
        modegate.logs().iter().any(|line| line.contains("Accept() failed")).then_some(())
    })
    .await;
    drop(flood);
    // Until the flood's descriptors are given back there may be none for an upstream.
    eventually("a descriptor for an upstream", async || {
        let answer = modegate.post("/other", "y").await;
        assert!(answer.status == 502 || answer.text() == "y", "{}", answer.text());
        (answer.status == 200).then_some(())
    })
    .await;
    assert_eq!(modegate.call("GET", "/live", None).await.status, 200);
    modegate.limit_open_files(1000);
    assert_eq!(modegate.post("/other", "z").await.text(), "z");
    assert_eq!(origin.requests(), 3);
    modegate.counted("modegate_connections", &[], 0.0).await;
}
