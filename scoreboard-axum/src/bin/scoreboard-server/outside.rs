//! The keys of an outside issuer: read from a file, or fetched and kept up to date.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use scoreboard_core::accounts::JwksIssuer;
use tokio::time::{Instant, sleep, timeout};

use crate::failure::{Failure, Result};
use crate::settings::Effective;

/// How often the keys are fetched where nothing asks for them.
const EVERY: Duration = Duration::from_secs(300);
/// How soon they are fetched again for a key that is not known, or after a failure: whoever makes up key names shall not have the issuer asked more often.
const AT_MOST: Duration = Duration::from_secs(10);
/// How long keys that cannot be fetched any more are believed.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);
/// How long the issuer may take.
const PATIENCE: Duration = Duration::from_secs(10);
const MAX_BYTES: usize = 64 * 1024;

/// The issuer of the settings, if they name one, with a task that keeps its keys.
pub(crate) async fn issuer(effective: &Effective) -> Result<Option<Arc<JwksIssuer>>> {
    let outside = &effective.settings.outside;
    if outside.issuer.is_empty() {
        return Ok(None);
    }
    let issuer = JwksIssuer::new(&outside.issuer, &outside.audience)
        .map_err(|rule| effective.refuse("outside.audience", rule.to_string()))?;
    let issuer = Arc::new(issuer);
    if !outside.jwks_file.is_empty() {
        let path = Path::new(&outside.jwks_file);
        let set = std::fs::read_to_string(path)
            .map_err(|error| Failure::because(format_args!("cannot read {}", path.display()), &error))?;
        issuer.replace(&set).map_err(|rule| effective.refuse("outside.jwks_file", rule.to_string()))?;
        return Ok(Some(issuer));
    }
    let source = Source::new(&outside.jwks_url).map_err(|rule| effective.refuse("outside.jwks_url", rule))?;
    // That it is away is no reason not to start: users with accounts here need none of it.
    let first = fetch(&source, &issuer).await;
    tokio::spawn(follow(source, issuer.clone(), first.is_ok()));
    Ok(Some(issuer))
}

async fn follow(source: Source, issuer: Arc<JwksIssuer>, mut is_known: bool) {
    let mut fetched = Instant::now();
    loop {
        sleep(AT_MOST).await;
        if is_known {
            // A key that was asked for meanwhile is not forgotten: the first to wait is woken.
            let _ = timeout(EVERY - AT_MOST, issuer.key_wanted()).await;
        }
        is_known = fetch(&source, &issuer).await.is_ok();
        if is_known {
            fetched = Instant::now();
        } else if fetched.elapsed() > BELIEVED {
            issuer.forget();
        }
    }
}

async fn fetch(source: &Source, issuer: &JwksIssuer) -> Result<()> {
    let fetched = match source.get().await {
        Ok(set) => issuer.replace(&set).map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    match fetched {
        Ok(keys) => {
            tracing::debug!(keys, "the outside issuer's keys are fetched");
            Ok(())
        }
        Err(failure) => {
            tracing::warn!(%failure, "the outside issuer's keys could not be fetched; those that are known go on for a day");
            Err(failure)
        }
    }
}

/// Where a key set is fetched.
struct Source {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    uri: Uri,
}

impl Source {
    fn new(url: &str) -> Result<Self, String> {
        let rule = || "must be https://, or http:// on this machine, and name no user".to_owned();
        let uri: Uri = url.parse().map_err(|_| rule())?;
        // Who has a password there would believe that it is sent.
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(rule());
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let here = host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        match uri.scheme_str() {
            Some("https") if !host.is_empty() => {}
            Some("http") if here => {}
            _ => return Err(rule()),
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider).map_err(|_| rule())?;
        let tls = tls.https_or_http().enable_http1().build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(tls), uri })
    }

    /// The text there. No redirect is followed: the keys come from where the operator said.
    async fn get(&self) -> Result<String> {
        let request = Request::get(self.uri.clone()).header("accept", "application/json").body(Empty::new());
        let request = request.map_err(|error| Failure::because("cannot ask for the keys", &error))?;
        let answer = async {
            let answer = self.client.request(request).await.map_err(|error| Failure::because("no answer", &error))?;
            if answer.status() != StatusCode::OK {
                return Err(Failure::new(format_args!("answered {}", answer.status())));
            }
            let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
            let body = body.map_err(|error| Failure::because("no whole answer", &*error))?.to_bytes();
            String::from_utf8(body.into()).map_err(|error| Failure::because("no text", &error))
        };
        timeout(PATIENCE, answer).await.map_err(|late| Failure::because("no answer in time", &late))?
    }
}
