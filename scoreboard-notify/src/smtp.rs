//! Mail by SMTP (RFC 5321), over TLS unless the server is on this machine.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::{Mailbox, header};
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use scoreboard_core::accounts::{Message, Notifier};
use scoreboard_core::{BackendError, ErrorKind, InvalidValue};

const BACKEND: &str = "smtp";
/// How long a mail server may take for a command.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A [`Notifier`] that hands each message to a mail server, once. Put an [`Outbox`](crate::Outbox) before it.
#[derive(Clone)]
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMailer {
    /// Mails from this address by the server of this URL: `smtps://user:password@host` (TLS from the first byte, port 465),
    /// `smtp://user:password@host?tls=required` (STARTTLS, port 587), or `smtp://localhost` on this machine alone, where nothing is encrypted.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the URL is none of these, goes to another machine without TLS, or the address is none. It repeats nothing of the
    /// URL, which may hold a password.
    pub fn new(url: &str, from: &str) -> Result<Self, InvalidValue> {
        let address = InvalidValue::new("from", "must be an address, like Scores <scores@example.org>");
        let from = from.parse().map_err(|_| address)?;
        let invalid = InvalidValue::new(
            "smtp url",
            "must be smtps://user:password@host, or smtp://host?tls=required; without TLS on this machine alone",
        );
        if !is_safe(url) {
            return Err(invalid);
        }
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| invalid)?;
        Ok(Self { transport: builder.timeout(Some(TIMEOUT)).build(), from })
    }

    fn compose(&self, message: &Message) -> Result<lettre::Message, BackendError> {
        let to = message.email.as_str().parse().map_err(|error: lettre::address::AddressError| refused(error))?;
        let host = self.from.email.domain();
        let mail = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(message.subject.as_str())
            // The same at each try, so that what arrives twice is seen to be one.
            .message_id(Some(format!("<{}@{host}>", message.id)))
            .header(header::ContentType::TEXT_PLAIN)
            .body(message.text.clone());
        mail.map_err(refused)
    }
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> BackendError {
    BackendError::new(ErrorKind::Refused, BACKEND, "compose").because(error)
}

/// Whether nothing goes over a network in clear.
fn is_safe(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let name = host.strip_prefix('[').and_then(|rest| rest.split(']').next());
    let name = name.unwrap_or_else(|| host.split(':').next().unwrap_or_default());
    let here = name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    match scheme {
        "smtps" => !name.is_empty(),
        "smtp" => here || (!name.is_empty() && options.split('&').any(|option| option == "tls=required")),
        _ => false,
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").field("from", &self.from.email).finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for SmtpMailer {
    async fn deliver(&self, message: &Message) -> Result<(), BackendError> {
        let mail = self.compose(message)?;
        self.transport.send(mail).await.map(drop).map_err(|error| {
            let kind = kind_of(&error);
            BackendError::new(kind, BACKEND, "deliver").because(error)
        })
    }
}

/// By the class of the server's answer (RFC 5321 §4.2.1): 5yz is for ever, all else may be over.
fn kind_of(error: &smtp::Error) -> ErrorKind {
    if error.is_permanent() || error.is_client() { ErrorKind::Refused } else { ErrorKind::Unavailable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_over_a_network_in_clear() {
        for good in [
            "smtps://me:secret@mail.example",
            "smtp://me:secret@mail.example:587?tls=required",
            "smtp://localhost:2525",
            "smtp://127.0.0.1:25",
            "smtp://[::1]:25",
        ] {
            assert!(is_safe(good), "{good}");
        }
        for bad in [
            "smtp://mail.example",
            "smtp://mail.example?tls=opportunistic",
            "smtp://localhost@mail.example",
            "smtp://127.0.0.1.example",
            "http://mail.example",
            "mail.example",
            "smtps://",
            "",
        ] {
            assert!(SmtpMailer::new(bad, "scores@example.org").is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_password_is_never_shown() {
        let mailer = SmtpMailer::new("smtps://me:secret@mail.example", "Scores <scores@example.org>").unwrap();
        assert!(!format!("{mailer:?}").contains("secret"));
        let error = SmtpMailer::new("smtps://me:secret@mail.example", "nobody").unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }
}
