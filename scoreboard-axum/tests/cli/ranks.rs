//! Ranks in the memory of a running server.

use std::time::Duration;

use crate::folder::Folder;
use crate::served::Served;

/// The server's metrics, and what the only user's standing is.
fn standing(server: &Served, token: &str) -> (String, serde_json::Value) {
    let (status, answer) = Served::answer(server.send("GET", "/api/scoreboard/me", Some(token), None));
    assert_eq!(status, 200, "{answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    (Served::answer(server.send("GET", "/metrics", None, None)).1, answer["standing"].clone())
}

#[test]
fn a_server_is_ready_with_the_ranks_of_all_boards_in_memory() {
    let folder = Folder::new();
    let first = Served::start(&folder, &[]);
    first.register("ada@example.org");
    let token = first.log_in("ada@example.org");
    for _ in 0..3 {
        first.update(&token, &first.action(&token, "tap"));
    }
    assert_eq!(first.stop(), Some(0));

    let filled = Served::start(&folder, &[]);
    assert!(folder.read("server.log").contains("\"users\":1"), "it says so before it serves");
    let (metrics, from_memory) = standing(&filled, &token);
    assert_eq!((&from_memory["rank"], &from_memory["score"]), (&1.into(), &3.into()));
    let counted = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        standing(&filled, &token).0.contains("scoreboard_rank_index_users 1\n")
    });
    assert!(counted, "{metrics}");
    assert!(metrics.contains("scoreboard_rank_index_answers_total{from=\"index\"}"), "{metrics}");
    filled.update(&token, &filled.action(&token, "tap"));
    assert_eq!(standing(&filled, &token).1["score"], 4, "one's own write is seen");
    assert_eq!(filled.stop(), Some(0));

    for without in ["ranks.megabytes=0", "ranks.boards=other"] {
        let server = Served::start(&folder, &["--set", without]);
        let (metrics, from_store) = standing(&server, &token);
        assert_eq!((&from_store["rank"], &from_store["score"]), (&1.into(), &4.into()));
        assert!(!metrics.contains("answers_total{from=\"index\"}"), "{metrics}");
        assert_eq!(server.stop(), Some(0));
    }
    let refusal = folder.refused(&["serve", "--listen", "127.0.0.1:0", "--set", "ranks.boards=Not A Slug"]);
    assert!(refusal.contains("ranks.boards"), "{refusal}");
}
