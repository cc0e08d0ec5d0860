//! Dependencies point one way: proxy → config → filters. The lower crates name no engine.

use std::path::Path;

/// What neither the decisions nor the configuration may know.
const ENGINES: [&str; 5] = ["tokio", "hyper", "pingora", "tower", "mio"];

#[test]
fn the_lower_crates_are_built_without_an_engine() {
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
