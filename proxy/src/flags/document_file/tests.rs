use std::fs;
use std::sync::Barrier;

use modegate_config::FlagLayer;

use super::*;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let name = format!("modegate-document-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn file(&self) -> DocumentFile {
        DocumentFile::new(self.0.join("flags.json"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn document(generation: u64, lease_until: Option<u64>) -> Document {
    let (flags, share, rollout) = (FlagLayer::default(), None, None);
    Document { generation, flags, share, lease_until, rollout }
}

#[test]
fn a_write_follows_what_it_expects() {
    let scratch = Scratch::new("follows");
    let file = scratch.file();
    assert!(file.read().unwrap().is_none());
    file.write(0, &document(1, Some(5))).unwrap();
    let conflict = file.write(0, &document(2, None)).unwrap_err();
    assert!(matches!(conflict, WriteError::Conflict { expected: 0, found: 1 }), "{conflict}");
    file.write(1, &document(1, Some(6))).unwrap();
    for backwards in [document(1, Some(5)), document(1, None)] {
        let refused = file.write(1, &backwards).unwrap_err();
        assert!(matches!(refused, WriteError::Backwards(1)), "{refused}");
    }
    file.write(1, &document(3, None)).unwrap();
    let refused = file.write(3, &document(2, None)).unwrap_err();
    assert!(matches!(refused, WriteError::Backwards(2)), "{refused}");
    assert_eq!(file.read().unwrap(), Some(document(3, None)));
    let names: Vec<_> = fs::read_dir(&scratch.0).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "the document and the lock: {names:?}");
}

#[test]
fn of_many_writers_one_wins_each_generation() {
    let scratch = Scratch::new("race");
    let file = scratch.file();
    for generation in 1..=20 {
        let together = Barrier::new(4);
        let won = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|lease| {
                    let (file, together) = (&file, &together);
                    scope.spawn(move || {
                        together.wait();
                        // Leases go down, so that no writer renews another's.
                        let lease = Some(100 - lease);
                        file.write(generation - 1, &document(generation, lease)).is_ok()
                    })
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(won, 1, "generation {generation}");
    }
}

#[test]
fn what_cannot_be_written_says_so() {
    let scratch = Scratch::new("torn");
    let file = scratch.file();
    fs::write(file.path(), "{\"flags\": {").unwrap();
    assert!(matches!(file.read(), Err(ReadError::Invalid(_))));
    assert!(matches!(file.write(0, &document(1, None)), Err(WriteError::Current(_))));
    let nowhere = DocumentFile::new("/proc/flags.json");
    let refused = nowhere.write(0, &document(1, None)).unwrap_err();
    assert!(matches!(refused, WriteError::ReadOnly(_) | WriteError::Io(_)), "{refused}");
}
