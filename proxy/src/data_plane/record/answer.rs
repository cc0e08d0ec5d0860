//! What a record learns from the answer as it passes, and what is counted of it at the end.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use modegate_filters::parity::{Means, Verdict};
use modegate_filters::rollout::observe::{Breaker, Fault};
use modegate_filters::stream::Ending;

use super::Record;
use crate::data_plane::media::Media;
use crate::data_plane::witness::{Asked, Witness};
use crate::metrics::{Ended, Outcome, ParityCounts, Source, count};
use crate::parity::Mismatch;

/// What is known of an answer at its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Concluded {
    /// What it says of the mode; of a foreign one that it is another room's.
    pub acknowledged: Option<Verdict>,
    /// How a streamed one ended.
    pub ending: Option<Ending>,
}

impl Record {
    /// From now on the upstream's answer, whose head has these headers and announces this kind of
    /// body, is looked at as it passes, where it is one to a message.
    pub fn look_at(&mut self, status: StatusCode, media: Media, headers: &HeaderMap) {
        let Some((route, dialect)) = self.route.filter(|_| status.is_success()) else { return };
        let message = self.inspected.as_ref().filter(|inspected| inspected.is_message);
        let Some(inspected) = message else { return };
        let (mode, named) = (inspected.effective, inspected.named);
        let modes = &self.snapshot.settings.policy.contract().modes;
        let asked = Asked { dialect, route, mode, named };
        self.witness =
            Some(Box::new(Witness::of(asked, media, headers, modes, &self.plane.digests)));
    }

    /// A look at an answer that is not given to the client where it contradicts the message.
    pub fn enforced(&self) -> Option<&Witness> {
        self.witness.as_deref().filter(|_| self.snapshot.flags.enforces(self.plane.leg))
    }

    /// What is counted of parity.
    pub fn counts(&self) -> &ParityCounts {
        &self.plane.metrics.parity
    }

    /// The mode that left, and the one that the answer acknowledges, by their names.
    pub fn modes_said(&self) -> [&str; 2] {
        let modes = &self.snapshot.settings.policy.contract().modes;
        let left = self.mode().map_or("", |mode| modes.name(mode));
        let said = self.witness.as_ref().and_then(|witness| witness.mode_said());
        [left, said.map_or("none", |said| said.word(modes))]
    }

    /// A piece of the answer passes.
    pub fn see(&mut self, piece: &Bytes) {
        let Some(witness) = &mut self.witness else { return };
        let brought = witness.see(piece, &self.snapshot.settings, &self.plane);
        let Some((now, before)) = brought.event else { return };
        let answers = &self.plane.metrics.answers;
        if brought.first {
            let first = now - self.started;
            self.first_event = Some(first);
            if let Some(histogram) = answers.first_event(self.labels()) {
                histogram.observe(first);
            }
        }
        if let Some((histogram, before)) = answers.event_gap(self.labels()).zip(before) {
            histogram.observe(now - before);
        }
    }

    /// What the answer acknowledges, all of it seen: of a foreign one, that it is another room's.
    pub fn acknowledged(&mut self) -> Option<Verdict> {
        let witness = self.witness.as_mut()?;
        witness.conclude(&self.snapshot.settings.policy, &self.plane.digests);
        Some(witness.verdict())
    }

    /// Counts what became of the answer.
    pub(super) fn conclude(&mut self) -> Concluded {
        let Some(said) = self.acknowledged() else { return Concluded::default() };
        let leg = self.plane.leg;
        let metrics = &self.plane.metrics;
        match said {
            Verdict::RoomCrossed => {
                count(metrics.parity.contamination(leg, Source::Answer));
                self.plane.store.trip(Breaker::Contamination);
                tracing::error!(
                    leg = leg.word(),
                    request_id = self.request_id.to_str().unwrap_or_default(),
                    "the answer is another room's or another call's"
                );
            }
            said => {
                count(metrics.parity.verdicts(leg, said));
                if said == Verdict::AckAltered {
                    self.plane.store.trip(Breaker::Mismatch);
                }
            }
        }
        if said.is_mismatch() {
            self.remember(said);
        }
        let stream = self.witness.as_ref().and_then(|witness| witness.stream());
        let ending = stream.map(|(style, ending)| {
            let ending = match (self.outcome, ending) {
                (Outcome::Gone, Ending::Truncated) => Ending::Aborted,
                _ => ending,
            };
            count(metrics.answers.streams(self.labels(), style, ending));
            ending
        });
        Concluded { acknowledged: Some(said), ending }
    }

    /// Counts a request that a rollout compares. That the client went is no error; what came before
    /// it went still is what it is.
    pub(super) fn compare(&self, ending: Option<Ending>) {
        let eligible = self.inspected.as_ref().and_then(|inspected| inspected.eligible);
        let Some((cohort, replicate)) = eligible else { return };
        let witness = self.witness.as_deref();
        let failed = match self.outcome {
            // Ours, not the upstream's, whatever its status.
            Outcome::Refused => false,
            Outcome::Unavailable | Outcome::Cut => true,
            _ => self.status.is_some_and(|status| status.is_server_error()),
        };
        let spoke = self.first_event.is_some();
        let says_nothing = witness.is_some_and(Witness::is_no_response);
        let repeats = self.left.is_some_and(|left| left.repeats);
        let error = failed || ending == Some(Ending::Error) && !spoke;
        let fault = match ending {
            _ if error => None,
            Some(Ending::Empty) => Some(Fault::Empty),
            Some(Ending::Error) => Some(Fault::HiddenError),
            Some(Ending::Truncated) => Some(Fault::Truncated),
            _ if says_nothing => Some(Fault::NoResponse),
            // Asked again for want of a good answer; a refusal is no answer.
            _ => witness.filter(|_| repeats).map(|_| Fault::Repeated),
        };
        // What a refusal says of the upstream's speed is nothing, and only a success has a witness.
        let whole = witness.filter(|witness| witness.is_whole()).and(self.first_byte);
        let first = self.first_event.or(whole);
        self.plane.metrics.rollout.count(&Ended { cohort, replicate, error, first, fault });
    }

    fn remember(&self, said: Verdict) {
        let Some((witness, inspected)) = self.witness.as_ref().zip(self.inspected.as_ref()) else {
            return;
        };
        let id = self.request_id.to_str().unwrap_or_default();
        let generation = self.snapshot.generation;
        self.plane.parity.recent.keep(|| Mismatch {
            at: SystemTime::now(),
            leg: self.plane.leg,
            verdict: said,
            means: Means::Answer,
            mode: (inspected.effective, witness.mode_said()),
            room: (inspected.named.room, None),
            generation: (generation, generation),
            request_id: (id.to_owned(), id.to_owned()),
            trace_id: self.trace.shown(),
        });
    }
}
