//! Legs are joined whatever the flags say, so that a rollback can be watched.

use super::by_hand::{ByHand, params};
use super::chain::{said, verdicts};

const CANARY: &str = "[canary]\npercent = 100\n";
const FAST_MODE: Option<&str> = Some(r#"{"mode":"fast"}"#);

/// What the client asks for, what the server makes of what it gets, and what is said of it.
#[tokio::test]
async fn with_the_contract_off_or_killed_legs_are_still_joined() {
    let settings = [
        "[flags]\n",
        "[flags]\ncontract = true\nruntime = true\nkill = true\n",
        "[flags]\ncontract = true\nruntime = true\nui = true\ncloud_enforced = true\nkill = true\n",
        "[flags]\ncloud_enforced = true\n",
    ];
    for flags in settings {
        let by_hand = ByHand::start(&format!("{CANARY}{flags}")).await;
        let fast = r#","processing":{"mode":"fast"}"#;
        let roomless = r#"{"text":"what nobody else happens to say, 4"}"#.to_owned();
        let somebody =
            r#"{"text":"what nobody else happens to say, 5","roomId":"somebody-elses"}"#.to_owned();
        let cases = [
            ("0", FAST_MODE, params("\"0\"", ""), ["match", "room_text"]),
            ("1", None, params("\"1\"", ""), ["match", "room_text"]),
            ("2", Some("7"), params("\"2\"", ""), ["match", "room_text"]),
            ("3", FAST_MODE, params("\"3\"", fast), ["mode_invented", "room_text"]),
            ("what nobody else happens to say, 4", None, roomless, ["room_missing", "text"]),
            ("what nobody else happens to say, 5", FAST_MODE, somebody, ["room_crossed", "text"]),
        ];
        for (text, processing, params, expected) in &cases {
            let left = by_hand.leaves(&format!("\"{text}\""), *processing).await;
            assert!(!left.forwarded.expect("it goes on").text().contains("processing"));
            assert_eq!(left.line["mode"], "default");
            let arrived = by_hand.arrives(params).await;
            let id = left.line["request_id"].as_str().expect("an id");
            assert_eq!(said(&arrived.line), [expected[0], expected[1], id], "{flags} {params}");
            let forwarded = arrived.forwarded.map(|forwarded| forwarded.text());
            // Nothing is put back where everything is removed; with the contract off a room that
            // was lost is still a fault.
            let is_of_room = expected[0].starts_with("room");
            match flags.contains("cloud_enforced") && !flags.contains("kill") && is_of_room {
                true => assert_eq!(forwarded, None, "{flags} {params}"),
                false => assert!(!forwarded.expect("it goes on").contains("processing")),
            }
        }
        let all = verdicts(&by_hand.modegate, "bridge").await;
        assert_eq!((all["match"], all.len()), (3, 4), "{flags}: {all:?}");
    }
}

/// Downgraded on the frontend leg: it is the default mode that must arrive.
#[tokio::test]
async fn what_was_downgraded_is_compared_as_it_left() {
    for flags in ["contract = true", "contract = true\nruntime = true\n[canary]\npercent = 0"] {
        let by_hand = ByHand::start(&format!("[flags]\n{flags}\n")).await;
        for (text, more, verdict) in [
            ("0", "", "match"),
            ("1", r#","processing":{"mode":"default"}"#, "match"),
            ("2", r#","processing":null"#, "match"),
            ("3", r#","processing":{"mode":"fast"}"#, "mode_invented"),
        ] {
            let text = format!("\"{text}\"");
            let left = by_hand.leaves(&text, FAST_MODE).await;
            assert_eq!(left.line["action"], "downgrade");
            let arrived = by_hand.arrives(&params(&text, more)).await;
            assert_eq!(said(&arrived.line)[0], verdict, "{flags} {more}");
            assert_eq!(arrived.line["mode"], "default", "{flags} {more}");
        }
    }
}

/// A value that is none is another mode than the one that left; it is refused as on any leg.
#[tokio::test]
async fn a_value_that_is_none_is_another_mode() {
    let flags = "[flags]\ncontract = true\nruntime = true\n";
    let by_hand = ByHand::start(&format!("{CANARY}{flags}")).await;
    for (text, processing, verdict) in
        [("0", FAST_MODE, "mode_altered"), ("1", None, "mode_invented")]
    {
        let text = format!("\"{text}\"");
        by_hand.leaves(&text, processing).await;
        let arrived = by_hand.arrives(&params(&text, r#","processing":{"mode":"turbo"}"#)).await;
        assert_eq!(said(&arrived.line)[0], verdict);
        assert_eq!((arrived.response.status, arrived.forwarded.is_none()), (400, true));
        assert_eq!(arrived.line["reason"], "contract_mode", "{}", arrived.line);
    }
}
