//! Header lists that are larger than they look (RFC 7541), and those that just fit (case 66).

use crate::harness::{
    Answered, Ended, Frame, H2, Modegate, Origin, clear, frame, get, hpack, post,
};

const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
const STRIPPED: &str = r#"{"text":"hi"}"#;
/// What an attack may make the process grow by, in KiB.
const GROWTH: usize = 16 << 10;

async fn started(extra: &str) -> (Origin, Modegate) {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), extra).await;
    assert_alive(&modegate).await;
    origin.forget();
    (origin, modegate)
}

async fn assert_alive(modegate: &Modegate) {
    let mut h2 = H2::connect(modegate.frontend()).await;
    let answered = h2.exchange(&post("/api/chat"), FAST).await;
    assert_eq!((answered.text().as_str(), answered.ended), (STRIPPED, Ended::Clean));
}

/// Sends a block as a request, in as many frames as it takes, and gives what became of it.
async fn send(h2: &mut H2, block: &[u8]) -> Answered {
    let stream = h2.stream();
    let mut pieces = block.chunks(16_384).peekable();
    let mut kind = frame::HEADERS;
    while let Some(piece) = pieces.next() {
        let ends = if pieces.peek().is_none() { frame::END_HEADERS } else { 0 };
        let end = if kind == frame::HEADERS { frame::END_STREAM } else { 0 };
        h2.send(Frame::new(kind, ends | end, stream, piece)).await;
        kind = frame::CONTINUATION;
    }
    h2.answer(stream).await
}

fn is_refused(answered: &Answered) -> bool {
    matches!(answered.ended, Ended::Reset(_) | Ended::Connection(_))
        || matches!(answered.status, 400 | 431)
}

#[tokio::test]
async fn one_entry_referred_to_again_and_again() {
    let (origin, modegate) = started("").await;
    let before = modegate.memory();
    let (large, small) = (vec![b'v'; 3900], Vec::new());
    for (case, value, times) in [
        ("a large one", &large, 16_000),
        ("a large one in many frames", &large, 200_000),
        ("a small one", &small, 16_000),
    ] {
        let mut h2 = H2::connect(modegate.frontend()).await;
        let entry = hpack::literal(0x40, b"x-bomb", value);
        // The newest entry of the dynamic table is the 62nd.
        let block = [hpack::block(&get("/other")), entry, vec![0x80 | 62; times]].concat();
        let answered = send(&mut h2, &block).await;
        assert!(is_refused(&answered), "{case}: {} {:?}", answered.status, answered.ended);
        assert_eq!(origin.requests(), 0, "{case}");
        let grown = modegate.memory().saturating_sub(before);
        assert!(grown < GROWTH, "{case}: {grown} KiB");
        assert_alive(&modegate).await;
        origin.forget();
    }
}

#[tokio::test]
async fn a_cookie_in_a_thousand_crumbs_is_a_header_list_all_the_same() {
    let (origin, modegate) = started("").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let crumbs = hpack::literal(0, b"cookie", b"a=b").repeat(3000);
    let answered = send(&mut h2, &[hpack::block(&get("/other")), crumbs].concat()).await;
    assert!(is_refused(&answered), "{} {:?}", answered.status, answered.ended);
    assert_eq!(origin.requests(), 0);
    assert_alive(&modegate).await;
}

#[tokio::test]
async fn updates_of_the_tables_size() {
    let (origin, modegate) = started("").await;
    let before = modegate.memory();
    let head = hpack::block(&get("/other"));
    let sizes = [&[0x20][..], &hpack::integer(5, 0x20, 4096)].concat();
    for times in [1, 4000] {
        let mut h2 = H2::connect(modegate.frontend()).await;
        let answered = send(&mut h2, &[sizes.repeat(times), head.clone()].concat()).await;
        assert!(answered.status == 200 || is_refused(&answered), "{times}: {answered:?}");
    }
    for over in [4097, 65_536, u32::MAX as usize, 1 << 40] {
        origin.forget();
        let mut h2 = H2::connect(modegate.frontend()).await;
        let answered = send(&mut h2, &[hpack::integer(5, 0x20, over), head.clone()].concat()).await;
        assert!(matches!(answered.ended, Ended::Connection(_)), "{over}: {answered:?}");
        assert_eq!(origin.requests(), 0, "{over}");
    }
    // A client may ask us for a large table; what we use of it is ours to say.
    let mut h2 = H2::connect_with(modegate.frontend(), &[(1, u32::MAX)]).await;
    for _ in 0..200 {
        assert_eq!(h2.exchange(&post("/api/chat"), FAST).await.status, 200);
    }
    assert!(modegate.memory().saturating_sub(before) < GROWTH);
    assert_alive(&modegate).await;
}

#[tokio::test]
async fn a_list_over_the_limit_is_refused_and_one_under_it_passes() {
    for (limit, bytes) in [("", 64 << 10), ("[limits]\nheader_bytes = \"8KiB\"\n", 8 << 10)] {
        let (origin, modegate) = started(limit).await;
        let mut h2 = H2::connect(modegate.frontend()).await;
        assert_eq!(h2.exchange(&post("/api/chat"), FAST).await.status, 200);
        let said = h2.settings.as_ref().and_then(|settings| settings.setting(6));
        assert_eq!(said, Some(bytes as u32), "it is announced");
        // A field's size is its name's, its value's, and 32.
        let fill = |bytes: usize| {
            let fields: Vec<_> = (0..20)
                .map(|at| (format!("x-fill-{at:02}"), "f".repeat(bytes / 20 - 41)))
                .collect();
            [hpack::block(&get("/other")), hpack::block(&fields)].concat()
        };
        origin.forget();
        let answered = send(&mut h2, &fill(bytes - 1000)).await;
        assert_eq!(answered.status, 200, "{:?}", answered.ended);
        assert_eq!(origin.last().header("x-fill-19").map(str::len), Some((bytes - 1000) / 20 - 41));
        origin.forget();
        let answered = send(&mut h2, &fill(bytes + 100)).await;
        assert_eq!((answered.status, answered.ended), (431, Ended::Clean));
        for over in [bytes * 2, bytes * 3] {
            let mut h2 = H2::connect(modegate.frontend()).await;
            let answered = send(&mut h2, &fill(over)).await;
            assert!(is_refused(&answered), "{over}: {answered:?}");
        }
        assert_eq!(origin.requests(), 0);
        assert_eq!(h2.exchange(&post("/api/chat"), FAST).await.status, 200, "the table is in step");
    }
}

#[tokio::test]
async fn a_hundred_fields_pass_and_more_do_not() {
    let (origin, modegate) = started("").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let with = |count: usize| {
        let tiny = (0..count).flat_map(|at| hpack::literal(0, format!("x{at}").as_bytes(), b""));
        [hpack::block(&get("/other")), tiny.collect()].concat()
    };
    assert_eq!(send(&mut h2, &with(100)).await.status, 200);
    assert!(origin.last().header("x99").is_some());
    origin.forget();
    for count in [101, 900, 1500] {
        let answered = send(&mut h2, &with(count)).await;
        assert_eq!(answered.status, 431, "{count}: {:?}", answered.ended);
    }
    let same = [hpack::block(&get("/other")), hpack::literal(0, b"x", b"").repeat(101)].concat();
    assert_eq!(send(&mut h2, &same).await.status, 431, "of one name");
    assert_eq!(origin.requests(), 0);
    assert_alive(&modegate).await;
}
