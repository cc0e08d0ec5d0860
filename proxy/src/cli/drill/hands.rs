//! What a drill sets by hand: only where nobody else did, and only that is taken back.

use http::Method;
use modegate_config::flags::Flag;
use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::answer::{FLAG_CHANGED, FLAGS};
use crate::cli::call::AdminArgs;
use crate::cli::flags::on_off;

/// What is set ends by itself, should the drill not come to its end.
const EXPIRES: &str = "5m";

/// The overrides of a drill.
pub struct Hands<'d> {
    admin: &'d AdminArgs,
    actor: String,
    reason: &'d str,
    /// The toggle is shown, and needs the runtime.
    shows_ui: bool,
    ours: Vec<Ours>,
}

/// An override that the drill has set, or has tried to.
struct Ours {
    flag: Flag,
    value: bool,
    /// When it ends, once that was seen.
    expires: Option<Value>,
}

impl<'d> Hands<'d> {
    /// Where nothing is set by hand that a drill would set.
    ///
    /// # Errors
    /// What is set, and by whom.
    pub fn free(
        admin: &'d AdminArgs,
        actor: String,
        reason: &'d str,
    ) -> Result<Hands<'d>, Failure> {
        let mut hands = Hands { admin, actor, reason, shows_ui: false, ours: Vec::new() };
        let view = hands.view()?;
        hands.shows_ui = view["flags"]["ui"]["value"] == true;
        hands.check(&view)?;
        Ok(hands)
    }

    /// Whether nobody else has set anything of it meanwhile.
    pub fn are_free(&self) -> Result<(), Failure> {
        self.check(&self.view()?)
    }

    /// Rolls back softly.
    pub fn soft(&mut self) -> Result<(), Failure> {
        if self.shows_ui {
            self.set(Flag::Ui, false)?;
        }
        self.set(Flag::Runtime, false)
    }

    /// Rolls back hard.
    pub fn hard(&mut self) -> Result<(), Failure> {
        self.set(Flag::Kill, true)
    }

    /// Looks at what was set, to know it again.
    pub fn note(&mut self) -> Result<(), Failure> {
        let view = self.view()?;
        for ours in &mut self.ours {
            let found = &override_of(&view, ours.flag)["expires"];
            if ours.expires.is_none() && !found.is_null() {
                ours.expires = Some(found.clone());
            }
        }
        Ok(())
    }

    /// Takes back what the drill has set, the last first, and nothing that is somebody else's by now.
    /// What could not be taken back may be tried again.
    ///
    /// # Errors
    /// The first of these, and of what is somebody else's; the others are taken back.
    pub fn take_back(&mut self) -> Result<(), Failure> {
        if self.ours.is_empty() {
            return Ok(());
        }
        let view = self.view()?;
        let mut done = Ok(());
        for ours in std::mem::take(&mut self.ours).into_iter().rev() {
            let found = override_of(&view, ours.flag);
            let this = if found.is_null() {
                Ok(())
            } else if self.is_ours(&ours, found) {
                self.clear(ours.flag).inspect_err(|_| self.ours.insert(0, ours))
            } else {
                let whose = shown(ours.flag, found);
                Err(Failure::Failed(format!(
                    "{whose}: somebody else set it meanwhile, so it stays"
                )))
            };
            done = done.and(this);
        }
        done
    }

    /// A failure with what may be left in force.
    pub fn stays(&self, failure: Failure) -> Failure {
        if self.ours.is_empty() {
            return failure;
        }
        let flags: Vec<&str> = self.ours.iter().map(|ours| ours.flag.name()).collect();
        failure.and(&format!("set by hand for {EXPIRES} at most: {}", flags.join(", ")))
    }

    fn check(&self, view: &Value) -> Result<(), Failure> {
        let mut sets = vec![Flag::Runtime, Flag::Kill];
        if self.shows_ui {
            sets.push(Flag::Ui);
        }
        let mine = |flag, found: &Value| {
            self.ours.iter().any(|ours| ours.flag == flag && self.is_ours(ours, found))
        };
        let others: Vec<String> = sets
            .into_iter()
            .map(|flag| (flag, override_of(view, flag)))
            .filter(|(flag, found)| !found.is_null() && !mine(*flag, found))
            .map(|(flag, found)| shown(flag, found))
            .collect();
        match others.as_slice() {
            [] => Ok(()),
            others => Err(Failure::Failed(format!(
                "set by hand already: {}; a drill sets and clears these flags itself: clear them \
                 first, or wait until they end",
                others.join("; ")
            ))),
        }
    }

    fn set(&mut self, flag: Flag, value: bool) -> Result<(), Failure> {
        // Also where no answer comes: it may have been set.
        self.ours.push(Ours { flag, value, expires: None });
        let mut body = self.explained();
        (body["value"], body["expires"]) = (json!(value), json!(EXPIRES));
        let path = format!("/flags/{}", flag.name());
        self.admin.call(Method::PUT, &path, Some(body), &FLAG_CHANGED).map(drop)
    }

    fn clear(&self, flag: Flag) -> Result<(), Failure> {
        let path = format!("/flags/{}", flag.name());
        self.admin.call(Method::DELETE, &path, Some(self.explained()), &FLAG_CHANGED).map(drop)
    }

    fn is_ours(&self, ours: &Ours, found: &Value) -> bool {
        let same = found["value"] == ours.value
            && found["actor"] == self.actor.as_str()
            && found["reason"] == self.reason;
        same && ours.expires.as_ref().is_none_or(|expires| found["expires"] == *expires)
    }

    fn view(&self) -> Result<Value, Failure> {
        self.admin.call(Method::GET, "/flags", None, &FLAGS)
    }

    fn explained(&self) -> Value {
        json!({ "actor": self.actor, "reason": self.reason })
    }
}

fn override_of(view: &Value, flag: Flag) -> &Value {
    &view["flags"][flag.name()]["layers"]["override"]
}

fn shown(flag: Flag, found: &Value) -> String {
    let said = |key: &str| found[key].as_str().unwrap_or_default().escape_debug().to_string();
    let word = on_off(&found["value"]);
    format!("{} {word} by {}: {}", flag.name(), said("actor"), said("reason"))
}
