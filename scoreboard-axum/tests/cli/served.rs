//! A running server, ended at the end of its test.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::folder::Folder;
use crate::started::started;

pub(crate) struct Served {
    child: Child,
    authority: String,
}

/// A password that the default rules allow.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

impl Served {
    /// Serves from this folder on a free port, logging into `server.log`, and returns once it says where.
    pub(crate) fn start(folder: &Folder, args: &[&str]) -> Self {
        Self::start_command(folder, folder.command(&[&["--listen", "127.0.0.1:0"], args].concat()))
    }

    pub(crate) fn start_command(folder: &Folder, mut command: Command) -> Self {
        let log = File::options().create(true).append(true).open(folder.path("server.log")).expect("a log");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().expect("it runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("Scoreboard is at http://");
        let authority = url.unwrap_or_else(|| panic!("it said {line:?}: {}", folder.read("server.log")));
        let authority = authority.trim_end_matches('/').to_owned();
        started("scoreboard-server", child.id(), &authority, folder.path(""));
        Self { child, authority }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    pub(crate) fn number(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, and gives its exit code.
    pub(crate) fn stop(self) -> Option<i32> {
        self.signal("TERM");
        self.ended()
    }

    /// Waits until it has ended, and gives its exit code.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.number().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("it ended");
    }

    /// Sends a request and returns the stream, before the answer.
    pub(crate) fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> TcpStream {
        let mut stream = TcpStream::connect(&self.authority).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        let token = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
        let body = body.map_or(String::new(), Value::to_string);
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{token}\r\n",
            self.authority,
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).expect("sent");
        stream
    }

    /// The status and the text of an answer.
    pub(crate) fn answer(mut stream: TcpStream) -> (u16, String) {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("no status in {text:?}")), body.to_owned())
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let (status, body) = Self::answer(self.send("GET", path, None, None));
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    pub(crate) fn post(&self, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
        let (status, body) = Self::answer(self.send("POST", path, token, Some(body)));
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    pub(crate) fn register(&self, email: &str) {
        self.register_as(email, "Ada");
    }

    pub(crate) fn register_as(&self, email: &str, name: &str) {
        let body = json!({"email": email, "password": PASSWORD, "displayName": name});
        let (status, answer) = self.post("/api/auth/register", None, &body);
        assert_eq!(status, 201, "{answer}");
    }

    /// The token of a new session.
    pub(crate) fn log_in(&self, email: &str) -> String {
        let (status, answer) = self.post("/api/auth/login", None, &json!({"email": email, "password": PASSWORD}));
        assert_eq!(status, 200, "{answer}");
        answer["token"].as_str().expect("a token").to_owned()
    }

    /// An action of this kind, just started.
    pub(crate) fn action(&self, token: &str, kind: &str) -> Value {
        let (status, answer) = self.post("/api/scoreboard/generate-action", Some(token), &json!({"kind": kind}));
        assert_eq!(status, 201, "{answer}");
        json!({"action": answer["action"]})
    }

    /// The receipt of an action that is handed in.
    pub(crate) fn update(&self, token: &str, action: &Value) -> Value {
        let (status, answer) = self.post("/api/scoreboard/update", Some(token), action);
        assert_eq!(status, 200, "{answer}");
        answer["receipt"].clone()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
