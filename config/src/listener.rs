//! `[[listener]]`: which leg listens where and forwards to what.

use modegate_filters::route::Leg;

use crate::admin::Admin;
use crate::bind::{Bind, bind};
use crate::read::Section;
use crate::rule::{boolean, word};
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
}

/// Reads every `[[listener]]`; those with a fault are left out.
pub(crate) fn read(root: &mut Section<'_, '_>, admin: &Admin) -> Vec<Listener> {
    let mut binds = Vec::new();
    let listeners = root.sections("listener", |section| {
        let leg = section.require("leg", word(Leg::ALL.map(|leg| (leg.word(), leg))));
        let bind = section.require("bind", bind());
        let upstreams = section.one_or_more("upstream", upstream());
        let tls = tls::read(section);
        let h2c = section.take("h2c", DEFAULT_H2C, boolean());
        if h2c && section.sound("tls") && tls.as_ref().is_some_and(Option::is_some) {
            section.refuse(
                "h2c",
                "true",
                "false on a listener with tls, which offers it".to_owned(),
            );
        }
        binds.extend(bind.clone().map(|bind| (section.path_of("bind"), bind)));
        Some(Listener { leg: leg?, bind: bind?, upstreams, tls: tls?, h2c })
    });
    if listeners.is_empty() && root.sound("listener") {
        root.refuse("listener", "nothing", "at least one [[listener]]".to_owned());
    }
    check(root, admin, &binds);
    listeners.into_iter().flatten().collect()
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
