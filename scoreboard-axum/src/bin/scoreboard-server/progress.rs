//! What a long command shows while it works, and what any command prints at its end.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use crate::failure::{Failure, Result};

/// How often a line is printed where there is no terminal to draw on.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// A bar on a terminal; elsewhere a line now and then.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    what: String,
    unit: &'static str,
    last_line: Instant,
}

impl Progress {
    /// `what` is being done, to this many of `unit`; 0 for an unknown number.
    pub(crate) fn new(what: impl Into<String>, total: u64, unit: &'static str) -> Self {
        let what = what.into();
        let bar = ProgressBar::with_draw_target((total > 0).then_some(total), ProgressDrawTarget::stderr());
        let template = match (total > 0, unit) {
            (true, "bytes") => "{msg} [{bar:30}] {bytes} of {total_bytes}, {eta} to go",
            (true, _) => "{msg} [{bar:30}] {human_pos} of {human_len}, {eta} to go",
            (false, _) => "{msg} {spinner} {human_pos}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.clone());
        Self { bar, what, unit, last_line: Instant::now() }
    }

    /// So many are done, of so many: a board in use may have grown.
    pub(crate) fn at(&mut self, done: u64, total: u64) {
        if self.bar.is_hidden() {
            if self.last_line.elapsed() >= LINE_EVERY {
                self.last_line = Instant::now();
                let of = if total > 0 { format!(" of {total}") } else { String::new() };
                note(format_args!("{}: {done}{of} {}", self.what, self.unit));
            }
            return;
        }
        if total > 0 {
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A remark for people, on standard error: nobody reading it is no failure.
pub(crate) fn note(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A command's answer, on standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") })
        .and_then(|()| out.flush())
        .map_err(|error| Failure::because("cannot write to standard output", &error))
}
