//! The whole configuration as it is in force: what the file says, and the default of every key
//! that it leaves out.

use toml::{Table, Value};

/// Every key with its default; a test proves that it is what the parser assumes.
const DEFAULTS: &str = include_str!("../modegate.example.toml");

/// The file over the defaults, for people to look at. Keys that stand for rooms or users
/// (`canary.allow`, `canary.deny`) are left out but for their number. A text that is no valid file
/// gives an empty table.
pub fn effective(text: &str) -> Table {
    let Ok(file) = text.parse::<Table>() else { return Table::new() };
    let mut whole = DEFAULTS.parse::<Table>().unwrap_or_default();
    // The example's listeners are examples, not defaults.
    whole.remove("listener");
    overlay(&mut whole, file);
    if let Some(Value::Table(canary)) = whole.get_mut("canary") {
        for list in ["allow", "deny"] {
            if let Some(Value::Array(keys)) = canary.get(list) {
                let number = format!("{} keys", keys.len());
                canary.insert(list.to_owned(), Value::String(number));
            }
        }
    }
    whole
}

fn overlay(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => overlay(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_lies_over_the_defaults() {
        let file = "[canary]\npercent = 5\nallow = [\"room-1\", \"room-2\"]\n\
                    [[listener]]\nleg = \"bridge\"\nbind = \"127.0.0.1:1\"\nupstream = \"http://h\"\n";
        let whole = effective(file);
        let text = whole.to_string();
        assert_eq!(whole["canary"]["percent"].as_integer(), Some(5));
        assert_eq!(whole["canary"]["salt"].as_str(), Some("fast-mode/2026-12"));
        assert_eq!(whole["canary"]["allow"].as_str(), Some("2 keys"));
        assert_eq!(whole["listener"].as_array().map(Vec::len), Some(1));
        assert_eq!(whole["timeouts"]["pool_idle"].as_str(), Some("4s"));
        assert!(!text.contains("room-1"));
        assert_eq!(effective("not toml ="), Table::new());
    }
}
