//! Decisions of moderators: keep writers out, read what they concern, decide once for all stores, write, commit.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use scoreboard_core::{
    ActionId, BackendError, BoardId, BoardSpec, BoardState, CarriedOut, Corrections, Dossier, Effects, Epoch, Inquiry,
    LogRow, Moderated, Moderation, ModerationAct, ModerationId, ModerationRefusal, ModerationStore, Own, Position,
    Restricted, Season, UserId, Version,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::apply::{Numbers, write_boards, write_log, write_scores, write_withheld};
use crate::connection::{PostgresStore, commit};
use crate::error::Failure;
use crate::log;
use crate::rows::{Columns, Word, limit, log_columns, number, season as season_number};

/// What a decision comes to, before anything of it is written.
struct Weighed {
    turned: Vec<Turned>,
    corrections: Corrections,
    effects: Effects,
    numbers: Numbers,
}

/// An action that counts otherwise from now on.
struct Turned {
    action: ActionId,
    board: BoardId,
    season: Season,
    user: UserId,
    version: Version,
    /// Whether it lies where the log is not whole any more.
    is_behind_archive: bool,
}

/// Whose dossiers are needed.
type Users = BTreeSet<(BoardId, Season, UserId)>;

impl PostgresStore {
    async fn carry_out(&self, moderation: &Moderation) -> Result<Moderated, Failure> {
        let mut tx = self.write().await?;
        // Waits for the batches under way, and keeps new ones out: each is wholly before this decision, or decided by it.
        sqlx::query("LOCK TABLE boards IN EXCLUSIVE MODE").execute(&mut *tx).await?;
        match weigh(&mut tx, moderation).await? {
            Err(answer) => Ok(answer),
            Ok(weighed) => {
                write(&mut tx, &weighed).await?;
                commit(tx).await?;
                Ok(Moderated::Done(weighed.effects))
            }
        }
    }

    async fn own_of(&self, board: &BoardId, season: Option<Season>, user: UserId) -> Result<Option<Own>, Failure> {
        let row = sqlx::query(
            "SELECT restrictions.restriction, seasons.season, meta.epoch, boards.version,
                    withheld.score, withheld.reached, withheld.updated_at
             FROM restrictions CROSS JOIN boards
             JOIN seasons ON seasons.board = boards.no AND seasons.season = coalesce($3, boards.season)
             CROSS JOIN meta
             LEFT JOIN withheld
               ON withheld.board = boards.no AND withheld.season = seasons.season AND withheld.user_id = $2
             WHERE restrictions.user_id = $2 AND boards.id = $1",
        )
        .bind(board.as_str())
        .bind(user.as_uuid())
        .bind(season.map(season_number))
        .fetch_optional(&mut *self.pool.acquire().await?)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let mut columns = Columns::of(&row);
        let (restriction, season, position) = (columns.word()?, columns.season()?, columns.position()?);
        Ok(Some(Own { restriction, season, position, reached: columns.reached_before()? }))
    }
}

/// Weighs a decision; one that was carried out before, or is refused, is answered as such.
async fn weigh(tx: &mut PgConnection, moderation: &Moderation) -> Result<Result<Weighed, Moderated>, Failure> {
    if let Some(carried_out) = carried_out(&mut *tx, moderation.id).await? {
        return Ok(Err(carried_out.answer_again(moderation)));
    }
    let turned = match moderation.act.voids() {
        Some(to_void) => match turned(tx, moderation.act.actions(), to_void).await? {
            Ok(turned) => turned,
            Err(refusal) => return Ok(Err(Moderated::Refused(refusal))),
        },
        None => Vec::new(),
    };
    let mut users: Users = turned.iter().map(|turned| (turned.board.clone(), turned.season, turned.user)).collect();
    if let Some(user) = moderation.act.user() {
        users.extend(everywhere(tx, user).await?);
    }
    let (boards, numbers) = boards(tx, &users).await?;
    let mut inquiry = Inquiry { boards, ..Inquiry::default() };
    heads(tx, users, &numbers, &mut inquiry).await?;
    let needy = inquiry.dossiers.iter_mut().filter(|dossier| moderation.act.needs_rows(&dossier.board));
    rows(tx, &numbers, needy.collect()).await?;
    for turned in turned.iter().filter(|turned| turned.is_behind_archive) {
        let of = |dossier: &&mut Dossier| {
            (&dossier.board, dossier.season, dossier.user) == (&turned.board, turned.season, turned.user)
        };
        inquiry.dossiers.iter_mut().filter(of).for_each(|dossier| dossier.has_archived_voids = true);
    }
    let corrections = match inquiry.decide(moderation) {
        Ok(corrections) => corrections,
        Err(refusal) => return Ok(Err(Moderated::Refused(refusal))),
    };
    let effects = Effects {
        carried_out: CarriedOut {
            moderation: moderation.clone(),
            changed: turned.len() as u64,
            corrections: corrections.rows.len() as u64,
        },
        replayed: false,
        shifts: corrections.shifts.clone(),
    };
    Ok(Ok(Weighed { turned, corrections, effects, numbers }))
}

/// Those of the actions that count otherwise from now on.
async fn turned(
    tx: &mut PgConnection,
    actions: &[ActionId],
    to_void: bool,
) -> Result<Result<Vec<Turned>, ModerationRefusal>, Failure> {
    let ids: Vec<Uuid> = actions.iter().map(ActionId::as_uuid).collect();
    // The bounds are for the planner, as in a batch.
    let (least, greatest) = (ids.iter().min().copied(), ids.iter().max().copied());
    let rows = sqlx::query(
        "SELECT log.action_id, boards.id, log.season, log.user_id, log.version, log.version <= boards.log_after,
                coalesce((SELECT is_void FROM voids WHERE voids.action_id = log.action_id), false)
         FROM log JOIN boards ON boards.no = log.board
         WHERE log.action_id = ANY ($1) AND log.action_id BETWEEN $2 AND $3 AND log.origin <> 'correction'",
    )
    .bind(ids)
    .bind(least)
    .bind(greatest)
    .fetch_all(tx)
    .await?;
    let (mut known, mut turned) = (HashSet::with_capacity(rows.len()), Vec::new());
    for row in &rows {
        let mut columns = Columns::of(row);
        let found = Turned {
            action: columns.id().map(ActionId::from_bytes)?,
            board: BoardId::new(columns.take()?)?,
            season: columns.season()?,
            user: columns.user()?,
            version: columns.version()?,
            is_behind_archive: columns.take()?,
        };
        known.insert(found.action);
        if columns.take::<bool>()? != to_void {
            turned.push(found);
        }
    }
    let unknown: Vec<ActionId> = actions.iter().copied().filter(|action| !known.contains(action)).collect();
    Ok(if unknown.is_empty() { Ok(turned) } else { Err(ModerationRefusal::UnknownActions(unknown)) })
}

/// Wherever a user has anything, or has had it.
async fn everywhere(tx: &mut PgConnection, user: UserId) -> Result<Users, Failure> {
    let rows = sqlx::query(
        "SELECT boards.id, seasons.season FROM seasons JOIN boards ON boards.no = seasons.board
         WHERE EXISTS (SELECT FROM scores WHERE scores.board = seasons.board AND scores.season = seasons.season
                                            AND scores.user_id = $1)
            OR EXISTS (SELECT FROM withheld WHERE withheld.board = seasons.board AND withheld.season = seasons.season
                                              AND withheld.user_id = $1)
            OR EXISTS (SELECT FROM log WHERE log.board = seasons.board AND log.season = seasons.season AND log.user_id = $1)",
    )
    .bind(user.as_uuid())
    .fetch_all(tx)
    .await?;
    let place = |row: &PgRow| {
        let mut columns = Columns::of(row);
        Ok((BoardId::new(columns.take()?)?, columns.season()?, user))
    };
    rows.iter().map(place).collect()
}

/// The boards of these users.
async fn boards(tx: &mut PgConnection, users: &Users) -> Result<(HashMap<BoardId, BoardState>, Numbers), Failure> {
    let names: BTreeSet<&str> = users.iter().map(|(board, ..)| board.as_str()).collect();
    let rows = sqlx::query(
        "SELECT boards.id, boards.no, boards.direction, boards.operator, boards.tie_break, boards.season,
                meta.epoch, boards.version, seasons.total, boards.head
         FROM boards JOIN seasons ON seasons.board = boards.no AND seasons.season = boards.season CROSS JOIN meta
         WHERE boards.id = ANY ($1)",
    )
    .bind(Vec::from_iter(names))
    .fetch_all(tx)
    .await?;
    let (mut boards, mut numbers) = (HashMap::with_capacity(rows.len()), HashMap::with_capacity(rows.len()));
    for row in &rows {
        let mut columns = Columns::of(row);
        let id = BoardId::new(columns.take()?)?;
        numbers.insert(id.clone(), columns.take()?);
        // The decision looks at the operator and the order alone.
        let spec = BoardSpec {
            direction: columns.word()?,
            operator: columns.word()?,
            tie_break: columns.word()?,
            ..BoardSpec::new(id.clone())
        };
        let season = columns.season()?;
        let position = Position { epoch: Epoch::new(columns.count()?), version: columns.version()? };
        boards.insert(id, BoardState { spec, season, position, total: columns.count()?, head: columns.digest()? });
    }
    Ok((boards, numbers))
}

/// What the users have, what is shown of them, and what they may not.
async fn heads(tx: &mut PgConnection, users: Users, numbers: &Numbers, inquiry: &mut Inquiry) -> Result<(), Failure> {
    let rows = sqlx::query(
        "SELECT named.key, seasons.total, restrictions.restriction, moderations.act, scores.score, scores.reached, scores.updated_at,
                withheld.score, withheld.reached, withheld.updated_at,
                EXISTS (SELECT FROM voids WHERE voids.board = named.board AND voids.user_id = named.user_id
                                            AND voids.version <= boards.log_after)
         FROM unnest($1::bigint[], $2::bigint[], $3::uuid[]) WITH ORDINALITY AS named (board, season, user_id, key)
         JOIN boards ON boards.no = named.board
         JOIN seasons ON seasons.board = named.board AND seasons.season = named.season
         LEFT JOIN restrictions ON restrictions.user_id = named.user_id
         LEFT JOIN moderations ON moderations.no = restrictions.moderation
         LEFT JOIN scores
           ON scores.board = named.board AND scores.season = named.season AND scores.user_id = named.user_id
         LEFT JOIN withheld
           ON withheld.board = named.board AND withheld.season = named.season AND withheld.user_id = named.user_id
         ORDER BY named.key",
    )
    .bind(Vec::from_iter(users.iter().map(|(board, ..)| numbers[board])))
    .bind(Vec::from_iter(users.iter().map(|(_, season, _)| season_number(*season))))
    .bind(Vec::from_iter(users.iter().map(|(.., user)| user.as_uuid())))
    .fetch_all(tx)
    .await?;
    if rows.len() != users.len() {
        return Err(Failure::stored("a board without its season"));
    }
    for ((board, season, user), row) in users.into_iter().zip(&rows) {
        let mut columns = Columns::of(row);
        let (_key, total) = (columns.count()?, columns.count()?);
        let restriction = columns.word_if()?;
        let by = columns.take::<Option<&str>>()?;
        let restricted_by = by.map(serde_json::from_str).transpose().map_err(Failure::stored)?;
        let (shown, aside) = (columns.reached_before()?, columns.reached_before()?);
        inquiry.totals.insert((board.clone(), season), total);
        inquiry.dossiers.push(Dossier {
            board,
            season,
            user,
            restriction,
            restricted_by,
            own: aside.or(shown),
            shown,
            rows: Vec::new(),
            voided: HashSet::new(),
            has_archived_voids: columns.take()?,
        });
    }
    Ok(())
}

/// The rows of the dossiers' users, behind what is archived.
async fn rows(tx: &mut PgConnection, numbers: &Numbers, mut dossiers: Vec<&mut Dossier>) -> Result<(), Failure> {
    if dossiers.is_empty() {
        return Ok(());
    }
    let found = sqlx::query(concat!(
        "SELECT named.key, coalesce((SELECT is_void FROM voids WHERE voids.action_id = log.action_id), false), ",
        log_columns!(),
        " FROM unnest($1::bigint[], $2::bigint[], $3::uuid[]) WITH ORDINALITY AS named (board, season, user_id, key)
          JOIN boards ON boards.no = named.board
          JOIN log ON log.board = named.board AND log.user_id = named.user_id AND log.season = named.season
                  AND log.version > boards.log_after
          ORDER BY named.key, log.version"
    ))
    .bind(Vec::from_iter(dossiers.iter().map(|dossier| numbers[&dossier.board])))
    .bind(Vec::from_iter(dossiers.iter().map(|dossier| season_number(dossier.season))))
    .bind(Vec::from_iter(dossiers.iter().map(|dossier| dossier.user.as_uuid())))
    .fetch_all(tx)
    .await?;
    for row in &found {
        let mut columns = Columns::of(row);
        let place = usize::try_from(columns.count()?).ok().and_then(|place| place.checked_sub(1));
        let dossier = place.and_then(|place| dossiers.get_mut(place));
        let dossier = dossier.ok_or_else(|| Failure::stored("a key that was not asked for"))?;
        let is_void: bool = columns.take()?;
        let row = columns.log_row()?;
        if is_void {
            dossier.voided.insert(row.action_id);
        }
        dossier.rows.push(row);
    }
    Ok(())
}

async fn write(tx: &mut PgConnection, weighed: &Weighed) -> Result<(), Failure> {
    let Weighed { turned, corrections, effects, numbers } = weighed;
    if !corrections.rows.is_empty() {
        write_log(tx, &corrections.rows, numbers).await?;
        write_places(tx, corrections, numbers).await?;
        write_boards(tx, &corrections.boards, &corrections.totals, numbers).await?;
    }
    let no = write_decision(tx, &effects.carried_out).await?;
    match &effects.carried_out.moderation.act {
        ModerationAct::Void { .. } => turn(tx, turned, numbers, true, no).await?,
        ModerationAct::Unvoid { .. } => turn(tx, turned, numbers, false, no).await?,
        ModerationAct::Restrict { user_id, restriction } => {
            sqlx::query(
                "INSERT INTO restrictions (user_id, restriction, moderation) VALUES ($1, $2, $3)
                 ON CONFLICT (user_id) DO UPDATE
                 SET restriction = excluded.restriction, moderation = excluded.moderation
                 WHERE restrictions.restriction <> excluded.restriction",
            )
            .bind(user_id.as_uuid())
            .bind(restriction.as_word())
            .bind(no)
            .execute(tx)
            .await?;
        }
        ModerationAct::Lift { user_id } => {
            sqlx::query("DELETE FROM restrictions WHERE user_id = $1").bind(user_id.as_uuid()).execute(tx).await?;
        }
        ModerationAct::Hold { user_id, .. } => {
            sqlx::query(
                "INSERT INTO restrictions (user_id, restriction, moderation) VALUES ($1, 'held', $2)
                 ON CONFLICT (user_id) DO NOTHING",
            )
            .bind(user_id.as_uuid())
            .bind(no)
            .execute(tx)
            .await?;
        }
        ModerationAct::Conclude { user_id, release, .. } => {
            turn(tx, turned, numbers, true, no).await?;
            if *release {
                sqlx::query(
                    "DELETE FROM restrictions USING moderations
                     WHERE restrictions.user_id = $1 AND moderations.no = restrictions.moderation
                       AND moderations.act::json ->> 'act' = 'hold'",
                )
                .bind(user_id.as_uuid())
                .execute(tx)
                .await?;
            }
        }
    }
    Ok(())
}

async fn turn(
    tx: &mut PgConnection,
    turned: &[Turned],
    numbers: &Numbers,
    is_void: bool,
    decision: i64,
) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO voids (action_id, board, user_id, version, is_void, moderation)
         SELECT unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::uuid[]), unnest($4::bigint[]), $5, $6
         ON CONFLICT (action_id) DO UPDATE SET is_void = excluded.is_void, moderation = excluded.moderation",
    )
    .bind(Vec::from_iter(turned.iter().map(|turned| turned.action.as_uuid())))
    .bind(Vec::from_iter(turned.iter().map(|turned| numbers[&turned.board])))
    .bind(Vec::from_iter(turned.iter().map(|turned| turned.user.as_uuid())))
    .bind(Vec::from_iter(turned.iter().map(|turned| number(turned.version.get()))))
    .bind(is_void)
    .bind(decision)
    .execute(tx)
    .await?;
    Ok(())
}

/// What is shown, and what is kept aside: all of the users are taken out of both, and put where they belong.
async fn write_places(tx: &mut PgConnection, corrections: &Corrections, numbers: &Numbers) -> Result<(), Failure> {
    let places = || corrections.places.iter();
    let boards = Vec::from_iter(places().map(|place| numbers[&place.board]));
    let seasons = Vec::from_iter(places().map(|place| season_number(place.season)));
    let users = Vec::from_iter(places().map(|place| place.user.as_uuid()));
    for statement in [
        "DELETE FROM scores USING (SELECT unnest($1::bigint[]) AS board, unnest($2::bigint[]) AS season, unnest($3::uuid[]) AS user_id) AS gone
         WHERE scores.board = gone.board AND scores.season = gone.season AND scores.user_id = gone.user_id",
        "DELETE FROM withheld USING (SELECT unnest($1::bigint[]) AS board, unnest($2::bigint[]) AS season, unnest($3::uuid[]) AS user_id) AS gone
         WHERE withheld.board = gone.board AND withheld.season = gone.season AND withheld.user_id = gone.user_id",
    ] {
        sqlx::query(statement).bind(&boards).bind(&seasons).bind(&users).execute(&mut *tx).await?;
    }
    let (mut shown, mut aside) = (BTreeMap::new(), BTreeMap::new());
    for place in places() {
        let key = (numbers[&place.board], place.season, place.user);
        if let Some(reached) = place.shown {
            shown.insert(key, (corrections.boards[&place.board].spec.order(), reached));
        }
        if let Some(own) = place.own.filter(|_| place.is_restricted) {
            aside.insert(key, own);
        }
    }
    write_scores(tx, &shown).await?;
    write_withheld(tx, &aside).await
}

/// Its number.
async fn write_decision(tx: &mut PgConnection, carried_out: &CarriedOut) -> Result<i64, Failure> {
    let CarriedOut { moderation, changed, corrections } = carried_out;
    let no = sqlx::query_scalar(
        "INSERT INTO moderations (id, at, by, reason, act, changed, corrections)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING no",
    )
    .bind(moderation.id.as_uuid())
    .bind(moderation.at.as_millis())
    .bind(&moderation.by)
    .bind(&moderation.reason)
    .bind(serde_json::to_string(&moderation.act).map_err(Failure::stored)?)
    .bind(number(*changed))
    .bind(number(*corrections))
    .fetch_one(tx)
    .await?;
    Ok(no)
}

macro_rules! select_decisions {
    ($rest:literal) => {
        concat!("SELECT id, at, by, reason, act, changed, corrections FROM moderations ", $rest)
    };
}

async fn carried_out(executor: impl PgExecutor<'_>, id: ModerationId) -> Result<Option<CarriedOut>, Failure> {
    let row = sqlx::query(select_decisions!("WHERE id = $1")).bind(id.as_uuid()).fetch_optional(executor).await?;
    row.as_ref().map(decode).transpose()
}

fn decode(row: &PgRow) -> Result<CarriedOut, Failure> {
    let mut columns = Columns::of(row);
    let moderation = Moderation {
        id: columns.id().map(ModerationId::from_bytes)?,
        at: columns.at()?,
        by: columns.take()?,
        reason: columns.take()?,
        act: serde_json::from_str(columns.take()?).map_err(Failure::stored)?,
    };
    Ok(CarriedOut { moderation, changed: columns.count()?, corrections: columns.count()? })
}

#[async_trait]
impl ModerationStore for PostgresStore {
    async fn moderate(&self, moderation: &Moderation) -> Result<Moderated, BackendError> {
        self.writes("moderate", self.carry_out(moderation)).await
    }

    async fn preview(&self, moderation: &Moderation) -> Result<Moderated, BackendError> {
        let preview = async {
            Ok(match weigh(&mut *self.snapshot().await?, moderation).await? {
                Ok(weighed) => Moderated::Done(weighed.effects),
                Err(answer) => answer,
            })
        };
        self.reads("preview", preview).await
    }

    async fn moderation(&self, id: ModerationId) -> Result<Option<CarriedOut>, BackendError> {
        let found = async { carried_out(&mut *self.pool.acquire().await?, id).await };
        self.reads("moderation", found).await
    }

    async fn moderations(&self, before: Option<ModerationId>, count: usize) -> Result<Vec<CarriedOut>, BackendError> {
        let list = async {
            let rows = sqlx::query(select_decisions!(
                "WHERE $1::uuid IS NULL OR no < (SELECT no FROM moderations WHERE id = $1) ORDER BY no DESC LIMIT $2"
            ))
            .bind(before.as_ref().map(ModerationId::as_uuid))
            .bind(limit(count))
            .fetch_all(&mut *self.pool.acquire().await?)
            .await?;
            rows.iter().map(decode).collect::<Result<_, Failure>>()
        };
        self.reads("moderations", list).await
    }

    async fn restriction(&self, user: UserId) -> Result<Option<Restricted>, BackendError> {
        let found = async {
            let row = sqlx::query(
                "SELECT restrictions.restriction, moderations.id FROM restrictions
                 JOIN moderations ON moderations.no = restrictions.moderation WHERE restrictions.user_id = $1",
            )
            .bind(user.as_uuid())
            .fetch_optional(&mut *self.pool.acquire().await?)
            .await?;
            let Some(row) = row else { return Ok(None) };
            let mut columns = Columns::of(&row);
            let restriction = columns.word()?;
            Ok(Some(Restricted { restriction, moderation_id: columns.id().map(ModerationId::from_bytes)? }))
        };
        self.reads("restriction", found).await
    }

    async fn own(&self, board: &BoardId, season: Option<Season>, user: UserId) -> Result<Option<Own>, BackendError> {
        self.reads("own", self.own_of(board, season, user)).await
    }

    async fn voided(&self, actions: &[ActionId]) -> Result<HashSet<ActionId>, BackendError> {
        let found = async {
            let rows = sqlx::query("SELECT action_id FROM voids WHERE action_id = ANY ($1) AND is_void")
                .bind(Vec::from_iter(actions.iter().map(ActionId::as_uuid)))
                .fetch_all(&mut *self.pool.acquire().await?)
                .await?;
            rows.iter().map(|row| Columns::of(row).id().map(ActionId::from_bytes)).collect::<Result<_, Failure>>()
        };
        self.reads("voided", found).await
    }

    async fn corrections(
        &self,
        board: &BoardId,
        user: UserId,
        after: Version,
        before: Version,
        count: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        let between = (after, before);
        let rows = async { log::corrections(&mut *self.pool.acquire().await?, board, user, between, count).await };
        self.reads("corrections", rows).await
    }
}
