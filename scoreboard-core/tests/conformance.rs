//! Every adapter in memory, and every layer over them, passes the suites.

use scoreboard_core::testing::MemoryFixture;

scoreboard_core::score_store_conformance!(MemoryFixture);
