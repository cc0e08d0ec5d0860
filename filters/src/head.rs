//! What is refused of a request's head once it is parsed, in whichever HTTP version it came.

use http::header::HOST;
use http::{HeaderMap, Method, Uri, Version};

use crate::rejection::Rejection;

/// The longest method; the longest registered one has 17 letters.
const METHOD_LIMIT: usize = 32;

/// Judges a head as it came: before its target or its fields are changed, and before anything else
/// is asked of it. `fields` is how many it may have.
///
/// # Errors
/// Why the request is refused.
pub fn judge(
    version: Version,
    method: &Method,
    target: &Uri,
    headers: &HeaderMap,
    fields: usize,
) -> Result<(), Rejection> {
    if headers.len() > fields {
        return Err(Rejection::HeadTooLarge);
    }
    if !is_served(method) {
        return Err(Rejection::Method);
    }
    if !is_target(method, target) || !is_host(version, target, headers) {
        return Err(Rejection::BadHead);
    }
    Ok(())
}

/// CONNECT asks for a tunnel to elsewhere, TRACE for the headers that were added on the way.
fn is_served(method: &Method) -> bool {
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        return false;
    }
    let name = method.as_str().as_bytes();
    name.len() <= METHOD_LIMIT && name.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'-'))
}

/// Origin form, absolute form, or the server as a whole for OPTIONS (RFC 9112, section 3.2).
fn is_target(method: &Method, target: &Uri) -> bool {
    let path = match target.path_and_query() {
        Some(path) => path.as_str(),
        // An absolute form may end with its authority; an authority alone is no target.
        None => return target.scheme().is_some(),
    };
    let form = match path.as_bytes() {
        b"*" => *method == Method::OPTIONS,
        [b'/', ..] => true,
        [b'?', ..] | [] => target.scheme().is_some(),
        _ => false,
    };
    form && path.bytes().all(|byte| byte.is_ascii_graphic())
}

/// One host, said in one way. HTTP/2 says it in `:authority`, and may repeat it in `host`.
fn is_host(version: Version, target: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() || host.is_some_and(|host| !is_authority(host.as_bytes())) {
        return false;
    }
    if version <= Version::HTTP_11 {
        return host.is_some() || version < Version::HTTP_11;
    }
    match (target.authority(), host) {
        (Some(authority), Some(host)) if authority.as_str().as_bytes() != host.as_bytes() => false,
        (Some(authority), _) => is_authority(authority.as_str().as_bytes()),
        (None, _) => true,
    }
}

/// `uri-host [":" port]` (RFC 9110, section 7.2), which may be empty; without the comma, which
/// would make two of one.
fn is_authority(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', rest @ ..] => match rest.iter().position(|byte| *byte == b']') {
            Some(end) => {
                let (literal, port) = rest.split_at(end);
                let address = |byte: &u8| byte.is_ascii_alphanumeric() || b":.-_~".contains(byte);
                if literal.is_empty() || !literal.iter().all(address) {
                    return false;
                }
                (&[][..], &port[1..])
            }
            None => return false,
        },
        _ => host.split_at(host.iter().position(|byte| *byte == b':').unwrap_or(host.len())),
    };
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(byte);
    let port = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    port && name.iter().all(named)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn judged(version: Version, method: &str, target: &str, hosts: &[&str]) -> Result<(), u16> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let target = target.parse().unwrap();
        judge(version, &method, &target, &headers, 100).map_err(|why| why.status().as_u16())
    }

    #[test]
    fn methods() {
        for method in ["GET", "POST", "OPTIONS", "M-SEARCH", "VERSION-CONTROL", &"A".repeat(32)] {
            assert_eq!(judged(Version::HTTP_11, method, "/", &["h"]), Ok(()), "{method}");
        }
        for method in ["CONNECT", "TRACE", "get", "Get", "GE_T", "G1", &"A".repeat(33)] {
            assert_eq!(judged(Version::HTTP_2, method, "http://h/", &[]), Err(405), "{method}");
        }
    }

    #[test]
    fn targets() {
        let cases = [
            ("GET", "/", Ok(())),
            ("GET", "/a?b=c", Ok(())),
            ("GET", "//h/a", Ok(())),
            ("GET", "http://h/a", Ok(())),
            ("GET", "http://h", Ok(())),
            ("GET", "http://h?q", Ok(())),
            ("OPTIONS", "*", Ok(())),
            ("GET", "*", Err(400)),
            ("GET", "h:80", Err(400)),
            ("GET", "h", Err(400)),
            ("GET", "/\u{e9}", Err(400)),
            ("GET", "/a?\u{e9}", Err(400)),
        ];
        for (method, target, expected) in cases {
            assert_eq!(judged(Version::HTTP_11, method, target, &["h"]), expected, "{target}");
        }
    }

    #[test]
    fn a_path_of_http_2_begins_with_a_slash() {
        for (path, expected) in [("/a", true), ("a", false), ("*", false), ("?a", true)] {
            let target = Uri::builder().scheme("http").authority("h").path_and_query(path);
            let Ok(target) = target.build() else {
                assert!(!expected, "{path}");
                continue;
            };
            assert_eq!(is_target(&Method::GET, &target), expected, "{path}: {target}");
        }
    }

    #[test]
    fn hosts() {
        type Case<'c> = (Version, &'c str, &'c [&'c str], Result<(), u16>);
        let (v0, v1, v2) = (Version::HTTP_10, Version::HTTP_11, Version::HTTP_2);
        let cases: [Case<'_>; 15] = [
            (v1, "/", &["h"], Ok(())),
            (v1, "/", &[""], Ok(())),
            (v1, "/", &[], Err(400)),
            (v1, "http://h/", &[], Err(400)),
            (v1, "http://h/", &["other"], Ok(())),
            (v1, "/", &["h", "h"], Err(400)),
            (v1, "/", &["user@h"], Err(400)),
            (v0, "/", &[], Ok(())),
            (v0, "/", &["a", "b"], Err(400)),
            (v2, "http://h/", &[], Ok(())),
            (v2, "http://h/", &["h"], Ok(())),
            (v2, "http://h/", &["other"], Err(400)),
            (v2, "http://h/", &["h", "h"], Err(400)),
            (v2, "http://user@h/", &[], Err(400)),
            (v2, "/", &["h"], Ok(())),
        ];
        for (version, target, hosts, expected) in cases {
            let found = judged(version, "GET", target, hosts);
            assert_eq!(found, expected, "{version:?} {target} {hosts:?}");
        }
    }

    #[test]
    fn authorities() {
        let good = ["h", "h:80", "h:", "1.2.3.4:65535", "[::1]", "[::1]:8080", "a-b_c~.%41", ""];
        for host in good {
            assert!(is_authority(host.as_bytes()), "{host}");
        }
        let bad = [
            "a b", "a@b", "u:p@h", "a,b", "a/b", "a?b", "a#b", "a\\b", "h:80:80", "h:8a", "h:-1",
            "h:123456", "::1", "[::1", "[]", "[::1]x", "[::1]:x", "[a b]", "a\tb", "h\u{e9}",
            "<h>", "\"h\"", "[::1]]",
        ];
        for host in bad {
            assert!(!is_authority(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn too_many_fields() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("h"));
        headers.append("x", HeaderValue::from_static("1"));
        headers.append("x", HeaderValue::from_static("2"));
        let target = Uri::from_static("/");
        let judged = |most| judge(Version::HTTP_11, &Method::GET, &target, &headers, most);
        assert_eq!((judged(3), judged(2)), (Ok(()), Err(Rejection::HeadTooLarge)));
    }
}
