//! An incident's report for people, as Markdown.

use std::fmt::Write;

use super::incident::Incident;
use super::state::Desired;

/// Writes an incident down as Markdown. What others said of it is escaped to one line each.
pub fn markdown(incident: &Incident) -> String {
    let mut out = String::new();
    let plain = |text: &str| text.escape_debug().to_string().replace('|', "\\|");
    let _ = writeln!(out, "# {} in stage {}\n", incident.trigger.word(), plain(&incident.stage));
    let _ = writeln!(out, "- rollout: {}", plain(&incident.rollout));
    let _ = writeln!(out, "- severity: S{}", incident.severity);
    let _ = writeln!(out, "- why: {}", plain(&incident.why));
    let _ = writeln!(out, "- opened: {} ms", incident.opened);
    let _ = writeln!(out, "- failing hop: {}", plain(&incident.attribution.hop));
    let _ = writeln!(out, "- coverage: {:.1} %", incident.attribution.confidence * 100.0);
    match incident.safe {
        Some(safe) => {
            let took = safe.saturating_sub(incident.opened);
            let _ = writeln!(
                out,
                "- safe: {took} ms after it opened; nothing left in fast mode for two looks, on every instance"
            );
        }
        None => {
            let _ = writeln!(out, "- safe: not yet confirmed");
        }
    }
    let _ = writeln!(
        out,
        "\n## Flags\n\n| | generation | contract | runtime | ui | cloud_enforced | kill | percent |\n|---|---|---|---|---|---|---|---|"
    );
    for (name, desired) in [("before", &incident.before), ("after", &incident.after)] {
        let _ = writeln!(out, "| {name} {}", flags(desired));
    }
    let _ = writeln!(out, "\n## Gates at the decision\n\n| gate | verdict | why |\n|---|---|---|");
    for gate in &incident.gates {
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            gate.gate.name(),
            gate.verdict.word(),
            plain(&gate.why)
        );
    }
    let _ = writeln!(
        out,
        "\n## Hops\n\n| leg | canary requests | errors | control requests | errors | joined | unobserved | mode mismatches | room mismatches | other rooms | added ms |\n|---|---|---|---|---|---|---|---|---|---|---|"
    );
    let legs = ["frontend", "bridge", "runtime"];
    for ((leg, hop), added) in legs.iter().zip(&incident.hops).zip(&incident.attribution.added_ms) {
        let added = added.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}"));
        let _ = writeln!(
            out,
            "| {leg} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {added} |",
            hop.canary.requests,
            hop.canary.errors,
            hop.control.requests,
            hop.control.errors,
            hop.joined,
            hop.unobserved,
            hop.mode_mismatches,
            hop.room_mismatches,
            hop.contamination
        );
    }
    if !incident.exemplars.is_empty() {
        let _ = writeln!(
            out,
            "\n## Requests that show it\n\n| at | leg | what | expected | found | request |\n|---|---|---|---|---|---|"
        );
        for one in &incident.exemplars {
            let said = [&one.leg, &one.what, &one.expected, &one.found, &one.request_id];
            let said: Vec<String> = said.iter().map(|text| plain(text)).collect();
            let _ = writeln!(out, "| {} | {} |", one.at, said.join(" | "));
        }
    }
    let _ = writeln!(out, "\n## Timeline\n\n| at | what |\n|---|---|");
    for moment in &incident.timeline {
        let _ = writeln!(out, "| {} | {} |", moment.at, plain(&moment.what));
    }
    let _ = writeln!(out, "\nDecide it again: `modegate rollout replay audit.jsonl`");
    out
}

fn flags(desired: &Desired) -> String {
    let on = |flag: bool| if flag { "on" } else { "off" };
    let flags = desired.flags;
    format!(
        "| {} | {} | {} | {} | {} | {} | {} |",
        desired.generation,
        on(flags.contract),
        on(flags.runtime),
        on(flags.ui),
        on(flags.cloud_enforced),
        on(flags.kill),
        desired.share.percent()
    )
}
