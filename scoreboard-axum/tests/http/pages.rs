//! What people look at.

use axum::body::Body;
use axum::http::Request;

use crate::support::World;

#[tokio::test]
async fn the_page_and_the_console_may_load_nothing_from_elsewhere() {
    let world = World::new().await;
    for path in ["/", "/admin"] {
        loads_nothing_from_elsewhere(&world, path).await;
    }
}

async fn loads_nothing_from_elsewhere(world: &World, path: &str) {
    let page = world.get(path).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'self'; connect-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let mut files = 0;
    for attribute in page.text.split(['"', '\'']).filter(|text| text.starts_with("/assets/")) {
        let file = world.get(attribute).await;
        assert_eq!(file.status, 200, "{attribute}");
        let expected = if attribute.ends_with(".css") { "text/css" } else { "text/javascript" };
        assert!(file.header("content-type").starts_with(expected));
        assert_eq!(file.header("cache-control"), "no-cache");
        let again = Request::get(attribute).header("if-none-match", file.header("etag")).body(Body::empty()).unwrap();
        assert_eq!(world.send(again).await.status, 304);
        files += 1;
    }
    assert!(files >= 3);
}

#[tokio::test]
async fn the_console_is_the_same_for_everyone_and_is_gone_with_the_page() {
    let world = World::new().await;
    let root = crate::incidents::reviewer(&world, "root", scoreboard_core::accounts::Role::Admin).await;
    assert_eq!(world.get("/admin").await.text, world.get_as("/admin", &root).await.text);
    world.get("/assets/admin/nothing.js").await.assert_problem(404, "not_found");
    let mut without = crate::support::Setup::default();
    without.http.page = false;
    let without = World::with(without).await;
    for path in ["/admin", "/assets/admin/console.js"] {
        without.get(path).await.assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn the_client_module_stays_where_it_is_and_is_kept_by_browsers() {
    let world = World::new().await;
    for (name, content_type) in
        [("scoreboard-client.js", "text/javascript"), ("scoreboard-client.d.ts", "application/typescript")]
    {
        let path = format!("/client/{name}");
        let file = world.get(&path).await;
        assert_eq!((file.status.as_u16(), file.header("cache-control")), (200, "no-cache"), "{path}");
        assert!(file.header("content-type").starts_with(content_type), "{path}");
        let again = Request::get(&path).header("if-none-match", file.header("etag")).body(Body::empty()).unwrap();
        assert_eq!(world.send(again).await.status, 304, "{path}");
    }
    world.get("/client/nothing.js").await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn the_docs_come_with_their_assets() {
    let world = World::new().await;
    let docs = world.get("/docs").await;
    assert_eq!((docs.status.as_u16(), docs.header("location")), (303, "/docs/"));
    let page = world.get("/docs/").await;
    assert!(page.text.contains("swagger-ui") && !page.text.contains("https://unpkg"), "{}", page.text);
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        assert_eq!(world.get(&format!("/docs/{file}")).await.status, 200, "{file}");
    }
    assert!(world.get("/docs/swagger-initializer.js").await.text.contains("/openapi.json"));
    world.get("/docs/nothing").await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn what_is_not_there_may_load_nothing() {
    let world = World::new().await;
    for path in ["/nothing", "/docs/nothing", "/assets/nothing.js", "/admin/nothing", "/api/scoreboard?limit=0"] {
        let answer = world.get(path).await;
        assert!(answer.status.is_client_error());
        let policy = answer.header("content-security-policy");
        assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'", "{path}");
    }
    assert_eq!(world.get("/api/scoreboard").await.header("content-security-policy"), "");
}
