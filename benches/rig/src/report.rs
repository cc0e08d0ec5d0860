//! The results as Markdown.

use std::fmt::Write;

use crate::machine::Machine;
use crate::results::Results;
use crate::run::{Plan, SMALL};
use crate::targets::targets;

/// What every ratio of the tables is against.
const AGAINST: &str = "nginx";

/// The whole report.
pub fn report(plan: &Plan, machine: &Machine, results: &Results) -> String {
    let mut text = String::new();
    let Machine { processor, cores, kernel, commit, versions, date } = machine;
    let (_, lasts) = plan.times;
    let _ = writeln!(
        text,
        "Commit {commit}, {date} UTC; {processor}, {cores} cores, Linux {kernel}; {}. {} rounds of \
         {lasts:?} each; medians, in brackets the least and the most.\n",
        versions.join(", "),
        plan.rounds,
    );
    of_targets(&mut text, results);
    let proxies: Vec<&str> = plan.proxies.iter().map(|proxy| proxy.name()).collect();
    let loads: Vec<String> = plan.loads.iter().map(|load| load.name()).collect();
    let cpu = "CPU time per request (events: per event), µs, and against nginx passing through";
    of_loads(&mut text, cpu, results, &proxies, &loads, "cpu_us", 1);
    of_loads(&mut text, "Requests (events) per second", results, &proxies, &loads, "rps", 0);
    of_waits(&mut text, results, &proxies);
    if plan.held.is_some() {
        of_memory(&mut text, results, &proxies);
    }
    if !results.failures.is_empty() {
        text.push_str("### Not measured\n\n");
        for failure in &results.failures {
            let _ = writeln!(text, "- {failure}");
        }
        text.push('\n');
    }
    text
}

fn of_targets(text: &mut String, results: &Results) {
    text.push_str("### Targets\n\n| target | at most | measured | |\n|---|---|---|---|\n");
    for target in targets() {
        let Some(measured) = target.measured(results) else { continue };
        let met = if measured <= target.bound { "met" } else { "**missed**" };
        let _ =
            writeln!(text, "| {} | {:.2} | {measured:.2} | {met} |", target.words, target.bound);
    }
    text.push('\n');
}

fn of_loads(
    text: &mut String,
    title: &str,
    results: &Results,
    proxies: &[&str],
    loads: &[String],
    what: &str,
    digits: usize,
) {
    let _ = writeln!(text, "### {title}\n\n| | {} |", loads.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(loads.len()));
    for proxy in proxies {
        let cells = loads.iter().map(|load| {
            let ratio = results.ratio(load, what, (proxy, AGAINST));
            let ratio = ratio.filter(|_| what == "cpu_us" && *proxy != AGAINST);
            let ratio = ratio.map_or_else(String::new, |ratio| format!(" ×{ratio:.2}"));
            cell(results, (load, proxy, what), digits, &ratio)
        });
        let cells: Vec<String> = cells.collect();
        if cells.iter().any(|cell| cell != "–") {
            let _ = writeln!(text, "| {proxy} | {} |", cells.join(" | "));
        }
    }
    text.push('\n');
}

fn of_waits(text: &mut String, results: &Results, proxies: &[&str]) {
    let small = SMALL.name();
    let Some(rate) = results.median(&small, "rate", "rps") else { return };
    let _ = writeln!(
        text,
        "### Latency at {rate:.0} requests a second of {small} (half of what modegate-strip serves at most), \
         µs from the moment each was due\n\n| | p50 | p99 | p99.9 |\n|---|---|---|---|"
    );
    for proxy in proxies {
        let cells =
            ["p50_us", "p99_us", "p999_us"].map(|what| cell(results, (&small, proxy, what), 0, ""));
        if cells.iter().any(|cell| cell != "–") {
            let _ = writeln!(text, "| {proxy} | {} |", cells.join(" | "));
        }
    }
    text.push('\n');
}

fn of_memory(text: &mut String, results: &Results, proxies: &[&str]) {
    let columns = [
        ("start", "idle_kib", "after its first messages, KiB", 0),
        ("start", "bodies", "peak of a 20 MB body, in bodies", 2),
        ("idle-streams", "connection_kib", "per idle event stream, KiB", 1),
        ("websockets", "connection_kib", "per WebSocket, KiB", 1),
        ("websockets", "cpu_us", "CPU per echoed frame, µs", 1),
    ];
    let titles = columns.map(|(_, _, title, _)| title).join(" | ");
    let _ = writeln!(
        text,
        "### Memory (resident), and WebSockets\n\n| | {titles} |\n|---|---|---|---|---|---|"
    );
    for proxy in proxies {
        let cells =
            columns.map(|(load, what, _, digits)| cell(results, (load, proxy, what), digits, ""));
        if cells.iter().any(|cell| cell != "–") {
            let _ = writeln!(text, "| {proxy} | {} |", cells.join(" | "));
        }
    }
    text.push('\n');
}

/// A figure's median, what is to stand behind that, and its spread.
fn cell(
    results: &Results,
    (load, proxy, what): (&str, &str, &str),
    digits: usize,
    behind: &str,
) -> String {
    let Some(figure) = results.get(load, proxy, what) else { return "–".to_owned() };
    let (least, most) = figure.spread();
    format!("{:.digits$}{behind} [{least:.digits$}–{most:.digits$}]", figure.median())
}
