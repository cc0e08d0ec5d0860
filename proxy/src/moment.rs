//! Moments as documents, reports and metrics count them: in milliseconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment in milliseconds since 1970; 0 where it is before.
pub fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Now.
pub fn now() -> u64 {
    milliseconds(SystemTime::now())
}
