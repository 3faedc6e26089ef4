//! All that a rule has found, made void and taken back, by keyboard.

use serde_json::{Value, json};

use crate::desk::{close, decide, enter, id, seen, told};
use crate::support::server::Server;
use crate::support::webdriver::Browser;
use crate::{assert_fits, board};

const RULE: &str = "shared_device";
const TAB: &str = "\u{E004}";
const DOWN: &str = "\u{E015}";
const ESCAPE: &str = "\u{E00C}";

const FOCUSED: &str = "return document.activeElement?.matches(arguments[0]) === true;";

/// Those of the board's users who stand on it now.
fn standing(board: &Value) -> Vec<&Value> {
    board["entries"].as_array().expect("entries").iter().map(|entry| &entry["userId"]).collect()
}

/// From an incident of the rule, which is shown, about one of these users, who did so much in all: more than can be named in one request.
pub(crate) async fn void_and_take_back(browser: &mut Browser, server: &Server, users: &[&str], acts: usize) {
    let before = board(server).await;
    let of_them = |user: &Value| users.iter().any(|one| user == one);
    assert_eq!(standing(&before).into_iter().filter(|user| of_them(user)).count(), users.len(), "all of them play");
    browser.run("document.querySelector('[data-testid=incident]').focus();", json!([])).await;
    browser.keys("v").await;
    seen(browser, &id("decision")).await;
    // The incident's rule and board are chosen already, and one says why.
    browser.wait(FOCUSED, json!([id("reason")])).await;
    let chosen = "
        const [rule, board] = ['void-rule', 'rule-board'].map((name) => document.querySelector(`[data-testid=${name}]`).value);
        return rule === arguments[0] && board === 'main';";
    browser.wait(chosen, json!([RULE])).await;
    let voided = decide(browser, "one hand plays them all").await;
    browser.screenshot("console-void-by-rule").await;
    assert_eq!(voided["done"]["changed"], acts.to_string(), "all that they did");
    assert_eq!(
        voided["previewed"],
        json!({ "testid": "previewed", "changed": acts.to_string(), "shifted": users.len().to_string() })
    );
    let now = board(server).await;
    assert_eq!(standing(&now).into_iter().filter(|user| of_them(user)).count(), 0);
    assert_eq!(voided["boards"][0]["totalAfter"], now["total"].to_string());

    enter(browser, "undo").await;
    seen(browser, &id("decision")).await;
    let back = decide(browser, "it was a school").await;
    assert_eq!(back["done"]["changed"], acts.to_string());
    close(browser).await;
    assert_eq!(board(server).await["entries"], before["entries"], "rank for rank");
}

/// From among the decisions, with a stretch of time: previewed, and left so.
pub(crate) async fn look_at_a_stretch(browser: &mut Browser, acts: usize) {
    browser.keys("3").await;
    seen(browser, &id("decision-row")).await;
    let decisions = told(browser, &id("decision-row")).await.len();
    browser.keys("v").await;
    seen(browser, &id("decision")).await;
    browser.wait(FOCUSED, json!([id("void-rule")])).await;
    // Whoever names no rule is told so.
    browser.tab_to(&id("preview"), true).await;
    browser.keys("\u{E007}").await;
    browser.wait("return document.querySelector('[data-testid=decision] .error') !== null;", json!([])).await;
    browser.wait(FOCUSED, json!([id("void-rule")])).await;
    browser.keys(&format!("{RULE}{TAB}{TAB}{DOWN}")).await;
    seen(browser, "[data-testid=decision] .stretch").await;
    browser.tab_to(&id("reason"), true).await;
    browser.keys("only of late").await;
    browser.tab_to(&id("preview"), true).await;
    browser.keys("\u{E007}").await;
    seen(browser, &id("previewed")).await;
    let previewed = told(browser, &id("previewed")).await.remove(0);
    let changed: usize = previewed["changed"].as_str().expect("a text").parse().expect("a number");
    assert!(changed > 0 && changed < acts, "{changed} of {acts} are of the last day");
    for (name, size, scheme) in [("light", (1280, 900), "light"), ("phone", (375, 740), "dark")] {
        browser.look(size.0, size.1, scheme).await;
        assert_fits(browser, size.0, name).await;
        let within = "
            const right = document.querySelector('[data-testid=decision] .scope').getBoundingClientRect().right;
            return [...document.querySelectorAll('[data-testid=decision] .scope :is(input, select)')].every((field) => field.getBoundingClientRect().right <= right + 1);";
        browser.wait(within, json!([])).await;
        browser.screenshot(&format!("console-void-by-rule-{name}")).await;
    }
    browser.look(1280, 900, "light").await;
    // Another rule is another thing: what was previewed says nothing of it, and nothing is carried out.
    browser.tab_to(&id("void-rule"), false).await;
    browser.keys("x").await;
    let forgotten = "return document.querySelector('[data-testid=previewed]') === null && document.querySelector('[data-testid=carry-out]').disabled;";
    browser.wait(forgotten, json!([])).await;
    browser.keys(&format!("{ESCAPE}{ESCAPE}")).await;
    browser.wait("return document.querySelector('dialog[open]') === null;", json!([])).await;
    assert_eq!(told(browser, &id("decision-row")).await.len(), decisions);
}
