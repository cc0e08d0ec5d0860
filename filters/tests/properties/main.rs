//! Properties of the scanner and of edits on generated bodies: in any chunks, well-formed or nearly so.
#![allow(clippy::expect_used, reason = "tests")]

mod near_json;
#[path = "../../../fuzz/properties/src/reference.rs"]
#[allow(dead_code, reason = "the fuzz targets, whose it is, ask it more")]
mod reference;

use bytes::Bytes;
use modegate_filters::edit;
use modegate_filters::scan::{Found, Malformed, Scanner, Slot, Wanted, scan};
use proptest::prelude::*;
use serde_json::Value;

use near_json::{broken, cut, document, message, soup};

fn wanted() -> Wanted {
    Wanted::new()
        .root("processing", Slot::Contract)
        .root("text", Slot::Text)
        .root("params", Slot::Params)
        .within("params", "roomId", Slot::Room)
        .within("metadata", "room", Slot::ConversationId)
}

fn read(body: &[u8]) -> Result<Found, Malformed> {
    scan(&wanted(), &[Bytes::copy_from_slice(body)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn chunks_make_no_difference(body in prop_oneof![document(), broken(), soup(), message()], cuts in cut()) {
        let chunks = cuts.of(&body);
        prop_assert_eq!(chunks.concat(), &body[..]);
        prop_assert_eq!(scan(&wanted(), &chunks), read(&body));
        let bytes: Vec<Bytes> = body.iter().map(|byte| Bytes::copy_from_slice(&[*byte])).collect();
        prop_assert_eq!(scan(&wanted(), &bytes), read(&body));
    }

    #[test]
    fn a_document_is_accepted(body in document()) {
        prop_assert!(read(&body).is_ok());
    }

    #[test]
    fn the_judgement_is_the_grammars(body in prop_oneof![broken(), soup()]) {
        prop_assert_eq!(read(&body).map(|_| ()).map_err(|malformed| malformed.at), reference::read(&body).map(|_| ()));
    }

    #[test]
    fn serde_json_judges_alike(body in prop_oneof![broken(), soup()]) {
        // It takes no byte order mark; nothing else differs, lone surrogates and invalid UTF-8 included.
        let mut body = &body[..];
        while let Some(rest) = body.strip_prefix(b"\xEF\xBB\xBF") {
            body = rest;
        }
        let theirs = serde_json::from_slice::<serde::de::IgnoredAny>(body);
        prop_assert_eq!(read(body).is_ok(), theirs.is_ok());
    }

    #[test]
    fn members_are_read_as_the_last_duplicates(body in message()) {
        let found = read(&body).expect("well-formed");
        let parsed: Value = serde_json::from_slice(&body).expect("serde_json reads it");
        let places = [
            (Slot::Contract, "/processing"),
            (Slot::Text, "/text"),
            (Slot::Params, "/params"),
            (Slot::Room, "/params/roomId"),
            (Slot::ConversationId, "/metadata/room"),
        ];
        for (slot, pointer) in places {
            let value = found.get(slot).map(|value| &body[value.span.clone()]);
            let ours: Option<Value> = value.map(|value| serde_json::from_slice(value).expect("a value"));
            prop_assert_eq!(ours.as_ref(), parsed.pointer(pointer), "{}", pointer);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..300), cuts in cut()) {
        let wanted = wanted();
        let mut scanner = Scanner::new(&wanted);
        let all = cuts.of(&body).iter().try_for_each(|chunk| scanner.push(chunk));
        prop_assert_eq!(all.is_ok() && scanner.finish().is_ok(), reference::read(&body).is_ok());
    }

    #[test]
    fn removal_takes_the_contract_and_nothing_else(body in message(), cuts in cut()) {
        let found = read(&body).expect("well-formed");
        let chunks = cuts.of(&body);
        let edits = edit::removal(&found.contract);
        let edited = edit::apply(&chunks, &edits).concat();

        let gone = |at: &usize| edits.iter().any(|edit| edit.span.contains(at));
        let left: Vec<u8> = (0..body.len()).filter(|at| !gone(at)).map(|at| body[at]).collect();
        prop_assert_eq!(&edited, &left);
        let members: usize = found.contract.iter().map(|member| member.value.end - member.key).sum();
        let commas = found.contract.iter().filter(|member| member.comma.is_some()).count();
        prop_assert_eq!(edited.len(), body.len() - members - commas);

        let again = read(&edited);
        prop_assert!(again.as_ref().is_ok_and(|again| again.contract.is_empty()), "{:?}", again);
        let mut parsed: Value = serde_json::from_slice(&body).expect("serde_json reads it");
        parsed.as_object_mut().expect("an object").remove("processing");
        prop_assert_eq!(serde_json::from_slice::<Value>(&edited).expect("serde_json reads it"), parsed);
    }

    #[test]
    fn replacement_changes_the_contract_and_nothing_else(body in message(), cuts in cut()) {
        let found = read(&body).expect("well-formed");
        let with = Bytes::from_static(br#"{"mode":"default"}"#);
        let edited = edit::apply(&cuts.of(&body), &edit::replacement(&found.contract, &with)).concat();

        let mut parsed: Value = serde_json::from_slice(&body).expect("serde_json reads it");
        let members = parsed.as_object_mut().expect("an object");
        if let Some(contract) = members.get_mut("processing") {
            *contract = serde_json::json!({"mode": "default"});
        }
        prop_assert_eq!(serde_json::from_slice::<Value>(&edited).expect("serde_json reads it"), parsed);
        let again = read(&edited).expect("well-formed");
        prop_assert_eq!(again.contract.len(), found.contract.len());
        for member in again.contract {
            prop_assert_eq!(&edited[member.value], &with[..]);
        }
    }
}
