//! Keys that sign: rotated and revoked under a running server.

use std::time::Duration;

use serde_json::{Value, json};

use crate::folder::Folder;
use crate::served::Served;

/// Asks again and again until there is an answer: for half a minute, which is more than any of it takes.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1500 {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("not within half a minute: {what}");
}

/// The ids of the public keys.
fn published(server: &Served) -> Vec<String> {
    let (status, set) = server.get("/.well-known/jwks.json");
    assert_eq!(status, 200, "{set}");
    let kid = |key: &Value| {
        assert_eq!(
            (&key["kty"], &key["crv"], &key["alg"]),
            (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")),
            "{key}"
        );
        assert_eq!(key["x"].as_str().expect("a public key").len(), 43);
        assert_eq!(key.as_object().expect("a key").len(), 6, "and nothing that is secret: {key}");
        key["kid"].as_str().expect("an id").to_owned()
    };
    set["keys"].as_array().expect("a set").iter().map(kid).collect()
}

fn status(server: &Served, token: &str) -> u16 {
    Served::answer(server.send("GET", "/api/auth/me", Some(token), None)).0
}

#[test]
fn a_key_is_rotated_and_revoked_under_a_running_server() {
    let folder = Folder::new();
    let server = Served::start(&folder, &["--set", "accounts.token_algorithm=eddsa"]);
    server.register("ada@example.org");
    let token = server.log_in("ada@example.org");
    let (first, second) = (server.action(&token, "tap"), server.action(&token, "tap"));
    let old = first["action"]["keyId"].as_str().expect("an id").to_owned();
    assert_eq!(published(&server), std::slice::from_ref(&old));

    let said = folder.ok(&["admin", "rotate-keys", "--after", "5"]);
    let new = said.split(' ').next().unwrap_or_default().to_owned();
    until("the new key is published before it signs", || {
        (published(&server) == [old.clone(), new.clone()]).then_some(())
    });
    until("the new key signs", || (published(&server) == [new.clone(), old.clone()]).then_some(()));
    assert_eq!(server.action(&token, "tap")["action"]["keyId"], new);
    assert_eq!(server.update(&token, &first)["score"], 1, "what the old one signed is good");
    let listed = folder.ok(&["admin", "list-keys"]);
    assert_eq!(listed, format!("{new} signs\n{old} verifies\n"));

    let renewed = server.log_in("ada@example.org");
    let said = folder.ok(&["admin", "revoke-key", &old]);
    assert!(said.starts_with(&format!("revoked {old}:")), "{said}");
    until("the old key's token is refused", || (status(&server, &token) == 401).then_some(()));
    assert_eq!(status(&server, &renewed), 200, "the new one's is not");
    assert_eq!(published(&server), std::slice::from_ref(&new));
    let (code, problem) = server.post("/api/scoreboard/update", Some(&renewed), &second);
    assert_eq!((code, &problem["code"]), (400, &json!("action_signature_invalid")), "so is its action");
    assert!(folder.ok(&["admin", "list-keys"]).contains(&format!("{old} was revoked\n")));

    // The one that signs: another takes its place at once.
    let said = folder.ok(&["admin", "revoke-key", &new]);
    assert!(said.contains("signs from now on"), "{said}");
    until("the token is refused", || (status(&server, &renewed) == 401).then_some(()));
    let last = server.log_in("ada@example.org");
    assert_eq!(status(&server, &last), 200);
    assert!(!published(&server).contains(&new) && published(&server).len() == 1);
    assert_eq!(server.stop(), Some(0));

    let server = Served::start(&folder, &[]);
    assert_eq!((status(&server, &last), status(&server, &renewed)), (200, 401), "also after a restart, and with MACs");
    assert!(published(&server).is_empty());
}
