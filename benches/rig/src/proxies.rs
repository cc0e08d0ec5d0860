//! The proxies that are measured, and how each is started.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::load::Load;
use crate::process::{Process, free_address};
use crate::run::SMALL;
use crate::tls::Pair;

/// A proxy of the rig.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proxy {
    /// None: the load goes to the origin itself.
    None,
    /// modegate, in one of its ways.
    Modegate(Way),
    /// hyper on pingora-core, passing through.
    Hyper,
    /// pingora-proxy, passing through.
    Pingora,
    /// nginx, passing through.
    Nginx,
    /// The same with buffers of the sizes that it has by default.
    NginxDefaults,
    /// nginx with a Lua program that does modegate's job.
    NginxLua,
    /// HAProxy, passing through.
    Haproxy,
    /// HAProxy with a Lua program that does modegate's job.
    HaproxyLua,
    /// A Node program on http-proxy that does modegate's job.
    Node,
}

/// What modegate is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The contract is off.
    Off,
    /// The contract is on and fast mode is off: the member is taken out.
    Strip,
    /// Both are on: the member goes on.
    Forward,
    /// As `Forward`, and each message is written down for the next leg.
    Parity,
    /// As `Strip`, behind TLS.
    Tls,
    /// As `Strip`, with an access line for each request.
    Log,
    /// As `Strip`, with one thread that may run on both cores, beside the load and the origin.
    One,
    /// The same with two threads.
    Two,
}

/// Its large buffers stay with the process: `rivals/README.md`.
const HAPROXY_LUA: &str =
    "GLIBC_TUNABLES=glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824";

/// What a proxy makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// It passes through.
    Pass,
    /// The member is taken out, and the mode is said.
    Strip,
    /// The mode is said.
    Forward,
}

/// All, in the order of the tables.
pub const PROXIES: [Proxy; 17] = [
    Proxy::None,
    Proxy::Modegate(Way::Off),
    Proxy::Modegate(Way::Strip),
    Proxy::Modegate(Way::Forward),
    Proxy::Modegate(Way::Parity),
    Proxy::Modegate(Way::Tls),
    Proxy::Modegate(Way::Log),
    Proxy::Modegate(Way::One),
    Proxy::Modegate(Way::Two),
    Proxy::Hyper,
    Proxy::Pingora,
    Proxy::Nginx,
    Proxy::NginxDefaults,
    Proxy::NginxLua,
    Proxy::Haproxy,
    Proxy::HaproxyLua,
    Proxy::Node,
];

/// What starting a proxy takes.
#[derive(Debug)]
pub struct Place<'p> {
    /// An empty directory.
    pub dir: &'p Path,
    /// The origin's address.
    pub origin: SocketAddr,
    /// modegate's program.
    pub modegate: &'p Path,
    /// The key pair of TLS.
    pub pair: &'p Pair,
}

impl Proxy {
    /// What it is called on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Proxy::None => "none",
            Proxy::Modegate(Way::Off) => "modegate-off",
            Proxy::Modegate(Way::Strip) => "modegate-strip",
            Proxy::Modegate(Way::Forward) => "modegate-forward",
            Proxy::Modegate(Way::Parity) => "modegate-parity",
            Proxy::Modegate(Way::Tls) => "modegate-tls",
            Proxy::Modegate(Way::Log) => "modegate-log",
            Proxy::Modegate(Way::One) => "modegate-one-thread",
            Proxy::Modegate(Way::Two) => "modegate-two-threads",
            Proxy::Hyper => "hyper",
            Proxy::Pingora => "pingora-proxy",
            Proxy::Nginx => "nginx",
            Proxy::NginxDefaults => "nginx-defaults",
            Proxy::NginxLua => "nginx-lua",
            Proxy::Haproxy => "haproxy",
            Proxy::HaproxyLua => "haproxy-lua",
            Proxy::Node => "node-http-proxy",
        }
    }

    /// What it makes of a message.
    pub fn job(self) -> Job {
        match self {
            Proxy::Modegate(Way::Forward | Way::Parity) => Job::Forward,
            Proxy::Modegate(_) | Proxy::NginxLua | Proxy::HaproxyLua | Proxy::Node => Job::Strip,
            _ => Job::Pass,
        }
    }

    /// Whether it shares both cores with the load and the origin: what a second thread adds is all
    /// that it is asked.
    pub fn is_everywhere(self) -> bool {
        matches!(self, Proxy::Modegate(Way::One | Way::Two))
    }

    /// How many of so many requests in flight it takes: of two legs each may have half of them.
    pub fn in_flight(self, most: usize) -> usize {
        if self == Proxy::Modegate(Way::Parity) { most / 2 } else { most }
    }

    /// Whether it is measured under this load.
    pub fn takes(self, load: Load) -> bool {
        !self.is_everywhere() || load == SMALL
    }

    /// The program that it needs, and Debian's packages that have it.
    pub fn needs(self) -> Option<(&'static str, &'static str)> {
        match self {
            Proxy::Nginx | Proxy::NginxDefaults => Some(("/usr/sbin/nginx", "nginx")),
            Proxy::NginxLua => Some((
                "/usr/lib/nginx/modules/ngx_http_lua_module.so",
                "nginx libnginx-mod-http-lua lua-cjson",
            )),
            Proxy::Haproxy => Some(("/usr/sbin/haproxy", "haproxy")),
            Proxy::HaproxyLua => Some(("/usr/sbin/haproxy", "haproxy lua-cjson")),
            Proxy::Node => Some((
                concat!(env!("CARGO_MANIFEST_DIR"), "/rivals/node/node_modules/http-proxy"),
                "nodejs npm",
            )),
            _ => None,
        }
    }

    /// Starts it; `None` for no proxy.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(self, place: &Place<'_>) -> io::Result<Option<Process>> {
        let listen = free_address()?;
        let Some(argv) = self.command(place, listen)? else { return Ok(None) };
        let cores = if self.is_everywhere() { "0,1" } else { "1" };
        let words = place.dir.join(format!("{}.out", self.name()));
        Process::start(cores, &argv, listen, &words).map(Some)
    }

    fn command(self, place: &Place<'_>, listen: SocketAddr) -> io::Result<Option<Vec<OsString>>> {
        let own = |name: &str| -> io::Result<Vec<OsString>> {
            let program = std::env::current_exe()?.into_os_string();
            let rest = [name.to_owned(), listen.to_string(), place.origin.to_string()];
            Ok(std::iter::once(program).chain(rest.map(OsString::from)).collect())
        };
        let buffers = match self {
            Proxy::NginxDefaults => &[("client_body_buffer_size 128k;", String::new())][..],
            _ => &[],
        };
        let conf = |name: &str| self.render(&rivals().join(name), place, listen, buffers);
        Ok(Some(match self {
            Proxy::None => return Ok(None),
            Proxy::Modegate(way) => {
                let conf = modegate(self, way, place, listen)?;
                vec![place.modegate.into(), "run".into(), "-c".into(), conf.into()]
            }
            Proxy::Hyper => own("hyper")?,
            Proxy::Pingora => own("pingora")?,
            Proxy::Nginx | Proxy::NginxDefaults | Proxy::NginxLua => {
                let lua = self == Proxy::NginxLua;
                let conf = conf(if lua { "nginx-lua.conf" } else { "nginx.conf" })?;
                let words = self.dir(place)?.join("error.log");
                let nginx = "/usr/sbin/nginx".into();
                vec![nginx, "-e".into(), words.into(), "-c".into(), conf.into()]
            }
            Proxy::Haproxy => haproxy(conf("haproxy.cfg")?),
            Proxy::HaproxyLua => {
                let mut argv = vec!["env".into(), HAPROXY_LUA.into()];
                argv.extend(haproxy(conf("haproxy-lua.cfg")?));
                argv
            }
            Proxy::Node => {
                let server = rivals().join("node/server.js");
                let (port, origin) = (listen.port().to_string(), place.origin.to_string());
                vec!["node".into(), server.into(), port.into(), origin.into()]
            }
        }))
    }

    fn dir(self, place: &Place<'_>) -> io::Result<PathBuf> {
        let dir = place.dir.join(self.name());
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// Writes a configuration with what the template leaves open.
    fn render(
        self,
        template: &Path,
        place: &Place<'_>,
        listen: SocketAddr,
        words: &[(&str, String)],
    ) -> io::Result<PathBuf> {
        let dir = self.dir(place)?;
        let mut text = fs::read_to_string(template)?;
        let common = [
            ("@LISTEN@", listen.to_string()),
            ("@PORT@", listen.port().to_string()),
            ("@ORIGIN@", place.origin.to_string()),
            ("@DIR@", dir.display().to_string()),
            ("@RIVALS@", rivals().display().to_string()),
        ];
        for (word, value) in common.iter().chain(words) {
            text = text.replace(word, value);
        }
        let path = dir.join(template.file_name().unwrap_or_default());
        fs::write(&path, text)?;
        Ok(path)
    }
}

fn haproxy(conf: PathBuf) -> Vec<OsString> {
    vec!["/usr/sbin/haproxy".into(), "-db".into(), "-f".into(), conf.into()]
}

fn rivals() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rivals")
}

fn modegate(proxy: Proxy, way: Way, place: &Place<'_>, listen: SocketAddr) -> io::Result<PathBuf> {
    let is_fast = matches!(way, Way::Forward | Way::Parity);
    let words = [
        ("@ADMIN@", free_address()?.to_string()),
        ("@ACCESS@", (way == Way::Log).to_string()),
        ("@THREADS@", if way == Way::Two { "2" } else { "1" }.to_owned()),
        ("@CONTRACT@", (way != Way::Off).to_string()),
        ("@RUNTIME@", is_fast.to_string()),
    ];
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("modegate.toml");
    let path = proxy.render(&template, place, listen, &words)?;
    let mut text = fs::read_to_string(&path)?;
    match way {
        Way::Parity => {
            let next = free_address()?;
            text.push_str(&format!(
                "[[listener]]\nleg = \"bridge\"\nbind = \"{next}\"\nupstream = \"http://{}\"\n",
                place.origin
            ));
        }
        Way::Tls => {
            let Pair { cert, key, .. } = place.pair;
            text.push_str(&format!("tls = {{ cert = {cert:?}, key = {key:?} }}\n"));
        }
        _ => {}
    }
    fs::write(&path, text)?;
    Ok(path)
}
