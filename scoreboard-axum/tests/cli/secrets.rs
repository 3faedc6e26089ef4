//! What opens a door stands in no log, however much is logged.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::folder::Folder;
use crate::served::{PASSWORD, Served};

#[tokio::test]
async fn no_password_token_or_ticket_is_logged() {
    let folder = Folder::new();
    let mut command = folder.command(&["--listen", "127.0.0.1:0", "--database-url", "memory:", "--log", "json"]);
    command.env("RUST_LOG", "trace");
    let served = Served::start_command(&folder, command);
    served.register("ada@example.org");
    let credentials = json!({"email": "ada@example.org", "password": PASSWORD});
    let (_, signed_in) = served.post("/api/auth/login", None, &credentials);
    let token = signed_in["token"].as_str().expect("a token");
    let (_, ticket) = served.post("/api/auth/ws-ticket", Some(token), &Value::Null);

    let url = served.url().replace("http://", "ws://") + "/api/scoreboard/ws";
    let (mut socket, _) = connect_async(url).await.expect("it takes connections");
    for kind in ["connected", "authenticated", "error"] {
        let received = timeout(Duration::from_secs(10), socket.next()).await.expect("a message").expect("open");
        let text = received.expect("whole").into_text().expect("text");
        let message: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(message["type"], kind, "{message}");
        // The second time it is refused.
        let authenticate = json!({"type": "authenticate", "ticket": ticket["ticket"]});
        socket.send(Message::text(authenticate.to_string())).await.expect("sent");
    }
    drop(socket);
    let refresh_token = signed_in["refreshToken"].as_str().expect("a refresh token");
    let (status, _) = served.post("/api/auth/refresh", None, &json!({"refreshToken": refresh_token}));
    assert_eq!(status, 200);
    assert_eq!(served.stop(), Some(0));

    let log = folder.read("server.log");
    assert!(log.contains("a WebSocket connection is open"), "more than what is usual: {log}");
    for secret in [PASSWORD, token, refresh_token, ticket["ticket"].as_str().expect("a ticket")] {
        let found: Vec<_> = log.lines().filter(|line| line.contains(secret)).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}
