//! The emergency stop of one sidecar: the canary errs so much more than the control that no
//! statistics are needed.

use std::collections::VecDeque;

use super::observe::Arm;
use super::plan::Millis;

/// It looks back so far.
pub const WINDOW: Millis = 120_000;
/// It takes so many canary errors.
pub const ERRORS: u64 = 20;
/// And more than so many times the control's rate.
pub const RATIO: f64 = 5.0;
/// So many moments are kept at most, however often it looks.
const KEPT: usize = 256;

/// What both arms counted by a moment: requests and errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    canary: [u64; 2],
    control: [u64; 2],
}

/// The counts of the last two minutes.
#[derive(Clone, Debug, Default)]
pub struct Emergency(VecDeque<(Millis, Counts)>);

impl Emergency {
    /// Looks at what was counted since the process began; whether it is an emergency. What led to
    /// one leads to no second.
    pub fn look(&mut self, now: Millis, canary: &Arm, control: &Arm) -> bool {
        let of = |arm: &Arm| [arm.requests(), arm.errors()];
        let counts = Counts { canary: of(canary), control: of(control) };
        // The last one before the window is where it begins.
        while self.0.get(1).is_some_and(|(at, _)| at.saturating_add(WINDOW) <= now) {
            self.0.pop_front();
        }
        let before = self.0.front().map_or(Counts::default(), |(_, counts)| *counts);
        let is_one = is_emergency(
            since(counts.canary, before.canary),
            since(counts.control, before.control),
        );
        if is_one {
            self.0.clear();
        }
        // Between two moments that are kept the window is a little longer.
        let apart = WINDOW / (KEPT as Millis / 2);
        if self.0.back().is_none_or(|(at, _)| at.saturating_add(apart) <= now) {
            self.0.push_back((now, counts));
        }
        self.0.truncate(KEPT);
        is_one
    }
}

/// Of requests and errors of both arms. Without a control there is nothing to compare with.
pub fn is_emergency(canary: [u64; 2], control: [u64; 2]) -> bool {
    let [[of_canary, errors], [of_control, control_errors]] = [canary, control];
    let rate = |errors: u64, of: u64| errors as f64 / of as f64;
    errors >= ERRORS
        && of_canary > 0
        && of_control > 0
        && rate(errors, of_canary) > RATIO * rate(control_errors, of_control)
}

fn since([now, errors_now]: [u64; 2], [before, errors_before]: [u64; 2]) -> [u64; 2] {
    [now.saturating_sub(before), errors_now.saturating_sub(errors_before)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rollout::observe::Replicate;

    fn arm([requests, errors]: [u64; 2]) -> Arm {
        let part = Replicate { requests, errors, ..Replicate::default() };
        Arm { replicates: vec![part], ..Arm::default() }
    }

    #[test]
    fn twenty_errors_at_more_than_five_times_the_rate() {
        let cases = [
            ([100, 20], [100, 0], true),
            ([100, 19], [100, 0], false),
            ([100, 20], [0, 0], false),
            ([100, 20], [100, 4], false),
            ([100, 21], [100, 4], true),
            ([100, 100], [100, 20], false),
            ([0, 20], [100, 0], false),
        ];
        for (canary, control, expected) in cases {
            assert_eq!(is_emergency(canary, control), expected, "{canary:?} {control:?}");
        }
    }

    #[test]
    fn what_is_older_than_the_window_counts_no_more() {
        let mut watch = Emergency::default();
        let control = arm([1000, 0]);
        assert!(!watch.look(0, &arm([0, 0]), &arm([0, 0])));
        assert!(!watch.look(1_000, &arm([19, 19]), &control));
        assert!(!watch.look(WINDOW + 2_000, &arm([20, 20]), &arm([2000, 0])), "one in the window");
        assert!(watch.look(WINDOW + 3_000, &arm([39, 39]), &arm([2001, 0])));
        let control = arm([2002, 0]);
        // What led to one leads to no second.
        assert!(!watch.look(WINDOW + 4_000, &arm([58, 58]), &control));
        assert!(watch.look(WINDOW + 5_000, &arm([59, 59]), &control));
    }

    proptest! {
        #[test]
        fn steady_errors_are_seen_at_any_pace(step in 1_u64..30_000, each in 1_u64..50) {
            let mut watch = Emergency::default();
            let (mut now, mut errors, mut seen) = (0, 0, false);
            watch.look(now, &arm([0, 0]), &arm([0, 0]));
            while now < 10 * WINDOW {
                (now, errors) = (now + step, errors + each);
                seen |= watch.look(now, &arm([errors, errors]), &arm([errors, 0]));
                prop_assert!(watch.0.len() <= KEPT);
            }
            // The window is two minutes, and at most a step and a moment's distance more.
            let [least, most] = [WINDOW, WINDOW + 1_000 + step].map(|window| each * (window / step));
            prop_assert!(!seen || most >= ERRORS, "{most}");
            prop_assert!(seen || least < ERRORS, "{least}");
        }
    }
}
