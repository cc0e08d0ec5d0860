//! Header blocks by hand: written as literals, or byte for byte as a test wants them, and read with
//! both tables and the Huffman code of printable characters (RFC 7541).

/// A field, or a pseudo-field.
pub type Field = (String, String);

/// A block of literals without indexing and without Huffman coding.
pub fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.extend(literal(0, name.as_ref(), value.as_ref()));
    }
    block
}

/// A literal with a literal name: `kind` is 0 without indexing, 0x10 never indexed, 0x40 indexed.
pub fn literal(kind: u8, name: &[u8], value: &[u8]) -> Vec<u8> {
    [vec![kind], integer(7, 0, name.len()), name.to_vec(), integer(7, 0, value.len()), value.into()]
        .concat()
}

/// An integer with a prefix of so many bits, beside the bits of `above` (RFC 7541, section 5.1).
pub fn integer(bits: u32, above: u8, value: usize) -> Vec<u8> {
    let most = (1usize << bits) - 1;
    if value < most {
        return vec![above | value as u8];
    }
    let mut bytes = vec![above | most as u8];
    let mut left = value - most;
    while left >= 0x80 {
        bytes.push(0x80 | (left & 0x7f) as u8);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

/// The names and values of the static table (RFC 7541, appendix A).
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// Reads the blocks of one connection.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The newest first.
    dynamic: Vec<Field>,
}

impl Decoder {
    /// The fields of a block; a block that cannot be read is a fault of the process under test.
    pub fn fields(&mut self, block: &[u8]) -> Vec<Field> {
        let (mut fields, mut rest) = (Vec::new(), block);
        while let Some(&first) = rest.first() {
            let field = match first {
                0x80.. => self.entry(take_integer(&mut rest, 7)),
                0x40.. => {
                    let field = self.literal(&mut rest, 6);
                    self.dynamic.insert(0, field.clone());
                    field
                }
                0x20.. => {
                    let size = take_integer(&mut rest, 5);
                    if size == 0 {
                        self.dynamic.clear();
                    }
                    continue;
                }
                _ => self.literal(&mut rest, 4),
            };
            fields.push(field);
        }
        self.evict();
        fields
    }

    fn literal(&self, rest: &mut &[u8], bits: u32) -> Field {
        let name = match take_integer(rest, bits) {
            0 => take_string(rest),
            index => self.entry(index).0,
        };
        (name, take_string(rest))
    }

    fn entry(&self, index: usize) -> Field {
        match STATIC.get(index - 1) {
            Some((name, value)) => ((*name).to_owned(), (*value).to_owned()),
            None => self.dynamic[index - 1 - STATIC.len()].clone(),
        }
    }

    /// The table's size is the default of both sides: nobody in the suite allows another one.
    fn evict(&mut self) {
        let mut size = 0;
        self.dynamic.retain(|(name, value)| {
            size += name.len() + value.len() + 32;
            size <= 4096
        });
    }
}

fn take_integer(rest: &mut &[u8], bits: u32) -> usize {
    let most = (1usize << bits) - 1;
    let mut value = usize::from(rest[0]) & most;
    *rest = &rest[1..];
    if value < most {
        return value;
    }
    for shift in (0..).step_by(7) {
        let byte = rest[0];
        *rest = &rest[1..];
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn take_string(rest: &mut &[u8]) -> String {
    let coded = rest[0] & 0x80 != 0;
    let length = take_integer(rest, 7);
    let (bytes, after) = rest.split_at(length);
    *rest = after;
    match coded {
        true => huffman(bytes),
        false => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// How many bits the code of each printable character has, from space on (RFC 7541, appendix B).
/// Codes of one length follow each other in the order of the characters, so that this is enough.
const LENGTHS: [u32; 95] = [
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15,
    6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8,
    13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7,
    7, 7, 15, 11, 14, 13,
];

fn huffman(bytes: &[u8]) -> String {
    let (mut text, mut code, mut length) = (String::new(), 0u32, 0u32);
    for at in 0..bytes.len() * 8 {
        code = code << 1 | u32::from(bytes[at / 8] >> (7 - at % 8) & 1);
        length += 1;
        // The longest, of the backslash.
        assert!(length <= 19, "a character that is not printable");
        if let Some(character) = character(code, length) {
            text.push(character);
            (code, length) = (0, 0);
        }
    }
    text
}

/// NUL has a code of 13 bits, before those of the printable characters.
fn character(code: u32, length: u32) -> Option<char> {
    let (mut first, mut bits) = (0, 5);
    while bits < length {
        let nul = u32::from(bits == 13);
        first = (first + LENGTHS.iter().filter(|one| **one == bits).count() as u32 + nul) << 1;
        bits += 1;
    }
    let at = code.checked_sub(first)?.checked_sub(u32::from(length == 13))? as usize;
    let mut ofthis = (b' '..).zip(LENGTHS).filter(|(_, one)| *one == length);
    ofthis.nth(at).map(|(byte, _)| char::from(byte))
}

#[test]
fn examples_of_the_standard_are_read() {
    // RFC 7541, appendix C.6.1 and C.4.1.
    let coded = [0x48, 0x82, 0x64, 0x02, 0x58, 0x85, 0xae, 0xc3, 0x77, 0x1a, 0x4b];
    let fields =
        [(":status".to_owned(), "302".to_owned()), ("cache-control".into(), "private".into())];
    let mut decoder = Decoder::default();
    assert_eq!(decoder.fields(&coded), fields);
    let coded = [
        0xbf, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90,
        0xf4, 0xff,
    ];
    let fields = decoder.fields(&coded);
    assert_eq!(fields[0], (":status".to_owned(), "302".to_owned()));
    assert_eq!(fields[3], (":authority".to_owned(), "www.example.com".to_owned()));
    assert_eq!(decoder.fields(&block(&[("a", "b")])), [("a".to_owned(), "b".to_owned())]);
}
