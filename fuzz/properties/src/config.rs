//! The configuration: no text makes it panic, a refusal says where, what and what else, and what is in force is again a
//! configuration that says the same.

use modegate_config::{Config, effective};

/// A text.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let whole = effective(&text);
    let config = match Config::parse(&text) {
        Ok(config) => config,
        Err(report) => {
            assert!(!report.faults().is_empty());
            for fault in report.faults() {
                // Of a text that is not TOML, the place is a line and a column.
                assert!(!fault.path.is_empty() || fault.column.is_some(), "{fault:?} of {text:?}");
                assert!(
                    !fault.found.is_empty() && !fault.allowed.is_empty(),
                    "{fault:?} of {text:?}"
                );
            }
            assert!(!report.to_string().is_empty());
            return;
        }
    };

    let mut whole = whole;
    let canary = whole.get_mut("canary").and_then(toml::Value::as_table_mut).expect("a section");
    for list in ["allow", "deny"] {
        let number = canary.remove(list).expect("a number of keys");
        assert!(number.as_str().is_some_and(|number| number.ends_with(" keys")), "{number}");
    }
    let again = Config::parse(&whole.to_string())
        .unwrap_or_else(|report| panic!("{text:?} is in force as {whole}, and refused: {report}"));
    let mut expected = config;
    expected.canary.allow.clear();
    expected.canary.deny.clear();
    // A flag that the file leaves out is written down as off.
    expected.flags = again.flags.clone();
    assert_eq!(again, expected, "{text:?}");
}
