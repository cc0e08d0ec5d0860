use std::collections::BTreeSet;

use super::*;
use crate::contract::{Fault, Modes};

fn modes() -> [Mode; 3] {
    let modes = Modes::new(["default", "fast", "turbo"].map(str::to_owned)).unwrap();
    ["default", "fast", "turbo"].map(|name| modes.find(name).unwrap())
}

/// Every mode that can leave against everything that can arrive.
#[test]
fn every_pair_of_modes() {
    let [default, fast, turbo] = modes();
    let (nothing, invalid) = (Requested::Nothing, Requested::Invalid(Fault::Mode));
    let arrivals =
        [nothing, invalid, Requested::Mode(default), Requested::Mode(fast), Requested::Mode(turbo)];
    use Verdict::{Match, ModeAltered, ModeInvented, ModeMissing};
    #[rustfmt::skip]
    let table = [
        //         nothing      invalid       default       fast          turbo
        (default, [Match,       ModeInvented, Match,        ModeInvented, ModeInvented]),
        (fast,    [ModeMissing, ModeAltered,  ModeAltered,  Match,        ModeAltered]),
        (turbo,   [ModeMissing, ModeAltered,  ModeAltered,  ModeAltered,  Match]),
    ];
    for (mode, verdicts) in table {
        for (requested, verdict) in arrivals.into_iter().zip(verdicts) {
            let left = Left { mode, cohort: None, room: None };
            let arrived = Arrived { requested, cohort: None, room: None };
            assert_eq!(compare(&left, &arrived), verdict, "{mode:?} {requested:?}");
        }
    }
}

/// Every pair of rooms, with every verdict that the modes alone would give.
#[test]
fn a_room_outweighs_a_mode() {
    let [default, fast, _] = modes();
    let pairs = [
        (default, Requested::Nothing),
        (fast, Requested::Nothing),
        (fast, Requested::Mode(default)),
        (default, Requested::Mode(fast)),
    ];
    for (mode, requested) in pairs {
        let plain = compare(
            &Left { mode, cohort: None, room: None },
            &Arrived { requested, cohort: None, room: None },
        );
        let rooms = [
            (None, None, plain),
            (None, Some("b"), plain),
            (Some("a"), Some("a"), plain),
            (Some("a"), None, Verdict::RoomMissing),
            (Some("a"), Some("b"), Verdict::RoomCrossed),
            (Some("a"), Some("A"), Verdict::RoomCrossed),
            (Some("a"), Some(""), Verdict::RoomCrossed),
        ];
        for (left_room, arrived_room, verdict) in rooms {
            let left = Left { mode, cohort: Some(Cohort::Canary), room: left_room };
            let arrived = Arrived { requested, cohort: Some(Cohort::Canary), room: arrived_room };
            assert_eq!(compare(&left, &arrived), verdict, "{left_room:?} {arrived_room:?}");
        }
    }
}

#[test]
fn a_cohort_drifts_only_where_both_are_known_and_all_else_is_right() {
    let [default, fast, _] = modes();
    let cohorts = [None, Some(Cohort::Canary), Some(Cohort::Control)];
    for left_cohort in cohorts {
        for arrived_cohort in cohorts {
            let verdict = |mode, requested, room| {
                let left = Left { mode, cohort: left_cohort, room: Some("a") };
                compare(&left, &Arrived { requested, cohort: arrived_cohort, room })
            };
            let drifted =
                left_cohort.zip(arrived_cohort).is_some_and(|(left, arrived)| left != arrived);
            let alike = if drifted { Verdict::CohortDrift } else { Verdict::Match };
            assert_eq!(verdict(fast, Requested::Mode(fast), Some("a")), alike);
            assert_eq!(verdict(default, Requested::Nothing, Some("a")), alike);
            assert_eq!(verdict(fast, Requested::Nothing, Some("a")), Verdict::ModeMissing);
            assert_eq!(verdict(fast, Requested::Mode(fast), Some("b")), Verdict::RoomCrossed);
        }
    }
}

#[test]
fn acknowledgements() {
    let [default, fast, _] = modes();
    let cases = [
        (fast, None, Verdict::AckUnobserved),
        (fast, Some(Requested::Nothing), Verdict::AckUnobserved),
        (fast, Some(Requested::Mode(fast)), Verdict::AckMatch),
        (fast, Some(Requested::Mode(default)), Verdict::AckAltered),
        (fast, Some(Requested::Invalid(Fault::Mode)), Verdict::AckAltered),
        (default, None, Verdict::AckUnobserved),
        (default, Some(Requested::Mode(default)), Verdict::AckMatch),
        (default, Some(Requested::Mode(fast)), Verdict::AckAltered),
    ];
    for (mode, said, verdict) in cases {
        assert_eq!(acknowledged(mode, said), verdict, "{mode:?} {said:?}");
    }
}

#[test]
fn words_are_different_and_what_is_not_known_is_no_incident() {
    let words: BTreeSet<_> = Verdict::ALL.iter().map(|verdict| verdict.word()).collect();
    assert_eq!(words.len(), Verdict::ALL.len());
    let means: BTreeSet<_> = Means::ALL.iter().map(|means| means.word()).collect();
    assert_eq!(means.len(), Means::ALL.len());
    let harmless = [
        Verdict::Match,
        Verdict::CohortDrift,
        Verdict::Duplicate,
        Verdict::Unobserved,
        Verdict::Unclaimed,
        Verdict::AckMatch,
        Verdict::AckUnobserved,
    ];
    for verdict in Verdict::ALL {
        assert_eq!(verdict.is_mismatch(), !harmless.contains(&verdict), "{verdict:?}");
    }
}
