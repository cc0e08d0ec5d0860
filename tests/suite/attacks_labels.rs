//! What a request says of its body changes nothing: content types, encodings, methods, and modes
//! asked for elsewhere (cases 38 to 43).

use crate::attacks::{Attack, Sent};
use crate::explain_oracle::listed::built::encoded;
use crate::explain_oracle::node::Node;
use crate::explain_oracle::setting::{
    APPLIES, BRIDGE, DOORS, Door, MESSAGE, RUNTIME, STRIPS, in_params,
};
use crate::harness::{Client, Request};

const BODY: &[u8] = br#"{"text":"a","processing":{"mode":"fast"}}"#;

/// The message in a door's dialect.
fn message(door: Door) -> Vec<u8> {
    match door.leg {
        "frontend" => BODY.to_vec(),
        _ => in_params(BODY),
    }
}

/// A request of this body with these fields and no other that tells of it.
fn labelled(method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Request {
    let add = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
    fields.iter().fold(Request::new(method, target).body(body), add)
}

const TYPES: &[&[(&str, &str)]] = &[
    &[],
    &[("Content-Type", "")],
    &[("Content-Type", "text/plain")],
    &[("Content-Type", "application/json; charset=utf-16")],
    &[("Content-Type", "application/json; charset=utf-16le")],
    &[("Content-Type", "application/vnd.api+json")],
    &[("Content-Type", "application/octet-stream")],
    &[("Content-Type", "multipart/form-data; boundary=b")],
    &[("Content-Type", "application/x-www-form-urlencoded")],
    &[("Content-Type", "text/plain"), ("content-type", "application/json")],
    &[("Content-Type", "application/json"), ("CONTENT-TYPE", "text/plain")],
    &[("Content-Type", "\u{e9}\"/;=")],
    &[("Content_Type", "text/plain"), ("Content-Language", "de"), ("Content-Location", "/x")],
];

/// Case 38.
#[tokio::test]
async fn no_content_type_hides_a_body() {
    for attack in [Attack::start(STRIPS).await, Attack::before_node(STRIPS).await] {
        let mut node = Node::start();
        for fields in TYPES {
            for door in DOORS {
                let body = message(door);
                let request = labelled("POST", door.target, fields, &body);
                let fault = attack.send(&mut node, Sent::post(door, &body), &request).await;
                assert_eq!(fault, None, "case 38: {fields:?}");
            }
        }
    }
}

/// Case 16: a body in another encoding is no JSON, also where its label says which.
#[tokio::test]
async fn no_charset_makes_another_encoding_readable() {
    let attack = Attack::start(STRIPS).await;
    let mut node = Node::start();
    let text = String::from_utf8(BODY.to_vec()).unwrap();
    for text in [text.clone(), format!("\u{feff}{text}")] {
        for (charset, body) in encoded(&text) {
            let charset = charset.to_lowercase();
            for label in ["", &format!("; charset={charset}"), "; charset=\"UTF-16\""] {
                let label = format!("application/json{label}");
                let fields = [("Content-Type", label.as_str())];
                let request = labelled("POST", MESSAGE.target, &fields, &body);
                let fault = attack.send(&mut node, Sent::post(MESSAGE, &body), &request).await;
                assert_eq!(fault, None, "case 16: {charset} as {label}");
                let answer = Client::once(attack.modegate.frontend(), request).await;
                assert_eq!(answer.status, 400, "case 16: {charset} as {label}");
            }
        }
    }
}

/// `{"processing":{"mode":"fast"}}`, compressed in earnest.
const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\x2a\x28\xca\x4f\x4e\x2d\x2e\xce\xcc\x4b\x57\xb2\xaa\x56\xca\xcd\x4f\x49\x55\xb2\x52\x4a\x4b\x2c\x2e\x51\xaa\xad\x05\x00\x79\xa4\xd3\xc7\x1e\x00\x00\x00";
const TWICE: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x93\xef\xe6\x60\x00\x03\xe6\xd5\x61\x5a\x1a\xa7\xfc\xfd\x74\xf5\xce\x9d\xf1\x0e\xdf\xb4\x2a\xec\xd4\x59\x7f\xcf\xd0\x4d\x41\x5e\xde\x3a\x7a\x81\xab\xd6\xb2\x32\x54\x2e\xb9\x7c\x5c\x0e\xa8\x12\x00\xea\x40\x6d\x33\x32\x00\x00\x00";
const DEFLATE: &[u8] = b"\x78\x9c\xab\x56\x2a\x28\xca\x4f\x4e\x2d\x2e\xce\xcc\x4b\x57\xb2\xaa\x56\xca\xcd\x4f\x49\x55\xb2\x52\x4a\x4b\x2c\x2e\x51\xaa\xad\x05\x00\xaa\x18\x0a\xc1";
const BROTLI: &[u8] = b"\x1b\x1d\x00\xe0\x8d\xd3\x15\xf3\x23\x84\x75\xaf\x44\xf6\x4a\xa7\x2f\x35\x11\x05\x9a\x32\xa9\x16\x8f\x16\x70\x67";
/// Stored, as a frame may: the member is there to be read.
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x20\x1e\xf1\x00\x00{\"processing\":{\"mode\":\"fast\"}}";

const ENCODINGS: &[&[&str]] = &[
    &["gzip"],
    &["GZip"],
    &["x-gzip"],
    &["br"],
    &["deflate"],
    &["zstd"],
    &["gzip, gzip"],
    &["gzip", "gzip"],
    &["identity, gzip"],
    &["identity", "br"],
    &["br", "identity"],
    &["made-up"],
    &["identity"],
    &["Identity"],
    &[""],
];

/// Case 39: plain bodies under these labels; case 40: compressed ones, once and twice, two behind
/// one another, with bytes behind them, and without the label.
#[tokio::test]
async fn no_content_encoding_hides_a_body() {
    let joined = [GZIP, GZIP].concat();
    let trailed = [GZIP, BODY].concat();
    let bodies = [BODY, GZIP, TWICE, DEFLATE, BROTLI, ZSTD, &joined, &trailed];
    for attack in [Attack::start(STRIPS).await, Attack::before_node(APPLIES).await] {
        let mut node = Node::start();
        for encodings in ENCODINGS.iter().chain(&[&[][..]]) {
            let fields: Vec<(&str, &str)> =
                encodings.iter().map(|encoding| ("Content-Encoding", *encoding)).collect();
            for body in bodies {
                let request = labelled("POST", MESSAGE.target, &fields, body);
                let sent = Sent { encodings, ..Sent::post(MESSAGE, body) };
                let fault = attack.send(&mut node, sent, &request).await;
                assert_eq!(fault, None, "cases 39 and 40: {encodings:?}");
            }
            for door in [BRIDGE, RUNTIME] {
                let body = message(door);
                let request = labelled("POST", door.target, &fields, &body);
                let sent = Sent { encodings, ..Sent::post(door, &body) };
                assert_eq!(attack.send(&mut node, sent, &request).await, None, "case 39");
            }
        }
    }
}

/// Case 41: what is no JSON is refused where messages are read, passes elsewhere, and asks for
/// nothing either way.
#[tokio::test]
async fn a_form_asks_for_no_mode() {
    let multipart: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"processing\"\r\n\
        Content-Type: application/json\r\n\r\n{\"mode\":\"fast\"}\r\n--b--\r\n";
    let forms = [
        ("multipart/form-data; boundary=b", multipart),
        ("application/x-www-form-urlencoded", b"processing[mode]=fast"),
        ("application/x-www-form-urlencoded", br#"{"processing":{"mode":"fast"}}="#),
    ];
    let attack = Attack::before_node(APPLIES).await;
    let mut node = Node::start();
    for (kind, body) in forms {
        for target in [MESSAGE.target, "/api/upload"] {
            let door = Door { target, ..MESSAGE };
            let request = labelled("POST", target, &[("Content-Type", kind)], body);
            let fault = attack.send(&mut node, Sent::post(door, body), &request).await;
            assert_eq!(fault, None, "case 41: {kind}");
        }
    }
}

/// Case 42: Node delivers the body of any method, so that each is inspected like a POST's; what is
/// no method is refused, and on the runtime leg what is no POST.
#[tokio::test]
async fn no_method_hides_a_body() {
    let methods = ["GET", "HEAD", "DELETE", "PUT", "PATCH", "OPTIONS", "post", "Post", "POSTS"];
    for attack in [Attack::start(STRIPS).await, Attack::before_node(STRIPS).await] {
        let mut node = Node::start();
        for method in methods {
            for door in [MESSAGE, BRIDGE, RUNTIME] {
                let body = message(door);
                let plain = labelled(method, door.target, &[], &body);
                let served = matches!(method, "GET" | "DELETE" | "PUT" | "PATCH");
                let may_be_refused = !served || door.leg == RUNTIME.leg;
                let sent = Sent { may_be_refused, ..Sent::post(door, &body) };
                for request in [plain.clone(), plain.chunked(7)] {
                    let fault = attack.send(&mut node, sent, &request).await;
                    assert_eq!(fault, None, "case 42: {method}");
                }
            }
        }
    }
}

/// Case 43: a mode is asked for in the body or not at all, and a POST is one whatever a header says.
#[tokio::test]
async fn queries_cookies_and_overrides_have_no_effect() {
    let fields = [
        ("Cookie", "processing=fast; mode=fast"),
        ("X-HTTP-Method-Override", "GET"),
        ("X-Method-Override", "GET"),
        ("X-HTTP-Method", "PUT"),
        ("X-Original-URL", "/api/other"),
        ("X-Rewrite-URL", "/api/other"),
        ("X-Processing", "fast"),
        ("Processing", "{\"mode\":\"fast\"}"),
        ("Prefer", "processing=fast"),
    ];
    for attack in [Attack::start(APPLIES).await, Attack::before_node(STRIPS).await] {
        let mut node = Node::start();
        for door in [MESSAGE, BRIDGE, RUNTIME] {
            let target = format!("{}?processing=fast&_method=GET", door.target);
            let door = Door { leg: door.leg, target: &*target.leak() };
            let clean: &[u8] = br#"{"text":"a"}"#;
            let clean = if door.leg == "frontend" { clean.to_vec() } else { in_params(clean) };
            for body in [clean, message(door)] {
                let request = labelled("POST", door.target, &fields, &body);
                let mut client = Client::connect(attack.modegate.leg(door.leg, 0)).await;
                let response = client.exchange(&request).await;
                let arrived = attack.arrived().await;
                let sent = Sent::post(door, &body);
                let fault = attack.fault(&mut node, sent, arrived.first(), &response);
                assert_eq!((fault, arrived.len()), (None, 1), "case 43");
                assert_eq!(arrived[0].target, door.target, "case 43");
                for (name, value) in fields {
                    let name = name.to_ascii_lowercase();
                    assert_eq!(arrived[0].header(&name), Some(value), "case 43: it passes");
                }
            }
            attack.control(None).await;
        }
    }
}
