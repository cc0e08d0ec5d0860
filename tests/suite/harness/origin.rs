//! A server behind the process under test: it records what it is sent and answers by a script.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::stream::{Address, Io, Reset, tcp};
use super::wire::{End, Framing, Head, Piece, Wire};
use super::{eventually, within};

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Which connection it came on, from 0.
    pub connection: usize,
    /// Its head.
    pub head: Head,
    /// Its body, without the framing.
    pub body: Vec<u8>,
    /// Its trailers.
    pub trailers: Vec<(String, String)>,
    /// How the body ended; `None` while it is still coming.
    pub end: Option<End>,
}

impl Received {
    /// The method.
    pub fn method(&self) -> &str {
        self.head.part(0)
    }

    /// The target.
    pub fn target(&self) -> &str {
        self.head.part(1)
    }

    /// The only value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What an origin does with a request whose head it has read.
pub enum Answer {
    /// Reads the body, then sends these bytes and goes on.
    Bytes(Vec<u8>),
    /// Reads the body, then answers with it: 200 and a Content-Length.
    Echo,
    /// Reads the body, sends these bytes and closes.
    ThenClose(Vec<u8>),
    /// Reads the body, sends these bytes and resets the connection.
    ThenReset(Vec<u8>),
    /// Reads the body, then does what the test says, step by step.
    Steps(mpsc::UnboundedReceiver<Step>),
    /// Sends these bytes before it reads the body.
    Early(Vec<u8>),
    /// Never reads the body, nor answers.
    Deaf,
    /// Sends these bytes, then echoes whatever comes until either side ends.
    Tunnel(Vec<u8>),
}

/// A step of a scripted answer.
#[derive(Clone, Debug)]
pub enum Step {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Close the connection.
    Close,
    /// Reset the connection.
    Reset,
    /// Take the next request; so does a test that lets go of the steps.
    Next,
}

/// The two ends of a step-wise answer: the test's, and the origin's.
pub fn script() -> (Steps, Answer) {
    let (steps, told) = mpsc::unbounded_channel();
    (Steps(steps), Answer::Steps(told))
}

/// The test's end of a step-wise answer.
#[derive(Clone, Debug)]
pub struct Steps(mpsc::UnboundedSender<Step>);

impl Steps {
    /// The next step.
    pub fn step(&self, step: Step) {
        self.0.send(step).expect("the origin still answers");
    }

    /// Sends bytes.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        self.step(Step::Send(bytes.as_ref().to_vec()));
    }

    /// Sends bytes as one chunk.
    pub fn chunk(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.send([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat());
    }
}

/// The steps of an origin's answers, one after the other, in the order of the requests.
pub struct Scripts(mpsc::UnboundedReceiver<Steps>);

impl Scripts {
    /// The steps of the next answer, once its request is there.
    pub async fn next(&mut self) -> Steps {
        within("a request at the origin", self.0.recv()).await.expect("the origin runs")
    }
}

impl Answer {
    /// 200 with this body.
    pub fn ok(body: &str) -> Answer {
        Answer::status("200 OK", "", body)
    }

    /// Any status line and fields (each with its CRLF), with this body.
    pub fn status(status: &str, fields: &str, body: &str) -> Answer {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n{body}");
        Answer::Bytes(text.into_bytes())
    }
}

type Script = dyn Fn(&Received) -> Answer + Send + Sync;

#[derive(Default)]
struct State {
    received: Vec<Received>,
    forgotten: usize,
    accepted: usize,
    open: usize,
    bytes: usize,
}

/// A running origin; it ends with the test.
pub struct Origin {
    /// Where it listens.
    pub address: Address,
    state: Arc<Mutex<State>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Origin {
    /// An origin that answers every request with its own body.
    pub async fn echo() -> Origin {
        Origin::start(|_| Answer::Echo).await
    }

    /// An origin whose answers the test steps through.
    pub async fn stepwise() -> (Origin, Scripts) {
        let (scripts, told) = mpsc::unbounded_channel();
        let origin = Origin::start(move |_| {
            let (steps, answer) = script();
            let _ = scripts.send(steps);
            answer
        })
        .await;
        (origin, Scripts(told))
    }

    /// An origin on a TCP port.
    pub async fn start(script: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Origin {
        Origin::start_tls(None, script).await
    }

    /// An origin that speaks TLS, where it has the means.
    pub async fn start_tls(
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = Address::Tcp(listener.local_addr().expect("its address"));
        let (state, script) = (Arc::new(Mutex::new(State::default())), Arc::new(script));
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, state, script) = (tls.clone(), shared.clone(), script.clone());
                tokio::spawn(async move {
                    let Ok((io, reset)) = tcp(stream) else { return };
                    let io: Box<dyn Io> = match tls {
                        None => io,
                        Some(tls) => match tls.accept(io).await {
                            Ok(io) => Box::new(io),
                            Err(_) => return,
                        },
                    };
                    serve(Wire::new((io, reset)), &state, &*script).await;
                });
            }
        });
        Origin { address, state, accepting }
    }

    /// An origin on a unix socket.
    pub async fn start_unix(
        path: &std::path::Path,
        script: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Origin {
        let listener = UnixListener::bind(path).expect("a socket");
        let address = Address::Unix(path.to_owned());
        let (state, script) = (Arc::new(Mutex::new(State::default())), Arc::new(script));
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, script) = (shared.clone(), script.clone());
                tokio::spawn(async move {
                    let io = Box::new(stream) as Box<dyn Io>;
                    serve(Wire::new((io, Reset::default())), &state, &*script).await;
                });
            }
        });
        Origin { address, state, accepting }
    }

    /// What a configuration calls it.
    pub fn url(&self) -> String {
        match &self.address {
            Address::Tcp(address) => format!("http://{address}"),
            Address::Unix(_) => self.address.to_string(),
        }
    }

    /// Every request so far, those included whose body is still coming.
    pub fn received(&self) -> Vec<Received> {
        let state = self.lock();
        state.received[state.forgotten..].to_vec()
    }

    /// How many requests came so far.
    pub fn requests(&self) -> usize {
        let state = self.lock();
        state.received.len() - state.forgotten
    }

    /// The last request, read to its end.
    pub fn last(&self) -> Received {
        let state = self.lock();
        let last = state.received[state.forgotten..].last().cloned().expect("a request");
        drop(state);
        assert!(last.end.is_some(), "the request's body is still coming: {:?}", last.head);
        last
    }

    /// Waits for this many requests, and gives the last of them as it is then.
    pub async fn wait_for(&self, requests: usize) -> Received {
        eventually("a request at the origin", async || {
            let state = self.lock();
            state.received[state.forgotten..].get(requests - 1).cloned()
        })
        .await
    }

    /// How many connections were accepted so far.
    pub fn accepted(&self) -> usize {
        self.lock().accepted
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.lock().open
    }

    /// How many bytes came so far.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Forgets what it received; what is still coming of it goes unseen.
    pub fn forget(&self) {
        let mut state = self.lock();
        state.forgotten = state.received.len();
        state.received.iter_mut().for_each(|received| received.body = Vec::new());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it was held")
    }
}

async fn serve(mut wire: Wire, state: &Mutex<State>, script: &Script) {
    let connection = {
        let mut state = state.lock().expect("no panic");
        state.accepted += 1;
        state.open += 1;
        state.accepted - 1
    };
    while let Some(head) = wire.head().await {
        if let Next::Gone(ending) = request(&mut wire, head, connection, state, script).await {
            if ending == Ending::Reset {
                wire.reset();
            }
            break;
        }
    }
    state.lock().expect("no panic").open -= 1;
}

enum Next {
    Request,
    Gone(Ending),
}

#[derive(PartialEq, Eq)]
enum Ending {
    Close,
    Reset,
}

async fn request(
    wire: &mut Wire,
    head: Head,
    connection: usize,
    state: &Mutex<State>,
    script: &Script,
) -> Next {
    let framing = head.framing(Framing::None);
    let received = Received { connection, head, ..Received::default() };
    let answer = script(&received);
    let at = {
        let mut state = state.lock().expect("no panic");
        state.bytes += received.head.raw.len();
        state.received.push(received);
        state.received.len() - 1
    };
    let mut early = Vec::new();
    match &answer {
        Answer::Deaf => {
            // Its end shows only when the process gives up; what it sends stays where it is.
            std::future::pending::<()>().await;
        }
        Answer::Early(bytes) => early.clone_from(bytes),
        _ => {}
    }
    let _ = wire.write(&early).await;
    read_body(wire, framing, state, at).await;
    match answer {
        Answer::Bytes(bytes) => sent(wire, &bytes).await,
        Answer::Echo => {
            let body = state.lock().expect("no panic").received[at].body.clone();
            let mut bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            bytes.insert_str(17, "Content-Type: application/octet-stream\r\n");
            sent(wire, &[bytes.into_bytes(), body].concat()).await
        }
        Answer::ThenClose(bytes) => {
            let _ = wire.write(&bytes).await;
            Next::Gone(Ending::Close)
        }
        Answer::ThenReset(bytes) => {
            let _ = wire.write(&bytes).await;
            Next::Gone(Ending::Reset)
        }
        Answer::Steps(steps) => step(wire, steps).await,
        Answer::Tunnel(bytes) => {
            let _ = wire.write(&bytes).await;
            while !wire.unread().is_empty() || wire.fill().await {
                let bytes = wire.take(wire.unread().len());
                state.lock().expect("no panic").received[at].body.extend(&bytes);
                if wire.write(&bytes).await.is_err() {
                    break;
                }
            }
            Next::Gone(Ending::Close)
        }
        Answer::Early(_) | Answer::Deaf => Next::Request,
    }
}

async fn sent(wire: &mut Wire, bytes: &[u8]) -> Next {
    match wire.write(bytes).await {
        Ok(()) => Next::Request,
        Err(_) => Next::Gone(Ending::Close),
    }
}

async fn read_body(wire: &mut Wire, mut framing: Framing, state: &Mutex<State>, at: usize) {
    loop {
        let piece = wire.piece(&mut framing).await;
        let mut state = state.lock().expect("no panic");
        let bytes = if let Piece::Data(data) = &piece { data.len() } else { 0 };
        state.bytes += bytes;
        let received = &mut state.received[at];
        match piece {
            Piece::Data(data) => received.body.extend(data),
            Piece::End(end, trailers) => {
                received.end = Some(end);
                received.trailers = trailers;
                return;
            }
        }
    }
}

/// Follows the steps; ends when the other side does.
async fn step(wire: &mut Wire, mut steps: mpsc::UnboundedReceiver<Step>) -> Next {
    loop {
        let step = tokio::select! {
            step = steps.recv() => step,
            more = wire.fill() => match more {
                true => continue,
                false => return Next::Gone(Ending::Close),
            },
        };
        match step {
            Some(Step::Send(bytes)) => {
                if wire.write(&bytes).await.is_err() {
                    return Next::Gone(Ending::Close);
                }
            }
            Some(Step::Close) => return Next::Gone(Ending::Close),
            Some(Step::Reset) => return Next::Gone(Ending::Reset),
            Some(Step::Next) | None => return Next::Request,
        }
    }
}
