use std::fs;

use modegate_config::{Config, FlagLayer};

use super::super::snapshot::Settings;
use super::*;

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn scratch(name: &str) -> (Scratch, PathBuf, Store) {
    let name = format!("modegate-source-{name}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).unwrap();
    let config = Config::parse(
        "[[listener]]\nleg = \"frontend\"\nbind = \"127.0.0.1:0\"\nupstream = \"http://[::1]:1\"\n",
    );
    let settings = Settings::new(&config.unwrap());
    let (file, environment) = (FlagLayer::default(), FlagLayer::default());
    let store = Store::new(settings, file, environment).unwrap();
    (Scratch(path.clone()), path.join("flags.json"), store)
}

fn text(generation: u64) -> String {
    let (flags, share, lease_until, rollout) = (FlagLayer::default(), None, None, None);
    Document { generation, flags, share, lease_until, rollout }.render()
}

fn error(store: &Store) -> Option<String> {
    store.view().documents[0].error.clone()
}

#[test]
fn what_is_gone_torn_or_old_leaves_the_last_good_one() {
    let (_scratch, path, store) = scratch("last-good");
    let mut source = DocumentSource::new(path.clone());
    source.look(&store);
    assert_eq!(error(&store), None, "it may be a swap");
    source.look(&store);
    assert!(error(&store).is_some());

    fs::write(&path, text(5)).unwrap();
    source.look(&store);
    assert_eq!((store.document_generation(), error(&store)), (5, None));
    let whole = text(6);
    for bad in [&whole[..whole.len() / 2], "", "{}", &text(4)] {
        fs::write(&path, bad).unwrap();
        source.look(&store);
        assert_eq!(store.document_generation(), 5, "{bad}");
        assert!(error(&store).is_some(), "{bad}");
    }
    fs::write(&path, &whole).unwrap();
    source.look(&store);
    assert_eq!((store.document_generation(), error(&store)), (6, None));
    fs::remove_file(&path).unwrap();
    source.look(&store);
    source.look(&store);
    assert_eq!(store.document_generation(), 6);
    assert!(error(&store).is_some());
    fs::write(&path, &whole).unwrap();
    source.look(&store);
    assert_eq!((store.document_generation(), error(&store)), (6, None));
}
