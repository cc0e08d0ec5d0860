//! The walk against a stand-in for modegate, right and wrong in one way each: it must pass the
//! one and name the row of the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use modegate_filters::room;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{CALL, Sidecar, WalkError, walk};
use crate::demo::call::Base;
use crate::demo::http1::{Arrival, NoAnswer, Program, Reading, Serving, serve};
use crate::demo::origins::{Hop, Origins};
use crate::demo::recorder::Recorder;
use crate::demo::reply::{self, Outgoing};

const TOKEN: &str = "a-token";

/// What the stand-in does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    KillIgnored,
    OneCohort,
    NotDowngraded,
    AnswerUntagged,
    MalformedPassed,
    TokenRefused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Frontend,
    Rpc,
    Admin,
}

struct StandIn {
    part: Part,
    fault: Fault,
    upstream: Base,
    flags: Arc<Mutex<BTreeMap<String, bool>>>,
    recorder: Recorder,
}

impl Program for StandIn {
    fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    async fn answer(&self, request: Arrival<'_>) -> Result<Response<Outgoing>, NoAnswer> {
        let head = request.head.clone();
        let Reading::Body(body) = request.read(1 << 20).await? else {
            return Err(NoAnswer::Abandoned);
        };
        let mut request = Request::from_parts(head, body);
        if self.part == Part::Admin {
            return Ok(self.admin(&request));
        }
        let path = request.uri().path().to_owned();
        let message = ["/messages", "/stream", "/completions", "/bridge"];
        let mut mode = None;
        if request.method() == Method::POST && message.iter().any(|end| path.ends_with(end)) {
            mode = match self.decide(&mut request, &path) {
                Ok(mode) => Some(mode),
                Err(refusal) => return Ok(reply::json(StatusCode::BAD_REQUEST, refusal)),
            };
        }
        request.headers_mut().remove("content-length");
        let response = self.upstream.send(request, CALL).await.map_err(|_| NoAnswer::Abandoned)?;
        let mut response = response.map(Outgoing::Piped);
        if let Some(mode) = mode.filter(|_| self.fault != Fault::AnswerUntagged) {
            response.headers_mut().insert("x-processing-mode", HeaderValue::from_static(mode));
        }
        Ok(response)
    }
}

impl StandIn {
    fn on(&self, flag: &str) -> bool {
        self.flags.lock().unwrap().get(flag) == Some(&true)
    }

    fn admin(&self, request: &Request<Bytes>) -> Response<Outgoing> {
        let authorized =
            request.headers().get("authorization").unwrap() == &format!("Bearer {TOKEN}");
        if !authorized || self.fault == Fault::TokenRefused {
            return reply::json(StatusCode::UNAUTHORIZED, "{}".to_owned());
        }
        let flag = request.uri().path().strip_prefix("/flags/").unwrap().to_owned();
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert!(body["actor"].is_string() && body["reason"].is_string());
        let mut flags = self.flags.lock().unwrap();
        if request.method() == Method::PUT {
            assert_eq!(body["expires"], "10m");
            flags.insert(flag, body["value"].as_bool().unwrap());
        } else {
            assert_eq!(request.method(), Method::DELETE);
            assert!(flags.remove(&flag).is_some(), "{flag} was not set");
        }
        let on = |name| flags.get(name) == Some(&true);
        assert!(!on("runtime") || on("contract"), "runtime without contract");
        reply::json(StatusCode::OK, "{}".to_owned())
    }

    /// The decision table, on a body that is read and written anew.
    fn decide(&self, request: &mut Request<Bytes>, path: &str) -> Result<&'static str, String> {
        let mut body: Value = match serde_json::from_slice(request.body()) {
            Ok(body) => body,
            Err(_) if self.fault == Fault::MalformedPassed => return Ok("default"),
            Err(_) => {
                return Err(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700}}"#.to_owned());
            }
        };
        let holder = match self.part {
            Part::Rpc => &mut body["params"],
            _ => &mut body,
        };
        let room = match self.part {
            Part::Rpc => holder["roomId"].as_str().map(str::to_owned),
            _ => path.split('/').nth(3).filter(|id| id.len() == 36).and_then(room::of_conversation),
        };
        let own = room.filter(|room| !room::is_shared(room));
        let drawn = own.is_some_and(|room| room.as_bytes()[0] % 2 == 0);
        let cohort = if drawn && self.fault != Fault::OneCohort { "canary" } else { "control" };
        let asked = holder.get("processing").map(|processing| processing["mode"].clone());
        let requested = match asked.as_ref().and_then(Value::as_str) {
            None => "none",
            Some("fast") => "fast",
            Some("default") => "default",
            Some(_) => "invalid",
        };
        let killed = self.on("kill") && self.fault != Fault::KillIgnored;
        let mut mode = "default";
        if killed || !self.on("contract") {
            holder.as_object_mut().unwrap().remove("processing");
        } else if requested == "invalid" {
            return Err(r#"{"error":"processing.mode must be \"default\" or \"fast\""}"#.to_owned());
        } else if requested == "fast" {
            if self.on("runtime") && (cohort == "canary" || self.fault == Fault::NotDowngraded) {
                mode = "fast";
            } else {
                holder["processing"] = json!({ "mode": "default" });
            }
        }
        *request.body_mut() = Bytes::from(body.to_string());
        let tags = [("mode", mode), ("requested", requested), ("cohort", cohort)];
        for (tag, value) in tags {
            let name: http::HeaderName = format!("x-processing-{tag}").parse().unwrap();
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Ok(mode)
    }
}

struct Stage {
    origins: Origins,
    sidecar: Sidecar,
    flags: Arc<Mutex<BTreeMap<String, bool>>>,
    _serving: Vec<Serving>,
}

async fn stage(fault: Fault) -> Stage {
    let mut origins = Origins::bind().await.unwrap();
    let flags = Arc::new(Mutex::new(BTreeMap::new()));
    let mut addresses = Vec::new();
    let mut serving = Vec::new();
    let parts = [
        (Part::Frontend, origins.api),
        (Part::Rpc, origins.cloud),
        (Part::Rpc, origins.runtime),
        (Part::Admin, origins.api),
    ];
    for (part, upstream) in parts {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap());
        let upstream = Base::new(&upstream.to_string());
        let recorder = Recorder::default();
        let stand_in = StandIn { part, fault, upstream, flags: flags.clone(), recorder };
        serving.push(serve(listener, Arc::new(stand_in)));
    }
    origins.serve(&format!("http://{}", addresses[1]), &format!("http://{}", addresses[2]));
    let sidecar = Sidecar {
        frontend: addresses[0],
        runtime_leg: addresses[2],
        admin: addresses[3],
        token: TOKEN.to_owned(),
    };
    Stage { origins, sidecar, flags, _serving: serving }
}

#[tokio::test]
async fn a_sidecar_that_does_as_the_design_says_passes() {
    let stage = stage(Fault::None).await;
    let mut out = Vec::new();
    walk(&stage.sidecar, &stage.origins, &mut out).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    println!("{text}");
    assert!(stage.flags.lock().unwrap().is_empty());
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    let rows = [
        r#"1  fast, canary   200 default  -                  default/fast/canary     - default/none/canary   - default/none/canary"#,
        r#"2  invalid mode   400 -        not reached                                not reached             not reached"#,
        r#"3  fast, canary   200 fast     {"mode":"fast"}    fast/fast/canary        - default/none/canary   - default/none/canary"#,
        r#"3  fast, control  200 default  {"mode":"default"} default/fast/control    - default/none/control  - default/none/control"#,
        r#"3  fast stream    200 fast     {"mode":"fast"}    fast/fast/canary        - default/none/canary   - default/none/canary"#,
        r#"4  fast, canary   200 default  {"mode":"default"} default/fast/canary     - default/none/canary   - default/none/canary"#,
        r#"5  invalid mode   200 default  -                  default/invalid/canary  - default/none/canary   - default/none/canary"#,
    ];
    for row in rows {
        assert!(text.lines().any(|line| line == row), "{row}\nin\n{text}");
    }
}

#[tokio::test]
async fn a_sidecar_that_does_not_is_found_out() {
    struct Case {
        fault: Fault,
        told: &'static str,
    }
    let cases = [
        Case {
            fault: Fault::KillIgnored,
            told: r#"step "kill", message "fast, canary": the API server saw {"mode":"default"} default/fast/canary, expected - default/fast/canary"#,
        },
        Case {
            fault: Fault::OneCohort,
            told: "64 conversations were not in both cohorts; x-processing-cohort was: control",
        },
        Case {
            fault: Fault::NotDowngraded,
            told: r#"step "runtime on", message "fast, control": x-processing-mode of the answer is fast, expected default"#,
        },
        Case {
            fault: Fault::AnswerUntagged,
            told: r#"step "contract off", message "fast, canary": x-processing-mode of the answer is absent, expected default"#,
        },
        Case { fault: Fault::TokenRefused, told: "401 Unauthorized {}" },
    ];
    for Case { fault, told } in cases {
        let stage = stage(fault).await;
        let error = walk(&stage.sidecar, &stage.origins, &mut Vec::new()).await.unwrap_err();
        assert!(error.to_string().ends_with(told), "{fault:?}: {error}");
        assert!(stage.flags.lock().unwrap().is_empty(), "{fault:?}: flags are left set");
    }
}

#[tokio::test]
async fn a_malformed_body_that_gets_through_fails_the_walk() {
    let stage = stage(Fault::MalformedPassed).await;
    let error = walk(&stage.sidecar, &stage.origins, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, WalkError::Call { .. }), "{error}");
    assert!(!stage.origins.alive(Hop::Runtime));
}
