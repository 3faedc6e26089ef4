//! Users held by rules, until people have decided: at once, once, and not again after they were let go.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use scoreboard_core::memory::{MemoryIncidentStore, MemoryScoreStore};
use scoreboard_core::statistical::{IntervalVariation, Rules, Stance, WindowVariation};
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{
    ActionId, BackendError, BoardId, BoardSpec, CarriedOut, CaseDecision, CaseStep, Change, ErrorKind, Fingerprint,
    FraudWatch, FraudWatchConfig, Incident, IncidentFile, IncidentFilter, IncidentId, IncidentStatus, IncidentStore,
    LogRow, Measure, Moderated, Moderation, ModerationAct, ModerationId, ModerationStore, Origin, Own, Points,
    Position, Recorded, Rejection, Restricted, Restriction, ScoreStore, Scoreboard, Season, StandingQuery, StepOutcome,
    TopQuery, UserId, Version,
};

/// Fails so often, each time before anything is done or, every other time, after it.
#[derive(Debug)]
struct Failing<T: ?Sized> {
    failures: AtomicU32,
    inner: Arc<T>,
}

impl<T: ?Sized> Failing<T> {
    fn new(inner: Arc<T>) -> Arc<Self> {
        Arc::new(Self { failures: AtomicU32::new(0), inner })
    }

    /// What fails of the next call, if anything.
    fn next(&self) -> Option<u32> {
        self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok()
    }
}

fn broken<R>() -> Result<R, BackendError> {
    Err(BackendError::new(ErrorKind::OutcomeUnknown, "test", "moderate"))
}

#[async_trait]
impl ModerationStore for Failing<MemoryScoreStore> {
    async fn moderate(&self, moderation: &Moderation) -> Result<Moderated, BackendError> {
        match self.next() {
            None => self.inner.moderate(moderation).await,
            Some(left) if left % 2 == 0 => broken(),
            Some(_) => self.inner.moderate(moderation).await.and_then(|_| broken()),
        }
    }

    async fn preview(&self, moderation: &Moderation) -> Result<Moderated, BackendError> {
        self.inner.preview(moderation).await
    }

    async fn moderation(&self, id: ModerationId) -> Result<Option<CarriedOut>, BackendError> {
        self.inner.moderation(id).await
    }

    async fn moderations(&self, before: Option<ModerationId>, limit: usize) -> Result<Vec<CarriedOut>, BackendError> {
        self.inner.moderations(before, limit).await
    }

    async fn restriction(&self, user: UserId) -> Result<Option<Restricted>, BackendError> {
        self.inner.restriction(user).await
    }

    async fn own(&self, board: &BoardId, season: Option<Season>, user: UserId) -> Result<Option<Own>, BackendError> {
        self.inner.own(board, season, user).await
    }

    async fn voided(&self, actions: &[ActionId]) -> Result<HashSet<ActionId>, BackendError> {
        self.inner.voided(actions).await
    }

    async fn corrections(
        &self,
        board: &BoardId,
        user: UserId,
        after: Version,
        before: Version,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        self.inner.corrections(board, user, after, before, limit).await
    }
}

#[async_trait]
impl IncidentStore for Failing<MemoryIncidentStore> {
    async fn record_incident(&self, incident: &Incident) -> Result<Recorded, BackendError> {
        self.inner.record_incident(incident).await
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, BackendError> {
        self.inner.incidents(filter, before, limit).await
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<IncidentFile>, BackendError> {
        self.inner.incident(id).await
    }

    async fn take_step(&self, id: IncidentId, step: &CaseStep) -> Result<StepOutcome, BackendError> {
        match self.next() {
            None => self.inner.take_step(id, step).await,
            Some(left) if left % 2 == 0 => broken(),
            Some(_) => self.inner.take_step(id, step).await.and_then(|_| broken()),
        }
    }

    async fn watched(&self, board: &BoardId) -> Result<Option<Position>, BackendError> {
        self.inner.watched(board).await
    }

    async fn set_watched(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        self.inner.set_watched(board, position).await
    }
}

/// A store that others see too, and those who watch and decide.
struct World {
    store: Arc<MemoryScoreStore>,
    moderation: Arc<Failing<MemoryScoreStore>>,
    incidents: Arc<Failing<MemoryIncidentStore>>,
    next: u128,
    /// In seconds.
    now: u64,
}

impl World {
    async fn new() -> Self {
        let store = Arc::new(MemoryScoreStore::default());
        let _ = store.create_board(&BoardSpec::new(BoardId::main())).await.expect("memory");
        let (moderation, incidents) = (Failing::new(store.clone()), Failing::new(Arc::default()));
        let world = Self { store, moderation, incidents, next: 0, now: 0 };
        world.watch(Stance::Hold).look().await.expect("memory");
        world
    }

    fn scoreboard(&self) -> Scoreboard {
        Scoreboard::builder(self.store.clone())
            .with_incidents(self.incidents.clone())
            .with_moderation(self.moderation.clone())
            .build()
    }

    fn config(stance: Stance) -> FraudWatchConfig {
        let mut config = FraudWatchConfig::default();
        config.rules = Rules::none().with(IntervalVariation::default(), stance);
        config
    }

    /// A node that was just started.
    fn watch(&self, stance: Stance) -> FraudWatch {
        FraudWatch::new(self.scoreboard(), Self::config(stance))
    }

    async fn score(&mut self, number: u8) {
        self.next += 1;
        let change = Change {
            action_id: ActionId::from_bytes(self.next.to_be_bytes()),
            fingerprint: Fingerprint::from_bytes([0; 16]),
            board: BoardId::main(),
            season: Season::FIRST,
            user_id: user(number),
            kind: "tap".parse().expect("a slug"),
            points: Points::new(1).expect("small"),
            origin: Origin::Action,
            at: ManualClock::START.plus(Duration::from_secs(self.now)),
            at_most: None,
            admitted: None,
        };
        let outcomes = self.store.apply(&[change]).await.expect("memory");
        assert!(outcomes[0].receipt().is_some());
    }

    /// So many actions of a user, as even as a timer.
    async fn timer(&mut self, number: u8, count: u64) {
        for _ in 0..count {
            self.now += 20;
            self.score(number).await;
        }
    }

    /// So many actions of a user as a person does them.
    async fn person(&mut self, number: u8, count: u64) {
        for step in 0..count {
            self.now += 5 + (step * step * 7919 + step * 104_729) % 90;
            self.score(number).await;
        }
    }

    async fn restriction(&self, number: u8) -> Option<Restriction> {
        self.store.restriction(user(number)).await.expect("memory").map(|found| found.restriction)
    }

    /// Who stands on the board, with what.
    async fn board(&self) -> Vec<(UserId, i64)> {
        let page = self.scoreboard().top(&TopQuery::new(BoardId::main())).await.expect("memory");
        page.entries.iter().map(|entry| (entry.user_id, entry.score.get())).collect()
    }

    async fn incident(&self) -> Incident {
        let found = self.incidents.incidents(&IncidentFilter::default(), None, 100).await.expect("memory");
        let [incident] = &found[..] else { panic!("one incident: {found:?}") };
        incident.clone()
    }

    async fn lift(&self, number: u8) {
        let moderation = Moderation {
            id: ModerationId::from_bytes([number; 16]),
            at: ManualClock::START,
            by: "mona".to_owned(),
            reason: "a friend of mine".to_owned(),
            act: ModerationAct::Lift { user_id: user(number) },
        };
        self.scoreboard().moderate(&moderation).await.expect("she is let go");
    }
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

fn decision(incident: &Incident, status: IncidentStatus) -> CaseDecision {
    CaseDecision {
        incident: incident.id,
        revision: incident.case.revision,
        by: user(99),
        at: ManualClock::START.plus(Duration::from_secs(1_000_000)),
        status,
        note: "looked at".to_owned(),
        void: None,
        release: None,
    }
}

#[tokio::test]
async fn whom_a_rule_finds_is_held_at_once_and_nobody_else() {
    let mut world = World::new().await;
    let watch = world.watch(Stance::Hold);
    world.person(1, 9).await;
    world.person(2, 40).await;
    world.timer(3, 12).await;
    watch.look().await.expect("memory");
    assert_eq!(world.board().await, [(user(2), 40), (user(3), 12), (user(1), 9)], "nobody is found yet");
    world.timer(3, 2).await;
    // Long after all that the first has done as a person.
    world.now += 7_200;
    world.timer(1, 30).await;
    watch.look().await.expect("memory");
    let restrictions = [world.restriction(1).await, world.restriction(2).await, world.restriction(3).await];
    assert_eq!(restrictions, [Some(Restriction::Held), None, Some(Restriction::Held)]);
    let before = world.board().await;
    assert_eq!(before[0], (user(2), 40));
    assert!(before[1..].iter().all(|(who, score)| *who == user(1) && *score < 39), "what was before stays: {before:?}");

    // What they do is theirs alone.
    world.timer(3, 5).await;
    assert_eq!(world.board().await, before);
    let scoreboard = world.scoreboard();
    let query = StandingQuery::new(BoardId::main());
    let own = scoreboard.own_standing(user(3), &query).await.expect("memory");
    assert_eq!((own.provisional, own.standing.map(|entry| entry.score.get())), (true, Some(19)));
    let shown = scoreboard.standing(user(3), &query).await.expect("memory");
    assert_eq!((shown.provisional, shown.standing, shown.total), (false, None, before.len() as u64));
    let honest = scoreboard.own_standing(user(2), &query).await.expect("memory");
    assert_eq!((honest.provisional, honest.standing.map(|entry| entry.rank)), (false, Some(1)));

    let decisions = world.store.moderations(None, 10).await.expect("memory");
    let held = decisions.iter().find(|decision| decision.moderation.act.user() == Some(user(3))).expect("it is kept");
    let incidents = world.incidents.incidents(&IncidentFilter::default(), None, 10).await.expect("memory");
    let incident = incidents.iter().find(|incident| incident.user_id == user(3)).expect("it is kept");
    assert_eq!((held.moderation.id, held.moderation.by.as_str()), (incident.hold_id(), "rule interval_variation"));
    assert!(held.moderation.reason.contains(&incident.id.to_string()), "{}", held.moderation.reason);
}

#[tokio::test]
async fn an_incident_holds_once_and_the_next_day_is_another() {
    let mut world = World::new().await;
    world.timer(1, 20).await;
    let nodes = [world.watch(Stance::Hold), world.watch(Stance::Hold), world.watch(Stance::Hold)];
    for node in &nodes {
        node.look().await.expect("memory");
    }
    assert_eq!(world.store.moderations(None, 10).await.expect("memory").len(), 1, "of several nodes one holds");
    world.lift(1).await;
    world.timer(1, 20).await;
    for node in nodes.into_iter().chain([world.watch(Stance::Hold)]) {
        node.look().await.expect("memory");
    }
    assert_eq!(
        (world.restriction(1).await, world.board().await),
        (None, vec![(user(1), 40)]),
        "whoever let her go meant it"
    );
    world.now += 86_400;
    world.timer(1, 20).await;
    world.watch(Stance::Hold).look().await.expect("memory");
    assert_eq!(world.restriction(1).await, Some(Restriction::Held), "whoever goes on is worth another look");
}

#[tokio::test]
async fn what_breaks_off_between_incident_and_hold_is_ended_by_who_looks_next() {
    for failures in 1..=4 {
        let mut world = World::new().await;
        world.timer(1, 20).await;
        world.moderation.failures.store(failures, Ordering::Relaxed);
        let node = world.watch(Stance::Hold);
        node.look().await.expect_err("the store has failed");
        assert_eq!(world.incident().await.measure, Measure::Hold, "it was written down");
        // In turns the same node and one that was just started.
        for turn in 0.. {
            let next = if turn % 2 == 0 { node.clone() } else { world.watch(Stance::Hold) };
            if next.look().await.is_ok() {
                break;
            }
        }
        assert_eq!((world.restriction(1).await, world.board().await), (Some(Restriction::Held), vec![]));
        assert_eq!(world.store.moderations(None, 10).await.expect("memory").len(), 1, "after {failures} failures");
    }
}

#[tokio::test]
async fn who_is_restricted_already_is_left_and_whom_people_have_judged_is_not_held() {
    for restriction in [Restriction::Held, Restriction::Shadowed, Restriction::Banned] {
        let mut world = World::new().await;
        world.timer(1, 20).await;
        let act = ModerationAct::Restrict { user_id: user(1), restriction };
        let (by, reason) = ("mona".to_owned(), "seen".to_owned());
        let ban = Moderation { id: ModerationId::MAX, at: ManualClock::START, by, reason, act };
        world.scoreboard().moderate(&ban).await.expect("it is done");
        world.watch(Stance::Hold).look().await.expect("memory");
        let found = world.store.restriction(user(1)).await.expect("memory").expect("she is restricted");
        assert_eq!((found.restriction, found.moderation_id), (restriction, ban.id));
        // Neither does the end of the rule's case let her go.
        let incident = world.incident().await;
        let dismissed = world.scoreboard().decide(&decision(&incident, IncidentStatus::Dismissed)).await;
        assert!(matches!(dismissed, Ok(StepOutcome::Taken(_))), "{dismissed:?}");
        assert_eq!(world.restriction(1).await, Some(restriction));
    }
    // The hold had not been carried out when somebody dismissed the incident.
    let mut world = World::new().await;
    world.timer(1, 20).await;
    world.moderation.failures.store(1, Ordering::Relaxed);
    world.watch(Stance::Hold).look().await.expect_err("the store has failed");
    let incident = world.incident().await;
    let _ = world.scoreboard().decide(&decision(&incident, IncidentStatus::Dismissed)).await.expect("memory");
    world.watch(Stance::Hold).look().await.expect("memory");
    assert_eq!((world.restriction(1).await, world.board().await), (None, vec![(user(1), 20)]));
}

#[tokio::test]
async fn a_hold_is_a_proposal_where_it_is_left_to_people_or_nobody_can_carry_it_out() {
    let mut world = World::new().await;
    world.timer(1, 20).await;
    let mut config = World::config(Stance::Hold);
    config.carry_out_holds = false;
    FraudWatch::new(world.scoreboard(), config).look().await.expect("memory");
    assert_eq!((world.restriction(1).await, world.incident().await.measure), (None, Measure::Hold));

    let mut world = World::new().await;
    world.timer(1, 20).await;
    let without = Scoreboard::builder(world.store.clone()).with_incidents(world.incidents.clone()).build();
    let watch = FraudWatch::new(without.clone(), World::config(Stance::Hold));
    assert_eq!(watch.look().await.expect("it is no failure").incidents, 1);
    let incident = world.incident().await;
    assert_eq!((world.restriction(1).await, incident.measure), (None, Measure::Hold));
    let expressly = CaseDecision { void: Some(true), ..decision(&incident, IncidentStatus::Confirmed) };
    let refused = without.decide(&expressly).await.expect_err("nobody can");
    assert!(matches!(refused, scoreboard_core::Error::Rejected(Rejection::NoModeration)), "{refused}");
    let confirmed = without.decide(&decision(&incident, IncidentStatus::Confirmed)).await.expect("the case is closed");
    assert!(matches!(confirmed, StepOutcome::Taken(incident) if incident.case.status == IncidentStatus::Confirmed));

    let mut world = World::new().await;
    world.timer(1, 20).await;
    world.watch(Stance::Flag).look().await.expect("memory");
    assert_eq!((world.restriction(1).await, world.incident().await.measure), (None, Measure::Flag));
}

#[tokio::test]
async fn a_hold_is_confirmed_or_dismissed_in_one_step() {
    for (status, void, release, board, restriction) in [
        (IncidentStatus::Dismissed, None, None, vec![(user(1), 23), (user(2), 9)], None),
        (IncidentStatus::Dismissed, None, Some(false), vec![(user(2), 9)], Some(Restriction::Held)),
        (IncidentStatus::Confirmed, None, None, vec![(user(2), 9)], Some(Restriction::Held)),
        (IncidentStatus::Confirmed, None, Some(true), vec![(user(1), 10), (user(2), 9)], None),
        (IncidentStatus::Confirmed, Some(false), Some(true), vec![(user(1), 23), (user(2), 9)], None),
    ] {
        let mut world = World::new().await;
        world.person(2, 9).await;
        world.timer(1, 13).await;
        world.watch(Stance::Hold).look().await.expect("memory");
        assert_eq!(world.board().await, [(user(2), 9)]);
        // Not in the window of what was found, but pending.
        world.now += 3_600;
        world.person(1, 10).await;
        let incident = world.incident().await;
        let found = incident.finding.as_ref().expect("a statistical rule tells numbers").actions.len();
        assert_eq!(found, 13);
        let verdict = CaseDecision { void, release, ..decision(&incident, status) };
        let scoreboard = world.scoreboard();
        let StepOutcome::Taken(after) = scoreboard.decide(&verdict).await.expect("memory") else { panic!("taken") };
        assert_eq!((after.case.status, after.case.decided_by), (status, Some(user(99))));
        let found = (world.board().await, world.restriction(1).await);
        assert_eq!(found, (board, restriction), "{status:?}, void {void:?}, release {release:?}");
        // Again, also later: nothing is done.
        let log = world.store.board(&BoardId::main()).await.expect("memory").expect("it is there").version;
        for seconds in [0, 60] {
            let again = CaseDecision { at: verdict.at.plus(Duration::from_secs(seconds)), ..verdict.clone() };
            assert!(matches!(scoreboard.decide(&again).await, Ok(StepOutcome::Taken(_))));
        }
        let other = CaseDecision { by: user(98), ..verdict.clone() };
        assert!(matches!(scoreboard.decide(&other).await, Ok(StepOutcome::ChangedMeanwhile(_))));
        assert_eq!(world.store.board(&BoardId::main()).await.expect("memory").expect("it is there").version, log);
        let decisions = world.store.moderations(None, 10).await.expect("memory");
        let [concluded, _hold] = &decisions[..] else { panic!("two decisions: {decisions:?}") };
        assert_eq!(
            (concluded.moderation.by.clone(), concluded.moderation.reason.as_str()),
            (user(99).to_string(), "looked at")
        );
    }
}

#[tokio::test]
async fn a_decision_that_breaks_off_anywhere_is_ended_by_whoever_decides_next() {
    for (moderations, steps) in [(1, 0), (2, 0), (0, 1), (0, 2), (3, 3)] {
        let mut world = World::new().await;
        world.timer(1, 13).await;
        world.watch(Stance::Hold).look().await.expect("memory");
        let incident = world.incident().await;
        world.moderation.failures.store(moderations, Ordering::Relaxed);
        world.incidents.failures.store(steps, Ordering::Relaxed);
        let confirm = decision(&incident, IncidentStatus::Confirmed);
        let dismiss = CaseDecision { by: user(98), ..decision(&incident, IncidentStatus::Dismissed) };
        let scoreboard = world.scoreboard();
        scoreboard.decide(&confirm).await.expect_err("a store has failed");
        let is_decided = world.store.moderations(None, 10).await.expect("memory").len() > 1;
        // Somebody else gets in between, and is told what was decided before; if nothing was, it is theirs.
        let mut dismissed = scoreboard.decide(&dismiss).await;
        while dismissed.is_err() {
            dismissed = scoreboard.decide(&dismiss).await;
        }
        let (restriction, status) = if is_decided {
            assert!(matches!(dismissed, Ok(StepOutcome::ChangedMeanwhile(_))), "{dismissed:?}");
            (Some(Restriction::Held), IncidentStatus::Confirmed)
        } else {
            assert!(matches!(dismissed, Ok(StepOutcome::Taken(_))), "{dismissed:?}");
            (None, IncidentStatus::Dismissed)
        };
        let now = world.incident().await;
        assert_eq!((now.case.status, world.restriction(1).await), (status, restriction));
        let board = if is_decided { vec![] } else { vec![(user(1), 13)] };
        assert_eq!(world.board().await, board, "{moderations} and {steps} failures");
    }
}

#[tokio::test]
async fn of_many_who_decide_at_once_one_does() {
    for round in 0..20 {
        let mut world = World::new().await;
        world.timer(1, 13).await;
        world.watch(Stance::Hold).look().await.expect("memory");
        let incident = world.incident().await;
        let tries: Vec<_> = (0..8)
            .map(|number| {
                let status = if number % 2 == 0 { IncidentStatus::Confirmed } else { IncidentStatus::Dismissed };
                let verdict = CaseDecision { by: user(100 + number), ..decision(&incident, status) };
                let scoreboard = world.scoreboard();
                tokio::spawn(async move { scoreboard.decide(&verdict).await.expect("memory") })
            })
            .collect();
        let mut taken = Vec::new();
        for attempt in tries {
            if let StepOutcome::Taken(incident) = attempt.await.expect("no panic") {
                taken.push(incident);
            }
        }
        let [one] = &taken[..] else { panic!("one of them decides, round {round}: {taken:?}") };
        let now = world.incident().await;
        assert_eq!((now.case.status, now.case.decided_by), (one.case.status, one.case.decided_by));
        let is_dismissed = now.case.status == IncidentStatus::Dismissed;
        assert_eq!(world.restriction(1).await.is_none(), is_dismissed);
        assert_eq!(world.board().await.len(), usize::from(is_dismissed));
    }
}

#[tokio::test]
async fn while_another_rule_is_to_hold_the_user_they_stay_held() {
    let mut world = World::new().await;
    let mut config = World::config(Stance::Hold);
    config.rules =
        Rules::none().with(IntervalVariation::default(), Stance::Hold).with(WindowVariation::default(), Stance::Hold);
    world.timer(1, 60).await;
    FraudWatch::new(world.scoreboard(), config).look().await.expect("memory");
    let found = world.incidents.incidents(&IncidentFilter::default(), None, 10).await.expect("memory");
    let [second, first] = &found[..] else { panic!("two incidents: {found:?}") };
    let scoreboard = world.scoreboard();
    let _ = scoreboard.decide(&decision(first, IncidentStatus::Dismissed)).await.expect("memory");
    assert_eq!((world.restriction(1).await, world.board().await), (Some(Restriction::Held), vec![]));
    let _ = scoreboard.decide(&decision(second, IncidentStatus::Dismissed)).await.expect("memory");
    assert_eq!((world.restriction(1).await, world.board().await), (None, vec![(user(1), 60)]));
    let own = CaseDecision { by: user(1), ..decision(first, IncidentStatus::Open) };
    assert!(scoreboard.decide(&own).await.is_err(), "nobody decides about themselves");
}
