//! A small reader of protocol buffers, and of Prometheus' families in them.

use std::collections::BTreeMap;

/// A field's value.
#[derive(Clone, Debug)]
enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// A message: the values of each field by its number, in order.
#[derive(Clone, Debug, Default)]
struct Message<'b>(BTreeMap<u64, Vec<Value<'b>>>);

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a varint's end");
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return number;
        }
    }
    panic!("a varint of more than ten bytes")
}

fn delimited<'b>(bytes: &mut &'b [u8]) -> &'b [u8] {
    let length = usize::try_from(varint(bytes)).expect("a length");
    let (inside, rest) = bytes.split_at(length);
    *bytes = rest;
    inside
}

impl<'b> Message<'b> {
    fn read(mut bytes: &'b [u8]) -> Message<'b> {
        let mut message = Message::default();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let value = match tag & 7 {
                0 => Value::Number(varint(&mut bytes)),
                1 => {
                    let (number, rest) = bytes.split_first_chunk::<8>().expect("eight bytes");
                    bytes = rest;
                    Value::Number(u64::from_le_bytes(*number))
                }
                2 => Value::Bytes(delimited(&mut bytes)),
                kind => panic!("a field of wire type {kind}"),
            };
            message.0.entry(tag >> 3).or_default().push(value);
        }
        message
    }

    fn number(&self, field: u64) -> u64 {
        match self.0.get(&field).and_then(|values| values.last()) {
            Some(Value::Number(number)) => *number,
            Some(Value::Bytes(_)) => panic!("field {field} is no number"),
            None => 0,
        }
    }

    fn double(&self, field: u64) -> f64 {
        f64::from_bits(self.number(field))
    }

    fn all(&self, field: u64) -> impl Iterator<Item = &'b [u8]> {
        self.0.get(&field).into_iter().flatten().map(move |value| match value {
            Value::Bytes(bytes) => *bytes,
            Value::Number(_) => panic!("field {field} is a number"),
        })
    }

    fn text(&self, field: u64) -> String {
        let bytes = self.all(field).last().unwrap_or_default();
        String::from_utf8(bytes.to_vec()).expect("a text in UTF-8")
    }

    /// A repeated sint64, packed or not.
    fn signed(&self, field: u64) -> Vec<i64> {
        let mut all = Vec::new();
        for value in self.0.get(&field).into_iter().flatten() {
            match value {
                Value::Number(number) => all.push(zigzag(*number)),
                Value::Bytes(packed) => {
                    let mut packed = *packed;
                    while !packed.is_empty() {
                        all.push(zigzag(varint(&mut packed)));
                    }
                }
            }
        }
        all
    }
}

fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// A family of `io.prometheus.client`.
#[derive(Clone, Debug)]
pub struct Family {
    /// The name.
    pub name: String,
    /// The help.
    pub help: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its metrics, by their labels.
    pub metrics: Vec<(BTreeMap<String, String>, Sample)>,
}

/// What one metric says.
#[derive(Clone, Debug)]
pub enum Sample {
    /// A counter's or a gauge's value.
    Value(f64),
    /// A histogram.
    Histogram(Histogram),
}

/// A histogram in both forms.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// How many observations.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Classic buckets: upper edge and cumulative count.
    pub classic: Vec<(f64, u64)>,
    /// The exponent of the native buckets.
    pub schema: i64,
    /// The zero bucket's edge and count.
    pub zero: (f64, u64),
    /// Native buckets that are not empty: index and count.
    pub native: BTreeMap<i64, u64>,
}

/// Reads families as they are sent, each after its length.
pub fn families(mut bytes: &[u8]) -> Vec<Family> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        families.push(family(&Message::read(delimited(&mut bytes))));
    }
    families
}

fn family(message: &Message<'_>) -> Family {
    // The kind's number, its word, and the field of a metric that holds its value.
    let kinds = [(0, "counter", 3), (1, "gauge", 2), (4, "histogram", 7)];
    let known = kinds.into_iter().find(|(number, ..)| *number == message.number(3));
    let (_, kind, field) = known.expect("a kind that we have");
    let metric = |bytes| {
        let metric = Message::read(bytes);
        let label = |bytes| {
            let pair = Message::read(bytes);
            (pair.text(1), pair.text(2))
        };
        let labels = metric.all(1).map(label).collect();
        let value = Message::read(metric.all(field).next().expect("a value of its kind"));
        let sample = match kind {
            "histogram" => Sample::Histogram(histogram(&value)),
            _ => Sample::Value(value.double(1)),
        };
        (labels, sample)
    };
    let metrics = message.all(4).map(metric).collect();
    Family { name: message.text(1), help: message.text(2), kind, metrics }
}

fn histogram(message: &Message<'_>) -> Histogram {
    let bucket = |bytes| {
        let bucket = Message::read(bytes);
        (bucket.double(2), bucket.number(1))
    };
    let (mut native, mut index, mut count) = (BTreeMap::new(), 0, 0);
    let mut deltas = message.signed(13).into_iter();
    for span in message.all(12).map(Message::read) {
        index += zigzag(span.number(1));
        for _ in 0..span.number(2) {
            count += deltas.next().expect("a difference for each bucket");
            native.insert(index, u64::try_from(count).expect("a count"));
            index += 1;
        }
    }
    assert_eq!(deltas.next(), None, "a difference without a bucket");
    Histogram {
        count: message.number(1),
        sum: message.double(2),
        classic: message.all(3).map(bucket).collect(),
        schema: zigzag(message.number(5)),
        zero: (message.double(6), message.number(7)),
        native,
    }
}
