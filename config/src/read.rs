//! The collecting reader: takes a table apart key by key and writes down every fault instead of
//! stopping at the first. It knows no key of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::report::{Invalid, Report};
use crate::rule::{Rule, kind, quoted, shown};

/// Parses a text as TOML.
pub(crate) fn document(text: &str) -> Result<DeTable<'_>, Report> {
    DeTable::parse(text).map(Spanned::into_inner).map_err(|error| {
        let offset = error.span().map_or(text.len(), |span| span.start);
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count());
        Report::single(Invalid {
            path: String::new(),
            line: Some(1 + before.matches('\n').count()),
            column: Some(1 + column),
            found: error.message().lines().collect::<Vec<_>>().join(" "),
            allowed: "TOML".to_owned(),
            nearest: None,
        })
    })
}

/// Reads a whole document; its unknown sections are faults.
pub(crate) fn whole<T>(
    faults: &Faults,
    document: DeTable<'_>,
    read: impl FnOnce(&mut Section<'_, '_>) -> T,
) -> T {
    let mut root =
        Section { faults, path: String::new(), line: None, table: document, known: Vec::new() };
    let value = read(&mut root);
    root.finish();
    value
}

/// The faults found so far, and where the keys that were read stand.
pub(crate) struct Faults {
    newlines: Vec<usize>,
    found: RefCell<Vec<Invalid>>,
    lines: RefCell<BTreeMap<String, usize>>,
}

impl Faults {
    /// No faults yet in this text.
    pub(crate) fn new(text: &str) -> Faults {
        Faults {
            newlines: text.match_indices('\n').map(|(at, _)| at).collect(),
            found: RefCell::default(),
            lines: RefCell::default(),
        }
    }

    /// Writes down a fault of the key at `path`; its line is the key's, or that of the first of
    /// `instead` that the file has.
    pub(crate) fn refuse(&self, path: &str, instead: &[&str], found: String, allowed: String) {
        let line =
            [path].iter().chain(instead).find_map(|path| self.lines.borrow().get(*path).copied());
        self.push(path.to_owned(), line, found, allowed);
    }

    /// Whether the file has the key at `path`.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.lines.borrow().contains_key(path)
    }

    /// Whether nothing was wrong at or under `path`, so that a cross check may rely on it.
    pub(crate) fn sound(&self, path: &str) -> bool {
        let under = |fault: &Invalid| {
            let rest = fault.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        !self.found.borrow().iter().any(under)
    }

    /// Everything that was found, `None` where that is nothing.
    pub(crate) fn into_report(self) -> Option<Report> {
        Report::of(self.found.into_inner())
    }

    fn push(&self, path: String, line: Option<usize>, found: String, allowed: String) {
        let fault = Invalid { path, line, column: None, found, allowed, nearest: None };
        self.found.borrow_mut().push(fault);
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.newlines.partition_point(|newline| *newline < offset)
    }
}

/// A table that is being read: what is taken is known, what remains is unknown.
pub(crate) struct Section<'f, 'i> {
    /// Where faults are written down.
    pub(crate) faults: &'f Faults,
    path: String,
    line: Option<usize>,
    table: DeTable<'i>,
    known: Vec<&'static str>,
}

impl<'f, 'i> Section<'f, 'i> {
    /// A key's value, `default` where the file is silent or wrong.
    pub(crate) fn take<T: 'static>(&mut self, key: &'static str, default: T, rule: Rule<T>) -> T {
        let Some(entry) = self.entry(key) else {
            return default;
        };
        self.read(&self.path_of(key), &entry, &rule).unwrap_or(default)
    }

    /// A key's value if the file has it, `None` where it is silent or wrong.
    pub(crate) fn optional<T: 'static>(&mut self, key: &'static str, rule: Rule<T>) -> Option<T> {
        let entry = self.entry(key)?;
        self.read(&self.path_of(key), &entry, &rule)
    }

    /// The value of a key that the file must have; `None` where that is a fault.
    pub(crate) fn require<T: 'static>(&mut self, key: &'static str, rule: Rule<T>) -> Option<T> {
        let Some(entry) = self.entry(key) else {
            self.faults.push(self.path_of(key), self.line, "nothing".to_owned(), rule.allowed);
            return None;
        };
        self.read(&self.path_of(key), &entry, &rule)
    }

    /// A list, each value by the rule; `None` where the file has no such key.
    pub(crate) fn list<T: 'static>(&mut self, key: &'static str, each: Rule<T>) -> Option<Vec<T>> {
        let entry = self.entry(key)?;
        Some(self.values(key, entry, &each, Lone::Refused))
    }

    /// One value or a list of them, at least one; empty where that is a fault.
    pub(crate) fn one_or_more<T: 'static>(&mut self, key: &'static str, each: Rule<T>) -> Vec<T> {
        let allowed = format!("{}; or a list of them", each.allowed);
        let Some(entry) = self.entry(key) else {
            self.faults.push(self.path_of(key), self.line, "nothing".to_owned(), allowed);
            return Vec::new();
        };
        if matches!(entry.get_ref(), DeValue::Array(list) if list.is_empty()) {
            self.refuse(key, "an empty list", allowed);
            return Vec::new();
        }
        self.values(key, entry, &each, Lone::Taken)
    }

    /// A table, empty where the file has none.
    pub(crate) fn section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'f, 'i>) -> T,
    ) -> T {
        let (path, line, table) = self.subtable(key);
        self.open(path, line, table.unwrap_or_default(), read)
    }

    /// A table, `None` where the file has none, or something else in its place.
    pub(crate) fn optional_section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'f, 'i>) -> T,
    ) -> Option<T> {
        let (path, line, table) = self.subtable(key);
        Some(self.open(path, line, table?, read))
    }

    fn subtable(&mut self, key: &'static str) -> (String, Option<usize>, Option<DeTable<'i>>) {
        let (path, entry) = (self.path_of(key), self.entry(key));
        let Some(entry) = entry else { return (path, None, None) };
        let line = self.faults.line(entry.span().start);
        let table = self.table(&path, entry, format!("a table, [{path}]"));
        (path, Some(line), table)
    }

    /// A list of tables; those that are none are faults and left out.
    pub(crate) fn sections<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'f, 'i>) -> T,
    ) -> Vec<T> {
        let (path, entry) = (self.path_of(key), self.entry(key));
        let Some(entry) = entry else {
            return Vec::new();
        };
        let allowed = format!("a list of tables, each [[{path}]]");
        let list = match entry.into_inner() {
            DeValue::Array(list) => list,
            other => {
                self.refuse(key, &shown(&other), allowed);
                return Vec::new();
            }
        };
        let mut values = Vec::new();
        for (place, entry) in list.into_iter().enumerate() {
            let path = format!("{path}[{place}]");
            let line = self.faults.line(entry.span().start);
            self.faults.lines.borrow_mut().insert(path.clone(), line);
            if let Some(table) = self.table(&path, entry, format!("a table, [[{key}]]")) {
                values.push(self.open(path, Some(line), table, &mut read));
            }
        }
        values
    }

    /// Every entry of this section as a table, with its name; for sections whose keys are names
    /// that the file chooses.
    pub(crate) fn named<T>(
        &mut self,
        mut read: impl FnMut(&str, &mut Section<'f, 'i>) -> T,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for (name, entry) in std::mem::take(&mut self.table) {
            let path = self.path_of(name.get_ref());
            let line = self.faults.line(name.span().start);
            self.faults.lines.borrow_mut().insert(path.clone(), line);
            let allowed = format!("a table, [{path}]");
            if let Some(table) = self.table(&path, entry, allowed) {
                values.push(
                    self.open(path, Some(line), table, |section| read(name.get_ref(), section)),
                );
            }
        }
        values
    }

    /// Writes down a fault of one of this section's keys.
    pub(crate) fn refuse(&self, key: &str, found: &str, allowed: String) {
        self.faults.refuse(&self.path_of(key), &[], found.to_owned(), allowed);
    }

    /// Writes down a fault of this section itself.
    pub(crate) fn refuse_whole(&self, found: String, allowed: String) {
        self.faults.push(self.path.clone(), self.line, found, allowed);
    }

    /// Whether nothing was wrong with this key.
    pub(crate) fn sound(&self, key: &str) -> bool {
        self.faults.sound(&self.path_of(key))
    }

    fn entry(&mut self, key: &'static str) -> Option<Spanned<DeValue<'i>>> {
        self.known.push(key);
        let entry = self.table.remove(key)?;
        let line = self.faults.line(entry.span().start);
        self.faults.lines.borrow_mut().insert(self.path_of(key), line);
        Some(entry)
    }

    fn read<T: 'static>(
        &self,
        path: &str,
        entry: &Spanned<DeValue<'_>>,
        rule: &Rule<T>,
    ) -> Option<T> {
        match rule.read(entry.get_ref()) {
            Ok(value) => Some(value),
            Err(found) => {
                let line = self.faults.line(entry.span().start);
                self.faults.push(path.to_owned(), Some(line), found, rule.allowed.clone());
                None
            }
        }
    }

    fn values<T: 'static>(
        &self,
        key: &'static str,
        entry: Spanned<DeValue<'_>>,
        each: &Rule<T>,
        lone: Lone,
    ) -> Vec<T> {
        let path = self.path_of(key);
        match (entry.get_ref(), lone) {
            (DeValue::Array(list), _) => {
                let read = |(place, entry)| self.read(&format!("{path}[{place}]"), entry, each);
                list.iter().enumerate().filter_map(read).collect()
            }
            (_, Lone::Taken) => self.read(&path, &entry, each).into_iter().collect(),
            (other, Lone::Refused) => {
                let found = format!("{}, not in a list", kind(other));
                self.refuse(key, &found, format!("a list, each {}", each.allowed));
                Vec::new()
            }
        }
    }

    fn table(
        &self,
        path: &str,
        entry: Spanned<DeValue<'i>>,
        allowed: String,
    ) -> Option<DeTable<'i>> {
        let line = self.faults.line(entry.span().start);
        match entry.into_inner() {
            DeValue::Table(table) => Some(table),
            other => {
                self.faults.push(path.to_owned(), Some(line), shown(&other), allowed);
                None
            }
        }
    }

    fn open<T>(
        &self,
        path: String,
        line: Option<usize>,
        table: DeTable<'i>,
        read: impl FnOnce(&mut Section<'f, 'i>) -> T,
    ) -> T {
        let mut section = Section { faults: self.faults, path, line, table, known: Vec::new() };
        let value = read(&mut section);
        section.finish();
        value
    }

    /// What nobody took is unknown.
    fn finish(self) {
        for key in self.table.keys() {
            let nearest = self
                .known
                .iter()
                .map(|known| (strsim::normalized_damerau_levenshtein(known, key.get_ref()), known))
                .filter(|(similarity, _)| *similarity > 0.0)
                .max_by(|(one, _), (other, _)| one.total_cmp(other))
                .map(|(_, known)| (*known).to_owned());
            self.faults.found.borrow_mut().push(Invalid {
                path: self.path_of(key.get_ref()),
                line: Some(self.faults.line(key.span().start)),
                column: None,
                found: "an unknown key".to_owned(),
                allowed: self.known.join(", "),
                nearest,
            });
        }
    }

    /// The path of one of this section's keys.
    pub(crate) fn path_of(&self, key: &str) -> String {
        let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let plain = !key.is_empty() && key.bytes().all(bare);
        let key = if plain { key.to_owned() } else { quoted(key) };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }
}

/// What a value is that stands where a list may.
#[derive(Clone, Copy)]
enum Lone {
    Taken,
    Refused,
}
