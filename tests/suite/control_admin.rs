//! The admin API's door: which calls there are, who may make them, and that the data ports are
//! none of it.

use crate::control_process::{generation, unauthorized};
use crate::harness::{
    Client, Modegate, Origin, Request, Response, Start, TOKEN, listener, settings,
};

const BODY: &str = r#"{"value":true,"actor":"ann","reason":"r"}"#;

async fn modegate() -> (Origin, Modegate) {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    (origin, modegate)
}

fn error(response: &Response) -> String {
    response.json()["error"].as_str().expect("an error").to_owned()
}

#[tokio::test]
async fn every_call_and_what_is_none() {
    let (_origin, modegate) = modegate().await;
    let text = "text/plain";
    let metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let json = "application/json";
    let cases = [
        ("GET", "/live", 200, text),
        ("GET", "/ready", 200, text),
        ("GET", "/metrics", 200, metrics),
        ("GET", "/config", 200, json),
        ("GET", "/flags", 200, json),
        ("GET", "/log", 200, json),
        ("HEAD", "/live", 200, text),
        ("HEAD", "/flags", 200, json),
        ("GET", "/live?verbose=1", 200, text),
        ("GET", "/", 404, json),
        ("GET", "/flag", 404, json),
        ("GET", "/flags/kill", 405, json),
        ("GET", "//live", 404, json),
        ("GET", "/live/", 404, json),
        ("GET", "/LIVE", 404, json),
        ("GET", "/.well-known/processing", 404, json),
        ("GET", "/api/chat", 404, json),
        ("POST", "/live", 405, json),
        ("POST", "/flags", 405, json),
        ("PUT", "/flags", 405, json),
        ("DELETE", "/config", 405, json),
        ("POST", "/log", 405, json),
        ("GET", "/log/", 404, json),
        ("PATCH", "/flags/kill", 405, json),
        ("POST", "/flags/kill", 405, json),
        ("OPTIONS", "/flags", 405, json),
        ("TRACE", "/nope", 404, json),
        ("PUT", "/nope", 404, json),
    ];
    for (method, path, status, kind) in cases {
        let request = Request::new(method, path).header("Host", "localhost").only_last("Host");
        let mut client = Client::connect(modegate.admin()).await;
        let response = client.exchange(&request).await;
        assert_eq!(response.status, status, "{method} {path}: {}", response.text());
        assert_eq!(response.header("content-type"), Some(kind), "{method} {path}");
        assert_eq!(response.header("cache-control"), Some("no-store"), "{method} {path}");
        assert_eq!(response.header("access-control-allow-origin"), None, "{method} {path}");
        if status >= 400 {
            assert!(!error(&response).is_empty(), "{method} {path}");
        }
        assert_eq!(response.body.is_empty(), method == "HEAD", "{method} {path}");
    }
    assert_eq!(generation(&modegate).await, 1);
}

#[tokio::test]
async fn only_the_bearer_token_changes_anything() {
    let (_origin, modegate) = modegate().await;
    let (short, long) = (&TOKEN[..TOKEN.len() - 1], format!("{TOKEN}x"));
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    let cases = [
        ("none", None),
        ("empty", Some(String::new())),
        ("no token", bearer("")),
        ("another", bearer("an other token, wrong")),
        ("a prefix", bearer(short)),
        ("more", bearer(&long)),
        ("a part", bearer(&TOKEN[1..])),
        ("in capitals", bearer(&TOKEN.to_uppercase())),
        ("bare", Some(TOKEN.to_owned())),
        ("another scheme", Some(format!("Basic {TOKEN}"))),
        ("no space", Some(format!("Bearer{TOKEN}"))),
        ("two in one", bearer(&format!("{TOKEN}, Bearer {TOKEN}"))),
    ];
    for method in ["PUT", "DELETE"] {
        for (name, authorization) in &cases {
            let mut request = Request::new(method, "/flags/kill").body(BODY);
            if let Some(value) = authorization {
                request = request.header("Authorization", value);
            }
            let response = unauthorized(&modegate, request).await;
            assert_eq!(response.status, 401, "{method} {name}: {}", response.text());
            assert!(!response.text().contains(short), "{method} {name}");
        }
    }
    let right = format!("Bearer {TOKEN}");
    let twice = Request::new("PUT", "/flags/kill")
        .header("Authorization", &right)
        .header("Authorization", &right)
        .body(BODY);
    assert_eq!(unauthorized(&modegate, twice).await.status, 401);
    assert_eq!(generation(&modegate).await, 1);
    let once = Request::new("PUT", "/flags/kill").header("Authorization", &right).body(BODY);
    assert_eq!(unauthorized(&modegate, once).await.status, 200);
}

#[tokio::test]
async fn without_a_token_file_nothing_can_be_changed() {
    let origin = Origin::echo().await;
    let config = format!("{}\n[admin]\nbind = \"127.0.0.1:0\"\n", settings(&origin, ""));
    let modegate = Modegate::start(&config).await;
    for authorization in ["Bearer ", "Bearer", "", &format!("Bearer {TOKEN}")] {
        for method in ["PUT", "DELETE"] {
            let request = Request::new(method, "/flags/kill")
                .header("Authorization", authorization)
                .body(BODY);
            let response = unauthorized(&modegate, request).await;
            assert_eq!(response.status, 403, "{authorization:?}");
            assert!(error(&response).contains("token_file"), "{}", response.text());
        }
    }
    assert_eq!(generation(&modegate).await, 1, "and it can still be read");
}

#[tokio::test]
async fn a_page_in_a_browser_gets_nowhere() {
    let origin = Origin::echo().await;
    let config = format!(
        "{}\n[admin]\nbind = \"127.0.0.1:0\"\ntoken_file = \"{{dir}}/token\"\n\
         hosts = [\"gate.internal\", \"gate.example:9901\"]\n",
        settings(&origin, "")
    );
    let modegate = Modegate::start(&config).await;
    let own = modegate.admin().to_string();
    let cases: [(&[(&str, &str)], bool); 15] = [
        (&[("Host", &own)], true),
        (&[("Host", "localhost:1")], true),
        (&[("Host", "[::1]")], true),
        (&[("Host", "gate.internal:9901")], true),
        (&[("Host", "gate.example:9901")], true),
        (&[("Host", "rebound.example")], false),
        (&[("Host", "localhost.example")], false),
        (&[("Host", "gate.internal.example")], false),
        (&[("Host", "")], false),
        (&[], false),
        (&[("Host", "localhost"), ("Host", "rebound.example")], false),
        (&[("Host", "localhost"), ("Origin", "http://localhost:3000")], true),
        (&[("Host", "localhost"), ("Origin", "https://page.example")], false),
        (&[("Host", "localhost"), ("Origin", "null")], false),
        (&[("Host", "localhost"), ("Origin", "")], false),
    ];
    for (fields, admitted) in cases {
        for (method, path) in [("GET", "/flags"), ("GET", "/metrics"), ("PUT", "/flags/contract")] {
            let fields: String =
                fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let head = format!(
                "{method} {path} HTTP/1.1\r\n{fields}Authorization: Bearer {TOKEN}\r\n\
                 Content-Length: {}\r\n\r\n{BODY}",
                BODY.len()
            );
            let mut client = Client::connect(modegate.admin()).await;
            client.write(head).await;
            let response = client.response().await;
            let expected = if admitted { [200, 200] } else { [403, 400] };
            assert!(
                expected.contains(&response.status),
                "{method} {path} {fields:?}: {response:?}"
            );
            assert_eq!(response.header("access-control-allow-origin"), None, "{fields:?}");
        }
    }
    // Each that was admitted set the flag once, and none of the others did.
    let admitted = cases.iter().filter(|(_, admitted)| *admitted).count();
    assert_eq!(generation(&modegate).await, 1 + admitted as u64);
}

#[tokio::test]
async fn bodies_that_are_too_large_or_no_body_at_all() {
    let (_origin, modegate) = modegate().await;
    let authorization = format!("Bearer {TOKEN}");
    let put = |body: String| {
        Request::new("PUT", "/flags/kill")
            .header("Host", "localhost")
            .only_last("Host")
            .header("Authorization", &authorization)
            .body(body)
    };
    let padded = |length: usize| format!("{BODY}{}", " ".repeat(length - BODY.len()));
    let sizes = [(16 * 1024 + 1, false), (1024 * 1024, false), (16 * 1024, true)];
    let mut changes = 0;
    for (size, taken) in sizes {
        for request in [put(padded(size)), put(padded(size)).chunked(1000)] {
            let response = Client::once(modegate.admin(), request).await;
            let status = response.status;
            assert!(
                if taken { status == 200 } else { matches!(status, 400 | 413) },
                "{size}: {status}"
            );
            changes += u64::from(taken);
        }
    }
    assert_eq!(generation(&modegate).await, 1 + changes);

    for garbage in ["\r\n\r\n\0\0", "PUT /flags/kill\r\n\r\n", "GET /live HTTP/9.9\r\n\r\n", "{}"] {
        let mut client = Client::connect(modegate.admin()).await;
        client.write(garbage).await;
        client.finish().await;
        client.closed().await;
    }
    // A body that breaks off changes nothing.
    let mut client = Client::connect(modegate.admin()).await;
    let bytes = put(BODY.to_owned()).bytes();
    client.write(&bytes[..bytes.len() - 1]).await;
    client.finish().await;
    client.closed().await;
    assert_eq!(generation(&modegate).await, 1 + changes);
}

#[tokio::test]
async fn the_data_ports_pass_admin_calls_on_and_answer_none() {
    let origin = Origin::start(|_| crate::harness::Answer::ok("the upstream's own")).await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let calls = [
        ("GET", "/live"),
        ("GET", "/ready"),
        ("GET", "/metrics"),
        ("GET", "/config"),
        ("GET", "/flags"),
        ("GET", "/log"),
        ("PUT", "/flags/kill"),
        ("DELETE", "/flags/kill"),
        ("PUT", "/log"),
    ];
    let mut passed = 0;
    for address in [modegate.frontend(), modegate.bridge()] {
        for (method, path) in calls {
            let mut request = Request::new(method, path)
                .header("Host", "localhost")
                .only_last("Host")
                .header("Authorization", &format!("Bearer {TOKEN}"));
            if method != "GET" {
                request = request.body(BODY);
            }
            let response = Client::once(address, request).await;
            passed += 1;
            assert_eq!((response.status, response.text().as_str()), (200, "the upstream's own"));
            let last = origin.last();
            assert_eq!((last.method(), last.target()), (method, path));
        }
    }
    for (method, path) in calls {
        let response = Client::once(modegate.runtime(), Request::new(method, path)).await;
        let not_found = r#"{"error":"Not Found"}"#;
        assert_eq!((response.status, response.text().as_str()), (404, not_found), "{path}");
    }
    assert_eq!((origin.requests(), generation(&modegate).await), (passed, 1));
}

#[tokio::test]
async fn it_listens_on_a_unix_socket_too() {
    let origin = Origin::echo().await;
    let config = format!(
        "{}\n[admin]\nbind = \"unix:{{dir}}/admin.sock\"\ntoken_file = \"{{dir}}/token\"\n",
        listener("frontend", &origin.url())
    );
    let modegate = Modegate::start(&config).await;
    modegate.flag("kill", true).await;
    assert_eq!(modegate.flags().await["flags"]["kill"]["value"], true);
    let foreign = Request::get("/flags").header("Origin", "https://page.example");
    assert_eq!(Client::once(modegate.admin(), foreign).await.status, 403);
    use std::os::unix::fs::PermissionsExt;
    let socket = modegate.dir().path().join("admin.sock");
    let mode = std::fs::metadata(socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o007, 0, "not for everyone: {mode:o}");
}

#[tokio::test]
async fn a_token_file_that_will_not_do_stops_the_start() {
    let origin = Origin::echo().await;
    for (file, content) in [("short", "0123456789abcde"), ("blank", " \n"), ("none", "")] {
        let admin = format!("[admin]\nbind = \"127.0.0.1:0\"\ntoken_file = \"{{dir}}/{file}\"\n");
        let start = Start::new(&format!("{}\n{admin}", settings(&origin, "")));
        if file != "none" {
            start.dir().write(file, content);
        }
        let ended = start.fails().await;
        assert_eq!(ended.code, Some(2), "{file}: {}", ended.stderr);
        assert!(ended.stderr.contains("admin.token_file"), "{file}: {}", ended.stderr);
        assert!(content.trim().is_empty() || !ended.stderr.contains(content), "{file}");
    }
}
