//! The rollout at work: looks at what is counted, asks `modegate_filters::rollout` what follows from
//! it, writes that down, and has the flags document say it.
