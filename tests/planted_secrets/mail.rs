//! A mail server of the test's own. It ends with the test.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::started::started;

pub(crate) struct Mail {
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) port: String,
    _process: Child,
}

impl Mail {
    pub(crate) async fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scoreboard-notify/tests/mail_server.py");
        // Debian's own Python, for which its package `python3-aiosmtpd` is.
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("scripts/setup installs what is needed");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = lines.next_line().await.expect("it speaks").expect("aiosmtpd is installed");
        started("mail server", process.id().expect("it runs"), format_args!("127.0.0.1:{port}"), "");
        Self { lines, port, _process: process }
    }

    /// The text of the next mail with this in its subject.
    pub(crate) async fn next(&mut self, subject: &str) -> String {
        loop {
            let line = self.lines.next_line().await.expect("it speaks").expect("it is there");
            let mail: Value = serde_json::from_str(&line).expect("a line of JSON");
            if mail["subject"].as_str().is_some_and(|said| said.contains(subject)) {
                return mail["text"].as_str().expect("a text").to_owned();
            }
        }
    }
}
