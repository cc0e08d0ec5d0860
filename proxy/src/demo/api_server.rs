//! The Milady API server (wire facts 1 and 7, revision S, with `/v1` as revision L has it): its
//! routes and conversations. It knows nothing of the contract: what it does not name is dropped.

mod bridge_client;
mod compat;
mod conversation;
mod cors;
mod input;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Method, Response, StatusCode};
use modegate_filters::room;
use modegate_filters::target::pathname;

use self::bridge_client::BridgeClient;
use self::cors::Cors;
use self::input::{Trouble, read_object};
use super::call::Base;
use super::clock::{iso, now_ms};
use super::http1::{Arrival, NoAnswer, Program};
use super::identity::random_uuid;
use super::js_text::JsText;
use super::json::Json;
use super::recorder::Recorder;
use super::reply::{Outgoing, empty, json};

/// The agent that the server is connected to from the start.
const AGENT: &str = "11111111-1111-4111-8111-111111111111";
/// The name that its answers carry.
const AGENT_NAME: &str = "A";
/// The most conversations that are kept; then the oldest go.
const CONVERSATIONS: usize = 4096;

/// The API server.
#[derive(Debug)]
pub struct ApiServer {
    recorder: Arc<Recorder>,
    bridge: BridgeClient,
    conversations: Mutex<VecDeque<Conversation>>,
}

#[derive(Clone, Debug)]
struct Conversation {
    id: String,
    title: JsText,
    room: String,
    created_ms: u64,
}

impl ApiServer {
    /// A server whose cloud is found at this base.
    pub fn new(recorder: Arc<Recorder>, cloud: Base) -> ApiServer {
        let bridge = BridgeClient::new(cloud);
        ApiServer { recorder, bridge, conversations: Mutex::default() }
    }

    async fn route(&self, request: Arrival<'_>) -> Result<Response<Outgoing>, Trouble> {
        let target = request.head.uri.to_string();
        let path = pathname(&target).into_owned();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let method = request.head.method.clone();
        match (&method, segments.as_slice()) {
            (&Method::GET, ["api", "auth", "status"]) => {
                let status = r#"{"required":false,"pairingEnabled":false,"expiresAt":null}"#;
                Ok(json(StatusCode::OK, status.to_owned()))
            }
            (&Method::GET, ["api", "conversations"]) => Ok(self.list()),
            (&Method::POST, ["api", "conversations"]) => self.create(request).await,
            (&Method::POST, ["api", "conversations", id, "messages"]) => {
                let room = self.room_of(id)?;
                conversation::send(&self.bridge, request, room).await
            }
            (&Method::POST, ["api", "conversations", id, "messages", "stream"]) => {
                let room = self.room_of(id)?;
                conversation::stream(&self.bridge, request, room).await
            }
            (&Method::POST, ["api", "chat"]) => conversation::chat(&self.bridge, request).await,
            (&Method::POST, ["api", "chat", "stream"]) => {
                conversation::stream(&self.bridge, request, "web-chat".to_owned()).await
            }
            (&Method::POST, ["v1", "chat", "completions"]) => {
                compat::openai(&self.bridge, request).await
            }
            (&Method::POST, ["v1", "messages"]) => compat::anthropic(&self.bridge, request).await,
            (&Method::POST, ["api", "cloud", "agents", id, "connect"]) => self.connect(id).await,
            _ => Err(Trouble::refused(StatusCode::NOT_FOUND, "Not found")),
        }
    }

    async fn connect(&self, agent: &str) -> Result<Response<Outgoing>, Trouble> {
        self.bridge.connect(agent).await.map_err(Trouble::failed)?;
        let id = JsText::from(agent).quoted();
        let connected = format!(
            r#"{{"ok":true,"agentId":{id},"agentName":"{AGENT_NAME}","status":"connected"}}"#
        );
        Ok(json(StatusCode::OK, connected))
    }

    async fn create(&self, request: Arrival<'_>) -> Result<Response<Outgoing>, Trouble> {
        let body = read_object(request).await?;
        let title = Json::parse(&body).and_then(|body| body.member("title")?.string());
        let title = title.unwrap_or_default().trimmed();
        let title = if title.is_empty() { JsText::from("New Chat") } else { title };
        let id = random_uuid();
        let unusable = || Trouble::failed("URI malformed".to_owned());
        let room = room::of_conversation(&id).ok_or_else(unusable)?;
        let conversation = Conversation { id, title, room, created_ms: now_ms() };
        let created = format!(r#"{{"conversation":{}}}"#, conversation.described());
        let mut known = self.conversations();
        known.push_back(conversation);
        if known.len() > CONVERSATIONS {
            known.pop_front();
        }
        Ok(json(StatusCode::OK, created))
    }

    fn list(&self) -> Response<Outgoing> {
        let newest_first = self.conversations();
        let listed: Vec<String> = newest_first.iter().rev().map(Conversation::described).collect();
        json(StatusCode::OK, format!(r#"{{"conversations":[{}]}}"#, listed.join(",")))
    }

    /// The room of a conversation that exists. A room stands for its id: the one is derived from
    /// the other.
    fn room_of(&self, segment: &str) -> Result<String, Trouble> {
        let not_found = || Trouble::refused(StatusCode::NOT_FOUND, "Conversation not found");
        if segment.is_empty() {
            return Err(Trouble::refused(StatusCode::NOT_FOUND, "Not found"));
        }
        let malformed = || Trouble::failed("URI malformed".to_owned());
        let room = room::of_conversation(segment).ok_or_else(malformed)?;
        let known = self.conversations().iter().any(|conversation| conversation.room == room);
        known.then_some(room).ok_or_else(not_found)
    }

    fn conversations(&self) -> MutexGuard<'_, VecDeque<Conversation>> {
        self.conversations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Conversation {
    fn described(&self) -> String {
        let Conversation { id, title, room, created_ms } = self;
        let (title, at) = (title.quoted(), iso(*created_ms));
        format!(
            r#"{{"id":"{id}","title":{title},"roomId":"{room}","createdAt":"{at}","updatedAt":"{at}"}}"#
        )
    }
}

impl Program for ApiServer {
    fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    async fn answer(&self, request: Arrival<'_>) -> Result<Response<Outgoing>, NoAnswer> {
        let cors = Cors::of(&request.head.headers);
        let answered = match &cors {
            Cors::Refused => Err(Trouble::refused(StatusCode::FORBIDDEN, "Origin not allowed")),
            _ if request.head.method == Method::OPTIONS => Ok(empty(StatusCode::NO_CONTENT)),
            _ => self.route(request).await,
        };
        let mut response = answered.or_else(Trouble::answer)?;
        cors.write(response.headers_mut());
        Ok(response)
    }
}
