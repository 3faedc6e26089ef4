//! The console in a real browser: who may not sees nothing, a moderator sets a second factor up and signs in with it, finds a bot by the
//! evidence against it, and decides, by keyboard, while a second window watches the board.

mod bot;
mod by_rule;
mod desk;
mod evidence;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use bot::{Bot, tap};
use desk::{choose_all_on_the_board, close, decide, enrol, enter, id, judge, log_in, seen, show_code, text, told};
use serde_json::{Value, json};
use support::client::Client;
use support::server::Server;
use support::user::{PASSWORD, User};
use support::wait::until;
use support::webdriver::Browser;

/// As long as it takes a program to be found, also on a machine that makes it play unevenly.
const PATIENCE: Duration = Duration::from_secs(180);

const SCORE_OF: &str = "
    const row = document.querySelector(`[data-testid=row][data-user-id='${arguments[0]}']`);
    return row !== null && Number(row.dataset.score) === arguments[1];";
const IS_GONE: &str = "return document.querySelector(`[data-testid=row][data-user-id='${arguments[0]}']`) === null;";

fn grant(server: &Server, email: &str, role: &str) {
    let granted = server.command(&["admin", "grant-role", email, role]);
    assert!(granted.status.success(), "{}", String::from_utf8_lossy(&granted.stderr));
}

async fn board(server: &Server) -> Value {
    Client::new(server.address()).get("/api/scoreboard").await.expect("it answers").expect(200)
}

/// What the watch has written down about a user, once it has.
async fn found(reviewer: &mut User, user: &str) -> Value {
    let path = format!("/api/admin/incidents?user={user}&rule=interval_variation");
    until("the bot is found", PATIENCE, async || {
        let answer = reviewer.client.send("GET", &path, Some(&reviewer.token), None).await.expect("it answers");
        answer.expect(200)["incidents"].get_mut(0).map(Value::take)
    })
    .await
}

/// Nothing is wrong in any console: no error, no refused script or style.
async fn assert_quiet(browser: &mut Browser) {
    let lines = browser.console().await;
    let loud: Vec<_> = lines.iter().filter(|line| line.level == "SEVERE" || line.level == "WARNING").collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

/// A phone would show a wider page smaller, so its own width is not asked.
async fn assert_fits(browser: &mut Browser, width: u32, name: &str) {
    let fits = "return document.documentElement.scrollWidth <= arguments[0];";
    assert_eq!(browser.run(fits, json!([width])).await, true, "{name} is wider than its window");
}

/// Each tab at this size, for eyes.
async fn look_at_all(browser: &mut Browser, tabs: &[&str], name: &str, size: (u32, u32), scheme: &str) {
    browser.look(size.0, size.1, scheme).await;
    for tab in tabs {
        browser.press(&id(&format!("tab-{tab}"))).await;
        let there = "return !document.getElementById(arguments[0]).hidden && document.querySelector('[aria-busy=true]') === null && document.activeElement !== null;";
        browser.wait(there, json!([tab])).await;
        browser.wait("return document.getElementById(arguments[0]).innerText.length > 60;", json!([tab])).await;
        assert_fits(browser, size.0, &format!("{name}-{tab}")).await;
        browser.screenshot(&format!("console-{name}-{tab}")).await;
    }
}

/// Who is neither moderator nor admin finds no part of the console in the page.
async fn a_user_sees_nothing(browser: &mut Browser, server: &Server) {
    browser.go(&format!("{}/admin", server.url())).await;
    assert!(!server_shows_more(browser).await);
    log_in(browser, "eve@example.org", PASSWORD).await;
    seen(browser, &id("refused")).await;
    assert!(!server_shows_more(browser).await, "nothing but the refusal");
    browser.screenshot("console-refused").await;
    enter(browser, "logout").await;
    seen(browser, &id("login-form")).await;
    browser.screenshot("console-login").await;
}

async fn server_shows_more(browser: &mut Browser) -> bool {
    let parts = "return document.querySelectorAll('[role=tab], [data-testid=console], [role=tabpanel]').length > 0;";
    browser.run(parts, json!([])).await == true
}

/// The drawing says what the finding says: so many intervals, which vary less than is believed.
async fn evidence_is_drawn(browser: &mut Browser, finding: &Value) {
    seen(browser, "[data-testid=evidence] svg circle").await;
    let count = "return document.querySelectorAll('[data-testid=evidence] circle.dot').length;";
    assert_eq!(browser.run(count, json!([])).await, finding["inputs"]["intervals"], "a dot for each interval");
    let ids = "return document.querySelectorAll('[data-testid=action-ids] li').length;";
    assert_eq!(browser.run(ids, json!([])).await, finding["actions"].as_array().expect("actions").len());
    let heights = "
        const height = (kind) => Number(document.querySelector(`[data-testid=evidence] rect.${kind}`).getAttribute('height'));
        return height('measured') / height('threshold');";
    let drawn = browser.run(heights, json!([])).await.as_f64().expect("a share");
    let [value, threshold] = ["value", "threshold"].map(|field| finding[field].as_f64().expect("a number"));
    // Nothing is drawn lower than a line.
    assert!((drawn - value / threshold).abs() < 0.05, "{drawn} drawn of {value} and {threshold}");
    let words = text(browser, &id("finding")).await;
    assert!(words.contains(&format!("{:.1} %", value / 10.0)), "{words}");
}

/// What was previewed is what the board is now.
fn assert_as_previewed(decided: &Value, user: &str, before: &Value, now: &Value) {
    let entry = |board: &Value| {
        let entries = board["entries"].as_array().expect("entries").clone();
        entries.into_iter().find(|entry| entry["userId"] == user).unwrap_or_default()
    };
    let words = |value: &Value| if value.is_null() { String::new() } else { value.to_string() };
    let shift = decided["shifts"].as_array().expect("shifts").iter().find(|shift| shift["userId"] == user);
    let shift = shift.expect("the user is among them");
    for (field, board, of) in
        [("score", before, "score"), ("rank", before, "rank"), ("scoreAfter", now, "score"), ("rankAfter", now, "rank")]
    {
        assert_eq!(shift[field].as_str().unwrap_or_default(), words(&entry(board)[of]), "{field} of {decided}");
    }
    assert_eq!(decided["boards"][0]["totalAfter"], now["total"].to_string());
    let top = decided["top"].as_array().expect("a top").iter().filter(|row| row["userId"] != "");
    let top: Vec<_> = top.map(|row| (row["userId"].clone(), row["score"].clone())).collect();
    let entries = now["entries"].as_array().expect("entries").iter();
    let expected: Vec<_> = entries.map(|entry| (entry["userId"].clone(), json!(entry["score"].to_string()))).collect();
    assert_eq!(top, expected);
    assert_eq!(decided["previewed"]["changed"], decided["done"]["changed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_is_found_held_voided_and_banned_by_keyboard_while_a_second_window_watches() {
    let mut server = Server::start().await;
    let address = server.address();
    let _mona = User::register(address, "mona").await;
    // Somebody who asks beside the console: whose app is set up there has no other session any more.
    let mut rita = User::register(address, "rita").await;
    rita.becomes("moderator", &server).await;
    let _eve = User::register(address, "eve").await;
    let mut ada = User::register(address, "ada").await;
    let robot = User::register(address, "robot").await;
    let robot_id = robot.id.clone();
    tap(&mut ada).await;
    let playing = Bot::play(robot);

    let mut browser = Browser::open().await;
    let desk = browser.window().await;
    a_user_sees_nothing(&mut browser, &server).await;

    grant(&server, "mona@example.org", "moderator");
    log_in(&mut browser, "mona@example.org", PASSWORD).await;
    let (secret, code) = enrol(&mut browser).await;
    enter(&mut browser, "logout").await;
    log_in(&mut browser, "mona@example.org", PASSWORD).await;
    show_code(&mut browser, &secret, &code).await;
    let tab = "return document.activeElement?.dataset.testid === 'tab-incidents';";
    browser.wait(tab, json!([])).await;

    // What the keys do is one key away.
    browser.keys("?").await;
    seen(&mut browser, "#help[open]").await;
    browser.keys("\u{E00C}").await;
    browser.wait("return !document.getElementById('help').open;", json!([])).await;

    let watcher = browser.new_window().await;
    browser.switch(&watcher).await;
    browser.go(&server.url()).await;
    let incident = found(&mut rita, &robot_id).await;
    let mut robot = playing.stop().await;
    let score = robot.standing().await["score"].as_i64().expect("a score");
    browser.wait(SCORE_OF, json!([robot_id, score])).await;
    browser.run("window.notReloaded = true;", json!([])).await;

    // Found in the list, opened, and with her.
    browser.switch(&desk).await;
    browser.keys("r").await;
    seen(&mut browser, "[data-testid=incident-row][data-rule=interval_variation]").await;
    browser.keys("j\u{E007}").await;
    evidence_is_drawn(&mut browser, &incident["finding"]).await;
    browser.screenshot("console-incident").await;
    browser.keys("a").await;
    browser
        .wait("return document.querySelector('[data-testid=assign]')?.textContent === 'Give back';", json!([]))
        .await;

    // Held: what the bot does now counts for nobody else, and others go on seeing what it had.
    enter(&mut browser, "hold").await;
    decide(&mut browser, "exact to the millisecond").await;
    close(&mut browser).await;
    let receipt = tap(&mut robot).await;
    assert_eq!(receipt["score"], score + 1, "the bot is told as ever");
    tap(&mut ada).await;
    browser.switch(&watcher).await;
    browser.wait(SCORE_OF, json!([ada.id, 2])).await;
    assert_eq!(browser.run(SCORE_OF, json!([robot_id, score])).await, true, "what is held is not shown");

    // Void, as previewed: the bot is gone from the board of who watches.
    browser.switch(&desk).await;
    let before = board(&server).await;
    enter(&mut browser, "void").await;
    choose_all_on_the_board(&mut browser).await;
    let voided = decide(&mut browser, "none of it was played").await;
    browser.screenshot("console-voided").await;
    assert_as_previewed(&voided, &robot_id, &before, &board(&server).await);
    assert_eq!(voided["done"]["changed"], (score + 1).to_string(), "all that it did");
    browser.switch(&watcher).await;
    browser.wait(IS_GONE, json!([robot_id])).await;

    // Taken back: it stands where it stood, rank for rank.
    browser.switch(&desk).await;
    enter(&mut browser, "undo").await;
    seen(&mut browser, &id("decision")).await;
    decide(&mut browser, "wait for what it says").await;
    close(&mut browser).await;
    assert_eq!(board(&server).await["entries"], before["entries"], "rank for rank");
    browser.switch(&watcher).await;
    browser.wait(SCORE_OF, json!([robot_id, score])).await;

    // Dismissed, thought better of, and banned.
    browser.switch(&desk).await;
    judge(&mut browser, "d", "a person after all", "dismissed").await;
    judge(&mut browser, "c", "no, it said so itself", "confirmed").await;
    // Who asks for those that are open is no longer shown it.
    let shown = "return document.querySelectorAll('[data-testid=incident-row]').length === arguments[0];";
    browser.wait(shown, json!([1])).await;
    browser.keys("r").await;
    browser.wait(shown, json!([0])).await;
    browser.wait("return document.activeElement?.matches('[data-testid=incident]');", json!([])).await;
    enter(&mut browser, "ban").await;
    let banned = decide(&mut browser, "it said so itself").await;
    close(&mut browser).await;
    assert_as_previewed(&banned, &robot_id, &before, &board(&server).await);
    browser.switch(&watcher).await;
    browser.wait(IS_GONE, json!([robot_id])).await;
    assert_eq!(browser.run("return window.notReloaded;", json!([])).await, true, "it was seen without a reload");
    assert_quiet(&mut browser).await;

    browser.switch(&desk).await;
    browser.keys("3").await;
    seen(&mut browser, &id("decision-row")).await;
    let acts: Vec<_> =
        told(&mut browser, &id("decision-row")).await.into_iter().map(|row| row["act"].clone()).collect();
    assert_eq!(acts, ["restrict", "conclude", "conclude", "unvoid", "void", "restrict"]);
    let left = [told(&mut browser, "[data-testid=decision-row] button").await, told(&mut browser, &id("lift")).await];
    assert_eq!(left.map(|buttons| buttons.len()), [1, 1], "only the ban is still to be taken back");
    assert!(told(&mut browser, &id("tab-keys")).await.is_empty(), "keys are for admins");

    // An admin is shown keys, by their names alone.
    let made = server.command(&["admin", "create-server-key", "arena"]);
    let secret_key = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    grant(&server, "mona@example.org", "admin");
    browser.reload().await;
    seen(&mut browser, &id("console")).await;
    browser.press(&id("tab-keys")).await;
    seen(&mut browser, "[data-testid=signing-key][data-state=signs]").await;
    let shown = text(&mut browser, "#keys").await;
    let secret_half = secret_key.rsplit('_').next().expect("a secret");
    assert!(shown.contains("arena") && secret_half.len() == 64 && !shown.contains(secret_half), "{shown}");

    let tabs = ["moderations", "boards", "keys", "health"];
    look_at_all(&mut browser, &tabs, "light", (1280, 900), "light").await;
    look_at_all(&mut browser, &tabs, "dark", (1280, 900), "dark").await;
    look_at_all(&mut browser, &tabs, "phone", (375, 740), "light").await;
    for (name, size, scheme) in
        [("light", (1280, 900), "light"), ("dark", (1280, 900), "dark"), ("phone", (375, 740), "dark")]
    {
        browser.look(size.0, size.1, scheme).await;
        browser.run("location.hash = `incidents/${arguments[0]}`;", json!([incident["id"]])).await;
        seen(&mut browser, "[data-testid=evidence] svg circle").await;
        assert_fits(&mut browser, size.0, name).await;
        browser.screenshot(&format!("console-{name}-incident")).await;
        browser.run("location.hash = `users/${arguments[0]}/main`;", json!([robot_id])).await;
        seen(&mut browser, &id("action")).await;
        let facts = text(&mut browser, &id("user-facts")).await;
        assert!(facts.contains("banned by") && facts.contains("not on the board"), "{facts}");
        assert_fits(&mut browser, size.0, name).await;
        browser.screenshot(&format!("console-{name}-user")).await;
    }
    assert_quiet(&mut browser).await;

    // What cannot be read any more is marked as old.
    browser.press(&id("tab-health")).await;
    browser.wait("return document.getElementById('health').dataset.old === 'false';", json!([])).await;
    let parts = told(&mut browser, &id("part")).await;
    assert!(parts.len() == 5 && parts.iter().all(|part| part["status"] == "up"), "{parts:?}");
    assert!(server.terminate().await.success());
    browser.wait("return document.getElementById('health').dataset.old === 'true';", json!([])).await;
    browser.screenshot("console-health-old").await;
    server.assert_verified();
}
