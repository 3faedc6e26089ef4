//! JSON over plain HTTP.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Method, Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::failure::{Failure, Result};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// No answer that a bot asks for is as long.
const MAX_BODY: usize = 1 << 20;

/// Asks one server. Cloning shares its connections.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: HyperClient<HttpConnector, Full<Bytes>>,
    base: String,
}

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// After 429 and 503: how long to wait before asking again.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Value,
}

impl Client {
    pub(super) fn new(url: &str) -> Result<Self> {
        let uri: Uri = url.parse().map_err(|_| Failure::new(format_args!("`{url}` is no URL")))?;
        let authority = match (uri.scheme_str(), uri.authority()) {
            (Some("http"), Some(authority)) => authority,
            (Some("https"), _) => {
                return Err(Failure::new(
                    "the demo speaks plain HTTP only: name the server's own http:// address, not a proxy's",
                ));
            }
            _ => return Err(Failure::new(format_args!("`{url}` is no http:// URL"))),
        };
        let path = uri.path().trim_end_matches('/');
        let base = format!("http://{authority}{path}");
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(PATIENCE));
        connector.set_nodelay(true);
        Ok(Self { http: HyperClient::builder(TokioExecutor::new()).build(connector), base })
    }

    /// The server's address.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer> {
        self.ask(Method::GET, path, None, None).await
    }

    pub(super) async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Result<Answer> {
        self.ask(Method::POST, path, token, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Result<Answer> {
        let lost = |why: String| Failure::new(format_args!("no answer from {}: {why}", self.base));
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = request.body(Full::new(body)).map_err(|error| lost(error.to_string()))?;
        let exchange = async {
            let response = self
                .http
                .request(request)
                .await
                .map_err(|error| Failure::because(format_args!("no answer from {}", self.base), &error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await.map_err(|error| lost(error.to_string()))?;
            let retry_after = head.headers.get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
            Ok(Answer {
                status: head.status,
                retry_after: retry_after.map(Duration::from_secs),
                body: serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null),
            })
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .unwrap_or_else(|_| Err(lost(format!("nothing for {} s", PATIENCE.as_secs()))))
    }
}
