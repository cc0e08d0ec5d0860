//! Two peers of a well-kept library with the process between them: what one writes, the other
//! reads, and not a byte on the wire is another.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use super::{FRAME_LIMIT, SWITCH, handshake};
use crate::harness::{DEADLINE, Modegate, listener};

/// Longer messages are sent in fragments of this many bytes, with a ping after each.
const FRAGMENT: usize = 100_000;

/// What went over a connection: read, written.
type Log = Arc<Mutex<(Vec<u8>, Vec<u8>)>>;

/// A connection whose bytes are kept.
struct Recorded {
    stream: TcpStream,
    log: Log,
}

impl Read for Recorded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.log.lock().expect("no panic").0.extend(&buffer[..read]);
        Ok(read)
    }
}

impl Write for Recorded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(bytes)?;
        self.log.lock().expect("no panic").1.extend(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

type Socket = WebSocket<Recorded>;

/// A peer on a connection that has been switched.
fn peer(stream: TcpStream, role: Role) -> (Socket, Log) {
    let log = Log::default();
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let recorded = Recorded { stream, log: log.clone() };
    (WebSocket::from_raw_socket(recorded, role, Some(config)), log)
}

/// Reads a head, and nothing behind it.
fn head(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream.set_nodelay(true).expect("no delay");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.extend(byte);
    }
    String::from_utf8(head).expect("text")
}

fn client(modegate: &Modegate) -> (Socket, Log) {
    let mut stream = TcpStream::connect(modegate.frontend().tcp()).expect("a connection");
    stream.write_all(&handshake().bytes()).expect("a write");
    assert!(head(&mut stream).starts_with("HTTP/1.1 101 "));
    peer(stream, Role::Client)
}

/// Sends a message, in fragments with pings between them where it is long.
fn send(socket: &mut Socket, message: Message) {
    let (kind, data) = match &message {
        Message::Text(text) => (Data::Text, text.as_str().as_bytes().to_vec()),
        Message::Binary(data) if data.len() < FRAME_LIMIT => (Data::Binary, data.to_vec()),
        _ => return socket.send(message).expect("a write"),
    };
    let last = data.len().saturating_sub(1) / FRAGMENT;
    for at in 0..=last {
        let fragment = data[at * FRAGMENT..data.len().min((at + 1) * FRAGMENT)].to_vec();
        let opcode = OpCode::Data(if at == 0 { kind } else { Data::Continue });
        let frame = Frame::message(fragment, opcode, at == last);
        socket.send(Message::Frame(frame)).expect("a write");
        if at < last {
            socket.send(Message::Ping(vec![at as u8; 125].into())).expect("a write");
        }
    }
}

/// The next message that is neither ping nor pong; counts the pongs.
fn receive(socket: &mut Socket, pongs: &mut usize) -> Result<Message, Error> {
    loop {
        match socket.read()? {
            Message::Ping(_) => {}
            Message::Pong(_) => *pongs += 1,
            message => return Ok(message),
        }
    }
}

/// Serves one tunnel: echoes messages, closes as a text `close CODE REASON` asks; gives the close
/// frame that it received, and what went over its connection.
fn serve(listener: TcpListener) -> JoinHandle<(Option<CloseFrame>, Log)> {
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        head(&mut stream);
        stream.write_all(SWITCH.as_bytes()).expect("a write");
        let (mut socket, log) = peer(stream, Role::Server);
        let (mut closed, mut pongs) = (None, 0);
        loop {
            match receive(&mut socket, &mut pongs) {
                Ok(Message::Close(frame)) => closed = frame,
                Ok(Message::Text(text)) if text.starts_with("close ") => {
                    let mut words = text.splitn(3, ' ').skip(1);
                    let code: u16 =
                        words.next().and_then(|code| code.parse().ok()).expect("a code");
                    let reason = words.next().unwrap_or_default().to_owned();
                    socket.close(Some(close_frame(code, &reason))).expect("a close");
                }
                Ok(message) => send(&mut socket, message),
                Err(Error::ConnectionClosed) => return (closed, log),
                Err(error) => panic!("the server's peer: {error}"),
            }
        }
    })
}

fn close_frame(code: u16, reason: &str) -> CloseFrame {
    CloseFrame { code: CloseCode::from(code), reason: reason.to_owned().into() }
}

async fn start() -> (Modegate, TcpListener) {
    let origin = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", origin.local_addr().expect("its address"));
    (Modegate::start(&listener("frontend", &url)).await, origin)
}

/// What one side wrote is what the other read.
fn assert_identical(client: &Log, server: &Log) {
    let (client, server) = (client.lock().expect("no panic"), server.lock().expect("no panic"));
    assert!(client.1 == server.0, "{} bytes became {}", client.1.len(), server.0.len());
    assert!(server.1 == client.0, "{} bytes became {}", server.1.len(), client.0.len());
}

#[tokio::test]
async fn two_peers_read_what_the_other_wrote() {
    let (modegate, origin) = start().await;
    let serving = serve(origin);
    let (mut socket, log) = client(&modegate);
    let mut pongs = 0;
    let long = "h\u{e9}\u{1f600} ".repeat(60_000);
    let data: Vec<u8> = (0..FRAME_LIMIT).map(|at| (at / 3 + at / 65_537) as u8).collect();
    let fragments = [long.len(), FRAME_LIMIT - 1].map(|length| (length - 1) / FRAGMENT);
    let messages = [
        Message::text(""),
        Message::text("h\u{e9}llo"),
        Message::binary(Vec::new()),
        Message::binary(vec![0xff; 126]),
        // In fragments, in fragments, in one frame.
        Message::text(long),
        Message::binary(data[1..].to_vec()),
        Message::binary(data),
    ];
    for message in messages {
        send(&mut socket, message.clone());
        let echo = receive(&mut socket, &mut pongs).expect("an echo");
        assert!(echo == message, "another message came back");
    }
    for payload in [&b""[..], b"p", &[0x80; 125]] {
        socket.send(Message::Ping(payload.to_vec().into())).expect("a write");
        assert_eq!(socket.read().expect("a pong"), Message::Pong(payload.to_vec().into()));
    }
    assert!(pongs >= 1 && pongs <= fragments.iter().sum(), "pongs between fragments: {pongs}");
    // Unasked, which is allowed (section 5.5.3).
    socket.send(Message::Pong(b"unasked".to_vec().into())).expect("a write");
    socket.close(Some(close_frame(1000, "done"))).expect("a close");
    let end = std::iter::from_fn(|| Some(socket.read())).find_map(Result::err);
    assert!(matches!(end, Some(Error::ConnectionClosed)), "{end:?}");
    let (closed, served) = serving.join().expect("no panic");
    assert_eq!(closed, Some(close_frame(1000, "done")));
    assert_identical(&log, &served);
}

#[tokio::test]
async fn either_peer_closes_with_any_code() {
    let (modegate, origin) = start().await;
    let codes = (1000..=1014).chain([3000, 3001, 3999, 4000, 4001, 4999]);
    let codes: Vec<u16> = codes.filter(|code| CloseCode::from(*code).is_allowed()).collect();
    assert!(codes.len() >= 15, "{codes:?}");
    for code in codes {
        let reason = if code % 2 == 0 { "r\u{e9}ason".to_owned() } else { "r".repeat(123) };
        for closer in [Role::Client, Role::Server] {
            let serving = serve(origin.try_clone().expect("a listener"));
            let (mut socket, log) = client(&modegate);
            match closer {
                Role::Client => {
                    socket.close(Some(close_frame(code, &reason))).expect("a close");
                }
                Role::Server => {
                    let ask = Message::text(format!("close {code} {reason}"));
                    socket.send(ask).expect("a write");
                }
            }
            let frame = match socket.read().expect("a close frame") {
                Message::Close(frame) => frame,
                other => panic!("{code}: {other:?}"),
            };
            assert_eq!(frame, Some(close_frame(code, &reason)), "{closer:?} closes");
            let end = socket.read().expect_err("the end");
            assert!(matches!(end, Error::ConnectionClosed), "{code}, {closer:?} closes: {end}");
            let (closed, served) = serving.join().expect("no panic");
            assert_eq!(closed, Some(close_frame(code, &reason)), "{closer:?} closes");
            assert_identical(&log, &served);
        }
    }
    modegate.counted("modegate_tunnels", &[], 0.0).await;
}
