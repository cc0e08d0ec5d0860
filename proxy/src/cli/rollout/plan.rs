//! `modegate rollout plan`

use clap::Args;
use modegate_config::Rollout;
use modegate_config::flags::Flag;
use modegate_filters::rollout::plan::{Gate, Millis, Stage};
use serde_json::json;

use crate::cli::{ConfigFile, Failure, load::load};

const HEAD: [&str; 9] =
    ["STAGE", "STEP", "PERCENT", "DWELL", "SAMPLES", "DEADLINE", "GATES", "APPROVAL", "CHANGES"];

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    file: ConfigFile,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl PlanArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let rollout = load(&self.file.config)?.config.rollout;
        if self.json {
            println!("{}", json!({ "enabled": rollout.enabled, "plan": rollout.plan }));
        } else {
            print!("{}", shown(&rollout));
        }
        Ok(())
    }
}

fn shown(rollout: &Rollout) -> String {
    let plan = &rollout.plan;
    let enabled = if rollout.enabled { "enabled" } else { "not enabled" };
    let mut text = format!("{} ({enabled})\n", plan.id.escape_debug());
    let before = std::iter::once(None).chain(plan.stages.iter().map(Some));
    let rows = plan.stages.iter().zip(before).map(|(stage, before)| row(stage, before));
    let rows: Vec<[String; 9]> = std::iter::once(HEAD.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; 9];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text += line.trim_end();
        text += "\n";
    }
    text
}

fn row(stage: &Stage, before: Option<&Stage>) -> [String; 9] {
    let gates: Vec<&str> = stage.gates.iter().copied().map(Gate::name).collect();
    [
        stage.name.escape_debug().to_string(),
        stage.step.name().to_owned(),
        stage.share.percent().to_string(),
        span(stage.min_dwell),
        stage.min_samples.to_string(),
        span(stage.max_dwell),
        if gates.is_empty() { "-".to_owned() } else { gates.join(",") },
        stage.approval.name().to_owned(),
        changes(stage, before),
    ]
}

/// What it does that the stage before does not; the first is told from everything off.
fn changes(stage: &Stage, before: Option<&Stage>) -> String {
    let flags = before.map(|before| before.flags).unwrap_or_default();
    let percent = before.map_or(0.0, |before| before.share.percent());
    let flipped = Flag::ALL.into_iter().filter(|flag| flag.of(&flags) != flag.of(&stage.flags));
    let mut changes: Vec<String> = flipped
        .map(|flag| format!("{} {}", flag.name(), if flag.of(&stage.flags) { "on" } else { "off" }))
        .collect();
    if percent.to_bits() != stage.share.percent().to_bits() {
        changes.push(format!("{percent} to {} percent", stage.share.percent()));
    }
    if changes.is_empty() { "nothing".to_owned() } else { changes.join(", ") }
}

/// A duration in the largest unit that has no remainder, as the file writes it.
fn span(millis: Millis) -> String {
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let whole = units.into_iter().find(|(_, unit)| millis > 0 && millis.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{millis}ms"), |(name, unit)| format!("{}{name}", millis / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let cases = [
            (0, "0ms"),
            (1, "1ms"),
            (1_500, "1500ms"),
            (90_000, "90s"),
            (600_000, "10m"),
            (5_400_000, "90m"),
            (604_800_000, "168h"),
        ];
        for (millis, expected) in cases {
            assert_eq!(span(millis), expected);
        }
    }
}
