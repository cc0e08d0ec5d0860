//! The flags' layers: what one source says of each flag, how layers fold into the flags that a
//! request sees, and which combinations are refused. Nothing here is shared or timed.

use std::collections::BTreeMap;
use std::fmt;

use modegate_filters::decide::Flags;

use crate::read::Section;
use crate::report::{Invalid, Report};
use crate::rule::{boolean, quoted};

/// What an environment variable may say.
const WORDS: &str = "1, true, on or yes; 0, false, off or no; empty for unset";

/// A flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// The contract member is accepted, validated and forwarded.
    Contract,
    /// Modes other than the default apply, to the canary cohort.
    Runtime,
    /// The capability document says that the toggle may be shown.
    Ui,
    /// A parity mismatch on the bridge leg is refused or repaired.
    CloudEnforced,
    /// Hard rollback: everything is removed everywhere.
    Kill,
}

impl Flag {
    /// Every flag, in the order of the documentation.
    pub const ALL: [Flag; 5] =
        [Flag::Contract, Flag::Runtime, Flag::Ui, Flag::CloudEnforced, Flag::Kill];

    /// The name in the file, the admin API and the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Flag::Contract => "contract",
            Flag::Runtime => "runtime",
            Flag::Ui => "ui",
            Flag::CloudEnforced => "cloud_enforced",
            Flag::Kill => "kill",
        }
    }

    /// The environment variable that sets it.
    pub fn env(self) -> &'static str {
        match self {
            Flag::Contract => "FAST_MODE_CONTRACT_ENABLED",
            Flag::Runtime => "FAST_MODE_RUNTIME_ENABLED",
            Flag::Ui => "FAST_MODE_UI_ENABLED",
            Flag::CloudEnforced => "FAST_MODE_CLOUD_ENFORCED",
            Flag::Kill => "FAST_MODE_KILL",
        }
    }

    /// The flag with this name.
    pub fn from_name(name: &str) -> Option<Flag> {
        Flag::ALL.into_iter().find(|flag| flag.name() == name)
    }

    /// Its value in the flags that a request sees.
    pub fn of(self, flags: &Flags) -> bool {
        match self {
            Flag::Contract => flags.contract,
            Flag::Runtime => flags.runtime,
            Flag::Ui => flags.ui,
            Flag::CloudEnforced => flags.cloud_enforced,
            Flag::Kill => flags.kill,
        }
    }

    /// The flags that must be on where this one is.
    pub fn needs(self) -> &'static [Flag] {
        match self {
            Flag::Runtime => &[Flag::Contract],
            Flag::Ui => &[Flag::Contract, Flag::Runtime],
            Flag::Contract | Flag::CloudEnforced | Flag::Kill => &[],
        }
    }

    fn put(self, flags: &mut Flags, on: bool) {
        match self {
            Flag::Contract => flags.contract = on,
            Flag::Runtime => flags.runtime = on,
            Flag::Ui => flags.ui = on,
            Flag::CloudEnforced => flags.cloud_enforced = on,
            Flag::Kill => flags.kill = on,
        }
    }
}

/// What one source says: on, off or nothing of each flag. The default says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagLayer(BTreeMap<Flag, bool>);

impl FlagLayer {
    /// What it says of a flag, `None` where that is nothing.
    pub fn get(&self, flag: Flag) -> Option<bool> {
        self.0.get(&flag).copied()
    }

    /// Makes it say that a flag is on (`true`) or off.
    pub fn set(&mut self, flag: Flag, on: bool) {
        self.0.insert(flag, on);
    }

    /// Makes it say nothing of a flag.
    pub fn clear(&mut self, flag: Flag) {
        self.0.remove(&flag);
    }

    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it says, in the order of [`Flag::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Flag, bool)> {
        self.0.iter().map(|(flag, on)| (*flag, *on))
    }
}

/// The layer that environment variables give; variables that name no flag are ignored.
///
/// # Errors
/// Every variable whose value is not a word for on or off, with the variable's name as its path.
pub fn from_environment(vars: impl Iterator<Item = (String, String)>) -> Result<FlagLayer, Report> {
    let mut layer = FlagLayer::default();
    let mut faults = Vec::new();
    for (name, value) in vars {
        let Some(flag) = Flag::ALL.into_iter().find(|flag| flag.env() == name) else {
            continue;
        };
        match value.to_ascii_lowercase().as_str() {
            "" => {}
            "1" | "true" | "on" | "yes" => layer.set(flag, true),
            "0" | "false" | "off" | "no" => layer.set(flag, false),
            _ => faults.push(Invalid {
                path: name,
                line: None,
                column: None,
                found: quoted(&value),
                allowed: WORDS.to_owned(),
                nearest: None,
            }),
        }
    }
    Report::of(faults).map_or(Ok(layer), Err)
}

/// The flags that layers give together: the later says, but kill is on as soon as one says so.
pub fn fold<'a>(layers: impl Iterator<Item = &'a FlagLayer>) -> Flags {
    let mut flags = Flags::default();
    for (flag, on) in layers.flat_map(FlagLayer::iter) {
        let on = on || flag == Flag::Kill && flags.kill;
        flag.put(&mut flags, on);
    }
    flags
}

/// Whether flags may stand together; kill excuses nothing, since it can be lifted at any moment.
///
/// # Errors
/// The first flag that is on without those that it needs.
pub fn check(flags: &Flags) -> Result<(), Broken> {
    broken(flags).next().map_or(Ok(()), Err)
}

pub(crate) fn broken(flags: &Flags) -> impl Iterator<Item = Broken> {
    let lacks = |flag: &Flag| flag.of(flags) && flag.needs().iter().any(|need| !need.of(flags));
    Flag::ALL.into_iter().filter(lacks).map(|flag| Broken { flag, needs: flag.needs() })
}

/// A flag that is on without those that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The flag that is on.
    pub flag: Flag,
    /// All that must be on with it.
    pub needs: &'static [Flag],
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs: Vec<&str> = self.needs.iter().map(|flag| flag.name()).collect();
        write!(f, "{} needs {}", self.flag.name(), needs.join(" and "))
    }
}

impl std::error::Error for Broken {}

/// Reads `[flags]`.
pub(crate) fn read(root: &mut Section<'_, '_>) -> FlagLayer {
    root.section("flags", |section| {
        let said =
            Flag::ALL.into_iter().map(|flag| (flag, section.optional(flag.name(), boolean())));
        let layer = FlagLayer(said.filter_map(|(flag, on)| Some((flag, on?))).collect());
        check_file(section, &layer);
        layer
    })
}

/// The file's flags must stand by themselves: the other layers may say nothing.
fn check_file(section: &Section<'_, '_>, layer: &FlagLayer) {
    // What is on or off cannot be said of a flag whose value is itself a fault.
    let faulty: Vec<Flag> =
        Flag::ALL.into_iter().filter(|flag| !section.sound(flag.name())).collect();
    for Broken { flag, needs } in broken(&fold([layer].into_iter())) {
        if !needs.iter().any(|need| faulty.contains(need)) {
            let on = |need: &Flag| format!("flags.{} = true", need.name());
            let needs: Vec<String> = needs.iter().map(on).collect();
            let allowed = format!("false, or {}", needs.join(" and "));
            section.refuse(flag.name(), "true", allowed);
        }
    }
}

#[cfg(test)]
mod tests;
