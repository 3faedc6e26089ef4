//! What a decision comes to: what it concerns is read, and decided by the one definition that all stores have.

use std::collections::{BTreeSet, HashMap, HashSet};

use scoreboard_core::{
    ActionId, BoardId, BoardSpec, BoardState, Corrections, Dossier, Effects, Epoch, Inquiry, Moderated, Moderation,
    ModerationRefusal, Position, Season, UserId, Version,
};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::carried_out;
use crate::apply::Numbers;
use crate::error::Failure;
use crate::rows::{Columns, log_columns, season as season_number};

/// What a decision comes to, before anything of it is written.
pub(super) struct Weighed {
    pub(super) turned: Vec<Turned>,
    pub(super) corrections: Corrections,
    pub(super) effects: Effects,
    pub(super) numbers: Numbers,
}

/// An action that counts otherwise from now on.
pub(super) struct Turned {
    pub(super) action: ActionId,
    pub(super) board: BoardId,
    pub(super) season: Season,
    pub(super) user: UserId,
    pub(super) version: Version,
    /// Whether it lies where the log is not whole any more.
    pub(super) is_behind_archive: bool,
}

/// Whose dossiers are needed.
type Users = BTreeSet<(BoardId, Season, UserId)>;

/// Weighs a decision; one that was carried out before, or is refused, is answered as such.
pub(super) async fn weigh(
    tx: &mut PgConnection,
    moderation: &Moderation,
) -> Result<Result<Weighed, Moderated>, Failure> {
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
    let effects = corrections.effects(moderation, turned.len());
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
