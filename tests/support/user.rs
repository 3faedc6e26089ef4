//! Someone who plays: an account, its token, and a connection.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::authenticator::app;
use super::client::{Answer, Client, Lost};
use super::server::Server;

/// The password of all of them.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A user who is signed in.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) client: Client,
}

impl User {
    /// Makes an account of this name and signs in.
    pub(crate) async fn register(address: SocketAddr, name: &str) -> Self {
        let mut client = Client::new(address);
        let email = format!("{name}@example.org");
        let account = json!({ "email": email, "password": PASSWORD, "displayName": name });
        let made = client.post("/api/auth/register", &account).await.expect("register answers");
        made.expect(201);
        let login = json!({ "email": email, "password": PASSWORD });
        let body = client.post("/api/auth/login", &login).await.expect("login answers").expect(200);
        let text = |value: &Value| value.as_str().expect("ids and tokens are strings").to_owned();
        Self { id: text(&body["user"]["id"]), token: text(&body["token"]), client }
    }

    /// Makes accounts named after `name`, one after the other: passwords are hashed behind a small queue.
    pub(crate) async fn register_many(address: SocketAddr, name: &str, count: usize) -> Vec<Self> {
        let mut users = Vec::with_capacity(count);
        for number in 0..count {
            users.push(Self::register(address, &format!("{name}{number}")).await);
        }
        users
    }

    /// Gives them a role by the command line, and the authenticator app without which it counts for nothing.
    pub(crate) async fn becomes(&mut self, role: &str, server: &Server) {
        let email =
            self.client.send("GET", "/api/auth/me", Some(&self.token), None).await.expect("it answers").expect(200);
        let email = email["user"]["email"].as_str().expect("an address");
        let granted = server.command(&["admin", "grant-role", email, role]);
        assert!(granted.status.success(), "{}", String::from_utf8_lossy(&granted.stderr));
        const TOTP: &str = "/api/auth/mfa/totp";
        let begun = self.client.send("POST", TOTP, Some(&self.token), None).await.expect("it answers").expect(201);
        let code = json!({ "code": app(begun["secret"].as_str().expect("a secret")).await });
        let confirmed = self.client.send("POST", &format!("{TOTP}/confirm"), Some(&self.token), Some(&code)).await;
        confirmed.expect("it answers").expect(200);
    }

    /// Starts an action.
    pub(crate) async fn issue(&mut self, kind: &str) -> Result<Answer, Lost> {
        let body = json!({ "kind": kind });
        self.client.send("POST", "/api/scoreboard/generate-action", Some(&self.token), Some(&body)).await
    }

    /// Hands an action in.
    pub(crate) async fn update(&mut self, action: &Value) -> Result<Answer, Lost> {
        update(&mut self.client, &self.token, action).await
    }

    /// This user's standing.
    pub(crate) async fn standing(&mut self) -> Value {
        let answer = self.client.send("GET", "/api/scoreboard/me", Some(&self.token), None).await;
        answer.expect("a standing is answered").expect(200)["standing"].take()
    }
}

/// Hands an action in over any connection.
pub(crate) async fn update(client: &mut Client, token: &str, action: &Value) -> Result<Answer, Lost> {
    client.send("POST", "/api/scoreboard/update", Some(token), Some(&json!({ "action": action }))).await
}

/// A receipt without its mark, which alone may differ between a first answer and a repeat, and that mark.
#[track_caller]
pub(crate) fn split_receipt(answer: Answer) -> (Value, bool) {
    let mut receipt = answer.expect(200)["receipt"].take();
    let mark = receipt.as_object_mut().and_then(|fields| fields.remove("replayed"));
    (receipt, mark.and_then(|mark| mark.as_bool()).expect("a receipt says whether it is a repeat"))
}
