//! Reads the configuration file and the environment.

use std::path::{Path, PathBuf};

use modegate_config::Config;
use modegate_config::flags::{FlagLayer, check, fold, from_environment};
use modegate_filters::decide::Flags;
use modegate_filters::inspect::Policy;

use super::Failure;

/// A configuration and what it was read from.
pub struct Loaded {
    pub path: PathBuf,
    pub text: String,
    pub config: Config,
    pub environment: FlagLayer,
}

impl Loaded {
    /// The file's and the environment's flags, folded.
    pub fn flags(&self) -> Flags {
        fold([&self.config.flags, &self.environment].into_iter())
    }

    /// How requests are judged by it.
    pub fn policy(&self) -> Policy {
        Policy::new(self.config.contract.clone(), self.config.canary.clone())
    }
}

/// Reads a file and the environment; the failure holds every fault of both.
pub fn load(path: &Path) -> Result<Loaded, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    let config = Config::parse(&text);
    let environment = from_environment(environment());
    let (config, environment) = match (config, environment) {
        (Ok(config), Ok(environment)) => (config, environment),
        (config, environment) => {
            let file = config.err().map(|report| format!("{}:\n{report}", path.display()));
            let variables = environment.err().map(|report| format!("environment:\n{report}"));
            let reports: Vec<String> = file.into_iter().chain(variables).collect();
            return Err(Failure::Usage(reports.join("\n")));
        }
    };
    let loaded = Loaded { path: path.to_owned(), text, config, environment };
    check(&loaded.flags()).map_err(|broken| {
        Failure::Usage(format!("{} and environment together: {broken}", path.display()))
    })?;
    Ok(loaded)
}

/// The environment, as far as it is text: no flag is named or set by anything else.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    })
}
