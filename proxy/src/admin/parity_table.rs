//! The answer of `GET /parity` as people read it.

use serde_json::Value;

/// How many mismatches fit under the table.
const SHOWN: usize = 10;

/// The legs' verdicts as a table, and the last mismatches.
pub fn parity_table(answer: &Value) -> String {
    let legs = ["frontend", "bridge", "runtime"];
    let of = |leg: &str| &answer["legs"][leg];
    let mut lines = vec![format!("{:<16}{:>12}{:>12}{:>12}", "VERDICT", legs[0], legs[1], legs[2])];
    let mut row = |name: &str, cells: [String; 3]| {
        lines.push(format!("{name:<16}{:>12}{:>12}{:>12}", cells[0], cells[1], cells[2]));
    };
    for verdict in modegate_filters::parity::Verdict::ALL.map(|verdict| verdict.word()) {
        row(verdict, legs.map(|leg| count(&of(leg)["verdicts"][verdict])));
    }
    row("coverage", legs.map(|leg| percent(&of(leg)["coverage"])));
    row("records held", legs.map(|leg| count(&of(leg)["table"]["records"])));
    let enforced = &answer["enforced"];
    let does = answer["on_mismatch"].as_str().unwrap_or_default();
    let state = if answer["cloud_enforced"] == true { does } else { "only counted" };
    lines.push(format!(
        "mismatches: {state} (so far {} rejected, {} repaired); generation {}",
        enforced["reject"], enforced["repair"], answer["generation"]
    ));
    let mismatches = answer["mismatches"].as_array().map(Vec::as_slice).unwrap_or_default();
    for one in mismatches.iter().take(SHOWN) {
        lines.push(mismatch(one));
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn mismatch(one: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("none").escape_debug().to_string();
    let seconds = one["at_ms"].as_u64().unwrap_or(0) / 1000;
    let (expected, found) = (&one["expected"], &one["found"]);
    format!(
        "{:02}:{:02}:{:02}Z {} {}: mode {} -> {}, room {} -> {}, generation {} -> {}, by {}",
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        word(&one["leg"]),
        word(&one["verdict"]),
        word(&expected["mode"]),
        word(&found["mode"]),
        word(&expected["room"]),
        word(&found["room"]),
        expected["generation"],
        found["generation"],
        word(&one["joined_by"]),
    )
}

fn count(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".to_owned(), |count| count.to_string())
}

fn percent(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", 100.0 * share))
}
