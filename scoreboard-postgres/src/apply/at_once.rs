//! Everything that a batch writes, in one statement, which writes nothing unless all is as it was when the batch was decided.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use futures_util::TryStreamExt;
use scoreboard_core::{Admissions, BoardId, BoardState, Change, Decided, Order, Reached, Season, UserId};
use sqlx::postgres::PgRow;
use sqlx::{Either, Executor, PgConnection};
use uuid::Uuid;

use crate::apply::Numbers;
use crate::apply::remembered::Standing;
use crate::apply::state::Ground;
use crate::apply::write::{Key, Statement, bind_boards, bind_log, bind_scores, bind_totals, bind_withheld, in_order};
use crate::error::Failure;
use crate::place_of_row::PlaceOfRow;
use crate::rows::{Columns, number, season};

/// What there is to write, sorted, so that neighbours in the indexes are written one after the other.
pub(super) struct Writing<'d> {
    decided: &'d Decided,
    numbers: &'d Numbers,
    ground: &'d Ground,
    /// Users who had a score, with where it lies.
    changed: BTreeMap<Key, (PlaceOfRow, Order, Reached)>,
    arrived: BTreeMap<Key, (Order, Reached)>,
    withheld: BTreeMap<Key, Reached>,
    /// What is to be kept of those of the three of whom anything is.
    admissions: HashMap<Key, &'d Admissions>,
    totals: HashMap<(BoardId, Season), u64>,
    /// The least and the greatest of its ids, if nobody has looked yet whether one between them has counted as something else than a signed
    /// action.
    unseen: Option<(Uuid, Uuid)>,
}

/// What a batch has left in the database.
pub(super) struct Left {
    /// Its transaction.
    pub(super) by: i64,
    /// The boards that moved.
    pub(super) boards: HashMap<BoardId, BoardState>,
    /// Users whose scores were changed, and where these lie now.
    pub(super) users: Vec<(BoardId, UserId, Standing)>,
}

/// How the database answers what was written.
pub(super) struct Written {
    by: i64,
    /// Where the changed scores lay, and where they lie now.
    moved: HashMap<PlaceOfRow, PlaceOfRow>,
}

impl<'d> Writing<'d> {
    /// What a batch has decided, where the rows of users lie, and how many entries the boards had.
    pub(super) fn of(
        decided: &'d Decided,
        numbers: &'d Numbers,
        ground: &'d Ground,
        places: &HashMap<(BoardId, UserId), PlaceOfRow>,
        totals: &HashMap<BoardId, u64>,
    ) -> Self {
        let of = |board: &BoardId| decided.boards[board].season;
        let (mut changed, mut arrived) = (BTreeMap::new(), BTreeMap::new());
        for (key, reached) in &decided.scores {
            let (board, user) = key;
            let (sorted, order) = ((numbers[board], of(board), *user), decided.boards[board].spec.order());
            match places.get(key) {
                Some(place) => drop(changed.insert(sorted, (*place, order, *reached))),
                None => drop(arrived.insert(sorted, (order, *reached))),
            }
        }
        let withheld = decided.withheld.iter();
        let withheld = withheld.map(|((board, user), reached)| ((numbers[board], of(board), *user), *reached));
        let kept = decided.admissions.iter().filter(|((board, _), _)| decided.boards.contains_key(board));
        let moved = decided.boards.iter().filter(|(board, state)| totals.get(*board) != Some(&state.total));
        Self {
            decided,
            numbers,
            ground,
            changed,
            arrived,
            withheld: withheld.collect(),
            admissions: kept.map(|((board, user), kept)| ((numbers[board], of(board), *user), kept)).collect(),
            totals: moved.map(|(board, state)| ((board.clone(), state.season), state.total)).collect(),
            unseen: None,
        }
    }

    /// The same of signed actions, that nobody has looked for yet. They are of users who have a score and are not restricted.
    pub(super) fn unseen(self, changes: &[Change]) -> Self {
        let ids = || changes.iter().map(|change| change.action_id.as_uuid());
        Self { unseen: ids().min().zip(ids().max()), ..self }
    }

    /// Writes it, if all is as it was: else this is [`Failure::Moved`], and nothing is written.
    ///
    /// Outside a transaction this is one, and durable when it returns: then what fails before the server has said that the statement is done
    /// has not come to its commit.
    pub(super) async fn write(&self, connection: &mut PgConnection) -> Result<Written, Failure> {
        let has_newcomers = !self.arrived.is_empty() || !self.totals.is_empty();
        let has_restricted = !self.withheld.is_empty();
        let statement = match self.unseen {
            Some(_) => &*WRITE_UNSEEN,
            None => &WRITE[usize::from(has_newcomers)][usize::from(has_restricted)],
        };
        let mut results = connection.fetch_many(self.bind(sqlx::query(statement.as_str())));
        let (mut is_done, mut written) = (false, None);
        loop {
            match results.try_next().await {
                Ok(Some(Either::Left(_))) => is_done = true,
                Ok(Some(Either::Right(row))) => written = Some(Written::of(&row)),
                // What it says of itself is not understood: but it is written.
                Ok(None) => return written.and_then(Result::ok).ok_or_else(|| Failure::Commit(unheard())),
                Err(sqlx::Error::Database(error)) if !is_done => {
                    // division_by_zero
                    let moved = error.code().is_some_and(|code| code == "22012");
                    return Err(if moved { Failure::Moved } else { Failure::Driver(sqlx::Error::Database(error)) });
                }
                Err(error) => return Err(Failure::Commit(error)),
            }
        }
    }

    /// Whose scores were changed, and where they lie now.
    pub(super) fn users(&self, written: &Written) -> Vec<(BoardId, UserId, Standing)> {
        let boards: HashMap<i64, &BoardId> = self.numbers.iter().map(|(board, no)| (*no, board)).collect();
        let user = |(key, (place, _, reached)): (&Key, &(PlaceOfRow, Order, Reached))| {
            let admissions = self.admissions.get(key).map(|kept| (*kept).clone()).unwrap_or_default();
            let standing = Standing { place: *written.moved.get(place)?, reached: *reached, admissions };
            Some(((*boards.get(&key.0)?).clone(), key.2, standing))
        };
        self.changed.iter().filter_map(user).collect()
    }

    fn bind<'q>(&'q self, query: Statement<'q>) -> Statement<'q> {
        let moved = in_order(&self.decided.boards, self.numbers);
        let query = bind_log(query, &self.decided.rows, self.numbers);
        let query = bind_scores(query, &self.arrived);
        let query = bind_withheld(query, &self.withheld);
        let query = bind_boards(query, &moved)
            .bind(Vec::from_iter(moved.iter().map(|(_, board, _)| self.ground.boards.get(*board).copied())))
            .bind(self.ground.meta)
            .bind(self.ground.decision);
        let query = self.bind_changed(query);
        let query = bind_totals(query, &self.totals, self.numbers);
        query
            .bind(self.unseen.map(|(least, _)| least))
            .bind(self.unseen.map(|(_, greatest)| greatest))
            .bind(self.kept(self.changed.keys()))
            .bind(self.kept(self.arrived.keys()))
            .bind(self.kept(self.withheld.keys()))
    }

    /// A column, which is shorter than the others, and by that NULL, where there is nothing to keep.
    fn kept<'k>(&self, keys: impl Iterator<Item = &'k Key>) -> Vec<Option<Vec<u8>>> {
        let kept = |key| self.admissions.get(key).and_then(|kept| kept.to_bytes());
        if self.admissions.is_empty() { Vec::new() } else { keys.map(kept).collect() }
    }

    fn bind_changed<'q>(&'q self, query: Statement<'q>) -> Statement<'q> {
        let reached = || self.changed.values().map(|(.., reached)| reached);
        let keys = || self.changed.values().map(|(_, order, reached)| order.key(reached.score, reached.version));
        query
            .bind(Vec::from_iter(self.changed.values().map(|(place, ..)| *place)))
            .bind(Vec::from_iter(self.changed.keys().map(|(board, ..)| *board)))
            .bind(Vec::from_iter(self.changed.keys().map(|(_, of, _)| season(*of))))
            .bind(Vec::from_iter(self.changed.keys().map(|(.., user)| user.as_uuid())))
            .bind(Vec::from_iter(reached().map(|reached| reached.score.get())))
            .bind(Vec::from_iter(reached().map(|reached| number(reached.version.get()))))
            .bind(Vec::from_iter(reached().map(|reached| reached.at.as_millis())))
            .bind(Vec::from_iter(keys().map(|key| key.score)))
            .bind(Vec::from_iter(keys().map(|key| key.tie)))
    }
}

fn unheard() -> sqlx::Error {
    sqlx::Error::Protocol("a write was not answered by where it has written".to_owned())
}

impl Written {
    fn of(row: &PgRow) -> Result<Self, Failure> {
        let mut columns = Columns::of(row);
        let _: i32 = columns.take()?;
        let by = columns.take()?;
        let mut places = || columns.take::<Option<Vec<PlaceOfRow>>>().map(Option::unwrap_or_default);
        let (were, are) = (places()?, places()?);
        Ok(Self { by, moved: were.into_iter().zip(are).collect() })
    }

    /// What a batch has left that was written so.
    pub(super) fn left(self, boards: HashMap<BoardId, BoardState>, users: Vec<(BoardId, UserId, Standing)>) -> Left {
        Left { by: self.by, boards, users }
    }
}

/// By whether there is anybody new on a board, and anybody restricted: most batches have neither, and do not ask for their tables.
static WRITE: LazyLock<[[String; 2]; 2]> = LazyLock::new(|| {
    [false, true].map(|newcomers| [false, true].map(|restricted| statement(newcomers, restricted, "")))
});

/// Where nobody has looked yet for ids that have counted as something else.
static WRITE_UNSEEN: LazyLock<String> = LazyLock::new(|| statement(false, false, UNSEEN));

const UNSEEN: &str = " AND NOT EXISTS (SELECT FROM log WHERE log.origin IN ('record', 'correction') AND log.action_id BETWEEN $52 AND $53)";

/// Whoever has written to one of the boards since, or is just doing so, has given its row another `xmin`; a new epoch, or a part of the log that
/// was closed, has given one to that of `meta`; and a decision of a moderator has the next number. All of them wait for this statement, or it for
/// them. Where anything of that is so, or a score does not lie where it was read, a division by zero undoes the whole.
///
/// A table that is written anew, as by `VACUUM FULL`, has other rows at the same places; so each is asked whose it is, to the last part of its key: a
/// user has one on each board. Not by equality, of which the planner would make a search in an index.
///
/// All else asks for `ground`, and so waits until the boards' rows are this batch's.
fn statement(newcomers: bool, restricted: bool, unseen: &str) -> String {
    let (column, value) = if restricted { (", visibility", ", unnest($16::text[])") } else { ("", "") };
    let newcomers = if newcomers { NEWCOMERS } else { "" };
    let restricted = if restricted { RESTRICTED } else { "" };
    format!(
        "WITH moved AS (
             UPDATE boards SET version = named.version, head = named.head
             FROM (SELECT unnest($34::bigint[]) AS board, unnest($35::bigint[]) AS version, unnest($36::bytea[]) AS head,
                          unnest($37::bigint[]) AS seen) AS named
             WHERE boards.no = named.board AND boards.xmin::text::bigint = named.seen
             RETURNING 1
         ), ground AS (
             SELECT 1 / ((SELECT count(*) FROM moved) = cardinality($34) AND meta.xmin::text::bigint = $38
                         AND coalesce((SELECT max(no) FROM moderations), 0) = $39{unseen})::int = 1 AS holds
             FROM meta WHERE meta.one = 1
         ), changed AS (
             UPDATE scores SET score = named.score, reached = named.reached, updated_at = named.updated_at,
                               order_score = named.order_score, order_tie = named.order_tie,
                               admissions = named.admissions
             FROM (SELECT unnest($40::tid[]) AS place, unnest($41::bigint[]) AS board, unnest($42::bigint[]) AS season,
                          unnest($43::uuid[]) AS user_id, unnest($44::bigint[]) AS score,
                          unnest($45::bigint[]) AS reached, unnest($46::bigint[]) AS updated_at,
                          unnest($47::bigint[]) AS order_score, unnest($48::bigint[]) AS order_tie,
                          unnest($54::bytea[]) AS admissions) AS named
             WHERE scores.ctid = named.place AND scores.board IS NOT DISTINCT FROM named.board
               AND scores.season IS NOT DISTINCT FROM named.season AND scores.user_id IS NOT DISTINCT FROM named.user_id
               AND (SELECT holds FROM ground)
             RETURNING named.place AS was, scores.ctid AS place
         ), logged AS (
             INSERT INTO log (board, version, epoch, action_id, fingerprint, season, user_id, kind, points, origin,
                              previous_score, previous_version, previous_at, score, at, digest{column})
             SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::uuid[]), unnest($5::uuid[]),
                    unnest($6::bigint[]), unnest($7::uuid[]), unnest($8::text[]), unnest($9::bigint[]), unnest($10::text[]),
                    unnest($11::bigint[]), unnest($12::bigint[]), unnest($13::bigint[]), unnest($14::bigint[]),
                    unnest($15::bigint[]), unnest($19::bytea[]){value}
             WHERE (SELECT holds FROM ground)
         ){newcomers}{restricted}
         SELECT 1 / (count(*) = cardinality($40))::int, txid_current() & 4294967295,
                array_agg(was), array_agg(place)
         FROM changed"
    )
}

const NEWCOMERS: &str = ", arrived AS (
     INSERT INTO scores (board, season, user_id, score, reached, updated_at, order_score, order_tie, admissions)
     SELECT unnest($20::bigint[]), unnest($21::bigint[]), unnest($22::uuid[]), unnest($23::bigint[]),
            unnest($24::bigint[]), unnest($25::bigint[]), unnest($26::bigint[]), unnest($27::bigint[]),
            unnest($55::bytea[])
     WHERE (SELECT holds FROM ground)
     ON CONFLICT (board, season, user_id) DO UPDATE
     SET score = excluded.score, reached = excluded.reached, updated_at = excluded.updated_at,
         order_score = excluded.order_score, order_tie = excluded.order_tie, admissions = excluded.admissions
 ), counted AS (
     UPDATE seasons SET total = named.total
     FROM (SELECT unnest($49::bigint[]) AS board, unnest($50::bigint[]) AS season, unnest($51::bigint[]) AS total) AS named
     WHERE seasons.board = named.board AND seasons.season = named.season AND (SELECT holds FROM ground)
 )";

const RESTRICTED: &str = ", aside AS (
     INSERT INTO withheld (board, season, user_id, score, reached, updated_at, admissions)
     SELECT unnest($28::bigint[]), unnest($29::bigint[]), unnest($30::uuid[]), unnest($31::bigint[]),
            unnest($32::bigint[]), unnest($33::bigint[]), unnest($56::bytea[])
     WHERE (SELECT holds FROM ground)
     ON CONFLICT (board, season, user_id) DO UPDATE
     SET score = excluded.score, reached = excluded.reached, updated_at = excluded.updated_at,
         admissions = excluded.admissions
 )";
