//! `modegate rollout simulate`

use clap::Args;
use modegate_filters::rollout::simulate::{Bound, Outcome, Size, simulate};
use serde_json::json;

use crate::cli::Failure;

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// How many rollouts of each scenario.
    #[arg(long, value_name = "N", default_value_t = 2_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rollouts: u32,
    /// How often each is looked at; in fewer looks, less is found.
    #[arg(long, value_name = "N", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    looks: u32,
    /// Where the random numbers begin: the same seed gives the same figures.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl SimulateArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let SimulateArgs { rollouts, looks, seed, json } = self;
        let outcomes = simulate(Size { rollouts, looks, seed });
        let broken = outcomes.iter().filter(|outcome| !outcome.holds).count();
        if json {
            let answer = json!({
                "rollouts": rollouts,
                "looks": looks,
                "seed": seed,
                "holds": broken == 0,
                "outcomes": outcomes,
            });
            println!("{answer}");
        } else {
            println!("{rollouts} rollouts of each, {looks} looks, seed {seed}");
            for outcome in &outcomes {
                println!("{}", line(outcome));
            }
        }
        match broken {
            0 => Ok(()),
            _ => Err(Failure::Failed(format!("{broken} of {} do not hold", outcomes.len()))),
        }
    }
}

fn line(outcome: &Outcome) -> String {
    let percent = 100.0 * f64::from(outcome.happened) / f64::from(outcome.rollouts);
    let look = outcome.median_look.map_or("-".to_owned(), |look| look.to_string());
    let asked = match outcome.bound {
        Bound::AtMost(rate) => format!("at most {:.0} %", 100.0 * rate),
        Bound::AtLeast(rate) => format!("at least {:.0} %", 100.0 * rate),
        Bound::Exceeds(rate) => format!("more than {:.0} %, as expected", 100.0 * rate),
        Bound::Shown => "shown only".to_owned(),
    };
    let broken = if outcome.holds { "" } else { "  DOES NOT HOLD" };
    format!(
        "{:<63} {:<14} {percent:>6.2} %  median look {look:>2}  {asked}{broken}",
        outcome.scenario, outcome.counted
    )
}
