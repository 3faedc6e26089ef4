//! A small WebDriver client: a real Chromium without a screen.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::client::Client;
use super::server::free_address;
use super::started::started;
use super::wait::{eventually, until};

const MISSING: &str = "this test drives a real browser: `apt-get install chromium chromium-driver`";
const PATIENCE: Duration = Duration::from_secs(20);

/// The name under which WebDriver gives elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What the browser wrote to its console.
#[derive(Debug)]
pub(crate) struct LogLine {
    pub(crate) level: String,
    pub(crate) text: String,
}

/// A browser with a fresh profile. Dropped, it is closed.
#[derive(Debug)]
pub(crate) struct Browser {
    client: Client,
    session: String,
    driver: Driver,
    _profile: TempDir,
}

/// The process that the browser is driven through.
#[derive(Debug)]
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Browser {
    /// Opens one.
    pub(crate) async fn open() -> Self {
        Self::open_with(json!({ "browser": "ALL" }), json!({})).await
    }

    /// Opens one that keeps a [`trace`](Self::trace) of its performance, of these categories.
    pub(crate) async fn open_traced(categories: &str) -> Self {
        let traced = json!({ "enableNetwork": false, "enablePage": false, "traceCategories": categories });
        Self::open_with(json!({ "browser": "ALL", "performance": "ALL" }), json!({ "perfLoggingPrefs": traced })).await
    }

    async fn open_with(logged: Value, mut options: Value) -> Self {
        let address = free_address();
        let mut command = Command::new("chromedriver");
        command
            .arg(format!("--port={}", address.port()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let driver =
            Driver(command.spawn().unwrap_or_else(|error| panic!("cannot start chromedriver ({error}): {MISSING}")));
        started("chromedriver", driver.0.id(), address, "");
        let mut client = ready(address).await;

        let profile = tempfile::tempdir().expect("a folder for the browser's profile");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // A window that another covers must render all the same: it is the one that watches.
            "--disable-backgrounding-occluded-windows",
            "--disable-renderer-backgrounding",
            "--window-size=1280,900",
            "--lang=en-US",
            &format!("--user-data-dir={}", profile.path().display()),
        ]
        .map(str::to_owned);
        options["args"] = json!(arguments);
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": logged,
        } } });
        let answer = client.post("/session", &capabilities).await.expect("chromedriver answers");
        assert_eq!(answer.status, 200, "no browser: {}\n{MISSING}", answer.body["value"]["message"]);
        let session = answer.body["value"]["sessionId"].as_str().expect("a session has an id").to_owned();
        Self { client, session, driver, _profile: profile }
    }

    /// Sends a command; `Err` is what the driver says about why it failed.
    async fn attempt(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let path = format!("/session/{}{path}", self.session);
        let mut answer = self.client.send(method, &path, None, body).await.expect("chromedriver answers");
        let value = answer.body["value"].take();
        if answer.status == 200 { Ok(value) } else { Err(format!("{method} {path}: {value}")) }
    }

    async fn call(&mut self, method: &str, path: &str, body: Value) -> Value {
        let body = (method == "POST").then_some(&body);
        self.attempt(method, path, body).await.unwrap_or_else(|why| panic!("{why}"))
    }

    /// Loads a page in the current window.
    pub(crate) async fn go(&mut self, url: &str) {
        self.call("POST", "/url", json!({ "url": url })).await;
    }

    /// Loads the current page again.
    pub(crate) async fn reload(&mut self) {
        self.call("POST", "/refresh", json!({})).await;
    }

    /// The window at hand.
    pub(crate) async fn window(&mut self) -> String {
        self.call("GET", "/window", Value::Null).await.as_str().expect("a handle").to_owned()
    }

    /// Opens another window; the current one stays the same.
    pub(crate) async fn new_window(&mut self) -> String {
        let made = self.call("POST", "/window/new", json!({ "type": "window" })).await;
        made["handle"].as_str().expect("a handle").to_owned()
    }

    /// Makes this window the current one.
    pub(crate) async fn switch(&mut self, window: &str) {
        self.call("POST", "/window", json!({ "handle": window })).await;
    }

    /// Runs a function's body in the page; a promise is waited for.
    pub(crate) async fn run(&mut self, script: &str, arguments: Value) -> Value {
        self.call("POST", "/execute/sync", json!({ "script": script, "args": arguments })).await
    }

    /// Waits until a function's body gives something true in the page, and gives that.
    pub(crate) async fn wait(&mut self, script: &str, arguments: Value) -> Value {
        let what = format!("{script} {arguments}");
        until(what, PATIENCE, async || {
            let value = self.run(script, arguments.clone()).await;
            (!matches!(value, Value::Null | Value::Bool(false))).then_some(value)
        })
        .await
    }

    /// Presses what the selector finds first, as soon as a user could.
    pub(crate) async fn press(&mut self, selector: &str) {
        let mut why = String::new();
        let pressed = async || self.try_press(selector).await.map_err(|obstacle| why = obstacle).ok();
        let in_time = timeout(PATIENCE, eventually(pressed)).await.is_ok();
        assert!(in_time, "{selector} cannot be pressed: {why}");
    }

    /// Presses what the selector finds first, if it is there and nothing is in the way.
    pub(crate) async fn try_press(&mut self, selector: &str) -> Result<(), String> {
        let element = self.element(selector).await?;
        let enabled = self.attempt("GET", &format!("/element/{element}/enabled"), None).await?;
        if enabled != Value::Bool(true) {
            return Err(format!("{selector} is disabled"));
        }
        // People scroll what they want to press away from the window's edges, where bars may stand.
        let scroll = "document.querySelector(arguments[0]).scrollIntoView({ block: 'center', behavior: 'instant' });";
        self.run(scroll, json!([selector])).await;
        self.attempt("POST", &format!("/element/{element}/click"), Some(&json!({}))).await.map(drop)
    }

    /// Types into a field.
    pub(crate) async fn fill(&mut self, selector: &str, text: &str) {
        let element = self.element(selector).await.unwrap_or_else(|why| panic!("{why}"));
        self.call("POST", &format!("/element/{element}/value"), json!({ "text": text })).await;
    }

    /// Presses keys, one after the other, wherever the focus is. Those without a letter are as WebDriver (§17.4.2) names them.
    pub(crate) async fn keys(&mut self, keys: &str) {
        let press = |key: char| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }));
        let actions: Vec<_> = keys.chars().flat_map(press).collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.call("POST", "/actions", json!({ "actions": [keyboard] })).await;
    }

    /// Goes on from where the focus is by Tab, or back by Shift and Tab, until it is on what the selector finds.
    pub(crate) async fn tab_to(&mut self, selector: &str, forward: bool) {
        const MOST: usize = 120;
        for _ in 0..MOST {
            let there = "return document.activeElement?.matches(arguments[0]) === true;";
            if self.run(there, json!([selector])).await == true {
                return;
            }
            if forward {
                self.keys("\u{E004}").await;
            } else {
                let keys =
                    [("keyDown", '\u{E008}'), ("keyDown", '\u{E004}'), ("keyUp", '\u{E004}'), ("keyUp", '\u{E008}')];
                let actions = keys.map(|(kind, key)| json!({ "type": kind, "value": key.to_string() }));
                let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
                self.call("POST", "/actions", json!({ "actions": [keyboard] })).await;
            }
        }
        panic!("{selector} is not reached by {MOST} times Tab");
    }

    async fn element(&mut self, selector: &str) -> Result<String, String> {
        let query = json!({ "using": "css selector", "value": selector });
        let found = self.attempt("POST", "/element", Some(&query)).await?;
        Ok(found[ELEMENT].as_str().expect("an element has a name").to_owned())
    }

    /// Gives the window this size, as on a phone if it is small, and the operating system's wish for light or dark.
    pub(crate) async fn look(&mut self, width: u32, height: u32, scheme: &str) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        self.emulate(json!([{ "name": "prefers-color-scheme", "value": scheme }])).await;
    }

    /// Takes the network away, as the operating system would tell it, or gives it back.
    pub(crate) async fn network(&mut self, there: bool) {
        let conditions = json!({ "offline": !there, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.devtools("Network.enable", json!({})).await;
        self.devtools("Network.emulateNetworkConditions", conditions).await;
    }

    /// Tells the page what its user wishes (media features such as `prefers-reduced-motion`), and nothing else.
    pub(crate) async fn emulate(&mut self, features: Value) {
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    async fn devtools(&mut self, command: &str, parameters: Value) {
        self.call("POST", "/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await;
    }

    /// Saves what is in sight as `target/screenshots/<name>.png`.
    pub(crate) async fn screenshot(&mut self, name: &str) {
        let shot = self.call("GET", "/screenshot", Value::Null).await;
        let png = STANDARD.decode(shot.as_str().expect("base64")).expect("base64");
        fs::write(screenshots().join(format!("{name}.png")), png).expect("the folder takes files");
    }

    /// Ends the trace, saves it as `target/screenshots/<name>.json` for the browser's own viewer, and gives its events.
    pub(crate) async fn trace(&mut self, name: &str) -> Vec<Value> {
        let lines = self.call("POST", "/se/log", json!({ "type": "performance" })).await;
        let message =
            |line: &Value| serde_json::from_str::<Value>(line["message"].as_str().expect("text")).expect("JSON");
        let events = lines.as_array().expect("a list").iter().map(|line| message(line)["message"].take());
        let traced = events.filter(|event| event["method"] == "Tracing.dataCollected");
        let events: Vec<_> = traced.map(|mut event| event["params"].take()).collect();
        let trace = json!({ "traceEvents": events });
        fs::write(screenshots().join(format!("{name}.json")), trace.to_string()).expect("the folder takes files");
        events
    }

    /// What the console of any window was written since the last call.
    pub(crate) async fn console(&mut self) -> Vec<LogLine> {
        let lines = self.call("POST", "/se/log", json!({ "type": "browser" })).await;
        let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
        let lines = lines.as_array().expect("a list").iter();
        lines.map(|line| LogLine { level: text(line, "level"), text: text(line, "message") }).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when it is asked to; ended itself, it would leave it behind.
        let path = format!("/session/{}", self.session);
        let quit = self.client.send("DELETE", &path, None, None);
        let _ = tokio::task::block_in_place(|| Handle::current().block_on(quit));
    }
}

fn screenshots() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
    fs::create_dir_all(&folder).expect("cargo's target folder takes folders");
    folder
}

async fn ready(address: SocketAddr) -> Client {
    let mut client = Client::new(address);
    until("chromedriver is ready", PATIENCE, async || {
        client.get("/status").await.ok().filter(|answer| answer.status == 200)
    })
    .await;
    client
}
