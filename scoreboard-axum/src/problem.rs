//! Everything that is not an answer: `application/problem+json` (RFC 9457).

use std::borrow::Cow;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use scoreboard_core::{IncidentId, Usage};
use serde::Serialize;

mod code;
mod from;

pub(crate) use code::Code;
pub(crate) use from::invalid_value;

use crate::rate_limit::{add_usage, whole_seconds};

/// Why a request got no answer. Cheap to pass on: one pointer.
///
/// As a response it has no body yet: [`render`] writes it, where the request's id is known.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    incident: Option<IncidentId>,
    retry_after: Option<Duration>,
    usage: Option<Usage>,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct FieldError {
    /// Where: a JSON pointer (RFC 6901) into the body, or `/query/<name>`, `/path/<name>`, `/header/<name>`.
    pub(crate) pointer: String,
    /// What is wrong there.
    pub(crate) detail: String,
}

/// A problem on the wire.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// Names the kind of problem: `urn:scoreboard:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: String,
    /// The kind of problem in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What happened this time.
    detail: &'a str,
    /// The kind of problem, for programs.
    code: Code,
    /// Names this request in the server's log.
    request_id: &'a str,
    /// For `invalid_request`: what is wrong where.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// For `action_blocked`: names the incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<IncidentId>,
}

/// How long a client should stay away from a server that cannot serve it now.
const COME_AGAIN: Duration = Duration::from_secs(1);

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let (detail, errors) = (detail.into(), Vec::new());
        let retry_after = (code == Code::Unavailable).then_some(COME_AGAIN);
        Self(Box::new(Inner { code, detail, errors, incident: None, retry_after, usage: None }))
    }

    /// A 400 for one part of the request.
    pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }

    /// A 400 for several parts of the request.
    pub(crate) fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => one.detail.clone(),
            [one] => format!("{}: {}", one.pointer, one.detail),
            _ => String::from("several values are not valid"),
        };
        let mut problem = Self::new(Code::InvalidRequest, detail);
        problem.0.errors = errors;
        problem
    }

    /// Says which part of the request is meant.
    pub(crate) fn at(mut self, pointer: &str) -> Self {
        self.0.errors = vec![FieldError { pointer: pointer.to_owned(), detail: self.0.detail.clone().into_owned() }];
        self
    }

    /// The one wording for every way to be nobody.
    pub(crate) fn unauthorized() -> Self {
        Self::new(Code::Unauthorized, "the credentials are missing, wrong, expired or revoked")
    }

    pub(crate) fn forbidden(detail: &'static str) -> Self {
        Self::new(Code::Forbidden, detail)
    }

    pub(crate) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::NotFound, detail)
    }

    pub(crate) fn unavailable(detail: &'static str) -> Self {
        Self::new(Code::Unavailable, detail)
    }

    /// What went wrong is in the log, and nowhere else.
    pub(crate) fn internal() -> Self {
        Self::new(Code::Internal, "something broke on the server; its log knows what, by the request id")
    }

    pub(crate) fn rate_limited(usage: Usage) -> Self {
        let seconds = whole_seconds(usage.quota.period);
        let detail = format!("over the quota `{}`: {} in {seconds} s", usage.policy, usage.quota.limit);
        let mut problem = Self::new(Code::RateLimited, detail);
        problem.0.retry_after = Some(usage.retry_after);
        problem.0.usage = Some(usage);
        problem
    }

    /// The same refusal, named after the policy that a client knows.
    pub(crate) fn under_policy(self, policy: &'static str) -> Self {
        match self.0.usage {
            Some(usage) => Self::rate_limited(Usage { policy, ..usage }),
            None => self,
        }
    }

    pub(crate) fn blocked(incident: IncidentId) -> Self {
        let mut problem = Self::new(Code::ActionBlocked, "the action was not counted");
        problem.0.incident = Some(incident);
        problem
    }

    /// The same, on a route that is limited.
    pub(crate) fn with_usage(mut self, usage: Option<Usage>) -> Self {
        self.0.usage = self.0.usage.or(usage);
        self
    }

    pub(crate) const fn code(&self) -> Code {
        self.0.code
    }

    /// The body, for those who write the answer themselves.
    pub(crate) fn to_json(&self, request_id: &str) -> Vec<u8> {
        self.0.to_json(request_id)
    }

    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl Inner {
    fn to_json(&self, request_id: &str) -> Vec<u8> {
        let body = ProblemBody {
            kind: format!("urn:scoreboard:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id,
            errors: &self.errors,
            incident: self.incident,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What may be loaded by an answer that is no page.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Marks a response that has a failing status and yet a body of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole;

/// Writes the body of a response that is a problem, and makes a problem of one that failed without saying so (a route that is
/// not there, a method that it does not know). Returns its code.
pub(crate) fn render(response: &mut Response, request_id: &str) -> Option<Code> {
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    if !failed || response.extensions().get::<Whole>().is_some() {
        return None;
    }
    let Problem(problem) = match response.extensions_mut().remove() {
        Some(problem) => problem,
        None => Code::of(status).problem(),
    };
    let bytes = problem.to_json(request_id);
    *response.status_mut() = problem.code.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    // Also in place of what the page or the docs may: what went wrong repeats what a client sent, and shows nothing.
    headers.insert(header::CONTENT_SECURITY_POLICY, NOTHING);
    if problem.code.status() == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(retry_after) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(retry_after).max(1)));
    }
    if let Some(usage) = &problem.usage {
        add_usage(headers, usage);
    }
    *response.body_mut() = bytes.into();
    Some(problem.code)
}
