//! Dependencies point one way: proxy → config → filters. The lower crates name no engine.

use std::fs;
use std::path::{Path, PathBuf};

/// What neither the decisions nor the configuration may know.
const ENGINES: [&str; 5] = ["tokio", "hyper", "pingora", "tower", "mio"];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Whether code has a path into a crate, or into one of its family (`tokio_util`).
fn names(code: &str, engine: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(engine).any(|(at, _)| {
        let rest = code[at..].trim_start_matches(word);
        let starts_word = !code[..at].ends_with(word);
        starts_word && (rest.starts_with("::") || code[..at].ends_with("use "))
    })
}

#[test]
fn the_lower_crates_name_no_engine() {
    let filters = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = filters.parent().unwrap().join("config");
    for (crate_, other) in [(filters, Some("modegate_config")), (config.as_path(), None)] {
        let files = sources(&crate_.join("src"));
        assert!(files.len() > 5, "{crate_:?} has sources");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code: String = code.collect::<Vec<_>>().join("\n");
            for engine in ENGINES {
                assert!(!names(&code, engine), "{} names {engine}", file.display());
            }
            if let Some(other) = other {
                assert!(!names(&code, other), "{} names {other}", file.display());
            }
        }
    }
}

#[test]
fn nor_does_anything_they_are_built_with() {
    let filters = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = filters.parent().unwrap().join("Cargo.toml");
    for package in ["modegate-filters", "modegate-config"] {
        let tree = std::process::Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none"])
            .args(["--package", package, "--manifest-path"])
            .arg(&manifest)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&tree.stderr);
        assert!(tree.status.success(), "cargo tree: {stderr}");
        let tree = String::from_utf8_lossy(&tree.stdout);
        assert!(tree.contains("modegate-filters"), "{tree}");
        for line in tree.lines() {
            let name = line.split(' ').next().unwrap();
            let engine = ENGINES
                .iter()
                .find(|engine| name == **engine || name.starts_with(&format!("{engine}-")));
            assert_eq!(engine, None, "{package} is built with {name}");
        }
    }
}
