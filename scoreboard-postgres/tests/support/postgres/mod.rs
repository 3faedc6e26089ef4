//! PostgreSQL for tests: a server of their own, and a schema for each.

#![allow(dead_code, unused_imports, reason = "no test file uses all of it")]

mod schema;
pub(crate) mod server;

pub(crate) use schema::{Schema, run};
pub(crate) use server::{Server, program, server};
