use crate::folder::Folder;
use crate::served::Served;

#[test]
fn bots_play_against_a_running_server() {
    let folder = Folder::new();
    let server = Served::start(&folder, &[]);
    let played = folder.run(&["demo", "--url", &server.url(), "--bots", "3", "--seconds", "12"]);
    assert_eq!(played.code, 0, "{played:?}");
    let summary = played.err.lines().last().unwrap_or_default();
    assert!(summary.starts_with("3 bots, ") && summary.ends_with(" 0 failures"), "{played:?}");
    let top = server.get("/api/scoreboard").1;
    assert!(top["total"].as_u64().is_some_and(|total| total > 0), "{top}");
    assert!(top["entries"][0]["displayName"].as_str().is_some_and(|name| name.starts_with("Bot ")), "{top}");
}

#[test]
fn what_is_no_scoreboard_is_told() {
    let folder = Folder::new();
    for (url, part) in [
        ("https://127.0.0.1:1", "plain HTTP only"),
        ("nonsense", "no http:// URL"),
        ("http://127.0.0.1:1", "no answer from http://127.0.0.1:1"),
    ] {
        let refusal = folder.refused(&["demo", "--url", url]);
        assert!(refusal.contains(part), "{refusal}");
    }
    let server = Served::start(&folder, &[]);
    let refusal = folder.refused(&["demo", "--url", &server.url(), "--board", "other"]);
    assert!(refusal.contains("has no board `other`"), "{refusal}");
}
