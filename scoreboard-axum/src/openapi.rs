//! The API's description, made from the routes.

use scoreboard_core::PrivateEvent;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
};
use utoipa::{PartialSchema, ToSchema};

use crate::problem::ProblemBody;

const ABOUT: &str = "Verified, live scoreboards. An action is signed when it starts (`generate-action`) and counted once when it \
    is done (`update`). Every answer about a board names the `version` at which it is true, and the `epoch` that is compared \
    before it; `GET`s send both as `ETag`. Failures are problems (RFC 9457) with a `code`; in their `errors`, a `pointer` leads into \
    the body, or to `/query/…`, `/path/…` or `/header/…`. Limited routes send `RateLimit` and `RateLimit-Policy`; a 429 and a 503 \
    also `Retry-After`.";

/// What one may ask for who has to set up a second factor first, besides beginning that, which may be forbidden for another reason.
const ENROLLING: [&str; 4] = ["/api/auth/logout", "/api/auth/me", "/api/auth/mfa", "/api/auth/mfa/totp/confirm"];

/// The API's description (OpenAPI 3.1), as `/openapi.json` answers it.
#[must_use]
pub fn openapi() -> OpenApi {
    let mut description = crate::routes::api().into_openapi();
    for (path, item) in &mut description.paths.paths {
        // Those refuse even parameters where there are none.
        let strict_query = path.starts_with("/api/");
        for (operation, strict_query) in
            [(&mut item.get, strict_query), (&mut item.post, false), (&mut item.put, false), (&mut item.delete, false)]
        {
            if let Some(operation) = operation {
                complete(operation, strict_query, ENROLLING.contains(&path.as_str()));
            }
        }
    }
    description
}

/// All that the routes do not say themselves.
pub(crate) fn frame() -> OpenApi {
    let license = LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("scoreboard")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license));
    let bearer = |about: &str| {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build();
        SecurityScheme::Http(scheme)
    };
    let signature = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
        "Authorization",
        "`Scoreboard-Ed25519 key=\"…\", time=\"…\", signature=\"…\"`: a request that a trusted game server has signed (docs/signed-requests.md)",
    )));
    let mut schemas = vec![(ProblemBody::name().into_owned(), ProblemBody::schema())];
    ProblemBody::schemas(&mut schemas);
    // What is sent over a WebSocket alone, no response bears.
    schemas.push((PrivateEvent::name().into_owned(), PrivateEvent::schema()));
    PrivateEvent::schemas(&mut schemas);
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("user", bearer("The access token of a login"))
        .security_scheme("gameServer", bearer("The key of a trusted game server"))
        .security_scheme("gameServerSignature", signature)
        .build();
    OpenApiBuilder::new().info(info.build()).components(Some(components)).build()
}

/// Adds the failures that any such operation can end in, and the body of each.
fn complete(operation: &mut Operation, strict_query: bool, enrolling: bool) {
    let secured = operation.security.as_ref().is_some_and(|security| !security.is_empty());
    let user = operation.security == Some(vec![SecurityRequirement::new("user", [""; 0])]);
    let has_body = operation.request_body.is_some();
    let responses = &mut operation.responses.responses;
    let common = [
        (true, "413", "`payload_too_large`: more than 16 KiB"),
        (true, "429", "`rate_limited`: over a quota, of the user or of the address"),
        (true, "500", "`internal`: a defect of the server"),
        (true, "503", "`unavailable`: a part is away, or the server is draining or overloaded"),
        (secured, "401", "`unauthorized`: no token, or one that is forged, expired or revoked"),
        (user && !enrolling, "403", "`forbidden`: this user has to set up a second factor first"),
        (has_body || strict_query, "400", "`invalid_request`, or another code that says why it is not valid"),
        (has_body, "408", "`request_timeout`: the body did not arrive in time"),
        (has_body, "415", "`unsupported_media_type`: the body is not `application/json`"),
    ];
    for (_, status, description) in common.into_iter().filter(|(applies, _, _)| *applies) {
        responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(Response::new(description)));
    }
    let conditional = responses.contains_key("304");
    for (status, response) in responses {
        let RefOr::T(response) = response else { continue };
        let sent = [
            (true, "X-Request-Id", "Names the request; a sane one of the client's own is kept"),
            (conditional && (status == "200" || status == "304"), "ETag", "`epoch.version`, or a hash, in quotes"),
            (status == "429" || status == "503", "Retry-After", "Seconds to wait"),
            (status == "429", "RateLimit", "How much of the quota is left (draft-ietf-httpapi-ratelimit-headers)"),
            (status == "429", "RateLimit-Policy", "The quota"),
        ];
        for (_, name, description) in sent.into_iter().filter(|(applies, _, _)| *applies) {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            let mut header = HeaderBuilder::new().schema(Some(text)).build();
            header.description = Some(description.to_owned());
            response.headers.insert(name.to_owned(), RefOr::T(header));
        }
        if status.starts_with(['4', '5']) && response.content.is_empty() {
            let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            response.content.insert("application/problem+json".to_owned(), problem.into());
        }
    }
    if conditional {
        let tag = ParameterBuilder::new()
            .name("If-None-Match")
            .parameter_in(ParameterIn::Header)
            .description(Some("`ETag`s that the client has: 304 if one of them is current"))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()));
        operation.parameters.get_or_insert_default().push(RefOr::T(tag.build()));
    }
}
