//! What a batch is decided on, read in one statement, and so of one moment: its boards, and what the users that it names have.

use std::collections::HashMap;

use scoreboard_core::{
    ActionId, Admissions, BoardId, BoardSpec, BoardState, Change, Epoch, Origin, Position, Reached, Restriction,
    Season, UserId, Version,
};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::apply::{Numbers, asked};
use crate::error::Failure;
use crate::place_of_row::PlaceOfRow;
use crate::rows::{Columns, Word, number, season};

/// A board by its number, and the season that it is taken to be in.
pub(super) type Places = HashMap<BoardId, (i64, Season)>;

/// What was read.
#[derive(Default)]
pub(super) struct State {
    pub(super) boards: HashMap<BoardId, BoardState>,
    pub(super) scores: HashMap<(BoardId, UserId), Reached>,
    /// Where those lie who are on the board.
    pub(super) rows: HashMap<(BoardId, UserId), PlaceOfRow>,
    pub(super) restrictions: HashMap<UserId, Restriction>,
    pub(super) admissions: HashMap<(BoardId, UserId), Admissions>,
    pub(super) actions_from: Option<ActionId>,
    /// Whether some of the ids may have counted before.
    pub(super) has_known_ids: bool,
    pub(super) ground: Ground,
}

/// By which it is seen that all of it is still so: the transactions that wrote the boards' rows and that of the epoch and the archive, and the
/// newest decision of a moderator. Whatever else is read changes only together with one of these.
#[derive(Default)]
pub(super) struct Ground {
    pub(super) boards: HashMap<BoardId, i64>,
    pub(super) meta: i64,
    pub(super) decision: i64,
}

/// Which ids are looked for in the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    /// None: the caller does so.
    None,
    /// Whether any between them is that of something else than a signed action. Among signed actions, each is unique where it lies; and theirs have
    /// the time in front, so that there is seldom another between.
    Foreign,
    /// All.
    All,
}

/// What the users of a board have, if anything, in `$1` to `$3`.
///
/// Whoever has something aside has that: what is shown of them is no matter of theirs. Only who is restricted has.
///
/// Each score is looked for as the first from its user's id to that id, which the order of the primary key answers without sorting; and sorting is
/// off. Asked for by equality, or where it may sort, the planner may as well have the whole board walked in the order of its ranks until the user is
/// met, with all that has died there: it did while it took the table to be small, and the connection kept that plan.
macro_rules! read {
    ($known:literal) => {
        concat!(
            "SELECT named.key, found.place, NULL, found.score, found.reached, found.updated_at, found.admissions,
                    NULL::bigint[], NULL::text[], NULL::bytea, NULL::uuid, NULL::boolean
             FROM unnest($1::bigint[], $2::bigint[], $3::uuid[]) WITH ORDINALITY AS named (board, season, user_id, key)
             CROSS JOIN LATERAL (
                 SELECT scores.ctid AS place, score, reached, updated_at, admissions FROM scores
                 WHERE scores.board = named.board AND scores.season = named.season
                   AND scores.user_id BETWEEN named.user_id AND named.user_id
                 ORDER BY scores.user_id LIMIT 1) AS found
             UNION ALL
             SELECT named.key, NULL, restrictions.restriction, withheld.score, withheld.reached, withheld.updated_at,
                    withheld.admissions, NULL, NULL, NULL, NULL, NULL
             FROM restrictions
             JOIN unnest($1::bigint[], $2::bigint[], $3::uuid[]) WITH ORDINALITY AS named (board, season, user_id, key)
               ON named.user_id = restrictions.user_id
             LEFT JOIN withheld
               ON withheld.board = named.board AND withheld.season = named.season AND withheld.user_id = named.user_id
             WHERE restrictions.user_id = ANY ($3)
             UNION ALL
             SELECT boards.no, NULL, NULL, NULL, NULL, NULL, NULL,
                    ARRAY[boards.season, meta.epoch, boards.version, seasons.total, boards.xmin::text::bigint,
                          meta.xmin::text::bigint, coalesce((SELECT max(no) FROM moderations), 0)],
                    ARRAY[boards.direction, boards.operator, boards.tie_break], boards.head, meta.actions_from, ",
            $known,
            " FROM boards JOIN seasons ON seasons.board = boards.no AND seasons.season = boards.season
             JOIN meta ON meta.one = 1
             WHERE boards.no = ANY ($4)"
        )
    };
}

/// The bounds are for the planner: by them, and not by the array, it knows which parts of the log to leave alone.
const READ: [&str; 3] = [
    read!("NULL"),
    read!("EXISTS (SELECT FROM log WHERE log.origin IN ('record', 'correction') AND log.action_id BETWEEN $6 AND $7)"),
    read!("EXISTS (SELECT FROM log WHERE log.action_id BETWEEN $6 AND $7 AND log.action_id = ANY ($5))"),
];

impl State {
    /// Reads what the changes name. A board that is in another season than it is taken to be in is left out, with its users: so is one that
    /// does not exist.
    pub(super) async fn read(
        connection: &mut PgConnection,
        changes: &[Change],
        places: &Places,
        ids: Ids,
    ) -> Result<Self, Failure> {
        let there =
            || changes.iter().filter_map(|change| Some((&change.board, change.user_id, *places.get(&change.board)?)));
        let mut keys: Vec<(i64, Season, UserId, &BoardId)> =
            there().map(|(board, user, (no, season))| (no, season, user, board)).collect();
        // Sorted, so that neighbours in the index are looked up one after the other.
        keys.sort_unstable();
        keys.dedup();
        let named: HashMap<i64, &BoardId> = keys.iter().map(|(no, .., board)| (*no, *board)).collect();
        let asked_for: Vec<Uuid> = match ids {
            Ids::None => Vec::new(),
            Ids::Foreign | Ids::All => changes.iter().map(|change| change.action_id.as_uuid()).collect(),
        };
        let (least, greatest) = (asked_for.iter().min().copied(), asked_for.iter().max().copied());
        let rows = sqlx::query(READ[ids as usize])
            .bind(Vec::from_iter(keys.iter().map(|(no, ..)| *no)))
            .bind(Vec::from_iter(keys.iter().map(|(_, of, ..)| season(*of))))
            .bind(Vec::from_iter(keys.iter().map(|(.., user, _)| user.as_uuid())))
            .bind(Vec::from_iter(named.keys().copied()))
            .bind(asked_for)
            .bind(least)
            .bind(greatest)
            .fetch_all(connection)
            .await?;
        let mut state = Self::default();
        for row in &rows {
            let mut columns = Columns::of(row);
            let key = columns.count()?;
            let place: Option<PlaceOfRow> = columns.take()?;
            let restriction: Option<Restriction> = columns.word_if()?;
            let reached = columns.reached_before()?;
            let admissions = columns.admissions()?;
            if let Some(numbers) = columns.take::<Option<Vec<i64>>>()? {
                let id = named.get(&number(key)).copied();
                state.add_board(
                    id.ok_or_else(|| Failure::stored("a board that was not asked for"))?,
                    &numbers,
                    columns,
                )?;
                continue;
            }
            let (_, _, user, board) = asked(&keys, key)?;
            let key = (board.clone(), user);
            // Of who is restricted, what is kept with what they have: of both, where there is nothing yet.
            match admissions {
                Some(admissions) if place.is_none() => drop(state.admissions.insert(key.clone(), admissions)),
                Some(admissions) => drop(state.admissions.entry(key.clone()).or_insert(admissions)),
                None => {}
            }
            state.add_user(key, place, restriction, reached);
        }
        state.boards.retain(|board, state| places.get(board).is_some_and(|(_, season)| *season == state.season));
        Ok(state)
    }

    fn add_board(&mut self, id: &BoardId, numbers: &[i64], mut columns: Columns<'_>) -> Result<(), Failure> {
        let &[season, epoch, version, total, written, meta, decision] = numbers else {
            return Err(Failure::stored("other numbers of a board than were asked for"));
        };
        let words: Vec<String> = columns.take()?;
        let [direction, operator, tie_break] = words.as_slice() else {
            return Err(Failure::stored("other words of a board than were asked for"));
        };
        let count = |number: i64| u64::try_from(number).map_err(Failure::stored);
        // The decision looks at the operator and the order alone.
        let spec = BoardSpec {
            direction: Word::of_word(direction)?,
            operator: Word::of_word(operator)?,
            tie_break: Word::of_word(tie_break)?,
            ..BoardSpec::new(id.clone())
        };
        let season = u32::try_from(season).map(Season::new).map_err(Failure::stored)?;
        let position = Position { epoch: Epoch::new(count(epoch)?), version: Version::new(count(version)?) };
        let head = columns.digest()?;
        self.boards.insert(id.clone(), BoardState { spec, season, position, total: count(total)?, head });
        self.actions_from = columns.take::<Option<Uuid>>()?.map(ActionId::from_uuid);
        self.has_known_ids = columns.take::<Option<bool>>()?.unwrap_or(false);
        self.ground.boards.insert(id.clone(), written);
        (self.ground.meta, self.ground.decision) = (meta, decision);
        Ok(())
    }

    fn add_user(
        &mut self,
        key: (BoardId, UserId),
        place: Option<PlaceOfRow>,
        restriction: Option<Restriction>,
        reached: Option<Reached>,
    ) {
        if let Some(restriction) = restriction {
            self.restrictions.insert(key.1, restriction);
        }
        match (place, reached) {
            (Some(place), Some(shown)) => {
                self.rows.insert(key.clone(), place);
                self.scores.entry(key).or_insert(shown);
            }
            (_, Some(aside)) => drop(self.scores.insert(key, aside)),
            (_, None) => {}
        }
    }
}

impl Ids {
    /// Those of which nothing else would say that they counted before.
    pub(super) fn of(changes: &[Change]) -> Self {
        let all_signed = changes.iter().all(|change| change.origin == Origin::Action);
        if all_signed { Self::Foreign } else { Self::All }
    }
}

/// From rows of an id, a number and a season.
pub(super) fn places(rows: &[PgRow]) -> Result<Places, Failure> {
    let place = |row: &PgRow| {
        let mut columns = Columns::of(row);
        Ok((BoardId::new(columns.take()?)?, (columns.take()?, columns.season()?)))
    };
    rows.iter().map(place).collect()
}

/// The numbers alone.
pub(super) fn numbers(places: &Places) -> Numbers {
    places.iter().map(|(board, (no, _))| (board.clone(), *no)).collect()
}
