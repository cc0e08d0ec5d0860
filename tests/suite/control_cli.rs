//! The commands that need no running sidecar, but for `explain`: what they print, and their exit
//! codes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control_process::{command, command_with, command_within, file};
use crate::harness::{Authority, TempDir};

#[tokio::test]
async fn check_reports_every_fault_at_once() {
    let dir = TempDir::new();
    let good = file(&dir, "[flags]\ncontract = true");
    let valid = command(&["check", "-c", &good], "").await;
    assert_eq!((valid.code, valid.stdout), (Some(0), format!("{good}: valid\n")));
    assert_eq!(valid.stderr, "");
    let valid = command(&["check", "--json", "-c", &good], "").await;
    assert_eq!((valid.code, valid.stdout.as_str()), (Some(0), "{\"valid\":true}\n"));

    let faults = "[flags]\nruntime = true\n[server]\ntreads = 2\n[timeouts]\nbody = \"30\"";
    let bad = file(&dir, faults);
    let says = [
        "flags.runtime (line 2)\n  found: true\n  allowed: false, or flags.contract = true\n",
        "server.treads (line 4)\n  found: an unknown key\n",
        "  nearest: threads\n",
        "timeouts.body (line 6)\n  found: \"30\", its unit is missing\n",
        "environment:\nFAST_MODE_KILL\n  found: \"maybe\"\n",
    ];
    let environment = [("FAST_MODE_KILL", "maybe")];
    let invalid = command_with(&["check", "-c", &bad], "", &environment).await;
    assert_eq!((invalid.code, invalid.stdout.as_str()), (Some(2), ""));
    for part in says {
        assert!(invalid.stderr.contains(part), "no {part:?} in {}", invalid.stderr);
    }
    let invalid = command_with(&["check", "--json", "-c", &bad], "", &environment).await;
    let answer: Value = serde_json::from_str(&invalid.stdout).expect("JSON on standard output");
    assert_eq!((invalid.code, &answer["valid"]), (Some(2), &json!(false)));
    for part in says {
        assert!(answer["report"].as_str().is_some_and(|report| report.contains(part)), "{answer}");
    }
    let runs = command_with(&["run", "-c", &bad], "", &environment).await;
    assert_eq!(runs.code, Some(2), "run says the same");
    assert!(says.iter().all(|part| runs.stderr.contains(part)), "{}", runs.stderr);
}

#[tokio::test]
async fn check_looks_at_the_files_that_are_named_where_it_is_asked_to() {
    let dir = TempDir::new();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let authority = Authority::new();
    let pair = authority.pair("gate.example");
    for (name, text) in [
        ("token", "sixteen bytes, or more"),
        ("short", "short"),
        ("cert.pem", &pair.cert),
        ("key.pem", &pair.key),
        ("other.pem", &authority.pair("gate.example").key),
        ("roots.pem", &authority.pem()),
    ] {
        dir.write(name, text);
    }
    let config = |token: &str, cert: &str, key: &str, roots: &str| {
        let [token, cert, key, roots] = [token, cert, key, roots].map(at);
        format!(
            "[admin]\ntoken_file = \"{token}\"\n[upstream]\nca_file = \"{roots}\"\n\
             [[listener]]\nleg = \"frontend\"\nbind = \"127.0.0.1:0\"\n\
             upstream = \"https://localhost\"\ntls = {{ cert = \"{cert}\", key = \"{key}\" }}\n"
        )
    };
    let cases: [(_, &[&str]); 4] = [
        (config("token", "cert.pem", "key.pem", "roots.pem"), &[]),
        (
            config("none", "no.pem", "key.pem", "gone.pem"),
            &[
                "admin.token_file",
                "/none: No such",
                "upstream.ca_file",
                "gone.pem",
                "listener.tls",
                "no.pem",
            ],
        ),
        (config("short", "cert.pem", "key.pem", "roots.pem"), &["at least 16 bytes"]),
        (config("token", "cert.pem", "other.pem", "roots.pem"), &["listener.tls", "other.pem"]),
    ];
    for (text, says) in cases {
        let config = dir.write("modegate.toml", text).display().to_string();
        let alone = command(&["check", "-c", &config], "").await;
        assert_eq!(alone.code, Some(0), "they need not be there: {}", alone.stderr);
        let ended = command(&["check", "--files", "-c", &config], "").await;
        let code = if says.is_empty() { 0 } else { 2 };
        assert_eq!(ended.code, Some(code), "{says:?}: {}", ended.stderr);
        for part in says {
            assert!(ended.stderr.contains(part), "no {part:?} in {}", ended.stderr);
        }
        let json = command(&["check", "--files", "--json", "-c", &config], "").await;
        let answer: Value = serde_json::from_str(&json.stdout).expect("JSON on standard output");
        assert_eq!((json.code, &answer["valid"]), (Some(code), &json!(code == 0)));
    }
}

#[tokio::test]
async fn file_and_environment_must_stand_together() {
    let dir = TempDir::new();
    let config = file(&dir, "[flags]\ncontract = true\nruntime = true");
    let off = [("FAST_MODE_CONTRACT_ENABLED", "0")];
    let ended = command_with(&["check", "-c", &config], "", &off).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("runtime needs contract"), "{}", ended.stderr);
    assert!(ended.stderr.contains("environment"), "{}", ended.stderr);
}

#[tokio::test]
async fn usage_is_exit_code_two_and_help_is_none() {
    let dir = TempDir::new();
    let config = file(&dir, "");
    let explain = ["explain", "-c", &config];
    let with = |more: &[&'static str]| [explain.as_slice(), more].concat();
    let cases = [
        vec![],
        vec!["serve"],
        vec!["check"],
        vec!["check", "-c"],
        vec!["check", "-c", "/nonexistent"],
        vec!["check", "-c", &config, "--no-such-option"],
        vec!["bucket", "-c", &config],
        with(&["--leg", "side", "--path", "/"]),
        with(&["--path", "/"]),
        with(&["--leg", "frontend"]),
        with(&["--leg", "frontend", "--path", "/", "--header", "no colon"]),
        with(&["--leg", "frontend", "--path", "/", "--header", "a b: c"]),
        with(&["--leg", "frontend", "--path", "/", "--header", "a: b\nc"]),
        vec!["flags", "set", "kil", "on", "--reason", "r"],
        vec!["flags", "set", "kill", "maybe", "--reason", "r"],
        vec!["flags", "set", "kill", "on"],
        vec!["run", "-c", &config, "--upgrade"],
    ];
    for arguments in cases {
        let ended = command(&arguments, "{}").await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
    for arguments in [["--help"], ["--version"]] {
        let ended = command(&arguments, "").await;
        assert_eq!(ended.code, Some(0), "{arguments:?}");
        assert!(ended.stdout.contains("modegate"), "{arguments:?}");
    }
}

#[tokio::test]
async fn bucket_gives_the_documented_ranks() {
    let dir = TempDir::new();
    let lists = "allow = [\"vip\"]\ndeny = [\"out\"]";
    let salt = "salt = \"fast-mode/2026-12\"";
    let config = file(&dir, &format!("[canary]\n{salt}\npercent = 50\n{lists}"));
    let cases = [
        ("user-1", json!(2_666_261_109_u64), "control", "rank"),
        ("user-2", json!(844_290_280), "canary", "rank"),
        ("user-3", json!(2_933_132_643_u64), "control", "rank"),
        ("日本語", json!(3_864_334_310_u64), "control", "rank"),
        ("", Value::Null, "control", "no_key"),
        ("web-chat", Value::Null, "control", "no_key"),
        ("openai-compat", Value::Null, "control", "no_key"),
        ("anthropic-compat", Value::Null, "control", "no_key"),
        ("default", Value::Null, "control", "no_key"),
    ];
    let keys: Vec<&str> = cases.iter().map(|(key, ..)| *key).chain(["vip", "out"]).collect();
    let arguments = [["bucket", "--json", "-c", &config].as_slice(), &keys].concat();
    let ended = command(&arguments, "").await;
    let lines: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((ended.code, lines.len()), (Some(0), keys.len()), "{}", ended.stderr);
    for ((key, rank, cohort, why), line) in cases.iter().zip(&lines) {
        assert_eq!((&line["key"], &line["rank"]), (&json!(key), rank), "{line}");
        assert_eq!((&line["cohort"], &line["why"]), (&json!(cohort), &json!(why)), "{line}");
        assert_eq!(line["threshold"], 2_147_483_650_u64, "{line}");
        assert_eq!(line["salt"], "fast-mode/2026-12");
    }
    let listed = |at: usize| (lines[at]["cohort"].clone(), lines[at]["why"].clone());
    assert_eq!(listed(9), (json!("canary"), json!("allowed")));
    assert_eq!(listed(10), (json!("control"), json!("denied")));

    // A header's value is a key, whatever rooms are called.
    let config = file(&dir, "[canary]\npercent = 100\nkey = [\"header:x-user\"]");
    let ended = command(&["bucket", "-c", &config, "web-chat"], "").await;
    assert!(ended.stdout.starts_with("web-chat: canary (by rank: "), "{}", ended.stdout);

    let config = file(&dir, &format!("[canary]\n{salt}\npercent = 50\n{lists}"));
    let ended = command(&["bucket", "-c", &config, "user-1", "a\nb"], "").await;
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let first = "user-1: control (by rank: rank 2666261109, threshold 2147483650)";
    assert_eq!((ended.code, lines.len(), lines[0]), (Some(0), 2, first));
}

#[tokio::test]
async fn who_changes_something_must_be_said() {
    let nobody = [("USER", ""), ("LOGNAME", "")];
    for order in [["rollout", "hold"], ["flags", "reset-breaker"], ["log", "clear"]] {
        let ended = command_with(&[&order[..], &["--reason", "x"]].concat(), "", &nobody).await;
        assert_eq!(ended.code, Some(2), "{order:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("--actor NAME"), "{order:?}: {}", ended.stderr);
    }
}

#[test]
fn a_reader_that_is_gone_is_no_fault() {
    let dir = TempDir::new();
    let config = file(&dir, "");
    let cases: [&[&str]; 4] = [
        &["check", "-c", &config],
        &["bucket", "-c", &config, "user-1", "user-2"],
        &["rollout", "plan", "-c", &config],
        &["rollout", "plan", "--json", "-c", &config],
    ];
    for arguments in cases {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_modegate"));
        let ended = command.args(arguments).stdout(writer).output().expect("the binary starts");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*said), (Some(0), ""), "{arguments:?}");
    }
}

#[tokio::test]
async fn the_demo_walks_through_and_ends() {
    let ended = command_within(Duration::from_secs(30), &["demo", "--once"], "", &[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for part in ["contract off", "runtime on at 50 %", "soft rollback", "kill", "POST /bridge {bad"]
    {
        assert!(ended.stdout.contains(part), "no {part:?} in {}", ended.stdout);
    }
    let row = |stage: &str, message: &str| {
        let of = |line: &&str| line.starts_with(stage) && line.contains(message);
        ended.stdout.lines().find(of).unwrap_or_else(|| panic!("{stage} {message}")).to_owned()
    };
    assert!(row("3", "fast, canary").contains("fast/fast/canary"));
    assert!(row("3", "fast, control").contains("default/fast/control"));
    assert!(row("5", "fast, canary").contains("default/fast/canary"));
}
