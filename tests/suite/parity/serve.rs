//! A server whose answers may take their time, and connections that are used again: cheap enough
//! for thousands of messages at once.

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::harness::{
    Address, Client, End, Framing, Piece, Received, Request, Response, Wire, tcp,
};

/// A running server; it ends with the test.
pub struct Server {
    address: Address,
    accepting: JoinHandle<()>,
}

impl Server {
    /// A server on a TCP port that answers each whole request with the bytes that `answer` gives.
    pub async fn start<A: Future<Output = Vec<u8>> + Send>(
        answer: impl Fn(Received) -> A + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = Address::Tcp(listener.local_addr().expect("its address"));
        let answer = Arc::new(answer);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = tcp(stream) {
                        serve(Wire::new(stream), &*answer).await;
                    }
                });
            }
        });
        Server { address, accepting }
    }

    /// What a configuration calls it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve<A: Future<Output = Vec<u8>>>(mut wire: Wire, answer: &impl Fn(Received) -> A) {
    while let Some(head) = wire.head().await {
        let mut framing = head.framing(Framing::None);
        let mut body = Vec::new();
        loop {
            match wire.piece(&mut framing).await {
                Piece::Data(data) => body.extend(data),
                Piece::End(End::Clean, _) => break,
                Piece::End(..) => return,
            }
        }
        let received = Received { head, body, end: Some(End::Clean), ..Received::default() };
        if wire.write(&answer(received).await).await.is_err() {
            return;
        }
    }
}

/// Who calls a server that is known later, over connections that are kept.
#[derive(Default)]
pub struct Caller {
    to: OnceLock<Address>,
    idle: Mutex<Vec<Client>>,
}

impl Caller {
    /// From now on it is known.
    pub fn knows(&self, address: &Address) {
        self.to.set(address.clone()).expect("told once");
    }

    /// Whether it is known.
    pub fn is_told(&self) -> bool {
        self.to.get().is_some()
    }

    /// One request and its whole answer.
    pub async fn call(&self, request: &Request) -> Response {
        let idle = self.idle.lock().expect("no panic").pop();
        let mut client = match idle {
            Some(client) => client,
            None => Client::connect(self.to.get().expect("whom to call")).await,
        };
        client.write(request.bytes()).await;
        let response = client.response().await;
        if response.header("connection") != Some("close") {
            self.idle.lock().expect("no panic").push(client);
        }
        response
    }
}

/// A whole answer with a Content-Length.
pub fn whole(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
    (head + body).into_bytes()
}

/// An answer of events, each a chunk.
pub fn events<'e>(events: impl IntoIterator<Item = &'e str>) -> Vec<u8> {
    let mut bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
         Cache-Control: no-cache, no-transform\r\nTransfer-Encoding: chunked\r\n\r\n"
        .to_owned();
    for event in events {
        bytes.push_str(&format!("{:x}\r\n{event}\r\n", event.len()));
    }
    (bytes + "0\r\n\r\n").into_bytes()
}
