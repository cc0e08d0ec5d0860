//! The rollout, decided: a plan of stages, what is observed of each, gates that say whether it may
//! go on, and the machine that advances, holds and rolls back. Pure: observations and the time come
//! in, the next state comes out, and the same input gives the same output bit for bit.
//!
//! Reading order: [`plan`] is what is wanted, [`observe`] what is seen, [`gates`] what is made of
//! it, [`decide`] what is done about it.

pub mod attribution;
pub mod audit;
pub mod baseline;
pub mod check;
pub mod counts;
pub mod decide;
pub mod defaults;
pub mod emergency;
pub mod evidence;
pub mod gates;
pub mod incident;
pub mod latency;
pub mod looks;
pub mod observe;
pub mod plan;
pub mod report;
pub mod simulate;
pub mod state;
pub mod totals;
