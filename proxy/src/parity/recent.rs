//! The last mismatches, for people to look at.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::SystemTime;

use modegate_filters::contract::{Mode, Modes, Requested};
use modegate_filters::parity::{Means, Verdict};
use modegate_filters::rollout::observe::Exemplar;
use modegate_filters::route::Leg;

use crate::digest::hex;
use crate::moment::milliseconds;

/// So many are kept.
const KEPT: usize = 100;
/// So many show what went wrong.
const EXEMPLARS: usize = 10;

/// A mismatch: digests and words, no room and no text.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// When it was seen.
    pub at: SystemTime,
    /// On which leg.
    pub leg: Leg,
    /// What it is.
    pub verdict: Verdict,
    /// What the request was found by.
    pub means: Means,
    /// The mode that the leg before let through, and what arrived.
    pub mode: (Mode, Option<Requested>),
    /// The digests of the rooms.
    pub room: (Option<u64>, Option<u64>),
    /// The generations of the flags on the leg before and on this one.
    pub generation: (u64, u64),
    /// The ids of the request on the leg before and on this one.
    pub request_id: (String, String),
    /// The trace that it is part of here.
    pub trace_id: String,
}

/// The last of them, the newest first.
#[derive(Debug, Default)]
pub struct Recent(Mutex<VecDeque<Mismatch>>);

impl Recent {
    /// Keeps one. Requests do not wait for one another: where another one is being kept at this
    /// moment, this one is only counted.
    pub fn keep(&self, mismatch: impl FnOnce() -> Mismatch) {
        let Ok(mut kept) = self.0.try_lock() else { return };
        kept.truncate(KEPT - 1);
        kept.push_front(mismatch());
    }

    /// All that are kept.
    pub fn list(&self) -> Vec<Mismatch> {
        self.0.lock().map(|kept| kept.iter().cloned().collect()).unwrap_or_default()
    }

    /// The last of them as a rollout shows them, the newest last.
    pub fn exemplars(&self, modes: &Modes) -> Vec<Exemplar> {
        let Ok(kept) = self.0.lock() else { return Vec::new() };
        kept.iter().take(EXEMPLARS).rev().map(|one| one.exemplar(modes)).collect()
    }
}

impl Mismatch {
    fn exemplar(&self, modes: &Modes) -> Exemplar {
        let room = |digest: Option<u64>| digest.map_or_else(|| "none".to_owned(), hex);
        let (expected, found) = match self.verdict.is_of_room() {
            true => (room(self.room.0), room(self.room.1)),
            false => {
                let found = self.mode.1.unwrap_or(Requested::Nothing);
                (modes.name(self.mode.0).to_owned(), found.word(modes).to_owned())
            }
        };
        Exemplar {
            at: milliseconds(self.at),
            leg: self.leg.word().to_owned(),
            what: self.verdict.word().to_owned(),
            expected,
            found,
            request_id: self.request_id.1.clone(),
            trace_id: self.trace_id.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn ten_show_what_went_wrong_the_newest_last() {
        let modes = Modes::new(["default", "fast"].map(str::to_owned)).unwrap();
        let recent = Recent::default();
        assert_eq!(recent.exemplars(&modes), []);
        for at in 1..=12 {
            recent.keep(|| Mismatch {
                at: UNIX_EPOCH + Duration::from_millis(at),
                leg: Leg::Bridge,
                verdict: if at == 12 { Verdict::RoomMissing } else { Verdict::ModeMissing },
                means: Means::RoomText,
                mode: (modes.find("fast").unwrap(), Some(Requested::Nothing)),
                room: (Some(0xab), None),
                generation: (1, 1),
                request_id: ("before".to_owned(), format!("here-{at}")),
                trace_id: "t".repeat(32),
            });
        }
        let shown = recent.exemplars(&modes);
        assert_eq!(
            shown.iter().map(|one| one.at).collect::<Vec<_>>(),
            (3..=12).collect::<Vec<_>>()
        );
        let texts = |one: &Exemplar| {
            [&one.leg, &one.what, &one.expected, &one.found, &one.request_id].map(String::clone)
        };
        assert_eq!(texts(&shown[8]), ["bridge", "mode_missing", "fast", "none", "here-11"]);
        let room = ["bridge", "room_missing", "00000000000000ab", "none", "here-12"];
        assert_eq!(texts(&shown[9]), room);
    }
}
