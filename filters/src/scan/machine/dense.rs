//! The common course of a body, whole tokens at a time. Whatever is cut off, unusual or wrong it leaves, at a place
//! where [`super::Scanner::read`] can go on, to the machine's judgement: it never refuses anything itself.

use super::{Role, Scanner, State};
use crate::scan::found::Kind;
use crate::scan::nesting::Container;
use crate::scan::{number, runs, strings};

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
        let mut nesting = self.nesting;
        let mut watched = self.watched;
        let before = self.before;
        self.state = 'tokens: loop {
            if let Then::Key = then {
                at = runs::past_blanks(chunk, at);
                if chunk.get(at) != Some(&b'"') {
                    break 'tokens State::Key;
                }
                let end = strings::skip(chunk, at + 1);
                if chunk.get(end) != Some(&b'"') {
                    self.string = before + at;
                    self.key_from = at + 1;
                    at = end;
                    break 'tokens State::Text(Role::Key);
                }
                if watched {
                    let key = chunk.get(at + 1..end).unwrap_or(&[]);
                    self.watch.key(before + at, key);
                }
                at = runs::past_blanks(chunk, end + 1);
                if chunk.get(at) != Some(&b':') {
                    break 'tokens State::Colon;
                }
                at += 1;
                then = Then::Value;
            }
            if let Then::Value = then {
                at = runs::past_blanks(chunk, at);
                let Some(&byte) = chunk.get(at) else {
                    break 'tokens State::Value;
                };
                let end = match byte {
                    b'"' => {
                        if watched {
                            self.watch.value(Kind::String, before + at);
                        }
                        at = strings::skip(chunk, at + 1);
                        if chunk.get(at) != Some(&b'"') {
                            break 'tokens State::Text(Role::Value);
                        }
                        at + 1
                    }
                    b'-' | b'0'..=b'9' => {
                        let Some(end) = number::skip(chunk, at) else {
                            break 'tokens State::Value;
                        };
                        if watched {
                            self.watch.value(Kind::Number, before + at);
                        }
                        end
                    }
                    b'[' => {
                        if watched {
                            self.watch.value(Kind::Array, before + at);
                        }
                        watched = false;
                        nesting.open(Container::Array, &mut self.outer);
                        while chunk.get(at + 1) == Some(&b'[') {
                            at += 1;
                            nesting.open(Container::Array, &mut self.outer);
                        }
                        at = runs::past_blanks(chunk, at + 1);
                        match chunk.get(at) {
                            Some(b']') => {
                                nesting.close(&mut self.outer);
                                watched = self.watch.leave(nesting.depth());
                                at + 1
                            }
                            Some(_) => continue 'tokens,
                            None => break 'tokens State::FirstElement,
                        }
                    }
                    b'{' => {
                        if watched {
                            self.watch.value(Kind::Object, before + at);
                        }
                        nesting.open(Container::Object, &mut self.outer);
                        watched = self.watch.enter(nesting.depth(), watched);
                        at = runs::past_blanks(chunk, at + 1);
                        match chunk.get(at) {
                            Some(b'}') => {
                                nesting.close(&mut self.outer);
                                watched = self.watch.leave(nesting.depth());
                                at + 1
                            }
                            Some(b'"') => {
                                then = Then::Key;
                                continue 'tokens;
                            }
                            _ => break 'tokens State::FirstKey,
                        }
                    }
                    _ => {
                        let Some((kind, length)) = word(chunk, at) else {
                            break 'tokens State::Value;
                        };
                        if watched {
                            self.watch.value(kind, before + at);
                        }
                        at + length
                    }
                };
                if watched {
                    self.watch.value_end(before + end);
                }
                at = end;
            }
            then = 'next: loop {
                at = runs::past_blanks(chunk, at);
                let innermost = nesting.innermost();
                match chunk.get(at) {
                    Some(b',') if innermost == Container::Array => {
                        at += 1;
                        break 'next Then::Value;
                    }
                    Some(b',') => {
                        if watched {
                            self.watch.comma(before + at);
                        }
                        at += 1;
                        break 'next Then::Key;
                    }
                    Some(b']') if innermost == Container::Array => {}
                    Some(b'}') if innermost == Container::Object => {}
                    _ => break 'tokens State::Next,
                }
                at += 1;
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
        self.watched = watched;
        self.nesting = nesting;
        at
    }
}

/// Whether the next byte that is no blank is there and is such a one.
fn follows(chunk: &[u8], at: usize, such: impl Fn(u8) -> bool) -> bool {
    let next = chunk.get(runs::past_blanks(chunk, at));
    next.is_some_and(|byte| such(*byte))
}

/// The literal name at `at`, and how long it is.
#[inline]
fn word(chunk: &[u8], at: usize) -> Option<(Kind, usize)> {
    let first = chunk.get(at..).and_then(<[u8]>::first_chunk::<4>)?;
    match first {
        b"true" => Some((Kind::True, 4)),
        b"null" => Some((Kind::Null, 4)),
        b"fals" if chunk.get(at + 4) == Some(&b'e') => Some((Kind::False, 5)),
        _ => None,
    }
}
