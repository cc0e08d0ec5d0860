//! Parity: what one leg let through against what the next leg got. Two accounts in, one verdict
//! out; finding the two accounts is the proxy's work.

use crate::bucket::Cohort;
use crate::contract::{Mode, Requested};

/// What is said of a request, of a record that nobody claimed, and of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Mode, room and cohort are those that were let through.
    Match,
    /// A mode other than the default was let through, and none arrived.
    ModeMissing,
    /// A mode other than the default was let through, and another one arrived.
    ModeAltered,
    /// The default mode was let through, and another one arrived.
    ModeInvented,
    /// The request names no room.
    RoomMissing,
    /// The request names another room.
    RoomCrossed,
    /// Mode and room are right, but the room is now in another cohort.
    CohortDrift,
    /// What was let through once arrived a second time.
    Duplicate,
    /// Nothing that was let through can be told to be this request: never an incident.
    Unobserved,
    /// What was let through never arrived, as when the API server answers by itself: never an
    /// incident.
    Unclaimed,
    /// The upstream says that it applied the mode that left.
    AckMatch,
    /// The upstream says that it applied another one.
    AckAltered,
    /// The upstream says nothing: never an incident.
    AckUnobserved,
}

impl Verdict {
    /// Every verdict, in the order of the metrics' labels.
    pub const ALL: [Verdict; 13] = [
        Verdict::Match,
        Verdict::ModeMissing,
        Verdict::ModeAltered,
        Verdict::ModeInvented,
        Verdict::RoomMissing,
        Verdict::RoomCrossed,
        Verdict::CohortDrift,
        Verdict::Duplicate,
        Verdict::Unobserved,
        Verdict::Unclaimed,
        Verdict::AckMatch,
        Verdict::AckAltered,
        Verdict::AckUnobserved,
    ];

    /// The word that logs, metrics and commands use.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Match => "match",
            Verdict::ModeMissing => "mode_missing",
            Verdict::ModeAltered => "mode_altered",
            Verdict::ModeInvented => "mode_invented",
            Verdict::RoomMissing => "room_missing",
            Verdict::RoomCrossed => "room_crossed",
            Verdict::CohortDrift => "cohort_drift",
            Verdict::Duplicate => "duplicate",
            Verdict::Unobserved => "unobserved",
            Verdict::Unclaimed => "unclaimed",
            Verdict::AckMatch => "ack_match",
            Verdict::AckAltered => "ack_altered",
            Verdict::AckUnobserved => "ack_unobserved",
        }
    }

    /// Whether something that was let through did not arrive as it left.
    pub fn is_mismatch(self) -> bool {
        self.is_of_mode() || self.is_of_room() || self == Verdict::AckAltered
    }

    /// Whether the request was found to be one that was let through.
    pub fn is_joined(self) -> bool {
        let of_request = self.is_of_mode() || self.is_of_room();
        of_request || matches!(self, Verdict::Match | Verdict::CohortDrift | Verdict::Duplicate)
    }

    /// Whether the mode is at fault.
    pub fn is_of_mode(self) -> bool {
        matches!(self, Verdict::ModeMissing | Verdict::ModeAltered | Verdict::ModeInvented)
    }

    /// Whether the room is at fault.
    pub fn is_of_room(self) -> bool {
        matches!(self, Verdict::RoomMissing | Verdict::RoomCrossed)
    }
}

/// How a request was found to be one that was let through before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Means {
    /// By its `x-request-id`.
    RequestId,
    /// By the trace in its `traceparent`.
    Traceparent,
    /// By room and text.
    RoomText,
    /// By its text alone: the room is another one, or none.
    Text,
    /// By its JSON-RPC id.
    RpcId,
    /// Several that are not alike could be it.
    Ambiguous,
    /// It was not found.
    Nothing,
    /// It was not looked for: an answer belongs to its request.
    Answer,
}

impl Means {
    /// Every means by which a request may be joined, in the order of the metrics' labels.
    pub const ALL: [Means; 7] = [
        Means::RequestId,
        Means::Traceparent,
        Means::RoomText,
        Means::Text,
        Means::RpcId,
        Means::Ambiguous,
        Means::Nothing,
    ];

    /// The word that logs, metrics and commands use.
    pub fn word(self) -> &'static str {
        match self {
            Means::RequestId => "request_id",
            Means::Traceparent => "traceparent",
            Means::RoomText => "room_text",
            Means::Text => "text",
            Means::RpcId => "rpc_id",
            Means::Ambiguous => "ambiguous",
            Means::Nothing => "none",
            Means::Answer => "answer",
        }
    }
}

/// What one leg let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left<'a> {
    /// The effective mode.
    pub mode: Mode,
    /// The cohort; `None` where the request had no bucket key.
    pub cohort: Option<Cohort>,
    /// The room.
    pub room: Option<&'a str>,
}

/// What arrived on the next leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived<'a> {
    /// The mode asked for.
    pub requested: Requested,
    /// The cohort; `None` where the request has no bucket key.
    pub cohort: Option<Cohort>,
    /// The room.
    pub room: Option<&'a str>,
}

/// Compares the two. The room comes first, since another room's message is the worst that can
/// arrive; the cohort last, since it says nothing of this message.
pub fn compare(left: &Left<'_>, arrived: &Arrived<'_>) -> Verdict {
    match (left.room, arrived.room) {
        (Some(_), None) => return Verdict::RoomMissing,
        (Some(left), Some(arrived)) if left != arrived => return Verdict::RoomCrossed,
        // Where no room was known none can be missed.
        _ => {}
    }
    let mode = match (left.mode, arrived.requested) {
        (Mode::DEFAULT, Requested::Nothing) => Verdict::Match,
        (_, Requested::Nothing) => Verdict::ModeMissing,
        (left, Requested::Mode(arrived)) if left == arrived => Verdict::Match,
        (Mode::DEFAULT, _) => Verdict::ModeInvented,
        _ => Verdict::ModeAltered,
    };
    match (mode, left.cohort, arrived.cohort) {
        (Verdict::Match, Some(left), Some(arrived)) if left != arrived => Verdict::CohortDrift,
        _ => mode,
    }
}

/// What an upstream's acknowledgement says of the mode that left. `None` acknowledges nothing; what
/// is no mode acknowledges another one.
pub fn acknowledged(left: Mode, said: Option<Requested>) -> Verdict {
    match said {
        None | Some(Requested::Nothing) => Verdict::AckUnobserved,
        Some(Requested::Mode(mode)) if mode == left => Verdict::AckMatch,
        Some(_) => Verdict::AckAltered,
    }
}

#[cfg(test)]
mod tests;
