//! Certificates that change while connections are open.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use crate::control_process::handles;
use crate::harness::{
    Authority, H2, Modegate, Origin, Pair, Start, TempDir, Tls, der, eventually, listener, post,
    secure,
};

const FAST: &str = r#"{"text":"hi","processing":{"mode":"fast"}}"#;
const STRIPPED: &str = r#"{"text":"hi"}"#;
const HANGUP: u32 = 1;

/// Puts a file in place as a whole: nobody sees half of it.
fn place(dir: &TempDir, name: &str, content: impl AsRef<[u8]>) {
    let next = dir.write("next", content);
    std::fs::rename(next, dir.path().join(name)).unwrap();
}

/// The certificate that a new connection is shown.
async fn shown(modegate: &Modegate, authority: &Authority) -> Vec<u8> {
    let agreed = authority.client(&["h2"], None).connect(modegate.frontend()).await;
    agreed.expect("a handshake").shown
}

async fn until_shown(modegate: &Modegate, authority: &Authority, pair: &Pair) {
    eventually("the new certificate", async || {
        (shown(modegate, authority).await == der(pair)).then_some(())
    })
    .await;
}

async fn opened(modegate: &Modegate, authority: &Authority) -> H2 {
    let agreed = authority.client(&["h2"], None).connect(modegate.frontend()).await.unwrap();
    let mut h2 = H2::over(agreed.stream);
    h2.begin().await;
    h2
}

async fn assert_served(h2: &mut H2) {
    let answered = h2.exchange(&post("/api/chat"), FAST).await;
    assert_eq!((answered.status, answered.text().as_str()), (200, STRIPPED));
}

/// How many lines of the log have this message.
fn said(modegate: &Modegate, message: &str) -> usize {
    modegate.logs().iter().filter(|line| line.contains(message)).count()
}

#[tokio::test]
async fn a_new_pair_is_for_new_connections_and_needs_no_restart() {
    let (authority, origin) = (Authority::new(), Origin::echo().await);
    let modegate = secure(&authority, &origin.url(), "").await;
    let before = shown(&modegate, &authority).await;
    let mut open = opened(&modegate, &authority).await;
    assert_served(&mut open).await;

    let next = authority.pair("localhost");
    place(modegate.dir(), "key.pem", &next.key);
    place(modegate.dir(), "cert.pem", &next.cert);
    until_shown(&modegate, &authority, &next).await;
    assert_ne!(before, der(&next));
    assert_served(&mut open).await;
    assert_served(&mut opened(&modegate, &authority).await).await;
    modegate.logged("certificate reloaded").await;
}

#[tokio::test]
async fn files_that_do_not_fit_change_nothing_and_are_said_once() {
    let (authority, origin) = (Authority::new(), Origin::echo().await);
    let modegate = secure(&authority, &origin.url(), "").await;
    let before = shown(&modegate, &authority).await;
    handles(&modegate, HANGUP).await;
    let next = authority.pair("localhost");
    let faults = [
        ("half of a pair", "cert.pem", next.cert.as_str()),
        ("half of a file", "cert.pem", &next.cert[..next.cert.len() / 2]),
        ("garbage", "cert.pem", "garbage"),
        ("nothing", "cert.pem", ""),
    ];
    for (at, (case, file, content)) in faults.into_iter().enumerate() {
        // No signal: one that comes after a look would have it said twice.
        place(modegate.dir(), file, content);
        eventually(case, async || {
            (said(&modegate, "certificate not reloaded") == at + 1).then_some(())
        })
        .await;
        assert_eq!(shown(&modegate, &authority).await, before, "{case}");
    }
    std::fs::remove_file(modegate.dir().path().join("cert.pem")).unwrap();
    eventually("a file that is gone", async || {
        (said(&modegate, "certificate not reloaded") == 5).then_some(())
    })
    .await;
    modegate.signal("HUP");
    eventually("the answer to a signal", async || {
        (said(&modegate, "certificate not reloaded") == 6).then_some(())
    })
    .await;
    assert_served(&mut opened(&modegate, &authority).await).await;
    let named = modegate
        .logs()
        .iter()
        .filter(|line| line.contains("not reloaded"))
        .all(|line| line.contains(".pem"));
    assert!(named, "each names its file: {:#?}", modegate.logs());

    // The second write makes it whole.
    place(modegate.dir(), "cert.pem", &next.cert);
    place(modegate.dir(), "key.pem", &next.key);
    modegate.signal("HUP");
    until_shown(&modegate, &authority, &next).await;
}

/// A directory of a secret as Kubernetes mounts it: `..data` is a link to what is in force.
fn mount(dir: &Path, version: &str, pair: &Pair) {
    let inside = dir.join(version);
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::write(inside.join("tls.crt"), &pair.cert).unwrap();
    std::fs::write(inside.join("tls.key"), &pair.key).unwrap();
    let next = dir.join("..data_tmp");
    symlink(version, &next).unwrap();
    std::fs::rename(next, dir.join("..data")).unwrap();
}

#[tokio::test]
async fn a_secret_that_is_swapped_by_its_link_is_read_again() {
    let (authority, origin) = (Authority::new(), Origin::echo().await);
    let dir = Arc::new(TempDir::new());
    let (one, two) = (authority.pair("localhost"), authority.pair("localhost"));
    mount(dir.path(), "..one", &one);
    for file in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(file), dir.path().join(file)).unwrap();
    }
    let leg = listener("frontend", &origin.url());
    let config =
        format!("{leg}tls = {{ cert = \"{{dir}}/tls.crt\", key = \"{{dir}}/tls.key\" }}\n");
    let modegate = Start::within(&config, dir.clone()).run().await;
    assert_eq!(shown(&modegate, &authority).await, der(&one));
    mount(dir.path(), "..two", &two);
    std::fs::remove_dir_all(dir.path().join("..one")).unwrap();
    until_shown(&modegate, &authority, &two).await;
    assert_served(&mut opened(&modegate, &authority).await).await;
}

#[tokio::test]
async fn clients_that_are_no_longer_trusted_are_let_in_no_more() {
    let (authority, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let origin = Origin::echo().await;
    let dir = Arc::new(TempDir::new());
    let pair = authority.pair("localhost");
    dir.write("cert.pem", pair.cert);
    dir.write("key.pem", pair.key);
    dir.write("clients.pem", old.pem());
    let tls = "tls = { cert = \"{dir}/cert.pem\", key = \"{dir}/key.pem\", client_ca = \"{dir}/clients.pem\" }\n";
    let config = listener("frontend", &origin.url()) + tls;
    let modegate = Start::within(&config, dir.clone()).run().await;
    // The same client each time: a session that it has kept is no way in.
    let [known, next] =
        [&old, &new].map(|of| authority.client(&["h2"], Some(&of.pair("a client"))));
    let lets_in = async |client: &Tls| {
        let Ok(agreed) = client.connect(modegate.frontend()).await else { return false };
        let mut h2 = H2::over(agreed.stream);
        h2.begin().await;
        h2.exchange(&post("/api/chat"), FAST).await.status == 200
    };
    assert!(lets_in(&known).await && !lets_in(&next).await);
    handles(&modegate, HANGUP).await;
    place(&dir, "clients.pem", new.pem());
    modegate.signal("HUP");
    eventually("the new roots", async || lets_in(&next).await.then_some(())).await;
    assert!(!lets_in(&known).await);
}
