//! The cloud proxy (wire facts 2b, revision C): its schemas, and what they lose. `/bridge` keeps
//! `params` as it came and strips top-level extras; `/stream` forwards only text and room.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;

use super::call::{Answer, Base};
use super::http1::{Arrival, NoAnswer, Program, Reading};
use super::js_text::JsText;
use super::json::Json;
use super::recorder::Recorder;
use super::reply::{Outgoing, chunked, json_chunked, with_headers};

/// No limit of the real one is known; this is above what modegate lets through.
const BODY_LIMIT: usize = 64 * 1024 * 1024;
/// The cap of a call that is not streamed.
const BRIDGE_TIME: Duration = Duration::from_secs(30);
/// The cap of a stream's head.
const STREAM_TIME: Duration = Duration::from_secs(120);

const UNAUTHORIZED: &str =
    r#"{"success":false,"error":"Unauthorized","code":"authentication_required"}"#;
const INTERNAL: &str =
    r#"{"success":false,"error":"An unexpected error occurred","code":"internal_error"}"#;

/// The cloud proxy.
#[derive(Debug)]
pub struct CloudProxy {
    recorder: Arc<Recorder>,
    runtime: Base,
}

impl CloudProxy {
    /// A proxy whose sandbox is found at this base.
    pub fn new(recorder: Arc<Recorder>, runtime: Base) -> CloudProxy {
        CloudProxy { recorder, runtime }
    }

    async fn bridge(&self, body: &str) -> Response<Outgoing> {
        let Some(rpc) = Json::parse(body) else { return internal() };
        let issues = bridge_issues(rpc);
        if !issues.is_empty() {
            let details = issues.join(",");
            return json_chunked(
                StatusCode::BAD_REQUEST,
                format!(
                    r#"{{"success":false,"error":"Invalid JSON-RPC request","details":[{details}]}}"#
                ),
            );
        }
        let params =
            rpc.member("params").map(|params| format!(r#","params":{}"#, params.compact()));
        let forwarded = format!("{}{}}}", envelope(rpc), params.unwrap_or_default());
        match self.sandbox_reply(forwarded).await {
            Ok(reply) => json_chunked(StatusCode::OK, reply),
            Err(message) => {
                let id = id_member(rpc);
                let failed = format!(
                    r#"{{"jsonrpc":"2.0"{id},"error":{{"code":-32000,"message":"{message}"}}}}"#
                );
                json_chunked(StatusCode::OK, failed)
            }
        }
    }

    async fn sandbox_reply(&self, rpc: String) -> Result<String, String> {
        let unreachable = || "Sandbox bridge is unreachable".to_owned();
        let response = self.post("/bridge", rpc, BRIDGE_TIME).await.ok_or_else(unreachable)?;
        if !response.status().is_success() {
            return Err(format!("Bridge returned HTTP {}", response.status().as_u16()));
        }
        let answer = Answer::read(response, BRIDGE_TIME).await.map_err(|_| unreachable())?;
        let text = answer.text();
        Json::parse(&text).map(Json::compact).ok_or_else(unreachable)
    }

    async fn stream(&self, body: &str) -> Response<Outgoing> {
        let Some(rpc) = Json::parse(body) else { return internal() };
        let issues = stream_issues(rpc);
        if !issues.is_empty() {
            let details = issues.join(",");
            return json_chunked(
                StatusCode::BAD_REQUEST,
                format!(r#"{{"error":"Invalid request","details":[{details}]}}"#),
            );
        }
        let params = ["text", "roomId"].into_iter().filter_map(|name| {
            let value = rpc.member("params")?.member(name)?;
            Some(format!(r#""{name}":{}"#, value.compact()))
        });
        let params: Vec<String> = params.collect();
        let forwarded = format!(r#"{},"params":{{{}}}}}"#, envelope(rpc), params.join(","));
        let upstream = self.post("/bridge/stream", forwarded, STREAM_TIME).await;
        let body = match upstream.filter(|response| response.status().is_success()) {
            Some(response) => Outgoing::Piped(response.into_body()),
            None => chunked([concat!(
                "event: error\n",
                "data: {\"message\":\"Sandbox is not running or unreachable\"}\n\n"
            )
            .to_owned()]),
        };
        with_headers(StatusCode::OK, body, &[(CONTENT_TYPE, "text/event-stream")])
    }

    async fn post(
        &self,
        target: &str,
        body: String,
        within: Duration,
    ) -> Option<Response<Incoming>> {
        let own = [("Content-Type", "application/json")];
        self.runtime.fetch(Method::POST, target, &own, Bytes::from(body), within).await.ok()
    }
}

impl Program for CloudProxy {
    fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    async fn answer(&self, request: Arrival<'_>) -> Result<Response<Outgoing>, NoAnswer> {
        let headers = &request.head.headers;
        if !headers.contains_key("x-api-key") && !headers.contains_key("authorization") {
            return Ok(json_chunked(StatusCode::UNAUTHORIZED, UNAUTHORIZED.to_owned()));
        }
        let path = request.head.uri.path().to_owned();
        let Some((agent, call)) = agent_call(&path) else { return Ok(not_found()) };
        match (&request.head.method, call) {
            (&Method::GET, "") => Ok(json_chunked(StatusCode::OK, described(agent))),
            (&Method::POST, "provision") => {
                Ok(json_chunked(StatusCode::OK, provisioned(agent, &self.runtime)))
            }
            (&Method::POST, "bridge") => Ok(self.bridge(&read(request).await?).await),
            (&Method::POST, "stream") => Ok(self.stream(&read(request).await?).await),
            _ => Ok(not_found()),
        }
    }
}

/// A target's agent and call: `/api/v1/(milaidy|milady)/agents/:id[/call]`.
fn agent_call(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/api/v1/")?;
    let rest = rest.strip_prefix("milaidy/").or_else(|| rest.strip_prefix("milady/"))?;
    let rest = rest.strip_prefix("agents/")?;
    let (agent, call) = rest.split_once('/').unwrap_or((rest, ""));
    (!agent.is_empty()).then_some((agent, call))
}

/// `request.json()`: unlike the other two programs, this one takes a byte order mark, and on the
/// Node version that was observed even two.
async fn read(request: Arrival<'_>) -> Result<String, NoAnswer> {
    match request.read(BODY_LIMIT).await? {
        Reading::Body(body) => {
            let text = String::from_utf8_lossy(&body);
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            Ok(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned())
        }
        Reading::TooLarge => Err(NoAnswer::Abandoned),
    }
}

fn bridge_issues(rpc: Json<'_>) -> Vec<String> {
    if !rpc.is_object() {
        return vec![issue(&[], "Expected object")];
    }
    let mut issues = Vec::new();
    common_issues(rpc, &mut issues);
    let method = rpc.member("method").and_then(Json::string);
    if method.is_none_or(|method| method.is_empty()) {
        issues.push(issue(&["method"], "Required"));
    }
    if rpc.member("params").is_some_and(|params| !params.is_object()) {
        issues.push(issue(&["params"], "Expected object"));
    }
    issues
}

fn stream_issues(rpc: Json<'_>) -> Vec<String> {
    if !rpc.is_object() {
        return vec![issue(&[], "Expected object")];
    }
    let mut issues = Vec::new();
    common_issues(rpc, &mut issues);
    let method = rpc.member("method").and_then(Json::string);
    if method.is_none_or(|method| method.to_lossy() != "message.send") {
        issues.push(issue(&["method"], "Invalid literal value, expected \"message.send\""));
    }
    let Some(params) = rpc.member("params").filter(|params| params.is_object()) else {
        issues.push(issue(&["params"], "Required"));
        return issues;
    };
    if params.member("text").and_then(Json::string).is_none_or(|text| text.is_empty()) {
        issues.push(issue(&["params", "text"], "Required"));
    }
    if params.member("roomId").is_some_and(|room| room.string().is_none()) {
        issues.push(issue(&["params", "roomId"], "Expected string"));
    }
    issues
}

fn common_issues(rpc: Json<'_>, issues: &mut Vec<String>) {
    let version = rpc.member("jsonrpc").and_then(Json::string);
    if version.is_none_or(|version| version.to_lossy() != "2.0") {
        issues.push(issue(&["jsonrpc"], "Invalid literal value, expected \"2.0\""));
    }
    if rpc.member("id").is_some_and(|id| id.string().is_none() && !id.is_number()) {
        issues.push(issue(&["id"], "Invalid input"));
    }
}

fn issue(path: &[&str], message: &str) -> String {
    serde_json::json!({ "path": path, "message": message }).to_string()
}

/// The members before `params`, in the order of the schema, without the closing brace.
fn envelope(rpc: Json<'_>) -> String {
    let method = rpc.member("method").map(Json::compact).unwrap_or_default();
    format!(r#"{{"jsonrpc":"2.0"{},"method":{method}"#, id_member(rpc))
}

fn id_member(rpc: Json<'_>) -> String {
    rpc.member("id").map(|id| format!(r#","id":{}"#, id.compact())).unwrap_or_default()
}

fn internal() -> Response<Outgoing> {
    json_chunked(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL.to_owned())
}

fn not_found() -> Response<Outgoing> {
    json_chunked(StatusCode::NOT_FOUND, r#"{"success":false,"error":"Not found"}"#.to_owned())
}

fn provisioned(agent: &str, runtime: &Base) -> String {
    let id = JsText::from(agent).quoted();
    let url = runtime.url();
    format!(
        r#"{{"success":true,"data":{{"id":{id},"agentName":"A","status":"running","bridgeUrl":"{url}"}}}}"#
    )
}

fn described(agent: &str) -> String {
    let id = JsText::from(agent).quoted();
    format!(
        r#"{{"success":true,"data":{{"id":{id},"agentName":"A","status":"running","databaseStatus":"ready","createdAt":"","updatedAt":""}}}}"#
    )
}
