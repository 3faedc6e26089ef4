//! Decisions of moderators: carried out, and what they would change told before.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::board::Season;
use crate::clock::Timestamp;
use crate::entry::{Entry, PageQuery, Range, rank_entries};
use crate::error::{Rejection, Result};
use crate::fraud::{Incident, IncidentFilter, IncidentStatus};
use crate::ids::{ActionId, BoardId, ModerationId, UserId};
use crate::pipeline::Scoreboard;
use crate::pipeline::publish::publish;
use crate::pipeline::read::entry;
use crate::pipeline::refresh::refresh;
use crate::ranking::{Ahead, Order, OrderKey, RankStyle};
use crate::score::Score;
use crate::store::{
    CarriedOut, Effects, Moderated, Moderation, ModerationAct, ModerationStore, Reached, Restricted, ScoreStore, Shift,
};
use crate::version::Position;

/// How many actions one decision may name: it keeps writers waiting while it is carried out.
pub const MAX_MODERATED: usize = 10_000;

/// How many rows of a user are read at once.
const CHUNK: usize = 1_000;
/// How many incidents are read at once, and how many in all.
const INCIDENTS: usize = 500;
const MAX_INCIDENTS: usize = 100_000;
/// How many users of a preview are told with their ranks.
const MAX_TOLD: usize = 100;
/// How many entries of a board's top a preview shows.
const TOP: usize = 10;

/// Which actions are meant, told by what they have in common: all conditions hold of each. Corrections are no actions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Selection {
    /// On this board; on all of them if `None`.
    pub board: Option<BoardId>,
    /// Of this user.
    pub user: Option<UserId>,
    /// Of the users about whom this fraud rule has written an incident down on the action's board that nobody has dismissed.
    pub rule: Option<String>,
    /// Counted from this moment on.
    pub from: Option<Timestamp>,
    /// Counted before this moment.
    pub until: Option<Timestamp>,
}

/// What a decision would change.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The decision, with its counts.
    pub would_be: CarriedOut,
    /// Whether it was carried out before, and nothing would be done.
    pub replayed: bool,
    /// How many places of users others would see changed.
    pub shifted: u64,
    /// The boards on which they are.
    pub boards: Vec<BoardPreview>,
    /// The first hundred of these users, by board, season and user.
    pub shifts: Vec<ShiftPreview>,
}

/// A board as others see it, before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct BoardPreview {
    /// The board.
    pub board: BoardId,
    /// The season.
    pub season: Season,
    /// Where the board is as this is told.
    pub position: Position,
    /// Its entries.
    pub total: u64,
    /// Its entries afterwards.
    pub total_after: u64,
    /// The first ten.
    pub top: Vec<Entry>,
    /// The first ten afterwards.
    pub top_after: Vec<Entry>,
}

/// A user's place as others see it, before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ShiftPreview {
    /// The board.
    pub board: BoardId,
    /// The season.
    pub season: Season,
    /// The user.
    pub user_id: UserId,
    /// The score; `null` if they are not on the board.
    pub score: Option<Score>,
    /// The rank.
    pub rank: Option<u64>,
    /// The score afterwards.
    pub score_after: Option<Score>,
    /// The rank afterwards.
    pub rank_after: Option<u64>,
}

impl Scoreboard {
    /// The decisions about this scoreboard's data.
    fn moderation(&self) -> Result<&dyn ModerationStore> {
        Ok(self.parts.moderation.as_deref().ok_or(Rejection::NoModeration)?)
    }

    /// Carries a decision out: durable when it returns, no cache answers anything older from then on, and whoever watches was told.
    ///
    /// Handing the same one in again, at once or years later, changes nothing.
    ///
    /// # Errors
    ///
    /// [`Rejection::Moderation`], [`Rejection::TooManyActions`], [`Rejection::NoModeration`] where the store has no such ability; or a backend's
    /// failure: if its kind is [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown), hand the same one in again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it is carried out wholly or not at all; watchers may hear of it late. Hand the same one in again.
    pub async fn moderate(&self, moderation: &Moderation) -> Result<Effects> {
        let store = self.moderation()?;
        bounded(moderation)?;
        let effects = match store.moderate(moderation).await? {
            Moderated::Done(effects) => effects,
            Moderated::Refused(refusal) => return Err(Rejection::Moderation(refusal).into()),
        };
        // Also of one that was carried out before: whoever did may have ended before anybody was told. Ranks in memory learn of it by the asking.
        let boards = self.parts.store.boards().await?;
        for board in &boards {
            refresh(&*self.parts.cache, &board.spec.id, board.position()).await;
        }
        for board in &boards {
            publish(&*self.parts.broadcaster, &board.spec.id, board.position(), false).await;
            self.parts.write_through.moved(&board.spec.id);
        }
        Ok(effects)
    }

    /// What a decision would change now: scores, ranks, totals and tops before and after. Changes nothing.
    ///
    /// Each board is told at a version of its own; what happens meanwhile may make it another one.
    ///
    /// # Errors
    ///
    /// As [`moderate`](Self::moderate).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn preview(&self, moderation: &Moderation) -> Result<Preview> {
        let store = self.moderation()?;
        bounded(moderation)?;
        let Effects { carried_out: would_be, replayed, shifts } = match store.preview(moderation).await? {
            Moderated::Done(effects) => effects,
            Moderated::Refused(refusal) => return Err(Rejection::Moderation(refusal).into()),
        };
        let shifted = shifts.len() as u64;
        let mut of_boards: BTreeMap<(BoardId, Season), Vec<Shift>> = BTreeMap::new();
        for shift in shifts {
            of_boards.entry((shift.board.clone(), shift.season)).or_default().push(shift);
        }
        let (mut boards, mut told) = (Vec::new(), Vec::new());
        for ((board, season), shifts) in of_boards {
            let Some(found) = self.parts.store.board(&board).await? else { continue };
            let order = found.spec.order();
            let room = MAX_TOLD - told.len().min(MAX_TOLD);
            for shift in shifts.iter().take(room) {
                told.push(self.preview_shift(order, shift, &shifts).await?);
            }
            boards.push(self.preview_board(&board, season, order, &shifts).await?);
        }
        Ok(Preview { would_be, replayed, shifted, boards, shifts: told })
    }

    async fn preview_shift(&self, order: Order, shift: &Shift, all: &[Shift]) -> Result<ShiftPreview> {
        let rank = match shift.before {
            Some(before) => Some(self.ahead(shift, key(order, before)).await? + 1),
            None => None,
        };
        let rank_after = match shift.after {
            Some(after) => {
                let key_after = key(order, after);
                // Who stands ahead now, without those who move, and with those of them who will stand ahead then.
                let stood = all.iter().filter_map(|other| other.before).filter(|has| key(order, *has) < key_after);
                let stand = all.iter().filter_map(|other| other.after).filter(|has| key(order, *has) < key_after);
                let (stood, stand) = (stood.count() as u64, stand.count() as u64);
                Some((self.ahead(shift, key_after).await? + stand).saturating_sub(stood) + 1)
            }
            None => None,
        };
        Ok(ShiftPreview {
            board: shift.board.clone(),
            season: shift.season,
            user_id: shift.user_id,
            score: shift.before.map(|before| before.score),
            rank,
            score_after: shift.after.map(|after| after.score),
            rank_after,
        })
    }

    /// How many entries stand before this key.
    async fn ahead(&self, shift: &Shift, key: OrderKey) -> Result<u64> {
        let range = Range::Before { key, limit: 1 };
        let query = PageQuery { season: Some(shift.season), range, style: RankStyle::Ordinal };
        let page = self.parts.store.page(&shift.board, query).await?;
        Ok(page.and_then(|page| page.entries.last().map(|entry| entry.rank)).unwrap_or(0))
    }

    async fn preview_board(
        &self,
        board: &BoardId,
        season: Season,
        order: Order,
        shifts: &[Shift],
    ) -> Result<BoardPreview> {
        let limit = TOP + shifts.len();
        let query = PageQuery { season: Some(season), range: Range::Top { limit }, style: RankStyle::Ordinal };
        let Some(page) = self.parts.store.page(board, query).await? else { return Err(self.missing(board).await) };
        let moving: BTreeSet<UserId> = shifts.iter().map(|shift| shift.user_id).collect();
        let staying =
            page.entries.iter().filter(|entry| !moving.contains(&entry.user_id)).map(|entry| {
                (entry.user_id, Reached { score: entry.score, version: entry.reached, at: entry.updated_at })
            });
        let coming = shifts.iter().filter_map(|shift| Some((shift.user_id, shift.after?)));
        let mut after: Vec<_> = staying.chain(coming).collect();
        after.sort_by_key(|(_, reached)| key(order, *reached));
        after.truncate(TOP);
        let after = rank_entries(RankStyle::Ordinal, Ahead::default(), after);
        let before: Vec<_> = page.entries.into_iter().take(TOP).collect();
        let names: HashMap<UserId, String> = self.names(before.iter().chain(&after)).await?;
        let [came, went] = [(true, false), (false, true)].map(|(is, was)| {
            shifts.iter().filter(|shift| (shift.after.is_some(), shift.before.is_some()) == (is, was)).count() as u64
        });
        Ok(BoardPreview {
            board: board.clone(),
            season,
            position: page.position,
            total: page.total,
            total_after: (page.total + came).saturating_sub(went),
            top: before.into_iter().map(|ranked| entry(ranked, &names)).collect(),
            top_after: after.into_iter().map(|ranked| entry(ranked, &names)).collect(),
        })
    }

    /// The actions that a selection names now, by board and version.
    ///
    /// It must name a user or a rule. What is archived is not found.
    ///
    /// # Errors
    ///
    /// [`Rejection::SelectionTooWide`] if it names neither, [`Rejection::TooManyActions`] if there are more than [`MAX_MODERATED`],
    /// [`Rejection::UnknownBoard`], or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn select(&self, selection: &Selection) -> Result<Vec<ActionId>> {
        let boards: Vec<BoardId> = match &selection.board {
            Some(board) if self.parts.store.board(board).await?.is_none() => {
                return Err(Rejection::UnknownBoard(board.clone()).into());
            }
            Some(board) => vec![board.clone()],
            None => self.parts.store.boards().await?.into_iter().map(|board| board.spec.id).collect(),
        };
        let mut users: BTreeSet<(BoardId, UserId)> = BTreeSet::new();
        match (&selection.rule, selection.user) {
            (None, None) => return Err(Rejection::SelectionTooWide.into()),
            (None, Some(user)) => users.extend(boards.into_iter().map(|board| (board, user))),
            (Some(rule), user) => {
                users = self.found_by(rule).await?;
                users.retain(|(board, found)| boards.contains(board) && user.is_none_or(|user| user == *found));
            }
        }
        let is_meant = |at: Timestamp| {
            selection.from.is_none_or(|from| at >= from) && selection.until.is_none_or(|until| at < until)
        };
        let mut actions = Vec::new();
        for (board, user) in users {
            let mut before = None;
            let mut of_user = Vec::new();
            loop {
                let rows = self.parts.store.history(&board, user, before, CHUNK).await?;
                before = rows.last().map(|row| row.position.version);
                let ended = rows.len() < CHUNK;
                of_user.extend(rows.into_iter().filter(|row| is_meant(row.at)).map(|row| row.action_id));
                if actions.len() + of_user.len() > MAX_MODERATED {
                    return Err(Rejection::TooManyActions(MAX_MODERATED).into());
                }
                if ended {
                    break;
                }
            }
            actions.extend(of_user.into_iter().rev());
        }
        Ok(actions)
    }

    /// Of the actions that a selection names now, those that such an act would turn, whatever it names itself: for one that voids, those that
    /// are not void yet. So taking it back turns what it has turned, and not what another decision did before.
    ///
    /// # Errors
    ///
    /// As [`select`](Self::select), and [`Rejection::NoModeration`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn select_for(&self, act: &ModerationAct, selection: &Selection) -> Result<Vec<ActionId>> {
        let store = self.moderation()?;
        let mut actions = self.select(selection).await?;
        if let Some(voids) = act.voids() {
            let are_void = store.voided(&actions).await?;
            actions.retain(|action| are_void.contains(action) != voids);
        }
        Ok(actions)
    }

    /// The users about whom a rule has written incidents down, and where; not those whom people have found to be honest.
    async fn found_by(&self, rule: &str) -> Result<BTreeSet<(BoardId, UserId)>> {
        let filter = IncidentFilter { rule: Some(rule.to_owned()), ..IncidentFilter::default() };
        let (mut found, mut before, mut read) = (BTreeSet::new(), None, 0);
        loop {
            let incidents = self.parts.incidents.incidents(&filter, before, INCIDENTS).await?;
            before = incidents.last().map(|incident| incident.id);
            read += incidents.len();
            let ended = incidents.len() < INCIDENTS || read >= MAX_INCIDENTS;
            let stands = |incident: &Incident| incident.case.status != IncidentStatus::Dismissed;
            found.extend(incidents.into_iter().filter(stands).map(|incident| (incident.board, incident.user_id)));
            if ended {
                return Ok(found);
            }
        }
    }

    /// The decision with this id, if it was carried out.
    ///
    /// # Errors
    ///
    /// [`Rejection::NoModeration`], or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn carried_out(&self, id: ModerationId) -> Result<Option<CarriedOut>> {
        Ok(self.moderation()?.moderation(id).await?)
    }

    /// What was decided, newest first, before the decision given, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`Rejection::NoModeration`], or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn moderations(&self, before: Option<ModerationId>, limit: usize) -> Result<Vec<CarriedOut>> {
        Ok(self.moderation()?.moderations(before, limit).await?)
    }

    /// What a user may not; `None` if they are as any other.
    ///
    /// # Errors
    ///
    /// [`Rejection::NoModeration`], or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn restriction(&self, user: UserId) -> Result<Option<Restricted>> {
        Ok(self.moderation()?.restriction(user).await?)
    }
}

fn bounded(moderation: &Moderation) -> Result<(), Rejection> {
    let is_bounded = moderation.act.actions().len() <= MAX_MODERATED;
    if is_bounded { Ok(()) } else { Err(Rejection::TooManyActions(MAX_MODERATED)) }
}

fn key(order: Order, reached: Reached) -> OrderKey {
    order.key(reached.score, reached.version)
}
