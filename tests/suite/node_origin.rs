//! The Node origin itself: it reports what Node's HTTP server reads, and what it refuses.

use crate::harness::{Client, Modegate, NodeOrigin, NodeRead, Request, settings_for};

#[tokio::test]
async fn what_node_reads_is_told_and_logged() {
    let node = NodeOrigin::start().await;
    let modegate = Modegate::start(&settings_for(&node.url(), "")).await;
    let request = Request::post("/upload?q", [0, 13, 10, 200, b'x'])
        .header("X-One", "1")
        .header("x-one", "2")
        .chunked(2);
    let response = Client::once(modegate.frontend(), request).await;
    let told: NodeRead = serde_json::from_slice(&response.body).unwrap();
    let log = node.take().await;
    for read in [&told, &log[0]] {
        assert_eq!((&*read.method, &*read.url, &*read.version), ("POST", "/upload?q", "1.1"));
        assert_eq!(read.header("x-one"), Some("1, 2"));
        assert_eq!(read.all("X-One"), ["1", "2"]);
        assert_eq!(read.bytes(), [0, 13, 10, 200, b'x']);
        assert!(read.complete && read.kind == "request");
    }
    let request = Request::new("PUT", "/upload").body("text");
    Client::once(modegate.frontend(), request).await;
    assert_eq!((log.len(), node.take().await[0].text().as_str()), (1, "text"));
    assert!(node.log().await.is_empty());
}

#[tokio::test]
async fn what_node_refuses_is_logged_as_an_error() {
    let node = NodeOrigin::start().await;
    let mut client = Client::connect(&node.address).await;
    client.write("GET / HTTP/1.1\r\nHost: h\r\n X: folded\r\n\r\n").await;
    assert_eq!(client.response().await.status, 400);
    let log = node.log().await;
    assert_eq!((&*log[0].kind, log.len()), ("error", 1));
    assert!(log[0].code.as_deref().is_some_and(|code| code.starts_with("HPE_")), "{log:?}");
}
