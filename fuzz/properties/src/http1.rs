//! HTTP/1.1 requests as only one reader can read them (RFC 9112), from bytes in hand: what leaves must be such, and of
//! what comes it says how many requests there are. It shares no code with what it judges.

/// What bytes begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begins {
    /// A request of so many bytes.
    With(Request, usize),
    /// A part of one.
    Open,
    /// Something that is none, or not to every reader.
    Wrong(&'static str),
}

/// A field's name in lower case, and its value.
pub type Field = (String, Vec<u8>);

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The request line's target.
    pub target: String,
    /// The fields, in their order.
    pub fields: Vec<Field>,
    /// The body.
    pub body: Vec<u8>,
    /// What followed a chunked body.
    pub trailers: Vec<Field>,
}

impl Request {
    /// Every value of a field.
    pub fn all(&self, name: &str) -> Vec<&[u8]> {
        let named = self.fields.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_slice()).collect()
    }
}

/// Every request in bytes that hold nothing else; `None` where they hold something else, or a part of one.
pub fn requests(mut bytes: &[u8]) -> Option<Vec<Request>> {
    let mut requests = Vec::new();
    while !bytes.is_empty() {
        let Begins::With(request, length) = begins(bytes) else { return None };
        requests.push(request);
        bytes = &bytes[length..];
    }
    Some(requests)
}

/// Reads one request.
pub fn begins(bytes: &[u8]) -> Begins {
    let mut reader = Reader { bytes, at: 0 };
    match reader.request() {
        Ok(request) => Begins::With(request, reader.at),
        Err(Stop::Open) => Begins::Open,
        Err(Stop::Wrong(why)) => Begins::Wrong(why),
    }
}

enum Stop {
    Open,
    Wrong(&'static str),
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn request(&mut self) -> Result<Request, Stop> {
        let line = self.line()?;
        let mut parts = line.split(' ');
        let (Some(method), Some(target), Some("HTTP/1.1"), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Stop::Wrong("a request line"));
        };
        if !is_token(method.as_bytes())
            || target.is_empty()
            || !target.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(Stop::Wrong("a method or a target"));
        }
        let fields = self.fields()?;
        let mut request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            fields,
            ..Request::default()
        };
        if request.all("host").len() != 1 {
            return Err(Stop::Wrong("not one host"));
        }
        let (lengths, codings) = (request.all("content-length"), request.all("transfer-encoding"));
        match (lengths.as_slice(), codings.as_slice()) {
            ([], []) => {}
            ([length], []) => request.body = self.take(decimal(length)?)?,
            ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => {
                (request.body, request.trailers) = self.chunked()?;
            }
            _ => return Err(Stop::Wrong("a length that is said otherwise than once")),
        }
        Ok(request)
    }

    fn chunked(&mut self) -> Result<(Vec<u8>, Vec<Field>), Stop> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.len() <= 8 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
            let size = usize::from_str_radix(&line, 16).ok().filter(|_| digits);
            let size = size.ok_or(Stop::Wrong("a chunk's size"))?;
            if size == 0 {
                break;
            }
            body.extend(self.take(size)?);
            if !self.line()?.is_empty() {
                return Err(Stop::Wrong("a chunk's end"));
            }
        }
        let trailers = self.fields()?;
        let framing = |(name, _): &(String, _)| {
            let framing = ["content-length", "transfer-encoding", "host", "connection", "upgrade"];
            framing.contains(&name.as_str())
        };
        match trailers.iter().any(framing) {
            true => Err(Stop::Wrong("a trailer")),
            false => Ok((body, trailers)),
        }
    }

    fn fields(&mut self) -> Result<Vec<Field>, Stop> {
        let mut fields = Vec::new();
        loop {
            let line = self.raw_line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            let colon = line.iter().position(|byte| *byte == b':').ok_or(Stop::Wrong("a field"))?;
            let (name, value) = (&line[..colon], &line[colon + 1..]);
            if !is_token(name) {
                return Err(Stop::Wrong("a field's name"));
            }
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
            let from = value.iter().position(|byte| !blank(byte)).unwrap_or(value.len());
            // Behind a value not every reader takes a tab for a blank.
            let to = value
                .iter()
                .rposition(|byte| *byte != b' ')
                .map_or(from, |last| last + 1)
                .max(from);
            fields.push((name, value[from..to].to_vec()));
        }
    }

    /// A line as text.
    fn line(&mut self) -> Result<String, Stop> {
        Ok(String::from_utf8_lossy(self.raw_line()?).into_owned())
    }

    /// A line without its CRLF; no control character but HT is in it.
    fn raw_line(&mut self) -> Result<&'b [u8], Stop> {
        let rest = &self.bytes[self.at..];
        let plain = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
        let length = rest.iter().position(|byte| !plain(byte)).ok_or(Stop::Open)?;
        match rest[length..] {
            [b'\r', b'\n', ..] => {
                self.at += length + 2;
                Ok(&rest[..length])
            }
            [b'\r'] => Err(Stop::Open),
            _ => Err(Stop::Wrong("a control character, or half a line end")),
        }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, Stop> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..length).ok_or(Stop::Open)?;
        self.at += length;
        Ok(taken.to_vec())
    }
}

fn is_token(name: &[u8]) -> bool {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(token)
}

/// A number in its one spelling.
fn decimal(digits: &[u8]) -> Result<usize, Stop> {
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<usize>().ok());
    let number = number.filter(|number| number.to_string().as_bytes() == digits);
    number.ok_or(Stop::Wrong("a length"))
}
