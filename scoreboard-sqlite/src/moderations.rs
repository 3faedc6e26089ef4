//! Decisions of moderators: read what they concern, decide once for all stores, write, commit.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use scoreboard_core::{
    ActionId, BackendError, BoardId, CarriedOut, Corrections, Dossier, Effects, Inquiry, LogRow, Moderated, Moderation,
    ModerationAct, ModerationId, ModerationRefusal, ModerationStore, Own, Restricted, Season, UserId, Version,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::apply::{
    Chain, Chains, Key, Numbers, boards, remove_aside, write_aside, write_boards, write_log, write_shown,
};
use crate::connection::{SqliteStore, commit};
use crate::error::Failure;
use crate::json::hex_array;
use crate::log::{Of, history};
use crate::rows::{Columns, Word, limit, log_columns};

/// What a decision comes to, before anything of it is written.
struct Weighed {
    /// The actions that count otherwise.
    turned: Vec<ActionId>,
    corrections: Corrections,
    effects: Effects,
    numbers: Numbers,
    chains: Chains,
}

impl SqliteStore {
    async fn carry_out(&self, moderation: &Moderation) -> Result<Moderated, Failure> {
        let mut tx = self.write().await?;
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
             JOIN seasons ON seasons.board = boards.no AND seasons.season = coalesce(?3, boards.season)
             CROSS JOIN meta
             LEFT JOIN withheld
               ON withheld.board = boards.no AND withheld.season = seasons.season AND withheld.user_id = ?2
             WHERE restrictions.user_id = ?2 AND boards.id = ?1",
        )
        .bind(board.as_str())
        .bind(user.as_bytes().as_slice())
        .bind(season.map(|season| i64::from(season.get())))
        .fetch_optional(&mut *self.reader().await?)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let mut columns = Columns::of(&row);
        let (restriction, season, position) = (columns.word()?, columns.season()?, columns.position()?);
        Ok(Some(Own { restriction, season, position, reached: columns.reached_before()? }))
    }
}

/// Weighs a decision; one that was carried out before, or is refused, is answered as such.
async fn weigh(tx: &mut SqliteConnection, moderation: &Moderation) -> Result<Result<Weighed, Moderated>, Failure> {
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
    let effects = Effects {
        carried_out: CarriedOut {
            moderation: moderation.clone(),
            changed: turned.len() as u64,
            corrections: corrections.rows.len() as u64,
        },
        replayed: false,
        shifts: corrections.shifts.clone(),
    };
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

async fn write(tx: &mut SqliteConnection, weighed: &Weighed) -> Result<(), Failure> {
    let Weighed { turned, corrections, effects, numbers, chains } = weighed;
    let mut chains = chains.clone();
    write_log(tx, &corrections.rows, numbers, &mut chains).await?;
    let (mut shown, mut aside) = (BTreeMap::new(), BTreeMap::new());
    for place in &corrections.places {
        let key = (numbers[&place.board], place.season, place.user);
        match place.shown {
            Some(reached) => drop(shown.insert(key, (corrections.boards[&place.board].spec.order(), reached))),
            None => remove_shown(tx, key).await?,
        }
        // A chain has its end somewhere, also that of somebody who has nothing left.
        if place.is_restricted || place.own.is_none() {
            aside.insert(key, place.own);
        } else {
            remove_aside(tx, key).await?;
        }
    }
    write_shown(tx, shown, &chains).await?;
    write_aside(tx, aside, &chains).await?;
    write_boards(tx, &corrections.boards, &corrections.totals, numbers).await?;
    let no = write_decision(tx, &effects.carried_out).await?;
    match &effects.carried_out.moderation.act {
        ModerationAct::Void { .. } => void(tx, turned, no).await?,
        ModerationAct::Unvoid { .. } => {
            sqlx::query("DELETE FROM voids WHERE action_id IN (SELECT unhex(value) FROM json_each(?))")
                .bind(hex_array(turned.iter().map(ActionId::as_bytes)))
                .execute(tx)
                .await?;
        }
        ModerationAct::Restrict { user_id, restriction } => {
            sqlx::query(
                "INSERT OR FAIL INTO restrictions (user_id, restriction, moderation) VALUES (?, ?, ?)
                 ON CONFLICT (user_id) DO UPDATE
                 SET restriction = excluded.restriction, moderation = excluded.moderation
                 WHERE restriction <> excluded.restriction",
            )
            .bind(user_id.as_bytes().as_slice())
            .bind(restriction.as_word())
            .bind(no)
            .execute(tx)
            .await?;
        }
        ModerationAct::Lift { user_id } => {
            sqlx::query("DELETE FROM restrictions WHERE user_id = ?")
                .bind(user_id.as_bytes().as_slice())
                .execute(tx)
                .await?;
        }
        ModerationAct::Hold { user_id, .. } => {
            sqlx::query(
                "INSERT INTO restrictions (user_id, restriction, moderation) VALUES (?, 'held', ?)
                 ON CONFLICT (user_id) DO NOTHING",
            )
            .bind(user_id.as_bytes().as_slice())
            .bind(no)
            .execute(tx)
            .await?;
        }
        ModerationAct::Conclude { user_id, release, .. } => {
            void(tx, turned, no).await?;
            if *release {
                sqlx::query(
                    "DELETE FROM restrictions WHERE user_id = ?
                       AND (SELECT act ->> 'act' FROM moderations WHERE no = restrictions.moderation) = 'hold'",
                )
                .bind(user_id.as_bytes().as_slice())
                .execute(tx)
                .await?;
            }
        }
    }
    Ok(())
}

async fn void(tx: &mut SqliteConnection, turned: &[ActionId], decision: i64) -> Result<(), Failure> {
    sqlx::query("INSERT OR FAIL INTO voids (action_id, moderation) SELECT unhex(value), ?2 FROM json_each(?1)")
        .bind(hex_array(turned.iter().map(ActionId::as_bytes)))
        .bind(decision)
        .execute(tx)
        .await?;
    Ok(())
}

async fn remove_shown(tx: &mut SqliteConnection, (no, season, user): Key) -> Result<(), Failure> {
    sqlx::query("DELETE FROM scores WHERE board = ? AND season = ? AND user_id = ?")
        .bind(no)
        .bind(season.get())
        .bind(user.as_bytes().as_slice())
        .execute(tx)
        .await?;
    Ok(())
}

/// Its number.
async fn write_decision(tx: &mut SqliteConnection, carried_out: &CarriedOut) -> Result<i64, Failure> {
    let CarriedOut { moderation, changed, corrections } = carried_out;
    let number = |count: u64| i64::try_from(count).map_err(Failure::stored);
    let no = sqlx::query_scalar(
        "INSERT OR FAIL INTO moderations (id, at, by, reason, act, changed, corrections)
         VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING no",
    )
    .bind(moderation.id.as_bytes().as_slice())
    .bind(moderation.at.as_millis())
    .bind(&moderation.by)
    .bind(&moderation.reason)
    .bind(serde_json::to_string(&moderation.act).map_err(Failure::stored)?)
    .bind(number(*changed)?)
    .bind(number(*corrections)?)
    .fetch_one(tx)
    .await?;
    Ok(no)
}

macro_rules! select_decisions {
    ($rest:literal) => {
        concat!("SELECT id, at, by, reason, act, changed, corrections FROM moderations ", $rest)
    };
}

async fn carried_out(executor: impl SqliteExecutor<'_>, id: ModerationId) -> Result<Option<CarriedOut>, Failure> {
    let row =
        sqlx::query(select_decisions!("WHERE id = ?")).bind(id.as_bytes().as_slice()).fetch_optional(executor).await?;
    row.as_ref().map(decode).transpose()
}

fn decode(row: &SqliteRow) -> Result<CarriedOut, Failure> {
    let mut columns = Columns::of(row);
    let moderation = Moderation {
        id: columns.bytes().map(ModerationId::from_bytes)?,
        at: columns.at()?,
        by: columns.take()?,
        reason: columns.take()?,
        act: serde_json::from_str(columns.take()?).map_err(Failure::stored)?,
    };
    Ok(CarriedOut { moderation, changed: columns.count()?, corrections: columns.count()? })
}

#[async_trait]
impl ModerationStore for SqliteStore {
    async fn moderate(&self, moderation: &Moderation) -> Result<Moderated, BackendError> {
        self.carry_out(moderation).await.map_err(|failure| failure.during("moderate"))
    }

    async fn preview(&self, moderation: &Moderation) -> Result<Moderated, BackendError> {
        let preview = async {
            Ok(match weigh(&mut *self.snapshot().await?, moderation).await? {
                Ok(weighed) => Moderated::Done(weighed.effects),
                Err(answer) => answer,
            })
        };
        preview.await.map_err(|failure: Failure| failure.during("preview"))
    }

    async fn moderation(&self, id: ModerationId) -> Result<Option<CarriedOut>, BackendError> {
        let found = async { carried_out(&mut *self.reader().await?, id).await };
        found.await.map_err(|failure| failure.during("moderation"))
    }

    async fn moderations(&self, before: Option<ModerationId>, count: usize) -> Result<Vec<CarriedOut>, BackendError> {
        let list = async {
            let rows = sqlx::query(select_decisions!(
                "WHERE ?1 IS NULL OR no < (SELECT no FROM moderations WHERE id = ?1) ORDER BY no DESC LIMIT ?2"
            ))
            .bind(before.as_ref().map(|before| before.as_bytes().as_slice()))
            .bind(limit(count))
            .fetch_all(&mut *self.reader().await?)
            .await?;
            rows.iter().map(decode).collect::<Result<_, Failure>>()
        };
        list.await.map_err(|failure| failure.during("moderations"))
    }

    async fn restriction(&self, user: UserId) -> Result<Option<Restricted>, BackendError> {
        let found = async {
            let row = sqlx::query(
                "SELECT restrictions.restriction, moderations.id FROM restrictions
                 JOIN moderations ON moderations.no = restrictions.moderation WHERE restrictions.user_id = ?",
            )
            .bind(user.as_bytes().as_slice())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
            let Some(row) = row else { return Ok(None) };
            let mut columns = Columns::of(&row);
            let restriction = columns.word()?;
            Ok(Some(Restricted { restriction, moderation_id: columns.bytes().map(ModerationId::from_bytes)? }))
        };
        found.await.map_err(|failure: Failure| failure.during("restriction"))
    }

    async fn own(&self, board: &BoardId, season: Option<Season>, user: UserId) -> Result<Option<Own>, BackendError> {
        self.own_of(board, season, user).await.map_err(|failure| failure.during("own"))
    }

    async fn voided(&self, actions: &[ActionId]) -> Result<HashSet<ActionId>, BackendError> {
        let found = async {
            let rows = sqlx::query(
                "SELECT voids.action_id FROM json_each(?) AS named CROSS JOIN voids ON voids.action_id = unhex(named.value)",
            )
            .bind(hex_array(actions.iter().map(ActionId::as_bytes)))
            .fetch_all(&mut *self.reader().await?)
            .await?;
            rows.iter().map(|row| Columns::of(row).bytes().map(ActionId::from_bytes)).collect::<Result<_, Failure>>()
        };
        found.await.map_err(|failure| failure.during("voided"))
    }

    async fn corrections(
        &self,
        board: &BoardId,
        user: UserId,
        after: Version,
        before: Version,
        count: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        let of = Of::Corrections { after };
        let rows = async { history(&mut *self.reader().await?, board, user, of, Some(before), count).await };
        rows.await.map_err(|failure| failure.during("corrections"))
    }
}
