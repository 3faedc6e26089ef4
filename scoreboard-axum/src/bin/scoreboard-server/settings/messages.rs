//! How messages get to users.

use serde::{Deserialize, Serialize};

/// Mail.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mail {
    /// The mail server: `smtps://user:password@host`, or `smtp://host?tls=required`; empty for no mail.
    pub(crate) smtp_url: String,
    /// Whom mails come from, like `Scores <scores@example.org>`.
    pub(crate) from: String,
}

/// Texts, sent by whatever takes a signed request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sms {
    /// Where they are posted; empty for no texts.
    pub(crate) webhook_url: String,
    /// What the requests are signed with, 32 bytes or more.
    pub(crate) secret: String,
}
