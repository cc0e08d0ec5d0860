//! Two lengths, lengths that are none, and every spelling of a transfer coding (case 48, case 49,
//! case 50).

use crate::framing::{Front, SMUGGLED, TARGETS, bytes};
use crate::harness::{Client, End};

const REFUSED_BY_NODE: &[&str] = &[
    // Case 48: CL.TE and TE.CL.
    "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG",
    "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGPOST\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nX: y\r\ncontent-length: 4\r\n\r\n5\r\nGPOST\r\n0\r\n\r\n",
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Content-Length: 0\r\nTransfer-Encoding: identity\r\n\r\n",
    // Case 49.
    "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "Content-Length: 0\r\ncontent-length: 2\r\n\r\n{}",
    "Content-Length: 2, 2\r\n\r\n{}",
    "Content-Length: 1, 1\r\n\r\n{}",
    "Content-Length: +2\r\n\r\n{}",
    "Content-Length: -2\r\n\r\n{}",
    "Content-Length: 0x2\r\n\r\n{}",
    "Content-Length: 2a\r\n\r\n{}",
    "Content-Length: 2.0\r\n\r\n{}",
    "Content-Length: 1 1\r\n\r\n{}",
    "Content-Length: \r\n\r\n{}",
    "Content-Length:\r\n\r\n{}",
    "Content-Length : 2\r\n\r\n{}",
    "Content-Length: 99999999999999999999\r\n\r\n{}",
    "Content-Length: 18446744073709551618\r\n\r\n{}",
    "Content-Length: \u{b2}\r\n\r\n{}",
    // Case 50.
    "Transfer-Encoding: identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "Transfer-Encoding: gzip\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "Transfer-Encoding: \"chunked\"\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked;a=b\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "Transfer-Encoding: \u{b}chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "Content-Length: 2\t\r\n\r\n{}",
    "Transfer-Encoding: chunked\t\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "Transfer-Encoding:\r\n chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
];

/// What Node takes, and we do not.
const TAKEN_BY_NODE: &[&str] = &[
    "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "Transfer-Encoding: \r\n\r\n",
];

/// What is sent on, in one way: the body, and how it is framed at the origin.
const TAKEN: &[(&str, &str, Option<&str>)] = &[
    ("Content-Length: 02\r\n\r\n{}", "{}", Some("2")),
    ("Content-Length: 0000000000000000002\r\n\r\n{}", "{}", Some("2")),
    ("Content-Length: 2 \r\n\r\n{}", "{}", Some("2")),
    ("Content-Length:\t2\r\n\r\n{}", "{}", Some("2")),
    ("Content-Length: 00\r\n\r\n", "", Some("0")),
    ("Transfer-Encoding: CHUNKED\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "{}", None),
    ("Transfer-Encoding:\tchunked \r\n\r\n0002\r\n{}\r\n000\r\n\r\n", "{}", None),
    ("transfer-encoding: chunked\r\n\r\n1;a=\"b\";c\r\n{\r\n1\r\n}\r\n0;d\r\n\r\n", "{}", None),
    ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", None),
];

fn post(rest: &str) -> String {
    format!("POST TARGET HTTP/1.1\r\nHost: h\r\n{rest}")
}

#[tokio::test]
async fn cases_48_to_50_lengths_that_node_refuses_are_refused() {
    let front = Front::start("").await;
    for rest in REFUSED_BY_NODE {
        let text = post(&format!("{rest}{SMUGGLED}"));
        assert_eq!(front.node_reads(&text).await.len(), 0, "{text:?}");
        front.refuses(&text, &[400]).await;
    }
    front.counted("bad_head", REFUSED_BY_NODE.len() * TARGETS.len() * 2).await;
}

#[tokio::test]
async fn case_50_codings_that_only_node_takes_are_refused() {
    let front = Front::start("").await;
    for rest in TAKEN_BY_NODE {
        let text = post(&format!("{rest}{SMUGGLED}"));
        assert_ne!(front.node_reads(&text).await.len(), 0, "{text:?}");
        front.refuses(&text, &[400]).await;
    }
}

#[tokio::test]
async fn cases_49_and_50_what_is_taken_leaves_in_one_spelling() {
    let front = Front::start("").await;
    let mut requests = 0;
    for (rest, body, length) in TAKEN {
        for method in ["POST", "GET", "DELETE"] {
            let text = post(rest).replace("TARGET", "/upload?q").replace("POST", method);
            assert_eq!(front.node_reads(&text).await[0].text(), *body, "{text:?}");
            for at in [0, 1] {
                let mut client = Client::connect(front.modegate.leg("frontend", at)).await;
                client.write(bytes(&format!("\r\n{text}"))).await;
                let response = client.response().await;
                assert_eq!(response.status, 200, "{text:?}");
                // The connection is good for another one, a byte at a time.
                for byte in bytes(&text) {
                    client.write([byte]).await;
                }
                assert_eq!(client.response().await.status, 200, "{text:?}");
                requests += 2;
            }
            for received in front.recorder.received() {
                assert_eq!((received.text().as_str(), received.end), (*body, Some(End::Clean)));
                let lengths = received.head.all("content-length");
                let codings = received.head.all("transfer-encoding");
                // A GET's body always gets a length.
                match length.or((method == "GET").then_some(["0", "2"][body.len() / 2])) {
                    Some(length) => assert_eq!((lengths, codings), (vec![length], vec![])),
                    None => assert_eq!((lengths, codings), (vec![], vec!["chunked"]), "{text:?}"),
                }
            }
            front.recorder.forget();
            for read in front.node.take().await {
                let whole = (read.method.as_str(), read.url.as_str(), read.complete);
                assert_eq!(whole, (method, "/upload?q", true), "{text:?}");
                assert_eq!(read.text(), *body, "{text:?}");
                assert!(
                    read.all("content-length").len() + read.all("transfer-encoding").len() == 1
                );
            }
            // What Node read is what was logged.
            let line = front.modegate.access(requests).await.pop().expect("a line");
            assert_eq!(line["bytes_in"], body.len(), "{text:?}");
            assert_eq!((&line["method"], &line["status"]), (&method.into(), &200.into()));
        }
    }
}

/// Every spelling that a byte can make of the coding's name and value.
fn spellings() -> Vec<String> {
    let mut spellings = Vec::new();
    for byte in (0..=u8::MAX).map(char::from) {
        for field in [
            format!("Transfer-Encoding:{byte}chunked"),
            format!("Transfer-Encoding: chunked{byte}"),
            format!("Transfer-Encoding: chun{byte}ked"),
            format!("Transfer-Encoding{byte}: chunked"),
            format!("{byte}Transfer-Encoding: chunked"),
        ] {
            spellings.push(field);
        }
    }
    for name in
        ["Transfer_Encoding", "Transfer-Encodin", "X-Transfer-Encoding", "TRANSFER-ENCODING"]
    {
        spellings.push(format!("{name}: chunked"));
    }
    for value in
        ["chunked,", ",chunked", "chunked, chunked", "gzip,chunked", "chunked,gzip", "x, chunked"]
    {
        spellings.push(format!("Transfer-Encoding: {value}"));
    }
    let twice = ["identity", "chunked", "", "x"].map(|other| {
        [
            format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: {other}"),
            format!("Transfer-Encoding: {other}\r\nTransfer-encoding: chunked"),
            format!("Transfer-Encoding: {other}\r\n chunked"),
            format!("X: y\r\n Transfer-Encoding: {other}"),
            format!("X: y\nTransfer-Encoding: chunked{other}"),
            format!("X: y\rTransfer-Encoding: chunked{other}"),
        ]
    });
    spellings.extend(twice.into_iter().flatten());
    spellings
}

#[tokio::test]
async fn case_50_of_every_spelling_no_more_arrives_than_node_reads() {
    let front = Front::start("").await;
    let mut refused = 0;
    for spelling in spellings() {
        let text = post(&format!("{spelling}\r\n\r\n0\r\n\r\n{SMUGGLED}"));
        let read = front.node_reads(&text).await;
        let mut client = Client::connect(front.modegate.frontend()).await;
        client.write(bytes(&text.replace("TARGET", "/upload"))).await;
        client.closed().await;
        let received = front.recorder.received();
        front.recorder.forget();
        refused += usize::from(received.is_empty());
        assert!(received.len() <= read.len(), "{spelling:?}: {received:?}, Node: {read:?}");
        for (one, read) in received.iter().zip(read) {
            assert_eq!((one.method(), one.target()), (&*read.method, &*read.url), "{spelling:?}");
            assert_eq!((one.text(), one.end), (read.text(), Some(End::Clean)), "{spelling:?}");
        }
    }
    assert!(refused > 900, "only {refused} spellings were refused");
    front.answers("every spelling").await;
}
