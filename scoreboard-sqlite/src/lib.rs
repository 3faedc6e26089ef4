//! Every store of `scoreboard` on one embedded SQLite file: nothing to install, nothing to operate.
//!
//! [`SqliteStore`] implements [`ScoreStore`](scoreboard_core::ScoreStore), [`IncidentStore`](scoreboard_core::IncidentStore),
//! [`DisplayNames`](scoreboard_core::DisplayNames) and all of
//! [`AccountStore`](scoreboard_core::accounts::AccountStore): users, sessions, and the keys of trusted servers; and
//! [`FactorStore`](scoreboard_core::accounts::FactorStore), second factors.
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("scoreboard.db");
//! use scoreboard_core::{
//!     ActionId, BoardId, BoardSpec, Change, CreateBoard, Fingerprint, Origin, Points, ScoreStore, Season, Timestamp, UserId,
//! };
//! use scoreboard_sqlite::{Config, SqliteStore};
//!
//! let store = SqliteStore::open(&Config::new(path)).await?;
//! assert_eq!(store.create_board(&BoardSpec::new(BoardId::main())).await?, CreateBoard::Created);
//!
//! let change = Change {
//!     action_id: ActionId::from_bytes([1; 16]),
//!     fingerprint: Fingerprint::from_bytes([2; 16]),
//!     board: BoardId::main(),
//!     season: Season::FIRST,
//!     user_id: UserId::for_name("steam", "7656119"),
//!     kind: "defeat-dragon".parse()?,
//!     points: Points::new(40)?,
//!     origin: Origin::Record,
//!     at: Timestamp::from_millis(1_700_000_000_000),
//!     at_most: None,
//!     admitted: None,
//! };
//! let first = store.apply(std::slice::from_ref(&change)).await?;
//! let again = store.apply(&[change]).await?;
//! assert!(!first[0].receipt().ok_or("applied")?.replayed);
//! assert!(again[0].receipt().ok_or("counted before")?.replayed);
//! # Ok(()) }
//! ```
//!
//! # What is kept, and when
//!
//! - What a call answered `Ok` to is on the device: SQLite's write-ahead log is synchronised at each commit
//!   (`synchronous = FULL`). One commit a batch: put [`GroupCommit`](scoreboard_core::GroupCommit) in front for many small calls.
//! - An error at the commit itself that may have left it on the device is
//!   [`OutcomeUnknown`](scoreboard_core::ErrorKind::OutcomeUnknown); after every other error nothing was changed.
//! - One connection writes, several read. A read sees one version, never waits for the writer, and never makes it wait.
//! - Several processes may have the file open, such as a server and a command that checks it. Their writes take turns; one that
//!   does not get its turn in time is [`Contended`](scoreboard_core::ErrorKind::Contended).
//! - A rank is counted along an index: exact, and the slower the further down it is.
//!
//! # The file
//!
//! It is created for its owner alone, with `-wal` and `-shm` beside it while it is open: the three belong together. To copy it
//! while it is in use, let SQLite do it (`VACUUM INTO 'copy.db'`). Where a copy takes the place of a file that had gone on
//! without it, the next epoch must begin, so that version numbers given twice are told apart:
//! [`raise_epoch`](scoreboard_core::ScoreStore::raise_epoch).
//!
//! Migrations are part of the crate and run when a file is opened. A file that a newer version wrote is refused, and left as it is.

mod accounts;
mod apply;
mod boards;
mod challenges;
mod config;
mod connection;
mod error;
mod factors;
mod incidents;
mod json;
mod log;
mod migrate;
mod moderations;
mod read;
mod revoked_keys;
mod rows;
mod sessions;
mod store;
mod values;
mod wait;

#[cfg(test)]
mod connection_test;
#[cfg(test)]
mod season_test;

pub use config::Config;
pub use connection::SqliteStore;
/// The driver that this crate is built on, in the version that its SQLite is linked from.
pub use sqlx;
