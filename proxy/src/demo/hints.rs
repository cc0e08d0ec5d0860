//! The lines to try while the demonstration serves.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

/// Where the demonstration serves.
#[derive(Clone, Copy, Debug)]
pub struct Hints<'a> {
    /// The frontend leg.
    pub frontend: SocketAddr,
    /// The runtime leg.
    pub runtime_leg: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
    /// The file with the admin token.
    pub token_file: &'a Path,
}

impl Hints<'_> {
    /// Writes lines that a shell takes as they are.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Hints { frontend, runtime_leg, admin, token_file } = self;
        let token_file = shell_quoted(&token_file.to_string_lossy());
        write!(
            out,
            r#"
# a conversation, and a fast message in it; the second shows what the answer is tagged with
id=$(curl -s http://{frontend}/api/conversations -d '{{"title":"try"}}' | sed 's/.*"id":"\([^"]*\)".*/\1/')
curl -si http://{frontend}/api/conversations/$id/messages -d '{{"text":"hello","processing":{{"mode":"fast"}}}}'
# the same as a stream
curl -sN http://{frontend}/api/conversations/$id/messages/stream -d '{{"text":"hello","processing":{{"mode":"fast"}}}}'
# the flags on, for ten minutes, and off again
token=$(cat {token_file})
flag() {{ curl -s -X PUT http://{admin}/flags/$1 -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
  -d '{{"value":'$2',"actor":"me","reason":"trying it","expires":"10m"}}'; }}
flag contract true; flag runtime true
flag kill true
# what a client may show, what the operator sees
curl -s http://{frontend}/.well-known/processing
curl -s http://{admin}/flags
curl -s http://{admin}/metrics
# a body that would end the runtime's entrypoint
curl -s http://{runtime_leg}/bridge -d '{{bad'
"#
        )
    }
}

fn shell_quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_every_address() {
        let hints = Hints {
            frontend: "127.0.0.1:1001".parse().unwrap(),
            runtime_leg: "127.0.0.1:1003".parse().unwrap(),
            admin: "127.0.0.1:1009".parse().unwrap(),
            token_file: Path::new("/tmp/a token's"),
        };
        let mut out = Vec::new();
        hints.write(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in [
            "http://127.0.0.1:1001/.well-known/processing",
            "http://127.0.0.1:1003/bridge -d '{bad'",
            "http://127.0.0.1:1009/flags/$1",
            "http://127.0.0.1:1009/metrics",
            r"token=$(cat '/tmp/a token'\''s')",
            r#"'{"value":'$2',"actor":"me""#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
