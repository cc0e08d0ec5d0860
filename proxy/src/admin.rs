//! The admin API, on a listener of its own.
//!
//! | call | answer |
//! |---|---|
//! | `GET /live` | 200 while the process runs |
//! | `GET /ready` | 200 while it takes requests, 503 once it drains |
//! | `GET /metrics` | OpenMetrics text; Prometheus' protobuf, with native histograms, where it is accepted |
//! | `GET /config` | the file in force, the contract's fingerprint, and why the file as it is now was refused |
//! | `GET /parity` | what became of mode and room, by leg, and the last mismatches |
//! | `GET /flags` | every flag: its value, and what each layer says |
//! | `PUT /flags/{name}` | sets a flag: `{"value","actor","reason","expires"?}` |
//! | `DELETE /flags/{name}` | takes an override back: `{"actor","reason"}` |
//! | `DELETE /breaker` | closes the breaker: `{"actor","reason"}` |
//! | `GET /rollout` | where the rollout is, what its gates say, what it waits for |
//! | `POST /rollout/{verb}` | `start`, `hold`, `resume`, `approve`, `advance`, `rollback`, `abort`: `{"actor","reason","hard"?}` |
//! | `POST /rollout/signals` | what somebody says of the answers: `{"verdict","source","reason","evidence"?,"expires"?}` |
//! | `GET /incidents` | the incidents, the last first |
//! | `GET /incidents/{id}.json` | one of them; as Markdown with `.md` |
//! | `POST /ofrep/v1/evaluate/flags` | the rollout's flags document, for the sidecars of a fleet; no token |
//! | `GET /log` | what is logged: the level and the access line in force, the file's, the override |
//! | `PUT /log` | sets it: `{"level","access"?,"actor","reason","expires"?}` |
//! | `DELETE /log` | takes the override back: `{"actor","reason"}` |
//!
//! A fleet's controller has no flags, no breaker and no parity of its own: 404, and 409 to a change.
//!
//! What changes something needs the bearer token, an actor and a reason. Host and Origin are
//! checked on every call, so that no page in a browser can reach it.

mod answer;
mod breaker;
mod fleet;
mod guard;
mod log;
mod mutate;
mod ofrep;
mod parity;
mod parity_table;
mod rollout;
mod room;
mod view;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use modegate_config::flags::Flag;
use pingora_core::apps::ServerApp;
use pingora_core::protocols::Stream;
use pingora_core::server::ShutdownWatch;

use crate::data_plane::Drain;
use crate::metrics::{Format, Sources, encode};

use answer::{Answer, json, refuse, text};
use guard::Guard;
pub use guard::{BadToken, Token};
pub use parity_table::parity_table;
use room::Room;

/// How long a call's head, and then the call, may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may last; a scraper that keeps one opens another.
const CONNECTION_TIME: Duration = Duration::from_secs(60);

/// The admin API's app.
pub struct Admin {
    sources: Sources,
    guard: Guard,
    override_limit: Duration,
    drain: Drain,
    room: Room,
}

impl Admin {
    /// The API over these sources.
    pub fn new(
        sources: Sources,
        settings: &modegate_config::Admin,
        token: Option<Token>,
        drain: Drain,
    ) -> Admin {
        let guard = Guard::new(settings, token);
        Admin {
            sources,
            guard,
            override_limit: settings.override_limit,
            drain,
            room: Room::default(),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        if let Err(denied) = self.guard.admit(request.headers()) {
            return denied.answer();
        }
        let path = request.uri().path().to_owned();
        if self.leads_fleet()
            && let Some(elsewhere) = fleet::elsewhere(request.method(), &path)
        {
            return elsewhere;
        }
        let flag = path.strip_prefix("/flags/");
        let verb = path.strip_prefix("/rollout/");
        match (request.method(), path.as_str(), flag) {
            (&Method::POST, ofrep::PATH, _) => match &self.sources.rollout {
                Some(controller) => ofrep::evaluate(controller, request.headers()),
                None => rollout::none(),
            },
            (&Method::POST, _, _) if verb.is_some() => {
                self.order(request, verb.unwrap_or_default()).await
            }
            _ if verb.is_some() => refuse(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
            (&Method::GET | &Method::HEAD, _, None) => self.read(&path, request.headers()),
            (&Method::PUT, _, Some(name)) => self.change(request, name).await,
            (&Method::DELETE, _, Some(name)) => self.change(request, name).await,
            (&Method::PUT | &Method::DELETE, "/log", None) => self.change_log(request).await,
            (&Method::DELETE, "/breaker", None) => self.reset_breaker(request).await,
            (
                _,
                "/breaker" | "/live" | "/ready" | "/metrics" | "/config" | "/flags" | "/log"
                | "/parity" | "/rollout" | "/incidents",
                _,
            )
            | (_, _, Some(_)) => refuse(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
            _ => refuse(StatusCode::NOT_FOUND, "no such call"),
        }
    }

    /// Whether it is the rollout of other processes that is run here.
    fn leads_fleet(&self) -> bool {
        self.sources.rollout.as_ref().is_some_and(|controller| controller.leads_fleet())
    }

    fn read(&self, path: &str, headers: &HeaderMap) -> Answer {
        match path {
            "/live" => text(StatusCode::OK, "text/plain", "live\n"),
            "/ready" if *self.drain.watch().borrow() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "draining\n")
            }
            "/ready" => text(StatusCode::OK, "text/plain", "ready\n"),
            "/metrics" => self.metrics(Format::accepted(headers)),
            "/config" => {
                let snapshot = self.sources.flags.snapshot();
                let contract = snapshot.settings.policy.contract();
                json(StatusCode::OK, &view::config(&self.sources.config.view(), contract))
            }
            "/parity" => json(StatusCode::OK, &parity::parity(&self.sources)),
            "/flags" => json(StatusCode::OK, &view::flags(&self.sources.flags.view())),
            "/log" => json(StatusCode::OK, &view::log(&self.sources.log.levels().view())),
            "/rollout" => match &self.sources.rollout {
                Some(controller) => json(StatusCode::OK, &controller.view()),
                None => rollout::none(),
            },
            _ if path == "/incidents" || path.starts_with("/incidents/") => {
                match &self.sources.rollout {
                    Some(controller) => rollout::incidents(controller, path),
                    None => rollout::none(),
                }
            }
            _ => refuse(StatusCode::NOT_FOUND, "no such call"),
        }
    }

    fn metrics(&self, format: Format) -> Answer {
        match encode(&self.sources, format) {
            Ok(metrics) => text(StatusCode::OK, format.content_type(), metrics),
            Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "metrics not encoded"),
        }
    }

    async fn change(&self, request: Request<Incoming>, name: &str) -> Answer {
        if let Err(denied) = self.guard.authorize(request.headers()) {
            return denied.answer();
        }
        let Some(flag) = Flag::from_name(name) else {
            return mutate::unknown("flag", name, &Flag::ALL.map(Flag::name));
        };
        let delete = request.method() == Method::DELETE;
        let call = match mutate::Call::read(request.into_body()).await {
            Ok(call) => call,
            Err(refusal) => return refusal,
        };
        let store = &self.sources.flags;
        match delete {
            true => call.clear(store, flag),
            false => call.set(store, flag, self.override_limit),
        }
    }

    async fn reset_breaker(&self, request: Request<Incoming>) -> Answer {
        if let Err(denied) = self.guard.authorize(request.headers()) {
            return denied.answer();
        }
        match breaker::Call::read(request.into_body()).await {
            Ok(call) => call.reset(&self.sources.flags),
            Err(refusal) => refusal,
        }
    }

    async fn order(&self, request: Request<Incoming>, verb: &str) -> Answer {
        if let Err(denied) = self.guard.authorize(request.headers()) {
            return denied.answer();
        }
        match &self.sources.rollout {
            Some(controller) => rollout::order(controller, verb, request.into_body()).await,
            None => rollout::none(),
        }
    }

    async fn change_log(&self, request: Request<Incoming>) -> Answer {
        if let Err(denied) = self.guard.authorize(request.headers()) {
            return denied.answer();
        }
        let delete = request.method() == Method::DELETE;
        let call = match log::Call::read(request.into_body()).await {
            Ok(call) => call,
            Err(refusal) => return refusal,
        };
        let levels = self.sources.log.levels();
        match delete {
            true => call.clear(levels),
            false if call.is_of_access() && self.leads_fleet() => fleet::no_access_line(),
            false => call.set(levels, self.override_limit),
        }
    }
}

#[async_trait]
impl ServerApp for Admin {
    async fn process_new(self: &Arc<Self>, stream: Stream, _: &ShutdownWatch) -> Option<Stream> {
        let place = self.room.enter()?;
        let place = &place;
        let service = service_fn(|request: Request<Incoming>| async move {
            let _call = place.call();
            let answered = tokio::time::timeout(CALL_TIMEOUT, self.answer(request)).await;
            let late = || refuse(StatusCode::REQUEST_TIMEOUT, "the call did not arrive in time");
            Ok::<_, Infallible>(answered.unwrap_or_else(|_| late()))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(CALL_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let served = async {
            // What ends a call is the caller's business.
            if tokio::time::timeout(CONNECTION_TIME, connection.as_mut()).await.is_err() {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(CALL_TIMEOUT, connection).await;
            }
        };
        tokio::select! {
            biased;
            () = place.is_taken() => {}
            () = served => {}
        }
        None
    }
}
