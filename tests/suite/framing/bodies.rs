//! Chunks and trailers that are none; what is taken leaves without extensions, and without trailers
//! that would be ours (case 53, case 54).

use crate::framing::{Front, SMUGGLED, TARGETS};
use crate::harness::{Client, End, eventually};

const HEAD: &str = "POST TARGET HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

const REFUSED_BY_NODE: &[&str] = &[
    "0x2\r\n{}\r\n0\r\n\r\n",
    "+2\r\n{}\r\n0\r\n\r\n",
    "-2\r\n{}\r\n0\r\n\r\n",
    "1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "2 \r\n{}\r\n0\r\n\r\n",
    "2\t\r\n{}\r\n0\r\n\r\n",
    " 2\r\n{}\r\n0\r\n\r\n",
    "2\r\n{}0\r\n\r\n",
    "2\r\n{}XX0\r\n\r\n",
    "2\r\n{}\n0\r\n\r\n",
    "2\r\n{}\r0\r\n\r\n",
    "2\n{}\r\n0\r\n\r\n",
    "2\r{}\r\n0\r\n\r\n",
    "2\r\n{}\r\n0\n\r\n",
    "2\r\n{}\r\n0\r\n\n",
    "2\r\n{}\r\n0\r\n\rX",
    "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "\r\n{}\r\n0\r\n\r\n",
    ";a=b\r\n{}\r\n0\r\n\r\n",
    "g\r\n{}\r\n0\r\n\r\n",
    "2;a\n{}\r\n0\r\n\r\n",
    "2;a\0\r\n{}\r\n0\r\n\r\n",
    "2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n",
    "2\r\n{}\r\n0\r\nX : y\r\n\r\n",
    "2\r\n{}\r\n0\r\n X: y\r\n\r\n",
    "2\r\n{}\r\n0\r\nX: y\r\n z\r\n\r\n",
    "2\r\n{}\r\n0\r\nX: a\0b\r\n\r\n",
    "2\r\n{}\r\n0\r\nX: y\n\r\n",
];

/// What Node takes, and we do not.
const TAKEN_BY_NODE: &[&str] = &["2\r\n{}\r\n0\r\nHost: other\r\n\r\n"];

#[tokio::test]
async fn case_53_chunks_that_node_refuses_are_refused() {
    let front = Front::start("").await;
    for rest in REFUSED_BY_NODE {
        let text = format!("{HEAD}{rest}{SMUGGLED}");
        assert_eq!(front.node_reads(&text).await.len(), 0, "{text:?}");
        front.refuses(&text, &[400]).await;
    }
    front.counted("bad_chunks", REFUSED_BY_NODE.len() * TARGETS.len() * 2).await;
}

#[tokio::test]
async fn cases_53_and_54_what_only_node_may_take_is_refused() {
    let front = Front::start("").await;
    let extension = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(8 * 1024));
    let many = format!("{}0\r\n\r\n", format!("1;{}\r\nx\r\n", "y".repeat(100)).repeat(11));
    let trailers = format!("0\r\n{}\r\n", format!("X: {}\r\n", "y".repeat(1000)).repeat(9));
    let coding = "2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n";
    for rest in TAKEN_BY_NODE.iter().copied().chain([&*extension, &*many, &*trailers, coding]) {
        front.refuses(&format!("{HEAD}{rest}{SMUGGLED}"), &[400]).await;
    }
}

#[tokio::test]
async fn case_53_a_fault_in_a_body_that_streams_is_a_cut_at_the_origin() {
    let front = Front::start("").await;
    let faults = [
        "2 \r\n{}\r\n0\r\n\r\n",
        "2\n{}\r\n0\r\n\r\n",
        "2\r\n{}X",
        "2;\0\r\n{}\r\n0\r\n\r\n",
        "0\r\nHost: h\r\n\r\n",
        "0\r\n\rX",
        "0\r\nX: a\rb\r\n\r\n",
    ];
    for fault in faults {
        let mut client = Client::connect(front.modegate.frontend()).await;
        client.write(format!("{}5\r\nfirst\r\n", HEAD.replace("TARGET", "/upload"))).await;
        eventually("the first chunk", async || {
            front.recorder.received().iter().any(|one| one.body == b"first").then_some(())
        })
        .await;
        for byte in fault.bytes() {
            // The fault may be seen before its last byte is sent.
            client.offer(&[byte], crate::harness::DEADLINE).await;
        }
        let response = client.response().await;
        assert_eq!(response.status, 400, "{fault:?}");
        assert_eq!(response.text(), r#"{"error":"Request body is not well chunked"}"#);
        client.closed().await;
        let end = eventually("the end", async || front.recorder.received()[0].end).await;
        assert_eq!(end, End::Cut, "{fault:?}");
        front.saw_nothing_whole(fault).await;
        front.answers(fault).await;
    }
    front.counted("bad_chunks", faults.len()).await;
    let refused = eventually("a line of each", async || {
        let lines = front.modegate.access_lines();
        let refused = lines.iter().filter(|line| line["outcome"] == "refused").count();
        (refused >= faults.len()).then_some(refused)
    })
    .await;
    assert_eq!(refused, faults.len());
}

#[tokio::test]
async fn cases_53_and_54_extensions_and_trailers_that_are_ours_do_not_travel() {
    let front = Front::start("").await;
    let text = format!(
        "{}2;a=\"b\";c\r\n{{}}\r\n0;x\r\nX-Processing-Mode: fast\r\nx-processing-room: r\r\n\
         X_Processing_Mode: fast\r\nX-Ok: y\r\n\r\n",
        HEAD.replace("TARGET", "/upload")
    );
    for at in [0, 1] {
        let mut client = Client::connect(front.modegate.leg("frontend", at)).await;
        client.write(&text).await;
        assert_eq!(client.response().await.status, 200);
        client.write(&text).await;
        assert_eq!(client.response().await.status, 200);
    }
    for received in front.recorder.received() {
        assert_eq!((received.text().as_str(), received.end), ("{}", Some(End::Clean)));
        let tags = |(name, _): &&(String, String)| name.to_lowercase().contains("processing");
        assert_eq!(received.trailers.iter().find(tags), None, "{:?}", received.trailers);
    }
    for read in front.node.take().await {
        assert_eq!(read.text(), "{}");
        assert!(!read.headers.keys().any(|name| name.contains("processing")), "{read:?}");
        assert!(!read.trailers.keys().any(|name| name.contains("processing")), "{read:?}");
    }
}
