//! The decision: flags, what was asked for and the cohort, to what is done with the body and
//! which mode applies. This is the table of the design, and nothing else.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bucket::Cohort;
use crate::contract::{Contract, Fault, Mode, Profile, Reading, Requested};
use crate::route::Leg;

/// The flags that one request sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// The contract member is accepted, validated and forwarded; off: removed.
    pub contract: bool,
    /// Modes other than the default apply, to the canary cohort.
    pub runtime: bool,
    /// The capability document says that the toggle may be shown.
    pub ui: bool,
    /// A parity mismatch on the bridge leg is refused or repaired instead of only counted.
    pub cloud_enforced: bool,
    /// Hard rollback: everything is removed everywhere, whatever the rest says.
    pub kill: bool,
}

impl Flags {
    /// Whether what does not fit what the leg before let through is kept from going on here.
    pub fn enforces(self, leg: Leg) -> bool {
        leg == Leg::Bridge && self.cloud_enforced && !self.kill
    }
}

/// What is done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The body leaves as it came.
    Pass,
    /// Every contract member is removed.
    Strip,
    /// The default mode takes the place of the one asked for.
    Downgrade,
    /// What the frontend leg let through is put back (bridge leg, with `cloud_enforced`).
    Repair,
    /// The request is refused.
    Reject,
}

impl Action {
    /// The word that logs, metrics and commands use.
    pub fn word(self) -> &'static str {
        match self {
            Action::Pass => "pass",
            Action::Strip => "strip",
            Action::Downgrade => "downgrade",
            Action::Repair => "repair",
            Action::Reject => "reject",
        }
    }
}

/// Why a mode other than the default did not apply, or that it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// Kill is on, or the contract is off.
    ContractOff,
    /// The value is not valid.
    Invalid(Fault),
    /// Nothing but the default was asked for.
    Default,
    /// The runtime flag is off.
    RuntimeOff,
    /// The cohort is control.
    Control,
    /// The profile is not configured, or belongs to another mode.
    ProfileFallback,
    /// The mode asked for applies.
    Applied,
}

/// What the table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is done.
    pub action: Action,
    /// The mode that leaves towards the upstream.
    pub effective: Mode,
    /// The profile that applies, with a mode other than the default.
    pub profile: Option<Arc<Profile>>,
    /// Which row of the table it was.
    pub because: Because,
}

/// Reads the table.
pub fn decide(flags: Flags, contract: &Contract, reading: &Reading, cohort: Cohort) -> Decision {
    let default =
        |action, because| Decision { action, effective: Mode::DEFAULT, profile: None, because };
    if flags.kill || !flags.contract {
        return default(Action::Strip, Because::ContractOff);
    }
    let mode = match reading.requested {
        Requested::Invalid(fault) => return default(Action::Reject, Because::Invalid(fault)),
        Requested::Nothing | Requested::Mode(Mode::DEFAULT) => {
            return default(Action::Pass, Because::Default);
        }
        Requested::Mode(mode) => mode,
    };
    if !flags.runtime {
        return default(Action::Downgrade, Because::RuntimeOff);
    }
    if cohort == Cohort::Control {
        return default(Action::Downgrade, Because::Control);
    }
    let profile = match &reading.profile {
        None => None,
        Some(name) => match contract.profiles.get(name).filter(|profile| profile.mode == mode) {
            None => return default(Action::Downgrade, Because::ProfileFallback),
            known => known.cloned(),
        },
    };
    Decision { action: Action::Pass, effective: mode, profile, because: Because::Applied }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Downgrade, Modes};

    fn contract() -> Contract {
        let modes = ["default", "fast", "turbo"].map(str::to_owned);
        let modes = Modes::new(modes).unwrap();
        let profiles = [("fast-v1", "fast"), ("turbo-v1", "turbo")].map(|(name, mode)| {
            let mode = modes.find(mode).unwrap();
            (name.to_owned(), Arc::new(Profile::new(name.to_owned(), mode).unwrap()))
        });
        Contract {
            field: "processing".to_owned(),
            modes,
            downgrade: Downgrade::Replace,
            body_limit: 1024,
            runtime_body_limit: 1024,
            profiles: profiles.into(),
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    fn every_row() {
        let contract = contract();
        let fast = contract.modes.find("fast").unwrap();
        let asks = |profile: Option<&str>| Reading {
            requested: Requested::Mode(fast),
            profile: profile.map(str::to_owned),
        };
        let default = Reading { requested: Requested::Mode(Mode::DEFAULT), profile: None };
        let fault = Fault::Mode;
        let invalid = Reading { requested: Requested::Invalid(fault), profile: None };
        let readings =
            [Reading::ABSENT, default.clone(), asks(None), asks(Some("fast-v1")), invalid.clone()];

        let off = Flags::default();
        let on = Flags { contract: true, ..off };
        let run = Flags { runtime: true, ..on };
        let killed = Flags { kill: true, ..run };
        for cohort in Cohort::ALL {
            for reading in &readings {
                for flags in
                    [off, killed, Flags { kill: true, ..off }, Flags { runtime: true, ..off }]
                {
                    let got = decide(flags, &contract, reading, cohort);
                    assert_eq!(got.action, Action::Strip, "{flags:?} {reading:?}");
                    assert_eq!(got.effective, Mode::DEFAULT);
                }
            }
        }

        let cases = [
            ("invalid", on, &invalid, Cohort::Canary, Action::Reject, Because::Invalid(fault)),
            (
                "invalid, runtime on",
                run,
                &invalid,
                Cohort::Control,
                Action::Reject,
                Because::Invalid(fault),
            ),
            ("absent", on, &Reading::ABSENT, Cohort::Canary, Action::Pass, Because::Default),
            (
                "absent, runtime on",
                run,
                &Reading::ABSENT,
                Cohort::Canary,
                Action::Pass,
                Because::Default,
            ),
            ("default", run, &default, Cohort::Canary, Action::Pass, Because::Default),
            (
                "runtime off",
                on,
                &asks(None),
                Cohort::Canary,
                Action::Downgrade,
                Because::RuntimeOff,
            ),
            ("control", run, &asks(None), Cohort::Control, Action::Downgrade, Because::Control),
            (
                "unknown profile",
                run,
                &asks(Some("x")),
                Cohort::Canary,
                Action::Downgrade,
                Because::ProfileFallback,
            ),
            (
                "another mode's profile",
                run,
                &asks(Some("turbo-v1")),
                Cohort::Canary,
                Action::Downgrade,
                Because::ProfileFallback,
            ),
            (
                "unknown profile, control",
                run,
                &asks(Some("x")),
                Cohort::Control,
                Action::Downgrade,
                Because::Control,
            ),
        ];
        for (name, flags, reading, cohort, action, because) in cases {
            let got = decide(flags, &contract, reading, cohort);
            assert_eq!((got.action, got.because), (action, because), "{name}");
            assert_eq!((got.effective, got.profile), (Mode::DEFAULT, None), "{name}");
        }

        let bare = decide(run, &contract, &asks(None), Cohort::Canary);
        assert_eq!((bare.action, bare.effective, bare.profile), (Action::Pass, fast, None));
        let named = decide(run, &contract, &asks(Some("fast-v1")), Cohort::Canary);
        assert_eq!((named.action, named.effective), (Action::Pass, fast));
        assert_eq!(named.profile.unwrap().name, "fast-v1");
    }
}
