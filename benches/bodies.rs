//! The bodies that are scanned: a conversation's message, and what was found to be slowest to read, regular bodies and
//! such as no branch predictor learns.

use std::ops::Range;

/// A conversation's message of about `size` bytes: the text first, the contract member last.
pub fn conversation(size: usize, spacing: usize) -> Vec<u8> {
    const ESCAPES: [&str; 4] = ["\\n", "\\\"", "\\n", "\\\\"];
    let words = "The quick brown fox jumps over the lazy dog and then asks what else there is to do today; ";
    let mut letters = words.bytes().cycle();
    let mut noise = Noise(7);
    let mut body = b"{\"text\":\"".to_vec();
    let tail = "\",\"channelType\":\"DM\",\"metadata\":{\"clientMessageId\":\"0191d5a0\",\"attempt\":1},\"processing\":{\"mode\":\"fast\"}}";
    while body.len() + tail.len() < size {
        let run = (spacing / 2 + noise.below(spacing)).min(size - body.len() - tail.len());
        body.extend(letters.by_ref().take(run));
        body.extend(ESCAPES[noise.below(ESCAPES.len())].bytes());
    }
    body.extend(tail.bytes());
    body
}

/// The hardest bodies, each of 256 KiB or more, with their names.
pub fn hardest() -> Vec<(&'static str, Vec<u8>)> {
    let mut all = regular();
    all.extend(irregular());
    all
}

fn regular() -> Vec<(&'static str, Vec<u8>)> {
    let repeated = |start: &str, unit: &str, end: &str| {
        let count = (256 << 10) / unit.len();
        format!("{start}{}{end}", vec![unit; count].join(",")).into_bytes()
    };
    let string = |unit: &str| format!("\"{}\"", unit.repeat(5000));
    let depth = 128 << 10;
    #[rustfmt::skip]
    let cases = vec![
        ("nested-arrays", format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes()),
        ("nested-objects", format!("{}1{}", "{\"a\":".repeat(depth / 2), "}".repeat(depth / 2)).into_bytes()),
        ("sawtooth", repeated("[", &format!("{}{}", "[".repeat(16), "]".repeat(16)), "]")),
        ("short-members", repeated("{", "\"a\":1", "}")),
        ("short-members-inside", repeated("[{", "\"a\":1", "}]")),
        ("contract-members", repeated("{", "\"processing\":1", "}")),
        ("contract-members-between", repeated("{", "\"processing\":1,\"a\":1", "}")),
        ("look-alike-keys", repeated("{", "\"processinh\":1", "}")),
        ("escaped-keys", repeated("{", "\"\\u0070\\u0072\":1", "}")),
        ("escaped-contract-members", repeated("{", "\"\\u0070rocessing\":1", "}")),
        ("digits", repeated("[", "1", "]")),
        ("integers", repeated("[", "1234567", "]")),
        ("floats", repeated("[", "-12.345e-6", "]")),
        ("zeros", repeated("[", "-0.0e-0", "]")),
        ("long-numbers", repeated("[", &format!("{}e+{}", "1".repeat(1000), "9".repeat(1000)), "]")),
        ("short-strings", repeated("[", "\"ab\"", "]")),
        ("empty-strings", repeated("[", "\"\"", "]")),
        ("empty-arrays", repeated("[", "[]", "]")),
        ("words", repeated("[", "true,null,false", "]")),
        ("mixed", repeated("[", "{\"role\":\"user\",\"n\":[1,2.5,true,null],\"s\":\"a b c\"}", "]")),
        ("indented", repeated("{\n", "\n    \"name\" : [\n        1\n    ]", "}")),
        ("blanks", repeated("[", &format!("{}1", " ".repeat(1000)), "]")),
        ("escapes", repeated("[", &string("\\n"), "]")),
        ("units", repeated("[", &string("\\u00e9"), "]")),
        ("surrogates", repeated("[", &string("\\ud83d\\ude00"), "]")),
        ("backslashes", repeated("[", &string("\\\\"), "]")),
        ("chinese", repeated("[", &string("漢字"), "]")),
        ("emoji", repeated("[", &string("😀"), "]")),
        ("broken-utf-8", [&b"[\""[..], &[0xFF, b'a', 0xC3, 0xED, 0xA0].repeat(50_000), b"\"]"].concat()),
    ];
    cases
}

fn irregular() -> Vec<(&'static str, Vec<u8>)> {
    const VALUES: [&str; 12] = [
        "1",
        "-0.5",
        "\"\"",
        "\"ab\"",
        "[]",
        "{}",
        "true",
        "null",
        "{\"a\":1}",
        "[1]",
        "12",
        "\"a\\n\"",
    ];
    const NUMBERS: [&str; 8] = ["0", "7", "-1", "12", "0.5", "-0.0e-0", "1e99", "123456"];
    const BLANKS: [&str; 5] = ["", " ", "\n  ", "\t", "\r\n      "];
    const TEXTS: [&str; 6] = ["a", "\\n", "\\u00e9", "漢", "plain words ", "\\\\"];
    const WANTED: [&str; 6] =
        ["\"a\"", "\"p\"", "\"text\"", "\"processing\"", "\"processor\"", "\"\\u0070\""];
    let mut noise = Noise(11);
    let mut join = |start: &str, end: &str, one: &mut dyn FnMut(&mut Noise) -> String| {
        let mut body = start.to_owned();
        while body.len() < 256 << 10 {
            body += &one(&mut noise);
            body.push(',');
        }
        body.pop();
        (body + end).into_bytes()
    };
    let texts = |noise: &mut Noise, count: Range<usize>| -> String {
        let count = count.start + noise.below(count.end - count.start);
        format!("\"{}\"", (0..count).map(|_| noise.pick(&TEXTS)).collect::<String>())
    };
    let blank = |noise: &mut Noise| noise.pick(&BLANKS);
    vec![
        ("shuffled", join("[", "]", &mut |noise| noise.pick(&VALUES).to_owned())),
        ("shuffled-members", join("{", "}", &mut |noise| format!("\"a\":{}", noise.pick(&VALUES)))),
        (
            "shuffled-wanted",
            join("{", "}", &mut |noise| format!("{}:{}", noise.pick(&WANTED), noise.pick(&VALUES))),
        ),
        ("shuffled-numbers", join("[", "]", &mut |noise| noise.pick(&NUMBERS).to_owned())),
        ("shuffled-strings", join("[", "]", &mut |noise| texts(noise, 0..5))),
        ("shuffled-long-strings", join("[", "]", &mut |noise| texts(noise, 5..50))),
        (
            "shuffled-blanks",
            join("[", "]", &mut |noise| {
                format!("{}{}{}", blank(noise), noise.pick(&VALUES), blank(noise))
            }),
        ),
        (
            "shuffled-between-strings",
            join("[", "]", &mut |noise| {
                let values: Vec<&str> = (0..8).map(|_| noise.pick(&VALUES)).collect();
                format!("{},\"{}\"", values.join(","), "a".repeat(130))
            }),
        ),
        ("shuffled-nesting", nesting()),
        ("shuffled-depth", depth()),
    ]
}

/// Arrays and objects in one another, no deeper than 200.
fn nesting() -> Vec<u8> {
    let mut noise = Noise(13);
    let mut body = String::from("[");
    let mut open = vec![']'];
    while let Some(close) = open.last().copied() {
        let full = body.len() > 256 << 10;
        if full || open.len() > 1 && noise.below(2) == 0 || open.len() > 200 {
            if body.ends_with(',') {
                body += "0";
            }
            body.push(close);
            open.pop();
            continue;
        }
        if !body.ends_with(['[', '{', ',']) {
            body.push(',');
        }
        if close == '}' {
            body += "\"\":";
        }
        let (start, end) = if noise.below(2) == 0 { ('[', ']') } else { ('{', '}') };
        body.push(start);
        open.push(end);
    }
    body.into_bytes()
}

/// Arrays and objects in one another, ever deeper, then closed.
fn depth() -> Vec<u8> {
    let mut noise = Noise(17);
    let mut body = String::new();
    let mut ends = Vec::new();
    while body.len() < 128 << 10 {
        let (start, end) = if noise.below(2) == 0 { ("[", ']') } else { ("{\"\":", '}') };
        body += start;
        ends.push(end);
    }
    body.push('1');
    body.extend(ends.into_iter().rev());
    body.into_bytes()
}

/// Repeatable randomness (xorshift).
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap_or(0)
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}
