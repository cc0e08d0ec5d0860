//! Request framing that two readers could read in two ways: it is refused on every leg, and neither
//! a recorder of bytes nor Node's own server behind ever sees it.

mod answers;
mod bodies;
mod connections;
mod heads;
mod lengths;

use crate::harness::{
    Client, End, Modegate, NodeOrigin, NodeRead, Origin, Request, eventually, listener,
};

/// What follows in the stream as the attacker's own request; nobody may ever get to see it.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/// Where attacks are sent: inspected and not, on every leg.
const TARGETS: [(&str, &str); 4] =
    [("frontend", "/api/chat"), ("frontend", "/upload"), ("bridge", "/x"), ("runtime", "/bridge")];

/// Every leg twice: in front of the recorder, and in front of Node.
struct Front {
    recorder: Origin,
    node: NodeOrigin,
    modegate: Modegate,
}

impl Front {
    async fn start(extra: &str) -> Front {
        let (recorder, node) = (Origin::echo().await, NodeOrigin::start().await);
        let legs = ["frontend", "bridge", "runtime"];
        let listeners = [recorder.url(), node.url()]
            .iter()
            .flat_map(|url| legs.map(|leg| listener(leg, url)))
            .collect::<String>();
        let modegate = Modegate::start(&format!("{extra}\n{listeners}")).await;
        Front { recorder, node, modegate }
    }

    /// Sends these bytes, `TARGET` replaced, to every target; each must be refused with one of
    /// these statuses and the connection closed, with nothing whole at either origin. A clean
    /// request succeeds afterwards.
    async fn refuses(&self, text: &str, statuses: &[u16]) {
        for (leg, target) in TARGETS {
            for at in [0, 1] {
                let label = format!("{text:?} to {target}");
                let mut client = Client::connect(self.modegate.leg(leg, at)).await;
                client.write(bytes(&text.replace("TARGET", target))).await;
                let status = client.response_to("POST").await.status;
                assert!(statuses.contains(&status), "{label}: {status}");
                client.closed().await;
            }
        }
        self.saw_nothing_whole(text).await;
        self.answers(text).await;
    }

    /// Neither origin saw a whole request, nor will.
    async fn saw_nothing_whole(&self, label: &str) {
        eventually("the end of what came at the recorder", async || {
            self.recorder.received().iter().all(|one| one.end.is_some()).then_some(())
        })
        .await;
        for one in self.recorder.received() {
            let smuggled = one.end == Some(End::Clean) || one.target() == "/smuggled";
            assert!(!smuggled, "{label:?}: {one:?}");
        }
        self.recorder.forget();
        eventually("the end of what came at Node", async || {
            self.node.log().await.iter().all(|one| one.closed || one.kind == "error").then_some(())
        })
        .await;
        for one in self.node.take().await {
            assert!(!one.complete && one.url != "/smuggled", "{label:?}: {one:?}");
        }
    }

    /// Clean requests succeed in front of either origin.
    async fn answers(&self, label: &str) {
        for at in [0, 1] {
            let request = Request::post("/upload", "control");
            let response = Client::once(self.modegate.leg("frontend", at), request).await;
            assert_eq!(response.status, 200, "after {label:?}");
        }
        assert_eq!(self.recorder.last().text(), "control", "after {label:?}");
        self.recorder.forget();
        assert_eq!(self.node.take().await[0].text(), "control", "after {label:?}");
    }

    /// What Node itself reads of these bytes.
    async fn node_reads(&self, text: &str) -> Vec<NodeRead> {
        let mut client = Client::connect(&self.node.address).await;
        client.write(bytes(&text.replace("TARGET", "/upload"))).await;
        client.finish().await;
        client.closed().await;
        let mut log = self.node.take().await;
        log.retain(|read| read.kind != "error" && read.complete);
        log
    }

    /// How many requests were refused for this reason, over all legs.
    async fn counted(&self, reason: &str, times: usize) {
        let labels = [("reason", reason)];
        self.modegate.counted("modegate_rejections_total", &labels, times as f64).await;
    }
}

/// One byte for each character.
fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|byte| u8::try_from(byte).expect("a byte")).collect()
}
