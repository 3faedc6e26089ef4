//! Every store of `scoreboard` on PostgreSQL, for any number of servers on one database.
//!
//! [`PostgresStore`] implements [`ScoreStore`](scoreboard_core::ScoreStore), [`ModerationStore`](scoreboard_core::ModerationStore),
//! [`IncidentStore`](scoreboard_core::IncidentStore), [`DisplayNames`](scoreboard_core::DisplayNames) and all of
//! [`AccountStore`](scoreboard_core::accounts::AccountStore): users, sessions, and the keys of trusted servers; and
//! [`FactorStore`](scoreboard_core::accounts::FactorStore), second factors. With
//! [`PostgresBroadcaster`], several servers on one database hear of each other's changes at once; with [`ReplicaReads`], streaming
//! replicas answer what may be read there; with [`PostgresTurns`], they write to a board in turns; and [`PostgresClock`] shows all of them the database's time.
//!
//! # Example
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use scoreboard_core::{
//!     ActionId, BoardId, BoardSpec, Change, CreateBoard, Fingerprint, Origin, Points, ScoreStore, Season, Timestamp, UserId,
//! };
//! use scoreboard_postgres::PostgresStore;
//!
//! let store = PostgresStore::from_url("postgres://scores@localhost/scores").await?;
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
//! - What a call answered `Ok` to is durable as the server understands it. A server with `fsync`, `full_page_writes` or
//!   `synchronous_commit` off is refused. One transaction a batch: put [`GroupCommit`](scoreboard_core::GroupCommit) in front for
//!   many small calls.
//! - An error at the commit that does not say that the server rolled back is
//!   [`OutcomeUnknown`](scoreboard_core::ErrorKind::OutcomeUnknown); after every other error nothing was changed.
//! - Writers of one board take turns by its row, whatever server they are on; a version is given out inside that turn, and so
//!   without a gap. Batches over several boards lock them in one order.
//! - An action counts once in the whole database. Where two transactions bring one id to two boards at once, one of them is
//!   rolled back, and tried again as a replay.
//! - A read sees one version, never waits for a writer, and never makes it wait.
//! - No call takes longer than [`Config::call_timeout`], whatever the network does. A connection that does not answer is closed, and
//!   those that were at rest are asked before they are used.
//! - The log is cut into parts by the ids of its actions, and so by time: ids that a server gives are UUIDv7. The next part is made before
//!   it is needed, when a connection is made; an id of any other form has a place too. What is old may be
//!   [archived](PostgresStore::archive) and dropped; what was archived counts no second time.
//! - A rank is counted along an index: exact, and the slower the further down it is.
//!
//! # What it needs
//!
//! - PostgreSQL 12 or newer, a database in UTF-8, and a role that may create tables in the first schema of its search path.
//! - Connections that are its own for a whole session: the timeouts of [`Config`] are settings of the session.
//! - For TLS, nothing more: `sslmode`, `sslrootcert`, `sslcert` and `sslkey` mean what they mean to libpq. Without `sslmode`, TLS is
//!   used if the server has it, and nobody's certificate is looked at; `verify-full` is what keeps a stranger out. Authorities are
//!   those of `sslrootcert` and of Mozilla's list, which is compiled in: a database's certificate is mostly of an authority of its
//!   own, which neither that list nor the machine's knows, and which one has to name.
//! - The text that is stored (names, evidence) must not hold the character U+0000, which PostgreSQL has no place for.
//!
//! Migrations are part of the crate and run when a database is opened, under an advisory lock. A database that a newer version
//! wrote is refused, and left as it is. Servers of the release before, which have it open meanwhile, go on with what a newer one made of it; but
//! while the third migration cuts a log that is one table, which takes one walk over it, their writes and their reads of the log wait, and
//! fail as after any lock that is not had in time. Pages, standings and ranks are read all the while. And they must be gone
//! before the first decision of a moderator, which the tenth made room for: servers of before would show what is void, and take updates of who is banned. After a failover, a recovery to a point in time, or the loading of a dump, the next epoch
//! begins by itself, so that version numbers given twice are told apart. Where nothing shows it, a copy of the disk that took the place
//! of a database that had gone on without it, it must be told: [`raise_epoch`](scoreboard_core::ScoreStore::raise_epoch).

mod accounts;
mod apply;
mod archive;
mod batch_connection;
mod boards;
mod broadcaster;
mod challenges;
mod clock;
mod config;
mod connection;
mod durability;
mod error;
mod factors;
mod incidents;
mod life;
mod log;
mod migrate;
mod moderations;
mod parts;
mod place_of_row;
mod read;
mod replicas;
mod revoked_keys;
mod rows;
mod sessions;
mod store;
mod turns;
mod wait;

pub use archive::{Archive, ArchiveStep, ArchivedPart, LogPart, MIN_ARCHIVE_AGE};
pub use broadcaster::PostgresBroadcaster;
pub use clock::PostgresClock;
pub use config::{Config, Database};
pub use connection::PostgresStore;
pub use replicas::ReplicaReads;
/// The driver that this crate is built on.
pub use sqlx;
pub use turns::PostgresTurns;
