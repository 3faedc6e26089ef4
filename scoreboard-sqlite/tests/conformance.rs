//! Every suite of the conformance kit that a store can run.

mod support;

use support::SqliteFixture;

scoreboard_core::score_store_conformance!(SqliteFixture);
scoreboard_core::account_store_conformance!(SqliteFixture);
scoreboard_core::incident_store_conformance!(SqliteFixture);
