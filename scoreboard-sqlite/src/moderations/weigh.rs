//! What a decision comes to: what it concerns is read, and decided by the one definition that all stores have.

use std::collections::{BTreeSet, HashMap, HashSet};

use scoreboard_core::{
    ActionId, BoardId, Corrections, Dossier, Effects, Inquiry, Moderated, Moderation, ModerationRefusal, Season, UserId,
};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::carried_out;
use crate::apply::{Chain, Chains, Key, Numbers, boards};
use crate::error::Failure;
use crate::json::hex_array;
use crate::rows::{Columns, log_columns};

/// What a decision comes to, before anything of it is written.
pub(super) struct Weighed {
    /// The actions that count otherwise.
    pub(super) turned: Vec<ActionId>,
    pub(super) corrections: Corrections,
    pub(super) effects: Effects,
    pub(super) numbers: Numbers,
    pub(super) chains: Chains,
}

/// Weighs a decision; one that was carried out before, or is refused, is answered as such.
pub(super) async fn weigh(
    tx: &mut SqliteConnection,
    moderation: &Moderation,
) -> Result<Result<Weighed, Moderated>, Failure> {
    if let Some(carried_out) = carried_out(&mut *tx, moderation.id).await? {
        return Ok(Err(carried_out.answer_again(moderation)));
    }
    let (turned, mut users) = match moderation.act.voids() {
        Some(to_void) => match turned(tx, moderation.act.actions(), to_void).await? {
            Ok(turned) => turned,
            Err(refusal) => return Ok(Err(Moderated::Refused(refusal))),
        },
        None => (Vec::new(), Users::new()),
    };
    if let Some(user) = moderation.act.user() {
        users.extend(everywhere(tx, user).await?);
    }
    let (boards, numbers) = boards(tx, users.iter().map(|(board, ..)| board)).await?;
    let (mut inquiry, mut chains) = (Inquiry { boards, ..Inquiry::default() }, Chains::new());
    for (board, season, user) in users {
        let key = (numbers[&board], season, user);
        let needs_rows = moderation.act.needs_rows(&board);
        let (dossier, total, chain) = dossier(tx, board.clone(), key, needs_rows).await?;
        inquiry.totals.insert((board, season), total);
        chains.insert(key, chain);
        inquiry.dossiers.push(dossier);
    }
    let corrections = match inquiry.decide(moderation) {
        Ok(corrections) => corrections,
        Err(refusal) => return Ok(Err(Moderated::Refused(refusal))),
    };
    let effects = corrections.effects(moderation, turned.len());
    Ok(Ok(Weighed { turned, corrections, effects, numbers, chains }))
}

/// Whose dossiers are needed.
type Users = BTreeSet<(BoardId, Season, UserId)>;

/// Those of the actions that count otherwise from now on, and whose they are.
async fn turned(
    tx: &mut SqliteConnection,
    actions: &[ActionId],
    to_void: bool,
) -> Result<Result<(Vec<ActionId>, Users), ModerationRefusal>, Failure> {
    let rows = sqlx::query(
        "SELECT log.action_id, boards.id, log.season, log.user_id, voids.action_id IS NOT NULL
         FROM json_each(?) AS named CROSS JOIN log ON log.action_id = unhex(named.value)
         JOIN boards ON boards.no = log.board
         LEFT JOIN voids ON voids.action_id = log.action_id
         WHERE log.origin <> 'correction'",
    )
    .bind(hex_array(actions.iter().map(ActionId::as_bytes)))
    .fetch_all(tx)
    .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        let action = ActionId::from_bytes(columns.bytes()?);
        let user = (BoardId::new(columns.take()?)?, columns.season()?, columns.user()?);
        found.insert(action, (user, columns.take::<bool>()?));
    }
    let unknown: Vec<ActionId> = actions.iter().copied().filter(|action| !found.contains_key(action)).collect();
    if !unknown.is_empty() {
        return Ok(Err(ModerationRefusal::UnknownActions(unknown)));
    }
    found.retain(|_, (_, is_void)| *is_void != to_void);
    let users = found.values().map(|(user, _)| user.clone()).collect();
    Ok(Ok((found.into_keys().collect(), users)))
}

/// Wherever a user has a chain.
async fn everywhere(tx: &mut SqliteConnection, user: UserId) -> Result<Users, Failure> {
    let rows = sqlx::query(
        "SELECT boards.id, seasons.season FROM seasons JOIN boards ON boards.no = seasons.board
         LEFT JOIN scores ON scores.board = seasons.board AND scores.season = seasons.season AND scores.user_id = ?1
         LEFT JOIN withheld
           ON withheld.board = seasons.board AND withheld.season = seasons.season AND withheld.user_id = ?1
         WHERE coalesce(scores.user_id, withheld.user_id) IS NOT NULL",
    )
    .bind(user.as_bytes().as_slice())
    .fetch_all(tx)
    .await?;
    let place = |row: &SqliteRow| {
        let mut columns = Columns::of(row);
        Ok((BoardId::new(columns.take()?)?, columns.season()?, user))
    };
    rows.iter().map(place).collect()
}

/// What is known of a user who has a chain, with the season's total and the chain.
async fn dossier(
    tx: &mut SqliteConnection,
    board: BoardId,
    (no, season, user): Key,
    needs_rows: bool,
) -> Result<(Dossier, u64, Chain), Failure> {
    let row = sqlx::query(
        "SELECT seasons.total, coalesce(withheld.chain_end, scores.chain_end), coalesce(withheld.chain_at, scores.chain_at),
                withheld.chain_end IS NOT NULL, scores.score, scores.reached, scores.updated_at,
                withheld.score, withheld.reached, withheld.updated_at, restrictions.restriction, moderations.act
         FROM seasons
         LEFT JOIN scores ON scores.board = seasons.board AND scores.season = seasons.season AND scores.user_id = ?3
         LEFT JOIN withheld
           ON withheld.board = seasons.board AND withheld.season = seasons.season AND withheld.user_id = ?3
         LEFT JOIN restrictions ON restrictions.user_id = ?3
         LEFT JOIN moderations ON moderations.no = restrictions.moderation
         WHERE seasons.board = ?1 AND seasons.season = ?2",
    )
    .bind(no)
    .bind(season.get())
    .bind(user.as_bytes().as_slice())
    .fetch_one(&mut *tx)
    .await?;
    let mut columns = Columns::of(&row);
    let total = columns.count()?;
    let (end, at) = (columns.version()?, columns.at()?);
    let is_aside: bool = columns.take()?;
    let (shown, aside) = (columns.reached_before()?, columns.reached_before()?);
    let restriction = columns.word_if()?;
    let restricted_by =
        columns.take::<Option<&str>>()?.map(serde_json::from_str).transpose().map_err(Failure::stored)?;
    let own = if is_aside { aside } else { shown };
    let chain = Chain { end, at, is_aside };
    let mut dossier = Dossier {
        board,
        season,
        user,
        restriction,
        restricted_by,
        own,
        shown,
        rows: Vec::new(),
        voided: HashSet::new(),
        has_archived_voids: false,
    };
    if needs_rows {
        let rows = sqlx::query(concat!(
            "WITH RECURSIVE chain (version) AS (
                SELECT ?2
                UNION ALL
                SELECT log.chained_to FROM chain CROSS JOIN log ON log.board = ?1 AND log.version = chain.version
                WHERE log.chained_to IS NOT NULL)
             SELECT ",
            log_columns!(),
            ", voids.action_id IS NOT NULL
             FROM chain CROSS JOIN log ON log.board = ?1 AND log.version = chain.version
             LEFT JOIN voids ON voids.action_id = log.action_id
             ORDER BY log.version"
        ))
        .bind(no)
        .bind(crate::rows::number(end))
        .fetch_all(tx)
        .await?;
        for row in &rows {
            let mut columns = Columns::of(row);
            let row = columns.log_row()?;
            if columns.take()? {
                dossier.voided.insert(row.action_id);
            }
            dossier.rows.push(row);
        }
    }
    Ok((dossier, total, chain))
}
