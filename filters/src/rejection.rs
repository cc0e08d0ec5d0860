//! Every refusal: its status, its stable reason, what it tells the client, and in which shape.

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use crate::contract::{Contract, Fault, PROFILE_LIMIT, REASON_LIMIT};
use crate::dialect::Dialect;
use crate::route::Leg;

/// The JSON-RPC error code of a mismatch that is not let through.
pub const PARITY_CODE: i32 = -32010;

/// Why a request was refused, or could not be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The body is not what `JSON.parse` accepts.
    NotJson,
    /// The body is JSON, but not an object.
    NotAnObject,
    /// The body is an object, but no JSON-RPC request that the runtime survives.
    NotARequest,
    /// The contract member's value is not valid.
    Contract(Fault),
    /// A content encoding other than identity.
    Encoding,
    /// The body is over `contract.body_limit`.
    TooLarge,
    /// The body did not arrive within `timeouts.body`.
    BodyTimeout,
    /// The client ended the body before its end.
    BodyCut,
    /// A chunk or a trailer that is none, or could be read in two ways.
    BadChunks,
    /// An expectation other than `100-continue`.
    Expectation,
    /// A head that is no HTTP, or could be read in two ways. What the HTTP library finds it answers
    /// itself, in no dialect's shape.
    BadHead,
    /// A head over `limits.header_bytes` or `limits.header_fields`; likewise.
    HeadTooLarge,
    /// No TLS was agreed on, or not in time; there is nobody to answer.
    Handshake,
    /// CONNECT, TRACE, or what is no method's name.
    Method,
    /// A call that the runtime leg does not serve.
    NotAllowed,
    /// Mode or room did not arrive as they left the leg before, or the upstream applied another
    /// mode: JSON-RPC says it in an answer of status 200.
    Parity,
    /// Over `limits.connections`.
    Connections,
    /// Over `limits.connections_per_address`.
    ConnectionsPerAddress,
    /// Over `limits.in_flight`.
    InFlight,
    /// Over `limits.body_memory`.
    BodyMemory,
    /// The upstream took no connection, ended it before it answered, or answered with two lengths.
    Unreachable,
    /// The upstream did not answer within `timeouts.connect` or `timeouts.first_byte`.
    UpstreamTimeout,
}

impl Rejection {
    /// Every refusal, for the metrics' labels.
    pub const ALL: [Rejection; 25] = [
        Rejection::NotJson,
        Rejection::NotAnObject,
        Rejection::NotARequest,
        Rejection::Contract(Fault::NotAnObject),
        Rejection::Contract(Fault::Mode),
        Rejection::Contract(Fault::Profile),
        Rejection::Contract(Fault::Reason),
        Rejection::Encoding,
        Rejection::TooLarge,
        Rejection::BodyTimeout,
        Rejection::BodyCut,
        Rejection::BadChunks,
        Rejection::Expectation,
        Rejection::BadHead,
        Rejection::HeadTooLarge,
        Rejection::Handshake,
        Rejection::Method,
        Rejection::NotAllowed,
        Rejection::Parity,
        Rejection::Connections,
        Rejection::ConnectionsPerAddress,
        Rejection::InFlight,
        Rejection::BodyMemory,
        Rejection::Unreachable,
        Rejection::UpstreamTimeout,
    ];

    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Rejection::NotJson
            | Rejection::NotAnObject
            | Rejection::NotARequest
            | Rejection::Contract(_)
            | Rejection::BodyCut
            | Rejection::BadChunks
            | Rejection::BadHead
            | Rejection::Handshake => StatusCode::BAD_REQUEST,
            Rejection::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Rejection::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Rejection::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Rejection::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Rejection::Expectation => StatusCode::EXPECTATION_FAILED,
            Rejection::Method => StatusCode::METHOD_NOT_ALLOWED,
            Rejection::NotAllowed => StatusCode::NOT_FOUND,
            Rejection::Parity => StatusCode::OK,
            Rejection::Unreachable => StatusCode::BAD_GATEWAY,
            Rejection::Connections
            | Rejection::ConnectionsPerAddress
            | Rejection::InFlight
            | Rejection::BodyMemory => StatusCode::SERVICE_UNAVAILABLE,
            Rejection::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// A stable word for logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Rejection::NotJson => "not_json",
            Rejection::NotAnObject => "not_an_object",
            Rejection::NotARequest => "not_a_request",
            Rejection::Contract(Fault::NotAnObject) => "contract_not_an_object",
            Rejection::Contract(Fault::Mode) => "contract_mode",
            Rejection::Contract(Fault::Profile) => "contract_profile",
            Rejection::Contract(Fault::Reason) => "contract_reason",
            Rejection::Encoding => "encoding",
            Rejection::TooLarge => "too_large",
            Rejection::BodyTimeout => "body_timeout",
            Rejection::BodyCut => "body_cut",
            Rejection::BadChunks => "bad_chunks",
            Rejection::Expectation => "expectation",
            Rejection::BadHead => "bad_head",
            Rejection::HeadTooLarge => "head_too_large",
            Rejection::Handshake => "handshake",
            Rejection::Method => "method",
            Rejection::NotAllowed => "not_allowed",
            Rejection::Parity => "parity",
            Rejection::Connections => "connections",
            Rejection::ConnectionsPerAddress => "connections_per_address",
            Rejection::InFlight => "in_flight",
            Rejection::BodyMemory => "body_memory",
            Rejection::Unreachable => "unreachable",
            Rejection::UpstreamTimeout => "upstream_timeout",
        }
    }

    /// What the client is told; where the servers behind have a text of their own, it is theirs.
    pub fn message(self, contract: &Contract, leg: Leg) -> String {
        let Contract { field, .. } = contract;
        match self {
            Rejection::NotJson => "Invalid JSON in request body".to_owned(),
            Rejection::NotAnObject => "Request body must be a JSON object".to_owned(),
            Rejection::NotARequest => "Request body must be a JSON-RPC request: method a string, \
                 params an object, params.text a string, id a string or a number"
                .to_owned(),
            Rejection::Contract(Fault::NotAnObject) => format!("{field} must be an object or null"),
            Rejection::Contract(Fault::Mode) => {
                format!("{field}.mode must be {}", contract.modes.listed())
            }
            Rejection::Contract(Fault::Profile) => {
                format!("{field}.profile must be a string of at most {PROFILE_LIMIT} characters")
            }
            Rejection::Contract(Fault::Reason) => {
                format!("{field}.reason must be a string of at most {REASON_LIMIT} characters")
            }
            Rejection::Encoding => "Content-Encoding must be identity".to_owned(),
            Rejection::TooLarge => {
                format!("Request body exceeds maximum size ({} bytes)", contract.limit(leg))
            }
            Rejection::BodyTimeout => "Request body did not arrive in time".to_owned(),
            Rejection::BodyCut => "Request body ended before its end".to_owned(),
            Rejection::BadChunks => "Request body is not well chunked".to_owned(),
            Rejection::Expectation => "Expect must be 100-continue".to_owned(),
            Rejection::BadHead => "Bad request head".to_owned(),
            Rejection::HeadTooLarge => "Request head too large".to_owned(),
            Rejection::Handshake => "No TLS was agreed on".to_owned(),
            Rejection::Method => "Method is not served".to_owned(),
            Rejection::NotAllowed => "Not Found".to_owned(),
            Rejection::Parity => "Mode or room did not survive".to_owned(),
            Rejection::Connections => "Too many connections".to_owned(),
            Rejection::ConnectionsPerAddress => "Too many connections from this address".to_owned(),
            Rejection::InFlight => "Too many requests in flight".to_owned(),
            Rejection::BodyMemory => "Too much request body in flight".to_owned(),
            Rejection::Unreachable => "Upstream unreachable".to_owned(),
            Rejection::UpstreamTimeout => "Upstream did not answer in time".to_owned(),
        }
    }

    /// The body of the answer, as JSON in the shape of the dialect's own server: `{"error"}`,
    /// `{"error":{"message","type"}}`, or a JSON-RPC error with the request's id (its JSON text,
    /// null where it could not be read).
    pub fn body(
        self,
        dialect: Option<Dialect>,
        contract: &Contract,
        leg: Leg,
        id: Option<&str>,
    ) -> Bytes {
        let message = self.message(contract, leg);
        let dialect = match self {
            // What the entrypoint says of a path that it does not have, which is no message's.
            Rejection::NotAllowed => None,
            _ => dialect,
        };
        let text = match dialect {
            None | Some(Dialect::Conversation) => json!({ "error": message }).to_string(),
            Some(Dialect::OpenAi | Dialect::Anthropic) => {
                json!({ "error": { "message": message, "type": self.kind() } }).to_string()
            }
            Some(Dialect::Rpc) => {
                let error = json!({ "code": self.code(), "message": message });
                let id = id.unwrap_or("null");
                format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
            }
        };
        Bytes::from(text)
    }

    /// The `type` that the `/v1` routes give their errors.
    fn kind(self) -> &'static str {
        match self.status() {
            StatusCode::SERVICE_UNAVAILABLE => "service_unavailable",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// The error code of JSON-RPC 2.0, section 5.1.
    fn code(self) -> i32 {
        match self {
            Rejection::NotJson | Rejection::BodyCut | Rejection::BadChunks => -32700,
            Rejection::NotAnObject | Rejection::NotARequest => -32600,
            Rejection::Contract(_) => -32602,
            Rejection::Parity => PARITY_CODE,
            _ => -32000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Downgrade, Modes};
    use std::collections::{BTreeMap, BTreeSet};

    fn contract() -> Contract {
        Contract {
            field: "processing".to_owned(),
            modes: Modes::new(["default".to_owned(), "fast".to_owned()]).unwrap(),
            downgrade: Downgrade::Replace,
            body_limit: 1024,
            runtime_body_limit: 1024,
            profiles: BTreeMap::new(),
        }
    }

    #[test]
    fn shapes() {
        let mode = Rejection::Contract(Fault::Mode);
        let cases = [
            (mode, None, r#"{"error":"processing.mode must be \"default\" or \"fast\""}"#),
            (
                Rejection::NotJson,
                Some(Dialect::Conversation),
                r#"{"error":"Invalid JSON in request body"}"#,
            ),
            (
                Rejection::TooLarge,
                Some(Dialect::OpenAi),
                r#"{"error":{"message":"Request body exceeds maximum size (1024 bytes)","type":"invalid_request_error"}}"#,
            ),
            (
                Rejection::Unreachable,
                Some(Dialect::Anthropic),
                r#"{"error":{"message":"Upstream unreachable","type":"server_error"}}"#,
            ),
            (
                Rejection::NotJson,
                Some(Dialect::Rpc),
                r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32700,"message":"Invalid JSON in request body"}}"#,
            ),
        ];
        for (rejection, dialect, body) in cases {
            assert_eq!(
                rejection.body(dialect, &contract(), Leg::Bridge, Some("7")),
                body,
                "{rejection:?}"
            );
        }
    }

    #[test]
    fn every_refusal_is_listed_once_and_speaks_json_in_every_shape() {
        let reasons: BTreeSet<_> = Rejection::ALL.iter().map(|r| r.reason()).collect();
        assert_eq!(reasons.len(), Rejection::ALL.len());
        for rejection in Rejection::ALL {
            let says_it_inside = rejection == Rejection::Parity;
            assert_eq!(rejection.status().as_u16() < 400, says_it_inside, "{rejection:?}");
            for dialect in Dialect::ALL.map(Some).into_iter().chain([None]) {
                let body = rejection.body(dialect, &contract(), Leg::Bridge, None);
                let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert!(value.get("error").is_some(), "{rejection:?}");
            }
        }
    }
}
