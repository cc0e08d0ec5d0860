//! The listed bodies: every way in which a body reads differently to different parsers that we know
//! of, by the numbers of the list of JSON contract differentials (1 to 36; 37 is about answers).

#[path = "listed/built.rs"]
pub mod built;
#[path = "listed/plain.rs"]
mod plain;

/// A body, and what Node reads in it.
#[derive(Clone)]
pub struct Case {
    pub number: u8,
    pub name: String,
    pub on: On,
    /// The mode asked for, `none`, `invalid`, or why the body is refused.
    pub reads: &'static str,
    pub body: Vec<u8>,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// A message: the contract member stands in the root; also tried as `params`.
    Message,
    /// A JSON-RPC request: it stands in `params`.
    Rpc,
}

const FAST: &str = r#""processing":{"mode":"fast"}"#;

/// Every listed case.
pub fn cases() -> Vec<Case> {
    [plain::cases(), built::cases()].into_iter().flatten().collect()
}
