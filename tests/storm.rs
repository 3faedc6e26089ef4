//! Several nodes write to the same boards while all happens that alters what their batches are decided on, or ends them in their midst: decisions of
//! moderators, other epochs, boards that are changed, tables that are written anew, statements that are called off, connections that are cut.
//!
//! Whatever it is, each change counts once where it was to count, at the version that its receipt says, and who is banned does not.

mod support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::future::join_all;
use scoreboard::{
    ActionId, Audit, BoardId, BoardSpec, Change, Clock, Fingerprint, Moderated, Moderation, ModerationAct,
    ModerationId, ModerationStore, Origin, Outcome, Points, Receipt, Refusal, Restriction, ScoreStore, Season,
    SystemClock, UserId, Version, verify,
};
use scoreboard_postgres::PostgresStore;
use scoreboard_postgres::sqlx::{self, AssertSqlSafe, Connection, PgConnection};
use support::postgres::Schema;
use support::scale::scaled;
use support::seed::Seeded;
use tokio::time::{Duration, sleep};

const NODES: usize = 3;
const WRITERS: usize = 2;
/// Of each writer, at full scale.
const BATCHES: usize = 500;
const USERS: u64 = 9;
const REST: Duration = Duration::from_millis(15);

/// What happens beside, besides decisions.
const ACTS: [&str; 8] = [
    "VACUUM FULL scores",
    "CLUSTER scores USING scores_in_order",
    "CLUSTER scores USING scores_pkey",
    "VACUUM scores, boards, meta",
    "UPDATE scores SET updated_at = updated_at",
    "UPDATE boards SET name = name || '!'",
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND application_name = current_setting('application_name')
        AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = current_setting('application_name')
        AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1",
];

struct Storm {
    nodes: Vec<PostgresStore>,
    boards: [BoardId; 2],
    random: Mutex<Seeded>,
    counted: Mutex<Vec<(Change, Receipt)>>,
    is_over: AtomicBool,
}

impl Storm {
    fn counted(&self) -> MutexGuard<'_, Vec<(Change, Receipt)>> {
        self.counted.lock().expect("nobody panics with it")
    }

    /// What counted last.
    fn last(&self) -> Option<Change> {
        self.counted().last().map(|(change, _)| change.clone())
    }

    fn draw(&self, below: u64) -> u64 {
        self.random.lock().expect("nobody panics with it").within(0..below)
    }

    fn id(&self) -> [u8; 16] {
        let millis = u128::from(SystemClock.now().as_millis().cast_unsigned());
        (millis << 80 | 0x7 << 76 | 0b10 << 62 | u128::from(self.draw(1 << 60))).to_be_bytes()
    }

    fn change(&self, user: u64) -> Change {
        Change {
            action_id: ActionId::from_bytes(self.id()),
            fingerprint: Fingerprint::from_bytes([1; 16]),
            board: self.boards[usize::from(self.draw(2) == 1)].clone(),
            season: Season::FIRST,
            user_id: UserId::for_name("storm", &user.to_string()),
            kind: "win".parse().expect("a kind"),
            points: Points::new(1).expect("points"),
            origin: if self.draw(10) == 0 { Origin::Record } else { Origin::Action },
            at: SystemClock.now(),
            at_most: None,
            admitted: None,
        }
    }

    /// Asks until it is known what became of the changes, as every client does.
    async fn settle(&self, node: usize, changes: &[Change]) -> Vec<Outcome> {
        loop {
            match self.nodes[node].apply(changes).await {
                Ok(outcomes) => return outcomes,
                Err(error) => assert!(error.is_retryable(), "{error}: {:?}", std::error::Error::source(&error)),
            }
        }
    }

    fn take(&self, changes: &[Change], outcomes: Vec<Outcome>) {
        assert_eq!(changes.len(), outcomes.len());
        for (change, outcome) in changes.iter().zip(outcomes) {
            let receipt = outcome.receipt().unwrap_or_else(|| panic!("{change:?} is refused: {outcome:?}"));
            self.counted().push((change.clone(), receipt.clone()));
        }
    }

    async fn write(&self, node: usize, batches: usize) {
        for _ in 0..batches {
            let mut changes = Vec::from_iter((0..1 + self.draw(5)).map(|_| self.change(self.draw(USERS))));
            // One that counted before.
            if self.draw(8) == 0
                && let Some(known) = self.last()
            {
                changes.push(known);
            }
            if self.draw(8) == 0 {
                // At another node as well, at the same time.
                let other = (node + 1) % NODES;
                let (here, there) = tokio::join!(self.settle(node, &changes), self.settle(other, &changes));
                self.take(&changes, here);
                self.take(&changes, there);
            } else {
                let outcomes = self.settle(node, &changes).await;
                self.take(&changes, outcomes);
            }
        }
    }

    async fn decide(&self, act: ModerationAct) {
        let id = ModerationId::from_bytes(self.id());
        let (by, reason) = ("a test".to_owned(), "a test".to_owned());
        let decision = Moderation { id, at: SystemClock.now(), by, reason, act };
        loop {
            match self.nodes[0].moderate(&decision).await {
                Ok(Moderated::Done(_)) => return,
                Ok(Moderated::Refused(refusal)) => panic!("{refusal}"),
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    }

    /// One user is banned and let go again and again; gives how often.
    async fn ban(&self) -> usize {
        let user_id = UserId::for_name("storm", "banned");
        let own = || vec![Change { user_id, ..self.change(0) }];
        let mut bans = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            for node in 1..NODES {
                let changes = own();
                let outcomes = self.settle(node, &changes).await;
                self.take(&changes, outcomes);
            }
            self.decide(ModerationAct::Restrict { user_id, restriction: Restriction::Banned }).await;
            for node in 1..NODES {
                let outcomes = self.settle(node, &own()).await;
                assert!(matches!(outcomes[..], [Outcome::Refused(Refusal::Banned)]), "banned: {outcomes:?}");
            }
            self.decide(ModerationAct::Lift { user_id }).await;
            bans += 1;
        }
        bans
    }

    async fn rage(&self, schema: &Schema) -> usize {
        let mut acts = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            let user_id = UserId::for_name("storm", &self.draw(USERS).to_string());
            match self.draw(14) {
                0 => self.decide(ModerationAct::Restrict { user_id, restriction: Restriction::Held }).await,
                1 => self.decide(ModerationAct::Restrict { user_id, restriction: Restriction::Shadowed }).await,
                2 => self.decide(ModerationAct::Lift { user_id }).await,
                which @ (3 | 4) => {
                    let actions = Vec::from_iter(self.last().map(|change| change.action_id));
                    if which == 3 && !actions.is_empty() {
                        self.decide(ModerationAct::Void { actions }).await;
                    } else if !actions.is_empty() {
                        self.decide(ModerationAct::Unvoid { actions }).await;
                    }
                }
                5 => {
                    if let Ok(Some(board)) = self.nodes[0].board(&self.boards[0]).await {
                        // It may be cut off, like all else.
                        let _ = self.nodes[0].raise_epoch(board.epoch).await;
                    }
                }
                act => {
                    // What does not get its lock, or is a victim of its own kind, has done its work all the same.
                    let act = ACTS[usize::try_from(act - 6).expect("a small number")];
                    if let Ok(mut connection) = PgConnection::connect(schema.url()).await {
                        let _ = sqlx::raw_sql("SET lock_timeout = '300ms'").execute(&mut connection).await;
                        let _ = sqlx::raw_sql(AssertSqlSafe(act)).execute(&mut connection).await;
                    }
                }
            }
            acts += 1;
            sleep(REST).await;
        }
        acts
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_beside_them_batches_count_once_on_what_is_so() {
    let schema = Schema::create().await;
    let nodes = join_all((0..NODES).map(|_| schema.store())).await;
    let boards = ["one", "two"].map(|name| BoardId::new(name).expect("a slug"));
    for board in &boards {
        let _ = nodes[0].create_board(&BoardSpec::new(board.clone())).await.expect("it is made");
    }
    let random = Mutex::new(Seeded::new());
    let (counted, is_over) = (Mutex::default(), AtomicBool::new(false));
    let storm = Arc::new(Storm { nodes, boards, random, counted, is_over });

    let writers = (0..NODES * WRITERS).map(|writer| {
        let storm = storm.clone();
        tokio::spawn(async move { storm.write(writer % NODES, scaled(BATCHES)).await })
    });
    let bans = tokio::spawn({
        let storm = storm.clone();
        async move { storm.ban().await }
    });
    let writing = async {
        let written = join_all(writers).await;
        storm.is_over.store(true, Ordering::SeqCst);
        written
    };
    let (written, acts) = tokio::join!(writing, storm.rage(&schema));
    for writer in written {
        writer.expect("no writer has found anything wrong");
    }
    let bans = bans.await.expect("who is banned is refused");

    let calm = schema.store().await;
    let counted = std::mem::take(&mut *storm.counted());
    let mut applied = HashSet::new();
    for (change, receipt) in &counted {
        let (board, row) =
            calm.action(change.action_id).await.expect("it is read").expect("what counted is in the log");
        assert_eq!((&board, &row.receipt(&board, receipt.replayed)), (&change.board, receipt), "as it was answered");
        applied.insert(change.action_id);
    }
    let mut actions = 0;
    for board in &storm.boards {
        let audit = verify(&calm, board, |_, _| {}).await.expect("it is read");
        assert!(matches!(audit, Audit::Clean { .. }), "{board}: {audit:?}");
        let mut after = Version::ZERO;
        loop {
            let rows = calm.log(board, after, 500).await.expect("it is read");
            let Some(last) = rows.last() else { break };
            after = last.position.version;
            actions += rows.iter().filter(|row| row.origin != Origin::Correction).count();
        }
    }
    assert_eq!(actions, applied.len(), "nothing counts that nobody was told of");
    println!("{} changes counted once at {NODES} nodes, beside {acts} acts and {bans} bans", applied.len());
}
