//! A real terminal, of a size, with a shell in it: tmux, whose screen can be read.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

/// For half a minute: a debug build on a busy machine.
const LOOKS: usize = 1500;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

pub(crate) struct Terminal(TempDir);

impl Terminal {
    /// So many columns and rows.
    pub(crate) fn open(columns: u16, rows: u16) -> Self {
        let terminal = Self(tempfile::tempdir().expect("a folder"));
        let (columns, rows) = (columns.to_string(), rows.to_string());
        terminal.ok(&["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &rows, "env", "PS1=ready>", "sh"]);
        terminal.wait("the shell is there", |screen| screen.contains("ready>"));
        terminal
    }

    fn socket(&self) -> PathBuf {
        self.0.path().join("socket")
    }

    fn tmux(&self, args: &[&str]) -> Output {
        let mut tmux = Command::new("tmux");
        tmux.arg("-u").arg("-S").arg(self.socket()).args(args).env_remove("TMUX");
        tmux.output().expect("tmux is there: scripts/setup installs it")
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.tmux(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Types a line.
    pub(crate) fn line(&self, text: &str) {
        self.ok(&["send-keys", "-l", text]);
        self.key("Enter");
    }

    /// Presses one key, by tmux's name of it.
    pub(crate) fn key(&self, key: &str) {
        self.ok(&["send-keys", key]);
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.ok(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// What is to be seen.
    pub(crate) fn screen(&self) -> String {
        self.ok(&["capture-pane", "-p"])
    }

    /// The same with its colours, as escape sequences.
    pub(crate) fn colours(&self) -> String {
        self.ok(&["capture-pane", "-p", "-e"])
    }

    /// Whether a program has taken the whole screen, and whether the cursor is to be seen.
    pub(crate) fn modes(&self) -> (bool, bool) {
        let modes = self.ok(&["display-message", "-p", "#{alternate_on}#{cursor_flag}"]);
        (modes.starts_with('1'), modes.trim_end().ends_with('1'))
    }

    /// Waits until the screen is as it should be, and gives it.
    pub(crate) fn wait(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        for _ in 0..LOOKS {
            let screen = self.screen();
            if is(&screen) {
                return screen;
            }
            sleep(BETWEEN_LOOKS);
        }
        panic!("after {LOOKS} looks: {what}\n{}", self.screen());
    }

    /// The shell has its terminal back as it was: its own screen, a cursor, lines that are edited and echoed.
    pub(crate) fn is_given_back(&self) {
        self.wait("the shell is back", |screen| screen.trim_end().ends_with("ready>"));
        assert_eq!(self.modes(), (false, true), "its own screen, and a cursor");
        self.line("stty -a | tr ' ' '\\n' | grep -E '^-?(icanon|echo|isig|opost)$' | tr '\\n' ' '");
        // In the order in which stty says them, and the prompt behind: what was typed is not taken for the answer.
        self.wait("the terminal is as it was", |screen| screen.contains("opost isig icanon echo ready>"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // This one's own server, by its socket.
        self.tmux(&["kill-server"]);
    }
}
