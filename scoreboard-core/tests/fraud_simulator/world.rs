//! A scoreboard on which all of them play, in simulated time, while its log is watched.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::memory::{MemoryIncidentStore, MemoryScoreStore};
use scoreboard_core::statistical::{Grounds, Rules};
use scoreboard_core::testing::{ManualClock, SeededIds};
use scoreboard_core::{
    ActionKind, BoardId, BoardSpec, Clock, Config, DeviceId, Error, FraudWatch, FraudWatchConfig, IncidentFilter,
    IncidentStore, IssueRequest, Points, PointsRule, Rejection, ScoreStore, Scoreboard, SignedAction, Timestamp,
    UserId, Version,
};

use crate::actor::{Actor, Family, Plan, Source};
use crate::attack::{self, Attempts};

/// The log is watched so often: a server does it each other second, and what it finds is the same.
const LOOKS_EVERY: Duration = Duration::from_secs(1_800);

/// Who plays: the families with how many are of each.
#[derive(Debug, Clone)]
pub(crate) struct Population(Vec<(Family, usize)>);

impl Population {
    /// This many people, and a cheat for each eighteen of them. A farm has fifty accounts, or it is none.
    pub(crate) fn of(people: usize) -> Self {
        let part = |of_ten_thousand: usize| (of_ten_thousand * people).div_ceil(10_000);
        Self(vec![
            (Family::Record, part(20)),
            (Family::Honest, people - part(20)),
            (Family::Tamper, part(50)),
            (Family::Replay, part(50)),
            (Family::TooFast, part(50)),
            (Family::FixedInterval, part(60)),
            (Family::Jitter(10), part(40)),
            (Family::Jitter(20), part(40)),
            (Family::Jitter(30), part(40)),
            (Family::Mimic, part(50)),
            (Family::Farm, 50),
            (Family::Grinder, part(35)),
            (Family::Share, part(35)),
            (Family::DeviceFarm, 50),
        ])
    }

    /// Nobody but timers, so many of each family of which it is promised how many are caught.
    pub(crate) fn timers(each: usize) -> Self {
        Self(vec![(Family::FixedInterval, each), (Family::Jitter(10), each)])
    }
}

/// What became of one who played.
#[derive(Debug, Clone)]
pub(crate) struct Fate {
    pub(crate) family: Family,
    /// How many actions counted.
    pub(crate) actions: u64,
    pub(crate) attempts: Attempts,
    /// Actions and points until the first incident that proposes to hold the points.
    pub(crate) held: Option<Caught>,
    /// The same of the first incident of any kind.
    pub(crate) flagged: Option<Caught>,
    /// Whether it is a person who shares a tablet.
    pub(crate) has_tablet: bool,
    /// Whether the accounts on their device were too many.
    pub(crate) found_by_device: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Caught {
    pub(crate) actions: u64,
    pub(crate) points: i64,
}

/// What was seen in all.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) fates: Vec<Fate>,
    /// Actions of people that the rules in the update's path blocked.
    pub(crate) people_blocked: u64,
    /// Incidents by rule, of people and of cheats.
    pub(crate) by_rule: std::collections::BTreeMap<String, (u64, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Begin,
    End,
    Look,
}

struct Player {
    actor: Actor,
    user: UserId,
    plan: Option<Plan>,
    action: Option<SignedAction>,
    fate: Fate,
}

/// Lets all of them play until they have enough, and says what became of each.
pub(crate) async fn play(seed: u64, population: Population, rules: Rules) -> Outcome {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryScoreStore::default());
    let incidents = Arc::new(MemoryIncidentStore::default());
    let mut config = Config::default();
    // People here are no faster than a quota would let them be; nothing is to be learned of it.
    config.update_quota = None;
    let scoreboard = Scoreboard::builder(store.clone())
        .with_incidents(incidents.clone())
        .with_clock(Arc::new(clock.clone()))
        .with_ids(Arc::new(SeededIds::new(seed)))
        .with_config(config)
        .build();
    scoreboard.create_board(board()).await.expect("memory");
    let mut watch_config = FraudWatchConfig::default();
    watch_config.rules = rules;
    let watch = FraudWatch::new(scoreboard.clone(), watch_config);
    watch.look().await.expect("memory");

    let mut players = players(seed, population);
    let mut queue = BinaryHeap::new();
    for (number, player) in players.iter_mut().enumerate() {
        // They do not all begin on the same day.
        let first = clock.now().plus(Duration::from_millis(player.actor.choose(3 * 86_400_000)));
        begin_next(&mut queue, number, player, first);
    }
    queue.push(Reverse((clock.now(), usize::MAX, Moment::Look)));
    let mut people_blocked = 0;
    let mut last_of_others: Option<SignedAction> = None;
    while let Some(Reverse((at, number, moment))) = queue.pop() {
        clock.set(at);
        if moment == Moment::Look {
            watch.look().await.expect("memory");
            if !queue.is_empty() {
                queue.push(Reverse((at.plus(LOOKS_EVERY), usize::MAX, Moment::Look)));
            }
            continue;
        }
        let player = &mut players[number];
        let plan = player.plan.expect("it plays");
        if moment == Moment::Begin {
            let mut request = IssueRequest::new(
                BoardId::main(),
                if plan.is_boss { "boss" } else { "quest" }.parse().expect("a slug"),
            );
            if plan.is_boss {
                request = request.with_points(Points::new(plan.points).expect("small"));
            }
            let action = scoreboard.issue(player.user, request).await.expect("it may begin");
            attack::early(&player.actor, &scoreboard, player.user, &action, &mut player.fate.attempts).await;
            player.action = Some(action);
            queue.push(Reverse((at.plus(duration(plan)), number, Moment::End)));
            continue;
        }
        let action = player.action.take().expect("it was begun");
        let others = last_of_others.as_ref().filter(|others| others.claims.user_id != player.user);
        let attempts = &mut player.fate.attempts;
        attack::before(&mut player.actor, &scoreboard, player.user, &action, others, attempts).await;
        match scoreboard.submit(player.user, action.clone()).await {
            Ok(_) => player.fate.actions += 1,
            Err(Error::Rejected(Rejection::Blocked(_))) => people_blocked += 1,
            Err(error) => panic!("{:?}: what is done as it should be is counted: {error}", player.fate.family),
        }
        let Source { address, device, .. } = &player.actor.source;
        scoreboard.sightings().saw(player.user, address, Some(device), at);
        attack::after(&player.actor, &scoreboard, player.user, &action, &mut player.fate.attempts).await;
        if player.fate.family == Family::Honest {
            last_of_others = Some(action);
        }
        begin_next(&mut queue, number, player, at);
    }
    let fates = players.into_iter().map(|player| (player.user, player.fate)).collect();
    judge(&*store, &*incidents, fates, people_blocked).await
}

/// How long an action takes: its minimum and a little.
fn duration(plan: Plan) -> Duration {
    Duration::from_millis(if plan.is_boss { 5_100 } else { 2_100 })
}

fn begin_next(
    queue: &mut BinaryHeap<Reverse<(Timestamp, usize, Moment)>>,
    number: usize,
    player: &mut Player,
    after: Timestamp,
) {
    player.plan = player.actor.plan();
    if let Some(plan) = player.plan {
        let end = after.plus(Duration::from_millis(plan.after_ms));
        queue.push(Reverse((end.minus(duration(plan)), number, Moment::Begin)));
    }
}

fn players(seed: u64, population: Population) -> Vec<Player> {
    let mut players = Vec::new();
    for (family, count) in population.0 {
        for place in 0..count {
            let number = players.len();
            let source = source(family, place, count, number);
            let fate = Fate {
                family,
                actions: 0,
                attempts: Attempts::default(),
                held: None,
                flagged: None,
                has_tablet: source.is_tablet,
                found_by_device: false,
            };
            players.push(Player {
                actor: Actor::new(family, seed, number as u64, source),
                user: UserId::for_name("simulated", &number.to_string()),
                plan: None,
                action: None,
                fate,
            });
        }
    }
    players
}

/// Where one of a family of so many is: most are at home, on a device of their own.
fn source(family: Family, place: usize, count: usize, number: usize) -> Source {
    let tenth = count / 10;
    let of_own = |address| Source { address, device: device(0, number), is_tablet: false };
    match family {
        Family::Farm => of_own("the farm".to_owned()),
        Family::DeviceFarm => Source { device: device(1, place / 10), ..of_own(format!("home {number}")) },
        // One in ten shares an address with twenty-nine others, and one a tablet with those at home.
        Family::Honest if place < tenth => of_own(format!("network {}", place / 30)),
        Family::Honest if place < 2 * tenth => {
            let home = home_with_tablet(place - tenth, tenth);
            Source { address: format!("tablet {home}"), device: device(2, home), is_tablet: true }
        }
        _ => of_own(format!("home {number}")),
    }
}

/// In which home one of so many lives who share a tablet: two to six at one, and eight at the last of nine hundred or more, who are more than is believed.
fn home_with_tablet(place: usize, of: usize) -> usize {
    const SIZES: std::ops::RangeInclusive<usize> = 2..=6;
    const EIGHT: usize = 8;
    let last = of.saturating_sub(EIGHT);
    if of >= 900 && place >= last {
        return last;
    }
    let in_round = place % SIZES.sum::<usize>();
    let ends = SIZES.scan(0, |end, size| {
        *end += size;
        Some(*end)
    });
    place - in_round + ends.take_while(|end| *end <= in_round).last().unwrap_or(0)
}

fn device(of: usize, number: usize) -> DeviceId {
    format!("{of:08x}-0000-4000-8000-{number:012x}").parse().expect("a random UUID, or so it looks")
}

fn board() -> BoardSpec {
    let points = |points| Points::new(points).expect("small");
    let kind = |kind: &str, points, min_duration_seconds| ActionKind {
        kind: kind.parse().expect("a slug"),
        points,
        min_duration_seconds,
        lifetime_seconds: 600,
        per_day: None,
    };
    let kinds = vec![
        kind("quest", PointsRule::Fixed(points(10)), 2),
        kind("boss", PointsRule::Range(points(50), points(150)), 5),
    ];
    BoardSpec { kinds, ..BoardSpec::new(BoardId::main()) }
}

/// Reads the incidents, finds each again in the log, and says what became of whom.
async fn judge(
    store: &dyn ScoreStore,
    incidents: &dyn IncidentStore,
    mut fates: HashMap<UserId, Fate>,
    people_blocked: u64,
) -> Outcome {
    let mut by_rule = std::collections::BTreeMap::<String, (u64, u64)>::new();
    let found = incidents.incidents(&IncidentFilter::default(), None, usize::MAX).await.expect("memory");
    for incident in found.into_iter().rev() {
        let Some(evidence) = &incident.finding else { continue };
        let fate = fates.get_mut(&incident.user_id).expect("it played");
        let rows = history(store, incident.user_id).await;
        let grounds = evidence.recompute(&rows).expect("what was found is found again in the log");
        let is_of_source = ["shared_source", "shared_device"].contains(&incident.rule.as_str());
        assert_eq!(grounds == Grounds::Sightings, is_of_source);
        fate.found_by_device |= incident.rule == "shared_device";
        let until = || rows.iter().filter(|row| row.position.version <= evidence.window.last);
        let caught = Caught { actions: until().count() as u64, points: until().map(|row| row.points.get()).sum() };
        if incident.measure == scoreboard_core::Measure::Hold {
            fate.held.get_or_insert(caught);
        }
        fate.flagged.get_or_insert(caught);
        let counts = by_rule.entry(incident.rule).or_default();
        if matches!(fate.family, Family::Honest | Family::Record) { counts.0 += 1 } else { counts.1 += 1 }
    }
    Outcome { fates: fates.into_values().collect(), people_blocked, by_rule }
}

async fn history(store: &dyn ScoreStore, user: UserId) -> Vec<scoreboard_core::LogRow> {
    let mut rows = store.history(&BoardId::main(), user, None::<Version>, usize::MAX).await.expect("memory");
    rows.reverse();
    rows
}
