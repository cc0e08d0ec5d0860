//! The common course of a body, whole tokens at a time. Whatever is cut off, unusual or wrong it leaves, at a place
//! where [`super::Scanner::read`] can go on, to the machine's judgement: it never refuses anything itself.

use std::num::NonZeroUsize;

use super::{Role, Scanner, State};
use crate::scan::bulk::{self, Bounds, Place};
use crate::scan::found::Kind;
use crate::scan::nesting::{Container, Nesting};
use crate::scan::runs::past_blanks;
use crate::scan::watch::{Comma, Key};
use crate::scan::{number, strings};

/// So many values are read one by one before whole blocks are, or more of them where blocks kept meeting something to
/// note.
pub(super) const SINGLY: u32 = 6;
const MOST_SINGLY: u32 = 200;
/// With fewer bytes blocks are not worth it.
const FEW: usize = 144;

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

    fn run(&mut self, chunk: &[u8], at: usize, mut then: Then) -> usize {
        let mut here = Here {
            chunk,
            before: self.before,
            at,
            nesting: self.nesting,
            watched: self.watched,
            noted: self.noted,
            comma: self.comma,
            singly: self.singly,
        };
        let state = loop {
            let read = match then {
                Then::Key => self.dense_key(&mut here),
                Then::Value if here.singly == 0 => self.blocks(&mut here),
                Then::Value => {
                    here.singly -= 1;
                    self.dense_value(&mut here)
                }
                Then::Next => self.dense_next(&mut here),
            };
            match read {
                Ok(next) => then = next,
                Err(state) => break state,
            }
        };
        self.state = state;
        self.nesting = here.nesting;
        self.watched = here.watched;
        self.noted = here.noted;
        self.comma = here.comma;
        self.singly = here.singly;
        here.at
    }

    /// Reads whole blocks of what nothing is to be noted of, from a value on.
    #[inline(never)]
    fn blocks(&mut self, here: &mut Here<'_>) -> Result<Then, State> {
        here.singly = SINGLY;
        let chunk = here.chunk;
        if chunk.len() - here.at < FEW {
            return Ok(Then::Value);
        }
        let Some((floor, watched)) = self.watch.unnoted(here.nesting.depth()) else {
            return Ok(Then::Value);
        };
        let from = Place { at: here.at, nesting: here.nesting };
        let watch = &self.watch;
        // A call in the loop over blocks would cost it what vectors it keeps in registers.
        let wanted = watched.then_some(
            #[inline(always)]
            |at: usize| watch.is_wanted(chunk.get(at..).unwrap_or(&[])),
        );
        let bounds = Bounds { floor, wanted };
        let place = bulk::read(self.level, chunk, from, &mut self.outer, &bounds);
        self.patience = match watched && place.at - from.at < FEW {
            true => MOST_SINGLY.min(2 * self.patience),
            false => SINGLY,
        };
        here.singly = self.patience;
        if place.at == from.at {
            return Ok(Then::Value);
        }
        here.at = place.at;
        here.nesting = place.nesting;
        here.watched = watched && place.nesting.depth() == floor;
        here.noted = false;
        match (chunk.get(place.at - 1), place.nesting.innermost()) {
            (Some(b','), Container::Object) => {
                here.comma = NonZeroUsize::new(here.offset() - 1);
                Ok(Then::Key)
            }
            (Some(b',' | b':'), _) => Ok(Then::Value),
            (Some(b'['), _) => Err(State::FirstElement),
            (Some(b'{'), _) => {
                here.comma = None;
                Err(State::FirstKey)
            }
            _ => Ok(Then::Next),
        }
    }

    /// A key and its colon.
    #[inline(always)]
    fn dense_key(&mut self, here: &mut Here<'_>) -> Result<Then, State> {
        here.skip_blanks();
        if here.byte() != Some(b'"') {
            return Err(State::Key);
        }
        let key = Key { at: here.offset(), comma: here.comma };
        let from = here.at + 1;
        here.at = strings::skip(self.level, here.chunk, from);
        if here.byte() != Some(b'"') {
            self.key = key;
            self.key_from = from;
            return Err(State::Text(Role::Key));
        }
        let text = here.chunk.get(from..).unwrap_or(&[]);
        here.noted = here.watched && self.watch.key(key, text, here.at - from);
        here.at += 1;
        here.skip_blanks();
        if here.byte() != Some(b':') {
            return Err(State::Colon);
        }
        here.at += 1;
        Ok(Then::Value)
    }

    /// A value, or how a container begins up to its first element or key.
    #[inline(always)]
    fn dense_value(&mut self, here: &mut Here<'_>) -> Result<Then, State> {
        here.skip_blanks();
        let byte = here.byte().ok_or(State::Value)?;
        let start = here.offset();
        let kind = match byte {
            b'"' => {
                here.at = strings::skip(self.level, here.chunk, here.at + 1);
                if here.byte() != Some(b'"') {
                    if here.noted {
                        self.watch.value(Kind::String, start);
                    }
                    return Err(State::Text(Role::Value));
                }
                here.at += 1;
                Kind::String
            }
            b'-' | b'0'..=b'9' => {
                here.at = number::skip(here.chunk, here.at, byte).ok_or(State::Value)?;
                Kind::Number
            }
            b'[' if here.second() == Some(b']') => {
                here.at += 2;
                Kind::Array
            }
            b'{' if here.second() == Some(b'}') => {
                here.at += 2;
                Kind::Object
            }
            b'[' => return self.dense_array(here),
            b'{' => return self.dense_object(here),
            _ => {
                let (kind, length) = word(here.chunk, here.at, byte).ok_or(State::Value)?;
                here.at += length;
                kind
            }
        };
        if here.noted {
            self.watch.value(kind, start);
            self.watch.value_end(here.offset());
        }
        Ok(Then::Next)
    }

    #[inline(always)]
    fn dense_array(&mut self, here: &mut Here<'_>) -> Result<Then, State> {
        if here.noted {
            self.watch.value(Kind::Array, here.offset());
        }
        here.noted = false;
        here.watched = false;
        here.nesting.open(Container::Array, &mut self.outer);
        here.at += 1;
        while (here.byte(), here.second()) == (Some(b'['), Some(b'[')) {
            here.nesting.open(Container::Array, &mut self.outer);
            here.at += 1;
        }
        if follows(here.chunk, here.at, |byte| byte != b']') {
            return Ok(Then::Value);
        }
        Err(State::FirstElement)
    }

    #[inline(always)]
    fn dense_object(&mut self, here: &mut Here<'_>) -> Result<Then, State> {
        if here.noted {
            self.watch.value(Kind::Object, here.offset());
        }
        here.nesting.open(Container::Object, &mut self.outer);
        here.watched = self.watch.enter(here.nesting.depth(), here.watched);
        here.comma = None;
        here.at += 1;
        if follows(here.chunk, here.at, |byte| byte == b'"') {
            return Ok(Then::Key);
        }
        Err(State::FirstKey)
    }

    /// The ends of containers, up to a comma.
    #[inline(always)]
    fn dense_next(&mut self, here: &mut Here<'_>) -> Result<Then, State> {
        loop {
            here.skip_blanks();
            match (here.byte(), here.nesting.innermost()) {
                (Some(b','), Container::Array) => {
                    here.at += 1;
                    return Ok(Then::Value);
                }
                (Some(b','), Container::Object) => {
                    here.comma = NonZeroUsize::new(here.offset());
                    here.at += 1;
                    return Ok(Then::Key);
                }
                (Some(b']'), Container::Array) | (Some(b'}'), Container::Object) => here.at += 1,
                _ => return Err(State::Next),
            }
            here.nesting.close(&mut self.outer);
            here.watched = self.watch.leave(here.nesting.depth());
            if here.watched {
                self.watch.value_end(here.offset());
            }
            if here.nesting.depth() == 0 {
                return Err(State::Next);
            }
        }
    }
}

/// How far we are, apart from the scanner so that the compiler can keep it in registers.
struct Here<'c> {
    chunk: &'c [u8],
    before: usize,
    at: usize,
    nesting: Nesting,
    watched: bool,
    noted: bool,
    comma: Comma,
    singly: u32,
}

impl Here<'_> {
    #[inline(always)]
    fn byte(&self) -> Option<u8> {
        self.chunk.get(self.at).copied()
    }

    #[inline(always)]
    fn second(&self) -> Option<u8> {
        self.chunk.get(self.at + 1).copied()
    }

    #[inline(always)]
    fn offset(&self) -> usize {
        self.before + self.at
    }

    #[inline(always)]
    fn skip_blanks(&mut self) {
        self.at = past_blanks(self.chunk, self.at);
    }
}

/// Whether the next byte that is no blank is there and is such a one.
#[inline]
fn follows(chunk: &[u8], at: usize, such: impl Fn(u8) -> bool) -> bool {
    let next = chunk.get(past_blanks(chunk, at));
    next.is_some_and(|byte| such(*byte))
}

/// The literal name that begins with `first` at `at`, and how long it is.
#[inline(always)]
fn word(chunk: &[u8], at: usize, first: u8) -> Option<(Kind, usize)> {
    let four = |from: usize| chunk.get(from..).and_then(<[u8]>::first_chunk);
    match first {
        b't' if four(at) == Some(b"true") => Some((Kind::True, 4)),
        b'n' if four(at) == Some(b"null") => Some((Kind::Null, 4)),
        b'f' if four(at + 1) == Some(b"alse") => Some((Kind::False, 5)),
        _ => None,
    }
}
