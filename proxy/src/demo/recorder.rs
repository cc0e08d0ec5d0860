//! What an origin received: the last requests, bounded in number and in bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method};

/// The most requests that are kept.
const REQUESTS: usize = 64;
/// The most body bytes that are kept, over all requests.
const BODY_BYTES: usize = 64 * 1024 * 1024;

/// A request as an origin received it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The method.
    pub method: Method,
    /// The request line's target.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty where the origin answered without reading it.
    pub body: Bytes,
}

/// The last requests of one origin.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    arrivals: u64,
    body_bytes: usize,
    requests: VecDeque<(Ticket, Recorded)>,
}

/// Names one recorded request, so that its body can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

impl Recorder {
    /// Records a request whose body is not read yet.
    pub fn arrived(&self, parts: &Parts) -> Ticket {
        let mut kept = self.lock();
        kept.arrivals += 1;
        let ticket = Ticket(kept.arrivals);
        let recorded = Recorded {
            method: parts.method.clone(),
            target: parts.uri.to_string(),
            headers: parts.headers.clone(),
            body: Bytes::new(),
        };
        kept.requests.push_back((ticket, recorded));
        kept.shed();
        ticket
    }

    /// Adds the body of a request that is still kept.
    pub fn body_read(&self, ticket: Ticket, body: Bytes) {
        let mut kept = self.lock();
        let length = body.len();
        let Some((_, recorded)) = kept.requests.iter_mut().find(|(known, _)| *known == ticket)
        else {
            return;
        };
        recorded.body = body;
        kept.body_bytes += length;
        kept.shed();
    }

    /// The requests that are kept, the oldest first.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.lock().requests.iter().map(|(_, recorded)| recorded.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn shed(&mut self) {
        while self.requests.len() > REQUESTS || self.body_bytes > BODY_BYTES {
            let Some((_, oldest)) = self.requests.pop_front() else { return };
            self.body_bytes -= oldest.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: String) -> Parts {
        http::Request::post(target).body(()).unwrap().into_parts().0
    }

    #[test]
    fn keeps_the_last_and_counts_their_bytes() {
        let recorder = Recorder::default();
        let first = recorder.arrived(&parts("/0".to_owned()));
        for n in 1..=REQUESTS {
            let ticket = recorder.arrived(&parts(format!("/{n}")));
            recorder.body_read(ticket, Bytes::from(vec![0; n]));
        }
        recorder.body_read(first, Bytes::from_static(b"late"));
        let recorded = recorder.recorded();
        assert_eq!(recorded.len(), REQUESTS);
        assert_eq!((recorded[0].target.as_str(), recorded[0].body.len()), ("/1", 1));
        assert_eq!(recorder.lock().body_bytes, (1..=REQUESTS).sum::<usize>());
    }

    #[test]
    fn large_bodies_push_the_oldest_out() {
        let recorder = Recorder::default();
        for n in 0..3 {
            let ticket = recorder.arrived(&parts(format!("/{n}")));
            recorder.body_read(ticket, Bytes::from(vec![0; BODY_BYTES / 2]));
        }
        assert_eq!(recorder.recorded().len(), 2);
    }
}
