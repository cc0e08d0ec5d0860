//! What a client asks, what must arrive of it, and what must come back: all of it follows from an
//! id that no other request has, so that either end can tell what belongs to it.

use fastrand::Rng;

use crate::harness::Request;
use crate::messages::{PLACES, ROOM, Shape, Wants};

/// How every id begins. It stands in no other text.
const MARK: &str = "chaos-";
/// `chaos-`, the way, the request's number.
const ID: usize = MARK.len() + 2 + 1 + 8;

/// How a message may carry the member that must not arrive: not at all, plainly, spelled with an
/// escape, twice.
const MEMBERS: [&str; 4] = [
    "",
    r#""processing":{"mode":"fast"},"#,
    r#""proces\u0073ing":{"mode":"fast","profile":"p"},"#,
    r#""processing":{"mode":"default"},"processing":{"mode":"fast"},"#,
];

/// What goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Load {
    /// A JSON message, and its answer.
    Message,
    /// A JSON message, and an event stream.
    Events,
    /// A body that streams through.
    Upload,
    /// An answer that streams through.
    Get,
}

/// A leg and what is asked of it: the messages of every route, then uploads and plain GETs.
#[derive(Clone, Copy, Debug)]
enum Way {
    Message(usize),
    Upload(&'static str),
    Get(&'static str),
}

/// The runtime leg serves its two routes only.
const OTHERS: [Way; 4] =
    [Way::Upload("frontend"), Way::Upload("bridge"), Way::Get("frontend"), Way::Get("bridge")];

impl Way {
    fn at(at: usize) -> Way {
        match at.checked_sub(PLACES.len()) {
            None => Way::Message(at),
            Some(at) => OTHERS[at],
        }
    }

    fn leg(self) -> &'static str {
        match self {
            Way::Message(place) => PLACES[place].leg,
            Way::Upload(leg) | Way::Get(leg) => leg,
        }
    }

    fn load(self) -> Load {
        match self {
            Way::Message(place) if PLACES[place].wants == Wants::Stream => Load::Events,
            Way::Message(_) => Load::Message,
            Way::Upload(_) => Load::Upload,
            Way::Get(_) => Load::Get,
        }
    }
}

/// One request, made once.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its id.
    pub id: String,
    way: Way,
    number: u64,
}

impl Ask {
    /// The request with this number: something that the leg serves.
    pub fn draw(leg: &str, number: u64, rng: &mut Rng) -> Ask {
        let ways = PLACES.len() + OTHERS.len();
        // As often of one load as of another.
        let loads = match leg {
            "runtime" => &[Load::Message, Load::Events][..],
            _ => &[Load::Message, Load::Events, Load::Upload, Load::Get],
        };
        let load = loads[rng.usize(..loads.len())];
        let fits = |way: &usize| Way::at(*way).leg() == leg && Way::at(*way).load() == load;
        let way = rng.choice((0..ways).filter(fits).collect::<Vec<_>>()).expect("a way");
        Ask { id: format!("{MARK}{way:02}-{number:08x}"), way: Way::at(way), number }
    }

    /// The request that has this id.
    pub fn with(id: &str) -> Option<Ask> {
        let (way, number) = id.strip_prefix(MARK)?.split_once('-')?;
        let number = u64::from_str_radix(number, 16).ok()?;
        let way = way.parse().ok().filter(|way| *way < PLACES.len() + OTHERS.len())?;
        Some(Ask { id: id.to_owned(), way: Way::at(way), number })
    }

    /// What goes over the wire.
    pub fn load(&self) -> Load {
        self.way.load()
    }

    /// Where it goes to.
    pub fn target(&self) -> String {
        match self.way {
            Way::Message(place) => PLACES[place].target.to_owned(),
            Way::Upload(_) => format!("/uploads/{}", self.id),
            Way::Get(_) => format!("/files/{}", self.id),
        }
    }

    /// The request as HTTP/1.1 has it.
    pub fn request(&self) -> Request {
        let request = match self.way {
            Way::Get(_) => Request::get(&self.target()),
            Way::Upload(_) => Request::post(&self.target(), self.sent()).chunked(3000),
            Way::Message(_) => Request::post(&self.target(), self.sent()),
        };
        request.header("X-Request-Id", &self.id).header("X-Processing-Mode", "fast")
    }

    /// The body that the client sends.
    pub fn sent(&self) -> Vec<u8> {
        self.body(MEMBERS[self.number as usize % MEMBERS.len()])
    }

    /// The body that must arrive.
    pub fn arrives(&self) -> Vec<u8> {
        self.body("")
    }

    fn body(&self, member: &str) -> Vec<u8> {
        let mut rng = self.rng();
        let (id, room) = (&self.id, ROOM);
        let Way::Message(place) = self.way else {
            let length = if self.load() == Load::Upload { rng.usize(..128 * 1024) } else { 0 };
            return self.fill(length).into_bytes();
        };
        let text = self.fill(length(&mut rng));
        let body = match PLACES[place].shape {
            Shape::Rest => format!(r#"{{"text":"{text}",{member}"id":"{id}"}}"#),
            Shape::Completions => {
                let stream = self.load() == Load::Events;
                format!(
                    r#"{{"stream":{stream},"messages":[{{"content":"{text}"}}],{member}"id":"{id}"}}"#
                )
            }
            Shape::Rpc => format!(
                r#"{{"jsonrpc":"2.0","id":"{id}","method":"message.send","params":{{{member}"text":"{text}","roomId":"{room}"}}}}"#
            ),
        };
        body.into_bytes()
    }

    /// The pieces of the answer's body: one, or an event stream's events.
    pub fn answer(&self) -> Vec<String> {
        let mut rng = self.rng();
        let _ = rng.u64(..);
        let id = &self.id;
        match self.load() {
            Load::Events => (0..rng.usize(1..40))
                .map(|n| {
                    format!(
                        "data: {{\"id\":\"{id}\",\"n\":{n},\"text\":\"{}\"}}\n\n",
                        self.fill(rng.usize(..300))
                    )
                })
                .collect(),
            Load::Get => vec![self.fill(rng.usize(..64 * 1024))],
            Load::Message | Load::Upload => {
                vec![format!(r#"{{"id":"{id}","text":"{}"}}"#, self.fill(length(&mut rng)))]
            }
        }
    }

    /// Whether the answer is in chunks.
    pub fn is_chunked(&self) -> bool {
        self.load() == Load::Events || self.rng().bool()
    }

    /// Whether the origin closes the connection after the answer.
    pub fn is_last(&self) -> bool {
        self.number.is_multiple_of(11)
    }

    fn rng(&self) -> Rng {
        Rng::with_seed(self.number)
    }

    /// Text of this length with the id all over it.
    fn fill(&self, length: usize) -> String {
        let mut text = format!("{} ", self.id).repeat(length / (ID + 1) + 1);
        text.truncate(length);
        text
    }

    /// Whether no other id than this one's stands in the bytes, which may be cut at their end.
    pub fn owns(&self, bytes: &[u8]) -> bool {
        let marks = bytes.windows(MARK.len()).enumerate().filter(|(_, at)| *at == MARK.as_bytes());
        let mut ids = marks.map(|(at, _)| &bytes[at..bytes.len().min(at + ID)]);
        ids.all(|id| self.id.as_bytes().starts_with(id))
    }
}

/// Mostly short, sometimes more than one buffer.
fn length(rng: &mut Rng) -> usize {
    if rng.u8(..8) == 0 { rng.usize(..60 * 1024) } else { rng.usize(..1500) }
}
