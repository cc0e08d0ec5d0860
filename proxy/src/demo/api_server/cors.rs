//! Which browser origins the API server answers (wire facts 7), and the headers that say so.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Uri};

/// What a request's `Origin` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cors {
    /// There is none: no browser.
    Absent,
    /// One that is answered.
    Allowed(HeaderValue),
    /// One that is not.
    Refused,
}

impl Cors {
    /// Reads the `Origin` header.
    pub fn of(headers: &HeaderMap) -> Cors {
        let Some(origin) = headers.get(ORIGIN) else { return Cors::Absent };
        match origin.to_str().is_ok_and(is_local) {
            true => Cors::Allowed(origin.clone()),
            false => Cors::Refused,
        }
    }

    /// Writes the headers of an answer to an allowed origin.
    pub fn write(&self, headers: &mut HeaderMap) {
        let Cors::Allowed(origin) = self else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(VARY, HeaderValue::from_static("Origin"));
        headers.insert(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS"),
        );
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Content-Type, Authorization, X-Milaidy-Token, X-Api-Key"),
        );
    }
}

fn is_local(origin: &str) -> bool {
    if matches!(
        origin,
        "capacitor://localhost" | "capacitor-electron://localhost" | "app://localhost"
    ) {
        return true;
    }
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    web && uri.path() == "/" && matches!(uri.host(), Some("localhost" | "127.0.0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let cases = [
            ("http://localhost:5173", true),
            ("https://localhost", true),
            ("http://127.0.0.1:1", true),
            ("capacitor-electron://localhost", true),
            ("http://localhost.evil.example", false),
            ("http://[::1]:80", false),
            ("ftp://localhost", false),
            ("null", false),
            ("https://evil.example", false),
        ];
        for (origin, allowed) in cases {
            let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
            let expected = if allowed {
                Cors::Allowed(HeaderValue::from_static(origin))
            } else {
                Cors::Refused
            };
            assert_eq!(Cors::of(&headers), expected, "{origin}");
        }
        assert_eq!(Cors::of(&HeaderMap::new()), Cors::Absent);
    }
}
