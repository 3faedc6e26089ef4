//! Ranks from memory beside those that PostgreSQL itself computes: all rows, all styles, both directions, with ties.

mod support;

use std::sync::Arc;
use std::time::Duration;

use scoreboard::{
    ActionId, BoardId, BoardSpec, Change, CreateBoard, Direction, Fingerprint, IndexState, Operator, Origin, PageQuery,
    Points, Range, RankIndexed, RankIndexedConfig, RankStyle, Ranked, ScoreStore, Season, TieBreak, Timestamp, UserId,
};
use scoreboard_core::memory::InProcessBroadcaster;
use scoreboard_postgres::sqlx::{self, Connection, PgConnection};
use support::postgres::Schema;
use support::scale::scaled;
use support::seed::Seeded;

const USERS: u64 = 500_000;
const BATCH: u64 = 500;

/// At full size, half a million users on each of two boards: a million rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranks_are_those_that_the_database_computes() {
    let schema = Schema::create().await;
    let store = schema.store().await;
    // A part of it does not need all those ties to be the same proof.
    let users = match scaled(100) as u64 {
        100.. => USERS,
        percent => percent * 1000,
    };
    let mut draws = Seeded::new();
    for (name, direction, tie_break) in
        [("down", Direction::Descending, TieBreak::Earliest), ("up", Direction::Ascending, TieBreak::Latest)]
    {
        let board = BoardId::new(name).expect("an id");
        let spec = BoardSpec { direction, tie_break, operator: Operator::Set, ..BoardSpec::new(board.clone()) };
        assert_eq!(store.create_board(&spec).await.expect("a working store"), CreateBoard::Created);
        // The first half is there before the ranks are, the second comes while they are filled and followed.
        play(&store, &board, users, users / 2, &mut draws).await;
        let ranks = RankIndexed::new(Arc::new(store.clone()), RankIndexedConfig::default());
        let following = tokio::spawn(ranks.clone().follow(Arc::new(InProcessBroadcaster::default())));
        play(&ranks, &board, users, users, &mut draws).await;
        ready(&ranks, &board).await;
        let computed = computed(&schema, name).await;
        assert!(computed.len() as u64 > users / 2, "most users are there");
        for style in [RankStyle::Ordinal, RankStyle::Competition, RankStyle::Dense] {
            compare(&ranks, &board, style, &computed, &mut draws).await;
        }
        following.abort();
    }
}

/// Sets scores, of which there are few, so that many share one.
async fn play(store: &dyn ScoreStore, board: &BoardId, users: u64, changes: u64, draws: &mut Seeded) {
    for _ in 0..changes.div_ceil(BATCH) {
        let batch: Vec<_> = (0..BATCH)
            .map(|_| Change {
                action_id: ActionId::from_bytes(u128::from(draws.within(1..u64::MAX)).to_be_bytes()),
                fingerprint: Fingerprint::from_bytes([1; 16]),
                board: board.clone(),
                season: Season::FIRST,
                user_id: user(draws.within(0..users)),
                kind: "win".parse().expect("a kind"),
                points: Points::new(i64::try_from(draws.within(0..users / 8 + 2)).expect("few")).expect("points"),
                origin: Origin::Record,
                at: Timestamp::from_millis(1_700_000_000_000),
                at_most: None,
                admitted: None,
            })
            .collect();
        assert_eq!(store.apply(&batch).await.expect("a working store").len(), batch.len());
    }
}

fn user(number: u64) -> UserId {
    UserId::for_name("ranks", &number.to_string())
}

async fn ready(ranks: &RankIndexed, board: &BoardId) {
    let is_ready = || ranks.progress().iter().any(|index| index.board == *board && index.state == IndexState::Ready);
    for _ in 0..6_000 {
        if is_ready() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not filled in time: {:?}", ranks.progress());
}

/// What the database says of a user: the id, the three ranks.
type Computed = (sqlx::types::Uuid, i64, i64, i64);

async fn computed(schema: &Schema, board: &str) -> Vec<Computed> {
    let mut connection = PgConnection::connect(schema.url()).await.expect("it connects");
    // By what a board's order means, and not by the columns that the store keeps it in.
    let (score, tie) = if board == "down" { ("score DESC", "reached ASC") } else { ("score ASC", "reached DESC") };
    let statement = format!(
        "SELECT user_id, row_number() OVER (ORDER BY {score}, {tie}), rank() OVER (ORDER BY {score}),
                dense_rank() OVER (ORDER BY {score})
         FROM scores WHERE board = (SELECT no FROM boards WHERE id = '{board}') ORDER BY 2"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_all(&mut connection).await.expect("it computes")
}

/// The whole board as one page, some windows around users, and some users by name.
async fn compare(ranks: &RankIndexed, board: &BoardId, style: RankStyle, computed: &[Computed], draws: &mut Seeded) {
    let expected: Vec<(UserId, u64)> = computed
        .iter()
        .map(|(user, ordinal, competition, dense)| {
            let rank = match style {
                RankStyle::Ordinal => ordinal,
                RankStyle::Competition => competition,
                RankStyle::Dense => dense,
            };
            (UserId::from_uuid(*user), rank.cast_unsigned())
        })
        .collect();
    let all = page(ranks, board, style, Range::Top { limit: usize::MAX }).await;
    assert_eq!(all.len(), expected.len());
    for (found, expected) in all.iter().zip(&expected) {
        assert_eq!((found.user_id, found.rank), *expected, "{style:?} on {board}");
    }
    for _ in 0..100 {
        let at = draws.within(0..expected.len() as u64) as usize;
        let around = page(ranks, board, style, Range::Around { user: expected[at].0, radius: 5 }).await;
        let from = at.saturating_sub(5).min(expected.len() - 11);
        let places: Vec<_> = around.iter().map(|entry| (entry.user_id, entry.rank)).collect();
        assert_eq!(places, expected[from..from + 11], "around place {at}");
        let stands = ranks.standings(board, None, style, &[expected[at].0]).await.expect("it answers");
        assert_eq!(stands.expect("a board").entries[0].map(|entry| entry.rank), Some(expected[at].1));
    }
}

async fn page(ranks: &RankIndexed, board: &BoardId, style: RankStyle, range: Range) -> Vec<Ranked> {
    let query = PageQuery { season: None, range, style };
    ranks.page(board, query).await.expect("it answers").expect("a board").entries
}
