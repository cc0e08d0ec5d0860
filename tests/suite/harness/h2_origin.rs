//! A server of HTTP/2 behind the process under test, by hand: it records every stream and answers
//! by a script, frame by frame where a test wants that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::eventually;
use super::frame::{self, Frame};
use super::h2::only;
use super::hpack::{Decoder, Field, block};
use super::stream::{Io, tcp};
use super::wire::Wire;

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Streamed {
    /// Which connection it came on, from 0.
    pub connection: usize,
    /// Its stream.
    pub stream: u32,
    /// Its fields, pseudo-fields too.
    pub fields: Vec<Field>,
    /// Its body.
    pub body: Vec<u8>,
    /// Its trailers.
    pub trailers: Vec<Field>,
    /// Whether all of it is there.
    pub ended: bool,
    /// Whether it was reset, and with which code.
    pub reset: Option<u32>,
}

impl Streamed {
    /// The only value of a field.
    pub fn header(&self, name: &str) -> Option<&str> {
        only(&self.fields, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What is done with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// 200 with its own body, once it is there.
    Echo,
    /// These, once it is there; the stream is filled in.
    Frames(Vec<Frame>),
    /// These at once, before its body.
    Early(Vec<Frame>),
    /// Nothing; the test sends frames itself.
    Nothing,
}

impl Reply {
    /// A whole answer, with trailers where there are any.
    pub fn whole(
        status: &str,
        fields: &[(&str, &str)],
        body: &str,
        trailers: &[(&str, &str)],
    ) -> Reply {
        let mut head = vec![(":status", status)];
        head.extend(fields);
        let end = |last: bool| if last { frame::END_STREAM } else { 0 };
        let mut frames =
            vec![Frame::headers(0, block(&head), end(body.is_empty() && trailers.is_empty()))];
        if !body.is_empty() {
            frames.push(Frame::data(0, body, end(trailers.is_empty())));
        }
        if !trailers.is_empty() {
            frames.push(Frame::headers(0, block(trailers), frame::END_STREAM));
        }
        Reply::Frames(frames)
    }
}

type Script = dyn Fn(&Streamed) -> Reply + Send + Sync;

#[derive(Default)]
struct State {
    received: Vec<Streamed>,
    /// Where each connection takes frames from the test; gone with the connection.
    connections: Vec<Option<mpsc::UnboundedSender<Frame>>>,
    /// The most streams that were open at once on one connection.
    most: usize,
}

/// A running server of HTTP/2 over TLS; it ends with the test.
pub struct H2Origin {
    port: u16,
    state: Arc<Mutex<State>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for H2Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl H2Origin {
    /// A server with these means and settings; what offers no HTTP/2 in its TLS is not served.
    pub async fn start(
        tls: TlsAcceptor,
        settings: &[(u16, u32)],
        script: impl Fn(&Streamed) -> Reply + Send + Sync + 'static,
    ) -> H2Origin {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (state, script) = (Arc::new(Mutex::new(State::default())), Arc::new(script));
        let (shared, settings) = (state.clone(), Frame::settings(settings));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, state, script) = (tls.clone(), shared.clone(), script.clone());
                let settings = settings.clone();
                tokio::spawn(async move {
                    let Ok((io, reset)) = tcp(stream) else { return };
                    let Ok(io) = tls.accept(io).await else { return };
                    let io: Box<dyn Io> = Box::new(io);
                    serve(Wire::new((io, reset)), settings, &state, &*script).await;
                });
            }
        });
        H2Origin { port, state, accepting }
    }

    /// What a configuration calls it.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// What it is called in `:authority`.
    pub fn authority(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Streamed> {
        self.lock().received.clone()
    }

    /// The last request.
    pub fn last(&self) -> Streamed {
        self.lock().received.last().cloned().expect("a request")
    }

    /// Waits for a request, counted from 1, that is as it should be.
    pub async fn wait_for(&self, at: usize, ready: impl Fn(&Streamed) -> bool) -> Streamed {
        eventually("a request at the origin", async || {
            self.lock().received.get(at - 1).filter(|one| ready(one)).cloned()
        })
        .await
    }

    /// How many connections there were.
    pub fn accepted(&self) -> usize {
        self.lock().connections.len()
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.lock().connections.iter().flatten().count()
    }

    /// The most streams that were open at once on one connection.
    pub fn most(&self) -> usize {
        self.lock().most
    }

    /// Sends a frame on a connection, from 0.
    pub fn send(&self, connection: usize, frame: Frame) {
        if let Some(frames) = &self.lock().connections[connection] {
            let _ = frames.send(frame);
        }
    }

    /// Ends a connection.
    pub fn close(&self, connection: usize) {
        self.lock().connections[connection] = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it was held")
    }
}

async fn serve(mut wire: Wire, settings: Frame, state: &Mutex<State>, script: &Script) {
    let lock = || state.lock().expect("no panic");
    let (sender, mut told) = mpsc::unbounded_channel();
    let connection = {
        let mut state = lock();
        state.connections.push(Some(sender));
        state.connections.len() - 1
    };
    let mut peer =
        Peer { connection, state, script, decoder: Decoder::default(), open: HashMap::new() };
    let mut answers = vec![settings];
    if wire.await_bytes(frame::PREFACE.len()).await.is_some() {
        assert_eq!(wire.take(frame::PREFACE.len()), frame::PREFACE);
        loop {
            let bytes: Vec<u8> = answers.iter().flat_map(Frame::bytes).collect();
            if !bytes.is_empty() && wire.write(&bytes).await.is_err() {
                break;
            }
            answers = tokio::select! {
                biased;
                told = told.recv() => match told {
                    Some(frame) => peer.sent(vec![frame]),
                    None => break,
                },
                read = Frame::read(&mut wire) => match read {
                    Some(frame) => peer.read(frame),
                    None => break,
                },
            };
        }
    }
    let _ = wire.finish().await;
    lock().connections[connection] = None;
}

/// One connection's other side.
struct Peer<'s> {
    connection: usize,
    state: &'s Mutex<State>,
    script: &'s Script,
    decoder: Decoder,
    /// The streams without an end on both sides: the request's place, and what is sent then.
    open: HashMap<u32, (usize, Reply)>,
}

impl Peer<'_> {
    /// Takes a frame; gives what is sent in answer.
    fn read(&mut self, read: Frame) -> Vec<Frame> {
        match read.kind {
            frame::SETTINGS if !read.has(frame::ACK) => {
                return vec![Frame::new(frame::SETTINGS, frame::ACK, 0, [])];
            }
            frame::PING if !read.has(frame::ACK) => {
                return vec![Frame::new(frame::PING, frame::ACK, 0, read.payload)];
            }
            frame::HEADERS => self.head(&read),
            frame::RST_STREAM => {
                if let Some((at, _)) = self.open.remove(&read.stream) {
                    self.request(at, |request| request.reset = Some(read.number(0)));
                }
                return Vec::new();
            }
            frame::DATA => {}
            _ => return Vec::new(),
        }
        let Some((at, reply)) = self.open.get_mut(&read.stream) else { return Vec::new() };
        let (at, mut answers) = (*at, Vec::new());
        if let Reply::Early(frames) = reply {
            answers = std::mem::take(frames);
        }
        let reply = reply.clone();
        if read.kind == frame::DATA {
            self.request(at, |request| request.body.extend(&read.payload));
            if !read.payload.is_empty() {
                let more = read.payload.len() as u32;
                answers.push(Frame::window_update(0, more));
                answers.push(Frame::window_update(read.stream, more));
            }
        }
        if read.has(frame::END_STREAM) {
            self.request(at, |request| request.ended = true);
            answers.extend(match reply {
                Reply::Echo => {
                    let body = self.request(at, |request| request.body.clone());
                    let head = block(&[(":status", "200"), ("content-type", "text/plain")]);
                    let mut frames = vec![Frame::headers(0, head, 0)];
                    frames.extend(body.chunks(16_384).map(|data| Frame::data(0, data, 0)));
                    frames.push(Frame::data(0, [], frame::END_STREAM));
                    frames
                }
                Reply::Frames(frames) => frames,
                Reply::Early(_) | Reply::Nothing => Vec::new(),
            });
        }
        for answer in &mut answers {
            let whole = matches!(answer.kind, frame::GOAWAY | frame::PING | frame::SETTINGS);
            if answer.stream == 0 && !whole && answer.kind != frame::WINDOW_UPDATE {
                answer.stream = read.stream;
            }
        }
        self.sent(answers)
    }

    fn head(&mut self, read: &Frame) {
        assert!(read.has(frame::END_HEADERS), "a head in one frame");
        let fields = self.decoder.fields(&read.payload);
        match self.open.get(&read.stream) {
            Some((at, _)) => self.request(*at, |request| request.trailers = fields),
            None => {
                let (connection, stream) = (self.connection, read.stream);
                let request = Streamed { connection, stream, fields, ..Streamed::default() };
                let reply = (self.script)(&request);
                let mut state = self.state.lock().expect("no panic");
                state.received.push(request);
                self.open.insert(stream, (state.received.len() - 1, reply));
                state.most = state.most.max(self.open.len());
            }
        }
    }

    /// Notes which streams end with what is sent.
    fn sent(&mut self, frames: Vec<Frame>) -> Vec<Frame> {
        for frame in &frames {
            let ends = matches!(frame.kind, frame::DATA | frame::HEADERS);
            if ends && frame.has(frame::END_STREAM) || frame.kind == frame::RST_STREAM {
                self.open.remove(&frame.stream);
            }
        }
        frames
    }

    fn request<T>(&self, at: usize, with: impl FnOnce(&mut Streamed) -> T) -> T {
        with(&mut self.state.lock().expect("no panic").received[at])
    }
}
