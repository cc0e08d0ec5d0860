//! What has nothing to be edited leaves byte for byte, whatever its size and framing.

use crate::harness::{Client, End, Modegate, Origin, Request, Response, settings};
use crate::messages::{PLACES, Place};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// One place of each dialect and leg.
fn one_of_each() -> Vec<&'static Place> {
    let mut places: Vec<&Place> = Vec::new();
    for place in PLACES {
        if !places.iter().any(|known| (known.leg, known.dialect) == (place.leg, place.dialect)) {
            places.push(place);
        }
    }
    assert_eq!(places.len(), 5);
    places
}

/// Bytes without a pattern (xorshift), the same for a seed.
fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        bytes.extend(seed.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A message of exactly this many bytes, with all that a re-serialiser would change: escapes,
/// numbers, duplicates, invalid UTF-8, deep nesting, and look-alikes of the member.
fn message(place: &Place, length: usize) -> Vec<u8> {
    let mut body = place.body("").into_bytes();
    assert_eq!(body.pop(), Some(b'}'));
    body.extend(br#", "dup":1.50e+1,"dup":-0,"10":0,"2":"\/\ud800","Processing":{"mode":"fast"},"#);
    body.extend(b"\"deep\":");
    body.extend([b'['].repeat(2000));
    body.extend(br#"{"processing":{"mode":"fast"}}"#);
    body.extend([b']'].repeat(2000));
    body.extend(b",\"\":\"\x80\xff ");
    let rest = length - body.len() - 2;
    // Text as JSON writes it: an escape now and then, no quote or control character raw.
    let text = noise(rest, length as u64).into_iter().map(|byte| match byte {
        b'"' | b'\\' | 0..=31 => b'a' + byte % 26,
        byte => byte,
    });
    let mut text: Vec<u8> = text.collect();
    for at in (0..rest.saturating_sub(2)).step_by(97) {
        text[at..at + 2].copy_from_slice(b"\\\"");
    }
    body.extend(text);
    body.extend(b"\"}");
    assert_eq!(body.len(), length);
    body
}

/// Holds both directions against the bytes that were sent.
fn assert_same(case: &str, sent: &[u8], origin: &Origin, response: &Response) {
    let received = origin.last();
    assert_eq!((response.status, response.end), (200, End::Clean), "{case}");
    assert_eq!(received.end, Some(End::Clean), "{case}");
    assert!(received.body == sent, "{case}: {} bytes arrived", received.body.len());
    assert!(response.body == sent, "{case}: {} bytes came back", response.body.len());
    origin.forget();
}

async fn send_all(
    modegate: &Modegate,
    origin: &Origin,
    place: &Place,
    length: usize,
    chunks: &[usize],
) {
    let body = message(place, length);
    for size in chunks {
        let case = format!("{length} bytes in chunks of {size} to {}", place.target);
        let request = match size {
            0 => place.request(body.clone()),
            size => place.request(body.clone()).chunked(*size),
        };
        let response = Client::once(place.address(modegate), request).await;
        let received = origin.last();
        assert_eq!(received.header("content-length"), Some(&*length.to_string()), "{case}");
        assert_eq!(received.header("transfer-encoding"), None, "{case}");
        assert_same(&case, &body, origin, &response);
    }
}

#[tokio::test]
async fn messages_about_64_kib_and_of_1_mib() {
    let origin = Origin::echo().await;
    for flags in ["", "[flags]\ncontract = true\nruntime = true\n"] {
        let modegate = Modegate::start(&settings(&origin, flags)).await;
        for place in PLACES {
            for length in [64 * KIB - 1, 64 * KIB, 64 * KIB + 1] {
                send_all(&modegate, &origin, place, length, &[0, 61, 4096, MIB]).await;
            }
            send_all(&modegate, &origin, place, MIB, &[0, 1000, 64 * KIB]).await;
        }
    }
}

#[tokio::test]
async fn messages_of_20_mib() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(
        &origin,
        "[contract]\nruntime_body_limit = \"20MiB\"\n[flags]\ncontract = true\n",
    ))
    .await;
    for place in one_of_each() {
        send_all(&modegate, &origin, place, 20 * MIB, &[0, 16 * KIB, 3 * MIB]).await;
    }
    modegate.counted("modegate_body_memory_bytes", &[], 0.0).await;
}

#[tokio::test]
async fn the_least_messages() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for place in PLACES {
        let bodies = match place.leg {
            "runtime" => vec![r#"{"method":""}"#, "\t{\"method\":\"x\"}\r\n "],
            _ => vec!["{}", " {\n}\t"],
        };
        for body in bodies {
            for request in [place.request(body), place.request(body).chunked(1)] {
                let response = Client::once(place.address(&modegate), request).await;
                assert_same(body, body.as_bytes(), &origin, &response);
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_inspected_streams_any_bytes_both_ways() {
    let origin = Origin::echo().await;
    let allow = "allow = [\"PUT /api/upload\", \"GET /api/upload\"]\n";
    let modegate = Modegate::start(&(settings(&origin, "") + allow)).await;
    let lengths = [0, 1, 2, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB, 20 * MIB];
    for leg in ["frontend", "bridge", "runtime"] {
        for length in lengths {
            for chunk in [0, 1 + length / 3, 8 * KIB] {
                let body = noise(length, 7 + length as u64);
                let method = if length == 2 { "GET" } else { "PUT" };
                let mut request = Request::new(method, "/api/upload?x=%00").body(body.clone());
                if chunk > 0 {
                    request = request.chunked(chunk);
                }
                let case = format!("{length} bytes in chunks of {chunk} on {leg}");
                let response = Client::once(modegate.leg(leg, 0), request).await;
                let received = origin.last();
                assert_eq!(received.target(), "/api/upload?x=%00");
                // A GET leaves with a length: hyper's client sends no chunks with it.
                let (plain, coded) = match (chunk, method) {
                    (0, _) | (_, "GET") => (Some(length.to_string()), None),
                    _ => (None, Some("chunked")),
                };
                let framing =
                    (received.header("content-length"), received.header("transfer-encoding"));
                // A GET seldom has a body: it may leave in another framing.
                assert!(framing == (plain.as_deref(), coded) || method == "GET", "{case}");
                assert_eq!(received.header("x-processing-mode"), None, "{case}");
                assert_same(&case, &body, &origin, &response);
            }
        }
    }
}

#[tokio::test]
async fn only_inspected_routes_are_edited() {
    let origin = Origin::echo().await;
    // The runtime leg's listener is the last.
    let config = settings(&origin, "[flags]\nkill = true\n")
        + "allow = [\"POST /api/snapshot\", \"POST /bridge/\"]\n";
    let modegate = Modegate::start(&config).await;
    let body = r#"{"text":"t","processing":{"mode":"fast"},"params":{"processing":1}}"#;
    let cases = [
        ("frontend", "GET", "/api/chats"),
        ("frontend", "PUT", "/api/conversations/a"),
        ("frontend", "POST", "/api/chat/"),
        ("frontend", "POST", "/API/chat"),
        ("frontend", "POST", "/api//chat"),
        ("frontend", "POST", "/api/conversations//messages"),
        ("frontend", "POST", "/api/conversations/a/greeting"),
        ("frontend", "POST", "/api/conversations/a%2Fmessages"),
        ("frontend", "POST", "/bridge"),
        ("bridge", "POST", "/bridge"),
        ("bridge", "POST", "/api/chat"),
        ("bridge", "POST", "/api/v1/other/agents/a/bridge"),
        ("bridge", "POST", "/api/v1/milady/agents/a/snapshot"),
        ("runtime", "POST", "/api/snapshot"),
        ("runtime", "POST", "/bridge/"),
    ];
    for (leg, method, target) in cases {
        let request = Request::new(method, target).body(body);
        let response = Client::once(modegate.leg(leg, 0), request).await;
        let received = origin.last();
        assert_eq!((received.method(), received.target()), (method, target));
        assert_eq!(received.header("x-processing-mode"), None, "{target}");
        assert_eq!(response.header("x-processing-mode"), None, "{target}");
        assert_same(target, body.as_bytes(), &origin, &response);
    }
}
