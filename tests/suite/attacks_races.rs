//! Kept connections that the origin closes at every moment of the next request: a message never
//! arrives twice, and whoever sent it is told (case 80).

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{
    Client, Modegate, NodeOrigin, RawOrigin, Request, head_end, is_whole, request_until,
    settings_for,
};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
/// For each moment, manner and body: ten thousand in all.
const ROUNDS: usize = 420;

/// When the origin lets go of a connection that has served a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    AfterTheAnswer,
    AtTheFirstByte,
    AfterTheHead,
    AfterTheBody,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Close,
    Reset,
}

type Told = Arc<Mutex<(Moment, Manner)>>;
/// The beginning of each request that began.
type Begun = Arc<Mutex<Vec<Vec<u8>>>>;

async fn serve(mut stream: TcpStream, told: Told, begun: Begun) {
    let mut served = 0;
    loop {
        let (moment, manner) = *told.lock().unwrap();
        let early = served > 0;
        let read = request_until(&mut stream, |bytes| match moment {
            Moment::AtTheFirstByte if early => !bytes.is_empty(),
            Moment::AfterTheHead if early => head_end(bytes).is_some(),
            _ => is_whole(bytes),
        });
        let Some(mut request) = read.await else { return };
        request.truncate(1000);
        begun.lock().unwrap().push(request);
        let goes = match moment {
            Moment::AtTheFirstByte | Moment::AfterTheHead | Moment::AfterTheBody => early,
            Moment::AfterTheAnswer | Moment::Never => false,
        };
        if !goes && stream.write_all(OK).await.is_err() {
            return;
        }
        served += 1;
        if goes || moment == Moment::AfterTheAnswer {
            if manner == Manner::Reset {
                let _ = stream.set_zero_linger();
            }
            return;
        }
    }
}

/// The number that a request says, where so much of it arrived.
fn number(request: &[u8]) -> Option<usize> {
    let from = request.iter().position(|byte| *byte == b'<')? + 1;
    let length = request.get(from..)?.iter().position(|byte| *byte == b'>')?;
    std::str::from_utf8(request.get(from..from + length)?).ok()?.parse().ok()
}

/// A request that opens a connection for the next one, or takes the last that was kept.
async fn warm(client: &mut Client) {
    for _ in 0..2 {
        if client.exchange(&Request::get("/warm")).await.status == 200 {
            return;
        }
    }
    panic!("a new connection serves its first request");
}

#[tokio::test]
async fn a_message_never_arrives_twice_whenever_its_connection_closes() {
    let told: Told = Arc::new(Mutex::new((Moment::Never, Manner::Close)));
    let begun = Begun::default();
    let shared = (told.clone(), begun.clone());
    let origin =
        RawOrigin::start(move |stream| serve(stream, shared.0.clone(), shared.1.clone())).await;
    let config = settings_for(&origin.url(), "[server]\nthreads = 1\n");
    let modegate = Modegate::start(&config).await;
    let mut client = Client::connect(modegate.frontend()).await;
    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(300_000));
    let mut sent = 0;
    let moments = [
        Moment::AfterTheAnswer,
        Moment::AtTheFirstByte,
        Moment::AfterTheHead,
        Moment::AfterTheBody,
    ];
    for moment in moments {
        for manner in [Manner::Close, Manner::Reset] {
            *told.lock().unwrap() = (moment, manner);
            for (target, body) in [("/api/chat", "{}"), ("/api/chat", &large), ("/upload", &large)]
            {
                for _ in 0..ROUNDS {
                    warm(&mut client).await;
                    let before = begun.lock().unwrap().len();
                    sent += 1;
                    let request =
                        Request::post(target, body).header("X-Number", &format!("<{sent}>"));
                    let response = client.exchange(&request).await;
                    let case =
                        format!("case 80: {moment:?}, {manner:?}, {target}: {}", response.status);
                    let times = begun.lock().unwrap().len() - before;
                    match response.status {
                        200 => assert_eq!(times, 1, "{case}"),
                        502 => assert!(times <= 1, "{case}: begun {times} times"),
                        _ => panic!("{case}"),
                    }
                    let caught = times == 1 && response.status == 502;
                    assert!(
                        caught || moment == Moment::AfterTheAnswer,
                        "{case}: begun {times} times"
                    );
                    if response.header("connection") == Some("close") {
                        client = Client::connect(modegate.frontend()).await;
                    }
                }
            }
        }
    }
    *told.lock().unwrap() = (Moment::Never, Manner::Close);
    warm(&mut client).await;
    assert_eq!(client.exchange(&Request::post("/api/chat", "{}")).await.status, 200);
    let begun = begun.lock().unwrap();
    let mut seen = HashSet::new();
    for number in begun.iter().filter_map(|request| number(request)) {
        assert!(seen.insert(number), "case 80: number {number} arrived twice");
    }
    assert!(seen.len() > sent / 2, "case 80: {} of {sent} numbers were read", seen.len());
}

/// For each time that they are idle.
const CONNECTIONS: usize = 60;

/// Messages on connections to Node that were idle for this long: their numbers, from `first`, and
/// how they were answered.
async fn after(idle: Duration, settings: String, first: usize) -> Vec<(usize, u16)> {
    let modegate = Modegate::start(&settings).await;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write("PUT /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n").await;
        clients.push(client);
    }
    // Each upload has a connection to Node until it ends.
    let opened = [("result", "ok")];
    modegate.counted("modegate_upstream_connects_total", &opened, CONNECTIONS as f64).await;
    for client in &mut clients {
        client.write("x").await;
    }
    for client in &mut clients {
        assert_eq!(client.response_to("PUT").await.status, 200);
    }
    tokio::time::sleep(idle).await;
    for (at, client) in clients.iter_mut().enumerate() {
        let number = format!("<{}>", first + at);
        client.write(Request::post("/api/chat", "{}").header("X-Number", &number).bytes()).await;
    }
    let mut answered = Vec::new();
    for (at, client) in clients.iter_mut().enumerate() {
        answered.push((first + at, client.response().await.status));
    }
    answered
}

/// Node closes what was idle for five seconds. As it comes, modegate is done with a connection
/// before; where somebody lets it wait for longer, a message may meet the end, and still does not
/// arrive twice.
#[tokio::test]
async fn nodes_own_idle_limit_costs_no_message() {
    let node = NodeOrigin::start().await;
    let moments = [4900, 4950, 5000, 5050, 5100].map(Duration::from_millis);
    let courses = ["", "[timeouts]\npool_idle = \"6s\"\n"]
        .into_iter()
        .flat_map(|extra| moments.map(|idle| (extra, idle)))
        .enumerate()
        .map(|(at, (extra, idle))| {
            let extra = format!("[server]\nthreads = 1\n{extra}");
            let settings = settings_for(&node.url(), &extra);
            after(idle, settings, at * CONNECTIONS)
        });
    let answered = join_all(courses).await;
    let log = node.log().await;
    for (course, answered) in answered.into_iter().enumerate() {
        let (shorter, idle) = (course < moments.len(), moments[course % moments.len()]);
        for (number, status) in answered {
            let case = format!("case 80: {idle:?}, shorter than Node's: {shorter}: {status}");
            let number = format!("<{number}>");
            let times = log.iter().filter(|read| read.header("x-number") == Some(&number)).count();
            match status {
                200 => assert_eq!(times, 1, "{case}"),
                502 if !shorter => assert!(times <= 1, "{case}: {times} times"),
                _ => panic!("{case}"),
            }
        }
    }
}
