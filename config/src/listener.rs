//! `[[listener]]`: which leg listens where and forwards to what.

use modegate_filters::allow::Call;
use modegate_filters::route::Leg;

use crate::admin::Admin;
use crate::bind::{Bind, bind};
use crate::read::Section;
use crate::rule::{Rule, boolean, word};
use crate::tls::{self, ListenerTls};
use crate::upstream::{Upstream, upstream};

/// The programs in front speak HTTP/1.1; what nobody asks for is no way in.
const DEFAULT_H2C: bool = false;

/// `[[listener]]`: one leg's door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its place in the chain.
    pub leg: Leg,
    /// Where it listens.
    pub bind: Bind,
    /// What it forwards to, at least one; requests are spread over them.
    pub upstreams: Vec<Upstream>,
    /// What it proves itself with, `None` where it speaks in clear; none.
    pub tls: Option<ListenerTls>,
    /// Whether HTTP/2 in clear is taken from clients that begin with it; false.
    pub h2c: bool,
    /// What the runtime leg serves beside its messages; none.
    pub allow: Vec<Call>,
}

/// Reads every `[[listener]]`; those with a fault are left out.
pub(crate) fn read(root: &mut Section<'_, '_>, admin: &Admin) -> Vec<Listener> {
    let mut binds = Vec::new();
    let listeners = root.sections("listener", |section| {
        let leg = section.require("leg", word(Leg::ALL.map(|leg| (leg.word(), leg))));
        let bind = section.require("bind", bind());
        let upstreams = section.one_or_more("upstream", upstream());
        let tls = tls::read(section);
        let h2c = h2c(section, &tls);
        let allow = allow(section, leg);
        binds.extend(bind.clone().map(|bind| (section.path_of("bind"), bind)));
        Some(Listener { leg: leg?, bind: bind?, upstreams, tls: tls?, h2c, allow })
    });
    if listeners.is_empty() && root.sound("listener") {
        root.refuse("listener", "nothing", "at least one [[listener]]".to_owned());
    }
    check(root, admin, &binds);
    listeners.into_iter().flatten().collect()
}

/// The runtime leg's list of calls; the other legs serve everything, and have none.
fn allow(section: &mut Section<'_, '_>, leg: Option<Leg>) -> Vec<Call> {
    let call = Rule::text(
        "\"METHOD /path\", the path without a query and spelled as the upstream compares it",
        Call::parse,
    );
    let calls = section.list("allow", call);
    if calls.is_some()
        && let Some(leg @ (Leg::Frontend | Leg::Bridge)) = leg
    {
        let found = format!("a list on the {} leg, which serves everything", leg.word());
        section.refuse("allow", &found, "a list on the runtime leg only".to_owned());
    }
    calls.unwrap_or_default()
}

/// HTTP/2 in clear, where nothing better is offered.
fn h2c(section: &mut Section<'_, '_>, tls: &Option<Option<ListenerTls>>) -> bool {
    let h2c = section.take("h2c", DEFAULT_H2C, boolean());
    if h2c && matches!(tls, Some(Some(_))) {
        let allowed = "false on a listener with tls, which offers it".to_owned();
        section.refuse("h2c", "true", allowed);
    }
    h2c
}

/// No two may listen on the same address, the admin listener included.
fn check(root: &Section<'_, '_>, admin: &Admin, binds: &[(String, Bind)]) {
    let mut taken: Vec<(&str, &Bind)> = vec![("admin.bind", &admin.bind)];
    taken.retain(|(path, _)| root.faults.sound(path));
    for (path, bind) in binds {
        match taken.iter().find(|(_, other)| bind.collides(other)) {
            None => taken.push((path, bind)),
            Some((owner, _)) => {
                let allowed = format!("an address other than that of {owner}");
                root.faults.refuse(path, &[], format!("\"{bind}\""), allowed);
            }
        }
    }
}
