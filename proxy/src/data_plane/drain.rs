//! The word that the process is about to stop: listeners take nothing new, connections end after
//! the request they serve.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;

/// How long a connection that has not asked yet is waited for when the drain starts: a client that
/// has just connected is about to ask.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

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

    /// Returns when what has not begun is no longer waited for.
    pub async fn last_call(&self) {
        self.started().await;
        tokio::time::sleep(FIRST_REQUEST).await;
    }

    /// Returns when the drain starts. For a future that one task polls often: it registers once, and
    /// from then on a poll only looks.
    pub fn started(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut watch = self.watch();
        let looked = self.0.clone();
        // A task that has used up its turn would be told to wait, and not be registered.
        let mut started = Box::pin(tokio::task::coop::unconstrained(async move {
            let _ = watch.wait_for(|draining| *draining).await;
        }));
        let mut is_registered = false;
        poll_fn(move |cx| match std::mem::replace(&mut is_registered, true) && !*looked.borrow() {
            true => Poll::Pending,
            false => started.as_mut().poll(cx),
        })
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
