//! The HTTP side over adapters in memory: by `oneshot` where no socket is needed, on port 0 where one is.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without may end it")]

mod accounts;
mod authorization;
mod devices;
mod errors;
mod events;
mod forged_tokens;
mod guesses;
mod health;
mod hostile;
mod incidents;
mod input;
mod limits;
mod moderation;
mod openapi;
mod order;
mod origins;
mod pages;
mod private;
mod reads;
mod record;
mod second_factor;
mod security;
mod serving;
mod socket;
mod support;
mod surroundings;
mod tickets;
mod user_file;
mod watcher;
mod windows;
