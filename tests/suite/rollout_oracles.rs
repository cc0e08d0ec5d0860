//! The engines of the gates beside gbstats and ville: what `judge.py` computes is what we compute.
//! Without Python or these packages (`MODEGATE_PYTHON` names an interpreter that has them: gbstats
//! 0.8.0, ville 0.1.0) nothing is compared, and the test says so.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use modegate_filters::rollout::counts::EProcess;
use modegate_filters::rollout::latency::{Latencies, half_width, interval};
use modegate_filters::rollout::observe::{Arm, BUCKETS, REPLICATES, Replicate};
use serde_json::{Value, json};

/// What the script answers to each question; `None` where it cannot run here.
fn ask(questions: &[Value]) -> Option<Vec<Value>> {
    let python = std::env::var("MODEGATE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/rollout_oracles/judge.py");
    let mut command = Command::new(&python);
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("NOT RUN: there is no {python}");
            return None;
        }
        Err(error) => panic!("{python}: {error}"),
    };
    // One that lacks the packages ends before it reads.
    let text = serde_json::to_vec(questions).unwrap();
    let written = child.stdin.take().unwrap().write_all(&text);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(3) {
        println!("NOT RUN: {}", said.trim());
        return None;
    }
    assert!(output.status.success() && written.is_ok(), "{said}");
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), questions.len());
    Some(answers)
}

/// The relative difference of two numbers.
fn apart(found: f64, expected: f64) -> f64 {
    (found - expected).abs() / expected.abs().max(f64::MIN_POSITIVE)
}

fn number(answer: &Value, key: &str) -> f64 {
    answer[key].as_f64().unwrap_or_else(|| panic!("{key} in {answer}"))
}

/// Asks, and prints how far the farthest was from ours.
fn compare(what: &str, within: f64, cases: &[(Value, &str, f64)]) {
    let questions: Vec<Value> = cases.iter().map(|(question, ..)| question.clone()).collect();
    let Some(answers) = ask(&questions) else { return };
    let mut farthest = 0.0_f64;
    for ((question, key, ours), answer) in cases.iter().zip(&answers) {
        let difference = apart(*ours, number(answer, key));
        assert!(difference <= within, "{what}: ours {ours}, theirs {answer}, of {question}");
        farthest = farthest.max(difference);
    }
    println!("{what}: {} cases within {farthest:.1e}", cases.len());
}

/// Looks whose exposures ramp up, where a look may lack an arm, and events of any number.
fn looks(count: u64, canary_errs: u64) -> Vec<(u64, u64, u64, u64)> {
    let look = |at: u64| {
        let canary = if at % 7 == 3 { 0 } else { 20 + 15 * at };
        let control = if at % 11 == 5 { 0 } else { 1_000 - 13 * at };
        (canary, (at * 5 % 4 + canary_errs).min(canary), control, (at * 3 % 9 + 4).min(control))
    };
    (0..count).map(look).collect()
}

#[test]
fn e_values_are_the_bets_multiplied() {
    let mut cases = Vec::new();
    for (count, canary_errs) in [(1, 0), (5, 2), (12, 0), (30, 1), (30, 4)] {
        for effect in [1.0, 1.7, 8.0] {
            let starts = [
                (EProcess::harm(), 1.0, vec![1.5, 2.0, 3.0, 5.0, 10.0]),
                (EProcess::pass(1.5), 1.5, vec![1.0, 0.85, 0.7]),
                (EProcess::pass(3.5), 3.5, vec![1.0, 0.85, 0.7]),
            ];
            for (mut process, null, grid) in starts {
                let looks = looks(count, canary_errs);
                for &(n_c, e_c, n_k, e_k) in &looks {
                    process.look((n_c, e_c), (n_k, e_k));
                }
                let question = json!({
                    "kind": "e_process", "null": (null), "grid": grid, "effect": effect, "looks": looks,
                });
                cases.push((question, "log_e", process.log_e(effect)));
            }
        }
    }
    compare("e-values, by bets that ville combines", 1e-9, &cases);
}

#[test]
fn e_values_are_those_of_villes_own_test() {
    // Point by point of the grid, whose mean is then taken here.
    let mut cases = Vec::new();
    for (canary, control) in [(3_u64, 40_u64), (12, 60), (25, 50)] {
        let (n_c, n_k) = (100_u64, 900_u64);
        let mut events = vec![1; canary as usize];
        events.extend(vec![0; control as usize]);
        let mut process = EProcess::harm();
        process.look((n_c, canary), (n_k, control));
        cases.push((n_c, n_k, events, process.log_e(1.0)));
    }
    let grid = [1.5, 2.0, 3.0, 5.0, 10.0];
    let questions: Vec<Value> = cases
        .iter()
        .flat_map(|(n_c, n_k, events, _)| {
            grid.iter().map(move |ratio| {
                json!({
                    "kind": "bernoulli", "n_c": n_c, "n_k": n_k, "null": 1.0, "ratio": ratio,
                    "events": events,
                })
            })
        })
        .collect();
    let Some(answers) = ask(&questions) else { return };
    let mut farthest = 0.0_f64;
    for ((.., ours), answers) in cases.iter().zip(answers.chunks(grid.len())) {
        let sum: f64 = answers.iter().map(|answer| number(answer, "log_e").exp()).sum();
        let theirs = (sum / grid.len() as f64).ln();
        // Their prior is narrow, not a point.
        assert!((ours - theirs).abs() < 1e-4, "ours {ours}, theirs {theirs}");
        farthest = farthest.max((ours - theirs).abs());
    }
    println!("e-values, by ville's BernoulliTest: {} cases within {farthest:.1e}", cases.len());
}

#[test]
fn half_widths_are_those_of_the_paper() {
    let mut questions = Vec::new();
    let mut ours = Vec::new();
    for (n_c, n_k) in [(40_u64, 360_u64), (2_500, 2_500), (5_000, 95_000)] {
        for alpha in [0.05, 0.01, 5e-4] {
            for expected in [1_000.0, 10_000.0] {
                let (variance_c, variance_k) = (0.71, 0.58);
                let n = (n_c + n_k) as f64;
                let squared = variance_c / n_c as f64 + variance_k / n_k as f64;
                ours.push(half_width(n, n * squared, alpha, expected));
                questions.push(json!({
                    "kind": "half_width", "n_c": n_c, "n_k": n_k, "mean_c": 0.1, "mean_k": 0.2,
                    "variance_c": variance_c, "variance_k": variance_k, "alpha": alpha,
                    "expected": expected,
                }));
            }
        }
    }
    let Some(answers) = ask(&questions) else { return };
    let (mut farthest, mut widest) = (0.0_f64, 0.0_f64);
    for ((ours, answer), question) in ours.iter().zip(&answers).zip(&questions) {
        let two_sided = number(answer, "two_sided");
        assert!(apart(two_sided, number(answer, "ville_two_sided")) < 1e-9, "{answer}");
        let difference = apart(*ours, number(answer, "half"));
        assert!(difference < 1e-9, "ours {ours}, theirs {answer}, of {question}");
        farthest = farthest.max(difference);
        // The closed form is a bound on the exact boundary: never inside it, and not far outside.
        let beyond = ours / number(answer, "ville_exact") - 1.0;
        assert!((-1e-12..0.02).contains(&beyond), "{beyond}: ours {ours}, theirs {answer}");
        widest = widest.max(beyond);
    }
    println!(
        "half-widths, by gbstats: {} cases within {farthest:.1e}; outside ville's exact boundary by at \
         most {widest:.1e}",
        ours.len()
    );
}

/// An arm of so many first events, all replicates alike or each with its own speed.
fn arm(count: u64, scale: f64, uneven: f64) -> Arm {
    let mut arm = Arm {
        replicates: vec![Replicate::default(); REPLICATES],
        first: vec![0; BUCKETS],
        ..Arm::default()
    };
    for at in 0..count {
        let replicate = (at % REPLICATES as u64) as usize;
        let spread = (at * 7_919 % 1_000) as f64 / 1_000.0;
        let seconds = scale * (0.4 + 1.5 * spread) * (uneven * replicate as f64).exp();
        let part = &mut arm.replicates[replicate];
        part.requests += 1;
        part.firsts += 1;
        part.log_sum += ((seconds * 1e6).ln() * 1_000.0).round() as u64;
        let bucket = ((seconds / 0.05).log2() * 4.0).ceil().max(0.0) as usize;
        arm.first[bucket.min(BUCKETS - 1)] += 1;
    }
    arm
}

#[test]
fn intervals_are_those_of_the_counts() {
    let (mut highs, mut lows) = (Vec::new(), Vec::new());
    for (canary, control) in [(300, 2_700), (5_000, 5_000)] {
        for uneven in [0.0, 0.05] {
            for (alpha, expected) in [(0.05, 10_000), (5e-4, 10_000), (0.01, 2_000)] {
                let arms = [arm(canary, 0.9, uneven), arm(control, 1.0, uneven)];
                let [ours_canary, ours_control] = [0, 1].map(|at| {
                    let mut latencies = Latencies::default();
                    latencies.add(&arms[at]);
                    latencies
                });
                let found = interval(&ours_canary, &ours_control, alpha, expected).unwrap();
                let [canary, control] = [0, 1].map(|at: usize| {
                    let parts = &arms[at].replicates;
                    json!({
                        "buckets": arms[at].first,
                        "firsts": parts.iter().map(|part| part.firsts).collect::<Vec<_>>(),
                        "log_sums": parts.iter().map(|part| part.log_sum).collect::<Vec<_>>(),
                    })
                });
                let question = json!({
                    "kind": "interval", "alpha": alpha, "expected": expected, "canary": canary,
                    "control": control,
                });
                highs.push((question.clone(), "half", (found.high / found.ratio).ln()));
                lows.push((question, "difference", found.ratio.ln()));
                assert!(apart(found.high / found.ratio, found.ratio / found.low) < 1e-12);
            }
        }
    }
    compare("intervals, by gbstats on our counts", 1e-9, &highs);
    compare("ratios, by gbstats on our counts", 1e-9, &lows);
}
