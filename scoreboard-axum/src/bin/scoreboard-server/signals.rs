//! When to stop.

use crate::failure::{Failure, Result};

/// Waits for the signals that ask to stop. Made before serving, so that none is missed.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    each: [(&'static str, tokio::signal::unix::Signal); 3],
}

impl Signals {
    /// SIGTERM, SIGINT and SIGHUP (the terminal is gone); elsewhere Ctrl-C.
    pub(crate) fn listen() -> Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let listen = |name, kind| {
                signal(kind)
                    .map(|signal| (name, signal))
                    .map_err(|error| Failure::because(format_args!("cannot listen for {name}"), &error))
            };
            Ok(Self {
                each: [
                    listen("SIGTERM", SignalKind::terminate())?,
                    listen("SIGINT", SignalKind::interrupt())?,
                    listen("SIGHUP", SignalKind::hangup())?,
                ],
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// The name of the next signal.
    pub(crate) async fn next(&mut self) -> &'static str {
        #[cfg(unix)]
        {
            let [(term, on_term), (int, on_int), (hup, on_hup)] = &mut self.each;
            tokio::select! {
                _ = on_term.recv() => term,
                _ = on_int.recv() => int,
                _ = on_hup.recv() => hup,
            }
        }
        #[cfg(not(unix))]
        {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            "Ctrl-C"
        }
    }
}
