//! What one does with an account on the page, in a real browser, with a real mail server: looks at the logins and ends one, has the address
//! confirmed, sets another password, and moves to another address.

#[path = "planted_secrets/mail.rs"]
mod mail;
mod support;

use mail::Mail;
use serde_json::{Value, json};
use support::client::Client;
use support::server::Server;
use support::webdriver::Browser;

const PASSWORD: &str = "a sentence nobody guesses";
const ANOTHER: &str = "another that nobody guesses";
const ADA: &str = "ada@example.org";
const MOVED: &str = "ada@elsewhere.example";

fn of(form: &str, field: &str) -> String {
    format!("[data-testid={form}] [data-testid={field}]")
}

async fn seen(browser: &mut Browser, selector: &str) {
    let script = "return document.querySelector(arguments[0])?.checkVisibility() === true;";
    browser.wait(script, json!([selector])).await;
}

/// Waits until this is to be read in there.
async fn reads(browser: &mut Browser, selector: &str, words: &str) {
    let script = "return document.querySelector(arguments[0])?.innerText.includes(arguments[1]) === true;";
    browser.wait(script, json!([selector, words])).await;
}

/// In the place of what stands there.
async fn refill(browser: &mut Browser, field: &str, text: &str) {
    browser.run("document.querySelector(arguments[0]).value = '';", json!([field])).await;
    browser.fill(field, text).await;
}

async fn open(browser: &mut Browser, panel: &str) {
    browser.press(&format!("[data-testid={panel}] summary")).await;
}

fn link(text: &str, mark: &str) -> String {
    let token = text.split(mark).nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a link");
    format!("{mark}{token}")
}

async fn follow(browser: &mut Browser, server: &Server, link: &str) {
    browser.go("about:blank").await;
    browser.go(&format!("{}{link}", server.url())).await;
    let followed = "return location.hash === '' && document.readyState === 'complete';";
    browser.wait(followed, json!([])).await;
}

async fn log_in(server: &Server, email: &str, password: &str) -> (u16, Value) {
    let login = json!({ "email": email, "password": password });
    let answer = Client::new(server.address()).post("/api/auth/login", &login).await.expect("login answers");
    (answer.status, answer.body)
}

async fn is_signed_in(server: &Server, token: &Value) -> bool {
    let answer = Client::new(server.address()).send("GET", "/api/auth/me", token.as_str(), None).await;
    answer.expect("it answers").status == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_password_and_address_are_looked_after_on_the_page() {
    let mut mail = Mail::start().await;
    let smtp = format!("smtp://127.0.0.1:{}", mail.port);
    let settings = [
        ("SCOREBOARD_MAIL__SMTP_URL", smtp.as_str()),
        ("SCOREBOARD_MAIL__FROM", "scores@example.org"),
        ("SCOREBOARD_LIMITS__LOGIN", "off"),
    ];
    let mut server = Server::start_with(&settings, &[]).await;
    let mut browser = Browser::open().await;
    browser.go(&server.url()).await;
    browser.fill(&of("register-form", "display-name"), "Ada Lovelace").await;
    browser.fill(&of("register-form", "email"), ADA).await;
    browser.fill(&of("register-form", "password"), PASSWORD).await;
    browser.press(&of("register-form", "submit")).await;
    seen(&mut browser, "[data-testid=security-open]").await;
    mail.next("confirm your address").await;

    // The address is not confirmed yet; another mail is asked for, and followed by who is signed in.
    browser.press("[data-testid=security-open]").await;
    open(&mut browser, "address-panel").await;
    reads(&mut browser, "[data-testid=address-state]", &format!("{ADA} is not confirmed yet.")).await;
    browser.press("[data-testid=confirm-address]").await;
    reads(&mut browser, "[data-testid=address-state]", "A mail is on its way.").await;
    let confirm = link(&mail.next("confirm your address").await, "#confirm=");
    follow(&mut browser, &server, &confirm).await;
    reads(&mut browser, "[data-testid=notice]", "Your address is confirmed.").await;
    browser.press("[data-testid=security-open]").await;
    open(&mut browser, "address-panel").await;
    reads(&mut browser, "[data-testid=address-state]", &format!("{ADA} is confirmed.")).await;

    // A login elsewhere is seen, and ended.
    let (status, elsewhere) = log_in(&server, ADA, PASSWORD).await;
    assert!(status == 200 && is_signed_in(&server, &elsewhere["token"]).await);
    open(&mut browser, "sessions-panel").await;
    let rows = "
        const rows = [...document.querySelectorAll('[data-testid=session]')];
        return rows.map(({ dataset }) => dataset.current).join() === arguments[0];";
    browser.wait(rows, json!(["false,true"])).await;
    browser.screenshot("account-logins").await;
    browser.press("[data-testid=end-session]").await;
    browser.wait(rows, json!(["true"])).await;
    assert!(!is_signed_in(&server, &elsewhere["token"]).await, "it is over");
    let focused = "return document.activeElement?.matches('[data-testid=sessions-panel] summary');";
    // The keyboard is not lost.
    browser.wait(focused, json!([])).await;

    // Another password.
    open(&mut browser, "password-panel").await;
    browser.fill(&of("password-form", "password"), "not this one, surely").await;
    browser.fill(&of("password-form", "new-password"), ANOTHER).await;
    browser.press(&of("password-form", "submit")).await;
    reads(&mut browser, &of("password-form", "error"), "Is wrong.").await;
    refill(&mut browser, &of("password-form", "password"), PASSWORD).await;
    browser.screenshot("account-password").await;
    browser.press(&of("password-form", "submit")).await;
    reads(&mut browser, "[data-testid=factor-state]", "Your password is changed.").await;
    mail.next("your password was changed").await;
    assert_eq!([log_in(&server, ADA, PASSWORD).await.0, log_in(&server, ADA, ANOTHER).await.0], [401, 200]);

    // Another address: its mail is followed, and the one before is told.
    let typed = "return document.querySelector('[data-testid=address-form] [data-testid=email]').value;";
    browser.fill(&of("address-form", "email"), ADA).await;
    browser.press(&of("address-form", "submit")).await;
    reads(&mut browser, &of("address-form", "error"), "Must be another than it is.").await;
    refill(&mut browser, &of("address-form", "email"), MOVED).await;
    browser.press(&of("address-form", "submit")).await;
    reads(&mut browser, "[data-testid=address-state]", "If the address is free").await;
    assert_eq!(browser.run(typed, json!([])).await, "", "what was sent is not left lying about");
    browser.look(360, 740, "dark").await;
    let fits = "return document.documentElement.scrollWidth <= 360;";
    assert_eq!(browser.run(fits, json!([])).await, true, "it is wider than its window");
    browser.screenshot("account-address-phone").await;
    let moved = link(&mail.next("your new address").await, "#address=");
    follow(&mut browser, &server, &moved).await;
    reads(&mut browser, "[data-testid=notice]", "Your address is changed.").await;
    mail.next("your account has another address").await;
    assert_eq!([log_in(&server, ADA, ANOTHER).await.0, log_in(&server, MOVED, ANOTHER).await.0], [401, 200]);
    follow(&mut browser, &server, &moved).await;
    reads(&mut browser, "[data-testid=notice]", "This link is over.").await;
    assert!(server.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_accounts_are_made_by_mail_one_is_made_by_its_link() {
    let mut mail = Mail::start().await;
    let smtp = format!("smtp://127.0.0.1:{}", mail.port);
    let settings = [
        ("SCOREBOARD_MAIL__SMTP_URL", smtp.as_str()),
        ("SCOREBOARD_MAIL__FROM", "scores@example.org"),
        ("SCOREBOARD_LIMITS__LOGIN", "off"),
        ("SCOREBOARD_ACCOUNTS__REGISTRATION", "mail"),
    ];
    let mut server = Server::start_with(&settings, &[]).await;
    let mut browser = Browser::open().await;
    for subject in ["your account", "you have an account"] {
        browser.go(&server.url()).await;
        browser.fill(&of("register-form", "display-name"), "Ada Lovelace").await;
        browser.fill(&of("register-form", "email"), ADA).await;
        browser.fill(&of("register-form", "password"), PASSWORD).await;
        browser.press(&of("register-form", "submit")).await;
        // The same, whether somebody has the address or not.
        reads(&mut browser, &of("register-form", "notice"), "A mail is on its way.").await;
        let text = mail.next(subject).await;
        if subject == "your account" {
            assert_eq!(log_in(&server, ADA, PASSWORD).await.0, 401, "there is none yet");
            follow(&mut browser, &server, &link(&text, "#register=")).await;
            reads(&mut browser, "[data-testid=notice]", "Your account is made.").await;
            assert_eq!(log_in(&server, ADA, PASSWORD).await.0, 200);
        }
    }
    assert!(server.terminate().await.success());
}
