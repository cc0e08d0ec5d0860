use super::*;
use crate::parity::expired::Expired;
use crate::parity::left::tests::left;

const WINDOW: Duration = Duration::from_secs(30);

struct Clocked {
    table: Table,
    now: Instant,
}

impl Clocked {
    fn new(records: usize, bytes: usize) -> Clocked {
        Clocked { table: Table::new(records, bytes), now: Instant::now() }
    }

    fn insert(&self, name: &str, text: u64, ids: [u64; 2]) -> Option<Inserted> {
        let kind = Kind { mode: Mode::DEFAULT, cohort: None, room: 1, value: 0 };
        self.table.insert(self.now, WINDOW, Key { text, room: 1 }, kind, ids, left(name))
    }

    fn claim(&self, text: u64, ids: [Option<u64>; 2]) -> (Means, String) {
        let key = Key { text, room: 1 };
        let wanted = wanted(key, ids);
        let (means, claim) = self.table.claim(self.now, WINDOW, &wanted);
        let word = match claim {
            Claim::Found(left) | Claim::Elsewhere { left, .. } => left.request_id.to_string(),
            Claim::Taken => "taken".to_owned(),
            Claim::Ambiguous => "ambiguous".to_owned(),
            Claim::Nothing => "nothing".to_owned(),
        };
        (means, word)
    }
}

fn wanted(key: Key, ids: [Option<u64>; 2]) -> Wanted {
    let (mode, origins) = (Mode::DEFAULT, Origins::Here);
    Wanted { key, by_key: Means::RoomText, ids, mode, origins }
}

fn got(means: Means, word: &str) -> (Means, String) {
    (means, word.to_owned())
}

#[test]
fn an_id_that_arrived_wins() {
    let at = Clocked::new(100, 1 << 20);
    at.insert("a", 1, [11, 12]);
    at.insert("b", 1, [21, 22]);
    at.insert("c", 1, [31, 32]);
    assert_eq!(at.claim(1, [Some(21), None]), got(Means::RequestId, "b"));
    assert_eq!(at.claim(1, [Some(99), Some(32)]), got(Means::Traceparent, "c"));
    // A trace may have more than one call in it: the second is looked for by what it says.
    assert_eq!(at.claim(1, [None, Some(32)]), got(Means::RoomText, "a"));
    assert_eq!(at.claim(1, [None, None]), got(Means::RoomText, "taken"));
    assert_eq!(at.claim(2, [Some(21), None]), got(Means::RequestId, "taken"));
    assert_eq!(at.claim(2, [None, Some(32)]), got(Means::Nothing, "nothing"));
    assert_eq!(at.claim(2, [None, None]), got(Means::Nothing, "nothing"));
}

/// Some clients give all their messages one id, and a trace has more than one call in it.
#[test]
fn an_id_that_several_have_tells_none_of_them() {
    let mut at = Clocked::new(100, 1 << 20);
    at.insert("a", 1, [11, 12]);
    at.insert("b", 2, [11, 22]);
    at.insert("c", 3, [31, 22]);
    assert_eq!(at.claim(1, [Some(11), None]), got(Means::RoomText, "a"));
    assert_eq!(at.claim(3, [None, Some(22)]), got(Means::RoomText, "c"));
    assert_eq!(at.claim(2, [Some(11), Some(22)]), got(Means::RoomText, "b"));
    // Once all of them are gone it is anybody's again.
    at.now += 2 * WINDOW;
    at.table.sweep(at.now, WINDOW);
    at.insert("d", 4, [11, 22]);
    assert_eq!(at.claim(9, [Some(11), None]), got(Means::RequestId, "d"));
}

#[test]
fn a_trace_leads_to_another_text_only_where_nothing_else_is_found() {
    let at = Clocked::new(100, 1 << 20);
    at.insert("a", 1, [11, 12]);
    at.insert("b", 2, [21, 22]);
    assert_eq!(at.claim(2, [None, Some(12)]), got(Means::RoomText, "b"));
    assert_eq!(at.claim(3, [None, Some(12)]), got(Means::Traceparent, "a"));
    assert_eq!(at.claim(3, [None, Some(12)]), got(Means::Nothing, "nothing"));
}

#[test]
fn what_is_too_old_is_nobodys() {
    let mut at = Clocked::new(100, 1 << 20);
    at.insert("a", 1, [11, 12]);
    at.insert("b", 2, [21, 22]);
    at.now += WINDOW;
    assert_eq!(at.claim(2, [None, None]), got(Means::RoomText, "b"));
    at.now += Duration::from_millis(1);
    assert_eq!(at.claim(1, [Some(11), None]), got(Means::Nothing, "nothing"));
    assert_eq!(at.claim(2, [None, None]), got(Means::Nothing, "nothing"));
    // Of a it is known for a while that it was there.
    assert_eq!(at.table.size(), (0, Expired::COST));
    assert_eq!(at.table.unclaimed.load(Relaxed), 1);
    at.insert("c", 3, [31, 32]);
    at.now += 2 * WINDOW;
    at.table.sweep(at.now, WINDOW);
    assert_eq!(at.table.unclaimed.load(Relaxed), 2);
    at.now += 2 * WINDOW;
    at.table.sweep(at.now, WINDOW);
    assert_eq!(at.table.size(), (0, 0));
    let indexed: usize = at.table.ids.iter().map(|index| index.lock().unwrap().len()).sum();
    assert_eq!(indexed, 0);
}

#[test]
fn what_is_withdrawn_is_unclaimed_at_once_and_once() {
    let at = Clocked::new(100, 1 << 20);
    let place = at.insert("a", 1, [11, 12]).unwrap().place;
    assert_eq!(at.table.settle(place, true), Some(false));
    assert_eq!(at.table.settle(place, true), Some(false));
    assert_eq!(at.claim(1, [Some(11), None]), got(Means::Nothing, "nothing"));
    assert_eq!(at.table.unclaimed.load(Relaxed), 1);
}

#[test]
fn both_bounds_hold_and_what_is_dropped_is_counted() {
    let cost = Table::COST + left("0").bytes();
    for (records, bytes, by_records) in [(10, 1 << 30, true), (1 << 20, 10 * cost, false)] {
        let at = Clocked::new(records, bytes);
        for text in 0..10_000 {
            at.insert("0", text << 40 | text, [text + 1, text + 1_000_000]);
            let (held, size) = at.table.size();
            assert!(held <= 10 && size <= bytes, "{held} {size}");
        }
        let dropped = [&at.table.dropped.records, &at.table.dropped.bytes].map(|d| d.load(Relaxed));
        assert_eq!(dropped[usize::from(by_records)], 0);
        assert_eq!(dropped[usize::from(!by_records)], 10_000 - at.table.size().0 as u64);
        assert_eq!(at.table.unclaimed.load(Relaxed), 0);
        let indexed: usize = at.table.ids.iter().map(|index| index.lock().unwrap().len()).sum();
        assert!(indexed <= 20, "{indexed}");
    }
}

/// What expired takes a small part of what it took, within the same bound, and all of it is given
/// back.
#[test]
fn what_expired_is_counted_and_given_back() {
    let cost = Table::COST + left("0").bytes();
    let bytes = 100 * cost;
    let mut at = Clocked::new(1 << 20, bytes);
    for round in 0..20u64 {
        for text in 0..80 {
            let text = (round * 100 + text).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            at.insert("0", text, [text + 1, text + 2]);
            assert!(at.table.size().1 <= bytes, "{round}");
        }
        at.now += WINDOW + Duration::from_millis(1);
        at.table.sweep(at.now, WINDOW);
        let (held, size) = at.table.size();
        assert!(held == 0 && size >= 80 * Expired::COST, "{round}: {held} {size}");
        assert!(size <= 3 * 80 * Expired::COST, "{round}: {size}");
    }
    assert_eq!(at.table.unclaimed.load(Relaxed), 20 * 80);
    at.now += 2 * WINDOW;
    at.table.sweep(at.now, WINDOW);
    assert_eq!(at.table.size(), (0, 0));
}

/// After records were dropped a second request of one text may be the first of another.
#[test]
fn a_table_that_was_full_knows_of_no_duplicates() {
    let mut at = Clocked::new(1, 1 << 20);
    at.insert("a", 1, [11, 12]);
    at.insert("b", 1, [21, 22]);
    assert_eq!(at.claim(1, [None, None]), got(Means::RoomText, "b"));
    assert_eq!(at.claim(1, [None, None]), got(Means::Ambiguous, "ambiguous"));
    at.now += WINDOW + Duration::from_secs(1);
    at.insert("c", 1, [31, 32]);
    assert_eq!(at.claim(1, [None, None]), got(Means::RoomText, "c"));
    assert_eq!(at.claim(1, [None, None]), got(Means::RoomText, "taken"));
}

/// A request whose own record was dropped is not one of another room where the same was said.
#[test]
fn a_table_that_was_full_knows_of_no_crossed_rooms() {
    let mut at = Clocked::new(2, 1 << 20);
    let elsewhere = |at: &Clocked| {
        let key = Key { text: 1, room: 2 };
        let wanted = wanted(key, [None; 2]);
        let (means, claim) = at.table.claim(at.now, WINDOW, &wanted);
        (means, matches!(claim, Claim::Elsewhere { .. }))
    };
    for (name, text) in [("a", 1), ("b", 1), ("c", 1)] {
        at.insert(name, text, [text + 10, text + 20]);
    }
    assert_eq!(at.table.dropped.records.load(Relaxed), 1);
    assert_eq!(elsewhere(&at), (Means::Ambiguous, false));
    at.now += WINDOW + Duration::from_secs(1);
    at.insert("d", 1, [31, 32]);
    assert_eq!(elsewhere(&at), (Means::Text, true));
}

#[test]
fn a_key_repeats_within_the_window_where_it_went_somewhere() {
    let mut at = Clocked::new(100, 1 << 20);
    let mut id = 10;
    let mut inserted = |at: &Clocked, text| {
        id += 2;
        at.insert("a", text, [id, id + 1]).unwrap()
    };
    assert!(!inserted(&at, 1).repeats);
    assert!(!inserted(&at, 2).repeats, "another text");
    at.claim(1, [None, None]);
    at.now += WINDOW;
    assert!(inserted(&at, 1).repeats, "claimed or not");
    at.now += WINDOW + Duration::from_millis(1);
    let again = inserted(&at, 1);
    assert!(!again.repeats, "too old, though nothing swept it");
    at.table.settle(again.place, true);
    at.now += WINDOW + Duration::from_millis(1);
    let refused = inserted(&at, 3);
    at.table.settle(refused.place, true);
    assert!(!inserted(&at, 3).repeats, "sent again after a refusal");
}
