//! A reload does not disturb what is in flight: streams go on, and a message that came before the
//! reload is judged by what held when it came.

use crate::control_process::{CANARY, DOWNGRADED, FAST, ROUTE, STRIPPED, until_flag};
use crate::harness::{Answer, Client, Modegate, Origin, Request, answer_framing, script, settings};

#[tokio::test]
async fn streams_and_messages_in_flight_go_on_as_they_began() {
    let (steps, stream) = script();
    let stream = std::sync::Mutex::new(Some(stream));
    let origin = Origin::start(move |received| match received.target() {
        "/api/chat/stream" => stream.lock().unwrap().take().expect("one stream"),
        _ => Answer::Echo,
    })
    .await;
    let modegate =
        Modegate::start(&settings(&origin, &format!("{CANARY}[flags]\ncontract = false\n"))).await;

    let mut streaming = Client::connect(modegate.frontend()).await;
    streaming.write(Request::post("/api/chat/stream", STRIPPED).bytes()).await;
    steps.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let head = streaming.head().await.expect("the stream's head");
    let mut framing = answer_framing("POST", 200, &head);
    steps.send("9\r\ndata: 1\n\n\r\n");
    assert_eq!(streaming.data(&mut framing).await, "data: 1\n\n");

    let mut half = Client::connect(modegate.frontend()).await;
    let message = Request::post(ROUTE, FAST).bytes();
    let (now, later) = message.split_at(message.len() - 10);
    half.write(now).await;
    // Its head is in as soon as it counts as in flight, beside the stream.
    modegate.counted("modegate_inflight", &[("leg", "frontend")], 2.0).await;
    let mut kept = Client::connect(modegate.frontend()).await;
    assert_eq!(kept.exchange(&Request::post(ROUTE, FAST)).await.text(), STRIPPED);

    let text = std::fs::read_to_string(modegate.file()).unwrap();
    std::fs::write(modegate.file(), text.replace("contract = false", "contract = true")).unwrap();
    until_flag(&modegate, "contract", true).await;

    half.write(later).await;
    assert_eq!(half.response().await.text(), STRIPPED, "judged by what held when it came");
    for client in [&mut half, &mut kept] {
        let next = client.exchange(&Request::post(ROUTE, FAST)).await;
        assert_eq!(next.text(), DOWNGRADED, "the connection's next request sees the new flags");
    }
    steps.send("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
    assert_eq!(streaming.data(&mut framing).await, "data: 2\n\n");
    let end = streaming.piece(&mut framing).await;
    assert!(matches!(end, crate::harness::Piece::End(crate::harness::End::Clean, _)), "{end:?}");
}
