//! Every input of the committed corpora through its property, as an ordinary test.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use modegate_properties::PROPERTIES;

/// What a corpus may hold, so that it stays quick to clone and to run.
const FILES: usize = 300;
const BYTES: usize = 300 * 1024;

fn fuzz() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort_unstable();
    paths
}

fn stems(directory: &Path) -> BTreeSet<String> {
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files(directory).into_iter().map(stem).collect()
}

#[test]
fn the_property_holds_of_every_input() {
    let mut broken = Vec::new();
    for (name, property) in PROPERTIES {
        let inputs = files(&fuzz().join("corpus").join(name));
        assert!((1..=FILES).contains(&inputs.len()), "{name}: {} inputs", inputs.len());
        let mut bytes = 0;
        for input in inputs {
            let data = fs::read(&input).unwrap();
            bytes += data.len();
            if catch_unwind(|| property(&data)).is_err() {
                broken.push(input);
            }
        }
        assert!(bytes <= BYTES, "{name}: {bytes} bytes");
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn targets_properties_and_corpora_are_the_same() {
    let properties: BTreeSet<String> = PROPERTIES.map(|(name, _)| name.to_owned()).into();
    assert_eq!(stems(&fuzz().join("fuzz_targets")), properties);
    assert_eq!(stems(&fuzz().join("corpus")), properties);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in properties {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}
