//! WebSocket: what passes through a tunnel is untouched, frame by frame as written by hand here,
//! and as two peers of a library of their own write and read it (`websocket/peers.rs`).

mod peers;

use tokio::task::JoinSet;

use crate::harness::{Answer, Client, Modegate, Origin, Request, Step, script, settings};

const FRAME_LIMIT: usize = 16 << 20;

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
     Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
     Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n";

const OFFER: &str = "permessage-deflate; client_max_window_bits, x-other; a=\"b\"";

fn handshake() -> Request {
    Request::get("/ws?clientId=a")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Extensions", OFFER)
}

/// Echoes what comes through a tunnel, and answers everything else.
async fn echo() -> Origin {
    Origin::start(|request| match request.target() {
        "/plain" => Answer::ok("plain"),
        _ => Answer::Tunnel(SWITCH.as_bytes().to_vec()),
    })
    .await
}

async fn tunnel(modegate: &Modegate) -> Client {
    let mut client = Client::connect(modegate.frontend()).await;
    client.write(handshake().bytes()).await;
    let head = client.head().await.expect("an answer");
    assert_eq!(head.part(1), "101");
    let extensions = head.field("sec-websocket-extensions");
    assert_eq!(extensions, Some("permessage-deflate; server_no_context_takeover"));
    client
}

/// Writes bytes and reads as many; whether they are the same.
async fn echoes(client: &mut Client, bytes: &[u8]) -> bool {
    client.write(bytes).await;
    let mut read = Vec::with_capacity(bytes.len());
    while read.len() < bytes.len() {
        let more = client.bytes().await;
        assert!(!more.is_empty(), "the tunnel ended after {} bytes", read.len());
        read.extend(more);
    }
    read == bytes
}

/// The first byte of a frame (the end of its message, the reserved bits, the opcode), its mask,
/// its payload (RFC 6455, section 5.2).
fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        length @ ..126 => frame.push(masked | length as u8),
        length @ ..65536 => {
            frame.push(masked | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(masked | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    match mask {
        None => frame.extend(payload),
        Some(mask) => {
            frame.extend(mask);
            frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        }
    }
    frame
}

/// Every first byte, so every opcode with every reserved bit; every kind of length; masked or not.
fn frames() -> Vec<Vec<u8>> {
    let payload: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let mut frames = Vec::new();
    for mask in [None, Some([0; 4]), Some([0x37, 0xfa, 0x21, 0x3d])] {
        frames.extend((0..=255).map(|first| frame(first, mask, &payload[..first as usize / 3])));
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            frames.push(frame(0x82, mask, &payload[..length]));
        }
        // Compressed: RFC 7692, section 7.2.3.1.
        frames.push(frame(0xc1, mask, b"\xf2\x48\xcd\xc9\xc9\x07\x00"));
    }
    frames
}

/// Every close code that has a meaning, samples of those that applications choose, and those that
/// must not be sent; each with no reason, a short one and the longest.
fn closes() -> Vec<Vec<u8>> {
    let reasons = ["", "b\u{e9}", &"r".repeat(123)];
    let codes = (1000..=1015).chain([2999, 3000, 3001, 3999, 4000, 4001, 4999, 5000, 0, 65535]);
    let mut frames = vec![frame(0x88, Some([1, 2, 3, 4]), b""), frame(0x88, None, b"\x03")];
    for code in codes {
        for (reason, mask) in reasons.iter().zip([None, Some([9, 8, 7, 6]), Some([0; 4])]) {
            let payload = [&u16::to_be_bytes(code), reason.as_bytes()].concat();
            frames.push(frame(0x88, mask, &payload));
        }
    }
    frames
}

#[tokio::test]
async fn every_frame_and_close_code_passes_bit_by_bit() {
    let origin = echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for (name, frames) in [("frames", frames()), ("closes", closes())] {
        let mut client = tunnel(&modegate).await;
        assert_eq!(
            origin.received().pop().expect("it").header("sec-websocket-extensions"),
            Some(OFFER)
        );
        for frame in &frames {
            // A close frame is the peers' business: the tunnel does not end with it.
            assert!(
                echoes(&mut client, frame).await,
                "{name}: {:02x?}",
                &frame[..frame.len().min(20)]
            );
        }
        let all = frames.concat();
        assert!(echoes(&mut client, &all).await, "{name}, all at once");
        let received = origin.received().pop().expect("the tunnel");
        assert!(received.body == [&all[..], &all].concat(), "{name}: other bytes arrived");
        drop(client);
        modegate.counted("modegate_tunnels", &[], 0.0).await;
    }
}

#[tokio::test]
async fn messages_of_16_mib_pass_whole_and_in_fragments() {
    let origin = echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let message: Vec<u8> = (0..FRAME_LIMIT).map(|at| (at * 7 + at / 251) as u8).collect();
    let mask = Some([0xde, 0xad, 0xbe, 0xef]);
    let mut fragments = Vec::new();
    let parts: Vec<&[u8]> = message.chunks(1_000_003).collect();
    for (at, part) in parts.iter().enumerate() {
        let end = if at + 1 == parts.len() { 0x80 } else { 0 };
        fragments.extend(frame(end | if at == 0 { 2 } else { 0 }, mask, part));
        fragments.extend(frame(0x89, mask, &[at as u8; 9]));
    }
    for bytes in [frame(0x82, mask, &message), frame(0x82, None, &message), fragments] {
        let mut client = tunnel(&modegate).await;
        for part in bytes.chunks(bytes.len() / 64) {
            assert!(echoes(&mut client, part).await);
        }
        assert!(origin.received().pop().expect("the tunnel").body == bytes);
        origin.forget();
    }
}

#[tokio::test]
async fn tunnels_side_by_side_keep_apart_and_outlast_other_limits() {
    const TUNNELS: u8 = 24;
    let origin = echo().await;
    let limits = "[timeouts]\nidle = \"50ms\"\nkeep_alive = \"50ms\"\nheader = \"400ms\"\n\
         body = \"50ms\"\nfirst_byte = \"500ms\"\nstream_idle = \"50ms\"\npool_idle = \"50ms\"\n";
    let modegate = Modegate::start(&settings(&origin, limits)).await;
    let mut clients = Vec::new();
    for number in 0..TUNNELS {
        clients.push((number, tunnel(&modegate).await));
    }
    modegate.counted("modegate_tunnels", &[], f64::from(TUNNELS)).await;
    // An idle connection is closed meanwhile: that long the tunnels have been silent.
    let mut idle = Client::connect(modegate.frontend()).await;
    idle.closed().await;
    let mut talking = JoinSet::new();
    for (number, mut client) in clients {
        talking.spawn(async move {
            for round in 0..40 {
                let message = [number; 3000];
                let text = frame(0x81, Some([round; 4]), &message[..usize::from(round) * 75]);
                assert!(echoes(&mut client, &text).await, "tunnel {number}, round {round}");
            }
            client
        });
    }
    let clients = talking.join_all().await;
    assert_eq!(clients.len(), usize::from(TUNNELS));
    drop(clients);
    modegate.counted("modegate_tunnels", &[], 0.0).await;
    modegate.counted("modegate_connections", &[], 0.0).await;
}

#[tokio::test]
async fn a_connection_that_was_a_tunnel_is_never_used_again() {
    let (steps, answer) = script();
    let stepwise = std::sync::Mutex::new(Some(answer));
    let origin = Origin::start(move |request| match request.target() {
        "/plain" => Answer::ok("plain"),
        "/ends" => stepwise.lock().expect("no panic").take().expect("one such request"),
        _ => Answer::Tunnel(SWITCH.as_bytes().to_vec()),
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "[server]\nthreads = 1\n")).await;
    let plain = async || {
        let response = Client::once(modegate.frontend(), Request::get("/plain")).await;
        assert_eq!((response.status, response.text().as_str()), (200, "plain"));
        origin.last().connection
    };
    // The tunnel takes the pooled connection with it.
    assert_eq!(plain().await, 0);
    for end in ["close", "half-close", "reset", "a request", "the origin's end"] {
        let pooled = plain().await;
        let mut client = Client::connect(modegate.frontend()).await;
        match end {
            "the origin's end" => {
                let handshake = String::from_utf8(handshake().bytes()).expect("text");
                client.write(handshake.replace("/ws?clientId=a", "/ends")).await;
                steps.send(SWITCH);
                assert_eq!(client.head().await.expect("an answer").part(1), "101");
            }
            _ => {
                client.write(handshake().bytes()).await;
                assert_eq!(client.head().await.expect("an answer").part(1), "101");
                assert!(echoes(&mut client, &frame(0x89, Some([5; 4]), b"ping")).await);
            }
        }
        let tunnel = origin.received().pop().expect("the handshake").connection;
        assert_eq!(tunnel, pooled, "{end}: the tunnel is on the connection that was pooled");
        assert_ne!(plain().await, tunnel, "{end}: while the tunnel is open");
        match end {
            "half-close" => client.finish().await,
            "reset" => client.reset(),
            "a request" => {
                let request = Request::get("/plain").bytes();
                assert!(echoes(&mut client, &request).await, "a tunnel carries no requests");
                drop(client);
            }
            "the origin's end" => {
                steps.step(Step::Close);
                client.closed().await;
                drop(client);
            }
            _ => drop(client),
        }
        modegate.counted("modegate_tunnels", &[], 0.0).await;
        assert_ne!(plain().await, tunnel, "{end}: after the tunnel");
    }
}
