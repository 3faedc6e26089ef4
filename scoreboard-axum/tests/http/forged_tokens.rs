//! Whoever shows a forged token is told the same, whatever is wrong with it.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use scoreboard_core::testing::token_cases;

use crate::support::World;

#[tokio::test]
async fn forged_tokens_all_get_the_same_answer() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let (mut asked, mut answers) = (0, BTreeSet::new());
    for case in token_cases(&ada.token, &world.keys) {
        // Some cannot be sent at all; what HTTP takes off a value's ends is no part of the token.
        if case.token.trim() != case.token {
            continue;
        }
        let Ok(value) = HeaderValue::from_str(&format!("Bearer {}", case.token)) else { continue };
        let request = Request::get("/api/auth/me").header("authorization", value);
        let mut answer = world.send(request.body(Body::empty()).unwrap()).await;
        if case.good {
            assert_eq!(answer.status, 200, "{}: {}", case.what, answer.text);
            continue;
        }
        assert_eq!(answer.status, 401, "{}: {}", case.what, answer.text);
        answer.assert_problem(401, "unauthorized");
        asked += 1;
        answer.body.as_object_mut().unwrap().remove("requestId");
        answer.headers.remove("x-request-id");
        answers.insert(format!("{:?} {}", answer.headers, answer.body));
    }
    assert!(asked >= 500, "{asked}");
    assert_eq!(answers.len(), 1, "{answers:?}");
}
