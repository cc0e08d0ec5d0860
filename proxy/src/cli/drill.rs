//! `modegate drill`: rolls a running sidecar back softly, then hard, and back again, under synthetic
//! messages, and says what an origin saw of it.

mod hands;
mod log;
mod origin;
mod traffic;

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::call::AdminArgs;
use super::why::Why;
use hands::Hands;
use log::Arrived;
use origin::Place;
use traffic::Traffic;

/// So many messages are looked at in each position.
const LOOKED_AT: usize = 200;
/// How long a position may take to be seen.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct DrillArgs {
    #[command(flatten)]
    admin: AdminArgs,
    /// The sidecar's frontend listener.
    #[arg(long, value_name = "http://HOST:PORT")]
    frontend: String,
    /// Where the drill listens as the origin: the frontend listener's upstream in staging.
    #[arg(long, value_name = "HOST:PORT", value_parser = Place::parse)]
    origin: Place,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    why: Why,
}

/// A position of the flags, and what may reach the origin in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Fast,
    Soft,
    Hard,
    Back,
}

impl Position {
    const ALL: [Position; 4] = [Position::Fast, Position::Soft, Position::Hard, Position::Back];

    fn word(self) -> &'static str {
        match self {
            Position::Fast => "fast mode on",
            Position::Soft => "soft rollback",
            Position::Hard => "hard rollback",
            Position::Back => "back on",
        }
    }

    fn is_right(self, arrived: &Arrived) -> bool {
        match self {
            Position::Fast | Position::Back => arrived.fast && arrived.member,
            Position::Soft => !arrived.fast,
            Position::Hard => !arrived.fast && !arrived.member,
        }
    }
}

/// What was seen of a position.
struct Seen {
    position: Position,
    /// From the order to its acceptance.
    accepted: Duration,
    /// From its acceptance to the last arrival of what was right before and is not now.
    last_before: Duration,
    /// Messages that were sent after its acceptance, and those of them that were wrong.
    looked_at: usize,
    wrong: usize,
}

impl DrillArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        // The actor is asked for, and the overrides are looked at, before anything is sent.
        let mut hands = Hands::free(&self.admin, self.why.actor()?, &self.why.reason)?;
        let traffic = Traffic::start(&self.frontend, &self.origin)?;
        let drilled = self.drill(&traffic, &mut hands);
        // Whatever happened, nothing of the drill's stays set by hand.
        let taken_back = hands.take_back().map_err(|failure| hands.stays(failure));
        traffic.stop();
        let seen = match (drilled, taken_back) {
            (Ok(seen), Ok(())) => seen,
            (Err(failure), Err(stays)) => return Err(failure.and(stays.text())),
            (Err(failure), Ok(())) | (Ok(_), Err(failure)) => return Err(failure),
        };
        self.print(&seen);
        match seen.iter().all(|seen| seen.wrong == 0) {
            true => Ok(()),
            false => Err(Failure::Failed("a position was not kept".to_owned())),
        }
    }

    fn drill(&self, traffic: &Traffic, hands: &mut Hands<'_>) -> Result<Vec<Seen>, Failure> {
        traffic.find_fast()?;
        let mut seen = Vec::new();
        for position in Position::ALL {
            hands.are_free()?;
            let ordered = Instant::now();
            match position {
                Position::Fast => {}
                Position::Soft => hands.soft()?,
                Position::Hard => hands.hard()?,
                Position::Back => hands.take_back()?,
            }
            let accepted = Instant::now();
            hands.note()?;
            let arrivals = traffic.log().since(accepted, LOOKED_AT, PATIENCE)?;
            let sent_after = arrivals.iter().filter(|arrived| arrived.sent >= accepted);
            let (looked_at, wrong) = sent_after.fold((0, 0), |(all, wrong), arrived| {
                (all + 1, wrong + usize::from(!position.is_right(arrived)))
            });
            let before = arrivals.iter().filter(|arrived| !position.is_right(arrived));
            let last_before = before.map(|arrived| arrived.at).max();
            let last_before = last_before.map_or(Duration::ZERO, |last| last - accepted);
            let accepted = accepted - ordered;
            seen.push(Seen { position, accepted, last_before, looked_at, wrong });
        }
        Ok(seen)
    }

    fn print(&self, seen: &[Seen]) {
        if self.json {
            let steps: Vec<Value> = seen.iter().map(Seen::json).collect();
            let kept = seen.iter().all(|seen| seen.wrong == 0);
            println!("{}", json!({ "kept": kept, "positions": steps }));
            return;
        }
        println!(
            "{:<15}{:>12}{:>16}{:>10}{:>7}",
            "POSITION", "ORDER", "LAST BEFORE", "MESSAGES", "WRONG"
        );
        for seen in seen {
            println!(
                "{:<15}{:>9.1} ms{:>13.1} ms{:>10}{:>7}",
                seen.position.word(),
                millis(seen.accepted),
                millis(seen.last_before),
                seen.looked_at,
                seen.wrong
            );
        }
    }
}

impl Seen {
    fn json(&self) -> Value {
        json!({
            "position": self.position.word(),
            "order_ms": millis(self.accepted),
            "last_before_ms": millis(self.last_before),
            "messages": self.looked_at,
            "wrong": self.wrong,
        })
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
