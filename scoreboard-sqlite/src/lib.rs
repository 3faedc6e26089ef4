//! draft
mod accounts;
mod apply;
mod boards;
mod config;
mod connection;
mod error;
mod incidents;
mod log;
mod migrate;
mod read;
mod rows;
mod sessions;
mod store;

pub use config::Config;
pub use connection::SqliteStore;
pub use sqlx;
