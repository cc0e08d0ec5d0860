//! Whole exchanges: bytes into a real sidecar, and what an origin behind it gets to see. Whatever a client writes, the
//! origin reads strictly framed requests, without the contract and without a tag of the client's, and none that a
//! strict reader of the client's bytes does not see; and the next client is served.

mod arrival;
mod client;
mod origin;
mod sidecar;

use std::cell::RefCell;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::framing::ends;
use crate::http1::{Begins, Request, begins, requests};
use crate::input::Input;
use arrival::{assert_clean, assert_sent};
use client::{Answer, Client};
use origin::{Arrivals, Arrived};
use sidecar::Door;

/// How long anything may take: only a connection that hangs ever takes as long.
const DEADLINE: Duration = Duration::from_secs(20);

/// How HTTP/2 in clear begins.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client writes; the last bytes choose the door and the pieces.
pub fn exchange(data: &[u8]) {
    thread_local!(static SETTING: RefCell<Setting> = RefCell::new(Setting::new()));
    SETTING.with_borrow_mut(|setting| {
        let mut input = Input::new(data);
        let door = usize::from(input.byte()) % setting.doors.len();
        setting.attack(door, &input.chunks());
    });
}

/// A thread panicked that is not ours: a task of the sidecar's, which its runtime would only drop.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// The sidecar, its origin, and a client of good will at each door.
struct Setting {
    runtime: Runtime,
    local: LocalSet,
    arrivals: Arrivals,
    doors: Vec<Door>,
    controls: Vec<Option<Client>>,
    controlled: u64,
}

impl Setting {
    fn new() -> Setting {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let local = LocalSet::new();
        let listener =
            runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let doors = sidecar::start(listener.local_addr().expect("an address"));
        let arrivals = Arrivals::default();
        local.spawn_local(origin::serve(listener, arrivals.clone()));
        watch_for_panics();
        let controls = doors.iter().map(|_| None).collect();
        Setting { runtime, local, arrivals, doors, controls, controlled: 0 }
    }

    fn attack(&mut self, door: usize, pieces: &[Bytes]) {
        let bytes = pieces.concat();
        let whole = requests(&bytes);
        let readable = whole.clone().unwrap_or_else(|| readable(&bytes));
        let address = self.doors[door].address;
        let answers = self.within(async {
            let mut client = Client::connect(address).await.expect("a connection");
            client.write(pieces).await;
            let mut answers = Vec::new();
            for request in &readable {
                let Some(answer) = client.answer(&request.method).await else { break };
                answers.push((request.method.as_str(), answer));
            }
            client.finish().await;
            answers
        });
        self.control(door);

        let Arrived { requests: mut arrived, wrong } = self.arrivals.take();
        arrived.retain(|request| !self.is_control(request));
        assert!(wrong.is_empty(), "{wrong:?} from {}", bytes.escape_ascii());
        for request in &arrived {
            assert_clean(self.doors[door].leg, request);
        }
        if let Some(whole) = whole {
            assert_sent(self.doors[door].leg, &whole, &arrived);
            assert_answered(&answers, &arrived);
        } else if !bytes.starts_with(HTTP2) {
            assert!(
                arrived.len() <= ends(&bytes).len(),
                "{arrived:?} from {}",
                bytes.escape_ascii()
            );
        }
        assert!(!PANICKED.load(Ordering::Relaxed), "a thread panicked at {}", bytes.escape_ascii());
    }

    /// A client of good will is served, also on a connection that was open before. What the origin was sent before is
    /// then written down.
    fn control(&mut self, door: usize) {
        self.controlled += 1;
        let body = self.control_body();
        let head =
            format!("POST /bridge HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n", body.len());
        let request = Bytes::from([head.as_bytes(), body.as_bytes()].concat());
        let address = self.doors[door].address;
        let kept = self.controls[door].take();
        let (client, answer) = self.within(async {
            if let Some(mut client) = kept {
                client.write(std::slice::from_ref(&request)).await;
                // One that was idle for long is closed.
                if let Some(answer) = client.answer("POST").await {
                    return (client, Some(answer));
                }
            }
            let mut client = Client::connect(address).await.expect("a connection");
            client.write(&[request]).await;
            let answer = client.answer("POST").await;
            (client, answer)
        });
        let expected = Answer { status: 200, is_origins: true, body: body.into_bytes() };
        assert_eq!(answer, Some(expected), "the control request");
        self.controls[door] = Some(client);
    }

    fn control_body(&self) -> String {
        format!(r#"{{"id":{},"method":"control","params":{{}}}}"#, self.controlled)
    }

    fn is_control(&self, request: &Request) -> bool {
        request.body == self.control_body().as_bytes()
    }

    fn within<T>(&self, work: impl Future<Output = T>) -> T {
        let work = async { timeout(DEADLINE, work).await };
        let done = self.runtime.block_on(self.local.run_until(work));
        done.expect("no connection hangs")
    }
}

/// The requests that stand before what a strict reader does not take.
fn readable(mut bytes: &[u8]) -> Vec<Request> {
    let mut requests = Vec::new();
    while let Begins::With(request, length) = begins(bytes) {
        requests.push(request);
        bytes = &bytes[length..];
    }
    requests
}

/// The origin's answers are those to what arrived, in its order.
fn assert_answered(answers: &[(&str, Answer)], arrived: &[Request]) {
    let origins = answers.iter().filter(|(_, answer)| answer.is_origins);
    for ((method, answer), request) in origins.zip(arrived) {
        assert_eq!(*method, request.method);
        assert!(*method == "HEAD" || answer.body == request.body, "{answer:?} to {request:?}");
    }
}

fn watch_for_panics() {
    let ours = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() != ours {
            PANICKED.store(true, Ordering::Relaxed);
        }
        before(info);
    }));
}
