//! Parity, shown: an API server that knows nothing of the contract loses every fast message's mode;
//! with `cloud_enforced` on and `parity.on_mismatch` at "repair" it is carried across.

use std::io::Write;

use serde_json::Value;

use super::step::MessageKind;
use super::{Rooms, Sidecar, WalkError, Walker};
use crate::admin::parity_table;
use crate::demo::origins::Origins;

/// What is sent each time: two of them leave the frontend leg in fast mode.
const MESSAGES: [MessageKind; 4] = [
    MessageKind::Plain,
    MessageKind::FastControl,
    MessageKind::FastCanary,
    MessageKind::FastStream,
];
/// The verdicts that are looked at, and how many of each the messages give: counted only, and
/// repaired.
const VERDICTS: [(&str, [u64; 2]); 7] = [
    ("match", [2, 4]),
    ("mode_missing", [2, 0]),
    ("mode_altered", [0, 0]),
    ("mode_invented", [0, 0]),
    ("room_missing", [0, 0]),
    ("room_crossed", [0, 0]),
    ("unobserved", [0, 0]),
];
const ENFORCEMENT: [&str; 2] = ["only counted", "repaired"];

/// Sends the same messages with mismatches counted, and with mismatches repaired, and writes what
/// the bridge leg found. The flags that it set are taken back at the end.
pub async fn parity(
    sidecar: &Sidecar,
    origins: &Origins,
    out: &mut dyn Write,
) -> Result<(), WalkError> {
    let mut walker = Walker::new(sidecar, origins);
    let shown = walker.parity(out).await;
    let cleared = walker.operator.clear().await;
    shown.and(cleared)
}

impl Walker<'_> {
    async fn parity(&mut self, out: &mut dyn Write) -> Result<(), WalkError> {
        let rooms = self.one_of_each_cohort().await?;
        for flag in ["contract", "runtime"] {
            self.operator.set(flag, true, "parity").await?;
        }
        writeln!(
            out,
            "\nParity: what the bridge leg got of what the frontend leg let through, two fast \
             messages among four"
        )?;
        let mut before = self.verdicts(&rooms, None).await?;
        for (at, enforcement) in ENFORCEMENT.into_iter().enumerate() {
            if at == 1 {
                self.operator.set("cloud_enforced", true, "parity").await?;
            }
            let after = self.verdicts(&rooms, Some(&MESSAGES)).await?;
            let found: Vec<u64> =
                after.iter().zip(&before).map(|(after, before)| after - before).collect();
            let expected: Vec<u64> = VERDICTS.iter().map(|(_, counts)| counts[at]).collect();
            writeln!(out, "  {enforcement:<14}{}", listed(&found))?;
            if found != expected {
                let verdicts = [listed(&expected), listed(&found)];
                return Err(WalkError::Parity { enforcement, verdicts });
            }
            before = after;
        }
        let whole = self.operator.parity().await?;
        writeln!(out, "\n$ modegate parity\n{}", parity_table(&whole).trim_end())?;
        Ok(())
    }

    /// The bridge leg's verdicts so far, after these messages.
    async fn verdicts(
        &mut self,
        rooms: &Rooms,
        messages: Option<&[MessageKind]>,
    ) -> Result<Vec<u64>, WalkError> {
        for kind in messages.unwrap_or_default() {
            let room = match kind {
                MessageKind::FastControl => &rooms.control,
                _ => &rooms.canary,
            };
            self.send(*kind, room).await?;
        }
        let answer = self.operator.parity().await?;
        let counts: &Value = &answer["legs"]["bridge"]["verdicts"];
        Ok(VERDICTS.map(|(verdict, _)| counts[verdict].as_u64().unwrap_or(0)).to_vec())
    }
}

fn listed(counts: &[u64]) -> String {
    let named = VERDICTS.iter().zip(counts).filter(|(_, count)| **count > 0);
    let words: Vec<String> =
        named.map(|((verdict, _), count)| format!("{verdict} {count}")).collect();
    words.join(", ")
}
