//! How many connections the admin API has. A new one takes the place of the one that has waited
//! longest for a call, so that connections that say nothing keep nobody out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// People and scrapers need a few; a flood of them must not take the descriptors that requests need.
const CONNECTIONS: usize = 64;

/// Room for connections.
#[derive(Debug, Default)]
pub struct Room(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: usize,
    /// Those without a call, the longest waiting first.
    waiting: VecDeque<Arc<Seat>>,
}

#[derive(Debug, Default)]
struct Seat {
    /// Whether another connection has it now; written with the state locked.
    is_taken: AtomicBool,
    leave: Notify,
}

/// A connection's place, given up when it is dropped.
#[derive(Debug)]
pub struct Place<'r> {
    room: &'r Room,
    seat: Arc<Seat>,
}

/// A call on a connection, which keeps its place until this is dropped.
#[derive(Debug)]
pub struct Call<'p, 'r>(&'p Place<'r>);

impl Room {
    /// A place for a new connection; `None` where every other one has a call.
    pub fn enter(&self) -> Option<Place<'_>> {
        let mut state = self.lock();
        if state.open < CONNECTIONS {
            state.open += 1;
        } else {
            let other = state.waiting.pop_front()?;
            other.is_taken.store(true, Relaxed);
            other.leave.notify_one();
        }
        let seat = Arc::new(Seat::default());
        state.waiting.push_back(seat.clone());
        Some(Place { room: self, seat })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn stops_waiting(&mut self, seat: &Arc<Seat>) {
        self.waiting.retain(|other| !Arc::ptr_eq(other, seat));
    }
}

impl<'r> Place<'r> {
    /// Returns when another connection has the place.
    pub async fn is_taken(&self) {
        self.seat.leave.notified().await;
    }

    /// A call begins.
    pub fn call(&self) -> Call<'_, 'r> {
        self.room.lock().stops_waiting(&self.seat);
        Call(self)
    }
}

impl Drop for Call<'_, '_> {
    fn drop(&mut self) {
        let Place { room, seat } = self.0;
        let mut state = room.lock();
        if !seat.is_taken.load(Relaxed) {
            state.waiting.push_back(seat.clone());
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.room.lock();
        if !self.seat.is_taken.load(Relaxed) {
            state.stops_waiting(&self.seat);
            state.open -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn the_longest_waiting_leaves() {
        let room = Room::default();
        let mut places: Vec<_> = (0..CONNECTIONS).map(|_| room.enter().unwrap()).collect();
        let is_taken = |place: &Place<'_>| place.is_taken().now_or_never().is_some();
        let busy = places[0].call();
        let _new = room.enter().unwrap();
        assert!(!is_taken(&places[0]) && is_taken(&places[1]) && !is_taken(&places[2]));
        drop(busy);
        // One that is told to leave may have a call all the same.
        drop(places[1].call());
        // Behind those that waited before.
        let _newer = room.enter().unwrap();
        assert!(is_taken(&places[2]) && !is_taken(&places[0]));
        // Those two gave their places away; the others give back their own.
        places.truncate(3);
        assert_eq!(room.0.lock().unwrap().open, 3);
        places.clear();
        assert_eq!(room.0.lock().unwrap().open, 2);
    }

    #[test]
    fn calls_keep_their_places() {
        let room = Room::default();
        let places: Vec<_> = (0..CONNECTIONS).map(|_| room.enter().unwrap()).collect();
        let calls: Vec<_> = places.iter().map(Place::call).collect();
        assert!(room.enter().is_none());
        drop(calls);
        assert!(room.enter().is_some());
    }
}
