use modegate_filters::bucket::Share;
use proptest::prelude::*;

use super::*;
use crate::flags::{Flag, check, fold};

const WHOLE: &str = r#"{
  "$schema": "https://flagd.dev/schema/v0/flags.json",
  "flags": {
    "contract": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
    "runtime": {"state": "ENABLED", "variants": {"yes": true}, "defaultVariant": "yes", "targeting": {}},
    "ui": {"state": "DISABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
    "canary": {"state": "ENABLED", "variants": {"stage": {"percent": 5.0}}, "defaultVariant": "stage"}
  },
  "metadata": {"flagSetId": "modegate", "version": "17", "generation": 17,
    "leaseUntil": "2026-11-25T07:32:04Z", "rollout": "fast-mode"}
}"#;

#[test]
fn a_document_is_read() {
    let document = Document::parse(WHOLE).unwrap();
    let said: Vec<_> = document.flags.iter().collect();
    assert_eq!(said, [(Flag::Contract, true), (Flag::Runtime, true)]);
    assert_eq!(document.generation, 17);
    assert_eq!(document.share, Share::from_percent(5.0));
    assert_eq!(document.lease_until, Some(1_795_591_924_000));
    assert_eq!(document.rollout.as_deref(), Some("fast-mode"));
}

#[test]
fn every_fault_is_told_at_once() {
    let text = r#"{
      "$evaluators": {},
      "flags": {
        "turbo": {},
        "contract": {"state": "ON", "variants": {"on": 1}, "defaultVariant": "on"},
        "kill": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "off",
                 "targeting": {"if": []}},
        "canary": {"state": "ENABLED", "variants": {"s": {"percent": 101, "salt": "x"}},
                   "defaultVariant": "s"}
      },
      "metadata": {"flagSetId": "other", "generation": 0, "leaseUntil": "soon", "leaseuntil": 1}
    }"#;
    let report = Document::parse(text).unwrap_err();
    let paths: Vec<&str> = report.faults().iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "$evaluators",
            "flags.turbo",
            "flags.contract.state",
            "flags.contract.variants.on",
            "flags.kill.targeting",
            "flags.kill.defaultVariant",
            "flags.canary.variants.s.salt",
            "flags.canary.variants.s.percent",
            "metadata.leaseuntil",
            "metadata.flagSetId",
            "metadata.generation",
            "metadata.leaseUntil",
        ]
    );
}

#[test]
fn what_is_no_document_is_refused() {
    let with = |from: &str, to: &str| WHOLE.replacen(from, to, 1);
    let cases = [
        ("", "document"),
        ("[]", "document"),
        (&WHOLE[..200], "document"),
        ("{}", "flags"),
        (r#"{"flags":{}}"#, "metadata.generation"),
        (&with(r#""version": "17""#, r#""version": "18""#), "metadata.version"),
        (&with(r#""yes": true"#, r#""yes": null"#), "flags.runtime.variants.yes"),
        (&with(r#""defaultVariant": "on""#, r#""defaultVariant": "off""#), "flags.runtime"),
        (&with("5.0", "0.00001"), "flags.canary.variants.stage.percent"),
        (&" ".repeat(DOCUMENT_LIMIT + 1), "document"),
    ];
    for (text, path) in cases {
        let report = Document::parse(text).unwrap_err();
        assert_eq!(report.faults()[0].path, path, "{report}");
    }
}

#[test]
fn a_value_is_read_as_a_document_is() {
    let value = json!({"contract": true, "runtime": true, "percent": 0.5, "generation": 3});
    let document = Document::from_value(&value).unwrap();
    assert_eq!(document.flags.get(Flag::Runtime), Some(true));
    assert_eq!((document.generation, document.share), (3, Share::from_percent(0.5)));
    for bad in [
        json!(true),
        json!({}),
        json!({"generation": 1, "runtime": true}),
        json!({"generation": 1, "turbo": true}),
        json!({"generation": 1, "contract": "on"}),
    ] {
        assert!(Document::from_value(&bad).is_err(), "{bad}");
    }
}

fn documents() -> impl Strategy<Value = Document> {
    let flags = proptest::array::uniform5(proptest::option::of(any::<bool>()));
    let share = proptest::option::of(0_u32..=1_000_000);
    let rest =
        (1..u64::MAX, proptest::option::of(any::<u64>()), proptest::option::of("[ -~é]{1,40}"));
    (flags, share, rest).prop_filter_map("flags that may stand together", |(said, share, rest)| {
        let mut flags = FlagLayer::default();
        for (flag, on) in Flag::ALL.into_iter().zip(said) {
            if let Some(on) = on {
                flags.set(flag, on);
            }
        }
        check(&fold([&flags].into_iter())).ok()?;
        let share = share.and_then(|ppm| Share::try_from(ppm).ok());
        let (generation, lease_until, rollout) = rest;
        Some(Document { generation, flags, share, lease_until, rollout })
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(document in documents()) {
        prop_assert_eq!(Document::parse(&document.render()).unwrap(), document.clone());
        prop_assert_eq!(Document::from_value(&document.value()).unwrap(), document);
    }

    #[test]
    fn a_torn_document_is_no_document(document in documents(), cut in 0.0..1.0_f64) {
        let text = document.render();
        let whole = text.trim_end().len();
        let at = (whole as f64 * cut) as usize;
        if text.is_char_boundary(at) {
            prop_assert!(Document::parse(&text[..at]).is_err());
        }
    }
}
