//! Everything that is done with secrets, as it should be and as it should not.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::caller::{Call, Caller};
use crate::mail::Mail;
use crate::secrets::Secrets;
use crate::support::server::Server;
use crate::{app, python};

/// What all flows need.
pub(crate) struct Flows<'a> {
    pub(crate) server: &'a Server,
    pub(crate) caller: &'a mut Caller,
    pub(crate) secrets: &'a mut Secrets,
    pub(crate) mail: &'a mut Mail,
}

const ADA: &str = "ada@example.org";

impl Flows<'_> {
    /// Registers, confirms the address, signs in, on two devices; gives the access token.
    pub(crate) async fn accounts(&mut self) -> String {
        let Self { caller, secrets, mail, .. } = self;
        let (password, wrong) = (secrets.make("a password"), secrets.make("a wrong password"));
        let account = json!({ "email": ADA, "password": password, "displayName": "Ada" });
        caller.post("/api/auth/register", None, &account).await.expect(201);
        // It is taken.
        caller.post("/api/auth/register", None, &account).await.expect(409);
        let log_in = |password: &str| json!({ "email": ADA, "password": password });
        caller.post("/api/auth/login", None, &log_in(&wrong)).await.expect(401);
        let signed_in = caller.take("/api/auth/login", None, &log_in(&password)).await.expect(200);
        secrets.used(&["a password", "a wrong password"]);
        let token = secrets.plant("an access token", signed_in.text("/token"));
        let refresh = secrets.plant("a refresh token", signed_in.text("/refreshToken"));
        let device = secrets.plant("a device token", signed_in.text("/deviceToken"));
        caller.get("/api/auth/me", Some(&token)).await.expect(200);
        let again = json!({ "email": ADA, "password": password, "deviceToken": device });
        caller.take("/api/auth/login", None, &again).await.expect(200);
        let next = caller.take("/api/auth/refresh", None, &json!({ "refreshToken": refresh })).await.expect(200);
        // Within one second it is the same one.
        let token = next.text("/token");
        secrets.plant("the next refresh token", next.text("/refreshToken"));
        let next = json!({ "refreshToken": next.text("/refreshToken") });
        caller.take("/api/auth/refresh", None, &next).await.expect(200);
        secrets.used(&["an access token", "a refresh token", "a device token", "the next refresh token"]);

        caller.post("/api/auth/email/confirmation", Some(&token), &Value::Null).await.expect(202);
        let text = mail.next("confirm your address").await;
        let confirm = secrets.plant("a token that confirms an address", behind(&text, "#confirm="));
        caller.post("/api/auth/email/confirm", None, &json!({ "token": confirm })).await.expect(204);
        caller.post("/api/auth/password/forgot", None, &json!({ "email": ADA })).await.expect(202);
        let text = mail.next("password").await;
        let reset = secrets.plant("a token that resets a password", behind(&text, "#reset="));
        let password = secrets.make("a password that was reset");
        let short = secrets.plant("a password that is too short", "sh0rt-one");
        caller.post("/api/auth/password/reset", None, &json!({ "token": reset, "password": short })).await.expect(400);
        let good = json!({ "token": reset, "password": password });
        caller.post("/api/auth/password/reset", None, &good).await.expect(204);
        caller.post("/api/auth/password/reset", None, &good).await.expect(401);
        let signed_in = caller.take("/api/auth/login", None, &log_in(&password)).await.expect(200);
        let token = secrets.plant("the access token after a reset", signed_in.text("/token"));
        let changed = secrets.make("a password that was changed");
        let change = json!({ "password": password, "newPassword": changed });
        caller.post("/api/auth/password", Some(&token), &change).await.expect(204);
        caller.post("/api/auth/password", Some(&token), &change).await.expect(400);
        secrets.used(&[
            "a token that confirms an address",
            "a token that resets a password",
            "a password that was reset",
        ]);
        secrets.used(&[
            "a password that is too short",
            "the access token after a reset",
            "a password that was changed",
        ]);
        self.factors(&token, &changed).await;
        token
    }

    /// An app, recovery codes, and a login by each.
    async fn factors(&mut self, token: &str, password: &str) {
        let Self { caller, secrets, mail, .. } = self;
        let begun = caller.take("/api/auth/mfa/totp", Some(token), &json!({})).await.expect(201);
        let secret = secrets.plant("an app's secret", begun.text("/secret"));
        let code = secrets.plant("an app's code", app(&secret).await);
        let wrong =
            secrets.plant("a wrong code", format!("{:06}", (code.parse::<u32>().expect("digits") + 7_777) % 1_000_000));
        caller.post("/api/auth/mfa/totp/confirm", Some(token), &json!({ "code": wrong })).await.expect(400);
        let codes = caller.take("/api/auth/mfa/totp/confirm", Some(token), &json!({ "code": code })).await.expect(200);
        let recovery = ["a recovery code", "another recovery code", "a recovery code that renews"];
        for (number, name) in recovery.into_iter().enumerate() {
            secrets.plant(name, codes.text(&format!("/recoveryCodes/{number}")));
        }
        secrets.used(&["an app's secret", "an app's code", "a wrong code"]);
        let challenges = ["a login that waits", "another login that waits", "a login that waits for a mail"];
        for (number, name) in challenges.into_iter().enumerate() {
            let log_in = json!({ "email": ADA, "password": password });
            let waiting = caller.take("/api/auth/login", None, &log_in).await.expect(200);
            let challenge = secrets.plant(name, waiting.text("/challengeId"));
            let verify = |method: &str, code: &str| json!({ "challengeId": challenge, "method": method, "code": code });
            // Used, and so no code any more.
            caller.post("/api/auth/mfa/verify", None, &verify("totp", &code)).await.expect(401);
            let signed_in = if number < 2 {
                let code = codes.text(&format!("/recoveryCodes/{number}"));
                caller.take("/api/auth/mfa/verify", None, &verify("recovery_code", &code)).await.expect(200)
            } else {
                let send = json!({ "challengeId": challenge, "method": "email" });
                caller.post("/api/auth/mfa/challenge", None, &send).await.expect(202);
                let text = mail.next("is your code").await;
                let code = text.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 8).expect("a code");
                let code = secrets.plant("a mailed code", code);
                caller.take("/api/auth/mfa/verify", None, &verify("email", &code)).await.expect(200)
            };
            secrets.used(&[name]);
            drop(signed_in);
        }
        let renew = json!({ "code": codes.text("/recoveryCodes/2") });
        let renewed = caller.take("/api/auth/mfa/recovery-codes", Some(token), &renew).await.expect(200);
        let last = secrets.plant("a renewed recovery code", renewed.text("/recoveryCodes/0"));
        let gone = Call {
            method: "DELETE",
            path: "/api/auth/mfa/totp",
            headers: &[("authorization", &format!("Bearer {token}"))],
            body: json!({ "code": last }).to_string(),
        };
        caller.call(gone).await.expect(204);
        secrets.used(&recovery);
        secrets.used(&["a mailed code", "a renewed recovery code"]);
    }

    /// Actions, game servers, live connections.
    pub(crate) async fn playing(&mut self, token: &str, user: &str) {
        let Self { server, caller, secrets, .. } = self;
        let begin = json!({ "kind": "tap" });
        let begun = caller.take("/api/scoreboard/generate-action", Some(token), &begin).await.expect(201);
        let action = begun.json()["action"].clone();
        secrets.plant("an action's signature", begun.text("/action/hash"));
        let mut altered = action.clone();
        altered["hash"] = json!(secrets.plant("an altered signature", flipped(&begun.text("/action/hash"))));
        caller.post("/api/scoreboard/update", Some(token), &json!({ "action": altered })).await.expect(400);
        // A device is called what its client likes, and nobody else is to learn it.
        let random = rand::random::<u64>() >> 16;
        let device = secrets.plant("what a device is called", format!("6f1d9c3e-8a57-4b0e-9d43-{random:012x}"));
        let wrong = secrets.make("what no device is called");
        for (name, status) in [(wrong, 400), (device, 200)] {
            let body = json!({ "action": action, "deviceId": name });
            caller.post("/api/scoreboard/update", Some(token), &body).await.expect(status);
        }
        secrets.used(&["an action's signature", "an altered signature"]);
        secrets.used(&["what a device is called", "what no device is called"]);

        let made = server.command(&["admin", "create-server-key", "arena-1"]);
        let key = secrets.plant("a game server's key", String::from_utf8_lossy(&made.stdout).trim());
        let result = json!({ "userId": user, "kind": "tap" });
        for (bearer, status) in [(key.clone(), 200), (secrets.plant("a wrong game server's key", flipped(&key)), 401)] {
            let headers = [("authorization", format!("Bearer {bearer}")), ("idempotency-key", "match-1".to_owned())];
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let path = "/api/scoreboard/record";
            let call = Call { method: "POST", path, headers: &headers, body: result.to_string() };
            caller.call(call).await.expect(status);
        }
        let made = server.command(&["admin", "create-server-key", "arena-2", "--signing"]);
        let key = secrets.plant("a game server's private key", String::from_utf8_lossy(&made.stdout).trim());
        let request = json!({ "idempotencyKey": "match-2", "body": result });
        assert_eq!(python(&["record", &server.url(), &key], &[request]), [json!(200)]);
        secrets.used(&["a game server's key", "a wrong game server's key", "a game server's private key"]);

        let path = "/api/auth/ws-ticket";
        let ticket =
            secrets.plant("a ticket", caller.take(path, Some(token), &Value::Null).await.expect(201).text("/ticket"));
        let broken = secrets.plant(
            "a ticket in what is no message",
            caller.take(path, Some(token), &Value::Null).await.expect(201).text("/ticket"),
        );
        let in_url = secrets.make("a token in a WebSocket's URL");
        let url = format!("ws://{}/api/scoreboard/ws", server.address());
        assert!(connect_async(format!("{url}?token={in_url}")).await.is_err(), "it is refused");
        let (mut socket, _) = connect_async(url).await.expect("it takes connections");
        let authenticate = json!({ "type": "authenticate", "ticket": ticket }).to_string();
        let mut answers = Vec::new();
        for message in
            [authenticate.clone(), authenticate, format!("{{\"type\":\"authenticate\",\"ticket\":\"{broken}")]
        {
            answers.push(socket.next().await.expect("an answer").expect("whole").into_data());
            socket.send(Message::text(message)).await.expect("it is open");
        }
        while let Some(Ok(message)) = socket.next().await {
            answers.push(message.into_data());
        }
        for answer in answers {
            caller.kept.push(("a message of the WebSocket".to_owned(), answer.to_vec()));
        }
        secrets.used(&["a ticket", "a ticket in what is no message", "a token in a WebSocket's URL"]);
    }

    /// Secrets where they do not belong: in the wrong place, of the wrong kind, in what cannot be read.
    pub(crate) async fn misplaced(&mut self, token: &str) {
        let Self { caller, secrets, .. } = self;
        let names = [
            "a bearer that is none",
            "a password of basic authentication",
            "a cookie",
            "a token in a query",
            "a token in a path",
            "a token in a fragmentary body",
            "a password under another name",
            "a password for a number",
            "a password for a word",
            "a password behind a body",
            "a password in another content type",
            "a password that is not UTF-8",
            "a header that is unknown",
            "a reset token that is none",
            "a refresh token that is none",
            "a ticket that is none",
            "a device token that is none",
        ];
        let planted: Vec<String> = names.iter().map(|name| secrets.make(name)).collect();
        let mut planted = planted.iter();
        let mut next = || planted.next().expect("as many as there are names").clone();
        let as_ada = format!("Bearer {token}");
        caller.get("/api/auth/me", Some(&next())).await.expect(401);
        let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("ada:{}", next()));
        let mut ask = async |method: &str, path: &str, headers: &[(&str, &str)], body: String, status: u16| {
            caller.call(Call { method, path, headers, body }).await.expect(status);
        };
        ask("GET", "/api/auth/me", &[("authorization", &format!("Basic {basic}"))], String::new(), 401).await;
        ask("GET", "/api/auth/me", &[("cookie", &format!("session={}", next()))], String::new(), 401).await;
        ask("GET", &format!("/api/scoreboard?access_token={}", next()), &[], String::new(), 400).await;
        ask("GET", &format!("/api/scoreboard/users/{}", next()), &[], String::new(), 400).await;
        let login = "/api/auth/login";
        ask("POST", login, &[], format!("{{\"email\":\"{ADA}\",\"password\":\"{}", next()), 400).await;
        ask("POST", login, &[], json!({ "email": ADA, "pasword": next() }).to_string(), 400).await;
        let bearer = [("authorization", as_ada.as_str())];
        let begin = json!({ "kind": "tap", "points": next() });
        ask("POST", "/api/scoreboard/generate-action", &bearer, begin.to_string(), 400).await;
        let verify = json!({ "challengeId": "x", "method": next(), "code": "123456" });
        ask("POST", "/api/auth/mfa/verify", &[], verify.to_string(), 400).await;
        ask("POST", login, &[], format!("{{\"email\":\"{ADA}\",\"password\":\"x\"}} {}", next()), 400).await;
        let plain = [("content-type", "text/plain")];
        ask("POST", login, &plain, json!({ "email": ADA, "password": next() }).to_string(), 415).await;
        let odd = format!("{{\"email\":\"{ADA}\",\"password\":\"\\ud800{}\"}}", next());
        ask("POST", login, &[], odd, 400).await;
        ask("GET", "/api/scoreboard", &[("x-api-key", &next())], String::new(), 200).await;
        let reset = json!({ "token": next(), "password": "a sentence nobody guesses" });
        ask("POST", "/api/auth/password/reset", &[], reset.to_string(), 401).await;
        ask("POST", "/api/auth/refresh", &[], json!({ "refreshToken": next() }).to_string(), 401).await;
        ask("GET", &format!("/api/scoreboard/events?board=main&ticket={}", next()), &[], String::new(), 400).await;
        let device = json!({ "email": "nobody@example.org", "password": "not it at all, no", "deviceToken": next() });
        ask("POST", login, &[], device.to_string(), 401).await;
        secrets.used(&names);
    }
}

/// What stands behind this in a link of a mail.
fn behind(text: &str, mark: &str) -> String {
    let rest = text.split(mark).nth(1).expect("a link");
    rest.split_whitespace().next().expect("a token").to_owned()
}

/// With another letter or digit at the end.
fn flipped(text: &str) -> String {
    let mut changed = text.to_owned();
    let last = changed.pop().expect("it is something");
    changed.push(if last == '0' { '1' } else { '0' });
    changed
}
