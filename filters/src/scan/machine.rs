//! The grammar as a machine that can stop after any byte: it alone judges what is well-formed, at a chunk's end too.
//! What a member means to the scan is [`Watch`]'s business.

mod dense;

use std::num::NonZeroUsize;

use fearless_simd::Level;

use super::found::{Found, Kind, Malformed};
use super::nesting::{Container, Nesting, Outer};
use super::number::{Part, Step};
use super::runs::{is_blank, past_blanks, past_digits};
use super::strings;
use super::wanted::Wanted;
use super::watch::{Comma, Key, Watch};

const UNEXPECTED: &str = "unexpected byte";
const MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];
const MOST_MARKS: u8 = 2;

/// A scan that takes its body chunk by chunk. Where the chunks end makes no difference to its answer.
#[derive(Debug)]
pub struct Scanner<'w> {
    /// Which vectors the processor has.
    level: Level,
    state: State,
    nesting: Nesting,
    outer: Outer,
    watch: Watch<'w>,
    /// Whether the innermost container is an object that may hold a wanted member.
    watched: bool,
    /// Whether the value that comes, or is being read, is a wanted member's.
    noted: bool,
    /// The key being read, or the last one.
    key: Key,
    /// Where the key being read begins or goes on in this chunk.
    key_from: usize,
    /// The last comma between two members.
    comma: Comma,
    /// Bytes in the chunks before this one.
    before: usize,
    /// How many more values are read one by one, and how many after the next blocks that brought little.
    singly: u32,
    patience: u32,
    malformed: Option<Malformed>,
}

/// What may stand next.
#[derive(Clone, Copy, Debug)]
enum State {
    /// A byte order mark, of which so many bytes were read, or the document.
    Mark(usize),
    Value,
    /// A value, or the end of the array that just began.
    FirstElement,
    /// A key, or the end of the object that just began.
    FirstKey,
    Key,
    Colon,
    /// What follows a value: a comma, the end of its container, or the end of the document.
    Next,
    Text(Role),
    Escape(Role),
    /// So many more hexadecimal digits of `\uXXXX`.
    Digits(Role, u8),
    Number(Part),
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
}

/// What a string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Key,
    Value,
}

impl<'w> Scanner<'w> {
    /// A scan for these members, at the body's first byte.
    #[must_use]
    pub fn new(wanted: &'w Wanted) -> Self {
        Self::with(Level::new(), wanted)
    }

    /// The same, by vectors no wider than `level` has them.
    pub(super) fn with(level: Level, wanted: &'w Wanted) -> Self {
        Self {
            level,
            state: State::Mark(0),
            nesting: Nesting::default(),
            outer: Outer::new(),
            watch: Watch::new(wanted),
            watched: false,
            noted: false,
            key: Key::default(),
            key_from: 0,
            comma: None,
            before: 0,
            singly: dense::SINGLY,
            patience: dense::SINGLY,
            malformed: None,
        }
    }

    /// Reads the next chunk.
    ///
    /// # Errors
    /// [`Malformed`] at the first byte with which no JSON document goes on; from then on always the same.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Malformed> {
        if let Some(malformed) = &self.malformed {
            return Err(malformed.clone());
        }
        let read = self.read(chunk);
        self.malformed = read.as_ref().err().cloned();
        self.before += chunk.len();
        read
    }

    /// Ends the body.
    ///
    /// # Errors
    /// [`Malformed`] if the document is not complete, and whatever [`Self::push`] refused.
    pub fn finish(self) -> Result<Found, Malformed> {
        if let Some(malformed) = self.malformed {
            return Err(malformed);
        }
        let complete = match self.state {
            State::Next => true,
            State::Number(part) => part.may_end(),
            _ => false,
        };
        if complete && self.nesting.depth() == 0 {
            return Ok(self.watch.found);
        }
        Err(Malformed { at: self.before, what: "unfinished document" })
    }

    fn read(&mut self, chunk: &[u8]) -> Result<(), Malformed> {
        let mut at = 0;
        self.key_from = 0;
        while let Some(&byte) = chunk.get(at) {
            if let State::Text(role) = self.state {
                at = strings::skip(self.level, chunk, at);
                match chunk.get(at) {
                    Some(b'"') => {
                        self.string_end(role, chunk, at);
                        at = self.tokens(chunk, at + 1);
                    }
                    Some(b'\\') => {
                        self.state = State::Escape(role);
                        at += 1;
                    }
                    Some(_) => return Err(self.malformed(at, "control character in a string")),
                    None => {}
                }
                continue;
            }
            if is_blank(byte) && self.between_tokens() {
                if let State::Mark(_) = self.state {
                    self.state = State::Value;
                }
                at = self.tokens(chunk, past_blanks(chunk, at));
                continue;
            }
            if let State::Number(part) = self.state {
                match part.step(byte) {
                    Step::Into(part) => {
                        self.state = State::Number(part);
                        at += 1;
                        if part.takes_digits() {
                            at = past_digits(chunk, at);
                        }
                    }
                    Step::Ended => self.value_end(at),
                    Step::Bad => return Err(self.malformed(at, UNEXPECTED)),
                }
                continue;
            }
            if let State::FirstKey | State::Key = self.state {
                self.key_from = at + 1;
            }
            self.state = self.step(byte, at)?;
            at = self.tokens(chunk, at + 1);
        }
        let in_key = matches!(
            self.state,
            State::Text(Role::Key) | State::Escape(Role::Key) | State::Digits(Role::Key, _)
        );
        if in_key && self.watched {
            self.watch.hold(chunk.get(self.key_from..).unwrap_or(&[]));
        }
        Ok(())
    }

    /// The state after a byte that is neither plain text, nor blank between tokens, nor part of a number.
    fn step(&mut self, byte: u8, at: usize) -> Result<State, Malformed> {
        let state = match (self.state, byte) {
            (State::Mark(0), _) if byte != MARK[0] || self.watch.found.boms == MOST_MARKS => {
                return self.value(byte, at);
            }
            (State::Mark(read), _) if MARK.get(read) == Some(&byte) => self.mark(read + 1),
            (State::Value, _) => return self.value(byte, at),
            (State::FirstElement, b']') => self.close(at),
            (State::FirstElement, _) => return self.value(byte, at),
            (State::FirstKey, b'}') => self.close(at),
            (State::FirstKey | State::Key, b'"') => {
                self.key = Key { at: self.before + at, comma: self.comma };
                State::Text(Role::Key)
            }
            (State::Colon, b':') => State::Value,
            (State::Next, _) if self.nesting.depth() == 0 => {
                return Err(self.malformed(at, "text after the document"));
            }
            (State::Next, b',') => self.comma(at),
            (State::Next, b']') if self.nesting.innermost() == Container::Array => self.close(at),
            (State::Next, b'}') if self.nesting.innermost() == Container::Object => self.close(at),
            (State::Escape(role), b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                State::Text(role)
            }
            (State::Escape(role), b'u') => State::Digits(role, 4),
            (State::Escape(_), _) => return Err(self.malformed(at, "bad escape in a string")),
            (State::Digits(role, left), _) if byte.is_ascii_hexdigit() => match left {
                1 => State::Text(role),
                _ => State::Digits(role, left - 1),
            },
            (State::Digits(..), _) => return Err(self.malformed(at, "bad escape in a string")),
            (State::Word([expected, rest @ ..]), _) if *expected == byte => {
                if rest.is_empty() {
                    self.value_end(at + 1);
                    State::Next
                } else {
                    State::Word(rest)
                }
            }
            _ => return Err(self.malformed(at, UNEXPECTED)),
        };
        Ok(state)
    }

    /// The state after a value's first byte.
    fn value(&mut self, byte: u8, at: usize) -> Result<State, Malformed> {
        let (kind, state) = match byte {
            b'"' => (Kind::String, State::Text(Role::Value)),
            b'{' => (Kind::Object, State::FirstKey),
            b'[' => (Kind::Array, State::FirstElement),
            b't' => (Kind::True, State::Word(b"rue")),
            b'f' => (Kind::False, State::Word(b"alse")),
            b'n' => (Kind::Null, State::Word(b"ull")),
            _ => match Part::first(byte) {
                Some(part) => (Kind::Number, State::Number(part)),
                None => return Err(self.malformed(at, UNEXPECTED)),
            },
        };
        if self.nesting.depth() == 0 {
            self.watch.found.root = kind;
        }
        if self.noted {
            self.watch.value(kind, self.before + at);
        }
        match kind {
            Kind::Object => {
                self.nesting.open(Container::Object, &mut self.outer);
                self.watched = self.watch.enter(self.nesting.depth(), self.watched);
                self.comma = None;
            }
            Kind::Array => {
                self.nesting.open(Container::Array, &mut self.outer);
                self.watched = false;
                self.noted = false;
            }
            _ => {}
        }
        Ok(state)
    }

    fn mark(&mut self, read: usize) -> State {
        if read < MARK.len() {
            return State::Mark(read);
        }
        self.watch.found.boms += 1;
        State::Mark(0)
    }

    fn comma(&mut self, at: usize) -> State {
        match self.nesting.innermost() {
            Container::Array => State::Value,
            Container::Object => {
                self.comma = NonZeroUsize::new(self.before + at);
                State::Key
            }
        }
    }

    fn close(&mut self, at: usize) -> State {
        self.nesting.close(&mut self.outer);
        self.watched = self.watch.leave(self.nesting.depth());
        self.noted = self.watched;
        self.value_end(at + 1);
        State::Next
    }

    fn string_end(&mut self, role: Role, chunk: &[u8], at: usize) {
        match role {
            Role::Key => {
                let text = chunk.get(self.key_from..).unwrap_or(&[]);
                self.noted = self.watched && self.watch.key(self.key, text, at - self.key_from);
                self.state = State::Colon;
            }
            Role::Value => self.value_end(at + 1),
        }
    }

    fn value_end(&mut self, end: usize) {
        if self.noted {
            self.watch.value_end(self.before + end);
        }
        self.state = State::Next;
    }

    fn between_tokens(&self) -> bool {
        matches!(
            self.state,
            State::Mark(0)
                | State::Value
                | State::FirstElement
                | State::FirstKey
                | State::Key
                | State::Colon
                | State::Next
        )
    }

    fn malformed(&self, at: usize, what: &'static str) -> Malformed {
        Malformed { at: self.before + at, what }
    }
}
