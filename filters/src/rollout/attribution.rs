//! Which hop it goes wrong at: from what each leg saw in the same look.

use serde::{Deserialize, Serialize};

use super::incident::Trigger;
use super::observe::{HOPS, Hop, Side};

/// Who stands behind each leg, in the legs' order.
const BEHIND: [&str; HOPS] = ["API server", "cloud proxy", "cloud runtime"];
/// The legs' names.
const LEGS: [&str; HOPS] = ["frontend", "bridge", "runtime"];

/// Where it goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// The hop that fails, in words; `unknown` where no leg shows it.
    pub hop: String,
    /// What each program behind a leg adds to the canary's time to the first byte over the control's,
    /// in milliseconds; `None` where either was not seen.
    pub added_ms: [Option<f64>; HOPS],
    /// The share of messages that were joined over all legs that join: how far this can be believed.
    pub confidence: f64,
}

/// Attributes what fired to a hop.
pub fn attribute(trigger: Trigger, hops: &[Hop; HOPS]) -> Attribution {
    let added_ms = added(hops);
    let hop = match trigger {
        Trigger::Errors => deepest_with_errors(hops),
        Trigger::Latency | Trigger::Tail => slowest(&added_ms),
        Trigger::Contamination | Trigger::Mismatch | Trigger::Divergence => first_broken(hops),
        _ => None,
    };
    let hop = hop.unwrap_or_else(|| "unknown".to_owned());
    Attribution { hop, added_ms, confidence: confidence(hops) }
}

/// The first leg that got what the leg before did not let through; or whose upstream says that it
/// applied another mode.
fn first_broken(hops: &[Hop; HOPS]) -> Option<String> {
    let broken = |hop: &Hop| hop.mismatches() + hop.contamination > 0;
    let between = |at: usize| {
        let (before, here) = (LEGS.get(at.checked_sub(1)?)?, LEGS.get(at)?);
        let behind = BEHIND.get(at - 1)?;
        Some(format!("{behind}: between the legs {before} and {here}"))
    };
    let lost = (1..HOPS).find(|at| hops.get(*at).is_some_and(broken)).and_then(between);
    let said = |at: &usize| hops.get(*at).is_some_and(|hop| hop.ack_altered > 0);
    // The deepest that says so is the one that others repeat.
    let applied = || {
        let at = (0..HOPS).rev().find(said)?;
        Some(format!("{}: behind the leg {}", BEHIND.get(at)?, LEGS.get(at)?))
    };
    let foreign = || {
        let hop = hops.first().filter(|hop| hop.contamination > 0)?;
        Some(format!("{}: {} answers of other rooms", BEHIND.first()?, hop.contamination))
    };
    lost.or_else(applied).or_else(foreign)
}

fn deepest_with_errors(hops: &[Hop; HOPS]) -> Option<String> {
    let rate = |side: &Side| side.errors as f64 / side.requests.max(1) as f64;
    let worse = |hop: &Hop| hop.canary.errors > 0 && rate(&hop.canary) > rate(&hop.control);
    let at = (0..HOPS).rev().find(|at| hops.get(*at).is_some_and(worse))?;
    Some(format!("{}: behind the leg {}", BEHIND.get(at)?, LEGS.get(at)?))
}

fn slowest(added: &[Option<f64>; HOPS]) -> Option<String> {
    let known = added.iter().enumerate().filter_map(|(at, ms)| Some((at, (*ms)?)));
    let (at, ms) = known.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    (ms > 0.0).then(|| {
        let (behind, leg) = (BEHIND.get(at).unwrap_or(&""), LEGS.get(at).unwrap_or(&""));
        format!("{behind}: behind the leg {leg}, {ms:.1} ms more")
    })
}

/// A leg's own time is its time less that of the next leg that was seen.
fn added(hops: &[Hop; HOPS]) -> [Option<f64>; HOPS] {
    let mean = |side: &Side| {
        (side.answered > 0).then(|| side.first_byte_sum as f64 / side.answered as f64 / 1000.0)
    };
    let more = |hop: &Hop| Some(mean(&hop.canary)? - mean(&hop.control)?);
    let all: [Option<f64>; HOPS] = hops.each_ref().map(more);
    std::array::from_fn(|at| {
        let here = all.get(at).copied().flatten()?;
        let below = all.iter().skip(at + 1).flatten().next();
        Some(here - below.copied().unwrap_or(0.0))
    })
}

fn confidence(hops: &[Hop; HOPS]) -> f64 {
    let joined: u64 = hops.iter().map(|hop| hop.joined).sum();
    let all: u64 = hops.iter().map(|hop| hop.joined + hop.unobserved).sum();
    if all == 0 { 0.0 } else { joined as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(requests: u64, errors: u64, mean_ms: u64) -> Side {
        Side { requests, errors, answered: requests, first_byte_sum: requests * mean_ms * 1000 }
    }

    #[test]
    fn modes_are_lost_at_the_first_hop_that_shows_it() {
        let lost = |mismatches: [u64; HOPS], acks: [u64; HOPS]| {
            let hops = std::array::from_fn(|at| Hop {
                mode_mismatches: mismatches[at],
                ack_altered: acks[at],
                joined: 9,
                unobserved: 1,
                ..Hop::default()
            });
            let said = attribute(Trigger::Mismatch, &hops);
            assert!((said.confidence - 0.9).abs() < 1e-12);
            said.hop
        };
        let cases = [
            ([0, 1, 0], [0, 0, 0], "API server: between the legs frontend and bridge"),
            ([0, 1, 5], [0, 0, 0], "API server: between the legs frontend and bridge"),
            ([0, 0, 2], [0, 0, 0], "cloud proxy: between the legs bridge and runtime"),
            ([0, 0, 0], [1, 1, 1], "cloud runtime: behind the leg runtime"),
            ([0, 0, 0], [1, 0, 0], "API server: behind the leg frontend"),
            ([0, 0, 0], [0, 0, 0], "unknown"),
        ];
        for (mismatches, acks, expected) in cases {
            assert_eq!(lost(mismatches, acks), expected);
        }
    }

    #[test]
    fn errors_are_the_deepest_hops_and_latency_the_one_that_adds_most() {
        let hop = |canary, control| Hop { canary, control, ..Hop::default() };
        let hops = [
            hop(side(100, 9, 900), side(100, 1, 400)),
            hop(side(100, 9, 800), side(100, 1, 300)),
            hop(side(100, 1, 210), side(100, 1, 200)),
        ];
        let errors = attribute(Trigger::Errors, &hops);
        assert_eq!(errors.hop, "cloud proxy: behind the leg bridge");
        let slow = attribute(Trigger::Latency, &hops);
        assert_eq!(slow.hop, "cloud proxy: behind the leg bridge, 490.0 ms more");
        assert_eq!(
            slow.added_ms.map(|ms| ms.map(f64::round)),
            [Some(0.0), Some(490.0), Some(10.0)]
        );
        let unseen = [hops[0], Hop::default(), Hop::default()];
        assert_eq!(
            attribute(Trigger::Tail, &unseen).hop,
            "API server: behind the leg frontend, 500.0 ms more"
        );
    }
}
