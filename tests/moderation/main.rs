//! Decisions of moderators, at the real server.

#[path = "../support/mod.rs"]
mod support;

mod ground;
mod moderator;
mod restrictions;
mod voids;
