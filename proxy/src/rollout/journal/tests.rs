use modegate_filters::rollout::audit::{Again, Replay};
use modegate_filters::rollout::decide::{Command, Verb};
use tempfile::{TempDir, tempdir};

use super::*;

const SALT: &str = "s";

fn plan() -> Plan {
    Plan::default_plan("r")
}

/// A step that starts the rollout, or changes nothing where it is started.
fn input(at: Millis) -> Input {
    let start = Command { verb: Verb::Start, actor: "ann".to_owned(), reason: "go".to_owned() };
    let commands = if at == 1 { vec![start] } else { Vec::new() };
    Input { at, commands, ..Input::default() }
}

/// A journal with this many steps, each saved but for the last ones.
fn written(steps: u64, unsaved: u64) -> (TempDir, State) {
    let dir = tempdir().unwrap();
    let (mut journal, state, looks) = Journal::open(dir.path(), &plan(), SALT).unwrap();
    assert_eq!(state, None);
    let mut state = State::new(&plan(), 0, 0);
    journal.begin(0, &plan(), &state).unwrap();
    journal.save(&state, &looks).unwrap();
    for at in 1..=steps {
        let input = input(at);
        let decision = decide(&plan(), &state, &input);
        journal.step((&plan(), &state), &input, &decision).unwrap();
        state = decision.state;
        if at + unsaved <= steps {
            journal.save(&state, &looks).unwrap();
        }
    }
    (dir, state)
}

fn lines(dir: &TempDir, name: &str) -> Vec<String> {
    let text = fs::read_to_string(dir.path().join(name)).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn error(dir: &TempDir) -> String {
    Journal::open(dir.path(), &plan(), SALT).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn a_process_that_ends_anywhere_between_two_writes_is_gone_on_from() {
    for (steps, unsaved) in [(0, 0), (1, 0), (1, 1), (3, 0), (3, 1), (3, 3)] {
        let (dir, left) = written(steps, unsaved);
        let (mut journal, state, _) = Journal::open(dir.path(), &plan(), SALT).unwrap();
        assert_eq!(state.as_ref(), Some(&left), "{steps} steps, {unsaved} of them not saved");
        journal.begin(9, &plan(), &left).unwrap();
        let mut replay = Replay::default();
        for line in lines(&dir, AUDIT) {
            let (record, again) = replay.next(&line).unwrap();
            assert!(matches!(again, Again::Began | Again::Same), "{record:?}");
        }
    }
}

#[test]
fn a_line_that_was_begun_is_taken_away() {
    let (dir, left) = written(2, 1);
    let path = dir.path().join(AUDIT);
    let whole = fs::read(&path).unwrap();
    let last = lines(&dir, AUDIT)[2].len();
    for cut in [1, last / 2, last] {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let (journal, state, _) = Journal::open(dir.path(), &plan(), SALT).unwrap();
        // The second step is the one that is cut: nothing was done about it.
        assert_eq!(state.unwrap().desired, left.desired);
        assert_eq!(journal.tip.sequence, 2);
        assert_eq!(lines(&dir, AUDIT).len(), 2);
    }
}

#[test]
fn an_audit_that_was_changed_is_not_gone_on_from() {
    let (dir, _) = written(2, 0);
    let path = dir.path().join(AUDIT);
    let whole = fs::read_to_string(&path).unwrap();
    for broken in [whole.replace("ann", "bob"), whole.replace("\"at\":2", "\"at\":3")] {
        fs::write(&path, &broken).unwrap();
        let seen = Journal::open(dir.path(), &plan(), SALT).map(|_| ());
        // Only the last line is compared with the state; `rollout replay` reads all of them.
        assert_eq!(seen.is_err(), broken.contains("\"at\":3"));
    }
    assert!(error(&dir).contains("does not go on from record 3 of state.json"));
    fs::write(&path, &whole).unwrap();
    assert!(Journal::open(dir.path(), &plan(), SALT).is_ok());
}

#[test]
fn a_state_of_another_kind_is_refused_and_stays() {
    let (dir, _) = written(1, 0);
    let path = dir.path().join(STATE);
    let whole = fs::read_to_string(&path).unwrap();
    for broken in ["{}".to_owned(), whole.replace("\"version\":1", "\"version\":9"), "x".into()] {
        fs::write(&path, &broken).unwrap();
        assert!(error(&dir).contains("state.json: "));
        assert_eq!(fs::read_to_string(&path).unwrap(), broken);
    }
}

#[test]
fn one_process_has_it() {
    let (dir, _) = written(1, 0);
    let first = Journal::open(dir.path(), &plan(), SALT).unwrap();
    assert_eq!(error(&dir), "another process runs the rollout");
    drop(first);
    assert!(Journal::open(dir.path(), &plan(), SALT).is_ok());
}

#[test]
fn a_full_audit_is_kept_and_another_begun() {
    let (dir, left) = written(2, 0);
    let (mut journal, state, looks) = Journal::open(dir.path(), &plan(), SALT).unwrap();
    journal.bytes = AUDIT_LIMIT;
    let state = state.unwrap();
    let next = input(5);
    let decision = decide(&plan(), &state, &next);
    journal.step((&plan(), &state), &next, &decision).unwrap();
    journal.save(&decision.state, &looks).unwrap();
    drop(journal);
    assert_eq!(lines(&dir, "audit-0000000003.jsonl").len(), 3);
    assert_eq!(lines(&dir, AUDIT).len(), 2);
    let mut replay = Replay::default();
    let both = [lines(&dir, "audit-0000000003.jsonl"), lines(&dir, AUDIT)].concat();
    let again: Vec<Again> = both.iter().map(|line| replay.next(line).unwrap().1).collect();
    assert_eq!(again, [Again::Began, Again::Same, Again::Same, Again::Began, Again::Same]);
    let (_, state, _) = Journal::open(dir.path(), &plan(), SALT).unwrap();
    assert_eq!(state.unwrap().desired, left.desired);
}

#[test]
fn what_could_not_be_written_is_a_new_beginning_for_what_can() {
    let (dir, state) = written(1, 0);
    let (mut journal, ..) = Journal::open(dir.path(), &plan(), SALT).unwrap();
    // A step in between took something away, and was not written down.
    let between = decide(&plan(), &state, &input(2)).state;
    let between = State { looks: 7, ..between };
    journal.gap = true;
    let next = input(3);
    let decision = decide(&plan(), &between, &next);
    journal.step((&plan(), &between), &next, &decision).unwrap();
    let mut replay = Replay::default();
    let again =
        lines(&dir, AUDIT).iter().map(|line| replay.next(line).unwrap().1).collect::<Vec<_>>();
    assert_eq!(again, [Again::Began, Again::Same, Again::BeganElsewhere, Again::Same]);
}

#[test]
fn another_rollouts_state_is_not_gone_on_from() {
    struct Case {
        id: &'static str,
        salt: &'static str,
        steps: u64,
        opens: bool,
    }
    let cases = [
        Case { id: "r", salt: SALT, steps: 2, opens: true },
        Case { id: "r2", salt: SALT, steps: 2, opens: false },
        Case { id: "r", salt: "s2", steps: 2, opens: false },
        // Nobody was exposed by a draft.
        Case { id: "r2", salt: "s2", steps: 0, opens: true },
    ];
    for Case { id, salt, steps, opens } in cases {
        let (dir, _) = written(steps, 0);
        let path = dir.path().join(STATE);
        let before = fs::read_to_string(&path).unwrap();
        let plan = Plan::default_plan(id);
        let asked = Whose::new(&plan, salt);
        assert_eq!(
            Whose::kept(dir.path()).is_none_or(|kept| kept.is(&asked)),
            opens,
            "{id} {salt}"
        );
        match Journal::open(dir.path(), &plan, salt).map(|_| ()) {
            Ok(()) => assert!(opens, "{id} {salt}"),
            Err(error) => {
                assert!(!opens, "{id} {salt}: {error}");
                let error = error.to_string();
                let kept = "is the state of rollout \"r\" with canary.salt \"s\"";
                let asked = format!("this is rollout {id:?} with canary.salt {salt:?}");
                for part in [kept, &asked, "a new rollout needs a state_dir of its own"] {
                    assert!(error.contains(part), "{part}: {error}");
                }
            }
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }
    // One of before salts were written down.
    let (dir, _) = written(2, 0);
    let path = dir.path().join(STATE);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.replace("\"salt\":\"s\",", "")).unwrap();
    assert!(Journal::open(dir.path(), &plan(), "s2").is_ok());
}
