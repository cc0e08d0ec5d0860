//! The grammar of RFC 8259 as a textbook would parse it: recursive, a byte at a time, whole body in hand.

/// `Err` holds the offset of the first byte that cannot stand where it does.
pub fn judge(body: &[u8]) -> Result<(), usize> {
    let mut reader = Reader { body, at: 0 };
    for _ in 0..2 {
        if reader.peek() == Some(0xEF) {
            reader.word(b"\xEF\xBB\xBF")?;
        }
    }
    reader.blanks();
    reader.value()?;
    reader.blanks();
    if reader.at < body.len() { Err(reader.at) } else { Ok(()) }
}

struct Reader<'b> {
    body: &'b [u8],
    at: usize,
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

    fn value(&mut self) -> Result<(), usize> {
        match self.peek() {
            Some(b'{') => self.list(b'}', |reader| {
                reader.string()?;
                reader.blanks();
                reader.expect(b':')?;
                reader.blanks();
                reader.value()
            }),
            Some(b'[') => self.list(b']', Self::value),
            Some(b'"') => self.string(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn list(
        &mut self,
        close: u8,
        item: impl Fn(&mut Self) -> Result<(), usize>,
    ) -> Result<(), usize> {
        self.at += 1;
        self.blanks();
        if self.eat(close) {
            return Ok(());
        }
        loop {
            item(self)?;
            self.blanks();
            if self.eat(close) {
                return Ok(());
            }
            self.expect(b',')?;
            self.blanks();
        }
    }

    fn string(&mut self) -> Result<(), usize> {
        self.expect(b'"')?;
        loop {
            match self.peek() {
                None | Some(0..=0x1F) => return Err(self.at),
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                            self.at += 1
                        }
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                let digit =
                                    self.peek().is_some_and(|byte| byte.is_ascii_hexdigit());
                                self.at += usize::from(digit);
                                if !digit {
                                    return Err(self.at);
                                }
                            }
                        }
                        _ => return Err(self.at),
                    }
                }
                Some(_) => self.at += 1,
            }
        }
        self.expect(b'"')
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
