//! Each verdict of the bridge leg, on every chat route.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::FAST;
use super::chain::{Chain, ROUTES, Say, counts, line, said, verdicts};
use super::fault::{Fault, Treatment};
use super::message::{Message, room_of};

type Case = (Option<&'static str>, Treatment, &'static [(&'static str, &'static str)]);

/// What the client asks for, what the API server does, and what is said of each request that comes
/// of it: verdict and means.
fn cases() -> Vec<Case> {
    let crossed = || Fault::CrossRoom(room_of("somebody-elses"));
    let fast = Some("fast");
    vec![
        (fast, Treatment::new(Fault::None), &[("match", "room_text")]),
        (None, Treatment::new(Fault::None), &[("match", "room_text")]),
        (Some("default"), Treatment::new(Fault::None), &[("match", "room_text")]),
        (None, Treatment::old(Fault::None), &[("match", "room_text")]),
        (Some("default"), Treatment::old(Fault::None), &[("match", "room_text")]),
        (fast, Treatment::old(Fault::None), &[("mode_missing", "room_text")]),
        (fast, Treatment::new(Fault::LoseMode), &[("mode_missing", "room_text")]),
        (fast, Treatment::new(Fault::AlterMode), &[("mode_altered", "room_text")]),
        (None, Treatment::new(Fault::InventMode), &[("mode_invented", "room_text")]),
        (Some("default"), Treatment::new(Fault::InventMode), &[("mode_invented", "room_text")]),
        (None, Treatment::old(Fault::LoseRoom), &[("room_missing", "text")]),
        (fast, Treatment::new(Fault::LoseRoom), &[("room_missing", "text")]),
        (fast, Treatment::old(Fault::LoseRoom), &[("room_missing", "text")]),
        (None, Treatment::new(crossed()), &[("room_crossed", "text")]),
        (fast, Treatment::new(crossed()), &[("room_crossed", "text")]),
        (fast, Treatment::new(Fault::Twice), &[("match", "room_text"), ("duplicate", "room_text")]),
        (
            fast,
            Treatment::old(Fault::Twice),
            &[("mode_missing", "room_text"), ("duplicate", "room_text")],
        ),
        (fast, Treatment::new(Fault::Locally), &[]),
    ]
}

#[tokio::test]
async fn every_verdict_on_every_route() {
    let cases = cases();
    let treatments: Vec<Treatment> = cases.iter().map(|case| case.1.clone()).collect();
    let next = Mutex::new(treatments.into_iter().cycle());
    let treat = move |_: &Message| next.lock().expect("no panic").next().expect("it goes on");
    let chain = Chain::start(FAST, treat).await;
    let (mut by_verdict, mut by_means) = (BTreeMap::new(), BTreeMap::new());
    for (at, route) in ROUTES.iter().enumerate() {
        for (number, (mode, treatment, expected)) in cases.iter().enumerate() {
            let text = format!("text {number} of {at}");
            let say = Say { route, conversation: "c-1", text: &text, mode: *mode };
            let (response, handled) = chain.send(&say).await;
            let case = format!("{say:?} {treatment:?}");
            assert_eq!(response.status, 200, "{case}");
            assert_eq!(&handled.treatment, treatment, "{case}");
            assert_eq!(handled.message.is_fast(), *mode == Some("fast"), "{case}");
            let words: Vec<_> = expected.iter().map(|(verdict, _)| *verdict).collect();
            assert_eq!(treatment.verdicts(*mode == Some("fast")), words, "{case}");
            let frontend = handled.message.request_id.as_str();
            let path = if expected.is_empty() { "local" } else { "cloud" };
            let left = line(&chain.modegate, "frontend", frontend).await;
            assert_eq!(left["path"], path, "{case}: {left}");
            assert_eq!(said(&left), ["-"; 3], "{case}: {left}");
            assert_eq!(handled.calls.len(), expected.len(), "{case}");
            for (call, (verdict, means)) in handled.calls.iter().zip(*expected) {
                let arrived = line(&chain.modegate, "bridge", &call.request_id).await;
                let joined = if *verdict == "duplicate" { "-" } else { frontend };
                assert_eq!(said(&arrived), [*verdict, *means, joined], "{case}: {arrived}");
                assert_eq!(call.status, 200, "only counted: {case}");
                *by_verdict.entry((*verdict).to_owned()).or_insert(0) += 1;
                *by_means.entry((*means).to_owned()).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(verdicts(&chain.modegate, "bridge").await, by_verdict);
    let means = counts(&chain.modegate, "modegate_parity_joins_total", "bridge", "means").await;
    assert_eq!(means, by_means);
    let labels = [("leg", "bridge"), ("source", "request")];
    let crossed = by_verdict["room_crossed"] as f64;
    chain.modegate.counted("modegate_contamination_total", &labels, crossed).await;
    chain.modegate.counted("modegate_parity_enforced_total", &[], 0.0).await;
}
