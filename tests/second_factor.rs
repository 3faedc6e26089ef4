//! The second factor on the page, in a real browser, with a real mail server: set up, asked for, lost, and a password that was forgotten.
//! The codes are computed by Python: nothing of ours is on both sides.

mod support;

use std::process::Stdio;

use serde_json::{Value, json};
use support::authenticator::{app, fresh};
use support::server::Server;
use support::started::started;
use support::webdriver::Browser;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const PASSWORD: &str = "a sentence nobody guesses";

/// A mail server of the test's own. It ends with the test.
struct Mail {
    lines: Lines<BufReader<ChildStdout>>,
    port: u64,
    _process: Child,
}

impl Mail {
    async fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scoreboard-notify/tests/mail_server.py");
        // Debian's own Python, for which its package `python3-aiosmtpd` is.
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("scripts/setup installs what is needed");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = lines.next_line().await.expect("it speaks").expect("aiosmtpd is installed");
        started("mail server", process.id().expect("it runs"), format_args!("127.0.0.1:{port}"), "");
        Self { lines, port: port.parse().expect("a port"), _process: process }
    }

    /// The next mail with this in its subject.
    async fn next(&mut self, subject: &str) -> String {
        loop {
            let line = self.lines.next_line().await.expect("it speaks").expect("it is there");
            let mail: Value = serde_json::from_str(&line).expect("a line of JSON");
            if mail["subject"].as_str().is_some_and(|said| said.contains(subject)) {
                return mail["text"].as_str().expect("a text").to_owned();
            }
        }
    }
}

async fn text(browser: &mut Browser, selector: &str) -> String {
    let script = "return document.querySelector(arguments[0]).innerText;";
    browser.run(script, json!([selector])).await.as_str().expect("a text").to_owned()
}

async fn seen(browser: &mut Browser, selector: &str) {
    let script = "return document.querySelector(arguments[0])?.checkVisibility() === true;";
    browser.wait(script, json!([selector])).await;
}

fn of(form: &str, field: &str) -> String {
    format!("[data-testid={form}] [data-testid={field}]")
}

async fn log_in(browser: &mut Browser, password: &str) {
    // A logout before it may be on its way.
    seen(browser, "[data-testid=login-form]").await;
    browser.fill(&of("login-form", "email"), "ada@example.org").await;
    browser.fill(&of("login-form", "password"), password).await;
    browser.press(&of("login-form", "submit")).await;
    seen(browser, "[data-testid=code-form]").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_factor_is_set_up_asked_for_and_lost_on_the_page() {
    let mut mail = Mail::start().await;
    let smtp = format!("smtp://127.0.0.1:{}", mail.port);
    let settings = [("SCOREBOARD_MAIL__SMTP_URL", smtp.as_str()), ("SCOREBOARD_MAIL__FROM", "scores@example.org")];
    let mut server = Server::start_with(&settings, &[]).await;
    let mut browser = Browser::open().await;
    browser.go(&server.url()).await;

    browser.fill(&of("register-form", "display-name"), "Ada Lovelace").await;
    browser.fill(&of("register-form", "email"), "ada@example.org").await;
    browser.fill(&of("register-form", "password"), PASSWORD).await;
    browser.press(&of("register-form", "submit")).await;
    seen(&mut browser, "[data-testid=security-open]").await;

    // The address is confirmed by the link of a mail.
    let confirm = mail.next("confirm your address").await;
    let token = confirm.split("#confirm=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a link");

    browser.press("[data-testid=security-open]").await;
    browser.press("[data-testid=enrol]").await;
    seen(&mut browser, "[data-testid=qr]").await;
    let drawn = "const picture = document.querySelector('[data-testid=qr]'); return picture.complete && picture.naturalWidth > 0;";
    browser.wait(drawn, json!([])).await;
    browser.screenshot("factor-enrol").await;
    let secret = text(&mut browser, "[data-testid=totp-secret]").await;
    browser.fill(&of("enrol-form", "code"), "000000").await;
    browser.press(&of("enrol-form", "submit")).await;
    seen(&mut browser, &of("enrol-form", "error")).await;
    let code = app(&secret).await;
    browser.fill(&of("enrol-form", "code"), &code).await;
    browser.press(&of("enrol-form", "submit")).await;
    seen(&mut browser, "[data-testid=recovery]").await;
    browser.screenshot("factor-recovery-codes").await;
    let codes = text(&mut browser, "[data-testid=recovery] ul").await;
    let codes: Vec<_> = codes.split_whitespace().collect();
    assert_eq!(codes.len(), 10, "{codes:?}");
    browser.press("[data-testid=codes-kept]").await;
    browser
        .wait("return document.querySelector('[data-testid=factor-state]').dataset.active === 'true';", json!([]))
        .await;
    let left = "return document.body.innerText.includes(arguments[0]);";
    assert_eq!(browser.run(left, json!([codes[0]])).await, false, "they are shown once");
    browser.screenshot("factor-active").await;

    // Asked for at the next login; a code that was used is refused.
    browser.press("[data-testid=logout]").await;
    browser.press("[data-testid=show-login]").await;
    log_in(&mut browser, PASSWORD).await;
    browser.screenshot("factor-login").await;
    browser.fill(&of("code-form", "code"), &code).await;
    browser.press(&of("code-form", "submit")).await;
    seen(&mut browser, &of("code-form", "error")).await;
    let next = fresh(&secret, &code).await;
    browser.fill(&of("code-form", "code"), &next).await;
    browser.press(&of("code-form", "submit")).await;
    seen(&mut browser, "[data-testid=logout]").await;

    // Without the phone.
    browser.press("[data-testid=logout]").await;
    log_in(&mut browser, PASSWORD).await;
    browser.press("[data-testid=use-recovery_code]").await;
    browser.fill(&of("code-form", "code"), &codes[0].to_lowercase()).await;
    browser.press(&of("code-form", "submit")).await;
    seen(&mut browser, "[data-testid=logout]").await;
    mail.next("a recovery code was used").await;
    browser.press("[data-testid=logout]").await;
    seen(&mut browser, "[data-testid=login-form]").await;

    // The link of the mail, then a code by mail, once the address is known to be hers.
    browser.go("about:blank").await;
    browser.go(&format!("{}#confirm={token}", server.url())).await;
    browser
        .wait(
            "return document.body.innerText.includes('Your address is confirmed.') && location.hash === '';",
            json!([]),
        )
        .await;
    log_in(&mut browser, PASSWORD).await;
    browser.press("[data-testid=use-email]").await;
    let mailed = mail.next("is your code").await;
    let digits = mailed.split(|letter: char| !letter.is_ascii_digit()).find(|word| word.len() == 8).expect("a code");
    browser.fill(&of("code-form", "code"), digits).await;
    browser.press(&of("code-form", "submit")).await;
    seen(&mut browser, "[data-testid=logout]").await;
    browser.press("[data-testid=logout]").await;

    // A password that was forgotten.
    browser.press("[data-testid=show-forgot]").await;
    browser.fill(&of("forgot-form", "email"), "ada@example.org").await;
    browser.press(&of("forgot-form", "submit")).await;
    let reset = mail.next("set another password").await;
    let token = reset.split("#reset=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a link");
    browser.go("about:blank").await;
    browser.go(&format!("{}#reset={token}", server.url())).await;
    seen(&mut browser, "[data-testid=reset-form]").await;
    browser.look(360, 740, "dark").await;
    browser.screenshot("factor-reset-phone").await;
    browser.fill(&of("reset-form", "password"), "another that nobody guesses").await;
    browser.press(&of("reset-form", "submit")).await;
    seen(&mut browser, "[data-testid=login-form]").await;
    log_in(&mut browser, "another that nobody guesses").await;
    browser.screenshot("factor-login-phone").await;
    assert!(server.terminate().await.success());
}
