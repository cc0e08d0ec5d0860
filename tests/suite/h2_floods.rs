//! Clients that make the other side work for nothing (rapid reset, CVE-2023-44487; what makes a
//! server reset by itself, CVE-2025-8671; floods of frames): the connection ends soon, the origin
//! sees little of it, memory stays, and the next client is served (case 63,
//! case 64, case 65).

use std::time::Duration;

use crate::harness::{
    Answer, Ended, Frame, H2, Modegate, Origin, clear, eventually, frame, get, hpack, post,
};

const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
const STRIPPED: &str = r#"{"text":"hi"}"#;
/// What an attack may make the process grow by, in KiB.
const GROWTH: usize = 24 << 10;
/// How many requests one connection may have begun at the origin before it is ended.
const BEGUN: usize = 450;
/// How many requests of one connection are given up while they are served before it is told to go.
const GIVEN_UP: usize = 200;
/// How many streams of one connection make us reset them before it ends.
const OWN_RESETS: usize = 100;
/// How many requests are served at once.
const BATCH: usize = 50;
/// How long an attacker tries.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process whose limits an attack meets soon, and its memory after a first request.
async fn target(origin: &Origin) -> (Modegate, usize) {
    let times = "[timeouts]\nidle = \"1s\"\nkeep_alive = \"500ms\"\nheader = \"1s\"\n";
    let modegate = clear(&origin.url(), times).await;
    assert_alive(&modegate).await;
    let memory = modegate.memory();
    (modegate, memory)
}

async fn assert_alive(modegate: &Modegate) {
    let mut h2 = H2::connect(modegate.frontend()).await;
    let answered = h2.exchange(&post("/api/chat"), FAST).await;
    assert_eq!((answered.text().as_str(), answered.ended), (STRIPPED, Ended::Clean));
}

/// After an attack: nothing is held, memory is about what it was, and the next client is served.
async fn assert_unharmed(modegate: &Modegate, origin: &Origin, before: usize, case: &str) {
    assert!(origin.requests() <= BEGUN, "{case}: {} requests", origin.requests());
    modegate.counted("modegate_inflight", &[], 0.0).await;
    modegate.counted("modegate_connections", &[], 0.0).await;
    eventually(&format!("{case}: memory"), async || {
        (modegate.memory() < before + GROWTH).then_some(())
    })
    .await;
    assert_alive(modegate).await;
    origin.forget();
}

/// Writes without reading until the connection takes no more; false where it never did.
async fn flood(h2: &mut H2, batch: &[u8]) -> bool {
    let until = tokio::time::Instant::now() + PATIENCE;
    while tokio::time::Instant::now() < until {
        if !h2.offer(batch, PATIENCE).await {
            return true;
        }
    }
    false
}

fn request(stream: u32) -> Vec<u8> {
    Frame::headers(stream, hpack::block(&get("/other")), frame::END_STREAM).bytes()
}

#[tokio::test]
async fn rapid_reset() {
    let origin = Origin::echo().await;
    let (modegate, before) = target(&origin).await;
    origin.forget();
    let mut h2 = H2::connect(modegate.frontend()).await;
    for batch in 0..100u32 {
        let bytes: Vec<u8> = (0..1000)
            .map(|at| (batch * 1000 + at) * 2 + 1)
            .flat_map(|stream| {
                [request(stream), Frame::reset(stream, frame::CANCEL).bytes()].concat()
            })
            .collect();
        if !h2.offer(&bytes, PATIENCE).await {
            break;
        }
        assert!(batch < 99, "all of it was taken");
    }
    assert!(matches!(h2.closed().await, None | Some(frame::ENHANCE_YOUR_CALM)));
    assert_unharmed(&modegate, &origin, before, "rapid reset").await;
}

/// A request, as far as it is sent.
type Ask = fn(u32) -> Vec<u8>;

/// The cancels that HTTP/2's own bound does not see: each request is in the stack before it goes.
#[tokio::test]
async fn resets_that_come_once_the_request_is_served() {
    let asks: [(&str, Ask); 3] = [
        ("without a body", request),
        ("with a body to come", |stream| {
            let head = Frame::headers(stream, hpack::block(&post("/upload")), 0).bytes();
            [head, Frame::data(stream, "x", 0).bytes()].concat()
        }),
        ("with a body that is held", |stream| {
            let head = Frame::headers(stream, hpack::block(&post("/api/chat")), 0).bytes();
            [head, Frame::data(stream, "{", 0).bytes()].concat()
        }),
    ];
    let (origin, _scripts) = Origin::stepwise().await;
    let modegate = clear(&origin.url(), "").await;
    for (at, (case, ask)) in asks.into_iter().enumerate() {
        origin.forget();
        let mut h2 = H2::connect(modegate.frontend()).await;
        for _ in 0..GIVEN_UP / BATCH {
            assert_eq!(told_to_go(&modegate), at, "{case}: too soon");
            let streams: Vec<u32> = (0..BATCH).map(|_| h2.stream()).collect();
            h2.write(streams.iter().flat_map(|stream| ask(*stream)).collect::<Vec<u8>>()).await;
            modegate.counted("modegate_inflight", &[], BATCH as f64).await;
            let cancel = |stream: &u32| Frame::reset(*stream, frame::CANCEL).bytes();
            h2.write(streams.iter().flat_map(cancel).collect::<Vec<u8>>()).await;
            modegate.counted("modegate_inflight", &[], 0.0).await;
        }
        assert_eq!(h2.closed().await, Some(frame::NO_ERROR), "{case}");
        assert!(origin.requests() <= GIVEN_UP, "{case}: {}", origin.requests());
        modegate.counted("modegate_connections", &[], 0.0).await;
        eventually(case, async || (told_to_go(&modegate) == at + 1).then_some(())).await;
    }
}

/// How many connections were told to go for what they gave up.
fn told_to_go(modegate: &Modegate) -> usize {
    let told = "connection told to go: most of its requests were given up";
    modegate.logs().iter().filter(|line| line.contains(told)).count()
}

/// What follows a request's head to make us reset the stream.
type Provoke = fn(u32) -> Vec<Frame>;

/// Requests that are being served when they make us reset their streams: each costs the upstream,
/// and no cancel is seen. Some faults are the connection's, which ends at the first.
#[tokio::test]
async fn streams_that_we_are_made_to_reset() {
    const MANY: (usize, u32) = (OWN_RESETS, frame::ENHANCE_YOUR_CALM);
    const NONE: (usize, u32) = (0, frame::PROTOCOL_ERROR);
    let cases: [(&str, u8, (usize, u32), Provoke); 6] = [
        ("no room at all", frame::END_STREAM, NONE, |stream| vec![Frame::window_update(stream, 0)]),
        ("too much room", frame::END_STREAM, MANY, |stream| {
            vec![
                Frame::window_update(stream, 0x7fff_ffff),
                Frame::window_update(stream, 0x7fff_ffff),
            ]
        }),
        ("a body after its end", frame::END_STREAM, NONE, |stream| {
            vec![Frame::data(stream, "x", 0)]
        }),
        ("a head after its end", frame::END_STREAM, NONE, |stream| {
            vec![Frame::headers(stream, hpack::block(&[("a", "b")]), frame::END_STREAM)]
        }),
        ("its own parent", frame::END_STREAM, MANY, |stream| vec![Frame::priority(stream, stream)]),
        ("trailers without an end", 0, MANY, |stream| {
            vec![Frame::headers(stream, hpack::block(&[("a", "b")]), 0)]
        }),
    ];
    // Nothing is answered, nor is anything over in time.
    let origin = Origin::start(|received| match received.target() {
        "/other" => Answer::Deaf,
        _ => Answer::Echo,
    })
    .await;
    let modegate = clear(&origin.url(), "").await;
    assert_alive(&modegate).await;
    let before = modegate.memory();
    for (case, end, expected, provoke) in cases {
        origin.forget();
        let mut h2 = H2::connect(modegate.frontend()).await;
        let mut resets = 0;
        let code = 'attack: loop {
            assert!(resets <= OWN_RESETS, "{case}: it goes on for ever");
            modegate.counted("modegate_inflight", &[], 0.0).await;
            let streams: Vec<u32> = (0..BATCH).map(|_| h2.stream()).collect();
            let head =
                |stream: &u32| Frame::headers(*stream, hpack::block(&get("/other")), end).bytes();
            h2.write(streams.iter().flat_map(head).collect::<Vec<u8>>()).await;
            modegate.counted("modegate_inflight", &[], BATCH as f64).await;
            let rest = streams.iter().flat_map(|stream| provoke(*stream));
            h2.write(rest.flat_map(|frame| frame.bytes()).collect::<Vec<u8>>()).await;
            for stream in streams {
                match h2.answer(stream).await.ended {
                    Ended::Reset(_) => resets += 1,
                    Ended::Connection(Some(code)) => break 'attack code,
                    ended => panic!("{case}: {ended:?} after {resets}"),
                }
            }
        };
        assert_eq!((resets, code), expected, "{case}");
        assert_unharmed(&modegate, &origin, before, case).await;
    }
}

#[tokio::test]
async fn heads_that_never_end() {
    let origin = Origin::echo().await;
    // No time ends them, only how much they hold.
    let times = "[timeouts]\nidle = \"60s\"\nkeep_alive = \"60s\"\nheader = \"60s\"\n";
    let modegate = clear(&origin.url(), times).await;
    assert_alive(&modegate).await;
    let before = modegate.memory();
    let block = hpack::block(&get("/other"));
    let field = hpack::literal(0, b"x-field", &[b'a'; 8000]);
    // One string of 2 GiB that is never whole.
    let endless =
        [&[0][..], &hpack::integer(7, 0, 1), b"x", &hpack::integer(7, 0, 1 << 31)].concat();
    for (case, first, more) in [
        ("fields", block.clone(), [field.clone(), field.clone()].concat()),
        ("tiny fields", block.clone(), hpack::literal(0, b"a", b"").repeat(4000)),
        ("an endless field", [&block[..], &endless].concat(), vec![b'a'; 16_000]),
        ("one byte at a time", block.clone(), vec![0x82]),
        ("nothing", block.clone(), Vec::new()),
        ("nothing of nothing", Vec::new(), Vec::new()),
    ] {
        origin.forget();
        let mut h2 = H2::connect(modegate.frontend()).await;
        h2.send(Frame::new(frame::HEADERS, frame::END_STREAM, 1, first)).await;
        let more = Frame::continuation(1, more, 0).bytes();
        // A multiple of the 64 KiB that a head may have.
        let batch = more.repeat(64 * 1024 / more.len() + 1);
        for _ in 0..16 {
            if !h2.offer(&batch, PATIENCE).await {
                break;
            }
        }
        h2.closed().await;
        assert_eq!(origin.requests(), 0, "{case}");
        assert_unharmed(&modegate, &origin, before, case).await;
    }
}

#[tokio::test]
async fn frames_whose_answers_are_not_read() {
    let origin = Origin::echo().await;
    let (modegate, before) = target(&origin).await;
    let (settings, ping) = (Frame::settings(&[]), Frame::ping([0; 8]));
    let changing = Frame::settings(&[(frame::INITIAL_WINDOW_SIZE, 7), (5, 16_384)]);
    for (case, frame) in [("settings", settings), ("pings", ping), ("changes", changing)] {
        origin.forget();
        let mut h2 = H2::connect(modegate.frontend()).await;
        assert!(flood(&mut h2, &frame.bytes().repeat(2000)).await, "{case}");
        drop(h2);
        assert_eq!(origin.requests(), 0, "{case}");
        assert_unharmed(&modegate, &origin, before, case).await;
    }
}

/// A connection that always has something to read is looked at all the same.
#[tokio::test]
async fn frames_that_need_no_answer() {
    let origin = Origin::echo().await;
    let (modegate, before) = target(&origin).await;
    origin.forget();
    let floods = [
        (Frame::priority(1, 0), true),
        (Frame::window_update(0, 1), true),
        (Frame::new(0xf0, 0xff, 1, [7; 100]), false),
        (Frame::new(frame::SETTINGS, frame::ACK, 0, []), false),
        (Frame::new(frame::PING, frame::ACK, 0, [0; 8]), true),
    ];
    // At once: each takes as long as a goodbye.
    let floods = floods.map(|(frame, has_asked)| {
        let address = modegate.frontend().clone();
        tokio::spawn(async move {
            let mut h2 = H2::connect(&address).await;
            if has_asked {
                assert_eq!(h2.exchange(&post("/api/chat"), FAST).await.text(), STRIPPED);
            }
            assert!(flood(&mut h2, &frame.bytes().repeat(4000)).await, "{frame:?}");
        })
    });
    for flood in floods {
        flood.await.expect("the connection ends");
    }
    assert_unharmed(&modegate, &origin, before, "frames").await;
}

#[tokio::test]
async fn bodies_of_nothing() {
    let origin = Origin::echo().await;
    let (modegate, before) = target(&origin).await;
    for path in ["/api/chat", "/upload"] {
        for (case, data) in [
            ("empty frames", Frame::data(1, "", 0)),
            (
                "frames of padding",
                Frame::new(frame::DATA, frame::PADDED, 1, [&[200][..], &[0; 200]].concat()),
            ),
        ] {
            origin.forget();
            let mut h2 = H2::connect(modegate.frontend()).await;
            let stream = h2.open(&post(path)).await;
            assert_eq!(stream, 1);
            assert!(flood(&mut h2, &data.bytes().repeat(2000)).await, "{case}");
            h2.closed().await;
            assert!(
                origin.received().iter().all(|one| one.end != Some(crate::harness::End::Clean))
            );
            assert_unharmed(&modegate, &origin, before, case).await;
        }
    }
}
