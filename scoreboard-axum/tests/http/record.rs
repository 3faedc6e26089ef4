//! The way in for trusted game servers.

use aws_lc_rs::signature::Ed25519KeyPair;
use axum::body::Body;
use axum::http::Request;
use scoreboard_core::Clock;
use scoreboard_core::accounts::ServerKeyStore;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Answer, World};

async fn record(world: &World, credential: &str, keys: &[&str], body: &Value) -> Answer {
    let mut request = Request::post("/api/scoreboard/record").header("content-type", "application/json");
    if !credential.is_empty() {
        request = request.header("authorization", format!("Bearer {credential}"));
    }
    for key in keys {
        request = request.header("idempotency-key", *key);
    }
    world.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_result_counts_once_under_its_key() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let key = world.accounts.create_server_key(&"arena".parse().unwrap()).await.unwrap();
    let body = json!({ "userId": ada.id, "kind": "boss", "points": 120 });
    let first = record(&world, &key, &["match-1"], &body).await;
    assert_eq!((first.status.as_u16(), &first.body["receipt"]["score"]), (200, &json!(120)), "{}", first.text);
    let again = record(&world, &key, &["match-1"], &body).await;
    assert_eq!((&again.body["receipt"]["version"], &again.body["receipt"]["replayed"]), (&json!(1), &json!(true)));
    assert_eq!(record(&world, &key, &["match-2"], &body).await.body["receipt"]["score"], 240);
}

#[tokio::test]
async fn only_with_a_servers_own_key() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let key = world.accounts.create_server_key(&"arena".parse().unwrap()).await.unwrap();
    let body = json!({ "userId": ada.id, "kind": "tap" });
    for credential in ["", "forged", ada.token.as_str(), &key[..key.len() - 2], &key.replace("arena", "arenb")] {
        record(&world, credential, &["match-1"], &body).await.assert_problem(401, "unauthorized");
    }
    // Nor is it a user's token.
    world.post_raw("/api/scoreboard/update", Some(&key), "{}").await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn the_idempotency_key_is_needed_and_bounded() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let key = world.accounts.create_server_key(&"arena".parse().unwrap()).await.unwrap();
    let body = json!({ "userId": ada.id, "kind": "tap" });
    let (long, longest) = ("k".repeat(256), "k".repeat(255));
    for keys in [&[][..], &[""], &["a b"], &["a\tb"], &["ä"], &[long.as_str()], &["a", "a"]] {
        record(&world, &key, keys, &body).await.assert_invalid("/header/Idempotency-Key");
    }
    assert_eq!(record(&world, &key, &[&longest], &body).await.status, 200);
}

#[tokio::test]
async fn the_catalogue_holds_for_servers_too() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let key = world.accounts.create_server_key(&"arena".parse().unwrap()).await.unwrap();
    let body = json!({ "userId": ada.id, "kind": "boss", "points": 1000 });
    record(&world, &key, &["match-1"], &body).await.assert_invalid("/points");
    let body = json!({ "userId": ada.id, "kind": "dance" });
    record(&world, &key, &["match-1"], &body).await.assert_invalid("/kind");
    let body = json!({ "board": "nothing", "userId": ada.id, "kind": "tap" });
    record(&world, &key, &["match-1"], &body).await.assert_problem(404, "not_found");
}

/// Signs as a game server does.
struct Arena<'a> {
    world: &'a World,
    pair: Ed25519KeyPair,
}

impl Arena<'_> {
    fn field(&self, time: i64, method: &str, target: &str, once: &str, body: &str) -> String {
        let pieces: [&[u8]; 7] = [
            b"scoreboard/request/v1",
            b"arena",
            method.as_bytes(),
            target.as_bytes(),
            once.as_bytes(),
            &time.to_le_bytes(),
            &Sha256::digest(body),
        ];
        let mut message = 7_u64.to_le_bytes().to_vec();
        for piece in pieces {
            message.extend_from_slice(&(piece.len() as u64).to_le_bytes());
            message.extend_from_slice(piece);
        }
        let signature = hex::encode(self.pair.sign(&message));
        format!(r#"Scoreboard-Ed25519 key="arena", time="{time}", signature="{signature}""#)
    }

    async fn send(&self, authorization: &str, once: &str, body: &str) -> Answer {
        let request = Request::post("/api/scoreboard/record").header("content-type", "application/json");
        let request = request.header("authorization", authorization).header("idempotency-key", once);
        self.world.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }
}

#[tokio::test]
async fn what_a_game_server_has_signed_counts_once_and_nothing_else_by_it() {
    const PATH: &str = "/api/scoreboard/record";
    let world = World::new().await;
    let ada = world.player("ada").await;
    let id = "arena".parse().unwrap();
    let key = world.accounts.create_signing_server_key(&id).await.unwrap();
    let seed = hex::decode(key.strip_prefix("sbk_arena_").unwrap()).unwrap();
    let arena = Arena { world: &world, pair: Ed25519KeyPair::from_seed_unchecked(&seed).unwrap() };
    let body = json!({ "userId": ada.id, "kind": "boss", "points": 120 }).to_string();
    let other = body.replace("120", "121");
    let now = world.clock.now().as_millis();
    let signed = |time: i64| arena.field(time, "POST", PATH, "match-1", &body);

    let forged = [
        (arena.field(now, "GET", PATH, "match-1", &body), "match-1", &body, "another method"),
        (arena.field(now, "POST", "/api/scoreboard/update", "match-1", &body), "match-1", &body, "another path"),
        (arena.field(now, "POST", PATH, "match-1", &other), "match-1", &body, "another body"),
        (signed(now), "match-2", &body, "another idempotency key"),
        (signed(now).replace(&now.to_string(), &(now + 1).to_string()), "match-1", &body, "another time"),
        (signed(now).replace("\"arena\"", "\"arenb\""), "match-1", &body, "another key"),
        (signed(now - 300_001), "match-1", &body, "too old"),
        (signed(now + 300_001), "match-1", &body, "too new"),
        (signed(now).replace("Ed25519", "Ed448"), "match-1", &body, "another scheme"),
        (format!("Bearer {key}"), "match-1", &body, "the key itself"),
        (format!("Bearer {}", key.replace("sbk_", "sbs_")), "match-1", &body, "the key as a secret"),
    ];
    for (authorization, once, body, what) in &forged {
        let answer = arena.send(authorization, once, body).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text);
        answer.assert_problem(401, "unauthorized");
    }

    let first = arena.send(&signed(now), "match-1", &body).await;
    assert_eq!((first.status.as_u16(), &first.body["receipt"]["score"]), (200, &json!(120)), "{}", first.text);
    // The same bytes again, and the same result signed again at either end of what clocks may differ.
    for time in [now, now - 300_000, now + 300_000] {
        let again = arena.send(&signed(time), "match-1", &body).await;
        assert_eq!((&again.body["receipt"]["score"], &again.body["receipt"]["replayed"]), (&json!(120), &json!(true)));
    }
    let with_other = arena.field(now, "POST", PATH, "match-1", &other);
    arena.send(&with_other, "match-1", &other).await.assert_problem(422, "idempotency_mismatch");
    world.clock.advance(std::time::Duration::from_millis(300_001));
    arena.send(&signed(now), "match-1", &body).await.assert_problem(401, "unauthorized");

    let later = world.clock.now().as_millis();
    assert_eq!(arena.send(&signed(later), "match-1", &body).await.status, 200);
    assert!(world.users.remove_server_key(&id).await.unwrap());
    arena.send(&signed(later), "match-1", &body).await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn who_shows_a_secret_cannot_sign_with_it() {
    let world = World::new().await;
    let key = world.accounts.create_server_key(&"arena".parse().unwrap()).await.unwrap();
    let seed = hex::decode(key.strip_prefix("sbs_arena_").unwrap()).unwrap();
    let arena = Arena { world: &world, pair: Ed25519KeyPair::from_seed_unchecked(&seed).unwrap() };
    let field = arena.field(world.clock.now().as_millis(), "POST", "/api/scoreboard/record", "match-1", "{}");
    arena.send(&field, "match-1", "{}").await.assert_problem(401, "unauthorized");
}
