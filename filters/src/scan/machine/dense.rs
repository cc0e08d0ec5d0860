//! The common course of a body, whole tokens at a time. Whatever is cut off, unusual or wrong it leaves, at a place
//! where [`super::Scanner::read`] can go on, to the machine's judgement: it never refuses anything itself.

use super::{Role, Scanner, State};
use crate::scan::found::Kind;
use crate::scan::nesting::Container;
use crate::scan::runs::past_blanks;
use crate::scan::watch::Key;
use crate::scan::{number, strings};

/// What the tokens just read call for.
enum Then {
    Value,
    Key,
    /// Whatever may follow a value.
    Next,
}

impl Scanner<'_> {
    /// Reads on from a place between two tokens and answers how far it came; the state fits that place.
    pub(super) fn tokens(&mut self, chunk: &[u8], at: usize) -> usize {
        if self.nesting.depth() == 0 {
            return at;
        }
        let then = match self.state {
            State::Value => Then::Value,
            State::Key => Then::Key,
            State::Next => Then::Next,
            State::FirstElement if follows(chunk, at, |byte| byte != b']') => Then::Value,
            State::FirstKey if follows(chunk, at, |byte| byte == b'"') => Then::Key,
            _ => return at,
        };
        self.run(chunk, at, then)
    }

    fn run(&mut self, chunk: &[u8], mut at: usize, mut then: Then) -> usize {
        // In locals the compiler keeps them in registers.
        let before = self.before;
        let mut nesting = self.nesting;
        let mut watched = self.watched;
        let mut noted = self.noted;
        let mut comma = self.comma;
        self.state = 'tokens: loop {
            if let Then::Key = then {
                at = past_blanks(chunk, at);
                if chunk.get(at) != Some(&b'"') {
                    break 'tokens State::Key;
                }
                let key = Key {
                    at: before + at,
                    comma,
                };
                let end = strings::skip(chunk, at + 1);
                if chunk.get(end) != Some(&b'"') {
                    self.key = key;
                    self.key_from = at + 1;
                    at = end;
                    break 'tokens State::Text(Role::Key);
                }
                noted = watched && self.watch.key(key, chunk.get(at + 1..end).unwrap_or(&[]));
                at = past_blanks(chunk, end + 1);
                if chunk.get(at) != Some(&b':') {
                    break 'tokens State::Colon;
                }
                at += 1;
                then = Then::Value;
            }
            if let Then::Value = then {
                at = past_blanks(chunk, at);
                let Some(&byte) = chunk.get(at) else {
                    break 'tokens State::Value;
                };
                let start = at;
                let kind = match byte {
                    b'"' => {
                        at = strings::skip(chunk, at + 1);
                        if chunk.get(at) != Some(&b'"') {
                            if noted {
                                self.watch.value(Kind::String, before + start);
                            }
                            break 'tokens State::Text(Role::Value);
                        }
                        at += 1;
                        Kind::String
                    }
                    b'-' | b'0'..=b'9' => {
                        let Some(end) = number::skip(chunk, at, byte) else {
                            break 'tokens State::Value;
                        };
                        at = end;
                        Kind::Number
                    }
                    b'[' if chunk.get(at + 1) == Some(&b']') => {
                        at += 2;
                        Kind::Array
                    }
                    b'{' if chunk.get(at + 1) == Some(&b'}') => {
                        at += 2;
                        Kind::Object
                    }
                    b'[' => {
                        if noted {
                            self.watch.value(Kind::Array, before + at);
                        }
                        noted = false;
                        watched = false;
                        nesting.open(Container::Array, &mut self.outer);
                        at += 1;
                        if !follows(chunk, at, |byte| byte != b']') {
                            break 'tokens State::FirstElement;
                        }
                        continue 'tokens;
                    }
                    b'{' => {
                        if noted {
                            self.watch.value(Kind::Object, before + at);
                        }
                        nesting.open(Container::Object, &mut self.outer);
                        watched = self.watch.enter(nesting.depth(), watched);
                        comma = None;
                        at += 1;
                        if !follows(chunk, at, |byte| byte == b'"') {
                            break 'tokens State::FirstKey;
                        }
                        then = Then::Key;
                        continue 'tokens;
                    }
                    b't' if word(chunk, at) == Some(b"true") => {
                        at += 4;
                        Kind::True
                    }
                    b'n' if word(chunk, at) == Some(b"null") => {
                        at += 4;
                        Kind::Null
                    }
                    b'f' if word(chunk, at + 1) == Some(b"alse") => {
                        at += 5;
                        Kind::False
                    }
                    _ => break 'tokens State::Value,
                };
                if noted {
                    self.watch.value(kind, before + start);
                    self.watch.value_end(before + at);
                }
            }
            then = 'next: loop {
                at = past_blanks(chunk, at);
                match (chunk.get(at), nesting.innermost()) {
                    (Some(b','), Container::Array) => {
                        at += 1;
                        break 'next Then::Value;
                    }
                    (Some(b','), Container::Object) => {
                        comma = Some(before + at);
                        at += 1;
                        break 'next Then::Key;
                    }
                    (Some(b']'), Container::Array) | (Some(b'}'), Container::Object) => at += 1,
                    _ => break 'tokens State::Next,
                }
                nesting.close(&mut self.outer);
                watched = self.watch.leave(nesting.depth());
                if watched {
                    self.watch.value_end(before + at);
                }
                if nesting.depth() == 0 {
                    break 'tokens State::Next;
                }
            };
        };
        self.nesting = nesting;
        self.watched = watched;
        self.noted = noted;
        self.comma = comma;
        at
    }
}

/// Whether the next byte that is no blank is there and is such a one.
#[inline]
fn follows(chunk: &[u8], at: usize, such: impl Fn(u8) -> bool) -> bool {
    let next = chunk.get(past_blanks(chunk, at));
    next.is_some_and(|byte| such(*byte))
}

/// The four bytes at `at`.
#[inline]
fn word(chunk: &[u8], at: usize) -> Option<&[u8; 4]> {
    chunk.get(at..).and_then(<[u8]>::first_chunk)
}
