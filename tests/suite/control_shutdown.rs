//! How a process ends: what is in flight is finished, nothing new is taken, and the exit code.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::control_process::{FAST, ROUTE, command, handles, unauthorized};
use crate::harness::{
    Answer, Client, DEADLINE, End, Modegate, Origin, Piece, Request, Start, answer_framing,
    eventually, script, settings,
};

const INTERRUPT: u32 = 2;
const TERMINATE: u32 = 15;

/// With a grace period that no test waits for.
const LONG: &str = "[server]\ngrace = \"60s\"\n";

/// An origin that gives its answers step by step, one script a request.
async fn scripted(scripts: Vec<Answer>) -> Origin {
    let scripts = std::sync::Mutex::new(scripts.into_iter());
    Origin::start(move |_| scripts.lock().unwrap().next().expect("a script")).await
}

async fn started(origin: &Origin, extra: &str) -> Modegate {
    let modegate = Modegate::start(&settings(origin, extra)).await;
    handles(&modegate, TERMINATE).await;
    modegate
}

async fn until_refused(modegate: &Modegate) {
    for leg in [modegate.frontend(), modegate.bridge(), modegate.runtime()] {
        eventually("connections to be refused", async || {
            TcpStream::connect(leg.tcp()).await.is_err().then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn idle_it_leaves_at_once_and_closes_idle_connections() {
    let origin = Origin::echo().await;
    let mut modegate = started(&origin, LONG).await;
    let mut used = Client::connect(modegate.frontend()).await;
    assert_eq!(used.exchange(&Request::post(ROUTE, FAST)).await.status, 200);
    let mut fresh = Client::connect(modegate.bridge()).await;
    modegate.counted("modegate_connections", &[], 2.0).await;
    modegate.signal("TERM");
    used.closed().await;
    fresh.closed().await;
    assert_eq!(modegate.exited(Duration::from_secs(5)).await, Some(0));
}

#[tokio::test]
async fn what_is_in_flight_is_finished_and_nothing_new_is_taken() {
    let ((slow, slow_answer), (events, stream)) = (script(), script());
    let origin = scripted(vec![slow_answer, stream]).await;
    let mut modegate = started(&origin, LONG).await;
    let mut waiting = Client::connect(modegate.frontend()).await;
    waiting.write(Request::post(ROUTE, FAST).bytes()).await;
    origin.wait_for(1).await;
    let mut streaming = Client::connect(modegate.frontend()).await;
    streaming.write(Request::post("/api/chat/stream", FAST).bytes()).await;
    origin.wait_for(2).await;
    events.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let head = streaming.head().await.expect("a head");
    let mut framing = answer_framing("POST", 200, &head);
    events.send("9\r\ndata: 1\n\n\r\n");
    assert_eq!(streaming.data(&mut framing).await, "data: 1\n\n");
    let mut idle = Client::connect(modegate.runtime()).await;

    modegate.signal("TERM");
    until_refused(&modegate).await;
    idle.closed().await;
    let ready = unauthorized(&modegate, Request::get("/ready")).await;
    assert_eq!((ready.status, ready.text().as_str()), (503, "draining\n"));
    assert_eq!(unauthorized(&modegate, Request::get("/live")).await.status, 200);

    events.send("9\r\ndata: 2\n\n\r\n");
    assert_eq!(streaming.data(&mut framing).await, "data: 2\n\n");
    slow.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
    let answer = waiting.response().await;
    assert_eq!((answer.status, answer.text().as_str(), answer.end), (200, "done", End::Clean));
    waiting.closed().await;
    assert!(modegate.runs(), "the stream is still open");
    events.send("0\r\n\r\n");
    assert!(matches!(streaming.piece(&mut framing).await, Piece::End(End::Clean, _)));
    assert_eq!(modegate.exited(Duration::from_secs(5)).await, Some(0));
    modegate.log_ended().await;
    assert_eq!(modegate.access_lines().len(), 2, "the log is written to its end");
}

#[tokio::test]
async fn a_message_that_is_still_coming_is_taken_to_its_end() {
    let origin = Origin::echo().await;
    let mut modegate = started(&origin, LONG).await;
    let bytes = Request::post(ROUTE, FAST).bytes();
    let (now, later) = bytes.split_at(bytes.len() - 5);
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(now).await;
    modegate.counted("modegate_inflight", &[("leg", "frontend")], 1.0).await;
    modegate.signal("TERM");
    until_refused(&modegate).await;
    client.write(later).await;
    assert_eq!(client.response().await.status, 200);
    client.closed().await;
    assert_eq!(modegate.exited(Duration::from_secs(5)).await, Some(0));
}

#[tokio::test]
async fn over_the_grace_period_it_leaves_anyway() {
    let (steps, answer) = script();
    let origin = scripted(vec![answer]).await;
    let mut modegate = started(&origin, "[server]\ngrace = \"300ms\"\n").await;
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(Request::post(ROUTE, FAST).bytes()).await;
    origin.wait_for(1).await;
    steps.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    let head = client.head().await.expect("a head");
    let mut framing = answer_framing("POST", 200, &head);
    assert_eq!(client.data(&mut framing).await, "half");
    assert_eq!(modegate.terminate().await, Some(0));
    assert!(matches!(client.piece(&mut framing).await, Piece::End(End::Cut, _)));
    modegate.log_ended().await;
    let said = modegate.logs().iter().any(|line| line.contains("grace period over"));
    assert!(said, "{:#?}", modegate.logs());
}

#[tokio::test]
async fn an_interrupt_leaves_at_once_also_while_it_drains() {
    for first in [None, Some("TERM")] {
        let (_steps, answer) = script();
        let origin = scripted(vec![answer]).await;
        let mut modegate = started(&origin, LONG).await;
        handles(&modegate, INTERRUPT).await;
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::post(ROUTE, FAST).bytes()).await;
        origin.wait_for(1).await;
        if let Some(first) = first {
            modegate.signal(first);
            until_refused(&modegate).await;
            assert!(modegate.runs());
        }
        modegate.signal("INT");
        assert_eq!(modegate.exited(Duration::from_secs(5)).await, Some(0), "after {first:?}");
        client.closed().await;
    }
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let origin = Origin::echo().await;
    let legs = settings(&origin, "");
    let listener = legs.replacen("127.0.0.1:0", &address, 1);
    let admin = format!("{legs}\n[admin]\nbind = \"{address}\"\n");
    for (name, config) in [("a listener", listener), ("admin", admin)] {
        let ended = Start::new(&config).fails().await;
        assert_eq!(ended.code, Some(2), "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains(&address), "{name}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{name}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn a_unix_socket_in_use_is_an_error_and_a_stale_one_is_not() {
    let origin = Origin::echo().await;
    let unix = settings(&origin, "").replacen("127.0.0.1:0", "unix:{dir}/leg.sock", 1);
    let start = Start::new(&unix);
    let dir = start.dir().clone();
    let mut first = start.run().await;
    let second = Start::within(&unix, dir.clone()).fails().await;
    assert_eq!(second.code, Some(2), "{}", second.stderr);
    assert!(second.stderr.contains("leg.sock"), "{}", second.stderr);
    let served = Client::once(first.frontend(), Request::post(ROUTE, FAST)).await;
    assert_eq!(served.status, 200, "the first is not disturbed");
    handles(&first, INTERRUPT).await;
    first.signal("KILL");
    first.exited(DEADLINE).await;
    assert!(dir.path().join("leg.sock").exists(), "it was killed and left its socket behind");
    let third = Start::within(&unix, dir.clone()).run().await;
    let served = Client::once(third.frontend(), Request::post(ROUTE, FAST)).await;
    assert_eq!(served.status, 200);

    // What is no socket is not removed.
    let kept = dir.write("notes.txt", "keep");
    let over = unix.replace("leg.sock", "notes.txt");
    let ended = Start::within(&over, dir).fails().await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "keep");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_usage() {
    let ended = command(&["run", "-c", "/nonexistent/modegate.toml"], "").await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("/nonexistent/modegate.toml"), "{}", ended.stderr);
}
