//! Every adapter in memory, and every layer over them, passes the suites.

use scoreboard_core::testing::MemoryFixture;

scoreboard_core::score_store_conformance!(MemoryFixture);
scoreboard_core::account_store_conformance!(MemoryFixture);
scoreboard_core::incident_store_conformance!(MemoryFixture);
scoreboard_core::board_cache_conformance!(MemoryFixture);
scoreboard_core::rate_limiter_conformance!(MemoryFixture);
scoreboard_core::broadcaster_conformance!(MemoryFixture);
scoreboard_core::verifier_conformance!(MemoryFixture);
