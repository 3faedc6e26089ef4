//! The cache of a running server, watched.

use std::time::Duration;

use crate::folder::Folder;
use crate::served::Served;

#[test]
fn a_cache_that_fills_up_is_told_of_and_makes_room() {
    let folder = Folder::new();
    let memory = ["--database-url", "memory:"];
    let settings =
        ["--set", "cache.megabytes=1", "--set", "cache.max_memory_percent=1", "--set", "cache.monitor_seconds=1"];
    let server = Served::start(&folder, &[memory.as_slice(), &settings].concat());
    for limit in 1..=60 {
        assert_eq!(server.get(&format!("/api/scoreboard?limit={limit}")).0, 200);
    }
    let is_told = || server.get("/health").1["parts"]["cache"]["troubles"] == serde_json::json!(["high_memory"]);
    let told = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        is_told()
    });
    assert!(told, "{}", folder.read("server.log"));
    let (_, metrics) = Served::answer(server.send("GET", "/metrics", None, None));
    for line in [
        "scoreboard_cache_alerts_total{trouble=\"high_memory\"} 1\n",
        "scoreboard_cache_reactions_total{reaction=\"evict\"} 1\n",
        "scoreboard_cache_max_bytes 1048576\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
    assert_eq!(server.stop(), Some(0));
    let log = folder.read("server.log");
    assert!(log.contains("high_memory") && log.contains("evict"), "{log}");
}
