//! Floods of small things: no table grows with what clients send, and what a request costs is
//! within bounds of what was sent (case 87, invariant I8).

use crate::harness::{Answer, Client, Modegate, Origin, Request, Step, script, settings};

const KIB: usize = 1024;

/// Ten thousand rooms, modes, profiles, paths and methods.
#[tokio::test]
async fn nothing_grows_with_distinct_rooms_modes_profiles_paths_and_methods() {
    const REQUESTS: usize = 10_000;
    const AT_ONCE: usize = 50;
    let origin = Origin::start(|_| Answer::ok("{}")).await;
    let extra = "[canary]\npercent = 100\n[profiles.fast-v1]\nmode = \"fast\"\n\
         [flags]\ncontract = true\nruntime = true\n[log]\naccess = false\n";
    let modegate = Modegate::start(&settings(&origin, extra)).await;
    let mut client = Client::connect(modegate.frontend()).await;
    let mut before = (0, 0);
    for batch in 0..REQUESTS / AT_ONCE {
        let numbers = batch * AT_ONCE..(batch + 1) * AT_ONCE;
        let requests: Vec<Request> = numbers.map(distinct).collect();
        client.write(requests.iter().flat_map(Request::bytes).collect::<Vec<u8>>()).await;
        for at in 0..AT_ONCE {
            let status = client.response().await.status;
            let expected = if at % 5 == 1 { 400 } else { 200 };
            assert_eq!(status, expected, "request {at} of a batch");
        }
        origin.forget();
        if batch == 10 {
            before = (series(&modegate).await, modegate.memory());
        }
    }
    assert_eq!(series(&modegate).await, before.0);
    let grown = modegate.memory().saturating_sub(before.1);
    assert!(grown < 16 * KIB, "{grown} KiB more");
    assert_eq!(modegate.post("/api/chat", r#"{"text":"t"}"#).await.status, 200);
}

/// One request like no other.
fn distinct(number: usize) -> Request {
    let room = format!("/api/conversations/room-{number}/messages");
    match number % 5 {
        0 => Request::post(&room, r#"{"text":"t","processing":{"mode":"fast"}}"#),
        1 => Request::post(&room, format!(r#"{{"processing":{{"mode":"mode-{number}"}}}}"#)),
        2 => Request::post(
            "/api/chat",
            format!(r#"{{"text":"t","processing":{{"mode":"fast","profile":"p-{number}"}}}}"#),
        ),
        3 => Request::get(&format!("/path-{number}?query={number}")),
        _ => Request::new(&method(number), "/other")
            .header(&format!("X-Field-{number}"), "v")
            .header("X-Request-Id", &format!("id-{number}")),
    }
}

/// A method of capitals, one for each number.
fn method(number: usize) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'A')).collect()
}

async fn series(modegate: &Modegate) -> usize {
    modegate.metrics().await.text.lines().filter(|line| !line.starts_with('#')).count()
}

/// I8: a body in chunks of one byte, six bytes of framing to each, is held as one body.
#[tokio::test]
async fn a_body_in_chunks_of_one_byte_costs_about_its_bytes() {
    const BODY: usize = KIB * KIB;
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(BODY - 11));
    let request = Request::post("/api/chat", body.clone());
    assert_eq!(Client::once(modegate.frontend(), request.clone()).await.status, 200);
    let before = modegate.memory();
    let bytes = request.chunked(1).bytes();
    let (begun, rest) = bytes.split_at(bytes.len() - 5);
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(begun).await;
        held.push(client);
    }
    modegate.counted("modegate_body_memory_bytes", &[], 4.0 * BODY as f64).await;
    let grown = modegate.memory().saturating_sub(before);
    assert!(grown < 32 * KIB, "{grown} KiB for four bodies of 1 MiB");
    for mut client in held {
        client.write(rest).await;
        assert_eq!(client.response().await.text(), body);
    }
    modegate.counted("modegate_body_memory_bytes", &[], 0.0).await;
}

/// I8: the same where bodies stream through, and the upstream does not take them.
#[tokio::test]
async fn an_upload_in_chunks_of_one_byte_is_held_back() {
    let origin = Origin::start(|request| match request.target() {
        "/deaf" => Answer::Deaf,
        _ => Answer::Echo,
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    assert_eq!(modegate.post("/other", "x").await.status, 200);
    let before = modegate.memory();
    let bytes = Request::post("/deaf", vec![b'x'; KIB * KIB]).chunked(1).bytes();
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(modegate.frontend()).await;
        client.offer(&bytes, std::time::Duration::from_millis(100)).await;
        clients.push(client);
    }
    let grown = modegate.memory().saturating_sub(before);
    assert!(grown < 32 * KIB, "{grown} KiB for twenty uploads that nobody takes");
    drop(clients);
    assert_eq!(modegate.post("/other", "x").await.text(), "x");
}

/// I8: heads of 900 tiny fields, more than are allowed, and of as many as are.
#[tokio::test]
async fn heads_of_many_tiny_fields_cost_about_their_bytes() {
    const AT_ONCE: usize = 200;
    let (scripts, held) = std::sync::mpsc::channel();
    let origin = Origin::start(move |request| match request.target() {
        "/held" => {
            let (steps, answer) = script();
            let _ = scripts.send(steps);
            answer
        }
        _ => Answer::Echo,
    })
    .await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    assert_eq!(modegate.post("/other", "x").await.status, 200);
    let before = modegate.memory();
    let head = |count: usize| {
        let fields = (0..count).fold(String::new(), |all, at| format!("{all}a{at}:\r\n"));
        format!("GET /held HTTP/1.1\r\nHost: h\r\n{fields}")
    };
    // All of them are there at once: the last byte of each is still to come.
    let mut clients = begun(&modegate, &head(900), AT_ONCE).await;
    for client in &mut clients {
        client.offer(b"\r\n", std::time::Duration::from_secs(1)).await;
        let status = client.try_response_to("GET").await.map(|response| response.status);
        assert!(matches!(status, None | Some(400 | 431)), "{status:?}");
    }
    drop(clients);
    // All of these are: their requests wait at the origin.
    let mut clients = begun(&modegate, &(head(90) + "\r\n"), AT_ONCE).await;
    origin.wait_for(1 + AT_ONCE).await;
    let grown = modegate.peak_memory().saturating_sub(before);
    assert!(grown < 32 * KIB, "{grown} KiB for {AT_ONCE} heads of many fields");
    for steps in held.try_iter() {
        steps.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        steps.step(Step::Next);
    }
    for client in &mut clients {
        assert_eq!(client.response().await.status, 200);
    }
    assert_eq!(origin.requests(), 1 + AT_ONCE);
    assert_eq!(modegate.post("/other", "x").await.text(), "x");
}

/// Connections that have each sent these bytes.
async fn begun(modegate: &Modegate, bytes: &str, connections: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        let mut client = Client::connect(modegate.frontend()).await;
        client.write(bytes).await;
        clients.push(client);
    }
    clients
}
