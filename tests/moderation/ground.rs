//! Where decisions are made, and what a fold from scratch says of it.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

use scoreboard::{
    ActionId, BoardId, LogRow, ModerationStore, Origin, PageQuery, Range, RankStyle, Reached, ScoreStore, UserId,
    Version,
};
use scoreboard_postgres::PostgresStore;
use scoreboard_sqlite::SqliteStore;

use crate::support::place::Place;
use crate::support::server::{Server, UNLIMITED};
use crate::support::{postgres, redis};

/// One server on a file, or two nodes on one database and one Redis.
pub(crate) struct Ground {
    /// The first is the one that decides, and is killed; the last is watched.
    pub(crate) nodes: Vec<Server>,
    pub(crate) database: Option<postgres::Server>,
    _redis: Option<redis::Process>,
}

impl Ground {
    pub(crate) async fn sqlite() -> Self {
        Self { nodes: vec![Server::start().await], database: None, _redis: None }
    }

    pub(crate) async fn postgres() -> Self {
        let (database, redis) = (postgres::Server::start(&[]), redis::Process::start(&[]));
        let url = redis.url();
        let shared = [("SCOREBOARD_REDIS__URL", url.as_str()), ("SCOREBOARD_REDIS__NODES", "2")];
        let settings: Vec<_> = UNLIMITED.into_iter().chain(shared).collect();
        let first = Server::start_as(Place::At(database.url().to_owned()), &settings, &[]).await;
        let second = first.start_beside().await;
        Self { nodes: vec![first, second], database: Some(database), _redis: Some(redis) }
    }

    pub(crate) fn deciding(&self) -> &Server {
        &self.nodes[0]
    }

    pub(crate) fn watched(&self) -> SocketAddr {
        self.nodes[self.nodes.len() - 1].address()
    }

    /// What is kept, beside the servers.
    pub(crate) async fn open(&self) -> Opened {
        match &self.database {
            None => {
                let config = scoreboard_sqlite::Config::new(self.deciding().database());
                Opened::Sqlite(SqliteStore::open(&config).await.expect("the file opens beside the server"))
            }
            Some(database) => {
                let config = scoreboard_postgres::Config::from_url(database.url()).expect("a URL");
                Opened::Postgres(Box::new(PostgresStore::open(&config).await.expect("the database opens")))
            }
        }
    }
}

pub(crate) enum Opened {
    Sqlite(SqliteStore),
    Postgres(Box<PostgresStore>),
}

impl Opened {
    pub(crate) fn scores(&self) -> &dyn ScoreStore {
        match self {
            Self::Sqlite(store) => store,
            Self::Postgres(store) => &**store,
        }
    }

    pub(crate) fn decisions(&self) -> &dyn ModerationStore {
        match self {
            Self::Sqlite(store) => store,
            Self::Postgres(store) => &**store,
        }
    }

    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

/// What users have at a version by a fold of their actions from scratch, without those that are void.
pub(crate) async fn from_scratch(
    store: &dyn ScoreStore,
    void: &HashSet<ActionId>,
    until: Version,
) -> BTreeMap<UserId, Reached> {
    let mut scores: BTreeMap<UserId, Reached> = BTreeMap::new();
    let mut after = Version::ZERO;
    loop {
        let rows = store.log(&BoardId::main(), after, 1000).await.expect("the log is there");
        let Some(last) = rows.last() else { return scores };
        after = last.position.version;
        let counts = |row: &&LogRow| row.origin != Origin::Correction && !void.contains(&row.action_id);
        for row in rows.iter().filter(|row| row.position.version <= until).filter(counts) {
            let has = scores.get(&row.user_id).copied();
            let score = has.map_or(0, |has| has.score.get()) + row.points.get();
            let score = scoreboard::Score::new(score).expect("in range");
            scores.insert(row.user_id, Reached::after(has, score, row.position.version, row.at));
        }
    }
}

/// That the board is that fold, rank for rank, and so is `verify`. Of what is void nothing may become otherwise meanwhile.
pub(crate) async fn is_from_scratch(ground: &Ground, void: &HashSet<ActionId>) -> Vec<(UserId, Reached)> {
    ground.deciding().assert_verified();
    let store = ground.open().await;
    let found = store.decisions().voided(&void.iter().copied().collect::<Vec<_>>()).await.expect("voided answers");
    assert_eq!(found, *void, "what is void");
    let query = PageQuery { season: None, range: Range::Top { limit: 10_000 }, style: RankStyle::Ordinal };
    let page = store.scores().page(&BoardId::main(), query).await;
    let page = page.expect("the page is there").expect("the board is there");
    let mut folded: Vec<_> = from_scratch(store.scores(), void, page.position.version).await.into_iter().collect();
    store.close().await;
    folded.sort_unstable_by_key(|(_, reached)| (std::cmp::Reverse(reached.score), reached.version));
    let shown: Vec<_> = page
        .entries
        .iter()
        .map(|entry| (entry.user_id, Reached { score: entry.score, version: entry.reached, at: entry.updated_at }))
        .collect();
    assert_eq!(shown, folded);
    assert_eq!(page.total, folded.len() as u64);
    shown
}
