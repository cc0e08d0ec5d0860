//! How many bytes a second the scanner reads, beside serde_json and sonic-rs on the same bytes: chat bodies by size and
//! by density of escapes, and the bodies that are hardest for it.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use modegate_filters::scan::{Slot, Wanted, scan};
use modegate_filters::{edit, text};
use serde::de::IgnoredAny;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1000));
    targets = chat, hardest, decision
}
criterion_main!(benches);

const CHUNK: usize = 8 * 1024;

fn wanted() -> Wanted {
    Wanted::new().root("processing", Slot::Contract).root("text", Slot::Text)
}

fn chat(criterion: &mut Criterion) {
    for (size_name, size) in [("0.4KB", 400), ("32KB", 32 << 10), ("512KB", 512 << 10)] {
        for spacing in [20, 80, 1000] {
            let body = conversation(size, spacing);
            let mut group =
                criterion.benchmark_group(format!("chat/{size_name}/escape-every-{spacing}"));
            ours(&mut group, &body);
            rivals(&mut group, &body);
            group.finish();
        }
    }
}

fn hardest(criterion: &mut Criterion) {
    let repeated = |start: &str, unit: &str, end: &str| {
        let count = (256 << 10) / unit.len();
        format!("{start}{}{end}", vec![unit; count].join(",")).into_bytes()
    };
    let depth = 128 << 10;
    #[rustfmt::skip]
    let cases = [
        ("nested-arrays", format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes()),
        ("nested-objects", format!("{}1{}", "{\"a\":".repeat(depth / 2), "}".repeat(depth / 2)).into_bytes()),
        ("short-members", repeated("{", "\"a\":1", "}")),
        ("short-members-inside", repeated("[{", "\"a\":1", "}]")),
        ("contract-members", repeated("{", "\"processing\":1", "}")),
        ("digits", repeated("[", "1", "]")),
        ("integers", repeated("[", "1234567", "]")),
        ("floats", repeated("[", "-12.345e-6", "]")),
        ("short-strings", repeated("[", "\"ab\"", "]")),
        ("empty-strings", repeated("[", "\"\"", "]")),
        ("empty-arrays", repeated("[", "[]", "]")),
        ("words", repeated("[", "true,null,false", "]")),
        ("mixed", repeated("[", "{\"role\":\"user\",\"n\":[1,2.5,true,null],\"s\":\"a b c\"}", "]")),
        ("shuffled", shuffled()),
        ("indented", repeated("{\n", "\n    \"name\" : [\n        1\n    ]", "}")),
        ("blanks", repeated("[", &format!("{}1", " ".repeat(1000)), "]")),
        ("escapes", repeated("[", &format!("\"{}\"", "\\n".repeat(5000)), "]")),
        ("units", repeated("[", &format!("\"{}\"", "\\u00e9".repeat(5000)), "]")),
        ("backslashes", repeated("[", &format!("\"{}\"", "\\\\".repeat(5000)), "]")),
    ];
    for (name, body) in cases {
        let mut group = criterion.benchmark_group(format!("hardest/{name}"));
        ours(&mut group, &body);
        group.bench_function("serde_json-ignored", |bencher| {
            bencher.iter(|| serde_json::from_slice::<IgnoredAny>(black_box(&body)).is_ok());
        });
        group.finish();
    }
}

/// All that a decision reads from a body of 0.4 KB, and the body without the member.
fn decision(criterion: &mut Criterion) {
    let body = [Bytes::from(conversation(400, 80))];
    let wanted = wanted().root("mode", Slot::Mode);
    let mut group = criterion.benchmark_group("decision/0.4KB");
    group.throughput(Throughput::Elements(1));
    group.bench_function("scan-text-contract-strip", |bencher| {
        bencher.iter(|| {
            let found = scan(&wanted, black_box(&body)).ok()?;
            let message = text::string(&body, &found.get(Slot::Text)?.span);
            let contract = text::slice(&body, &found.get(Slot::Contract)?.span);
            let inside = scan(&wanted, &contract).ok()?;
            let mode = text::string(&contract, &inside.get(Slot::Mode)?.span);
            Some((message, mode, edit::apply(&body, &edit::removal(&found.contract))))
        });
    });
    group.finish();
}

fn ours(group: &mut BenchmarkGroup<'_, WallTime>, body: &[u8]) {
    let wanted = wanted();
    let whole = [Bytes::copy_from_slice(body)];
    let chunks: Vec<Bytes> = body.chunks(CHUNK).map(Bytes::copy_from_slice).collect();
    assert!(scan(&wanted, &whole).is_ok(), "the bench measures well-formed bodies");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("modegate", |bencher| {
        bencher.iter(|| scan(&wanted, black_box(&whole)).is_ok());
    });
    group.bench_function("modegate-8KiB-chunks", |bencher| {
        bencher.iter(|| scan(&wanted, black_box(&chunks)).is_ok());
    });
}

fn rivals(group: &mut BenchmarkGroup<'_, WallTime>, body: &[u8]) {
    group.bench_function("serde_json-ignored", |bencher| {
        bencher.iter(|| serde_json::from_slice::<IgnoredAny>(black_box(body)).is_ok());
    });
    group.bench_function("serde_json-value", |bencher| {
        bencher.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(body)).is_ok());
    });
    group.bench_function("sonic-rs-get", |bencher| {
        bencher.iter(|| sonic_rs::get_from_slice(black_box(body), ["processing"]).is_ok());
    });
    group.bench_function("sonic-rs-lazy", |bencher| {
        bencher.iter(|| sonic_rs::from_slice::<sonic_rs::LazyValue<'_>>(black_box(body)).is_ok());
    });
}

/// A conversation's message of about `size` bytes: the text first, the contract member last.
fn conversation(size: usize, spacing: usize) -> Vec<u8> {
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

/// Short values in an order that no branch predictor learns.
fn shuffled() -> Vec<u8> {
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
    let mut noise = Noise(11);
    let values: Vec<&str> = (0..60_000).map(|_| VALUES[noise.below(VALUES.len())]).collect();
    format!("[{}]", values.join(",")).into_bytes()
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
}
