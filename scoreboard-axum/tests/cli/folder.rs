//! A folder of its own for each test, and the binary run in it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// An empty folder, gone at the end.
pub(crate) struct Folder(TempDir);

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }

    /// The binary in this folder, untouched by the settings of whoever runs the tests.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scoreboard-server"));
        command.current_dir(self.0.path()).args(args).env_remove("RUST_LOG");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SCOREBOARD_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, "")
    }

    /// The same with this on standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> Ended {
        Ended::of(self.command(args), input)
    }

    /// Runs a command that must end well, and gives what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
        ended.out
    }

    /// Runs a command that must end in one line of error with exit code 1, and gives the line.
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        self.run(args).one_line(1)
    }
}

impl Ended {
    pub(crate) fn of(mut command: Command, input: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("piped");
        // It may have ended without reading.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
        Self {
            code: status.code().expect("it was not killed"),
            out: String::from_utf8(stdout).expect("text"),
            err: String::from_utf8(stderr).expect("text"),
        }
    }

    /// The one line of error that it ended with.
    pub(crate) fn one_line(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        let last = self.err.lines().last().unwrap_or_default().to_owned();
        let errors = self.err.lines().filter(|line| line.starts_with("error: ")).count();
        assert!(errors == 1 && last.starts_with("error: "), "{self:?}");
        last
    }
}
