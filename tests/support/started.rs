//! Writes down what the tests start beside themselves, for cargo shows nothing of what a passing test prints.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Adds a line to the file of `TEST_STARTED`, or to `started` in cargo's folder for tests; `scripts/started` sums them up. What keeps nothing has no
/// folder.
pub(crate) fn started(what: &str, pid: u32, address: impl Display, folder: impl AsRef<Path>) {
    let file = std::env::var_os("TEST_STARTED")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("started"), PathBuf::from);
    // Numbers of processes are given out again: which one is meant is told by when it began, the 22nd field (`man 5 proc_pid_stat`).
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let began = stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(20)).unwrap_or("-");
    let line = format!("{what}\t{pid}\t{began}\t{address}\t{}\n", folder.as_ref().display());
    // Many processes write at once: each line is one write, at whatever is the end then.
    let opened = OpenOptions::new().create(true).append(true).open(&file);
    let written = opened.and_then(|mut opened| opened.write_all(line.as_bytes()));
    written.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
