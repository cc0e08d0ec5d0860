//! The names of members as JSON can spell them.

/// Every spelling of a name: each character plain or as `\uXXXX`, its digits in either case.
pub fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for character in name.chars() {
        let lower = format!("\\u{:04x}", u32::from(character));
        let upper = format!("\\u{:04X}", u32::from(character));
        let mut ways = vec![character.to_string(), lower, upper];
        ways.dedup();
        all = all
            .iter()
            .flat_map(|start| ways.iter().map(move |way| format!("{start}{way}")))
            .collect();
    }
    all
}
