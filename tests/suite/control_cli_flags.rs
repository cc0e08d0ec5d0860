//! `modegate flags` against a running sidecar, over TCP and over a unix socket.

use serde_json::{Value, json};

use crate::control_process::{CANARY, FAST, STRIPPED, command, generation, message};
use crate::harness::{Exited, Modegate, Origin, TempDir, settings};

/// The arguments that say which sidecar, and as whom.
pub fn target(modegate: &Modegate) -> Vec<String> {
    let admin = match modegate.admin().to_string() {
        unix if unix.starts_with("unix:") => unix,
        tcp => format!("http://{tcp}"),
    };
    let token = modegate.dir().path().join("token").display().to_string();
    ["--admin", &admin, "--token-file", &token].map(str::to_owned).into()
}

async fn flags(target: &[String], arguments: &[&str]) -> Exited {
    let target: Vec<&str> = target.iter().map(String::as_str).collect();
    command(&[["flags"].as_slice(), arguments, &target].concat(), "").await
}

#[tokio::test]
async fn list_set_and_clear_over_tcp_and_unix() {
    let origin = Origin::echo().await;
    let on = format!("{CANARY}[flags]\ncontract = true\nruntime = true\n");
    for bind in ["127.0.0.1:0", "unix:{dir}/admin.sock"] {
        let admin = format!("\n[admin]\nbind = \"{bind}\"\ntoken_file = \"{{dir}}/token\"\n");
        let modegate = Modegate::start(&(settings(&origin, &on) + &admin)).await;
        let target = target(&modegate);
        assert_eq!(message(&modegate, &origin).await.1, FAST);

        let why = ["--actor", "ann", "--reason", "INC-7 \u{2028}", "--expires", "10m"];
        let set = flags(&target, &[["set", "kill", "on"].as_slice(), &why].concat()).await;
        assert_eq!((set.code, set.stdout.as_str()), (Some(0), "kill is on (generation 2)\n"));
        assert_eq!(message(&modegate, &origin).await.1, STRIPPED);

        let list = flags(&target, &["list"]).await;
        let expected = "generation 2\n\
            FLAG            VALUE  LAYER        OVERRIDE\n\
            contract        on     file\n\
            runtime         on     file\n\
            ui              off    default\n\
            cloud_enforced  off    default\n\
            kill            on     override     on by ann: INC-7 \\u{2028}\n";
        assert_eq!((list.code, list.stdout.as_str()), (Some(0), expected));
        let list = flags(&target, &["list", "--json"]).await;
        let answer: Value = serde_json::from_str(&list.stdout).expect("JSON");
        assert_eq!(answer, modegate.flags().await);

        let clear = ["clear", "kill", "--json", "--actor", "ann", "--reason", "over"];
        let cleared = flags(&target, &clear).await;
        let answer: Value = serde_json::from_str(&cleared.stdout).expect("JSON");
        let expected = json!({ "flag": "kill", "value": false, "generation": 3 });
        assert_eq!((cleared.code, answer), (Some(0), expected));
        assert_eq!(message(&modegate, &origin).await.1, FAST);
    }
}

#[tokio::test]
async fn what_is_refused_is_exit_code_one_and_says_why() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "")).await;
    let right = target(&modegate);
    let wrong = modegate.dir().write("wrong", "a wrong token of length").display().to_string();
    let mut stranger = right.clone();
    stranger[3] = wrong;
    let nobody = right[..2].to_vec();
    let why = ["--actor", "ann", "--reason", "r"];
    let set = |flag: &'static str, more: &[&'static str]| {
        [["set", flag, "on"].as_slice(), &why, more].concat()
    };
    let cases = [
        (&right, set("runtime", &[]), "runtime needs contract"),
        (
            &right,
            set("kill", &["--expires", "99h"]),
            "found: \"99h\"; allowed: a duration with its unit, 1ms to 4h",
        ),
        (&right, set("kill", &["--expires", "soon"]), "found: \"soon\""),
        (&right, set("kill", &["--expires", "5h"]), "admin.override_limit"),
        (&right, vec!["set", "kill", "on", "--actor", "ann", "--reason", " "], "reason"),
        (&right, [["clear", "kill"].as_slice(), &why].concat(), "no override"),
        (&stranger, set("kill", &[]), "token"),
        (&nobody, set("kill", &[]), "--token-file FILE"),
    ];
    for (target, arguments, says) in cases {
        let ended = flags(target, &arguments).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
    }
    assert_eq!(generation(&modegate).await, 1);
    assert_eq!(flags(&nobody, &["list"]).await.code, Some(0), "reading needs no token");
}

#[tokio::test]
async fn what_cannot_be_reached_is_exit_code_three() {
    let dir = TempDir::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    // It takes the connection and says nothing, until the connection ends without an answer.
    let silent = std::thread::spawn(move || drop(taken.accept()));
    let unix = format!("unix:{}", dir.path().join("none.sock").display());
    for admin in [format!("http://{address}"), unix] {
        let ended = command(&["flags", "list", "--admin", &admin], "").await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""), "{admin}");
        assert!(ended.stderr.contains(&admin), "{}", ended.stderr);
    }
    silent.join().expect("one connection was taken");
}

#[tokio::test]
async fn what_is_no_sidecar_or_no_token_is_usage() {
    let dir = TempDir::new();
    let split = dir.write("split", "0123456789\n0123456789").display().to_string();
    let empty = dir.write("empty", " \n").display().to_string();
    let cases: [&[&str]; 7] = [
        &["flags", "list", "--admin", "ftp://localhost:1"],
        &["flags", "list", "--admin", "https://localhost:1"],
        &["flags", "list", "--admin", "localhost"],
        &["flags", "list", "--admin", ""],
        &["flags", "list", "--token-file", "/nonexistent/token"],
        &["flags", "list", "--token-file", &split],
        &["flags", "list", "--token-file", &empty],
    ];
    for arguments in cases {
        let ended = command(arguments, "").await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!ended.stderr.contains("0123456789"), "{}", ended.stderr);
        let is_file = arguments.contains(&&*split) || arguments.contains(&&*empty);
        assert_eq!(ended.stderr.contains("allowed: one line"), is_file, "{}", ended.stderr);
    }
}

#[tokio::test]
async fn what_is_set_and_does_not_take_effect_is_said() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "[flags]\nkill = true\n")).await;
    let target = target(&modegate);
    let why = ["--actor", "ann", "--reason", "r"];
    let off = flags(&target, &[["set", "kill", "off"].as_slice(), &why].concat()).await;
    assert_eq!((off.code, off.stdout.as_str()), (Some(1), ""));
    let says = "kill was set off by hand, but kill is on (generation 2): the layer file says so";
    assert!(off.stderr.contains(says), "{}", off.stderr);
    let on = flags(&target, &[["set", "contract", "on"].as_slice(), &why].concat()).await;
    let says = "contract is on (generation 3); but kill is on, and goes before it\n";
    assert_eq!((on.code, on.stdout.as_str()), (Some(0), says), "{}", on.stderr);
}
