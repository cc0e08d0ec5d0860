//! `modegate bucket`

use clap::Args;
use modegate_filters::bucket::KeySource;
use modegate_filters::dialect::Place;
use serde_json::json;

use super::{ConfigFile, Failure, load::load};

#[derive(Debug, Args)]
pub(super) struct BucketArgs {
    #[command(flatten)]
    file: ConfigFile,
    /// Answer in JSON, one object a line.
    #[arg(long)]
    json: bool,
    /// The keys: rooms, or values of the configured header.
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl BucketArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let canary = load(&self.file.config)?.config.canary;
        let threshold = canary.share.threshold();
        let by_room = canary.keys.contains(&KeySource::Room);
        for key in &self.keys {
            let place = Place::room(key);
            let assignment = canary.assign(if by_room { place.bucket_key() } else { Some(key) });
            let (cohort, why) = (assignment.cohort.word(), assignment.why.word());
            if self.json {
                let line = json!({
                    "key": key,
                    "cohort": cohort,
                    "why": why,
                    "rank": assignment.rank,
                    "threshold": threshold,
                    "percent": canary.share.percent(),
                    "salt": canary.salt,
                });
                println!("{line}");
            } else {
                let rank = assignment.rank.map_or("-".to_owned(), |rank| rank.to_string());
                let key = key.escape_debug();
                println!("{key}: {cohort} (by {why}: rank {rank}, threshold {threshold})");
            }
        }
        Ok(())
    }
}
