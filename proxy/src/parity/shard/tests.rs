use modegate_filters::contract::Modes;

use super::*;
use crate::parity::left::tests::left;

fn mode(name: &str) -> Mode {
    let modes = Modes::new(["default", "fast"].map(str::to_owned)).unwrap();
    modes.find(name).unwrap()
}

fn key(text: u64, room: u64) -> Key {
    Key { text, room }
}

fn push(shard: &mut Shard, name: &str, key: Key, mode: Mode) -> Number {
    let kind = Kind { mode, cohort: None, room: key.room, value: 0 };
    shard.push(New { at: 0, key, kind, ids: [0; 2], left: left(name), bytes: 1 })
}

/// What a claim found, in a word.
fn word(claim: &Claim) -> String {
    match claim {
        Claim::Found(left) => left.request_id.to_string(),
        Claim::Elsewhere { left, in_flight: true } => format!("elsewhere {}", left.request_id),
        Claim::Elsewhere { left, .. } => format!("elsewhere {}, over", left.request_id),
        Claim::Taken => "taken".to_owned(),
        Claim::Ambiguous => "ambiguous".to_owned(),
        Claim::Nothing => "nothing".to_owned(),
    }
}

fn claims(shard: &mut Shard, keys: &[(Key, Mode)]) -> Vec<String> {
    keys.iter().map(|(key, mode)| word(&shard.claim(*key, *mode, Origins::Here))).collect()
}

#[test]
fn the_oldest_comes_first_and_each_is_claimed_once() {
    let (mut shard, default) = (Shard::default(), Mode::DEFAULT);
    for name in ["a", "b", "c"] {
        push(&mut shard, name, key(1, 1), default);
    }
    let asked = [(key(1, 1), default); 4];
    assert_eq!(claims(&mut shard, &asked), ["a", "b", "c", "taken"]);
    assert_eq!(claims(&mut shard, &[(key(2, 1), default)]), ["nothing"]);
}

/// Identical texts in one room at one time, in different modes.
#[test]
fn what_is_not_alike_cannot_be_told_apart_until_all_of_it_is_gone() {
    let (mut shard, default, fast) = (Shard::default(), Mode::DEFAULT, mode("fast"));
    push(&mut shard, "a", key(1, 1), fast);
    push(&mut shard, "b", key(1, 1), default);
    push(&mut shard, "c", key(1, 1), fast);
    let asked = [(key(1, 1), default), (key(1, 1), default), (key(1, 1), fast)];
    assert_eq!(claims(&mut shard, &asked), ["ambiguous"; 3]);
    push(&mut shard, "d", key(1, 1), fast);
    assert_eq!(claims(&mut shard, &[(key(1, 1), default)]), ["d"]);
}

#[test]
fn another_rooms_request_finds_the_only_record_of_its_text() {
    let (mut shard, default) = (Shard::default(), Mode::DEFAULT);
    push(&mut shard, "a", key(1, 1), default);
    assert_eq!(claims(&mut shard, &[(key(1, 2), default)]), ["elsewhere a"]);
    // Its own request comes after all: it was another one.
    assert_eq!(claims(&mut shard, &[(key(1, 1), default); 2]), ["a", "taken"]);

    push(&mut shard, "b", key(2, 1), default);
    push(&mut shard, "c", key(2, 2), default);
    let asked = [(key(2, 3), default), (key(2, 0), default), (key(2, 1), default)];
    assert_eq!(claims(&mut shard, &asked), ["ambiguous", "ambiguous", "b"]);
    // One of the two rooms was crossed, or one of them sent twice.
    assert_eq!(claims(&mut shard, &[(key(2, 1), default)]), ["ambiguous"]);
    assert_eq!(claims(&mut shard, &[(key(2, 3), default)]), ["elsewhere c"]);
}

/// A request whose own record expired is not one of another room where the same was said, nor a
/// second one; and where its room was lost it could be either.
#[test]
fn what_expired_may_still_come() {
    let default = Mode::DEFAULT;
    for by_text in [false, true] {
        let mut shard = Shard::default();
        push(&mut shard, "a", key(1, 1), default);
        if by_text {
            assert_eq!(claims(&mut shard, &[(key(1, 0), default)]), ["elsewhere a"]);
        }
        assert_eq!(shard.expire(1).map(|gone| gone.unclaimed), Some(!by_text));
        // Nobody else says it: it is none that is known.
        assert_eq!(claims(&mut shard, &[(key(1, 1), default)]), ["nothing"]);
        push(&mut shard, "b", key(1, 2), default);
        push(&mut shard, "c", key(2, 2), default);
        let late = [(key(1, 1), default), (key(1, 0), default), (key(2, 1), default)];
        assert_eq!(claims(&mut shard, &late), ["ambiguous", "ambiguous", "elsewhere c"]);
        assert_eq!(claims(&mut shard, &[(key(1, 2), default); 2]), ["b", "ambiguous"]);
        // Whichever of that room it is: the room is wrong.
        push(&mut shard, "d", key(1, 1), default);
        assert_eq!(claims(&mut shard, &[(key(1, 3), default)]), ["elsewhere d"]);
        // Once that is long ago, it is over.
        let given_back = shard.forget_expired(10, 5);
        assert_eq!(given_back, Expired::COST);
        assert_eq!(claims(&mut shard, &[(key(1, 2), default)]), ["taken"]);
    }
}

/// What was claimed, or goes nowhere, does not come late; nor does what has no room.
#[test]
fn what_was_seen_to_its_end_is_not_kept() {
    let (mut shard, default) = (Shard::default(), Mode::DEFAULT);
    push(&mut shard, "a", key(1, 1), default);
    let withdrawn = push(&mut shard, "b", key(2, 1), default);
    push(&mut shard, "c", key(3, 0), default);
    assert_eq!(claims(&mut shard, &[(key(1, 1), default)]), ["a"]);
    assert!(shard.withdraw(withdrawn));
    while shard.expire(1).is_some() {}
    assert_eq!(shard.forget_expired(10, 5), 0);
}

/// A text alone says nothing where the request may be of a message that was let through elsewhere.
#[test]
fn where_others_send_too_a_text_is_nobodys() {
    let (mut shard, default) = (Shard::default(), Mode::DEFAULT);
    push(&mut shard, "a", key(1, 1), default);
    let mut claim = |key| word(&shard.claim(key, default, Origins::Anywhere));
    assert_eq!(claim(key(1, 2)), "ambiguous");
    assert_eq!(claim(key(1, 0)), "ambiguous");
    assert_eq!(claim(key(2, 1)), "nothing");
    assert_eq!([claim(key(1, 1)), claim(key(1, 1))], ["a", "taken"]);
    assert_eq!(claim(key(1, 2)), "nothing");
}

/// Of several rooms where the same was said one was crossed into another: who was meant by it comes
/// second, and is no duplicate.
#[test]
fn a_second_request_may_be_the_first_of_any_other_room() {
    for rooms in 2..5 {
        let (mut shard, default) = (Shard::default(), Mode::DEFAULT);
        for room in 1..=rooms {
            push(&mut shard, &room.to_string(), key(1, room), default);
        }
        let asked = [(key(1, 1), default); 2];
        assert_eq!(claims(&mut shard, &asked), ["1", "ambiguous"], "{rooms}");
        for room in 2..=rooms {
            assert_eq!(claims(&mut shard, &[(key(1, room), default)]), [room.to_string()]);
        }
        assert_eq!(claims(&mut shard, &[(key(1, 1), default)]), ["taken"], "{rooms}");
    }
}

/// What was answered has no more to send: who says the same now may be a stranger.
#[test]
fn a_record_whose_request_is_over_is_told() {
    let (mut shard, default) = (Shard::default(), Mode::DEFAULT);
    let number = push(&mut shard, "a", key(1, 1), default);
    shard.end(number);
    assert_eq!(claims(&mut shard, &[(key(1, 2), default)]), ["elsewhere a, over"]);
    assert_eq!(claims(&mut shard, &[(key(1, 1), default)]), ["a"]);
}

#[test]
fn what_is_withdrawn_or_claimed_by_number_is_passed_over() {
    let (mut shard, default) = (Shard::default(), Mode::DEFAULT);
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| push(&mut shard, name, key(1, 1), default));
    assert!(shard.withdraw(a));
    assert!(!shard.withdraw(a));
    assert_eq!(shard.claim_number(c, |key, _| key.text == 1).unwrap().request_id, "c".into());
    assert!(shard.claim_number(c, |_, _| true).is_none());
    assert!(shard.claim_number(b, |key, _| key.text == 2).is_none());
    assert_eq!(claims(&mut shard, &[(key(1, 1), default); 3]), ["b", "d", "taken"]);
    let claimed = [a, b, c, d].map(|number| shard.is_claimed(number));
    assert_eq!(claimed, [Some(false), Some(true), Some(true), Some(true)]);
    while shard.drop_first().is_some() {}
    assert_eq!(shard.is_claimed(d), None);
    assert!(shard.groups.is_empty() && shard.texts.is_empty());
}

/// A stranger says the same in no room that is known, and passes for one who is still to come.
#[test]
fn what_a_stranger_was_taken_for_is_still_one_of_several() {
    let (mut shard, default, fast) = (Shard::default(), Mode::DEFAULT, mode("fast"));
    push(&mut shard, "a", key(1, 1), fast);
    assert_eq!(claims(&mut shard, &[(key(1, 0), fast)]), ["elsewhere a"]);
    push(&mut shard, "b", key(1, 1), default);
    let asked = [(key(1, 1), fast), (key(1, 1), default)];
    assert_eq!(claims(&mut shard, &asked), ["ambiguous"; 2]);
    push(&mut shard, "c", key(1, 1), fast);
    assert_eq!(claims(&mut shard, &[(key(1, 1), fast); 2]), ["c", "taken"]);
}

/// A record of a plain list.
struct Plain {
    key: Key,
    mode: Mode,
    name: String,
    pending: bool,
    by_text: bool,
    alike: bool,
}

/// Nothing is pending: what was claimed by its text before may be claimed by its own request.
fn claimed_again(claim: &Claim, before: Option<&mut Plain>) {
    match (claim, before) {
        (Claim::Found(left), Some(before)) => {
            assert!(before.alike);
            assert_eq!(*left.request_id, *before.name);
            before.by_text = false;
        }
        (Claim::Ambiguous, Some(before)) => {
            assert!(!before.alike);
            before.by_text = false;
        }
        (Claim::Taken | Claim::Ambiguous | Claim::Nothing, None) => {}
        (claim, _) => panic!("{claim:?}"),
    }
}

/// Any course of events, against a list of records that is looked through from the beginning.
#[test]
fn it_does_what_a_plain_list_would_do() {
    let modes = [Mode::DEFAULT, mode("fast")];
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut shard, mut list) = (Shard::default(), Vec::<Plain>::new());
        let mut dropped = 0;
        for step in 0..200 {
            let (key, mode) = (key(random.u64(1..3), random.u64(1..3)), modes[random.usize(..2)]);
            let pending = |list: &[Plain], of: &dyn Fn(&Plain) -> bool| -> Vec<usize> {
                (0..list.len()).filter(|at| list[*at].pending && of(&list[*at])).collect()
            };
            let same = pending(&list, &|one| one.key == key);
            match random.u8(..10) {
                0..4 => {
                    let name = step.to_string();
                    push(&mut shard, &name, key, mode);
                    let open = |one: &Plain| one.key == key && (one.pending || one.by_text);
                    let mut others = list.iter().filter(|one| open(one));
                    let alike = others.all(|one| one.mode == mode && one.alike);
                    if !alike {
                        list.iter_mut().filter(|one| open(one)).for_each(|one| one.alike = false);
                    }
                    list.push(Plain { key, mode, name, pending: true, by_text: false, alike });
                }
                4..8 => {
                    let claim = shard.claim(key, mode, Origins::Here);
                    match (&claim, same.first()) {
                        (Claim::Found(left), Some(first)) => {
                            assert!(list[*first].alike);
                            assert_eq!(*left.request_id, *list[*first].name);
                            list[*first].pending = false;
                        }
                        (Claim::Ambiguous, Some(first)) => {
                            assert!(!list[*first].alike);
                            let alike = same.iter().find(|at| list[**at].mode == mode);
                            let claimed = *alike.unwrap_or(first);
                            list[claimed].pending = false;
                        }
                        (Claim::Elsewhere { left, .. }, None) => {
                            let others = pending(&list, &|one| one.key.text == key.text);
                            let rooms: std::collections::BTreeSet<_> =
                                others.iter().map(|at| list[*at].key.room).collect();
                            assert_eq!(rooms.len(), 1);
                            assert_eq!(*left.request_id, *list[others[0]].name);
                            list[others[0]].pending = false;
                            list[others[0]].by_text = true;
                        }
                        (claim, None) => {
                            let own = |one: &&mut Plain| one.key == key && one.by_text;
                            claimed_again(claim, list.iter_mut().find(own));
                        }
                        (_, Some(_)) => panic!("seed {seed}: pending, but {claim:?}"),
                    }
                }
                8 => {
                    if let Some(at) = same.first() {
                        assert!(shard.withdraw(dropped + *at as u64), "seed {seed}");
                        list[*at].pending = false;
                    }
                }
                _ => {
                    let gone = shard.drop_first();
                    assert_eq!(gone.is_some(), !list.is_empty());
                    if let Some(gone) = gone {
                        assert_eq!(gone.unclaimed, list[0].pending);
                        list.remove(0);
                        dropped += 1;
                    }
                }
            }
        }
    }
}
