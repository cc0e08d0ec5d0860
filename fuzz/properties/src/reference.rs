//! The grammar of RFC 8259 as a textbook would parse it, a byte at a time and the whole body in hand, with what
//! `JSON.parse` would find under a name. Simple and slow: the scanner is judged by it, and shares no code with it.

use std::ops::Range;

/// A well-formed body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Byte order marks before the value, at most two.
    pub boms: usize,
    /// Where its one value stands.
    pub root: Range<usize>,
    /// The members of the root object, and of objects that are values of its members, in the order of the body.
    pub members: Vec<Member>,
}

/// A member of the root object, or of an object in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member of the root object whose value it stands in; `None` in the root object itself.
    pub parent: Option<usize>,
    /// Its name as JavaScript has it.
    pub name: Vec<u16>,
    /// Where the quote before its name stands.
    pub key: usize,
    /// Where its value stands.
    pub value: Range<usize>,
}

impl Document {
    /// Every member with this name in the root object.
    pub fn all(&self, name: &str) -> Vec<usize> {
        self.named(name, |parent| parent.is_none())
    }

    /// Every member with this name in any object that is a value of a root member with that name.
    pub fn all_within(&self, container: &str, name: &str) -> Vec<usize> {
        let containers = self.all(container);
        self.named(name, |parent| parent.is_some_and(|parent| containers.contains(&parent)))
    }

    /// The member that `JSON.parse` would read: the last.
    pub fn last(&self, name: &str) -> Option<&Member> {
        self.all(name).pop().map(|index| &self.members[index])
    }

    /// The same in an object that is a value of the root object.
    pub fn last_within(&self, container: &str, name: &str) -> Option<&Member> {
        let container = self.all(container).pop()?;
        let index = self.named(name, |parent| parent == Some(container)).pop()?;
        Some(&self.members[index])
    }

    fn named(&self, name: &str, parent: impl Fn(Option<usize>) -> bool) -> Vec<usize> {
        let name: Vec<u16> = name.encode_utf16().collect();
        let fits = |member: &Member| member.name == name && parent(member.parent);
        (0..self.members.len()).filter(|index| fits(&self.members[*index])).collect()
    }
}

/// Reads a body. `Err` holds the offset of the first byte that cannot stand where it does.
pub fn read(body: &[u8]) -> Result<Document, usize> {
    let mut reader = Reader { body, at: 0, document: Document::default() };
    while reader.document.boms < 2 && reader.peek() == Some(0xEF) {
        reader.word(b"\xEF\xBB\xBF")?;
        reader.document.boms += 1;
    }
    reader.blanks();
    let start = reader.at;
    reader.value()?;
    reader.document.root = start..reader.at;
    reader.blanks();
    if reader.at < body.len() { Err(reader.at) } else { Ok(reader.document) }
}

/// The string that a literal, quotes included, is to JavaScript once its bytes were decoded as UTF-8.
pub fn string(literal: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(&literal[1..literal.len() - 1]);
    let mut units = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let escaped = (character == '\\').then(|| characters.next()).flatten();
        let plain = match escaped {
            None => character,
            Some('u') => {
                let digits: String = characters.by_ref().take(4).collect();
                units.push(u16::from_str_radix(&digits, 16).expect("four digits"));
                continue;
            }
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(itself) => itself,
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
    units
}

struct Reader<'b> {
    body: &'b [u8],
    at: usize,
    document: Document,
}

/// A list that is not closed yet.
struct Open {
    close: u8,
    /// The member whose value is being read, where it is written down.
    member: Option<usize>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    fn expect(&mut self, byte: u8) -> Result<(), usize> {
        if self.eat(byte) { Ok(()) } else { Err(self.at) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), usize> {
        word.iter().try_for_each(|byte| self.expect(*byte))
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// A value of any depth, by a stack of its own.
    fn value(&mut self) -> Result<(), usize> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let close = match self.peek() {
                Some(b'{') => Some(b'}'),
                Some(b'[') => Some(b']'),
                _ => None,
            };
            if let Some(close) = close {
                self.at += 1;
                self.blanks();
                if !self.eat(close) {
                    open.push(Open { close, member: None });
                    self.item(&mut open)?;
                    continue;
                }
            } else {
                self.scalar()?;
            }
            if !self.after_value(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Closes what ends with a value, up to the next one; false where that was the last.
    fn after_value(&mut self, open: &mut Vec<Open>) -> Result<bool, usize> {
        while let Some(list) = open.last() {
            if let Some(member) = list.member {
                self.document.members[member].value.end = self.at;
            }
            self.blanks();
            if self.eat(list.close) {
                open.pop();
                continue;
            }
            self.expect(b',')?;
            self.blanks();
            self.item(open)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// What stands before a value in a list: a key in an object, nothing in an array.
    fn item(&mut self, open: &mut [Open]) -> Result<(), usize> {
        let objects = open.iter().all(|list| list.close == b'}');
        let depth = open.len();
        let parent = if depth == 2 { open[0].member } else { None };
        let Some(list) = open.last_mut().filter(|list| list.close == b'}') else { return Ok(()) };
        let key = self.at;
        self.quoted()?;
        let literal = &self.body[key..self.at];
        self.blanks();
        self.expect(b':')?;
        self.blanks();
        if objects && depth <= 2 {
            list.member = Some(self.document.members.len());
            let (name, value) = (string(literal), self.at..self.at);
            self.document.members.push(Member { parent, name, key, value });
        }
        Ok(())
    }

    fn scalar(&mut self) -> Result<(), usize> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn quoted(&mut self) -> Result<(), usize> {
        self.expect(b'"')?;
        loop {
            match self.peek() {
                None | Some(0..=0x1F) => return Err(self.at),
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                Some(_) => self.at += 1,
            }
        }
        self.expect(b'"')
    }

    fn escape(&mut self) -> Result<(), usize> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    let digit = self.peek().is_some_and(|byte| byte.is_ascii_hexdigit());
                    self.at += usize::from(digit);
                    if !digit {
                        return Err(self.at);
                    }
                }
            }
            _ => return Err(self.at),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), usize> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), usize> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(start) }
    }
}
