//! The binary `scoreboard-server` as its operators meet it: each test runs it in a folder of its own.

mod admin;
mod archive;
mod cache;
mod copy;
#[path = "../../../scoreboard-postgres/tests/support/postgres/mod.rs"]
mod database;
mod decisions;
mod demo;
mod first_start;
mod folder;
mod keys;
mod outside;
mod postgres;
mod ranks;
mod redis;
#[allow(dead_code, reason = "the server is met by one of its layouts")]
#[path = "../../../scoreboard-redis/tests/support/server.rs"]
mod redis_server;
mod refusals;
mod restart;
mod secrets;
mod served;
mod settings;
#[path = "../../../tests/support/started.rs"]
mod started;
mod terminal;
mod transfer;
mod verify;
mod watch;
