//! What the page calls the browser that it runs in, and what comes of it: whoever plays there on several accounts is found, and nothing is written
//! down but that.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::server::{Server, UNLIMITED};
use support::user::User;
use support::wait::until;
use support::webdriver::Browser;

const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps the bodies that the page hands results in with, and refuses the first that names a device, if it is to, as a server of before does.
const LISTEN_IN: &str = "
    const send = window.fetch;
    let isOld = arguments[0];
    window.sent = [];
    window.fetch = (path, request) => {
      if (path !== '/api/scoreboard/update') return send(path, request);
      const body = JSON.parse(request.body);
      window.sent.push(body.deviceId ?? null);
      if (!isOld || body.deviceId === undefined) return send(path, request);
      isOld = false;
      const problem = { status: 400, code: 'invalid_request', errors: [{ pointer: '/deviceId', detail: 'unknown field' }] };
      return Promise.resolve(new Response(JSON.stringify(problem), { status: 400, headers: { 'content-type': 'application/problem+json' } }));
    };";
const KEPT: &str = "return JSON.parse(localStorage.getItem('scoreboard.device'));";

async fn open_page(browser: &mut Browser, server: &Server) {
    browser.go(&server.url()).await;
    browser
        .wait("return document.querySelector('[data-testid=connection]').dataset.state === 'live';", json!([]))
        .await;
}

async fn register(browser: &mut Browser, name: &str) {
    let field = |id: &str| format!("[data-testid=register-form] [data-testid={id}]");
    browser.wait("return document.querySelector('[data-testid=register-form]').checkVisibility();", json!([])).await;
    browser.fill(&field("display-name"), name).await;
    browser.fill(&field("email"), &format!("{name}@example.org")).await;
    browser.fill(&field("password"), "a sentence nobody guesses").await;
    browser.press(&field("submit")).await;
    browser.wait("return document.querySelector('[data-testid=logout]').offsetParent !== null;", json!([])).await;
}

/// A tap on the page, until its receipt is shown; gives what the page has called the device, each time it sent.
async fn tap(browser: &mut Browser, is_old: bool) -> Value {
    browser.run(LISTEN_IN, json!([is_old])).await;
    browser.press("[data-testid=play-tap]").await;
    browser.press("[data-testid=finish]").await;
    browser.wait("return !document.querySelector('[data-testid=receipt]').hidden;", json!([])).await;
    browser.run("return window.sent;", json!([])).await
}

async fn incidents(reviewer: &mut User) -> Vec<Value> {
    let answer =
        reviewer.client.send("GET", "/api/admin/incidents?rule=shared_device", Some(&reviewer.token), None).await;
    answer.expect("it answers").expect(200)["incidents"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_of_one_browser_are_seen_together_and_no_longer_than_a_week() {
    let mut settings = UNLIMITED.to_vec();
    settings.extend([("SCOREBOARD_FRAUD__ACCOUNTS_PER_DEVICE", "1"), ("RUST_LOG", "trace")]);
    let mut server = Server::start_with(&settings, &[]).await;
    let mut mona = User::register(server.address(), "mona").await;
    mona.becomes("moderator", &server).await;
    let mut browser = Browser::open().await;
    open_page(&mut browser, &server).await;
    assert_eq!(browser.run(KEPT, json!([])).await, Value::Null, "who does not play is called nothing");

    let mut users = Vec::new();
    let mut names = Vec::new();
    for name in ["ada", "bob"] {
        open_page(&mut browser, &server).await;
        register(&mut browser, name).await;
        let sent = tap(&mut browser, false).await;
        assert_eq!(sent.as_array().map(Vec::len), Some(1), "{sent}");
        names.push(sent[0].as_str().expect("a name").to_owned());
        let own = "return document.querySelector('[data-testid=own-row]').dataset.userId;";
        users.push(browser.wait(own, json!([])).await.as_str().expect("an id").to_owned());
        browser.press("[data-testid=logout]").await;
    }
    assert_eq!(names[0], names[1], "one browser, whoever plays");
    let kept = browser.run(KEPT, json!([])).await;
    assert_eq!(kept["id"], names[0]);
    let found = until("both are found on one device", PATIENCE, async || incidents(&mut mona).await.pop()).await;
    users.sort();
    assert_eq!((&found["finding"]["users"], &found["measure"]), (&json!(users), &json!("flag")));
    assert!(!found.to_string().contains(&names[0]) && !server.log().contains(&names[0]), "its name is nowhere");

    // After a week it is called otherwise, and so it is where something else is kept in that place. A server of before is told no name.
    open_page(&mut browser, &server).await;
    register(&mut browser, "cyd").await;
    let keep = "localStorage.setItem('scoreboard.device', arguments[0]);";
    let week = 7 * 86_400_000_i64;
    let since = kept["since"].as_i64().expect("a time");
    for (text, is_same) in [
        (json!({ "id": names[0], "since": since - week + 600_000 }).to_string(), true),
        (json!({ "id": names[0], "since": since - week }).to_string(), false),
        (json!({ "id": names[0], "since": since + week }).to_string(), false),
        (json!({ "id": "mine", "since": since }).to_string(), false),
        ("null".to_owned(), false),
        ("{".to_owned(), false),
    ] {
        browser.run(keep, json!([text])).await;
        open_page(&mut browser, &server).await;
        browser.wait("return document.querySelector('[data-testid=logout]').offsetParent !== null;", json!([])).await;
        let sent = tap(&mut browser, false).await;
        assert_eq!(sent[0] == names[0], is_same, "{text}: {sent}");
        assert_eq!(browser.run(KEPT, json!([])).await["id"], sent[0], "{text}");
    }
    open_page(&mut browser, &server).await;
    browser.wait("return document.querySelector('[data-testid=logout]').offsetParent !== null;", json!([])).await;
    let sent = tap(&mut browser, true).await;
    assert_eq!(sent, json!([sent[0].as_str().expect("first a name"), null]));
    assert!(server.terminate().await.success());
    server.assert_verified();
}
