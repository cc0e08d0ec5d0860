//! placeholder
use serde::{Deserialize, Serialize};
use super::observe::{Instance, Observations};
use super::plan::Millis;
use super::totals::Totals;
/// x
#[derive(Clone, Debug)]
pub struct Sample { /// x
 pub instance: Instance, /// x
 pub totals: Totals, /// x
 pub began: Option<Millis> }
/// x
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Looks;
impl Looks { /// x
 pub fn look(&mut self, _samples: Vec<Sample>, _age: Option<Millis>) -> Observations { Observations::default() } }
