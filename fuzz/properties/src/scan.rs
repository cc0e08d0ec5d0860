//! The scan and the edits, against the reference reader: any chunks are the whole, what is accepted is what
//! `JSON.parse` accepts, what is found is what it would find, and an edit changes what it should and nothing else.

use std::sync::LazyLock;

use bytes::Bytes;
use modegate_filters::dialect::{Dialect, Dialects};
use modegate_filters::edit;
use modegate_filters::scan::{Found, Kind, Slot, scan as scan_chunks};
use modegate_filters::text;

use crate::edited::{assert_removed, assert_replaced};
use crate::input::Input;
use crate::reference::{self, Document, Member};

static DIALECTS: LazyLock<Dialects> = LazyLock::new(|| Dialects::new("processing"));

/// A body, cut into chunks.
pub fn scan(data: &[u8]) {
    let mut input = Input::new(data);
    let dialect = input.one_of(&[Dialect::Conversation, Dialect::OpenAi, Dialect::Rpc]);
    let chunks = input.chunks();
    let body = chunks.concat();

    let wanted = DIALECTS.wanted(dialect);
    let found = scan_chunks(wanted, &chunks);
    assert_eq!(
        found,
        scan_chunks(wanted, &[Bytes::copy_from_slice(&body)]),
        "{}",
        body.escape_ascii()
    );
    let (found, document) = match (found, reference::read(&body)) {
        (Ok(found), Ok(document)) => (found, document),
        (found, document) => {
            let at = found.map(drop).map_err(|malformed| malformed.at);
            assert_eq!(at, document.map(drop), "{}", body.escape_ascii());
            return;
        }
    };
    assert_eq!(usize::from(found.boms), document.boms);
    assert_eq!(found.root, kind(&body[document.root.clone()]));
    for (slot, member) in places(dialect, &document) {
        assert_found(&found, slot, member, &chunks, &body);
    }
    assert_edits(dialect, &found, &document, &chunks, &body);
}

/// Where each dialect keeps what, as `JSON.parse` would find it.
fn places(dialect: Dialect, document: &Document) -> Vec<(Slot, Option<&Member>)> {
    let root = |slot, name| (slot, document.last(name));
    let within = |slot, container, name| (slot, document.last_within(container, name));
    match dialect {
        Dialect::Conversation => vec![root(Slot::Contract, "processing"), root(Slot::Text, "text")],
        Dialect::OpenAi | Dialect::Anthropic => vec![
            root(Slot::Contract, "processing"),
            root(Slot::Text, "messages"),
            root(Slot::User, "user"),
            within(Slot::ConversationId, "metadata", "conversation_id"),
            within(Slot::ConversationIdCamel, "metadata", "conversationId"),
            within(Slot::UserId, "metadata", "user_id"),
        ],
        Dialect::Rpc => vec![
            root(Slot::Method, "method"),
            root(Slot::Id, "id"),
            root(Slot::Params, "params"),
            within(Slot::Contract, "params", "processing"),
            within(Slot::Text, "params", "text"),
            within(Slot::Room, "params", "roomId"),
        ],
    }
}

fn assert_found(found: &Found, slot: Slot, member: Option<&Member>, chunks: &[Bytes], body: &[u8]) {
    let value = found.get(slot);
    let (ours, theirs) = (value.map(|value| &value.span), member.map(|member| &member.value));
    assert_eq!(ours, theirs, "{slot:?} in {}", body.escape_ascii());
    let Some(value) = value else { return };
    let literal = &body[value.span.clone()];
    assert_eq!(value.kind, kind(literal), "{slot:?} in {}", body.escape_ascii());
    assert_eq!(text::raw(chunks, &value.span), literal);
    if value.kind == Kind::String {
        let string = String::from_utf16_lossy(&reference::string(literal));
        assert_eq!(text::string(chunks, &value.span), string, "{}", literal.escape_ascii());
    }
}

fn assert_edits(
    dialect: Dialect,
    found: &Found,
    document: &Document,
    chunks: &[Bytes],
    body: &[u8],
) {
    let contract = match dialect {
        Dialect::Rpc => document.all_within("params", "processing"),
        _ => document.all("processing"),
    };
    let of_member = |index: &usize| {
        let member = &document.members[*index];
        (member.key, member.value.clone())
    };
    let theirs: Vec<_> = contract.iter().map(of_member).collect();
    let ours: Vec<_> = found.contract.iter().map(|m| (m.key, m.value.clone())).collect();
    assert_eq!(ours, theirs, "{}", body.escape_ascii());

    let edits = edit::removal(&found.contract);
    let slices = edit::apply(chunks, &edits);
    assert!(slices.iter().all(|slice| !slice.is_empty()) || edits.is_empty());
    let removed = slices.concat();
    assert_removed(body, document, &contract, &removed);
    let again = scan_chunks(DIALECTS.wanted(dialect), &slices).expect("well-formed");
    assert!(again.contract.is_empty(), "{}", removed.escape_ascii());

    let with = Bytes::from_static(br#"{"mode":"default"}"#);
    let replaced = edit::apply(chunks, &edit::replacement(&found.contract, &with));
    assert_replaced(body, document, &contract, &with, &replaced.concat());
    let again = scan_chunks(DIALECTS.wanted(dialect), &replaced).expect("well-formed");
    let twice = edit::apply(&replaced, &edit::replacement(&again.contract, &with));
    assert_eq!(twice.concat(), replaced.concat());
}

fn kind(literal: &[u8]) -> Kind {
    match literal[0] {
        b'{' => Kind::Object,
        b'[' => Kind::Array,
        b'"' => Kind::String,
        b't' => Kind::True,
        b'f' => Kind::False,
        b'n' => Kind::Null,
        _ => Kind::Number,
    }
}
