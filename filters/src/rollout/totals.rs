//! What one instance counted since it began, and what of it is new since a look before: a counter
//! only rises, so where one fell the instance began again, and all that it counts now is new.

use std::array;

use serde::{Deserialize, Serialize};

use super::observe::{Arm, BUCKETS, HOPS, Hop, Observations, REPLICATES, Replicate, Side};

/// The counts of one instance since it began, or what of them is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// The canary.
    pub canary: Arm,
    /// The control.
    pub control: Arm,
    /// Frontend, bridge, runtime.
    pub hops: [Hop; HOPS],
    /// Requests that left in a mode other than the default.
    pub fast_left: u64,
}

impl Default for Totals {
    /// Every count is there, and zero.
    fn default() -> Totals {
        let [mut canary, mut control] = array::from_fn(|_| Arm::default());
        shape(&mut canary);
        shape(&mut control);
        Totals { canary, control, hops: Default::default(), fast_left: 0 }
    }
}

/// What is new since `before`. An instance that began again, and counts more of everything by now
/// than it did before, cannot be told from one that did not: looks are to be closer than that.
pub fn delta(before: &Totals, now: &Totals) -> Totals {
    if fell(before, now) {
        return now.clone();
    }
    let (mut before, mut now) = (before.clone(), now.clone());
    for (now, before) in now.counts().into_iter().zip(before.counts()) {
        *now -= *before;
    }
    now
}

/// Whether any count is lower than it was.
pub fn fell(before: &Totals, now: &Totals) -> bool {
    let (mut before, mut now) = (before.clone(), now.clone());
    now.counts().iter().zip(before.counts()).any(|(now, before)| **now < *before)
}

impl Totals {
    /// Adds to what a look sees.
    pub fn add_to(&self, seen: &mut Observations) {
        for (sum, own) in [(&mut seen.canary, &self.canary), (&mut seen.control, &self.control)] {
            add_arm(sum, own);
        }
        for (sum, own) in seen.hops.iter_mut().zip(&self.hops) {
            add_hop(sum, own);
        }
        seen.fast_left = seen.fast_left.saturating_add(self.fast_left);
    }

    /// Every count, in an order that is always the same.
    fn counts(&mut self) -> Vec<&mut u64> {
        shape(&mut self.canary);
        shape(&mut self.control);
        let mut counts: Vec<&mut u64> = vec![&mut self.fast_left];
        counts.extend(of_arm(&mut self.canary));
        counts.extend(of_arm(&mut self.control));
        counts.extend(self.hops.iter_mut().flat_map(of_hop));
        counts
    }
}

/// Adds an arm's counts to others.
pub(super) fn add_arm(sum: &mut Arm, arm: &Arm) {
    let mut arm = arm.clone();
    shape(sum);
    shape(&mut arm);
    add(of_arm(sum), of_arm(&mut arm));
}

/// Adds a hop's counts to others.
pub(super) fn add_hop(sum: &mut Hop, hop: &Hop) {
    add(of_hop(sum), of_hop(&mut hop.clone()));
}

/// What is not there counts nothing.
fn shape(arm: &mut Arm) {
    arm.replicates.resize(REPLICATES, Replicate::default());
    arm.first.resize(BUCKETS, 0);
}

fn add<'a>(
    sums: impl IntoIterator<Item = &'a mut u64>,
    counts: impl IntoIterator<Item = &'a mut u64>,
) {
    for (sum, count) in sums.into_iter().zip(counts) {
        *sum = sum.saturating_add(*count);
    }
}

// Without `..`: a count that is added to these types does not compile before it is listed here.

fn of_arm(arm: &mut Arm) -> Vec<&mut u64> {
    let Arm { replicates, first, faults } = arm;
    let parts = replicates.iter_mut().flat_map(|part| {
        let Replicate { requests, errors, firsts, log_sum } = part;
        [requests, errors, firsts, log_sum]
    });
    parts.chain(first).chain(faults).collect()
}

fn of_hop(hop: &mut Hop) -> Vec<&mut u64> {
    let Hop {
        canary,
        control,
        joined,
        unobserved,
        mode_mismatches,
        room_mismatches,
        contamination,
        ack_altered,
        ack_match,
    } = hop;
    let sides = [canary, control].into_iter().flat_map(|side| {
        let Side { requests, errors, answered, first_byte_sum } = side;
        [requests, errors, answered, first_byte_sum]
    });
    let verdicts = [
        joined,
        unobserved,
        mode_mismatches,
        room_mismatches,
        contamination,
        ack_altered,
        ack_match,
    ];
    sides.chain(verdicts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn len() -> usize {
        Totals::default().counts().len()
    }

    fn totals(counts: &[u64]) -> Totals {
        let mut totals = Totals::default();
        for (count, value) in totals.counts().into_iter().zip(counts) {
            *count = *value;
        }
        totals
    }

    fn plus(one: &Totals, other: &Totals) -> Totals {
        let (mut sum, mut other) = (one.clone(), other.clone());
        add(sum.counts(), other.counts());
        sum
    }

    fn any_totals(most: u64) -> impl Strategy<Value = Totals> {
        vec(0..=most, len()).prop_map(|counts| totals(&counts))
    }

    fn seen(parts: &[Totals]) -> Observations {
        let mut seen = Observations::default();
        for part in parts {
            part.add_to(&mut seen);
        }
        seen
    }

    #[test]
    fn every_count_is_one_of_its_own() {
        // Parts, buckets and faults of two arms; two sides and seven verdicts of three hops.
        assert_eq!(len(), 1 + 2 * (20 * 4 + 43 + 5) + 3 * (2 * 4 + 7));
        let numbers: Vec<u64> = (1..=len() as u64).collect();
        let mut numbered = totals(&numbers);
        assert_eq!(numbered.counts().into_iter().map(|count| *count).collect::<Vec<_>>(), numbers);
    }

    #[test]
    fn what_is_not_there_counts_nothing() {
        let bare = Totals { canary: Arm::default(), ..Totals::default() };
        assert_eq!(delta(&bare, &bare), Totals::default());
        let some = totals(&vec![3; len()]);
        assert_eq!(delta(&bare, &some), some);
        assert_eq!(seen(std::slice::from_ref(&some)).canary, some.canary);
    }

    proptest! {
        #[test]
        fn what_was_added_is_what_is_new(before in any_totals(1 << 40), new in any_totals(1 << 40)) {
            prop_assert_eq!(delta(&before, &plus(&before, &new)), new);
        }

        #[test]
        fn one_counter_that_fell_makes_all_of_them_new(
            before in any_totals(1 << 40), mut now in any_totals(1 << 40), at in 0..len()
        ) {
            let mut fallen = before.clone();
            let was = &mut *fallen.counts().swap_remove(at);
            prop_assume!(*was > 0);
            *now.counts().swap_remove(at) = *was - 1;
            prop_assert_eq!(delta(&before, &now), now);
        }

        /// Looks at an instance that begins again now and then: nothing is lost or counted twice of
        /// what a look saw, as long as each new beginning shows.
        #[test]
        fn looks_add_up_over_restarts(
            steps in vec((any::<bool>(), any_totals(1000)), 1..12)
        ) {
            let (mut before, mut truth) = (Totals::default(), Totals::default());
            let mut sum = Totals::default();
            for (restarts, new) in steps {
                let now = if restarts { new.clone() } else { plus(&before, &new) };
                let shows = !restarts || delta(&before, &now) == now;
                prop_assume!(shows);
                truth = plus(&truth, &new);
                sum = plus(&sum, &delta(&before, &now));
                before = now;
            }
            prop_assert_eq!(sum, truth);
        }

        #[test]
        fn instances_add_up_in_any_order(one in any_totals(u64::MAX / 4), other in any_totals(u64::MAX / 4)) {
            let both = seen(&[one.clone(), other.clone()]);
            prop_assert_eq!(&both, &seen(&[other.clone(), one.clone()]));
            let sum = plus(&one, &other);
            prop_assert_eq!(both, seen(&[sum]));
        }

        /// The largest numbers there are break nothing.
        #[test]
        fn nothing_overflows(one in any_totals(u64::MAX), other in any_totals(u64::MAX)) {
            delta(&one, &other);
            seen(&[one, other]);
        }
    }
}
