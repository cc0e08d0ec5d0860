//! What layers fold to, and what the environment says.

use super::*;

fn layer(said: &[(Flag, bool)]) -> FlagLayer {
    FlagLayer(said.iter().copied().collect())
}

fn environment(vars: &[(&str, &str)]) -> Result<FlagLayer, Report> {
    from_environment(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

#[test]
fn names_are_those_of_the_design() {
    let names: Vec<_> = Flag::ALL.iter().map(|flag| (flag.name(), flag.env())).collect();
    let expected = [
        ("contract", "FAST_MODE_CONTRACT_ENABLED"),
        ("runtime", "FAST_MODE_RUNTIME_ENABLED"),
        ("ui", "FAST_MODE_UI_ENABLED"),
        ("cloud_enforced", "FAST_MODE_CLOUD_ENFORCED"),
        ("kill", "FAST_MODE_KILL"),
    ];
    assert_eq!(names, expected);
    for flag in Flag::ALL {
        assert_eq!(Flag::from_name(flag.name()), Some(flag));
    }
    assert_eq!(Flag::from_name("Kill"), None);
}

#[test]
fn a_layer_says_what_was_set() {
    let mut layer = FlagLayer::default();
    assert!(layer.is_empty());
    layer.set(Flag::Kill, false);
    layer.set(Flag::Contract, true);
    assert_eq!(layer.iter().collect::<Vec<_>>(), [(Flag::Contract, true), (Flag::Kill, false)]);
    assert_eq!((layer.get(Flag::Kill), layer.get(Flag::Ui)), (Some(false), None));
    layer.clear(Flag::Kill);
    layer.clear(Flag::Contract);
    assert!(layer.is_empty());
}

#[test]
fn each_flag_is_folded_into_its_own_field() {
    for flag in Flag::ALL {
        let flags = fold([&layer(&[(flag, true)])].into_iter());
        let on: Vec<Flag> = Flag::ALL.into_iter().filter(|other| other.of(&flags)).collect();
        assert_eq!(on, [flag]);
    }
}

#[test]
fn the_later_layer_says_but_kill_stays() {
    use Flag::{CloudEnforced, Contract, Kill, Runtime};
    struct Case {
        name: &'static str,
        layers: Vec<FlagLayer>,
        expected: Flags,
    }
    let off = Flags::default();
    let cases = [
        Case { name: "no layer", layers: vec![], expected: off },
        Case { name: "nothing said", layers: vec![FlagLayer::default()], expected: off },
        Case {
            name: "later on",
            layers: vec![layer(&[(Contract, false)]), layer(&[(Contract, true)])],
            expected: Flags { contract: true, ..off },
        },
        Case {
            name: "later off",
            layers: vec![layer(&[(Contract, true), (Runtime, true)]), layer(&[(Runtime, false)])],
            expected: Flags { contract: true, ..off },
        },
        Case {
            name: "silence passes",
            layers: vec![
                layer(&[(CloudEnforced, true)]),
                FlagLayer::default(),
                layer(&[(Contract, true)]),
            ],
            expected: Flags { contract: true, cloud_enforced: true, ..off },
        },
        Case {
            name: "kill first",
            layers: vec![layer(&[(Kill, true)]), layer(&[(Kill, false)])],
            expected: Flags { kill: true, ..off },
        },
        Case {
            name: "kill last",
            layers: vec![layer(&[(Kill, false)]), layer(&[(Kill, true)])],
            expected: Flags { kill: true, ..off },
        },
        Case { name: "no kill", layers: vec![layer(&[(Kill, false)])], expected: off },
    ];
    for case in cases {
        assert_eq!(fold(case.layers.iter()), case.expected, "{}", case.name);
    }
}

#[test]
fn what_needs_what() {
    let off = Flags::default();
    let on = Flags { contract: true, ..off };
    let run = Flags { runtime: true, ..on };
    let cases = [
        (off, None),
        (on, None),
        (run, None),
        (Flags { ui: true, ..run }, None),
        (Flags { cloud_enforced: true, kill: true, ..off }, None),
        (Flags { runtime: true, ..off }, Some("runtime needs contract")),
        (Flags { ui: true, ..off }, Some("ui needs contract and runtime")),
        (Flags { ui: true, ..on }, Some("ui needs contract and runtime")),
        (Flags { ui: true, runtime: true, ..off }, Some("runtime needs contract")),
        (Flags { runtime: true, kill: true, ..off }, Some("runtime needs contract")),
    ];
    for (flags, expected) in cases {
        let said = check(&flags).err().map(|broken| broken.to_string());
        assert_eq!(said.as_deref(), expected, "{flags:?}");
    }
}

#[test]
fn environment_words() {
    let cases = [
        ("1", Some(true)),
        ("true", Some(true)),
        ("TRUE", Some(true)),
        ("On", Some(true)),
        ("yes", Some(true)),
        ("0", Some(false)),
        ("false", Some(false)),
        ("OFF", Some(false)),
        ("no", Some(false)),
        ("", None),
    ];
    for (word, expected) in cases {
        for flag in Flag::ALL {
            let layer = environment(&[("HOME", "x"), (flag.env(), word)]).unwrap();
            assert_eq!(layer.get(flag), expected, "{flag:?} {word}");
            assert_eq!(layer.iter().count(), usize::from(expected.is_some()));
        }
    }
}

#[test]
fn every_wrong_variable_is_reported() {
    let report = environment(&[
        ("FAST_MODE_KILL", "maybe"),
        ("FAST_MODE_CONTRACT_ENABLED", "true"),
        ("FAST_MODE_UI_ENABLED", " 1"),
        ("FAST_MODE_OTHER", "maybe"),
    ]);
    let expected = "\
FAST_MODE_KILL
  found: \"maybe\"
  allowed: 1, true, on or yes; 0, false, off or no; empty for unset
FAST_MODE_UI_ENABLED
  found: \" 1\"
  allowed: 1, true, on or yes; 0, false, off or no; empty for unset";
    assert_eq!(report.unwrap_err().to_string(), expected);
}
