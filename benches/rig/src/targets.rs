//! The bounds that modegate is held to, each against another proxy of the same run.

use crate::load::Load;
use crate::message::Member;
use crate::results::Results;
use crate::run::SMALL;

/// A bound.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is about, in words.
    pub words: &'static str,
    /// What is compared.
    pub compared: Compared,
    /// It is met at this, or below it.
    pub bound: f64,
}

/// What a bound compares.
#[derive(Clone, Copy, Debug)]
pub enum Compared {
    /// CPU time of a unit of a load: one proxy's over another's.
    Cpu(Load, &'static str, &'static str),
    /// What a proxy adds to the 99th percentile of no proxy, over what another adds.
    AddedP99(&'static str, &'static str),
    /// Memory of a connection of this kind: one proxy's over another's.
    Connection(&'static str, &'static str, &'static str),
    /// Bodies in memory at the peak.
    Bodies(&'static str),
}

const STRIP: &str = "modegate-strip";
const OFF: &str = "modegate-off";

/// All of them.
#[rustfmt::skip]
pub fn targets() -> Vec<Target> {
    let with = |size| Load::Message(size, Member::Last);
    let cpu = |words, load, ours, theirs, bound| {
        Target { words, compared: Compared::Cpu(load, ours, theirs), bound }
    };
    let (middle, large) = (with(32 << 10), with(512 << 10));
    let without = Load::Message(400, Member::None);
    vec![
        cpu("0.4 KB, stripping, against nginx passing through", SMALL, STRIP, "nginx", 1.10),
        cpu("0.4 KB, stripping, against nginx + Lua", SMALL, STRIP, "nginx-lua", 0.80),
        cpu("0.4 KB, stripping, against hyper passing through", SMALL, STRIP, "hyper", 1.06),
        cpu("32 KB, stripping, against nginx passing through", middle, STRIP, "nginx", 0.85),
        cpu("32 KB, stripping, against nginx with its own buffers", middle, STRIP, "nginx-defaults", 0.85),
        cpu("32 KB, stripping, against nginx + Lua", middle, STRIP, "nginx-lua", 0.25),
        cpu("32 KB, stripping, against hyper passing through", middle, STRIP, "hyper", 1.15),
        cpu("512 KB, stripping, against nginx passing through", large, STRIP, "nginx", 0.45),
        cpu("512 KB, stripping, against nginx with its own buffers", large, STRIP, "nginx-defaults", 0.45),
        cpu("512 KB, stripping, against nginx + Lua", large, STRIP, "nginx-lua", 0.11),
        cpu("512 KB, stripping, against hyper passing through", large, STRIP, "hyper", 1.35),
        cpu("contract off, 0.4 KB without the member, against nginx", without, OFF, "nginx", 1.05),
        cpu("contract off, 0.4 KB without the member, against hyper", without, OFF, "hyper", 1.03),
        cpu("event stream, per event, against nginx", Load::Stream, STRIP, "nginx", 1.00),
        Target {
            words: "added p99 at half of saturation, against nginx's",
            compared: Compared::AddedP99(STRIP, "nginx"),
            bound: 1.00,
        },
        Target {
            words: "memory per idle event stream, against nginx's",
            compared: Compared::Connection("idle-streams", STRIP, "nginx"),
            bound: 1.00,
        },
        Target {
            words: "20 MB body: peak memory, in bodies",
            compared: Compared::Bodies(STRIP),
            bound: 1.1,
        },
        // What a thread serves is one over what a request costs it: two serve 1.8 times what one
        // does where a request costs each of them 2 / 1.8 of what it costs one alone.
        cpu("0.4 KB: CPU per request with two threads, against one (1.8 times as much is 1.11)",
            SMALL, "modegate-two-threads", "modegate-one-thread", 2.0 / 1.8),
    ]
}

impl Target {
    /// What was measured; `None` where it was not.
    pub fn measured(&self, results: &Results) -> Option<f64> {
        match self.compared {
            Compared::Cpu(load, one, other) => results.ratio(&load.name(), "cpu_us", (one, other)),
            Compared::AddedP99(one, other) => {
                let p99 = |proxy| results.median(&SMALL.name(), proxy, "p99_us");
                let none = p99("none")?;
                Some((p99(one)? - none) / (p99(other)? - none))
            }
            Compared::Connection(kind, one, other) => {
                results.ratio(kind, "connection_kib", (one, other))
            }
            Compared::Bodies(proxy) => results.median("start", proxy, "bodies"),
        }
    }
}
