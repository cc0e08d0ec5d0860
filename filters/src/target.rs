//! Which path a request target has for the servers behind: `new URL(target, base).pathname`.
//!
//! For targets in origin form this is the WHATWG URL standard's path, read here and not by a URL
//! parser: a parser first judges the host in `//host/path`, and a host that one implementation
//! refuses and another takes would make a path that is inspected out of one that is not.

use std::borrow::Cow;

use http::Uri;
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

/// The standard's path percent-encode set as Node 20 has it (without `^`), but for `?` and `#`,
/// which cannot be in a path here.
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}');

/// The target as it is sent on, and so as it is judged: only its path and query. Where a request
/// goes is not for its target to say.
pub fn origin_form(uri: Uri) -> Uri {
    if uri.scheme().is_none() && uri.authority().is_none() {
        return uri;
    }
    let target = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    Uri::from(target)
}

/// The path of a target in origin or absolute form.
pub fn pathname(target: &str) -> Cow<'_, str> {
    let plain = before_query(target);
    if is_plain(plain) {
        return Cow::Borrowed(plain);
    }
    // None of these can be in a request line; the standard drops them.
    let target = target.trim_matches(|c: char| c <= ' ').replace(['\t', '\n', '\r'], "");
    let bare = before_query(&target);
    let Some((scheme, rest)) = split_scheme(bare) else { return Cow::Owned(origin_path(bare)) };
    let path = match scheme.to_ascii_lowercase().as_str() {
        // The base's own scheme: what follows is read as if the scheme were not there.
        "http" => origin_path(rest),
        "https" | "ws" | "wss" | "ftp" => origin_path(&format!("//{rest}")),
        _ => Url::parse(bare).map_or_else(|_| origin_path(rest), |url| url.path().to_owned()),
    };
    Cow::Owned(path)
}

fn before_query(target: &str) -> &str {
    let end = memchr::memchr2(b'?', b'#', target.as_bytes()).unwrap_or(target.len());
    target.get(..end).unwrap_or(target)
}

/// Whether a path stands for itself, as nearly all do.
fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    let starts = bytes.first() == Some(&b'/') && bytes.get(1) != Some(&b'/');
    let untouched = bytes.iter().fold(true, |all, byte| all & UNTOUCHED[usize::from(*byte)]);
    let begins = |dot: usize| dot.checked_sub(1).is_some_and(|before| bytes[before] == b'/');
    starts && untouched && !memchr::memchr_iter(b'.', bytes).any(begins)
}

/// The bytes that the standard leaves in a path as they are, but for where dots make a segment.
const UNTOUCHED: [bool; 256] = {
    let mut untouched = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let this = byte as u8;
        untouched[byte] =
            this.is_ascii_alphanumeric() || matches!(this, b'/' | b'-' | b'_' | b'~' | b'.' | b':');
        byte += 1;
    }
    untouched
};

fn split_scheme(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once(':')?;
    let mut bytes = scheme.bytes();
    let letter = bytes.next().is_some_and(|first| first.is_ascii_alphabetic());
    let named =
        bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    (letter && named).then_some((scheme, rest))
}

/// The path of what stands where a path or `//host/path` may stand. Any run of two or more
/// slashes, of either kind, begins a host.
fn origin_path(target: &str) -> String {
    let slash = |c: char| c == '/' || c == '\\';
    let after = target.trim_start_matches(slash);
    let path = match target.len() - after.len() {
        0 | 1 => after,
        _ => after.split_once(slash).map_or("", |(_, path)| path),
    };
    let mut segments: Vec<&str> = Vec::new();
    let mut rest = path.split(slash).peekable();
    while let Some(segment) = rest.next() {
        let last = rest.peek().is_none();
        match dots(segment) {
            Dots::None => segments.push(segment),
            Dots::One if last => segments.push(""),
            Dots::One => {}
            Dots::Two => {
                segments.pop();
                if last {
                    segments.push("");
                }
            }
        }
    }
    let mut pathname = String::with_capacity(path.len() + 1);
    for segment in segments {
        pathname.push('/');
        pathname.extend(utf8_percent_encode(segment, PATH));
    }
    pathname
}

enum Dots {
    None,
    One,
    Two,
}

/// Whether a segment is one of the spellings of `.` and `..`.
fn dots(segment: &str) -> Dots {
    let mut rest = segment;
    let mut count = 0;
    while let Some(after) = rest.strip_prefix('.').or_else(|| {
        let (escape, after) = rest.split_at_checked(3)?;
        escape.eq_ignore_ascii_case("%2e").then_some(after)
    }) {
        rest = after;
        count += 1;
    }
    match (rest, count) {
        ("", 1) => Dots::One,
        ("", 2) => Dots::Two,
        _ => Dots::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pathnames() {
        let cases = [
            ("/api/chat", "/api/chat"),
            ("/api/chat?a/../b", "/api/chat"),
            ("/api/chat#f?q", "/api/chat"),
            ("//h/api/chat", "/api/chat"),
            ("///h/api/chat", "/api/chat"),
            ("/\\/h/api/chat", "/api/chat"),
            ("//xn--a-/api/chat", "/api/chat"),
            ("//h", "/"),
            ("//", "/"),
            ("/", "/"),
            ("", "/"),
            ("*", "/*"),
            ("/a/../b", "/b"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/../../a", "/a"),
            ("/a/.%2e/b", "/b"),
            ("/a/%2E%2e/b", "/b"),
            ("/a/%2e/b", "/a/b"),
            ("/c:/../api/chat", "/api/chat"),
            ("/x/c|/../../api/chat", "/api/chat"),
            ("/a/.../b", "/a/.../b"),
            ("/a//b", "/a//b"),
            ("/a/", "/a/"),
            ("/a\\b", "/a/b"),
            ("/a b\"<>`{}é", "/a%20b%22%3C%3E%60%7B%7D%C3%A9"),
            ("/a%zz%41", "/a%zz%41"),
            ("http://h/api/chat", "/api/chat"),
            ("http://xn--a-/api/chat", "/api/chat"),
            ("http://h/c:/../api/chat", "/api/chat"),
            ("http:/api/chat", "/api/chat"),
            ("https:h/api/chat", "/api/chat"),
            ("http://h", "/"),
            ("file:///api/chat", "/api/chat"),
            ("ws://h/a/../b", "/b"),
        ];
        for (target, expected) in cases {
            assert_eq!(pathname(target), expected, "{target}");
        }
    }

    proptest! {
        /// Where the `url` crate reads a target at all, without its drive letters, it agrees.
        #[test]
        fn the_url_crate_agrees(target in "(/|//h/|/\\\\h/)[a-zA-Z0-9/._~%?#\\\\;{}\"^ -]{0,24}") {
            prop_assume!(!target.starts_with("///") && !target.starts_with("//\\"));
            let url = Url::parse("http://localhost").unwrap().join(target.trim_end());
            if let Ok(url) = url {
                prop_assert_eq!(pathname(target.trim_end()), url.path());
            }
        }
    }
}
