//! The kinds of problems, and their statuses.

use axum::http::StatusCode;
use serde::Serialize;

use crate::problem::Problem;

macro_rules! codes {
    ($($name:ident $text:literal $status:ident $title:literal;)+) => {
        /// The kind of a problem, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = ProblemCode)]
        pub(crate) enum Code {
            $(#[doc = $title] $name,)+
        }

        impl Code {
            /// As on the wire.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

codes! {
    InvalidRequest "invalid_request" BAD_REQUEST "The request is not valid";
    ActionSignatureInvalid "action_signature_invalid" BAD_REQUEST "The action's signature is not valid";
    ActionExpired "action_expired" BAD_REQUEST "The action has expired";
    ActionNotYetValid "action_not_yet_valid" BAD_REQUEST "The action is not valid yet";
    ActionMismatch "action_mismatch" BAD_REQUEST "The action was signed for another user, board or season";
    ScoreOutOfRange "score_out_of_range" BAD_REQUEST "The score would leave its range";
    Unauthorized "unauthorized" UNAUTHORIZED "Not signed in";
    Forbidden "forbidden" FORBIDDEN "Not allowed";
    StepUpRequired "step_up_required" FORBIDDEN "The login is too old for this";
    ActionBlocked "action_blocked" FORBIDDEN "The action was blocked";
    Banned "banned" FORBIDDEN "The user is banned";
    NotFound "not_found" NOT_FOUND "Not found";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "The method is not allowed here";
    RequestTimeout "request_timeout" REQUEST_TIMEOUT "The request took too long to arrive";
    Conflict "conflict" CONFLICT "In conflict with what is there";
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE "The request is too large";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The content type is not supported";
    IdempotencyMismatch "idempotency_mismatch" UNPROCESSABLE_ENTITY "The idempotency key was used for something else";
    RateLimited "rate_limited" TOO_MANY_REQUESTS "Too many requests";
    Internal "internal" INTERNAL_SERVER_ERROR "Something broke on the server";
    Unavailable "unavailable" SERVICE_UNAVAILABLE "Not available at the moment";
}

impl Code {
    /// The kind of a failure of which only the status is known.
    pub(super) fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::PAYLOAD_TOO_LARGE => Self::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::TOO_MANY_REQUESTS => Self::RateLimited,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            status if status.is_server_error() => Self::Internal,
            _ => Self::InvalidRequest,
        }
    }

    /// A problem that nothing more is known of.
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::NotFound => Problem::not_found("there is nothing at this path"),
            Self::MethodNotAllowed => Problem::new(self, "see the header `Allow` for the methods that are"),
            Self::Unauthorized => Problem::unauthorized(),
            Self::Internal => Problem::internal(),
            code => Problem::new(code, code.title()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_over_the_wire_as_they_are_named() {
        for code in [Code::InvalidRequest, Code::ActionNotYetValid, Code::Internal, Code::UnsupportedMediaType] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
