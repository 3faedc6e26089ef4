//! Messages as signed HTTP requests, for whatever carries them on: a sender of texts, a chat, a game's own push.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::Full;
use hyper::{Request, StatusCode, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use scoreboard_core::accounts::{Message, Notifier};
use scoreboard_core::{BackendError, Clock, ErrorKind, InvalidValue};
use serde::Serialize;
use sha2::Sha256;

const BACKEND: &str = "webhook";
/// How long the receiver may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The fewest bytes of a secret: as many as the hash has (RFC 2104 §3).
const MIN_SECRET: usize = 32;

/// A [`Notifier`] that posts each message to one URL, once. Put an [`Outbox`](crate::Outbox) before it.
///
/// The body is JSON: `{"id", "kind", "userId", "text"}`. The receiver knows where its users are reached, by their ids. Beside it stand
/// `X-Scoreboard-Timestamp`, in seconds since 1970, and `X-Scoreboard-Signature: v1=` with the hexadecimal HMAC-SHA256 of the timestamp, a
/// full stop and the body under the secret. A receiver compares the signature in constant time, refuses timestamps that are more than
/// five minutes away, and remembers ids, since a message may come twice. 2xx means that it was taken; 3xx and 4xx, but for 408 and 429,
/// that it never will be; all else is tried again.
#[derive(Clone)]
pub struct Webhook {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    key: Hmac<Sha256>,
    clock: Arc<dyn Clock>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    id: String,
    kind: &'a str,
    user_id: String,
    text: &'a str,
}

impl Webhook {
    /// Posts to this URL, signed with this secret.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the URL is none, names a user, goes to another machine without TLS, or the secret has fewer than 32 bytes.
    pub fn new(url: &str, secret: &str, clock: Arc<dyn Clock>) -> Result<Self, InvalidValue> {
        let invalid =
            InvalidValue::new("webhook url", "must be https://, or http:// on this machine, and name no user");
        let uri: Uri = url.parse().map_err(|_| invalid.clone())?;
        // Who has a password there would believe that it is sent.
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(invalid);
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let here = host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        match uri.scheme_str() {
            Some("https") if !host.is_empty() => {}
            Some("http") if here => {}
            _ => return Err(invalid),
        }
        if secret.len() < MIN_SECRET {
            return Err(InvalidValue::new("webhook secret", "must have at least 32 bytes"));
        }
        let key = Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider).map_err(|_| invalid)?;
        let tls = tls.https_or_http().enable_http1().build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(tls), uri, key, clock })
    }

    fn request(&self, message: &Message) -> Result<Request<Full<Bytes>>, BackendError> {
        let body = Body {
            id: message.id.to_string(),
            kind: message.kind.as_str(),
            user_id: message.user_id.to_string(),
            text: &message.text,
        };
        let body = serde_json::to_vec(&body).map_err(refused)?;
        let timestamp = self.clock.now().as_secs().to_string();
        let mut mac = self.key.clone();
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(&body);
        Request::post(self.uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-scoreboard-timestamp", timestamp)
            .header("x-scoreboard-signature", format!("v1={}", hex::encode(mac.finalize().into_bytes())))
            .body(Full::from(body))
            .map_err(refused)
    }
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> BackendError {
    BackendError::new(ErrorKind::Refused, BACKEND, "compose").because(error)
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path may hold a secret of the receiver's.
        f.debug_struct("Webhook").field("host", &self.uri.host()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for Webhook {
    async fn deliver(&self, message: &Message) -> Result<(), BackendError> {
        let failed = |kind| BackendError::new(kind, BACKEND, "deliver");
        let sent = tokio::time::timeout(TIMEOUT, self.client.request(self.request(message)?)).await;
        let answer = match sent {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(failed(ErrorKind::Unavailable).because(error)),
            Err(late) => return Err(failed(ErrorKind::Unavailable).because(late)),
        };
        match kind_of(answer.status()) {
            None => Ok(()),
            Some(kind) => Err(failed(kind).because(format!("answered {}", answer.status()))),
        }
    }
}

/// What an answer means; nothing for a message that was taken.
fn kind_of(status: StatusCode) -> Option<ErrorKind> {
    match status {
        status if status.is_success() => None,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Some(ErrorKind::Unavailable),
        status if status.is_client_error() || status.is_redirection() => Some(ErrorKind::Refused),
        _ => Some(ErrorKind::Unavailable),
    }
}

#[cfg(test)]
mod tests {
    use scoreboard_core::SystemClock;

    use super::*;

    #[test]
    fn only_what_is_encrypted_and_well_signed_is_taken() {
        let secret = "s".repeat(MIN_SECRET);
        let made = |url: &str, secret: &str| Webhook::new(url, secret, Arc::new(SystemClock)).is_ok();
        for good in ["https://sms.example/send", "http://127.0.0.1:9/x", "http://localhost:9", "http://[::1]:9/"] {
            assert!(made(good, &secret), "{good}");
        }
        for bad in ["http://sms.example/send", "http://localhost.example/", "ftp://localhost/", "sms.example", ""] {
            assert!(!made(bad, &secret), "{bad}");
        }
        assert!(!made("https://sms.example/send", "short"));
    }

    #[test]
    fn what_is_refused_is_not_tried_again() {
        let kind = |code| kind_of(StatusCode::from_u16(code).unwrap());
        assert_eq!((kind(200), kind(204)), (None, None));
        for code in [301, 400, 401, 404, 410] {
            assert_eq!(kind(code), Some(ErrorKind::Refused), "{code}");
        }
        for code in [408, 429, 500, 503] {
            assert_eq!(kind(code), Some(ErrorKind::Unavailable), "{code}");
        }
    }
}
