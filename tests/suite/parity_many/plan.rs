//! Who says what, and what the API server does to it: the same in every run.

use fastrand::Rng;

use super::lanes::Sends;
use crate::harness::Request;
use crate::parity::chain::{ROUTES, Route, Say};
use crate::parity::fault::{Fault, Server, Treatment};
use crate::parity::room_of;

/// A message.
#[derive(Debug)]
pub struct Planned {
    route: &'static Route,
    conversation: String,
    user: String,
    mode: Option<&'static str>,
    pub text: String,
    pub treatment: Treatment,
}

/// All messages; the request id of each is its number.
pub struct Plan {
    messages: Vec<Planned>,
    lanes: usize,
}

impl Plan {
    /// So many messages of so many clients.
    pub fn of(seed: u64, messages: usize, lanes: usize) -> Plan {
        let mut random = Rng::with_seed(seed);
        let messages = (0..messages).map(|number| planned(&mut random, number, number % lanes));
        Plan { messages: messages.collect(), lanes }
    }

    /// The same, with an API server that knows nothing of the contract.
    pub fn by_an_old_server(mut self) -> Plan {
        self.messages.iter_mut().for_each(|planned| planned.treatment.server = Server::Old);
        self
    }

    /// The message with this request id.
    pub fn of_id(&self, request_id: &str) -> &Planned {
        &self.messages[request_id.parse::<usize>().expect("a number")]
    }

    /// What each client sends.
    pub fn lanes(&self) -> Vec<Vec<Sends>> {
        let mut lanes: Vec<Vec<Sends>> = (0..self.lanes).map(|_| Vec::new()).collect();
        for (number, planned) in self.messages.iter().enumerate() {
            let says = planned.text.clone();
            lanes[number % self.lanes].push(Sends { request: planned.request(number), says });
        }
        lanes
    }
}

/// Rooms are a client's own, but for those that many share. One in a hundred of what the API server
/// gets is lost, altered, invented or crossed; half of what asks for the fast mode is downgraded
/// before it gets there, and cannot be lost or altered.
fn planned(random: &mut Rng, number: usize, lane: usize) -> Planned {
    let route = match random.u8(..10) {
        at @ 0..8 => &ROUTES[usize::from(at % 2)],
        _ => &ROUTES[random.usize(2..ROUTES.len())],
    };
    let conversation = format!("c-{lane}-{}", random.u8(..4));
    let fault = match random.u16(..1000) {
        0..20 => Fault::LoseMode,
        20..40 => Fault::AlterMode,
        40..50 => Fault::InventMode,
        50..60 => Fault::LoseRoom,
        // The room of somebody who sends at the same time.
        60..70 => Fault::CrossRoom(room_of(&format!("c-{}-0", lane + 1))),
        _ => Fault::None,
    };
    let mode = match (&fault, random.u8(..4)) {
        (Fault::LoseMode | Fault::AlterMode, _) => Some("fast"),
        (Fault::InventMode, 0..2) | (_, 0) => None,
        (Fault::InventMode, _) | (_, 1) => Some("default"),
        _ => Some("fast"),
    };
    // People say the same again, in every room; never twice at once in one of their own.
    let own = route.target.contains(":id");
    let text = match own && fault == Fault::None && random.u8(..4) == 0 {
        true => "yes".to_owned(),
        false => format!("message {number}"),
    };
    let user = format!("user-{}", random.u8(..50));
    Planned { route, conversation, user, mode, text, treatment: Treatment::new(fault) }
}

impl Planned {
    fn request(&self, number: usize) -> Request {
        let Planned { route, conversation, text, mode, .. } = self;
        Say { route, conversation, text, mode: *mode }
            .request()
            .header("X-User", &self.user)
            .only_last("X-User")
            .header("X-Request-Id", &number.to_string())
    }
}
