//! A moderator who decides while things are killed.

use std::process::Command;
use std::time::Duration;

use scoreboard_postgres::sqlx::{self, Connection, PgConnection};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::ground::Ground;
use crate::support::client::Answer;
use crate::support::seed::Seeded;
use crate::support::server::Server;
use crate::support::user::User;
use crate::support::wait::until;
use crate::voids::PART;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What is killed while the last of some decisions is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Killed {
    Server,
    /// The database's process that carries the decision out. PostgreSQL then ends all others too, and recovers.
    Backend,
}

/// A moderator, and the decisions that they hand in.
pub(crate) struct Moderator {
    pub(crate) user: User,
}

impl Moderator {
    pub(crate) async fn new(server: &Server) -> Self {
        let mut user = User::register(server.address(), "mona").await;
        user.becomes("moderator", server).await;
        Self { user }
    }

    pub(crate) async fn decide(&mut self, path: &str, id: &str, actions: &[String]) -> Option<Answer> {
        let body = json!({ "id": id, "actions": actions, "reason": "a boss a second" });
        self.user.client.send("POST", path, Some(&self.user.token), Some(&body)).await.ok()
    }

    /// Hands all parts in, and is not told what became of the one under way when something is killed; then all of them again. Gives how many
    /// of the second time were no news.
    pub(crate) async fn turn(
        &mut self,
        ground: &mut Ground,
        killed: Killed,
        path: &str,
        actions: &[String],
        ids: &[String],
    ) -> usize {
        let parts: Vec<(&String, &[String])> = ids.iter().zip(actions.chunks(PART)).collect();
        let (last, before) = parts.split_last().expect("parts");
        for (id, part) in before {
            let answer = self.decide(path, id, part).await.expect("an answer");
            assert_eq!(answer.expect(200)["replayed"], false);
        }
        match killed {
            Killed::Server => {
                {
                    let mut under_way = std::pin::pin!(self.decide(path, last.0, last.1));
                    // Somewhere within it.
                    let _ = timeout(Duration::from_millis(4), &mut under_way).await;
                    ground.nodes[0].kill9();
                }
                ground.nodes[0].restart().await;
            }
            Killed::Backend => {
                let database = ground.database.as_ref().expect("a database of its own");
                // First, or the decision would be over before anybody looks.
                let blocker = block(database.url()).await;
                let kill = kill_who_decides(database.url(), blocker);
                let (_, ()) = tokio::join!(self.decide(path, last.0, last.1), kill);
            }
        }
        let mut replayed = 0;
        for (id, part) in parts {
            let answer = until("the decision is answered", PATIENCE, async || {
                self.decide(path, id, part).await.filter(|answer| answer.status != 503)
            })
            .await;
            replayed += usize::from(answer.expect(200)["replayed"] == true);
        }
        replayed
    }
}

/// Keeps decisions waiting, beside which writers go on.
async fn block(url: &str) -> PgConnection {
    let mut blocker = PgConnection::connect(url).await.expect("it connects");
    let block = "BEGIN; LOCK TABLE boards IN ROW SHARE MODE";
    sqlx::raw_sql(block).execute(&mut blocker).await.expect("it is locked");
    blocker
}

/// Finds out who carries out the decision that waits, lets it go, and ends that process with SIGKILL somewhere within it.
async fn kill_who_decides(url: &str, mut blocker: PgConnection) {
    let mut observer = PgConnection::connect(url).await.expect("it connects");
    let waiting =
        "SELECT pid FROM pg_locks WHERE relation = 'boards'::regclass AND mode = 'ExclusiveLock' AND NOT granted";
    let pid: i32 = until("a decision waits", PATIENCE, async || {
        sqlx::query_scalar(waiting).fetch_optional(&mut observer).await.expect("it answers")
    })
    .await;
    sqlx::raw_sql("COMMIT").execute(&mut blocker).await.expect("it is let go");
    sleep(Duration::from_micros(Seeded::new().within(0..15_000))).await;
    let sent = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "SIGKILL could not be sent to {pid}");
}
