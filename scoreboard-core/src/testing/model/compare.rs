//! Stores and the model, side by side.

use std::fmt;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::board::{BoardSpec, Season};
use crate::entry::{PageQuery, Range, Ranked, RankedPage};
use crate::error::BackendError;
use crate::ids::{ActionId, BoardId, UserId};
use crate::ranking::{OrderKey, RankStyle};
use crate::score::Score;
use crate::store::{Change, Moderation, ModerationAct, ModerationStore, Outcome, Restricted, ScoreStore};
use crate::testing::model::history::{History, Step};
use crate::testing::model::oracle::Model;
use crate::version::Version;

const STYLES: [RankStyle; 3] = [RankStyle::Ordinal, RankStyle::Competition, RankStyle::Dense];

/// A store that a history is played on, with a model of its own.
#[derive(Debug)]
pub struct Subject {
    name: &'static str,
    store: Arc<dyn ScoreStore>,
    moderation: Option<Arc<dyn ModerationStore>>,
    model: Model,
    users: Vec<UserId>,
    changes: Vec<Change>,
}

/// What a store answered and the model did not.
type Difference = String;

fn same<T: fmt::Debug + PartialEq>(
    call: impl FnOnce() -> String,
    store: Result<T, BackendError>,
    model: T,
) -> Result<(), Difference> {
    match store {
        Ok(store) if store == model => Ok(()),
        Ok(store) => Err(format!("{}\n store: {store:?}\n model: {model:?}", call())),
        Err(error) => Err(format!("{} fails: {}", call(), crate::Chain(&error))),
    }
}

impl History {
    /// Plays the history on every subject and its model in lockstep, and compares every outcome and many reads.
    ///
    /// # Panics
    ///
    /// At the first difference, naming the seed and the call; `command` is what runs the test, so that the message can tell how
    /// to repeat it.
    pub async fn compare(&self, mut subjects: Vec<Subject>, command: &str) {
        for subject in &mut subjects {
            if let Err(difference) = subject.create(&self.boards).await {
                self.fail(subject, 0, &difference, command);
            }
        }
        for (number, step) in (1..).zip(&self.steps) {
            for subject in &mut subjects {
                if let Err(difference) = subject.play(step, self.seed ^ (number << 32)).await {
                    self.fail(subject, number, &difference, command);
                }
            }
        }
        for subject in &mut subjects {
            if let Err(difference) = subject.read_all(self.seed).await {
                self.fail(subject, self.steps.len() as u64, &difference, command);
            }
        }
    }

    fn fail(&self, subject: &Subject, step: u64, difference: &str, command: &str) -> ! {
        let (seed, name) = (self.seed, subject.name);
        panic!(
            "`{name}` differs from the model after step {step} of history {seed}: {difference}\n repeat: SCOREBOARD_SEED={seed} {command}"
        );
    }
}

impl Subject {
    /// An empty store under a name.
    #[must_use]
    pub fn new(name: &'static str, store: Arc<dyn ScoreStore>) -> Self {
        Self { name, store, moderation: None, model: Model::default(), users: Vec::new(), changes: Vec::new() }
    }

    /// The same with decisions of moderators on the same data: for [histories with them](History::moderated).
    #[must_use]
    pub fn moderated(name: &'static str, store: Arc<dyn ScoreStore>, moderation: Arc<dyn ModerationStore>) -> Self {
        Self { moderation: Some(moderation), ..Self::new(name, store) }
    }

    async fn create(&mut self, boards: &[BoardSpec]) -> Result<(), Difference> {
        for spec in boards {
            let created = self.store.create_board(spec).await;
            let epoch = self.store.board(&spec.id).await.ok().flatten().map(|board| board.epoch).unwrap_or_default();
            same(|| "create_board".to_owned(), created, self.model.create_board(spec, epoch))?;
        }
        Ok(())
    }

    async fn play(&mut self, step: &Step, seed: u64) -> Result<(), Difference> {
        match step {
            Step::Apply(changes) => {
                // A store that ranks may say so; the model does not.
                let unranked = |mut outcome| {
                    if let Outcome::Applied(receipt) | Outcome::Replayed(receipt) = &mut outcome {
                        receipt.rank = None;
                    }
                    outcome
                };
                let outcomes = self.store.apply(changes).await;
                let outcomes = outcomes.map(|outcomes| outcomes.into_iter().map(unranked).collect());
                same(|| format!("apply {changes:?}"), outcomes, self.model.apply(changes))?;
                self.users.extend(changes.iter().map(|change| change.user_id));
                self.users.sort();
                self.users.dedup();
                self.changes.extend_from_slice(changes);
            }
            Step::Change(spec) => {
                let from = self.model.spec(&spec.id).unwrap_or(spec).clone();
                // Once as it should be, and once more from what it is no longer.
                for _ in 0..2 {
                    let changed = self.store.change_board(&from, spec).await;
                    let expected = self.model.change_board(&from, spec);
                    same(|| format!("change_board {from:?} {spec:?}"), changed, expected)?;
                }
            }
            Step::Moderate(decision) => self.moderate(decision).await?,
        }
        let mut random = StdRng::seed_from_u64(seed);
        if let Some(moderation) = &self.moderation {
            self.decisions(&**moderation).await?;
        }
        same(|| "boards".to_owned(), self.store.boards().await, self.model.boards())?;
        for board in self.model.boards() {
            let id = &board.spec.id;
            same(|| format!("board {id}"), self.store.board(id).await, Some(board.clone()))?;
            self.top(id, STYLES[random.random_range(0..3)], random.random_range(1..20)).await?;
            self.standings(id, STYLES[random.random_range(0..3)]).await?;
            if let Some(user) = self.users.choose(&mut random) {
                self.around(id, STYLES[random.random_range(0..3)], *user, random.random_range(0..4)).await?;
            }
        }
        Ok(())
    }

    async fn moderate(&mut self, decision: &Moderation) -> Result<(), Difference> {
        let Some(moderation) = self.moderation.clone() else {
            return Err("the subject of a moderated history has no moderation".to_owned());
        };
        // Actions that were refused are known to nobody, and spoil most decisions: one about the others follows.
        let known = |action: &ActionId| self.model.action(*action).is_some();
        let mut second = decision.clone();
        if let ModerationAct::Void { actions } | ModerationAct::Unvoid { actions } = &mut second.act {
            actions.retain(known);
        }
        for decision in [decision, &second] {
            let expected = self.model.clone().moderate(decision);
            same(|| format!("preview {decision:?}"), moderation.preview(decision).await, expected.clone())?;
            let _ = self.model.moderate(decision);
            same(|| format!("moderate {decision:?}"), moderation.moderate(decision).await, expected)?;
        }
        Ok(())
    }

    /// What was decided, and what restricted users have.
    async fn decisions(&self, moderation: &dyn ModerationStore) -> Result<(), Difference> {
        let expected = self.model.moderations();
        same(|| "moderations".to_owned(), moderation.moderations(None, 1000).await, expected.clone())?;
        for pair in expected.windows(2) {
            let (id, found) = (pair[0].moderation.id, moderation.moderations(Some(pair[0].moderation.id), 1).await);
            same(|| format!("moderations before {id}"), found, vec![pair[1].clone()])?;
            same(|| format!("moderation {id}"), moderation.moderation(id).await, Some(pair[0].clone()))?;
        }
        for user in &self.users {
            let expected = self.model.moderated.restricted.get(user);
            let expected =
                expected.map(|(restriction, by)| Restricted { restriction: *restriction, moderation_id: *by });
            same(|| format!("restriction of {user}"), moderation.restriction(*user).await, expected)?;
            for board in self.model.boards() {
                let id = &board.spec.id;
                let own = moderation.own(id, None, *user).await;
                same(|| format!("own score of {user} on {id}"), own, self.model.own(id, *user))?;
            }
        }
        let actions: Vec<ActionId> = self.changes.iter().map(|change| change.action_id).collect();
        let void = actions.iter().copied().filter(|action| self.model.moderated.void.contains(action)).collect();
        same(|| "voided".to_owned(), moderation.voided(&actions).await, void)
    }

    async fn read_all(&self, seed: u64) -> Result<(), Difference> {
        let mut random = StdRng::seed_from_u64(seed);
        for board in self.model.boards() {
            let id = &board.spec.id;
            for style in STYLES {
                self.top(id, style, 1000).await?;
                self.standings(id, style).await?;
                self.score_ranks(id, style).await?;
                self.walk(&board.spec, style, random.random_range(1..=5)).await?;
                for user in &self.users {
                    self.around(id, style, *user, random.random_range(0..=7)).await?;
                }
            }
            self.logs(id, random.random_range(1..=9)).await?;
            self.scans(id, random.random_range(1..=5)).await?;
        }
        for change in &self.changes {
            let id = change.action_id;
            same(|| format!("action {id}"), self.store.action(id).await, self.model.action(id))?;
        }
        Ok(())
    }

    async fn page(&self, id: &BoardId, style: RankStyle, range: Range) -> Result<RankedPage, Difference> {
        let query = PageQuery { season: None, range, style };
        // Which sides of an empty page have more, nobody can tell: there is no first or last entry.
        let told = |mut page: RankedPage| {
            (page.has_previous, page.has_next) =
                if page.entries.is_empty() { (false, false) } else { (page.has_previous, page.has_next) };
            page
        };
        let expected = self.model.page(id, query).map(told);
        let found = self.store.page(id, query).await.map(|page| page.map(told));
        same(|| format!("page of {id}: {query:?}"), found, expected.clone())?;
        expected.ok_or_else(|| "the model has the board".to_owned())
    }

    async fn top(&self, id: &BoardId, style: RankStyle, limit: usize) -> Result<(), Difference> {
        self.page(id, style, Range::Top { limit }).await.map(drop)
    }

    async fn around(&self, id: &BoardId, style: RankStyle, user: UserId, radius: usize) -> Result<(), Difference> {
        self.page(id, style, Range::Around { user, radius }).await.map(drop)
    }

    /// Walks by keys from the first page to behind the last, and back to before the first.
    async fn walk(&self, spec: &BoardSpec, style: RankStyle, limit: usize) -> Result<(), Difference> {
        let key = |entry: &Ranked| -> OrderKey { spec.order().key(entry.score, entry.reached) };
        let all = self.page(&spec.id, style, Range::Top { limit: 1000 }).await?.entries;
        let (mut seen, mut range) = (Vec::new(), Range::Top { limit });
        loop {
            let page = self.page(&spec.id, style, range).await?;
            let Some(last) = page.entries.last() else { break };
            range = Range::After { key: key(last), limit };
            seen.extend(page.entries);
        }
        same(|| format!("a walk over {} by {limit}", spec.id), Ok(seen), all.clone())?;
        let Some(last) = all.last() else { return Ok(()) };
        let (mut seen, mut range) = (vec![*last], Range::Before { key: key(last), limit });
        loop {
            let page = self.page(&spec.id, style, range).await?;
            let Some(first) = page.entries.first() else { break };
            range = Range::Before { key: key(first), limit };
            seen.splice(0..0, page.entries);
        }
        same(|| format!("a walk back over {} by {limit}", spec.id), Ok(seen), all)
    }

    async fn standings(&self, id: &BoardId, style: RankStyle) -> Result<(), Difference> {
        let mut users = self.users.clone();
        users.reverse();
        users.insert(users.len() / 2, UserId::from_bytes([0xee; 16]));
        users.extend(self.users.first());
        let found = self.store.standings(id, None, style, &users).await;
        same(|| format!("standings of {id}"), found, self.model.standings(id, style, &users))
    }

    async fn score_ranks(&self, id: &BoardId, style: RankStyle) -> Result<(), Difference> {
        let page = self.page(id, style, Range::Top { limit: 1000 }).await?;
        for entry in page.entries {
            for near in [-1, 0, 1] {
                let Ok(score) = Score::new(entry.score.get() + near) else { continue };
                let found = self.store.score_rank(id, style, score).await;
                same(|| format!("{style:?} rank of {score} on {id}"), found, self.model.score_rank(id, style, score))?;
            }
        }
        Ok(())
    }

    async fn logs(&self, id: &BoardId, limit: usize) -> Result<(), Difference> {
        let mut after = Version::ZERO;
        loop {
            let expected = self.model.log(id, after, limit);
            same(|| format!("log of {id}"), self.store.log(id, after, limit).await, expected.clone())?;
            let Some(last) = expected.last() else { break };
            after = last.position.version;
        }
        for user in &self.users {
            let mut before = None;
            loop {
                let expected = self.model.history(id, *user, before, limit);
                let found = self.store.history(id, *user, before, limit).await;
                same(|| format!("history of {user} on {id}"), found, expected.clone())?;
                let Some(last) = expected.last() else { break };
                before = Some(last.position.version);
            }
        }
        Ok(())
    }

    async fn scans(&self, id: &BoardId, limit: usize) -> Result<(), Difference> {
        let mut after = None;
        loop {
            let expected = self.model.scan(id, after, limit);
            let found = self.store.scan(id, Season::FIRST, after, limit).await;
            same(|| format!("scan of {id}"), found, expected.clone())?;
            let Some((last, _)) = expected.and_then(|scan| scan.scores.last().copied()) else { break };
            after = Some(last);
        }
        Ok(())
    }
}
