//! Carries the messages of a scoreboard's accounts to their users.
//!
//! [`SmtpMailer`] speaks to a mail server, [`Webhook`] to whatever takes a signed request: a sender of texts, a chat, a game's own push. Both
//! implement [`Notifier`](scoreboard_core::accounts::Notifier) and try once. [`Outbox`] stands before either: it takes a message at once,
//! so that no request waits for a mail server, and tries it again until it arrives or is of no use any more.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use scoreboard_core::SystemClock;
//! use scoreboard_notify::{Outbox, OutboxConfig, SmtpMailer};
//!
//! let mailer = SmtpMailer::new("smtps://me:secret@mail.example", "Scores <scores@example.org>")?;
//! let (outbox, work) = Outbox::new(Arc::new(mailer), Arc::new(SystemClock), OutboxConfig::default());
//! tokio::spawn(work.run());
//! // Accounts::builder(…).with_mail(Arc::new(outbox))
//! # Ok(()) }
//! ```

mod outbox;
mod smtp;
mod webhook;

pub use outbox::{Outbox, OutboxConfig, OutboxWork};
pub use smtp::SmtpMailer;
pub use webhook::Webhook;
