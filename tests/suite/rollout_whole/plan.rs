//! The configuration of a rollout in seconds: every step of the plan, each asking for so little that
//! a test's traffic can give it.

/// The flags document, where the plan writes it and the sidecar reads it.
const DOCUMENT: &str = "[flag_sources]\nfile = \"{dir}/flags.json\"\n";

const ROLLOUT: &str = "[rollout]\nenabled = true\nstate_dir = \"{dir}\"\nkill_file = \"{dir}/kill\"\n\
    [rollout.timing]\ntick = \"100ms\"\napply = \"5s\"\nsettle = \"200ms\"\nblind = \"30s\"\n\
    confirm = \"10s\"\ncool_down = \"0s\"\nlease = \"0s\"\n";

/// Everything that compares; a hundredth of a test's traffic is too little to compare by.
const ALL: &str = r#"["data", "parity", "errors", "latency", "tail", "quality"]"#;
const PATH: &str = r#"["data", "parity"]"#;
const DATA: &str = r#"["data"]"#;

/// Name, step, the flags that are on, percent, least canary requests and gates.
type Stage = (&'static str, &'static str, &'static [&'static str], u8, u32, &'static str);

const STAGES: [Stage; 9] = [
    ("core", "core", &[], 0, 0, DATA),
    ("cloud", "cloud", &["contract"], 0, 0, DATA),
    ("api", "api", &["contract", "runtime"], 0, 0, PATH),
    ("observability", "observability", &["contract", "runtime"], 0, 0, PATH),
    ("canary-1", "canary", &["contract", "runtime"], 1, 30, PATH),
    ("canary-10", "canary", &["contract", "runtime"], 10, 100, ALL),
    ("canary-50", "canary", &["contract", "runtime"], 50, 200, ALL),
    ("ui", "ui", &["contract", "runtime", "ui"], 50, 200, ALL),
    ("expansion", "expansion", &["contract", "runtime", "ui"], 100, 200, PATH),
];

/// So many stages there are.
pub const LENGTH: usize = STAGES.len();

/// The rise of errors that passes however few they were: so much lower, so many more requests are
/// needed to show that there are none.
#[derive(Clone, Copy, Debug)]
pub enum Errors {
    /// A twentieth: sixty requests without any show it.
    Coarse,
    /// Half of one in a hundred: three times one in a hundred is over it.
    Fine,
}

/// The plan, and what it is judged by.
pub fn rollout(errors: Errors) -> String {
    let absolute = match errors {
        Errors::Coarse => 0.05,
        Errors::Fine => 0.005,
    };
    let thresholds = format!(
        "[rollout.thresholds]\nmin_samples = 60\nmismatch_rate = 0.1\nlatency_samples = 1000\n\
         errors_absolute = {absolute}\n"
    );
    format!("{DOCUMENT}{ROLLOUT}{thresholds}{}", STAGES.map(stage).concat())
}

fn stage((name, step, flags, percent, samples, gates): Stage) -> String {
    let on: String = flags.iter().map(|flag| format!("{flag} = true\n")).collect();
    format!(
        "[[rollout.stage]]\nname = \"{name}\"\nstep = \"{step}\"\n{on}percent = {percent}.0\n\
         min_dwell = \"300ms\"\nmax_dwell = \"60s\"\nmin_samples = {samples}\ngates = {gates}\n"
    )
}
