//! What a server between two legs does to a message, and what must be said of it then.

use serde_json::{Value, json};

/// A server's fault, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// The mode does not go on.
    LoseMode,
    /// Fast goes on as default.
    AlterMode,
    /// Fast goes on where it was not asked for.
    InventMode,
    LoseRoom,
    /// It goes on in another room.
    CrossRoom(String),
    /// It goes on twice.
    Twice,
    /// It is answered here, and goes nowhere.
    Locally,
    /// It is refused with this status, and goes nowhere.
    Refuse(u16),
}

/// What a server knows of the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Server {
    /// Nothing: it builds what it sends of what it knows.
    Old,
    /// It passes the member on.
    #[default]
    New,
}

/// What of a request's identity goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwards {
    #[default]
    Nothing,
    RequestId,
    Trace,
}

/// What becomes of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Treatment {
    pub fault: Fault,
    pub server: Server,
    pub forwards: Forwards,
}

impl Treatment {
    /// By a server that passes the member on.
    pub fn new(fault: Fault) -> Treatment {
        Treatment { fault, ..Treatment::default() }
    }

    /// By a server that knows nothing of the contract.
    pub fn old(fault: Fault) -> Treatment {
        Treatment { server: Server::Old, ..Treatment::new(fault) }
    }

    /// The contract's member as it goes on.
    pub fn processing(&self, came: Option<&Value>) -> Option<Value> {
        let fast = came.is_some_and(|came| came["mode"] == "fast");
        match self.fault {
            Fault::InventMode => Some(json!({ "mode": "fast" })),
            Fault::LoseMode => None,
            Fault::AlterMode if fast => Some(json!({ "mode": "default" })),
            _ => came.filter(|_| self.server == Server::New).cloned(),
        }
    }

    /// The room as it goes on.
    pub fn room(&self, came: Option<&str>) -> Option<String> {
        match &self.fault {
            Fault::LoseRoom => None,
            Fault::CrossRoom(other) => Some(other.clone()),
            _ => came.map(str::to_owned),
        }
    }

    /// The verdicts that the next leg must give, of a message that left the leg before so; its
    /// text is the only one of its kind.
    pub fn verdicts(&self, left_fast: bool) -> Vec<&'static str> {
        let carried = match (&self.fault, left_fast, self.server) {
            (Fault::InventMode, false, _) => "mode_invented",
            (Fault::AlterMode, true, _) => "mode_altered",
            (Fault::LoseMode, true, _) => "mode_missing",
            (Fault::InventMode | Fault::AlterMode, ..) | (_, false, _) => "match",
            (_, true, Server::Old) => "mode_missing",
            (_, true, Server::New) => "match",
        };
        match self.fault {
            Fault::LoseRoom => vec!["room_missing"],
            Fault::CrossRoom(_) => vec!["room_crossed"],
            Fault::Twice => vec![carried, "duplicate"],
            Fault::Locally | Fault::Refuse(_) => Vec::new(),
            _ => vec![carried],
        }
    }
}
