//! How many bytes a second the scanner reads, beside serde_json and sonic-rs on the same bytes: chat bodies by size and
//! by density of escapes, and the bodies that are hardest for it; and what a decision takes (`decision`).

mod bodies;
mod decision;

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use modegate_filters::scan::{Slot, Wanted, scan};
use serde::de::IgnoredAny;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1000));
    targets = chat, hardest, decision::all
}
criterion_main!(benches);

const CHUNK: usize = 8 * 1024;

fn wanted() -> Wanted {
    Wanted::new().root("processing", Slot::Contract).root("text", Slot::Text)
}

fn chat(criterion: &mut Criterion) {
    for (size_name, size) in [("0.4KB", 400), ("32KB", 32 << 10), ("512KB", 512 << 10)] {
        for spacing in [20, 80, 1000] {
            let body = bodies::conversation(size, spacing);
            let mut group =
                criterion.benchmark_group(format!("chat/{size_name}/escape-every-{spacing}"));
            ours(&mut group, &body);
            rivals(&mut group, &body);
            group.finish();
        }
    }
}

fn hardest(criterion: &mut Criterion) {
    for (name, body) in bodies::hardest() {
        let mut group = criterion.benchmark_group(format!("hardest/{name}"));
        ours(&mut group, &body);
        group.bench_function("serde_json-ignored", |bencher| {
            bencher.iter(|| serde_json::from_slice::<IgnoredAny>(black_box(&body)).is_ok());
        });
        group.finish();
    }
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
