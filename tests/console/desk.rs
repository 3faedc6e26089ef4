//! What a moderator does in the console, by keyboard alone.

use serde_json::{Value, json};

use crate::support::authenticator::{app, fresh};
use crate::support::webdriver::Browser;

const ENTER: &str = "\u{E007}";
const TAB: &str = "\u{E004}";
const DOWN: &str = "\u{E015}";

pub(crate) fn id(name: &str) -> String {
    format!("[data-testid={name}]")
}

pub(crate) async fn seen(browser: &mut Browser, selector: &str) {
    let script = "return document.querySelector(arguments[0])?.checkVisibility() === true;";
    browser.wait(script, json!([selector])).await;
}

pub(crate) async fn text(browser: &mut Browser, selector: &str) -> String {
    let script = "return document.querySelector(arguments[0]).innerText;";
    browser.run(script, json!([selector])).await.as_str().expect("a text").to_owned()
}

/// The `data-` attributes of all that the selector finds.
pub(crate) async fn told(browser: &mut Browser, selector: &str) -> Vec<Value> {
    let script = "return [...document.querySelectorAll(arguments[0])].map(({ dataset }) => ({ ...dataset }));";
    browser.run(script, json!([selector])).await.as_array().expect("a list").clone()
}

/// Goes to it by Tab and presses Enter.
pub(crate) async fn enter(browser: &mut Browser, name: &str) {
    browser.tab_to(&id(name), true).await;
    browser.keys(ENTER).await;
}

/// The address has the focus when the console is opened.
pub(crate) async fn log_in(browser: &mut Browser, email: &str, password: &str) {
    seen(browser, "[data-testid=login-form]").await;
    let focused = "return document.activeElement?.name === 'email';";
    browser.wait(focused, json!([])).await;
    browser.keys(&format!("{email}{TAB}{password}{ENTER}")).await;
}

/// Sets an authenticator app up, which somebody who decides about others must have; gives its secret, and the code that was used.
pub(crate) async fn enrol(browser: &mut Browser) -> (String, String) {
    seen(browser, &id("enrol")).await;
    enter(browser, "enrol").await;
    let drawn = "const picture = document.querySelector('[data-testid=qr]'); return picture.complete && picture.naturalWidth > 0;";
    browser.wait(drawn, json!([])).await;
    browser.screenshot("console-enrol").await;
    let secret = text(browser, &id("totp-secret")).await;
    let code = app(&secret).await;
    browser.keys(&format!("{code}{ENTER}")).await;
    seen(browser, &id("recovery")).await;
    enter(browser, "codes-kept").await;
    seen(browser, &id("console")).await;
    (secret, code)
}

/// The second step of a login: a code that was not used before.
pub(crate) async fn show_code(browser: &mut Browser, secret: &str, used: &str) {
    seen(browser, &id("code-form")).await;
    browser.screenshot("console-code").await;
    let code = fresh(secret, used).await;
    browser.keys(&format!("{code}{ENTER}")).await;
    seen(browser, &id("console")).await;
}

/// A decision: why, its preview, and what it is called; the dialog stays open behind it.
pub(crate) async fn decide(browser: &mut Browser, why: &str) -> Value {
    browser.tab_to(&id("reason"), true).await;
    browser.keys(why).await;
    enter(browser, "preview").await;
    seen(browser, &id("previewed")).await;
    // The focus is where it is carried out.
    browser.tab_to(&id("carry-out"), true).await;
    let previewed = told(browser, &id("previewed")).await.remove(0);
    let shifts = told(browser, &id("shift")).await;
    let boards = told(browser, &id("board-preview")).await;
    let top = told(browser, &id("top-after")).await;
    browser.keys(ENTER).await;
    seen(browser, &id("done")).await;
    let done = told(browser, &id("done")).await.remove(0);
    json!({ "previewed": previewed, "shifts": shifts, "boards": boards, "top": top, "done": done })
}

/// Closes the dialog of a decision that was carried out; the incident is read again then, and has the focus.
pub(crate) async fn close(browser: &mut Browser) {
    enter(browser, "close").await;
    let read = "
        const focused = document.activeElement;
        return document.querySelector('dialog.decision') === null && focused?.matches('[data-testid=incident]') === true;";
    browser.wait(read, json!([])).await;
}

/// Chooses what is to be void, going back from where one says why.
pub(crate) async fn choose_all_on_the_board(browser: &mut Browser) {
    seen(browser, &id("decision")).await;
    browser.tab_to("[name=scope]", false).await;
    browser.keys(DOWN).await;
    let chosen = "return document.querySelector('[name=scope]:checked').value === 'board';";
    browser.wait(chosen, json!([])).await;
}

/// Confirms or dismisses the incident that is shown, by its single key.
pub(crate) async fn judge(browser: &mut Browser, key: &str, note: &str, status: &str) {
    let of_file = "[data-testid=incident]";
    browser.run("document.querySelector(arguments[0]).focus();", json!([of_file])).await;
    browser.keys(key).await;
    seen(browser, &id("note-dialog")).await;
    browser.keys(&format!("{note}{TAB}{ENTER}")).await;
    let judged = "return document.querySelector('dialog[open]') === null && document.querySelector(`[data-testid=incident] h2 [data-kind=${arguments[0]}]`) !== null;";
    browser.wait(judged, json!([status])).await;
}
