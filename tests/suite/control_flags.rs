//! The flags through the admin API: what a change does, when it ends, and what is refused.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::control_process::{CANARY, DOWNGRADED, FAST, STRIPPED, generation, message, until_flag};
use crate::harness::{Client, Modegate, Origin, Request, Start, settings};

async fn capability(modegate: &Modegate) -> (bool, bool) {
    let path = Request::get("/.well-known/processing");
    let document = Client::once(modegate.frontend(), path).await.json();
    let says = |key: &str| document[key].as_bool().expect("a bool");
    (says("contract"), says("ui"))
}

#[tokio::test]
async fn a_change_holds_for_the_next_request() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, CANARY)).await;
    assert_eq!(message(&modegate, &origin).await.1, STRIPPED);
    let steps = [
        ("contract", true, DOWNGRADED, (true, false)),
        ("runtime", true, FAST, (true, false)),
        ("ui", true, FAST, (true, true)),
        ("kill", true, STRIPPED, (false, false)),
        ("cloud_enforced", true, STRIPPED, (false, false)),
        ("kill", false, FAST, (true, true)),
        ("ui", false, FAST, (true, false)),
        ("runtime", false, DOWNGRADED, (true, false)),
        ("contract", false, STRIPPED, (false, false)),
    ];
    for (at, (flag, value, body, document)) in (2..).zip(steps) {
        let response = modegate.set_flag(flag, value).await;
        let expected = json!({ "flag": flag, "value": value, "generation": at });
        assert_eq!((response.status, response.json()), (200, expected));
        assert_eq!(message(&modegate, &origin).await.1, body, "after {flag} = {value}");
        assert_eq!(capability(&modegate).await, document, "after {flag} = {value}");
        assert_eq!(generation(&modegate).await, at);
        let metrics = modegate.metrics().await;
        assert_eq!(metrics.sum("modegate_snapshot_generation", &[]), f64::from(at as u32));
        assert_eq!(metrics.sum("modegate_flag", &[("name", flag)]), f64::from(u8::from(value)));
        assert_eq!(metrics.sum("modegate_flag_override", &[("name", flag)]), 1.0);
    }
}

#[tokio::test]
async fn an_override_ends_by_itself_and_the_others_stay() {
    let origin = Origin::echo().await;
    let config = format!("{CANARY}[flags]\ncontract = true\nruntime = true\n");
    let modegate = Modegate::start(&settings(&origin, &config)).await;
    modegate.flag("cloud_enforced", true).await;
    let body = json!({ "value": true, "actor": "ann", "reason": "drill", "expires": "300ms" });
    let set = modegate.call("PUT", "/flags/kill", Some(body)).await;
    assert_eq!((set.status, &set.json()["generation"]), (200, &json!(3)));

    let flags = until_flag(&modegate, "kill", false).await;
    assert_eq!(flags["generation"], 4, "its end is a snapshot of its own");
    assert_eq!(flags["flags"]["kill"]["layers"]["override"], Value::Null);
    assert_eq!(flags["flags"]["cloud_enforced"]["layer"], "override");
    assert_eq!(message(&modegate, &origin).await.1, FAST);
    let line = modegate.logged("override expired").await;
    assert_eq!((&line["flag"], &line["generation"]), (&json!("kill"), &json!(4)));
    assert_eq!(modegate.metrics().await.sum("modegate_flag_override", &[]), 1.0);
}

#[tokio::test]
async fn what_is_set_is_shown_with_who_why_and_until_when() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let seconds = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    for (expires, lasts) in [(Some("90m"), 5_400), (None, 4 * 3_600)] {
        let mut body = json!({ "value": true, "actor": "ann", "reason": "INC-7: \"mode\"" });
        if let Some(expires) = expires {
            body["expires"] = json!(expires);
        }
        let before = seconds();
        assert_eq!(modegate.call("PUT", "/flags/contract", Some(body)).await.status, 200);
        let view = modegate.flags().await["flags"]["contract"].clone();
        let set = &view["layers"]["override"];
        assert_eq!((&view["value"], &view["layer"]), (&json!(true), &json!("override")));
        assert_eq!(view["environment_variable"], "FAST_MODE_CONTRACT_ENABLED");
        assert_eq!((&set["actor"], &set["reason"]), (&json!("ann"), &json!("INC-7: \"mode\"")));
        let until = set["expires"].as_u64().expect("seconds since 1970");
        assert!((before + lasts..=seconds() + lasts).contains(&until), "{until}");
    }
    let line = modegate.logged("flag set").await;
    assert_eq!((&line["actor"], &line["flag"]), (&json!("ann"), &json!("contract")));
}

#[tokio::test]
async fn taking_an_override_back_gives_the_layers_below() {
    let origin = Origin::echo().await;
    let config = format!("{CANARY}[flags]\ncontract = true\n");
    let modegate = Modegate::start(&settings(&origin, &config)).await;
    modegate.flag("runtime", true).await;
    assert_eq!(message(&modegate, &origin).await.1, FAST);
    let why = json!({ "actor": "ann", "reason": "done" });
    let cleared = modegate.call("DELETE", "/flags/runtime", Some(why.clone())).await;
    let expected = json!({ "flag": "runtime", "value": false, "generation": 3 });
    assert_eq!((cleared.status, cleared.json()), (200, expected));
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);
    modegate.logged("override cleared").await;
    let again = modegate.call("DELETE", "/flags/runtime", Some(why)).await;
    assert_eq!((again.status, generation(&modegate).await), (404, 3));
}

#[tokio::test]
async fn a_refused_change_says_why_and_changes_nothing() {
    let origin = Origin::echo().await;
    let modegate =
        Modegate::start(&settings(&origin, &format!("{CANARY}[flags]\ncontract = true"))).await;
    let set = |key: &str, value: Value| {
        let mut body = json!({ "value": true, "actor": "a", "reason": "r", "expires": "1m" });
        match value {
            Value::Null => drop(body.as_object_mut().expect("an object").remove(key)),
            value => body[key] = value,
        }
        body.to_string()
    };
    let long = "x".repeat(257);
    let good = set("value", json!(true));
    let cases = [
        ("no actor", "PUT", "kill", set("actor", Value::Null), 400),
        ("empty actor", "PUT", "kill", set("actor", json!("")), 400),
        ("blank reason", "PUT", "kill", set("reason", json!(" \n ")), 400),
        ("no reason", "PUT", "kill", set("reason", Value::Null), 400),
        ("long reason", "PUT", "kill", set("reason", json!(long)), 400),
        ("actor a number", "PUT", "kill", set("actor", json!(7)), 400),
        ("no value", "PUT", "kill", set("value", Value::Null), 400),
        ("value a text", "PUT", "kill", set("value", json!("true")), 400),
        ("value a number", "PUT", "kill", set("value", json!(1)), 400),
        ("zero expiry", "PUT", "kill", set("expires", json!("0s")), 400),
        ("over the limit", "PUT", "kill", set("expires", json!("14401s")), 400),
        ("no unit", "PUT", "kill", set("expires", json!("60")), 400),
        ("no duration", "PUT", "kill", set("expires", json!("soon")), 400),
        ("negative", "PUT", "kill", set("expires", json!("-1s")), 400),
        ("never", "PUT", "kill", set("expires", json!("off")), 400),
        ("a number", "PUT", "kill", set("expires", json!(60)), 400),
        ("overflow", "PUT", "kill", set("expires", json!("99999999999999999999h")), 400),
        ("unknown member", "PUT", "kill", set("ttl", json!("1m")), 400),
        ("not JSON", "PUT", "kill", "value=true".to_owned(), 400),
        ("nothing", "PUT", "kill", String::new(), 400),
        ("a list", "PUT", "kill", format!("[{good}]"), 400),
        ("two documents", "PUT", "kill", format!("{good}{good}"), 400),
        ("twice a member", "PUT", "kill", good.replacen('{', "{\"value\":false,", 1), 400),
        ("not UTF-8 nor JSON", "PUT", "kill", "\u{feff}{}".to_owned(), 400),
        ("contract under nothing", "PUT", "ui", good.clone(), 409),
        ("no such flag", "PUT", "kil", good.clone(), 404),
        ("another case", "PUT", "Kill", good.clone(), 404),
        ("a path", "PUT", "kill/", good.clone(), 404),
        ("an escape", "PUT", "%6bill", good.clone(), 404),
        ("nothing to clear", "DELETE", "kill", r#"{"actor":"a","reason":"r"}"#.to_owned(), 404),
        ("clear without a reason", "DELETE", "kill", r#"{"actor":"a"}"#.to_owned(), 400),
        ("clear without a body", "DELETE", "kill", String::new(), 400),
    ];
    let before = modegate.flags().await;
    for (name, method, flag, body, status) in cases {
        let request = Request::new(method, &format!("/flags/{flag}"))
            .header("Host", "localhost")
            .only_last("Host")
            .header("Authorization", &format!("Bearer {}", crate::harness::TOKEN))
            .body(body);
        let response = Client::once(modegate.admin(), request).await;
        assert_eq!(response.status, status, "{name}: {}", response.text());
        let error = response.json()["error"].as_str().map(str::to_owned);
        assert!(error.is_some_and(|error| !error.is_empty()), "{name}");
        assert_eq!(modegate.flags().await, before, "{name}");
    }
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);
}

#[tokio::test]
async fn what_is_refused_is_named_with_what_is_allowed() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let allowed = "allowed: a duration with its unit, 1ms to 4h (admin.override_limit)";
    let flags = "allowed: contract, runtime, ui, cloud_enforced, kill";
    let cases = [
        ("contrct", "1m", format!("flag: found: \"contrct\"; {flags}")),
        ("kill", "9h", format!("expires: found: \"9h\"; {allowed}")),
        ("kill", "60", format!("expires: found: \"60\"; {allowed}")),
        ("kill", "0s", format!("expires: found: \"0ms\"; {allowed}")),
    ];
    for (flag, expires, says) in cases {
        let body = json!({ "value": true, "actor": "a", "reason": "r", "expires": expires });
        let answer = modegate.call("PUT", &format!("/flags/{flag}"), Some(body)).await;
        assert_eq!(answer.json()["error"], says);
    }
}

#[tokio::test]
async fn no_change_may_break_the_rules_in_either_direction() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, CANARY)).await;
    let refused = async |flag, value, says: &str| {
        let before = generation(&modegate).await;
        let response = modegate.set_flag(flag, value).await;
        assert_eq!(response.status, 409, "{flag} = {value}: {}", response.text());
        assert!(response.text().contains(says), "{}", response.text());
        assert_eq!(generation(&modegate).await, before);
    };
    refused("runtime", true, "runtime needs contract").await;
    refused("ui", true, "ui needs contract and runtime").await;
    modegate.flag("contract", true).await;
    refused("ui", true, "ui needs contract and runtime").await;
    modegate.flag("runtime", true).await;
    modegate.flag("ui", true).await;
    refused("contract", false, "needs contract").await;
    refused("runtime", false, "ui needs").await;
    assert_eq!(message(&modegate, &origin).await.1, FAST);
}

#[tokio::test]
async fn kill_holds_as_long_as_any_layer_says_so() {
    let origin = Origin::echo().await;
    let on = "contract = true\nruntime = true\n";
    let cases = [("kill = true", ""), ("kill = false", "1"), ("", "yes"), ("kill = true", "off")];
    for (file, environment) in cases {
        let config = format!("{CANARY}[flags]\n{on}{file}\n");
        let start = Start::new(&settings(&origin, &config)).env("FAST_MODE_KILL", environment);
        let modegate = start.run().await;
        assert_eq!(message(&modegate, &origin).await.1, STRIPPED, "{file:?} {environment:?}");
        let set = modegate.set_flag("kill", false).await;
        assert_eq!(set.status, 200);
        assert_eq!(set.json()["value"], true, "it says what holds: {file:?} {environment:?}");
        assert_eq!(message(&modegate, &origin).await.1, STRIPPED, "{file:?} {environment:?}");
        let kill = modegate.flags().await["flags"]["kill"].clone();
        assert_eq!(kill["value"], true);
        assert_eq!(kill["layers"]["override"]["value"], false);
    }
}

#[tokio::test]
async fn the_environment_comes_after_the_file_and_before_an_override() {
    let origin = Origin::echo().await;
    let config = format!("{CANARY}[flags]\ncontract = true\ncloud_enforced = true\n");
    let start = Start::new(&settings(&origin, &config))
        .env("FAST_MODE_CONTRACT_ENABLED", "Off")
        .env("FAST_MODE_CLOUD_ENFORCED", "")
        .env("FAST_MODE_RUNTIME_ENABLED", "0");
    let modegate = start.run().await;
    assert_eq!(message(&modegate, &origin).await.1, STRIPPED);
    let flags = modegate.flags().await["flags"].clone();
    let layers = |flag: &str| {
        let view = &flags[flag];
        let of = |layer: &str| view["layers"][layer].clone();
        (view["layer"].clone(), of("default"), of("file"), of("environment"), of("override"))
    };
    let (no, yes, none) = (json!(false), json!(true), Value::Null);
    let expected = [
        ("contract", "environment", &no, &yes, &no),
        ("cloud_enforced", "file", &no, &yes, &none),
        ("runtime", "environment", &no, &none, &no),
        ("ui", "default", &no, &none, &none),
    ];
    for (flag, layer, default, file, environment) in expected {
        let expected =
            (json!(layer), default.clone(), file.clone(), environment.clone(), Value::Null);
        assert_eq!(layers(flag), expected, "{flag}");
    }
    modegate.flag("contract", true).await;
    assert_eq!(message(&modegate, &origin).await.1, DOWNGRADED);
}

#[tokio::test]
async fn after_a_partial_expiry_the_hard_rollback_is_still_there() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, CANARY)).await;
    let body = json!({ "value": true, "actor": "a", "reason": "r", "expires": "1s" });
    modegate.call("PUT", "/flags/contract", Some(body)).await;
    // Where the machine is so slow that contract has ended already, there is nothing to show.
    if modegate.set_flag("runtime", true).await.status != 200 {
        return;
    }
    until_flag(&modegate, "contract", false).await;
    assert_eq!(modegate.flags().await["flags"]["runtime"]["value"], false);
    assert_eq!(message(&modegate, &origin).await.1, STRIPPED);
    modegate.flag("kill", true).await;
    assert_eq!(message(&modegate, &origin).await.1, STRIPPED);
    assert_eq!(modegate.flags().await["flags"]["kill"]["value"], true);
}

/// An override's end is not delayed by a longer one that was set before or after it.
#[tokio::test]
async fn each_override_has_its_own_end() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    for (flag, expires) in [("contract", "1h"), ("kill", "200ms"), ("cloud_enforced", "2h")] {
        let body = json!({ "value": true, "actor": "a", "reason": "r", "expires": expires });
        let set = modegate.call("PUT", &format!("/flags/{flag}"), Some(body)).await;
        assert_eq!(set.status, 200);
    }
    let flags = until_flag(&modegate, "kill", false).await;
    assert_eq!(flags["flags"]["contract"]["value"], true);
    assert_eq!(flags["flags"]["cloud_enforced"]["value"], true);
    // Set again, with another end: the last word counts.
    for expires in ["200ms", "1h"] {
        let body = json!({ "value": true, "actor": "a", "reason": "r", "expires": expires });
        modegate.call("PUT", "/flags/kill", Some(body)).await;
    }
    let body = json!({ "value": true, "actor": "a", "reason": "r", "expires": "1s" });
    modegate.call("PUT", "/flags/cloud_enforced", Some(body)).await;
    let flags = until_flag(&modegate, "cloud_enforced", false).await;
    assert_eq!(flags["flags"]["kill"]["value"], true, "the later end holds");
    let until = flags["flags"]["kill"]["layers"]["override"]["expires"].as_u64();
    let hour = SystemTime::now() + Duration::from_secs(3_500);
    assert!(until > hour.duration_since(UNIX_EPOCH).ok().map(|at| at.as_secs()));
}
