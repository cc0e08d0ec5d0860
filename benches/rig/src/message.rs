//! The requests of the load, as bytes.

use std::io::Write;

/// What every message's text begins with, counted up, so that no two are alike.
const NUMBER: usize = 10;
const WORDS: &str = "The quick brown fox asks what else there is to do today, and then does it.\\n";
const MEMBER: &str = ",\"processing\":{\"mode\":\"fast\"}";
/// Where messages go: so many conversations.
const CONVERSATIONS: u64 = 200;

/// Whether a message has the contract member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// As its last member.
    Last,
    /// Not at all.
    None,
}

/// A message that is sent again and again, each time to another conversation with another text.
#[derive(Clone, Debug)]
pub struct Message {
    /// The whole request.
    pub bytes: Vec<u8>,
    /// How long its body is, and how long it is without the member, in bytes.
    pub body: (usize, usize),
    conversation: usize,
    number: usize,
}

impl Message {
    /// A message whose body has about `size` bytes. `rest` follows the conversation in the target,
    /// `fields` are further lines of the head.
    pub fn new(size: usize, member: Member, rest: &str, fields: &str) -> Message {
        let member = if member == Member::Last { MEMBER } else { "" };
        let tail = format!(
            "\",\"channelType\":\"DM\",\"metadata\":{{\"clientMessageId\":\"0191d5a0\"}}{member}}}"
        );
        let head = "{\"text\":\"";
        let mut body = format!("{head}{:0NUMBER$} ", 0);
        let text = size.saturating_sub(body.len() + tail.len());
        body.extend(WORDS.chars().cycle().take(text));
        if body.ends_with('\\') {
            body.push('n');
        }
        body.push_str(&tail);
        let path = "POST /api/conversations/";
        let mut bytes = format!(
            "{path}{:08x}-e29b-41d4-a716-446655440000{rest} HTTP/1.1\r\nHost: localhost:2138\r\n\
             Content-Type: application/json\r\nAccept: */*\r\nUser-Agent: rig\r\n{fields}\
             Content-Length: {}\r\n\r\n",
            0,
            body.len()
        )
        .into_bytes();
        let number = bytes.len() + head.len();
        bytes.extend_from_slice(body.as_bytes());
        Message {
            bytes,
            body: (body.len(), body.len() - member.len()),
            conversation: path.len(),
            number,
        }
    }

    /// Makes it the message of this number.
    pub fn number(&mut self, number: u64) {
        let conversation = number % CONVERSATIONS;
        self.put(self.conversation, format_args!("{conversation:08x}"));
        self.put(self.number, format_args!("{number:0NUMBER$}"));
    }

    fn put(&mut self, at: usize, text: std::fmt::Arguments<'_>) {
        if let Some(mut place) = self.bytes.get_mut(at..) {
            // What has no room is cut off; nothing here has none.
            let _ = place.write_fmt(text);
        }
    }
}

/// A request without a body.
pub fn get() -> Vec<u8> {
    b"GET /api/status HTTP/1.1\r\nHost: localhost:2138\r\nAccept: */*\r\nUser-Agent: rig\r\n\r\n"
        .to_vec()
}

/// A request that asks for a WebSocket, with the key of RFC 6455, section 1.3.
pub fn websocket() -> Vec<u8> {
    b"GET /ws?clientId=rig HTTP/1.1\r\nHost: localhost:2138\r\nUpgrade: websocket\r\n\
      Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_json_of_their_size_and_differ() {
        for size in [400, 1 << 10, 32 << 10, 512 << 10] {
            for member in [Member::Last, Member::None] {
                let mut message = Message::new(size, member, "/messages", "");
                let first = message.bytes.clone();
                message.number(1_234_567);
                assert_ne!(first, message.bytes);
                assert_eq!(first.len(), message.bytes.len());
                let body = message.bytes.split_off(message.bytes.len() - message.body.0);
                let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(json.get("processing").is_some(), member == Member::Last);
                assert!(json["text"].as_str().unwrap().starts_with("0001234567 "));
                assert!(size.abs_diff(body.len()) <= 1, "{size} {}", body.len());
            }
        }
    }
}
