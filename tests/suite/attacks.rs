//! What the attacks on the running process share: an origin that records, an exchange judged by what
//! Node reads in what was sent and in what arrived, and the clean request that must succeed after it.

use serde_json::{Map, Value, json};

use crate::explain_oracle::node::Node;
use crate::explain_oracle::setting::{Door, MESSAGE, Setting};
use crate::explain_oracle::toml;
use crate::harness::{Answer, Client, Modegate, NodeOrigin, NodeRead, Origin, Received};
use crate::harness::{Request, Response};

/// Where the clean request goes, and what it carries.
const CONTROL: &str = "/api/conversations/control/messages";
const CLEAN: &str = r#"{"text":"clean"}"#;

/// A process under attack, between a client and an origin that records.
pub struct Attack {
    /// The process.
    pub modegate: Modegate,
    behind: Behind,
    setting: Setting,
}

/// What it forwards to.
enum Behind {
    /// Bytes, as they came.
    Recorder(Origin),
    /// Node's own server.
    Node(NodeOrigin),
}

/// A body that was sent, and what stood around it.
#[derive(Clone, Copy)]
pub struct Sent<'s> {
    pub door: Door,
    pub encodings: &'s [&'s str],
    pub body: &'s [u8],
    /// Whether a refusal is as good as what Node would do.
    pub may_be_refused: bool,
}

impl<'s> Sent<'s> {
    /// A body that was posted.
    pub fn post(door: Door, body: &'s [u8]) -> Sent<'s> {
        Sent { door, encodings: &[], body, may_be_refused: false }
    }
}

/// A request that arrived.
#[derive(Debug)]
pub struct Arrived {
    pub method: String,
    pub target: String,
    /// Names in lower case; a name that comes twice has an array, which no value is.
    pub headers: Map<String, Value>,
    pub body: Vec<u8>,
}

impl Arrived {
    fn new(method: &str, target: &str, fields: Vec<(String, String)>, body: Vec<u8>) -> Arrived {
        let mut headers = Map::new();
        for (name, value) in fields {
            match headers.get_mut(&name) {
                None => drop(headers.insert(name, json!(value))),
                Some(Value::Array(values)) => values.push(json!(value)),
                Some(first) => *first = json!([first, value]),
            }
        }
        Arrived { method: method.to_owned(), target: target.to_owned(), headers, body }
    }

    /// The only value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?;
        Some(value.as_str().unwrap_or_else(|| panic!("{name} occurs more than once: {value}")))
    }
}

impl From<Received> for Arrived {
    fn from(one: Received) -> Arrived {
        let field = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
        let fields = one.head.fields.iter().map(field).collect();
        Arrived::new(one.method(), one.target(), fields, one.body.clone())
    }
}

impl From<NodeRead> for Arrived {
    fn from(one: NodeRead) -> Arrived {
        assert!(one.complete, "what arrived broke off: {one:?}");
        let field = |field: &[String]| (field[0].to_ascii_lowercase(), field[1].clone());
        let fields = one.raw_headers.chunks(2).map(field).collect();
        Arrived::new(&one.method, &one.url, fields, one.bytes())
    }
}

impl Attack {
    /// A process under one setting, before an origin that records bytes.
    pub async fn start(setting: Setting) -> Attack {
        Attack::with(setting, "").await
    }

    /// The same with more settings.
    pub async fn with(setting: Setting, extra: &str) -> Attack {
        let origin = Origin::start(|_| Answer::ok("{}")).await;
        let config = format!("{}\n{extra}", toml(&setting, &origin.url()));
        let modegate = Modegate::start(&config).await;
        Attack { modegate, behind: Behind::Recorder(origin), setting }
    }

    /// A process under one setting, before Node's own server.
    pub async fn before_node(setting: Setting) -> Attack {
        let origin = NodeOrigin::start().await;
        let modegate = Modegate::start(&toml(&setting, &origin.url())).await;
        Attack { modegate, behind: Behind::Node(origin), setting }
    }

    /// A connection to the leg of a door.
    pub async fn connect(&self, door: Door) -> Client {
        Client::connect(self.modegate.leg(door.leg, 0)).await
    }

    /// Every request that arrived since this was last asked.
    pub async fn arrived(&self) -> Vec<Arrived> {
        match &self.behind {
            Behind::Recorder(origin) => {
                let received = origin.received();
                origin.forget();
                received.into_iter().map(Arrived::from).collect()
            }
            Behind::Node(origin) => {
                let read = origin.take().await;
                // What Node refuses reaches nobody behind it.
                read.into_iter().filter(|one| one.kind != "error").map(Arrived::from).collect()
            }
        }
    }

    /// Posts one body through a door on a connection of its own, then a clean request on it if it is
    /// still open, and on another; gives what Node finds wrong.
    pub async fn post(&self, node: &mut Node, door: Door, body: &[u8]) -> Option<String> {
        self.send(node, Sent::post(door, body), &Request::post(door.target, body)).await
    }

    /// The same with any request.
    pub async fn send(&self, node: &mut Node, sent: Sent<'_>, request: &Request) -> Option<String> {
        let mut client = self.connect(sent.door).await;
        let response = client.exchange(request).await;
        let arrived = self.arrived().await;
        let fault = match arrived.as_slice() {
            [] => self.fault(node, sent, None, &response),
            [one] => self.fault(node, sent, Some(one), &response),
            several => Some(format!("{} requests arrived", several.len())),
        };
        let open = response.header("connection") != Some("close");
        self.control(open.then_some(client).filter(|_| sent.door.leg == MESSAGE.leg)).await;
        fault
    }

    /// What Node finds wrong with an exchange: I1 to I5.
    pub fn fault(
        &self,
        node: &mut Node,
        sent: Sent<'_>,
        arrived: Option<&Arrived>,
        response: &Response,
    ) -> Option<String> {
        let out = arrived.map_or(&[][..], |arrived| &arrived.body);
        let Door { leg, target } = sent.door;
        let question = json!({
            "op": "arrived",
            "leg": leg,
            "target": target,
            "encodings": sent.encodings,
            "may_be_refused": sent.may_be_refused,
            "settings": self.setting.json(),
            "sent": sent.body.len(),
            "status": response.status,
            "headers": arrived.map(|arrived| &arrived.headers),
            "there": arrived.map(|arrived| &arrived.target),
        });
        let faults = node.faults(&question, &[sent.body, out].concat());
        let [came, left] = [sent.body, out]
            .map(|bytes| String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned());
        (!faults.is_empty()).then(|| {
            let (setting, status) = (self.setting.name, response.status);
            let faults = faults.join("; ");
            format!("{leg} {target}, {setting}: {came:?} gave {status} and {left:?}: {faults}")
        })
    }

    /// A clean request succeeds, on this connection and on a new one, and is all that arrives (I9).
    pub async fn control(&self, open: Option<Client>) {
        let clean = Request::post(CONTROL, CLEAN);
        let new = Client::connect(self.modegate.frontend()).await;
        for mut client in open.into_iter().chain([new]) {
            let response = client.exchange(&clean).await;
            assert_eq!(response.status, 200, "a clean request: {}", response.text());
            let arrived = self.arrived().await;
            let [only] = arrived.as_slice() else { panic!("a clean request and {arrived:?}") };
            assert_eq!((&*only.target, &*only.body), (CONTROL, CLEAN.as_bytes()));
        }
    }
}
