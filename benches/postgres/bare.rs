//! The rows that the server writes, in the tables that it has for them, without the server: what they cost the database at least.

use std::collections::BTreeMap;
use std::time::Duration;

use scoreboard_postgres::sqlx::postgres::PgConnection;
use scoreboard_postgres::sqlx::types::Uuid;
use scoreboard_postgres::sqlx::{self, Connection};
use scoreboard_postgres::{Config, PostgresStore};
use tokio::time::Instant;

use crate::support::postgres::Server;

const USERS: usize = 512;

const LOG: &str = "
    INSERT INTO log (board, version, epoch, action_id, fingerprint, season, user_id, kind, points, origin,
                     previous_score, previous_version, previous_at, score, at)
    SELECT 1, unnest($1::bigint[]), 1, unnest($2::uuid[]), unnest($2::uuid[]), 1, unnest($3::uuid[]), 'tap', 1, 'action',
           unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::bigint[])";

const SCORES: &str = "
    INSERT INTO scores (board, season, user_id, score, reached, updated_at, order_score, order_tie)
    SELECT 1, 1, unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::bigint[]),
           unnest($3::bigint[])
    ON CONFLICT (board, season, user_id) DO UPDATE
    SET score = excluded.score, reached = excluded.reached, updated_at = excluded.updated_at,
        order_score = excluded.order_score, order_tie = excluded.order_tie";

/// Score, version and time.
type Reached = (i64, i64, i64);

/// One client that knows all scores, and so reads nothing.
pub(crate) struct Bare {
    client: PgConnection,
    users: Vec<Uuid>,
    scores: BTreeMap<Uuid, Reached>,
    version: i64,
}

impl Bare {
    /// On a database of its own.
    pub(crate) async fn prepare(database: &Server) -> Self {
        let config = Config::from_url(database.url()).expect("a URL");
        PostgresStore::open(&config).await.expect("it makes its tables").close().await;
        let client = PgConnection::connect(database.url()).await.expect("it connects");
        let users = (0..USERS).map(|_| Uuid::now_v7()).collect();
        Self { client, users, scores: BTreeMap::new(), version: 0 }
    }

    /// How many rows it wrote in batches of so many.
    pub(crate) async fn batches(&mut self, rows: usize, duration: Duration) -> f64 {
        let (started, mut written) = (Instant::now(), 0);
        while started.elapsed() < duration {
            self.batch(rows).await;
            written += rows;
        }
        written as f64
    }

    async fn batch(&mut self, rows: usize) {
        let mut moved = BTreeMap::new();
        let (mut ids, mut users, mut previous, mut reached) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rows {
            let (id, user) = (Uuid::now_v7(), self.users[rand::random_range(0..USERS)]);
            let before = self.scores.get(&user).copied();
            self.version += 1;
            let now = (before.map_or(1, |before| before.0 + 1), self.version, (id.as_u128() >> 80) as i64);
            self.scores.insert(user, now);
            moved.insert(user, now);
            ids.push(id);
            users.push(user);
            previous.push(before);
            reached.push(now);
        }
        let column = |of: fn(&Reached) -> i64| Vec::from_iter(reached.iter().map(of));
        let before = |of: fn(&Reached) -> i64| Vec::from_iter(previous.iter().map(|before| before.as_ref().map(of)));
        let last = |of: fn(&Reached) -> i64| Vec::from_iter(moved.values().map(of));

        let mut tx = self.client.begin().await.expect("a transaction");
        let log = sqlx::query(LOG)
            .bind(column(|reached| reached.1))
            .bind(ids)
            .bind(users)
            .bind(before(|reached| reached.0))
            .bind(before(|reached| reached.1))
            .bind(before(|reached| reached.2))
            .bind(column(|reached| reached.0))
            .bind(column(|reached| reached.2));
        log.execute(&mut *tx).await.expect("the log takes rows");
        let scores = sqlx::query(SCORES)
            .bind(Vec::from_iter(moved.keys().copied()))
            .bind(last(|reached| reached.0))
            .bind(last(|reached| reached.1))
            .bind(last(|reached| reached.2))
            .bind(last(|reached| -reached.0));
        scores.execute(&mut *tx).await.expect("the scores take sums");
        tx.commit().await.expect("it commits");
    }
}
