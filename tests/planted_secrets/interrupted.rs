//! Requests with secrets in them whose database dies while they wait for it.

use std::time::Duration;

use serde_json::json;

use crate::caller::{Call, Caller};
use crate::midst::Locked;
use crate::secrets::Secrets;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::postgres;
use crate::support::wait::until;

const PATIENCE: Duration = Duration::from_secs(60);

/// A database of one's own, and what stands before it.
#[derive(Clone, Copy)]
pub(crate) struct Mortal<'a> {
    pub(crate) database: &'a postgres::Server,
    pub(crate) proxy: &'a FaultProxy,
}

/// What the requests wait for when the database is killed: a registration and a login, a refresh, an update, a game server's key.
const WAITED_FOR: [(&str, u64); 4] = [("users", 2), ("refresh_tokens", 1), ("scores", 1), ("server_keys", 1)];

/// Each of the requests is in the middle when the database is killed.
pub(crate) async fn interrupted(caller: &mut Caller, secrets: &mut Secrets, token: &str, mortal: Mortal<'_>) {
    let Mortal { database, proxy } = mortal;
    let names = [
        "a password of a registration that is cut off",
        "a password of a login that is cut off",
        "a refresh token that is cut off",
        "an action that is cut off",
        "a game server's key that is cut off",
    ];
    let [registered, wrong] = [0, 1].map(|at: usize| secrets.make(names[at]));
    let account = json!({ "email": "cut@example.org", "password": "a sentence nobody guesses", "displayName": "Cut" });
    caller.post("/api/auth/register", None, &account).await.expect(201);
    let login = json!({ "email": "cut@example.org", "password": "a sentence nobody guesses" });
    let refresh = caller.take("/api/auth/login", None, &login).await.expect(200).text("/refreshToken");
    secrets.plant(names[2], refresh.clone());
    let begun = caller.take("/api/scoreboard/generate-action", Some(token), &json!({ "kind": "tap" })).await;
    secrets.plant(names[3], begun.text("/action/hash"));
    let action = begun.json()["action"].clone();
    let key = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    secrets.plant(names[4], key.clone());

    let (as_ada, as_server) = (format!("Bearer {token}"), format!("Bearer sbs_arena-1_{key}"));
    let ada = [("authorization", as_ada.as_str())];
    let server = [("authorization", as_server.as_str()), ("idempotency-key", "match-cut")];
    let call = |path, headers, body: serde_json::Value| Call { method: "POST", path, headers, body: body.to_string() };
    let register = json!({ "email": "new@example.org", "password": registered, "displayName": "New" });
    let calls = vec![
        call("/api/auth/register", &[][..], register),
        call("/api/auth/login", &[][..], json!({ "email": "cut@example.org", "password": wrong })),
        call("/api/auth/refresh", &[][..], json!({ "refreshToken": refresh })),
        call("/api/scoreboard/update", &ada[..], json!({ "action": action })),
        call("/api/scoreboard/record", &server[..], json!({ "userId": "x", "kind": "tap" })),
    ];
    let locked = Locked::begin(database, &WAITED_FOR.map(|(table, _)| table)).await;
    let killed = async {
        locked.until_waiting(&WAITED_FOR).await;
        // Nothing of the server reaches it any more: it does not ask again, and is not told of the end.
        proxy.set(Fault::HalfOpen);
        assert_eq!(locked.waiting().await.values().sum::<u64>(), 5, "they wait to the end");
        database.kill9();
    };
    let (answers, ()) = tokio::join!(caller.all(calls), killed);
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [503; 5], "each of them wanted the database");
    proxy.set(Fault::None);
    until("the server is whole again", PATIENCE, async || {
        let health = caller.get("/health", None).await;
        (health.status == 200 && health.json()["status"] == "up").then_some(())
    })
    .await;
    // Asked again, as often as it takes, the same action is told what became of it.
    let update = json!({ "action": action });
    until("the action counts", PATIENCE, async || {
        let answer = caller.post("/api/scoreboard/update", Some(token), &update).await;
        assert!([200, 503].contains(&answer.status), "{answer:?}");
        (answer.status == 200).then_some(())
    })
    .await;
    secrets.used(&names);
}
