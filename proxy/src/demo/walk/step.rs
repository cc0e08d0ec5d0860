//! The steps of the walk, the messages of each, and what the design's decision table says of
//! every one of them.

use super::quoted;
use super::row::{Outcome, Seen};

/// What a fast message asks for.
const FAST: &str = r#"{"mode":"fast"}"#;
/// What a downgrade puts in its place.
const DEFAULT: &str = r#"{"mode":"default"}"#;

/// A state of the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// As modegate started: every flag off.
    ContractOff,
    /// `contract` on.
    ContractOn,
    /// `contract` and `runtime` on, at the configured 50 %.
    RuntimeOn,
    /// `runtime` off again.
    SoftRollback,
    /// `kill` on.
    Kill,
}

/// A kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Fast, in the canary conversation.
    FastCanary,
    /// Fast, in the control conversation.
    FastControl,
    /// Without `processing`.
    Plain,
    /// Fast and streamed, in the canary conversation.
    FastStream,
    /// A mode that there is not.
    Invalid,
    /// Fast, on OpenAI's route, whose shared room is no bucket key.
    FastOpenAi,
}

impl Step {
    /// Every step, in the order of the walk.
    pub const ALL: [Step; 5] =
        [Step::ContractOff, Step::ContractOn, Step::RuntimeOn, Step::SoftRollback, Step::Kill];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Step::ContractOff => "contract off",
            Step::ContractOn => "contract on",
            Step::RuntimeOn => "runtime on",
            Step::SoftRollback => "soft rollback",
            Step::Kill => "kill",
        }
    }

    /// Its line in the table.
    pub fn title(self) -> &'static str {
        match self {
            Step::ContractOff => "contract off (as started): `processing` is removed",
            Step::ContractOn => "contract on, runtime off: validated, and downgraded to default",
            Step::RuntimeOn => "runtime on at 50 %: fast for the canary, default for control",
            Step::SoftRollback => "soft rollback (runtime off): downgraded again, at once",
            Step::Kill => "kill: everything removed, whatever the other flags say",
        }
    }

    /// The flags that are overridden to come here from the step before.
    pub fn changes(self) -> &'static [(&'static str, bool)] {
        match self {
            Step::ContractOff => &[],
            Step::ContractOn => &[("contract", true)],
            Step::RuntimeOn => &[("runtime", true)],
            Step::SoftRollback => &[("runtime", false)],
            Step::Kill => &[("kill", true)],
        }
    }

    /// The messages that are sent in it.
    pub fn messages(self) -> &'static [MessageKind] {
        use MessageKind::{FastCanary, FastControl, FastOpenAi, FastStream, Invalid, Plain};
        match self {
            Step::RuntimeOn => &[FastCanary, FastControl, Plain, FastStream, Invalid, FastOpenAi],
            _ => &[FastCanary, Plain, FastStream, Invalid, FastOpenAi],
        }
    }

    /// What the decision table says of a message in this step.
    pub fn expected(self, kind: MessageKind) -> Outcome {
        let (processing, mode) = match (self, kind) {
            (Step::ContractOff | Step::Kill, _) | (_, MessageKind::Plain) => (None, "default"),
            (_, MessageKind::Invalid) => return Outcome::refused(),
            (Step::RuntimeOn, MessageKind::FastCanary | MessageKind::FastStream) => {
                (Some(FAST), "fast")
            }
            _ => (Some(DEFAULT), "default"),
        };
        let cohort = kind.cohort();
        // The API server forwards text and room only, so the later legs are asked for nothing.
        let later = Seen::expected(None, "default", "none", cohort);
        let first = Seen::expected(processing, mode, kind.requested(), cohort);
        Outcome::answered(mode, [first, later.clone(), later])
    }
}

impl MessageKind {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            MessageKind::FastCanary => "fast, canary",
            MessageKind::FastControl => "fast, control",
            MessageKind::Plain => "no processing",
            MessageKind::FastStream => "fast stream",
            MessageKind::Invalid => "invalid mode",
            MessageKind::FastOpenAi => "fast /v1",
        }
    }

    /// The target and the body of such a message.
    pub fn request(self, conversation: &str, text: &str) -> (String, String) {
        let text = quoted(text);
        let processing = match self {
            MessageKind::Plain => String::new(),
            MessageKind::Invalid => r#","processing":{"mode":"turbo"}"#.to_owned(),
            _ => format!(r#","processing":{FAST}"#),
        };
        match self {
            MessageKind::FastOpenAi => (
                "/v1/chat/completions".to_owned(),
                format!(r#"{{"messages":[{{"role":"user","content":{text}}}]{processing}}}"#),
            ),
            _ => {
                let stream = if self == MessageKind::FastStream { "/stream" } else { "" };
                (
                    format!("/api/conversations/{conversation}/messages{stream}"),
                    format!(r#"{{"text":{text},"mode":"simple"{processing}}}"#),
                )
            }
        }
    }

    fn requested(self) -> &'static str {
        match self {
            MessageKind::Plain => "none",
            MessageKind::Invalid => "invalid",
            _ => "fast",
        }
    }

    fn cohort(self) -> &'static str {
        match self {
            MessageKind::FastControl | MessageKind::FastOpenAi => "control",
            _ => "canary",
        }
    }
}
