//! `modegate check`

use clap::Args;
use serde_json::json;

use super::{ConfigFile, Failure, compare::compare, load::load, named_files};

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    file: ConfigFile,
    /// Also look whether the files that it names can be used: token, certificates, keys, roots.
    #[arg(long)]
    files: bool,
    /// Compare its modes and profiles with those in force in running sidecars, by their admin
    /// listeners; may be given several times.
    #[arg(long, value_name = "URL", num_args = 1..)]
    against: Vec<String>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl CheckArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let read = load(&self.file.config).and_then(|loaded| match self.files {
            true => named_files::look(&loaded).map(|()| loaded),
            false => Ok(loaded),
        });
        let loaded = match read {
            Ok(loaded) => loaded,
            Err(Failure::Usage(report)) if self.json => {
                println!("{}", json!({ "valid": false, "report": report }));
                return Err(Failure::Usage("the configuration is not valid".to_owned()));
            }
            Err(failure) => return Err(failure),
        };
        let alone = self.against.is_empty();
        match self.json {
            false => println!("{}: valid", loaded.path.display()),
            true if alone => println!("{}", json!({ "valid": true })),
            true => {}
        }
        if alone {
            return Ok(());
        }
        compare(&loaded.config.contract, &self.against, self.json)
    }
}
