//! The fields that say where a message ends, or that the connection is to become something else.

use super::bytes::Class;

/// The longest name that matters, `transfer-encoding`.
const LONGEST: usize = 17;

/// A field, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Length,
    Coding,
    Connection,
    Upgrade,
    Host,
    Other,
}

impl Field {
    #[inline]
    pub(super) fn named(name: &[u8]) -> Field {
        let (expected, field): (&[u8], Field) = match name.len() {
            4 => (b"host", Field::Host),
            7 => (b"upgrade", Field::Upgrade),
            10 => (b"connection", Field::Connection),
            14 => (b"content-length", Field::Length),
            LONGEST => (b"transfer-encoding", Field::Coding),
            _ => return Field::Other,
        };
        if name.eq_ignore_ascii_case(expected) { field } else { Field::Other }
    }
}

impl Field {
    /// Whether it, or its value, is of interest.
    #[inline]
    pub(super) fn speaks(self) -> bool {
        !matches!(self, Field::Host | Field::Other)
    }
}

/// The part of a name that came before; of a long one only that it is long.
#[derive(Debug, Default)]
pub(super) struct Name {
    bytes: [u8; LONGEST + 1],
    length: usize,
}

impl Name {
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        for (place, byte) in self.bytes.iter_mut().skip(self.length).zip(bytes) {
            *place = *byte;
            self.length += 1;
        }
    }

    /// The name that ends with these bytes; `None` where it is empty.
    #[inline]
    pub(super) fn whole<'n>(&'n mut self, rest: &'n [u8]) -> Option<&'n [u8]> {
        let whole = match self.length {
            0 => rest,
            _ => {
                self.push(rest);
                self.bytes.get(..self.length)?
            }
        };
        Some(whole).filter(|whole| !whole.is_empty())
    }
}

/// What has come of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Of no interest.
    Any,
    /// Of `Content-Length`: how many digits, what they say, and whether they are over.
    Length { digits: u8, length: u64, over: bool },
    /// Of `Transfer-Encoding`: how many letters of `chunked`, and whether they are over.
    Coding { letters: usize, over: bool },
    /// Of `Connection`: where its current token stands, and whether one was `upgrade`.
    Connection { token: Token, upgrade: bool },
}

/// A token, compared with `upgrade`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// So many letters of it.
    Like(usize),
    /// All of it, and blanks.
    Over,
    /// Another one.
    Other,
}

/// What a value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Length(u64),
    Chunked,
    Upgrade,
}

/// How many digits a length may have: one more might not fit into 64 bits.
const LENGTH_DIGITS: u8 = 19;
const CHUNKED: &[u8] = b"chunked";
const UPGRADE: &[u8] = b"upgrade";

impl Value {
    /// Before a value of this field.
    #[inline]
    pub(super) fn of(field: Field) -> Value {
        match field {
            Field::Length => Value::Length { digits: 0, length: 0, over: false },
            Field::Coding => Value::Coding { letters: 0, over: false },
            Field::Connection => Value::Connection { token: Token::Like(0), upgrade: false },
            Field::Upgrade | Field::Host | Field::Other => Value::Any,
        }
    }

    /// The value with one byte more; `None` where that is no value of its field.
    pub(super) fn next(self, byte: u8) -> Option<Value> {
        let blank = matches!(byte, b' ' | b'\t');
        // Behind a value not every reader takes a tab.
        let space = byte == b' ';
        match self {
            Value::Any => Class::Text.has(byte).then_some(self),
            Value::Length { digits: 0, .. } if blank => Some(self),
            Value::Length { digits, length, .. } if space => {
                Some(Value::Length { digits, length, over: true })
            }
            Value::Length { digits, length, over } => {
                let digit = char::from(byte).to_digit(10)?;
                let room = digits < LENGTH_DIGITS && !over;
                let length = length.checked_mul(10)?.checked_add(u64::from(digit))?;
                room.then_some(Value::Length { digits: digits + 1, length, over })
            }
            Value::Coding { letters: 0, .. } if blank => Some(self),
            Value::Coding { letters, .. } if space => {
                (letters == CHUNKED.len()).then_some(Value::Coding { letters, over: true })
            }
            Value::Coding { letters, over } => {
                let expected = CHUNKED.get(letters).is_some_and(|e| e.eq_ignore_ascii_case(&byte));
                (expected && !over).then_some(Value::Coding { letters: letters + 1, over })
            }
            Value::Connection { token, upgrade } if byte == b',' => {
                let upgrade = upgrade || token.is_upgrade();
                Some(Value::Connection { token: Token::Like(0), upgrade })
            }
            Value::Connection { token, upgrade } => Class::Text
                .has(byte)
                .then_some(Value::Connection { token: token.next(byte, blank), upgrade }),
        }
    }

    /// What the whole value says; `None` where it says nothing that its field could say.
    pub(super) fn end(self) -> Option<Said> {
        match self {
            Value::Any => Some(Said::Nothing),
            Value::Length { digits, length, .. } => (digits > 0).then_some(Said::Length(length)),
            Value::Coding { letters, .. } => (letters == CHUNKED.len()).then_some(Said::Chunked),
            Value::Connection { token, upgrade } => match upgrade || token.is_upgrade() {
                true => Some(Said::Upgrade),
                false => Some(Said::Nothing),
            },
        }
    }
}

impl Token {
    fn next(self, byte: u8, blank: bool) -> Token {
        match self {
            Token::Like(0) | Token::Over if blank => self,
            Token::Like(letters) if blank && letters == UPGRADE.len() => Token::Over,
            Token::Like(letters)
                if UPGRADE.get(letters).is_some_and(|e| e.eq_ignore_ascii_case(&byte)) =>
            {
                Token::Like(letters + 1)
            }
            _ => Token::Other,
        }
    }

    fn is_upgrade(self) -> bool {
        matches!(self, Token::Over | Token::Like(7))
    }
}
