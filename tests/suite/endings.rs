//! Exchanges that end otherwise than both sides meant: silences, early answers, clients that
//! leave, and interim answers.

use crate::harness::{
    Answer, Client, End, Framing, Modegate, Origin, Piece, Request, eventually, settings,
};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n";
const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
     Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n";

#[tokio::test]
async fn an_answer_that_stops_is_cut_and_an_event_stream_is_not() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let extra = "[timeouts]\nidle = \"150ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;

    let mut events = Client::connect(modegate.frontend()).await;
    events.write(Request::post("/api/chat/stream", "{}").bytes()).await;
    let stream = scripts.next().await;
    stream.send(EVENTS);
    assert_eq!(events.head().await.expect("a head").part(1), "200");
    let mut framing = Framing::Chunked;
    assert_eq!(events.data(&mut framing).await, "data: 1\n\n");

    for target in ["/api/chat", "/other"] {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::post(target, "{}").bytes()).await;
        let steps = scripts.next().await;
        steps.send(CHUNKED);
        let response = client.response().await;
        assert_eq!((response.text().as_str(), response.end), ("one", End::Cut), "{target}");
    }
    // The stream was silent for longer than both.
    stream.send("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
    assert_eq!(events.data(&mut framing).await, "data: 2\n\n");
    assert_eq!(events.piece(&mut framing).await, Piece::End(End::Clean, Vec::new()));
    modegate.counted("modegate_requests_total", &[("outcome", "cut")], 2.0).await;
    eventually("the cut connections' end", async || (origin.open() == 1).then_some(())).await;
}

#[tokio::test]
async fn an_event_stream_is_cut_after_its_own_idle_time_if_it_has_one() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let extra = "[timeouts]\nstream_idle = \"150ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let mut events = Client::connect(modegate.frontend()).await;
    events.write(Request::get("/events").bytes()).await;
    let stream = scripts.next().await;
    stream.send(EVENTS);
    let response = events.response().await;
    assert_eq!((response.text().as_str(), response.end), ("data: 1\n\n", End::Cut));
}

#[tokio::test]
async fn an_upload_that_stops_is_given_up() {
    let origin = Origin::echo().await;
    let extra = "[timeouts]\nidle = \"150ms\"\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let mut client = Client::connect(modegate.frontend()).await;
    client.write("POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nsome").await;
    let response = client.response().await;
    assert_eq!(response.status, 408);
    assert_eq!(response.text(), r#"{"error":"Request body did not arrive in time"}"#);
    client.closed().await;
    eventually("the upstream's connection's end", async || (origin.open() == 0).then_some(()))
        .await;
    assert_eq!(origin.last().end, Some(End::Cut));
}

#[tokio::test]
async fn an_upload_that_is_cut_is_a_cut_at_the_origin() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let heads =
        ["Content-Length: 100\r\n\r\nsome", "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"];
    for (number, head) in heads.iter().enumerate() {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(format!("POST /upload HTTP/1.1\r\nHost: h\r\n{head}")).await;
        eventually("the body's beginning", async || {
            let received = origin.received();
            received.get(number).filter(|one| one.body == b"some").map(|_| ())
        })
        .await;
        drop(client);
        eventually("the cut", async || origin.received()[number].end).await;
        assert_eq!(origin.last().end, Some(End::Cut));
    }
}

#[tokio::test]
async fn an_answer_before_the_bodys_end_is_relayed() {
    let origin = Origin::start(|_| {
        let answer = "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 5\r\n\r\nlarge";
        Answer::Early(answer.as_bytes().to_vec())
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for framing in ["Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n4\r\n"] {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(format!("POST /upload HTTP/1.1\r\nHost: h\r\n{framing}some")).await;
        let response = client.response().await;
        assert_eq!((response.status, response.text().as_str()), (413, "large"), "{framing}");
        assert_eq!(response.end, End::Clean);
    }
    // What was left of those bodies is never taken for a request.
    let response = Client::once(modegate.frontend(), Request::get("/upload")).await;
    assert_eq!(response.status, 413);
    assert_eq!(origin.requests(), 3);
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_upstreams_work() {
    let (origin, mut scripts) = Origin::stepwise().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for (number, begun) in [None, Some(CHUNKED), Some(EVENTS)].into_iter().enumerate() {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(Request::post("/api/chat/stream", "{}").bytes()).await;
        let steps = scripts.next().await;
        if let Some(text) = begun {
            steps.send(text);
            assert!(client.head().await.is_some());
        }
        assert_eq!(origin.open(), 1);
        if number == 1 {
            client.reset();
        } else {
            drop(client);
        }
        eventually("the upstream's connection's end", async || (origin.open() == 0).then_some(()))
            .await;
        modegate.counted("modegate_inflight", &[], 0.0).await;
        let line = modegate.access(number + 1).await.remove(number);
        assert_eq!(line["outcome"], "gone", "{line}");
    }
}

#[tokio::test]
async fn interim_answers_are_no_answers() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let bytes = format!("{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{{}}", interim.repeat(3));
    let origin = Origin::start(move |_| Answer::Bytes(bytes.clone().into_bytes())).await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for _ in 0..3 {
        let response = modegate.post("/api/chat", "{}").await;
        assert_eq!((response.status, response.text().as_str()), (200, "{}"));
    }
}
