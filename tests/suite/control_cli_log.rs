//! `modegate log` against a running sidecar.

use serde_json::{Value, json};

use crate::control_cli_flags::target;
use crate::control_process::command;
use crate::harness::{Exited, Modegate, Origin, settings};

async fn log(target: &[String], arguments: &[&str]) -> Exited {
    let target: Vec<&str> = target.iter().map(String::as_str).collect();
    command(&[["log"].as_slice(), arguments, &target].concat(), "").await
}

#[tokio::test]
async fn show_set_and_clear() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let target = target(&modegate);
    let plain = "now       info, access line on\nfile      info, access line on\n";
    let shown = log(&target, &["show"]).await;
    assert_eq!((shown.code, shown.stdout.as_str()), (Some(0), plain));

    let level = "info,modegate::data_plane=debug";
    let why = ["--actor", "ann", "--reason", "INC-7 \u{2028}", "--expires", "10m"];
    let arguments = [["set", level, "--access", "off"].as_slice(), &why].concat();
    let set = log(&target, &arguments).await;
    let expected = format!(
        "now       {level}, access line off\nfile      info, access line on\n\
         override  by ann: INC-7 \\u{{2028}}\n"
    );
    assert_eq!((set.code, set.stdout), (Some(0), expected));
    let shown = log(&target, &["show", "--json"]).await;
    let answer: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(answer, modegate.call("GET", "/log", None).await.json());
    assert_eq!((&answer["level"], &answer["access"]), (&json!(level), &json!(false)));

    let cleared = log(&target, &["clear", "--actor", "ann", "--reason", "over"]).await;
    assert_eq!((cleared.code, cleared.stdout.as_str()), (Some(0), plain));
}

#[tokio::test]
async fn what_is_refused_is_exit_code_one_and_says_why() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let right = target(&modegate);
    let nobody = right[..2].to_vec();
    let why = ["--actor", "ann", "--reason", "r"];
    let cases = [
        (&right, [["set", "loud"].as_slice(), &why].concat(), 1, "found: \"loud\"; allowed: "),
        (&right, [["set", "info", "--expires", "9h"].as_slice(), &why].concat(), 1, "expires"),
        (&right, [["clear"].as_slice(), &why].concat(), 1, "no override"),
        (&nobody, [["set", "info"].as_slice(), &why].concat(), 1, "token"),
        (&right, [["set", "info", "--access", "maybe"].as_slice(), &why].concat(), 2, "on, off"),
        (&right, vec!["set", "info"], 2, "--reason"),
    ];
    for (target, arguments, code, says) in cases {
        let ended = log(target, &arguments).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{arguments:?}");
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
    }
    assert_eq!(log(&nobody, &["show"]).await.code, Some(0), "reading needs no token");
}
