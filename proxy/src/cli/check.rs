//! `modegate check`

use clap::Args;
use serde_json::json;

use super::{ConfigFile, Failure, load::load};

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    file: ConfigFile,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl CheckArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let loaded = match load(&self.file.config) {
            Ok(loaded) => loaded,
            Err(Failure::Usage(report)) if self.json => {
                println!("{}", json!({ "valid": false, "report": report }));
                return Err(Failure::Usage("the configuration is not valid".to_owned()));
            }
            Err(failure) => return Err(failure),
        };
        if self.json {
            println!("{}", json!({ "valid": true }));
        } else {
            println!("{}: valid", loaded.path.display());
        }
        Ok(())
    }
}
