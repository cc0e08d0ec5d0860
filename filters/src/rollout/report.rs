//! An incident's report for people, as Markdown.

use std::fmt::{self, Write};

use chrono::DateTime;

use super::incident::{Incident, Proof};
use super::plan::Millis;
use super::state::Desired;

/// Writes an incident down as Markdown. What others said of it is escaped to one line each.
pub fn markdown(incident: &Incident) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = summary(&mut out, incident);
    let _ = tables(&mut out, incident);
    let _ = showing(&mut out, incident);
    out
}

fn summary(out: &mut String, incident: &Incident) -> fmt::Result {
    writeln!(out, "# {} in stage {}\n", incident.trigger.word(), plain(&incident.stage))?;
    writeln!(out, "- incident: {}", plain(&incident.id))?;
    writeln!(out, "- rollout: {}", plain(&incident.rollout))?;
    writeln!(out, "- severity: S{}", incident.severity)?;
    writeln!(out, "- why: {}", plain(&incident.why))?;
    writeln!(out, "- opened: {}", moment(incident.opened))?;
    writeln!(out, "- failing hop: {}", plain(&incident.attribution.hop))?;
    writeln!(out, "- coverage: {:.1} %", incident.attribution.confidence * 100.0)?;
    let Some(safe) = incident.safe else { return writeln!(out, "- safe: not yet confirmed") };
    let took = safe.saturating_sub(incident.opened);
    writeln!(out, "- safe: {}, {took} ms after it opened", moment(safe))?;
    let Some(Proof { looks, messages, errors }) = incident.proof else { return Ok(()) };
    writeln!(
        out,
        "- proof: every instance had the flags, and in {looks} looks nothing left in fast mode; \
         {messages} messages ended meanwhile, {errors} of them in errors"
    )
}

fn tables(out: &mut String, incident: &Incident) -> fmt::Result {
    writeln!(
        out,
        "\n## Flags\n\n| | generation | contract | runtime | ui | cloud_enforced | kill | percent |\n|---|---|---|---|---|---|---|---|"
    )?;
    for (name, desired) in [("before", &incident.before), ("after", &incident.after)] {
        writeln!(out, "| {name} {}", flags(desired))?;
    }
    writeln!(out, "\n## Gates at the decision\n\n| gate | verdict | why |\n|---|---|---|")?;
    for gate in &incident.gates {
        let (name, verdict) = (gate.gate.name(), gate.verdict.word());
        writeln!(out, "| {name} | {verdict} | {} |", plain(&gate.why))?;
    }
    writeln!(
        out,
        "\n## Hops\n\n| leg | canary requests | errors | control requests | errors | joined | unobserved | mode mismatches | room mismatches | other rooms | added ms |\n|---|---|---|---|---|---|---|---|---|---|---|"
    )?;
    let legs = ["frontend", "bridge", "runtime"];
    for ((leg, hop), added) in legs.iter().zip(&incident.hops).zip(&incident.attribution.added_ms) {
        let added = added.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}"));
        writeln!(
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
        )?;
    }
    Ok(())
}

fn showing(out: &mut String, incident: &Incident) -> fmt::Result {
    if !incident.exemplars.is_empty() {
        writeln!(
            out,
            "\n## Requests that show it\n\n| at | leg | what | expected | found | request | trace |\n|---|---|---|---|---|---|---|"
        )?;
    }
    for one in &incident.exemplars {
        let said = [&one.leg, &one.what, &one.expected, &one.found, &one.request_id, &one.trace_id];
        let said: Vec<String> = said.iter().map(|text| plain(text)).collect();
        writeln!(out, "| {} | {} |", moment(one.at), said.join(" | "))?;
    }
    writeln!(out, "\n## Timeline\n\n| at | what |\n|---|---|")?;
    for one in &incident.timeline {
        writeln!(out, "| {} | {} |", moment(one.at), plain(&one.what))?;
    }
    writeln!(out, "\nDecide it again: `modegate rollout replay audit.jsonl`, in rollout.state_dir")
}

fn plain(text: &str) -> String {
    printable(text).replace('|', "\\|")
}

/// A text with its control characters replaced: a terminal does what they say.
pub fn printable(text: &str) -> String {
    let printed = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(printed).collect()
}

/// As RFC 3339 writes it, in UTC.
fn moment(at: Millis) -> String {
    let known = i64::try_from(at).ok().and_then(DateTime::from_timestamp_millis);
    known.map_or_else(|| format!("{at} ms"), |known| format!("{known:?}"))
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
