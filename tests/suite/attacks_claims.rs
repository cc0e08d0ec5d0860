//! What a client says in the place of a proxy passes as it came and decides nothing (case 76).

use crate::attacks::{Attack, Sent};
use crate::control_process::generation;
use crate::explain_oracle::node::Node;
use crate::explain_oracle::setting::{APPLIES, BRIDGE, MESSAGE, RUNTIME, STRIPS, in_params};
use crate::harness::{Client, Request, TOKEN};

const BODY: &[u8] = br#"{"text":"a","processing":{"mode":"fast"}}"#;

/// Not where a request goes, nor its cohort, nor who may call the admin API (case 76).
#[tokio::test]
async fn forwarding_headers_pass_and_decide_nothing() {
    let claims = [
        ("X-Forwarded-For", "127.0.0.1, 10.0.0.1"),
        ("X-Forwarded-Host", "localhost"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Port", "9901"),
        ("X-Real-IP", "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1;host=localhost;proto=https"),
        ("Via", "1.1 modegate"),
        ("X-Forwarded-Prefix", "/admin"),
        ("X-Client-Cert", "CN=admin"),
    ];
    for attack in [Attack::start(STRIPS).await, Attack::before_node(APPLIES).await] {
        let mut node = Node::start();
        for door in [MESSAGE, BRIDGE, RUNTIME] {
            let body = if door.leg == MESSAGE.leg { BODY.to_vec() } else { in_params(BODY) };
            let add = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
            let request = claims.iter().fold(Request::post(door.target, body.clone()), add);
            let mut client = attack.connect(door).await;
            let response = client.exchange(&request).await;
            let arrived = attack.arrived().await;
            let fault =
                attack.fault(&mut node, Sent::post(door, &body), arrived.first(), &response);
            assert_eq!((fault, arrived.len()), (None, 1), "case 76");
            for (name, value) in claims {
                assert_eq!(arrived[0].header(&name.to_ascii_lowercase()), Some(value), "case 76");
            }
        }
        attack.control(None).await;
        let refused = claims.iter().fold(
            Request::new("PUT", "/flags/kill")
                .body("{}")
                .header("Host", "evil.example")
                .only_last("Host"),
            |request, (name, value)| request.header(name, value),
        );
        let refused = refused.header("Authorization", &format!("Bearer {TOKEN}"));
        assert_eq!(Client::once(attack.modegate.admin(), refused).await.status, 403, "case 76");
        assert_eq!(generation(&attack.modegate).await, 1);
    }
}

/// A Host with a port or an address says nothing; one with a user, two of them, or none are no
/// request that arrives.
#[tokio::test]
async fn what_a_host_says_goes_no_further() {
    let attack = Attack::start(STRIPS).await;
    let hosts: [(&[&str], u16); 10] = [
        (&["a.example"], 200),
        (&["a.example:81"], 200),
        (&["user@a.example"], 400),
        (&["[::1]:80"], 200),
        (&["127.0.0.1:9901"], 200),
        (&["a.example", "b.example"], 400),
        (&["a.example", "a.example"], 400),
        (&[], 400),
        (&[""], 200),
        (&["a b"], 400),
    ];
    for (host, status) in hosts {
        let fields: String = host.iter().map(|host| format!("Host: {host}\r\n")).collect();
        let mut client = attack.connect(MESSAGE).await;
        let length = BODY.len();
        let target = MESSAGE.target;
        client
            .write(format!("POST {target} HTTP/1.1\r\n{fields}Content-Length: {length}\r\n\r\n"))
            .await;
        client.write(BODY).await;
        let response = client.response().await;
        let arrived = attack.arrived().await;
        assert_eq!(response.status, status, "case 76: {host:?}");
        assert_eq!(arrived.len(), usize::from(status == 200), "case 76: {host:?}");
        for arrived in arrived {
            let host = arrived.header("host").expect("one Host").to_owned();
            assert!(host.starts_with("127.0.0.1:"), "case 76: {host}");
            assert_eq!(arrived.body, br#"{"text":"a"}"#);
        }
    }
    attack.control(None).await;
}
