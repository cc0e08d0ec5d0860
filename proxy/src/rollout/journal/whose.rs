//! Whose a state is: a rollout's, by its id and by the salt that draws its members. What was shown of
//! them says nothing of others.

use std::fmt;
use std::path::Path;

use modegate_filters::rollout::plan::Plan;
use modegate_filters::rollout::state::{Phase, State};
use serde::Deserialize;

use super::STATE;

/// A rollout's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    id: String,
    /// `None` in a state of before it was written down.
    salt: Option<String>,
}

/// What of a state's file tells it.
#[derive(Deserialize)]
struct Kept {
    #[serde(default)]
    salt: Option<String>,
    state: Option<KeptState>,
}

#[derive(Deserialize)]
struct KeptState {
    rollout: String,
    phase: Phase,
}

impl Whose {
    /// The rollout of this plan and this salt.
    pub fn new(plan: &Plan, salt: &str) -> Whose {
        Whose { id: plan.id.clone(), salt: Some(salt.to_owned()) }
    }

    /// Whose a state is; nobody's while it is a draft.
    pub fn of(state: &State, salt: Option<&str>) -> Option<Whose> {
        let whose = Whose { id: state.rollout.clone(), salt: salt.map(str::to_owned) };
        (state.phase != Phase::Draft).then_some(whose)
    }

    /// Whose the state in a directory is, as far as it can be read, whoever has it.
    pub fn kept(dir: &Path) -> Option<Whose> {
        let text = std::fs::read(dir.join(STATE)).ok()?;
        let Kept { salt, state } = serde_json::from_slice(&text).ok()?;
        let state = state.filter(|state| state.phase != Phase::Draft)?;
        Some(Whose { id: state.rollout, salt })
    }

    /// Whether it is the same as this one, as far as is known.
    pub fn is(&self, other: &Whose) -> bool {
        let salts = self.salt.as_ref().zip(other.salt.as_ref());
        self.id == other.id && salts.is_none_or(|(ours, theirs)| ours == theirs)
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rollout {:?}", self.id)?;
        match &self.salt {
            Some(salt) => write!(f, " with canary.salt {salt:?}"),
            None => Ok(()),
        }
    }
}
