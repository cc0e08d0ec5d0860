//! What the API server reads from a request's body, and how it refuses: flat
//! `{"error":"…"}` everywhere, but for the faults that `/v1` finds itself.

use http::{Response, StatusCode};

use crate::demo::http1::{Arrival, NoAnswer, Reading};
use crate::demo::js_text::JsText;
use crate::demo::json::Json;
use crate::demo::reply::{Outgoing, json};

/// The most bytes of a body.
const BODY_LIMIT: usize = 1024 * 1024;

/// Why a request is not answered as it asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Refused in the flat shape.
    Refused(StatusCode, String),
    /// Refused in the shape of `/v1`, with the kind of the fault.
    Compat(StatusCode, &'static str, String),
    /// The client went away.
    Gone(NoAnswer),
}

impl Trouble {
    /// A refusal in the flat shape.
    pub fn refused(status: StatusCode, message: &str) -> Trouble {
        Trouble::Refused(status, message.to_owned())
    }

    /// What an exception becomes: 500 with its message.
    pub fn failed(message: String) -> Trouble {
        Trouble::Refused(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The answer.
    pub fn answer(self) -> Result<Response<Outgoing>, NoAnswer> {
        match self {
            Trouble::Refused(status, message) => {
                let message = JsText::from(message.as_str()).quoted();
                Ok(json(status, format!(r#"{{"error":{message}}}"#)))
            }
            Trouble::Compat(status, kind, message) => {
                let message = JsText::from(message.as_str()).quoted();
                Ok(json(status, format!(r#"{{"error":{{"message":{message},"type":"{kind}"}}}}"#)))
            }
            Trouble::Gone(no_answer) => Err(no_answer),
        }
    }
}

/// Reads a body that has to be a JSON object.
pub async fn read_object(request: Arrival<'_>) -> Result<String, Trouble> {
    let body = match request.read(BODY_LIMIT).await.map_err(Trouble::Gone)? {
        Reading::Body(body) => String::from_utf8_lossy(&body).into_owned(),
        Reading::TooLarge => {
            let message = format!("Request body exceeds maximum size ({BODY_LIMIT} bytes)");
            return Err(Trouble::refused(StatusCode::PAYLOAD_TOO_LARGE, &message));
        }
    };
    let refused = |message| Trouble::refused(StatusCode::BAD_REQUEST, message);
    let Some(value) = Json::parse(&body) else {
        return Err(refused("Invalid JSON in request body"));
    };
    if !value.is_object() {
        return Err(refused("Request body must be a JSON object"));
    }
    Ok(body)
}

/// Whether the agent thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// `simple`.
    Simple,
    /// `power`, which is what an absent mode means.
    Power,
}

impl Depth {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Depth::Simple => "simple",
            Depth::Power => "power",
        }
    }
}

/// A message, as it goes to the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The text, trimmed.
    pub text: JsText,
    /// The room.
    pub room: String,
    /// The agent's depth, which the wire calls `mode`.
    pub depth: Depth,
}

/// Reads a REST chat body: `text` and `mode`; everything else is ignored.
pub async fn read_message(request: Arrival<'_>, room: String) -> Result<Message, Trouble> {
    let body = read_object(request).await?;
    let member = |name| Json::parse(&body).and_then(|body| body.member(name));
    let refused = |message| Err(Trouble::refused(StatusCode::BAD_REQUEST, message));
    let text = match member("text") {
        Some(text) if !text.is_null() => match text.string() {
            Some(text) => text.trimmed(),
            None => return Err(Trouble::failed("body.text?.trim is not a function".to_owned())),
        },
        _ => JsText::default(),
    };
    if text.is_empty() {
        return refused("text is required");
    }
    let depth = match member("mode") {
        None => Depth::Power,
        Some(mode) if mode.is_falsy() => Depth::Power,
        Some(mode) => match mode.string().map(|word| word.to_lossy()).as_deref() {
            Some("simple") => Depth::Simple,
            Some("power") => Depth::Power,
            _ => return refused("mode must be 'simple' or 'power'"),
        },
    };
    Ok(Message { text, room, depth })
}
