//! Edits a body without copying it: spans to remove or to replace, and the body as slices around them.
//! Which members to edit is decided in [`crate::decide`].

use std::num::NonZeroUsize;
use std::ops::Range;

use bytes::Bytes;

use crate::scan::Member;

/// A span of the body and the bytes that take its place: none removes it, an empty span inserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Offsets in the whole body.
    pub span: Range<usize>,
    /// What takes the span's place.
    pub with: Bytes,
}

/// Removes every occurrence: from the key's quote to the value's end, and one comma. White space around it survives.
/// The edits are in the order of the body and do not touch one another.
#[must_use]
pub fn removal(members: &[Member]) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for member in members {
        let comma = |at: usize| at..at + 1;
        let offset = member.comma.map(NonZeroUsize::get);
        if let Some(at) = offset.filter(|at| *at < member.key) {
            remove(&mut edits, comma(at));
        }
        remove(&mut edits, member.key..member.value.end);
        if let Some(at) = offset.filter(|at| *at > member.key) {
            remove(&mut edits, comma(at));
        }
    }
    edits
}

/// Replaces the value of every occurrence.
#[must_use]
pub fn replacement(members: &[Member], with: &Bytes) -> Vec<Edit> {
    let replace = |member: &Member| Edit { span: member.value.clone(), with: with.clone() };
    members.iter().map(replace).collect()
}

/// The edited body as slices of the original chunks: nothing is copied, and no slice is empty. The edits must be in
/// the order of the body and must not overlap, as [`removal`] and [`replacement`] give them; what is inserted at a place
/// may come before what is removed from there on.
#[must_use]
pub fn apply(chunks: &[Bytes], edits: &[Edit]) -> Vec<Bytes> {
    let mut edited = Vec::with_capacity(chunks.len() + 2 * edits.len());
    let mut edits = edits.iter().peekable();
    let mut start = 0;
    let mut kept_from = 0;
    for chunk in chunks {
        let end = start + chunk.len();
        kept_from = kept_from.max(start);
        while let Some(edit) = edits.next_if(|edit| edit.span.start < end) {
            keep(&mut edited, chunk, start, kept_from..edit.span.start);
            insert(&mut edited, &edit.with);
            kept_from = kept_from.max(edit.span.end);
        }
        keep(&mut edited, chunk, start, kept_from..end);
        start = end;
    }
    for edit in edits {
        insert(&mut edited, &edit.with);
    }
    edited
}

/// How long a body of so many bytes is behind these edits.
#[must_use]
pub fn length(before: usize, edits: &[Edit]) -> usize {
    let inserted: usize = edits.iter().map(|edit| edit.with.len()).sum();
    let removed: usize = edits.iter().map(|edit| edit.span.len()).sum();
    (before + inserted).saturating_sub(removed)
}

fn remove(edits: &mut Vec<Edit>, span: Range<usize>) {
    match edits.last_mut() {
        Some(last) if last.span.end >= span.start => last.span.end = last.span.end.max(span.end),
        _ => edits.push(Edit { span, with: Bytes::new() }),
    }
}

/// Adds the bytes at `span` of the body, which lie in `chunk`, which begins at `start`.
fn keep(edited: &mut Vec<Bytes>, chunk: &Bytes, start: usize, span: Range<usize>) {
    if span.start < span.end {
        edited.push(chunk.slice(span.start - start..span.end - start));
    }
}

fn insert(edited: &mut Vec<Bytes>, with: &Bytes) {
    if !with.is_empty() {
        edited.push(with.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Slot, Wanted, scan};

    fn edited(body: &str, size: usize, edit: impl Fn(&[Member]) -> Vec<Edit>) -> String {
        let wanted = Wanted::new().root("p", Slot::Contract);
        let chunks: Vec<Bytes> = body.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
        let found = scan(&wanted, &chunks).expect("well-formed");
        let slices = apply(&chunks, &edit(&found.contract));
        assert!(slices.iter().all(|slice| !slice.is_empty()), "{body}");
        String::from_utf8(slices.concat()).expect("UTF-8")
    }

    struct Case {
        body: &'static str,
        removed: &'static str,
        replaced: &'static str,
    }

    #[rustfmt::skip]
    const CASES: &[Case] = &[
        Case { body: r#"{"a":1}"#, removed: r#"{"a":1}"#, replaced: r#"{"a":1}"# },
        Case { body: r#"{"p":1}"#, removed: "{}", replaced: r#"{"p":"new"}"# },
        Case { body: r#"{"p":1,"p":2}"#, removed: "{}", replaced: r#"{"p":"new","p":"new"}"# },
        Case { body: r#"{"p":1,"p":2,"p":3}"#, removed: "{}", replaced: r#"{"p":"new","p":"new","p":"new"}"# },
        Case { body: r#"{"p":{"mode":"fast"},"a":1}"#, removed: r#"{"a":1}"#, replaced: r#"{"p":"new","a":1}"# },
        Case { body: r#"{"a":1,"p":[1,2]}"#, removed: r#"{"a":1}"#, replaced: r#"{"a":1,"p":"new"}"# },
        Case { body: r#"{"a":1,"p":1,"b":2}"#, removed: r#"{"a":1,"b":2}"#, replaced: r#"{"a":1,"p":"new","b":2}"# },
        Case { body: r#"{"p":1,"a":1,"p":2}"#, removed: r#"{"a":1}"#, replaced: r#"{"p":"new","a":1,"p":"new"}"# },
        Case { body: r#"{"p":1,"p":2,"a":3}"#, removed: r#"{"a":3}"#, replaced: r#"{"p":"new","p":"new","a":3}"# },
        Case { body: r#"{"a":1,"p":1,"p":2}"#, removed: r#"{"a":1}"#, replaced: r#"{"a":1,"p":"new","p":"new"}"# },
        Case { body: r#"{"p":1,"a":1,"p":2,"p":3,"b":4,"p":5}"#, removed: r#"{"a":1,"b":4}"#, replaced: r#"{"p":"new","a":1,"p":"new","p":"new","b":4,"p":"new"}"# },
        Case { body: r#"{ "p" : 1 , "a" : 2 }"#, removed: r#"{   "a" : 2 }"#, replaced: r#"{ "p" : "new" , "a" : 2 }"# },
        Case { body: r#"{ "a" : 1 , "p" : 2 }"#, removed: r#"{ "a" : 1   }"#, replaced: r#"{ "a" : 1 , "p" : "new" }"# },
        Case { body: r#"{ "p" : 1 , "p" : 2 }"#, removed: r#"{    }"#, replaced: r#"{ "p" : "new" , "p" : "new" }"# },
    ];

    #[test]
    fn a_member_goes_with_one_comma_and_nothing_else() {
        for case in CASES {
            for size in [1, 3, 100] {
                assert_eq!(edited(case.body, size, removal), case.removed, "{}", case.body);
            }
        }
    }

    #[test]
    fn a_value_is_replaced_wherever_it_stands() {
        let with = Bytes::from_static(b"\"new\"");
        for case in CASES {
            for size in [1, 3, 100] {
                let replaced = edited(case.body, size, |members| replacement(members, &with));
                assert_eq!(replaced, case.replaced, "{}", case.body);
            }
        }
    }

    #[test]
    fn neighbouring_spans_are_one_edit() {
        let body = format!("{{{}\"a\":1}}", r#""p":1,"#.repeat(1000));
        let wanted = Wanted::new().root("p", Slot::Contract);
        let found = scan(&wanted, &[Bytes::from(body)]).expect("well-formed");
        let whole = Edit { span: 1..6001, with: Bytes::new() };
        assert_eq!(removal(&found.contract), [whole]);
    }

    #[test]
    fn what_is_kept_is_not_copied() {
        let chunks = [Bytes::from_static(b"abc"), Bytes::new(), Bytes::from_static(b"defg")];
        let cut = |span, with: &'static [u8]| Edit { span, with: Bytes::from_static(with) };
        let slices =
            apply(&chunks, &[cut(0..0, b"<"), cut(2..4, b""), cut(5..5, b"-"), cut(7..7, b">")]);
        assert_eq!(slices, [&b"<"[..], b"ab", b"e", b"-", b"fg", b">"]);
        assert_eq!(slices[1].as_ptr(), chunks[0].as_ptr());
        assert_eq!(apply(&chunks, &[]), [&b"abc"[..], b"defg"]);
        assert!(apply(&chunks, &[cut(0..7, b"")]).is_empty());
    }
}
