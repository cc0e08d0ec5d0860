//! What a verdict is asked under: where the message comes in, and the flags and settings, in the
//! forms that the oracle and the configuration file have them.

use serde_json::{Value, json};

/// The settings that the tests vary.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub contract: bool,
    pub runtime: bool,
    pub kill: bool,
    /// `replace` or `strip`.
    pub downgrade: &'static str,
    pub percent: u32,
    pub body_limit: usize,
}

pub const SALT: &str = "oracle/2026-12";
pub const MODES: [&str; 3] = ["default", "fast", "turbo"];
pub const PROFILES: [(&str, &str); 2] = [("fast-v1", "fast"), ("turbo-v1", "turbo")];

const OFF: Setting = Setting {
    name: "off",
    contract: false,
    runtime: false,
    kill: false,
    downgrade: "replace",
    percent: 100,
    body_limit: 20 << 20,
};

/// Every member goes.
pub const STRIPS: Setting = OFF;
/// A mode that does not apply is replaced.
pub const REPLACES: Setting = Setting { name: "contract on", contract: true, ..OFF };
/// The mode applies to all.
pub const APPLIES: Setting = Setting { name: "runtime on", runtime: true, ..REPLACES };

/// Every setting that a body is tried under.
pub const SETTINGS: [Setting; 6] = [
    STRIPS,
    REPLACES,
    APPLIES,
    Setting { name: "killed", kill: true, ..APPLIES },
    Setting { name: "contract on, downgraded by removal", downgrade: "strip", ..REPLACES },
    Setting { name: "runtime on for half", percent: 50, ..APPLIES },
];

impl Setting {
    /// As the oracle takes it.
    pub fn json(&self) -> Value {
        json!({
            "field": "processing",
            "modes": MODES,
            "profiles": PROFILES.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "downgrade": self.downgrade,
            "salt": SALT,
            "ppm": self.percent * 10_000,
            "body_limit": self.body_limit,
            "flags": { "contract": self.contract, "runtime": self.runtime, "kill": self.kill },
        })
    }
}

/// Where a message comes in.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    pub leg: &'static str,
    pub target: &'static str,
}

/// A conversation's message.
pub const MESSAGE: Door = Door {
    leg: "frontend",
    target: "/api/conversations/92df569d-c294-49f4-9d7b-ac722fb09c35/messages",
};
/// A request through the cloud proxy.
pub const BRIDGE: Door = Door { leg: "bridge", target: "/api/v1/milady/agents/a/bridge" };
/// A request to the runtime's entrypoint.
pub const RUNTIME: Door = Door { leg: "runtime", target: "/bridge" };

/// One door for each way in which a body is read.
pub const DOORS: [Door; 6] = [
    MESSAGE,
    Door { leg: "frontend", target: "/api/chat" },
    Door { leg: "frontend", target: "/v1/chat/completions" },
    Door { leg: "frontend", target: "/v1/messages" },
    BRIDGE,
    RUNTIME,
];

/// The message as the `params` of a JSON-RPC request.
pub fn in_params(message: &[u8]) -> Vec<u8> {
    [br#"{"jsonrpc":"2.0","id":1,"method":"message.send","params":"#, message, b"}"].concat()
}
