//! One process takes the listening sockets over from another, under load: nobody is refused, what
//! the first had in flight ends well, and the second serves on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::control_process::{CANARY, DOWNGRADED, FAST, ROUTE, STRIPPED, handles};
use crate::harness::{
    Address, Answer, Client, Collector, End, Modegate, Origin, Otlp, Piece, Request, Start, Step,
    answer_framing, eventually_within, script, settings,
};

const QUIT: u32 = 3;
/// The engine waits 5 s after the hand-over, by its design, and then for the grace period.
const HAND_OVER: Duration = Duration::from_secs(30);

/// The configuration of the next process: what the first was told, with the ports that it got, and
/// a flag that tells the two apart.
fn next(config: &str, first: &Modegate) -> String {
    let legs = [first.frontend(), first.bridge(), first.runtime()];
    let mut next = legs.iter().fold(config.to_owned(), |text, address| {
        text.replacen("bind = \"127.0.0.1:0\"", &format!("bind = \"{address}\""), 1)
    });
    next = next.replace("contract = false", "contract = true");
    let admin = first.admin();
    next + &format!("\n[admin]\nbind = \"{admin}\"\ntoken_file = \"{{dir}}/token\"\n")
}

/// A client that opens a connection for each request until it is told to stop; how many answers
/// it got from each process.
async fn knock(address: Address, stop: Arc<AtomicBool>, answers: Arc<[AtomicUsize; 2]>) {
    while !stop.load(Relaxed) {
        let response = Client::once(&address, Request::post(ROUTE, FAST)).await;
        assert_eq!((response.status, response.end), (200, End::Clean));
        let by = match response.text().as_str() {
            STRIPPED => 0,
            DOWNGRADED => 1,
            other => panic!("{other}"),
        };
        answers[by].fetch_add(1, Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sockets_are_handed_over_and_nobody_is_refused() {
    let (steps, stream) = script();
    let stream = std::sync::Mutex::new(Some(stream));
    let origin = Origin::start(move |received| match received.target() {
        "/api/chat/stream" => stream.lock().unwrap().take().expect("one stream"),
        _ => Answer::Echo,
    })
    .await;
    let collector = Collector::start(Otlp::Http).await;
    let traces =
        format!("[traces]\nendpoint = \"{}\"\nsample = 0\ninterval = \"24h\"\n", collector.url());
    let config = settings(
        &origin,
        &format!("{CANARY}{traces}[flags]\ncontract = false\n[server]\ngrace = \"1s\"\n"),
    );
    let mut first = Modegate::start(&config).await;
    handles(&first, QUIT).await;
    let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let clients: Vec<_> = (0..3)
        .map(|_| tokio::spawn(knock(first.frontend().clone(), stop.clone(), Arc::clone(&answers))))
        .collect();

    let mut streaming = Client::connect(first.frontend()).await;
    let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = Request::post("/api/chat/stream", FAST).header("traceparent", sampled);
    streaming.write(request.bytes()).await;
    steps.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let head = streaming.head().await.expect("a head");
    let mut framing = answer_framing("POST", 200, &head);

    let second = Start::new(&next(&config, &first)).take_over(&first).await;
    assert_eq!(second.frontend(), first.frontend());

    eventually_within(HAND_OVER, "an answer by the second", async || {
        (answers[1].load(Relaxed) > 0).then_some(())
    })
    .await;
    steps.send("9\r\ndata: 1\n\n\r\n0\r\n\r\n");
    // The connection goes back into the first's pool: the origin takes its next request.
    steps.step(Step::Next);
    assert_eq!(streaming.data(&mut framing).await, "data: 1\n\n");
    assert!(matches!(streaming.piece(&mut framing).await, Piece::End(End::Clean, _)));
    assert_eq!(first.exited(HAND_OVER).await, Some(0));
    assert_eq!(collector.spans().len(), 1, "its span was sent before it left");

    let before = answers[1].load(Relaxed);
    eventually_within(HAND_OVER, "more answers by the second", async || {
        (answers[1].load(Relaxed) >= before + 20).then_some(())
    })
    .await;
    stop.store(true, Relaxed);
    for client in clients {
        client.await.expect("no client was refused");
    }
    assert!(answers[0].load(Relaxed) > 0, "the first served, too");
    let rpc = r#"{"method":"status.get"}"#;
    for (leg, target) in [(second.bridge(), "/other"), (second.runtime(), "/bridge")] {
        let passed = Client::once(leg, Request::post(target, rpc)).await;
        assert_eq!(passed.status, 200);
    }
    assert_eq!(second.flags().await["flags"]["contract"]["value"], true, "its admin API answers");
}

#[tokio::test]
async fn what_nobody_hands_over_is_said_and_nothing_listens() {
    let origin = Origin::echo().await;
    let cases = [
        ("{dir}/nobody.sock", 3, "nobody.sock: start this one with --upgrade, then, within five"),
        ("{dir}/none/nobody.sock", 2, "none/nobody.sock: No such file or directory"),
        ("{dir}/token", 2, "/token: it is no socket"),
    ];
    for (socket, code, says) in cases {
        let start = Start::new(&settings(&origin, "")).arg("--upgrade");
        let start = start.arg(&format!("--upgrade-socket={socket}"));
        let ended = start.fails_within(HAND_OVER).await;
        assert_eq!(ended.code, Some(code), "{says}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
        assert!(!ended.stdout.contains("listening\""), "{}", ended.stdout);
    }
}
