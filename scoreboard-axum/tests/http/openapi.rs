//! The API's description says what the contract says.

use serde_json::{Value, json};

use crate::support::World;

/// Each route, and its statuses beside those that every route has.
const ROUTES: [(&str, &str, &[u16]); 56] = [
    ("post", "/api/auth/register", &[201, 202, 400, 408, 409, 415]),
    ("post", "/api/auth/register/confirm", &[201, 400, 401, 408, 415]),
    ("post", "/api/auth/login", &[200, 400, 401, 408, 415]),
    ("post", "/api/auth/refresh", &[200, 400, 401, 408, 415]),
    ("post", "/api/auth/logout", &[204, 401]),
    ("post", "/api/auth/ws-ticket", &[201, 401, 403]),
    ("get", "/api/auth/me", &[200, 400, 401]),
    ("post", "/api/auth/mfa/verify", &[200, 400, 401, 404, 408, 415]),
    ("post", "/api/auth/mfa/challenge", &[202, 400, 401, 404, 408, 415]),
    ("get", "/api/auth/mfa", &[200, 400, 401, 404]),
    ("post", "/api/auth/mfa/totp", &[201, 400, 401, 403, 404, 408, 409, 415]),
    ("delete", "/api/auth/mfa/totp", &[204, 400, 401, 403, 404, 408, 409, 415]),
    ("post", "/api/auth/mfa/totp/confirm", &[200, 400, 401, 404, 408, 409, 415]),
    ("post", "/api/auth/mfa/recovery-codes", &[200, 400, 401, 403, 404, 408, 409, 415]),
    ("post", "/api/auth/password", &[204, 400, 401, 403, 408, 415]),
    ("post", "/api/auth/password/forgot", &[202, 400, 404, 408, 415]),
    ("post", "/api/auth/password/reset", &[204, 400, 401, 408, 415]),
    ("post", "/api/auth/email/confirmation", &[202, 401, 403, 404]),
    ("post", "/api/auth/email/confirm", &[204, 400, 401, 408, 415]),
    ("post", "/api/auth/email", &[202, 400, 401, 403, 404, 408, 415]),
    ("post", "/api/auth/email/change", &[204, 400, 401, 408, 415]),
    ("get", "/api/auth/sessions", &[200, 400, 401, 403]),
    ("delete", "/api/auth/sessions", &[204, 401, 403]),
    ("delete", "/api/auth/sessions/{sessionId}", &[204, 400, 401, 403, 404]),
    ("post", "/api/scoreboard/generate-action", &[201, 400, 401, 403, 404, 408, 415]),
    ("post", "/api/scoreboard/update", &[200, 400, 401, 403, 404, 408, 415, 422]),
    ("get", "/api/scoreboard", &[200, 304, 400, 401, 404]),
    ("get", "/api/scoreboard/users/{userId}", &[200, 304, 400, 401, 404]),
    ("get", "/api/scoreboard/users/{userId}/around", &[200, 304, 400, 401, 404]),
    ("get", "/api/scoreboard/users/{userId}/history", &[200, 304, 400, 401, 403, 404]),
    ("get", "/api/scoreboard/me", &[200, 304, 400, 401, 403, 404]),
    ("get", "/api/scoreboard/boards", &[200, 304, 400, 401]),
    ("get", "/api/scoreboard/rank", &[200, 304, 400, 401, 404]),
    ("post", "/api/scoreboard/standings", &[200, 400, 401, 404, 408, 415]),
    ("post", "/api/scoreboard/record", &[200, 400, 401, 404, 408, 415, 422]),
    ("get", "/api/admin/incidents", &[200, 400, 401, 403]),
    ("get", "/api/admin/incidents/{incidentId}", &[200, 400, 401, 403, 404]),
    ("post", "/api/admin/incidents/{incidentId}/assign", &[200, 400, 401, 403, 404, 408, 409, 415]),
    ("post", "/api/admin/incidents/{incidentId}/decide", &[200, 400, 401, 403, 404, 408, 409, 415]),
    ("get", "/api/scoreboard/ws", &[101, 400, 403]),
    ("get", "/api/scoreboard/events", &[200, 400, 403, 404]),
    ("get", "/.well-known/jwks.json", &[200, 304, 401]),
    ("get", "/health", &[200]),
    ("get", "/health/live", &[200]),
    ("post", "/api/admin/voids", &[200, 400, 401, 403, 404, 408, 409, 415]),
    ("post", "/api/admin/unvoids", &[200, 400, 401, 403, 404, 408, 409, 415]),
    ("get", "/api/admin/users/{userId}/restriction", &[200, 400, 401, 403, 404]),
    ("put", "/api/admin/users/{userId}/restriction", &[200, 400, 401, 403, 404, 408, 409, 415]),
    ("delete", "/api/admin/users/{userId}/restriction", &[200, 400, 401, 403, 404, 408, 409, 415]),
    ("get", "/api/admin/moderations", &[200, 400, 401, 403, 404]),
    ("get", "/api/admin/users/{userId}", &[200, 400, 401, 403, 404]),
    ("get", "/api/admin/users/{userId}/actions", &[200, 400, 401, 403, 404]),
    ("get", "/api/admin/keys", &[200, 400, 401, 403]),
    ("get", "/health/ready", &[200]),
    ("get", "/metrics", &[200, 404]),
    ("get", "/openapi.json", &[200]),
];

#[tokio::test]
async fn all_routes_with_all_their_statuses() {
    let description = World::new().await.get("/openapi.json").await.body;
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = description["paths"].as_object().unwrap();
    let operations: usize = paths.values().map(|item| item.as_object().unwrap().len()).sum();
    assert_eq!(operations, ROUTES.len());
    for (method, path, own) in ROUTES {
        let responses = description["paths"][path][method]["responses"].as_object().unwrap();
        let mut found: Vec<u16> = responses.keys().map(|status| status.parse().unwrap()).collect();
        let mut expected = own.to_vec();
        expected.extend([413, 429, 500, 503]);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{method} {path}");
        for (status, response) in responses {
            let content = &response["content"];
            if status.starts_with(['4', '5']) && (path, status.as_str()) != ("/health", "503") {
                let schema = &content["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{method} {path} {status}");
            }
        }
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let description = World::new().await.get("/openapi.json").await.body;
    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        assert!(description.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn bodies_are_described_strictly() {
    let description = World::new().await.get("/openapi.json").await.body;
    let schemas = &description["components"]["schemas"];
    for name in [
        "RegisterRequest",
        "LoginRequest",
        "RefreshRequest",
        "MfaVerifyRequest",
        "MfaChallengeRequest",
        "BeginTotpRequest",
        "CodeRequest",
        "PasswordRequest",
        "ForgotRequest",
        "ResetRequest",
        "ConfirmRequest",
        "GenerateActionRequest",
        "UpdateRequest",
        "SignedAction",
        "RecordRequest",
        "StandingsRequest",
    ] {
        assert_eq!(schemas[name]["additionalProperties"], false, "{name}: {}", schemas[name]);
    }
    assert_eq!(schemas["Points"]["maximum"], json!(9_007_199_254_740_991_i64));
    assert_eq!(schemas["BoardId"]["pattern"], "^[a-z0-9][a-z0-9_-]{0,62}$");
    assert_eq!(schemas["StandingsRequest"]["properties"]["userIds"]["maxItems"], 100);
}

#[tokio::test]
async fn what_is_said_over_a_socket_is_described() {
    let description = World::new().await.get("/openapi.json").await.body;
    let schemas = &description["components"]["schemas"];
    let messages = schemas["ServerMessage"]["oneOf"].as_array().unwrap();
    let types: Vec<_> =
        messages.iter().map(|message| message["properties"]["type"]["enum"][0].as_str().unwrap()).collect();
    assert_eq!(types, ["connected", "authenticated", "error", "pong"]);
    let said = description["paths"]["/api/scoreboard/ws"]["get"]["description"].as_str().unwrap();
    let words = ["subscribe", "unsubscribe", "ping", "authenticate", "around", "users", "radius", "recovered", "8 KiB"];
    for word in words.into_iter().chain(["overtaken", "enteredTop", "1012", "4008", "4500", "4501"]) {
        assert!(said.contains(word), "{word}: {said}");
    }
    let events = schemas["PrivateEvent"]["oneOf"].as_array().unwrap();
    assert_eq!(events.len(), 2, "{events:?}");
    let snapshot = schemas["Snapshot"]["properties"].as_object().unwrap();
    for field in ["window", "userId", "recovered"] {
        assert!(snapshot.contains_key(field), "{field}: {snapshot:?}");
        assert!(!schemas["Snapshot"]["required"].as_array().unwrap().contains(&json!(field)), "{field}");
    }
    let ticket = schemas["TicketAnswer"]["properties"].as_object().unwrap();
    assert_eq!(ticket.keys().collect::<Vec<_>>(), ["expiresIn", "ticket"]);
}

#[tokio::test]
async fn headers_are_described() {
    let description = World::new().await.get("/openapi.json").await.body;
    let top = &description["paths"]["/api/scoreboard"]["get"];
    let headers = |status: &str| {
        let headers = top["responses"][status]["headers"].as_object().unwrap();
        headers.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(headers("200"), "ETag X-Request-Id");
    assert_eq!(headers("304"), "ETag X-Request-Id");
    assert_eq!(headers("429"), "RateLimit RateLimit-Policy Retry-After X-Request-Id");
    assert_eq!(headers("503"), "Retry-After X-Request-Id");
    let names: Vec<_> = top["parameters"].as_array().unwrap().iter().map(|parameter| &parameter["name"]).collect();
    assert!(names.contains(&&json!("If-None-Match")), "{names:?}");
}
