//! Heads that HTTP/2 can write down and HTTP/1.1 would read in another way (RFC 9113, section
//! 8.2.1, 8.3 and 10.3): refused, and nothing of them at the origin (case 68;
//! case 71 in HTTP/2).

use crate::harness::{
    Answered, End, Ended, Frame, H2, Modegate, Origin, clear, frame, hpack, post,
};

const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
const STRIPPED: &str = r#"{"text":"hi"}"#;
const BODY: &str = "{}";

type Bytes = &'static [u8];
type Fields = Vec<(Bytes, Bytes)>;

fn head(path: Bytes) -> Fields {
    vec![
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"client.example"),
        (b"content-type", b"application/json"),
    ]
}

/// Sends a request with this head, with [`BODY`] or with none.
async fn send(h2: &mut H2, fields: &Fields, body: Option<&str>) -> Answered {
    let stream = h2.stream();
    let end = if body.is_none() { frame::END_STREAM } else { 0 };
    h2.send(Frame::headers(stream, hpack::block(fields), end)).await;
    if let Some(body) = body {
        h2.send(Frame::data(stream, body, frame::END_STREAM)).await;
    }
    h2.answer(stream).await
}

fn is_refused(answered: &Answered) -> bool {
    matches!(answered.ended, Ended::Reset(_) | Ended::Connection(_))
        || matches!(answered.status, 400 | 405 | 417 | 431)
}

async fn assert_alive(modegate: &Modegate, case: &str) {
    let mut h2 = H2::connect(modegate.frontend()).await;
    let answered = h2.exchange(&post("/api/chat"), FAST).await;
    assert_eq!((answered.text().as_str(), answered.ended), (STRIPPED, Ended::Clean), "{case}");
}

/// Whatever reached the origin reads in one way, and has nothing in it that was not asked for.
fn assert_one_reading(origin: &Origin, modegate_sees: &str, case: &str) {
    assert_one_reading_of(origin, modegate_sees, BODY, case);
}

/// The same where this body is to arrive.
fn assert_one_reading_of(origin: &Origin, modegate_sees: &str, body: &str, case: &str) {
    for received in origin.received() {
        let raw = String::from_utf8_lossy(&received.head.raw).into_owned();
        let line = format!("POST {modegate_sees} HTTP/1.1");
        assert_eq!(received.head.line, line, "{case}");
        assert_eq!(raw.matches('\n').count(), raw.matches("\r\n").count(), "{case}: {raw:?}");
        assert_eq!(raw.matches('\r').count(), raw.matches("\r\n").count(), "{case}: {raw:?}");
        assert!(
            !raw.contains('\0') && !raw.to_ascii_lowercase().contains("smuggled"),
            "{case}: {raw:?}"
        );
        let host = origin.address.to_string();
        assert_eq!(received.head.all("host"), [host.as_str()], "{case}");
        let lengths = received.head.all("content-length").len();
        assert!(lengths + received.head.all("transfer-encoding").len() <= 1, "{case}: {raw:?}");
        for name in ["connection", "upgrade", "te", "proxy-connection", "keep-alive"] {
            assert!(received.head.all(name).is_empty(), "{case}: {raw:?}");
        }
        assert!(received.end != Some(End::Clean) || received.text() == body, "{case}");
    }
}

/// Fields that a request of HTTP/2 may not have.
const BAD_FIELDS: &[(&str, &[(Bytes, Bytes)])] = &[
    ("transfer-encoding", &[(b"transfer-encoding", b"chunked")]),
    ("transfer-encoding identity", &[(b"transfer-encoding", b"identity")]),
    ("connection", &[(b"connection", b"close")]),
    ("connection that nominates", &[(b"connection", b"x-processing-mode")]),
    ("keep-alive", &[(b"keep-alive", b"timeout=5")]),
    ("proxy-connection", &[(b"proxy-connection", b"keep-alive")]),
    ("upgrade", &[(b"upgrade", b"h2c")]),
    ("te", &[(b"te", b"gzip")]),
    ("te with more", &[(b"te", b"trailers, chunked")]),
    ("two lengths", &[(b"content-length", b"2"), (b"content-length", b"3")]),
    ("a length too large", &[(b"content-length", b"9")]),
    ("a length too small", &[(b"content-length", b"1")]),
    ("a length of nothing", &[(b"content-length", b"0")]),
    ("a length with a sign", &[(b"content-length", b"+2")]),
    ("a length below zero", &[(b"content-length", b"-2")]),
    ("a length in words", &[(b"content-length", b"two")]),
    ("a length without digits", &[(b"content-length", b"")]),
    ("a length of 20 digits", &[(b"content-length", b"99999999999999999999")]),
    ("an upper-case name", &[(b"X-Upper", b"1")]),
    ("Transfer-Encoding in upper case", &[(b"Transfer-Encoding", b"chunked")]),
    ("a name with a space", &[(b"x smuggled", b"1")]),
    ("a name with a colon", &[(b"x-a: 1", b"1")]),
    ("a name with CRLF", &[(b"x\r\nsmuggled: 1\r\ny", b"1")]),
    ("a name with LF", &[(b"x\nsmuggled", b"1")]),
    ("a name with NUL", &[(b"x\0smuggled", b"1")]),
    ("a name with TAB", &[(b"transfer-encoding\t", b"chunked")]),
    ("a name that is not ASCII", &[(b"x-\xe9", b"1")]),
    ("a name with DEL", &[(b"x-\x7f", b"1")]),
    ("an empty name", &[(b"", b"1")]),
    ("a value with CRLF", &[(b"x-a", b"1\r\nsmuggled: 1")]),
    ("a value with LF", &[(b"x-a", b"1\nsmuggled: 1")]),
    ("a value with CR", &[(b"x-a", b"1\rsmuggled: 1")]),
    ("a value with NUL", &[(b"x-a", b"1\0smuggled")]),
    (
        "a value with a whole request",
        &[(b"x-a", b"1\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")],
    ),
    ("an unknown pseudo-field", &[(b":smuggled", b"1")]),
    ("a pseudo-field of answers", &[(b":status", b"200")]),
    ("a late :method", &[(b":method", b"GET")]),
    ("a late :path", &[(b":path", b"/smuggled")]),
    ("a late :authority", &[(b":authority", b"evil")]),
    ("a late :scheme", &[(b":scheme", b"http")]),
];

#[tokio::test]
async fn fields_that_http2_does_not_have() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    for target in ["/api/chat", "/upload"] {
        for (case, fields) in BAD_FIELDS {
            origin.forget();
            let mut h2 = H2::connect(modegate.frontend()).await;
            let fields = [head(target.as_bytes()), fields.to_vec()].concat();
            let answered = send(&mut h2, &fields, Some(BODY)).await;
            assert!(is_refused(&answered), "{case} to {target}: {answered:?}");
            let whole = origin.received().iter().any(|one| one.end == Some(End::Clean));
            assert!(!whole, "{case} to {target}: {:?}", origin.received());
            // A length is wrong only once the body is there.
            let late = case.starts_with("a length") && target == "/upload";
            assert!(late || origin.requests() == 0, "{case} to {target}: {:?}", origin.received());
            assert_one_reading(&origin, target, case);
            assert_alive(&modegate, case).await;
        }
    }
    modegate.counted("modegate_inflight", &[], 0.0).await;
}

#[tokio::test]
async fn a_length_that_arrives_is_the_bodys() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    // Whether it is served, where only one of the two will do.
    let lengths: [(&[Bytes], Option<&str>, Option<bool>); 9] = [
        (&[b""], None, None),
        (&[b""], Some(""), None),
        (&[b"0"], None, None),
        (&[b"", b"0"], None, None),
        (&[b"2"], Some(BODY), Some(true)),
        (&[b"2", b"2"], Some(BODY), Some(true)),
        (&[b"2", b""], Some(BODY), Some(false)),
        (&[b"2, 2"], Some(BODY), Some(false)),
        (&[b"002"], Some(BODY), Some(true)),
    ];
    for target in [&b"/api/chat"[..], b"/upload"] {
        for (values, body, is_served) in lengths {
            origin.forget();
            let case = format!("{values:?} of {body:?}");
            let mut fields = head(target);
            fields.extend(values.iter().map(|value| (&b"content-length"[..], *value)));
            let mut h2 = H2::connect(modegate.frontend()).await;
            let answered = send(&mut h2, &fields, body).await;
            let served = is_served.unwrap_or(answered.status == 200);
            assert_eq!(answered.status == 200, served, "{case}: {answered:?}");
            assert!(served || is_refused(&answered), "{case}: {answered:?}");
            let whole = origin.received().iter().filter(|one| one.end == Some(End::Clean)).count();
            assert!(whole == usize::from(served) || is_served.is_none(), "{case}: {whole}");
            for received in origin.received() {
                let whole = received.end == Some(End::Clean);
                assert!(!whole || received.text() == body.unwrap_or_default(), "{case}");
                let length = received.head.all("content-length").join("; ");
                let right = received.body.len().to_string();
                assert!(!whole || length.is_empty() || length == right, "{case}: {length:?}");
            }
            assert_alive(&modegate, &case).await;
        }
    }
}

#[tokio::test]
async fn heads_without_what_they_need_or_with_it_twice() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    for missing in [":method", ":scheme", ":path"] {
        let mut fields = head(b"/api/chat");
        fields.retain(|(name, _)| *name != missing.as_bytes());
        let mut h2 = H2::connect(modegate.frontend()).await;
        let answered = send(&mut h2, &fields, Some(BODY)).await;
        assert!(is_refused(&answered), "no {missing}: {answered:?}");
    }
    for twice in 0..4 {
        for same in [true, false] {
            let mut fields = head(b"/api/chat");
            let again = fields[twice];
            let other: [Bytes; 4] = [b"GET", b"https", b"/smuggled", b"smuggled"];
            fields.insert(twice, (again.0, if same { again.1 } else { other[twice] }));
            let mut h2 = H2::connect(modegate.frontend()).await;
            let answered = send(&mut h2, &fields, Some(BODY)).await;
            assert!(is_refused(&answered), "{fields:?}: {answered:?}");
        }
    }
    assert_eq!(origin.requests(), 0);
    assert_alive(&modegate, "after heads").await;
}

/// Pseudo-fields whose values are not what they should be.
const BAD_VALUES: &[(Bytes, Bytes)] = &[
    (b":method", b""),
    (b":method", b"PO ST"),
    (b":method", b"POST /smuggled HTTP/1.1\r\nx: y\r\n\r\nPOST"),
    (b":method", b"POST\0"),
    (b":method", b"CONNECT"),
    (b":path", b""),
    (b":path", b"/api/chat smuggled"),
    (b":path", b"/api/chat HTTP/1.1\r\nsmuggled: 1\r\nx: "),
    (b":path", b"/api/chat\nsmuggled"),
    (b":path", b"/api/chat\rsmuggled"),
    (b":path", b"/api/chat\0smuggled"),
    (b":path", b"/api/chat\tsmuggled"),
    (b":path", b"/api/chat\x7f"),
    (b":authority", b"a smuggled"),
    (b":authority", b"a\r\nsmuggled: 1"),
    (b":authority", b"a\0smuggled"),
    (b":authority", b"a/smuggled"),
];

/// No scheme of the client's goes anywhere; whether a request with it does.
const ODD_SCHEMES: [(Bytes, bool); 4] = [
    (b"", true),
    (b"http smuggled", false),
    (b"http\r\nsmuggled: 1", false),
    (b"javascript", true),
];

#[tokio::test]
async fn schemes_that_are_none() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    for (scheme, is_served) in ODD_SCHEMES {
        origin.forget();
        let case = String::from_utf8_lossy(scheme);
        let mut fields = head(b"/api/chat");
        fields[1].1 = scheme;
        let mut h2 = H2::connect(modegate.frontend()).await;
        let answered = send(&mut h2, &fields, Some(BODY)).await;
        assert_eq!(answered.status == 200, is_served, "{case}: {answered:?}");
        assert!(is_served || is_refused(&answered), "{case}: {answered:?}");
        assert_eq!(origin.requests(), usize::from(is_served), "{case}");
        assert_one_reading(&origin, "/api/chat", &case);
        assert_alive(&modegate, &case).await;
    }
}

#[tokio::test]
async fn pseudo_fields_that_are_no_such_thing() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    for (name, value) in BAD_VALUES {
        for target in ["/api/chat", "/upload"] {
            let case =
                format!("{:?} {:?}", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            let mut fields = head(target.as_bytes());
            let value = match *name {
                b":path" if target == "/upload" => value.strip_prefix(b"/api").unwrap_or(value),
                _ => value,
            };
            for field in fields.iter_mut().filter(|(field, _)| field == name) {
                field.1 = value;
            }
            let mut h2 = H2::connect(modegate.frontend()).await;
            let answered = send(&mut h2, &fields, Some(BODY)).await;
            assert!(is_refused(&answered), "{case}: {answered:?}");
            assert_eq!(origin.requests(), 0, "{case}");
            assert_alive(&modegate, &case).await;
            origin.forget();
        }
    }
}

/// The request's target, and the target and the body that the origin gets of it. Without them, it
/// is refused.
const ODD_PATHS: &[(Bytes, Option<(&str, &str)>)] = &[
    (b"api/chat", None),
    (b"client.example:80", None),
    (b"http://evil/api/chat", None),
    (b"javascript:/api/chat", None),
    (b"//evil/api/chat", Some(("//evil/api/chat", STRIPPED))),
    (b"/api/chat#smuggled", Some(("/api/chat", STRIPPED))),
    (b"/api/chat?x=%0d%0a", Some(("/api/chat?x=%0d%0a", STRIPPED))),
    (b"?x", Some(("/?x", FAST))),
    (b"\\\\evil/api", None),
];

#[tokio::test]
async fn targets_that_only_http2_can_write() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    for (path, passes) in ODD_PATHS {
        origin.forget();
        let case = String::from_utf8_lossy(path);
        let mut h2 = H2::connect(modegate.frontend()).await;
        let answered = send(&mut h2, &head(path), Some(FAST)).await;
        match passes {
            None => {
                assert!(is_refused(&answered), "{case}: {answered:?}");
                assert_eq!(origin.requests(), 0, "{case}");
            }
            Some((target, body)) => {
                assert_eq!((answered.status, origin.requests()), (200, 1), "{case}");
                assert_eq!(answered.text(), *body, "{case}");
                assert_eq!(origin.last().text(), *body, "{case}");
                assert_one_reading_of(&origin, target, body, &case);
            }
        }
        assert_alive(&modegate, &case).await;
    }
}

#[tokio::test]
async fn the_server_as_a_whole_is_for_options() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let mut h2 = H2::connect(modegate.frontend()).await;
    let answered = send(&mut h2, &head(b"*"), Some(BODY)).await;
    assert!(is_refused(&answered), "{answered:?}");
    assert_eq!(origin.requests(), 0);
}

#[tokio::test]
async fn whoever_is_named_the_upstream_is_the_configured_one() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    // Without a status, the stream is reset.
    let named: [(Option<Bytes>, &[Bytes], u16); 8] = [
        (Some(b"client.example"), &[b"client.example"], 200),
        (Some(b"client.example"), &[b"evil.example"], 400),
        (Some(b"client.example"), &[b""], 400),
        (Some(b"client.example"), &[b"a", b"b"], 400),
        (Some(b"user:word@client.example"), &[], 400),
        (Some(b""), &[], 0),
        (None, &[b"client.example"], 200),
        (None, &[b"a", b"b"], 400),
    ];
    for (authority, hosts, status) in named {
        origin.forget();
        let case = format!("{authority:?} {hosts:?}");
        let mut fields = head(b"/upload");
        match authority {
            Some(authority) => fields[3].1 = authority,
            None => drop(fields.remove(3)),
        }
        fields.extend(hosts.iter().map(|host| (&b"host"[..], *host)));
        let mut h2 = H2::connect(modegate.frontend()).await;
        let answered = send(&mut h2, &fields, Some(BODY)).await;
        assert_eq!(answered.status, status, "{case}: {answered:?}");
        assert_eq!(origin.requests(), usize::from(status == 200), "{case}");
        assert_one_reading(&origin, "/upload", &case);
        assert_alive(&modegate, &case).await;
    }
}

#[tokio::test]
async fn values_of_any_bytes_are_told_from_fields() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let values: [Bytes; 5] = [b"", b" 1", b"1\t", b"\xff\xe9", b"a:b, \"c\";d=e"];
    for value in values {
        origin.forget();
        let mut fields = head(b"/upload");
        fields.push((b"x-value", value));
        let mut h2 = H2::connect(modegate.frontend()).await;
        let answered = send(&mut h2, &fields, Some(BODY)).await;
        let case = String::from_utf8_lossy(value);
        assert!(answered.status == 200 || is_refused(&answered), "{case:?}: {answered:?}");
        assert_one_reading(&origin, "/upload", &case);
        if answered.status == 200 {
            let expected: String =
                value.trim_ascii().iter().map(|byte| char::from(*byte)).collect();
            assert_eq!(origin.last().header("x-value"), Some(expected.as_str()));
        }
    }
}

#[tokio::test]
async fn trailers_cannot_change_what_was_said() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let trailers: [(Bytes, Bytes); 9] = [
        (b"content-length", b"99"),
        (b"transfer-encoding", b"chunked"),
        (b"host", b"evil"),
        (b"connection", b"close"),
        (b":path", b"/smuggled"),
        (b"X-Upper", b"1"),
        (b"x-a", b"1\r\nsmuggled: 1"),
        (b"x-processing-mode", b"fast"),
        (b"authorization", b"Bearer smuggled"),
    ];
    for (name, value) in trailers {
        for target in [&b"/api/chat"[..], b"/upload"] {
            origin.forget();
            let case = String::from_utf8_lossy(name);
            let mut h2 = H2::connect(modegate.frontend()).await;
            let stream = h2.stream();
            let mut fields = head(target);
            fields.push((b"trailer", name));
            h2.send(Frame::headers(stream, hpack::block(&fields), 0)).await;
            h2.send(Frame::data(stream, BODY, 0)).await;
            h2.send(Frame::headers(stream, hpack::block(&[(name, value)]), frame::END_STREAM))
                .await;
            let answered = h2.answer(stream).await;
            assert!(answered.status == 200 || is_refused(&answered), "{case}: {answered:?}");
            for received in origin.received() {
                let harmless = |(name, _): &(String, String)| {
                    ![
                        "content-length",
                        "transfer-encoding",
                        "host",
                        "connection",
                        "x-processing-mode",
                    ]
                    .contains(&&*name.to_ascii_lowercase())
                };
                assert!(received.trailers.iter().all(harmless), "{case}: {received:?}");
            }
            assert_alive(&modegate, &case).await;
        }
    }
}

#[tokio::test]
async fn tags_of_the_client_are_taken_off_and_ours_come_first() {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let mut fields = head(b"/api/chat");
    for name in
        ["x-processing-mode", "x-processing-room", "x-processing-cohort", "x_processing_mode"]
    {
        fields.push((name.as_bytes(), b"fast"));
        fields.push((name.as_bytes(), b"spoofed"));
    }
    let mut h2 = H2::connect(modegate.frontend()).await;
    let answered = send(&mut h2, &fields, Some(FAST)).await;
    assert_eq!(answered.text(), STRIPPED);
    let received = origin.last();
    assert_eq!(received.header("x-processing-mode"), Some("default"));
    let raw = String::from_utf8_lossy(&received.head.raw).to_ascii_lowercase();
    assert!(!raw.contains("spoofed"), "{raw}");
    let at = |name: &str| {
        received.head.fields.iter().position(|(field, _)| field.eq_ignore_ascii_case(name))
    };
    assert!(at("x-processing-mode") < at("content-type"), "{raw}");
}
