//! What an edited body must be, said by the reference reader: the body as it was, but for the contract.

use crate::reference::{Document, Member, read};

/// Removal took these members, a comma each where there was one, and nothing else.
pub fn assert_removed(body: &[u8], document: &Document, gone: &[usize], edited: &[u8]) {
    assert!(is_removed(body, document, gone, edited), "{}", shown(body, edited));
}

/// Whether removal took these members, a comma each where there was one, and nothing else.
pub fn is_removed(body: &[u8], document: &Document, gone: &[usize], edited: &[u8]) -> bool {
    let mut kept: Vec<u8> = Vec::new();
    let mut from = 0;
    for member in gone.iter().map(|index| &document.members[*index]) {
        kept.extend_from_slice(&body[from..member.key]);
        from = member.value.end;
    }
    kept.extend_from_slice(&body[from..]);
    let Ok(after) = read(edited) else { return false };
    let left = left(document, gone);
    let same = |(index, now): (&usize, &Member)| {
        let before = &document.members[*index];
        let touched = gone.iter().any(|gone| before.value.contains(&document.members[*gone].key));
        let same = body[before.value.clone()] == edited[now.value.clone()];
        before.name == now.name && (same || touched)
    };
    commas_between(&kept, edited) == Some(commas(document, gone))
        && left.len() == after.members.len()
        && left.iter().zip(&after.members).all(same)
}

/// Replacement put these bytes where the values of these members stood, and changed nothing else.
pub fn assert_replaced(
    body: &[u8],
    document: &Document,
    these: &[usize],
    with: &[u8],
    edited: &[u8],
) {
    let mut expected: Vec<u8> = Vec::new();
    let mut from = 0;
    for member in these.iter().map(|index| &document.members[*index]) {
        expected.extend_from_slice(&body[from..member.value.start]);
        expected.extend_from_slice(with);
        from = member.value.end;
    }
    expected.extend_from_slice(&body[from..]);
    assert_eq!(edited, expected, "{}", shown(body, edited));
    assert!(read(edited).is_ok(), "{}", shown(body, edited));
}

/// How many commas are in `longer` and not in `shorter`, where that is all that differs.
fn commas_between(longer: &[u8], shorter: &[u8]) -> Option<usize> {
    let mut rest = shorter.iter().peekable();
    let mut commas = 0;
    for byte in longer {
        if rest.next_if_eq(&byte).is_some() {
            continue;
        }
        if *byte != b',' {
            return None;
        }
        commas += 1;
    }
    rest.peek().is_none().then_some(commas)
}

/// How many commas go with these members: one each, but one fewer where an object has no others.
fn commas(document: &Document, gone: &[usize]) -> usize {
    let mut commas = gone.len();
    let mut parents: Vec<_> = gone.iter().map(|index| document.members[*index].parent).collect();
    parents.sort_unstable();
    parents.dedup();
    for parent in parents {
        let of_parent = |index: &usize| document.members[*index].parent == parent;
        let all = (0..document.members.len()).filter(of_parent).count();
        commas -= usize::from(all == gone.iter().filter(|index| of_parent(index)).count());
    }
    commas
}

/// The members that are left, in their order.
fn left(document: &Document, gone: &[usize]) -> Vec<usize> {
    let all = 0..document.members.len();
    let went = |index: &usize| {
        let parent = document.members[*index].parent;
        gone.contains(index) || parent.is_some_and(|parent| gone.contains(&parent))
    };
    all.filter(|index| !went(index)).collect()
}

fn shown(body: &[u8], edited: &[u8]) -> String {
    format!("{} became {}", body.escape_ascii(), edited.escape_ascii())
}
