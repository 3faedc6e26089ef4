//! The page, in a real browser: an account, a round, a score that others see live, and a server that is killed in between.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::server::Server;
use support::user::User;
use support::wait::until;
use support::webdriver::Browser;
use tokio::time::sleep;

const SCORE_OF: &str = "
    const row = document.querySelector(`[data-testid=row][data-user-id='${arguments[0]}']`);
    return row !== null && Number(row.dataset.score) === arguments[1];";
const STATE: &str = "return document.querySelector('[data-testid=connection]').dataset.state === arguments[0];";

/// Remembers the last update that the page sent and the receipt that it was answered with.
const LISTEN_IN: &str = "
    const send = window.fetch;
    window.fetch = async (path, request) => {
      const response = await send(path, request);
      if (path === '/api/scoreboard/update') {
        const { signal, ...kept } = request;
        window.lastUpdate = kept;
        window.lastReceipt = (await response.clone().json()).receipt;
      }
      return response;
    };";
const REPEAT: &str = "
    return fetch('/api/scoreboard/update', window.lastUpdate)
      .then(async (response) => ({ status: response.status, receipt: (await response.json()).receipt }));";

/// Uses a refresh token again whose successor was used too, as a thief would.
const REUSE: &str = "
    const refresh = (refreshToken) => fetch('/api/auth/refresh', {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ refreshToken }),
    }).then((answer) => answer.json());
    const { refreshToken } = JSON.parse(sessionStorage.getItem('scoreboard.session'));
    return refresh(refreshToken).then((next) => refresh(next.refreshToken)).then(() => refresh(refreshToken)).then(({ status }) => status);";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_played_on_the_page_is_seen_live_by_others_and_outlives_a_kill() {
    // As it comes: the limits, too, are those that a user meets.
    let mut server = Server::start_with(&[], &[]).await;
    let mut browser = Browser::open().await;

    // Two windows: one plays, one watches.
    let player = browser.window().await;
    open_page(&mut browser, &server).await;
    let watcher = browser.new_window().await;
    browser.switch(&watcher).await;
    open_page(&mut browser, &server).await;
    browser.run("window.notReloaded = true;", json!([])).await;

    browser.switch(&player).await;
    browser.screenshot("desktop-empty").await;
    browser.run(LISTEN_IN, json!([])).await;
    register(&mut browser, "Ada Lovelace").await;
    let user = browser.wait("return document.querySelector('[data-testid=own-row]').dataset.userId;", json!([])).await;

    // A tap, then a quest.
    browser.press("[data-testid=play-tap]").await;
    browser.press("[data-testid=finish]").await;
    assert_eq!(receipt(&mut browser).await, json!({ "points": "1", "score": "1", "replayed": "false" }));
    browser.press("[data-testid=play-quest]").await;
    browser.screenshot("desktop-quest").await;
    catch_stars(&mut browser).await;
    browser.press("[data-testid=finish]").await;
    assert_eq!(receipt(&mut browser).await, json!({ "points": "10", "score": "11", "replayed": "false" }));

    browser.switch(&watcher).await;
    browser.wait(SCORE_OF, json!([user, 11])).await;
    assert_eq!(browser.run("return window.notReloaded;", json!([])).await, true, "it was seen without a reload");

    // Company, for a board that is worth looking at.
    let rivals = play_rivals(&server).await;
    browser.wait(SCORE_OF, json!([rivals[0], 150])).await;
    assert_quiet(&mut browser).await;

    // Killed in the middle: the page says so, comes back by itself, and nothing is lost.
    server.kill9();
    browser.wait(STATE, json!(["offline"])).await;
    browser.screenshot("desktop-offline").await;
    browser.switch(&player).await;
    browser.wait(STATE, json!(["offline"])).await;
    server.restart().await;
    for window in [&watcher, &player] {
        browser.switch(window).await;
        browser.wait(STATE, json!(["live"])).await;
        browser.wait(SCORE_OF, json!([user, 11])).await;
    }
    let offline = browser.console().await;
    assert!(
        offline.iter().all(|line| line.text.contains("ERR_CONNECTION_REFUSED") || line.text.contains("WebSocket")),
        "{offline:?}"
    );

    // The same action again: the same receipt, marked as a repeat, and it counts nothing.
    let first = browser.run("return window.lastReceipt;", json!([])).await;
    let mut again = browser.run(REPEAT, json!([])).await;
    assert_eq!((&first["replayed"], &again["receipt"]["replayed"]), (&json!(false), &json!(true)));
    again["receipt"]["replayed"] = json!(false);
    assert_eq!(again, json!({ "status": 200, "receipt": first }));

    // A reload takes the session up again.
    browser.reload().await;
    browser.wait("return document.querySelector('[data-testid=own-row]').dataset.score === '11';", json!([])).await;
    browser.wait(SCORE_OF, json!([user, 11])).await;

    for (name, width, height, scheme) in [
        ("desktop-light", 1280, 900, "light"),
        ("desktop-dark", 1280, 900, "dark"),
        ("phone-light", 360, 740, "light"),
        ("phone-dark", 360, 740, "dark"),
    ] {
        browser.look(width, height, scheme).await;
        let settled = "return innerWidth === arguments[0] && document.getAnimations().every(({ playState }) => playState !== 'running');";
        browser.wait(settled, json!([width])).await;
        let fits = "return document.documentElement.scrollWidth <= innerWidth;";
        assert_eq!(browser.run(fits, json!([])).await, true, "{name} is wider than its window");
        browser.screenshot(name).await;
    }

    browser.press("[data-testid=play-boss]").await;
    browser.screenshot("phone-boss").await;
    browser.press("[data-testid=leave]").await;
    browser.press("[data-testid=logout]").await;
    browser
        .wait("return document.querySelector('[data-testid=register-form]').offsetParent !== null;", json!([]))
        .await;
    browser.screenshot("phone-signed-out").await;
    browser.wait(STATE, json!(["live"])).await;
    assert_quiet(&mut browser).await;

    // A session that is ended elsewhere ends on the page at once, and the board goes on.
    browser.press("[data-testid=show-login]").await;
    browser.fill("[data-testid=login-form] [data-testid=email]", "ada@example.org").await;
    browser.fill("[data-testid=login-form] [data-testid=password]", "a sentence nobody guesses").await;
    browser.press("[data-testid=login-form] [data-testid=submit]").await;
    browser.wait("return document.querySelector('[data-testid=logout]').offsetParent !== null;", json!([])).await;
    browser.run(REUSE, json!([])).await;
    let ended = "
        const form = document.querySelector('[data-testid=login-form]');
        return form.checkVisibility() && form.textContent.includes('Your session has ended');";
    browser.wait(ended, json!([])).await;
    browser.wait(STATE, json!(["live"])).await;
    assert!(server.terminate().await.success());
    server.assert_verified();
}

async fn open_page(browser: &mut Browser, server: &Server) {
    browser.go(&server.url()).await;
    browser.wait(STATE, json!(["live"])).await;
}

async fn register(browser: &mut Browser, name: &str) {
    let field = |id: &str| format!("[data-testid=register-form] [data-testid={id}]");
    browser.fill(&field("display-name"), name).await;
    browser.fill(&field("email"), "ada@example.org").await;
    browser.fill(&field("password"), "a sentence nobody guesses").await;
    browser.press(&field("submit")).await;
    browser.wait("return document.querySelector('[data-testid=logout]').offsetParent !== null;", json!([])).await;
}

/// The receipt that the page shows for the round just finished.
async fn receipt(browser: &mut Browser) -> Value {
    let shown = "
        const { hidden, dataset } = document.querySelector('[data-testid=receipt]');
        return !hidden && { points: dataset.points, score: dataset.score, replayed: dataset.replayed };";
    browser.wait(shown, json!([])).await
}

/// Presses the stars until none is left; one that hops away from under the pointer is pressed again.
async fn catch_stars(browser: &mut Browser) {
    let left = "return document.querySelectorAll('[data-testid=target]').length;";
    until("all stars are caught", Duration::from_secs(30), async || {
        if browser.run(left, json!([])).await == 0 {
            return Some(());
        }
        let _ = browser.try_press("[data-testid=target]").await;
        None
    })
    .await;
}

/// Lets others beat the boss, for 150 points the first, fewer each next; gives their ids in that order.
async fn play_rivals(server: &Server) -> Vec<String> {
    // Few enough that the one who played on the page stays in the top ten.
    let names = ["Grace", "Edsger", "Barbara", "Donald", "Frances", "Ken", "Radia", "Niklaus"];
    let mut started = Vec::new();
    for (place, name) in names.into_iter().enumerate() {
        let mut user = User::register(server.address(), name).await;
        let request = json!({ "kind": "boss", "points": 150 - 9 * place });
        let path = "/api/scoreboard/generate-action";
        let answer = user.client.send("POST", path, Some(&user.token), Some(&request)).await;
        started.push((user, answer.expect("an action is issued").expect(201)["action"].take()));
    }
    // As long as the boss takes at least. Trying sooner would use up the quota.
    sleep(Duration::from_secs(5)).await;
    let mut ids = Vec::new();
    for (mut user, action) in started.into_iter().rev() {
        user.update(&action).await.expect("an update is answered").expect(200);
        ids.insert(0, user.id);
    }
    ids
}

/// Nothing is wrong in any console: no error, no refused script or style.
async fn assert_quiet(browser: &mut Browser) {
    let lines = browser.console().await;
    let loud: Vec<_> = lines.iter().filter(|line| line.level == "SEVERE" || line.level == "WARNING").collect();
    assert!(loud.is_empty(), "{loud:#?}");
}
