//! A network between a client and a server that fails in one way. Where on a connection it does,
//! and by how much, follows from a seed and the connection's number.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// The longest that a piece is held up.
const LATENCY_MS: u64 = 6;
/// Bytes a second.
const BANDWIDTH: usize = 512 * 1024;
/// How much of each direction is cut into single bytes; after that it is slices. Heads and the
/// beginnings of bodies are in it, and more would only keep the machine busy.
const SINGLE: usize = 4 * 1024;
/// The largest of the small slices.
const SLICE: usize = 100;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Towards {
    Server,
    Client,
}

/// What a connection suffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every piece is late, by more or less.
    Latency,
    /// Bytes arrive one by one.
    Bytes,
    /// Bytes arrive in small slices.
    Slices,
    /// Bytes arrive at a limited rate.
    Bandwidth,
    /// After so many bytes of this direction both sides see a reset.
    Reset(Towards),
    /// After so many bytes this direction ends, and the other one goes on.
    HalfClose(Towards),
    /// After so many bytes of this direction nothing passes any more, not even an end.
    Silence(Towards),
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 11] = [
        Fault::None,
        Fault::Latency,
        Fault::Bytes,
        Fault::Slices,
        Fault::Bandwidth,
        Fault::Reset(Towards::Server),
        Fault::Reset(Towards::Client),
        Fault::HalfClose(Towards::Server),
        Fault::HalfClose(Towards::Client),
        Fault::Silence(Towards::Server),
        Fault::Silence(Towards::Client),
    ];

    /// Whether every byte arrives in the end.
    pub fn is_lossless(self) -> bool {
        !matches!(self, Fault::Reset(_) | Fault::HalfClose(_) | Fault::Silence(_))
    }

    fn cuts(self, direction: Towards) -> bool {
        let (Fault::Reset(towards) | Fault::HalfClose(towards) | Fault::Silence(towards)) = self
        else {
            return false;
        };
        towards == direction
    }
}

/// How often each fault was injected: once a connection where it cuts, else once a piece.
#[derive(Debug, Default)]
pub struct Tally([AtomicUsize; Fault::ALL.len()]);

impl Tally {
    fn count(&self, fault: Fault) {
        for (count, _) in self.0.iter().zip(Fault::ALL).filter(|(_, of)| *of == fault) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// The count of every fault; [`Fault::None`] counts pieces that went through as they came.
    pub fn counts(&self) -> impl Iterator<Item = (Fault, usize)> {
        Fault::ALL.into_iter().zip(self.0.iter().map(|count| count.load(Relaxed)))
    }
}

/// A running fault proxy; its connections end with it.
pub struct FaultProxy {
    /// Where it listens.
    pub address: SocketAddr,
    healed: Arc<AtomicBool>,
    hang_up: Arc<Notify>,
    accepting: JoinHandle<()>,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl FaultProxy {
    /// A proxy in front of `server` whose connections all suffer `fault`.
    pub async fn start(
        server: SocketAddr,
        fault: Fault,
        seed: u64,
        tally: Arc<Tally>,
    ) -> FaultProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let healed = Arc::new(AtomicBool::new(false));
        let hang_up = Arc::new(Notify::new());
        let (told, ending) = (healed.clone(), hang_up.clone());
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            let mut numbers = 0..;
            loop {
                let client = tokio::select! {
                    accepted = listener.accept() => accepted.expect("a connection").0,
                    Some(_) = connections.join_next() => continue,
                    () = ending.notified() => {
                        connections.abort_all();
                        continue;
                    }
                };
                let number = numbers.next().expect("one more");
                let fault = if told.load(Relaxed) { Fault::None } else { fault };
                // Neighbouring seeds draw alike, so one draws the next.
                let rng = Rng::with_seed(Rng::with_seed(seed).u64(..).wrapping_add(number));
                connections.spawn(carry(client, server, fault, rng, tally.clone()));
            }
        });
        FaultProxy { address, healed, hang_up, accepting }
    }

    /// Ends every connection.
    pub fn hang_up(&self) {
        self.hang_up.notify_one();
    }

    /// From now on new connections suffer nothing, or what they did.
    pub fn heal(&self, healed: bool) {
        self.healed.store(healed, Relaxed);
    }
}

/// Why a connection's two directions end together.
enum Broken {
    Reset,
    Silence,
}

/// One connection from its start to its end.
async fn carry(
    mut client: TcpStream,
    server: SocketAddr,
    fault: Fault,
    mut rng: Rng,
    tally: Arc<Tally>,
) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let there = Course::new(fault, Towards::Server, &mut rng, &tally);
    let back = Course::new(fault, Towards::Client, &mut rng, &tally);
    let (client_reader, client_writer) = client.split();
    let (server_reader, server_writer) = server.split();
    let carried = tokio::try_join!(
        direction(client_reader, server_writer, there),
        direction(server_reader, client_writer, back),
    );
    match carried {
        Ok(_) => {}
        Err(Broken::Reset) => {
            let _ = (client.set_zero_linger(), server.set_zero_linger());
        }
        Err(Broken::Silence) => {
            let (client_reader, _client) = client.split();
            let (server_reader, _server) = server.split();
            tokio::join!(swallow(client_reader), swallow(server_reader));
        }
    }
}

async fn direction(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut course: Course<'_>,
) -> Result<(), Broken> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        // The reset of one side is the other's.
        let read = from.read(&mut buffer).await.map_err(|_| Broken::Reset)?;
        if read == 0 {
            let _ = to.shutdown().await;
            return Ok(());
        }
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(course.piece(rest.len()));
            course.hold_up(piece.len()).await;
            to.write_all(piece).await.map_err(|_| Broken::Reset)?;
            rest = later;
            if course.passed(piece.len()).is_continue() {
                continue;
            }
            match course.fault {
                Fault::HalfClose(_) => {
                    let _ = to.shutdown().await;
                    swallow(from).await;
                    return Ok(());
                }
                Fault::Silence(_) => return Err(Broken::Silence),
                _ => return Err(Broken::Reset),
            }
        }
    }
}

/// Reads to the end, for nobody.
async fn swallow(mut from: ReadHalf<'_>) {
    let mut buffer = vec![0; 16 * 1024];
    while matches!(from.read(&mut buffer).await, Ok(1..)) {}
}

/// What happens to one direction of a connection.
struct Course<'t> {
    fault: Fault,
    /// How many bytes pass before the cut.
    cut_after: Option<usize>,
    passed: usize,
    rng: Rng,
    tally: &'t Tally,
}

impl Course<'_> {
    fn new<'t>(fault: Fault, way: Towards, rng: &mut Rng, tally: &'t Tally) -> Course<'t> {
        let mut rng = rng.fork();
        // Heads, messages, and the long bodies: a cut falls into each often enough.
        let most = [400, 4 * 1024, 64 * 1024][rng.usize(..3)];
        let cut_after = fault.cuts(way).then(|| rng.usize(1..=most));
        Course { fault, cut_after, passed: 0, rng, tally }
    }

    /// How many of the bytes that are there go next.
    fn piece(&mut self, there: usize) -> usize {
        let piece = match self.fault {
            Fault::Bytes if self.passed < SINGLE => 1,
            Fault::Bytes | Fault::Slices => self.rng.usize(1..=SLICE),
            Fault::Bandwidth => 4 * 1024,
            _ => there,
        };
        let left = self.cut_after.map_or(there, |cut| cut - self.passed);
        piece.min(left).min(there)
    }

    async fn hold_up(&mut self, piece: usize) {
        let time = match self.fault {
            Fault::Latency => Duration::from_millis(self.rng.u64(0..=LATENCY_MS)),
            Fault::Bandwidth => Duration::from_secs(1) * piece as u32 / BANDWIDTH as u32,
            _ => return,
        };
        sleep_until(Instant::now() + time).await;
    }

    /// Counts a piece; breaks where the cut is.
    fn passed(&mut self, piece: usize) -> ControlFlow<()> {
        self.passed += piece;
        let cut = self.cut_after == Some(self.passed);
        if cut || self.fault.is_lossless() {
            self.tally.count(self.fault);
        }
        if cut { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
