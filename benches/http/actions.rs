//! Requests that hand in actions, signed with the server's own key: what is measured is the update, not its start.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use scoreboard::{
    ActionId, ActionVerifier, BoardId, Claims, Clock, HmacVerifier, IdSourceExt, KeyRing, Points, RandomIds, Season,
    Secret, SystemClock, UserId,
};
use serde_json::{Value, json};

use crate::load::update_request;
use crate::support::server::Server;
use crate::support::user::User;

/// Signs actions for some users of a server.
pub(crate) struct Signer {
    verifier: HmacVerifier,
    users: Vec<(UserId, String)>,
    made: usize,
}

impl Signer {
    pub(crate) fn new(server: &Server, users: &[User]) -> Self {
        let text =
            fs::read_to_string(server.database().with_extension("keys")).expect("the keys stand beside the database");
        let document: Value = serde_json::from_str(&text).expect("the key file is JSON");
        let keys = document["keys"].as_array().expect("it lists keys").iter().map(|key| {
            let text = |field: &str| key[field].as_str().expect("a string");
            let secret = STANDARD.decode(text("secret")).ok().and_then(|bytes| bytes.try_into().ok());
            (text("id").parse().expect("a key's id"), Secret::from_bytes(secret.expect("32 bytes, base64")))
        });
        let ring = KeyRing::new(keys.collect()).expect("the server itself took these keys");
        let users = users.iter().map(|user| (user.id.parse().expect("a user's id"), user.token.clone())).collect();
        Self { verifier: HmacVerifier::new(&ring), users, made: 0 }
    }

    /// Whole requests, each with an action of its own, the users in turn.
    pub(crate) fn requests(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.request()).collect()
    }

    fn request(&mut self) -> Vec<u8> {
        let now = SystemClock.now();
        let (user_id, token) = &self.users[self.made % self.users.len()];
        self.made += 1;
        let action = self.verifier.sign(Claims {
            id: ActionId::from_uuid(RandomIds.uuid(now)),
            board: BoardId::main(),
            season: Season::FIRST,
            kind: "tap".parse().expect("a slug"),
            user_id: *user_id,
            points: Points::new(1).expect("in range"),
            issued_at: now,
            not_before: now,
            expires_at: now.plus(std::time::Duration::from_secs(60)),
        });
        update_request(token, &json!({ "action": action }).to_string())
    }
}
