//! The word that the process is about to stop: listeners take nothing new, connections end after
//! the request they serve.

use tokio::sync::watch;

/// Told once, heard by every connection and every listener of a service.
#[derive(Clone, Debug)]
pub struct Drain(watch::Sender<bool>);

impl Drain {
    /// Not draining.
    pub fn new() -> Drain {
        Drain(watch::Sender::new(false))
    }

    /// From now on nothing new is taken.
    pub fn start(&self) {
        self.0.send_replace(true);
    }

    /// Turns true when the drain starts.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

impl Default for Drain {
    fn default() -> Drain {
        Drain::new()
    }
}
