//! `modegate rollout simulate`: what it prints, and its exit code.

use serde_json::{Value, json};

use crate::control_process::command;

const SMALL: [&str; 6] = ["rollout", "simulate", "--rollouts", "4", "--looks", "5"];

#[tokio::test]
async fn what_does_not_hold_is_exit_code_one() {
    // In five looks too little is detected.
    let table = command(&SMALL, "").await;
    assert_eq!(table.code, Some(1), "{}", table.stderr);
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert_eq!(lines.first(), Some(&"4 rollouts of each, 5 looks, seed 1"));
    let broken = lines.iter().filter(|line| line.ends_with("DOES NOT HOLD")).count();
    let said = format!("modegate: {broken} of {} do not hold\n", lines.len() - 1);
    assert!(broken > 0 && table.stderr == said, "{}", table.stderr);
    // What is found with fewer requests a look is shown, and not asserted.
    let asked = [("1000", "shown only"), ("1250", "shown only"), ("1500", "shown only")];
    for (requests, asked) in asked.into_iter().chain([("2000", "at least 99 %")]) {
        let name = format!("errors three times, 15 looks of {requests} requests ");
        let line = lines.iter().find(|line| line.starts_with(&name));
        assert!(line.is_some_and(|line| line.contains(asked)), "{requests}: {}", table.stdout);
    }

    let same = command(&[SMALL.as_slice(), &["--json"]].concat(), "").await;
    let answer: Value = serde_json::from_str(&same.stdout).expect("JSON on standard output");
    assert_eq!((same.code, &answer["holds"]), (Some(1), &json!(false)));
    let outcomes = answer["outcomes"].as_array().expect("outcomes");
    assert_eq!(outcomes.len(), lines.len() - 1);
    let fails = |outcome: &&Value| outcome["holds"] == json!(false);
    assert_eq!(outcomes.iter().filter(fails).count(), broken);
}

#[tokio::test]
async fn the_seed_tells_the_figures() {
    let [first, again, other] = [["--seed", "1"], ["--seed", "1"], ["--seed", "2"]].map(|seed| {
        [["rollout", "simulate", "--rollouts", "6", "--looks", "20", "--json"].as_slice(), &seed]
            .concat()
    });
    let first = command(&first, "").await.stdout;
    assert_eq!(first, command(&again, "").await.stdout);
    assert_ne!(first, command(&other, "").await.stdout);
    let none = command(&["rollout", "simulate", "--rollouts", "0"], "").await;
    assert_eq!(none.code, Some(2));
}
