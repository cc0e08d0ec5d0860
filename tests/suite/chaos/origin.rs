//! The origin of the chaos: it answers by the id alone, and notes whatever should not have come.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;

use super::ask::{Ask, Load};
use crate::harness::{End, Framing, Head, Piece, Wire, tcp};

/// How long a connection may be silent: far longer than the process under test keeps one.
const SILENT: Duration = Duration::from_secs(5);

/// What the origin was sent.
#[derive(Debug, Default)]
pub struct Ledger {
    ids: HashSet<String>,
    /// Requests whose body broke off.
    pub cut: usize,
    /// What should not have come.
    pub wrong: Vec<String>,
}

impl Ledger {
    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.ids.len()
    }
}

/// A running origin.
pub struct ChaosOrigin {
    /// Where it listens.
    pub address: std::net::SocketAddr,
    ledger: Arc<Mutex<Ledger>>,
    /// Lent to every connection.
    open: Arc<()>,
    accepting: JoinHandle<()>,
}

impl Drop for ChaosOrigin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl ChaosOrigin {
    /// Starts it.
    pub async fn start() -> ChaosOrigin {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let ledger = Arc::<Mutex<Ledger>>::default();
        let open = Arc::new(());
        let (shared, lent) = (ledger.clone(), Arc::downgrade(&open));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (ledger, open) = (shared.clone(), lent.upgrade());
                tokio::spawn(async move {
                    serve(stream, ledger).await;
                    drop(open);
                });
            }
        });
        ChaosOrigin { address, ledger, open, accepting }
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        Arc::strong_count(&self.open) - 1
    }

    /// Looks at what came.
    pub fn ledger<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.ledger.lock().expect("no panic while it was held"))
    }
}

async fn serve(stream: TcpStream, ledger: Arc<Mutex<Ledger>>) {
    let Ok(io) = tcp(stream) else { return };
    let mut wire = Wire::new(io);
    while let Ok(Some(())) = timeout(SILENT, exchange(&mut wire, &ledger)).await {}
}

/// One request and its answer; `None` ends the connection.
async fn exchange(wire: &mut Wire, ledger: &Mutex<Ledger>) -> Option<()> {
    let head = wire.head().await?;
    let id = head.all("x-request-id").join(",");
    let ask = Ask::with(&id);
    {
        let mut ledger = ledger.lock().expect("no panic");
        match &ask {
            Some(ask) => ledger.wrong.extend(wrong_head(ask, &head)),
            None => ledger.wrong.push(format!("unknown: {head:?}")),
        }
        if !ledger.ids.insert(id.clone()) {
            ledger.wrong.push(format!("{id} came twice"));
        }
    }
    let ask = ask?;
    let mut framing = head.framing(Framing::None);
    let mut body = Vec::new();
    let end = loop {
        match wire.piece(&mut framing).await {
            Piece::Data(data) => body.extend(data),
            Piece::End(end, _) => break end,
        }
    };
    {
        let mut ledger = ledger.lock().expect("no panic");
        let expected = ask.arrives();
        match end {
            End::Clean if body == expected => {}
            End::Cut if expected.starts_with(&body) => ledger.cut += 1,
            _ => ledger.wrong.push(format!(
                "{id} {:?}: {end:?} after {} of {} bytes, own: {}",
                ask.load(),
                body.len(),
                expected.len(),
                ask.owns(&body),
            )),
        }
    }
    if end != End::Clean {
        return None;
    }
    answer(wire, &ask).await.ok()?;
    (!ask.is_last()).then_some(())
}

/// What is wrong with a request's head.
fn wrong_head(ask: &Ask, head: &Head) -> Option<String> {
    let inspected = matches!(ask.load(), Load::Message | Load::Events);
    let mode: &[&str] = if inspected { &["default"] } else { &[] };
    let right = head.part(1) == ask.target()
        && head.all("x-processing-mode") == mode
        && ask.owns(&head.raw);
    (!right).then(|| format!("{}: {head:?}", ask.id))
}

async fn answer(wire: &mut Wire, ask: &Ask) -> std::io::Result<()> {
    let pieces = ask.answer();
    let kind = match ask.load() {
        Load::Events => "text/event-stream",
        Load::Get => "text/plain",
        Load::Message | Load::Upload => "application/json",
    };
    let close = if ask.is_last() { "Connection: close\r\n" } else { "" };
    let framing = match ask.is_chunked() {
        true => "Transfer-Encoding: chunked".to_owned(),
        false => format!("Content-Length: {}", pieces.iter().map(String::len).sum::<usize>()),
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{close}{framing}\r\n\r\n");
    wire.write(head.as_bytes()).await?;
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        match ask.is_chunked() {
            true => wire.write(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await?,
            false => wire.write(piece.as_bytes()).await?,
        }
        // The answers of other connections go on meanwhile.
        yield_now().await;
    }
    if ask.is_chunked() { wire.write(b"0\r\n\r\n").await } else { Ok(()) }
}
