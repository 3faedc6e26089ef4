//! The Lua scripts: one file each in `scripts/`, whose header says what it takes, gives and costs.
//!
//! A script is sent by its hash. A server that does not know it (it restarted, another became master, somebody flushed its scripts) is
//! given the text and asked again, inside the same call.
//!
//! Each begins with `#!lua` (Redis 7): a server that may not write, for it is a replica or has no room, then refuses the script whole,
//! before its first command, and not at some command in the middle. What gives back may run without room.

use std::sync::LazyLock;

use redis::Script;

macro_rules! script {
    ($(#[$doc:meta])* $name:ident, $file:literal) => {
        $(#[$doc])*
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!($file)));
    };
}

script!(LIMIT_TAKE, "scripts/limit_take.lua");
script!(LIMIT_UNDO, "scripts/limit_undo.lua");
script!(OUTSTANDING_START, "scripts/outstanding_start.lua");
script!(CACHE_PUT, "scripts/cache_put.lua");
script!(CACHE_RAISE_FLOOR, "scripts/cache_raise_floor.lua");
script!(LIVE_PUBLISH, "scripts/live_publish.lua");
