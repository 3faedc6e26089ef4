//! What the process says of itself while it runs: on standard error, for people or for machines.

use std::io::{self, IsTerminal};

use tracing::subscriber::set_global_default;
use tracing_subscriber::EnvFilter;

use crate::settings::LogFormat;

/// Logs from now on, at this level unless `RUST_LOG` says otherwise.
///
/// What libraries say through the crate `log` is not listened to: there, the WebSocket library says every message that it
/// receives, and tickets are among them.
pub(crate) fn start(format: LogFormat, level: &str) {
    let terminal = io::stderr().is_terminal();
    let text = match format {
        LogFormat::Auto => terminal,
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = if text {
        set_global_default(log.with_ansi(terminal).with_target(false).finish())
    } else {
        let log = log.json().flatten_event(true).with_current_span(true).with_span_list(false);
        set_global_default(log.finish())
    };
    started.expect("a process begins to log once");
}
