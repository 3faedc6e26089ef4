//! Three servers on one board, written and read at once, one of them killed and started again: every rank that any of them ever answers is that
//! of the log's fold at the version it names, and whoever has written sees it.
//!
//! `SCOREBOARD_TEST_SCALE=100 cargo test --all-features --test exact_ranks -- --nocapture` runs all of it: 20,000 updates and six reads behind each.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use support::arena::Arena;
use support::client::Client;
use support::place::Place;
use support::postgres::Schema;
use support::redis::Process;
use support::scale::scaled;
use support::seed::Seeded;
use support::server::{Server, UNLIMITED};

use scoreboard::{BoardId, ScoreStore, UserId, Version};

const CLIENTS: usize = 12;
/// Few, and few points, so that many share a score.
const USERS: u64 = 150;
const UPDATES: usize = 20_000;
const READS_AN_UPDATE: usize = 6;
const LOG_PAGE: usize = 5_000;
const STYLES: [&str; 3] = ["ordinal", "competition", "dense"];

/// What was asked.
#[derive(Debug, Clone)]
enum Asked {
    Top {
        limit: usize,
    },
    /// What stands behind this user as he stood at this version.
    Behind {
        version: u64,
        user: String,
        limit: usize,
    },
    Around {
        user: String,
        radius: usize,
    },
    Standing {
        user: String,
    },
    Standings {
        users: Vec<String>,
    },
    Score {
        score: i64,
    },
}

#[derive(Debug)]
struct Answer {
    asked: Asked,
    style: &'static str,
    body: Value,
}

/// A client of all three.
struct Player {
    clients: Vec<Client>,
    key: String,
    random: StdRng,
    answers: Vec<Answer>,
    /// Without an answer, from the server that was killed.
    lost: usize,
}

impl Player {
    fn within(&mut self, range: Range<u64>) -> u64 {
        self.random.random_range(range)
    }

    fn user(&mut self) -> String {
        UserId::for_name("ranks", &self.within(0..USERS).to_string()).to_string()
    }

    /// Counts a point somewhere; the server, and the version that everything it answers from now on has reached.
    async fn update(&mut self, once: &str) -> Option<(usize, u64)> {
        let node = self.within(0..self.clients.len() as u64) as usize;
        let result = json!({ "board": "main", "userId": self.user(), "kind": "tap" });
        match self.clients[node].record(&self.key, once, &result).await {
            Ok(answer) if answer.status == 200 => Some((node, answer.body["receipt"]["version"].as_u64()?)),
            // On its way down or up.
            Ok(answer) => {
                assert_eq!(answer.status, 503, "{}", answer.body);
                None
            }
            Err(_) => None,
        }
    }

    /// Asks a server something, once or with what follows from it.
    async fn read(&mut self, node: usize, at_least: Option<u64>, floor: u64) {
        let style = STYLES[self.within(0..3) as usize];
        let limit = self.within(1..40) as usize;
        let asked = match self.within(0..5) {
            0 => Asked::Top { limit },
            1 => Asked::Around { user: self.user(), radius: self.within(1..12) as usize },
            2 => Asked::Standing { user: self.user() },
            3 => Asked::Standings { users: (0..5).map(|_| self.user()).collect() },
            _ => Asked::Score { score: self.within(0..UPDATES as u64 / USERS) as i64 },
        };
        let Some(body) = self.ask(node, &asked, style, at_least, None, floor).await else { return };
        let Asked::Top { limit } = asked else { return };
        // The page behind it, at whatever version the board is by then.
        let (Some(cursor), Some(last)) =
            (body["nextCursor"].as_str(), body["entries"].as_array().and_then(|e| e.last()))
        else {
            return;
        };
        let version = body["version"].as_u64().expect("a version");
        let behind = Asked::Behind { version, user: last["userId"].as_str().expect("an id").to_owned(), limit };
        // The page may have come from where this node's own ranks are not yet: who wants nothing older than it says so.
        self.ask(node, &behind, style, Some(version), Some(cursor), version).await;
    }

    async fn ask(
        &mut self,
        node: usize,
        asked: &Asked,
        style: &'static str,
        at_least: Option<u64>,
        cursor: Option<&str>,
        floor: u64,
    ) -> Option<Value> {
        let and = at_least.map(|version| format!("&minVersion={version}")).unwrap_or_default();
        let client = &mut self.clients[node];
        let answered = match asked {
            Asked::Top { limit } => client.get(&format!("/api/scoreboard?limit={limit}&style={style}{and}")).await,
            Asked::Behind { limit, .. } => {
                let cursor = cursor.expect("it is asked by one");
                client.get(&format!("/api/scoreboard?limit={limit}&style={style}&cursor={cursor}{and}")).await
            }
            Asked::Around { user, radius } => {
                client.get(&format!("/api/scoreboard/users/{user}/around?radius={radius}&style={style}{and}")).await
            }
            Asked::Standing { user } => client.get(&format!("/api/scoreboard/users/{user}?style={style}{and}")).await,
            Asked::Score { score } => {
                client.get(&format!("/api/scoreboard/rank?score={score}&style={style}{and}")).await
            }
            Asked::Standings { users } => {
                let mut body = json!({ "board": "main", "userIds": users, "style": style });
                if let Some(version) = at_least {
                    body["minVersion"] = json!(version);
                }
                client.post("/api/scoreboard/standings", &body).await
            }
        };
        let Ok(answer) = answered else {
            self.lost += 1;
            return None;
        };
        if answer.status == 503 {
            self.lost += 1;
            return None;
        }
        let body = answer.expect(200);
        let version = body["version"].as_u64().expect("a version");
        assert!(version >= floor, "{asked:?} was answered at {version}, below {floor}");
        self.answers.push(Answer { asked: asked.clone(), style, body: body.clone() });
        Some(body)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rank_of_three_servers_is_that_of_the_log_at_its_version() {
    let redis = Process::start(&[]);
    let schema = Schema::create().await;
    let url = redis.url();
    let settings: Vec<_> = UNLIMITED.into_iter().chain([("SCOREBOARD_REDIS__URL", url.as_str())]).collect();
    let one = Server::start_as(Place::At(schema.url().to_owned()), &settings, &[]).await;
    let two = one.start_beside().await;
    let mut three = one.start_beside().await;
    let addresses: Vec<SocketAddr> = [&one, &two, &three].map(Server::address).into();
    let key = Arena::key(&one);

    let mut seeds = Seeded::new();
    // A twenty-fifth, unless all is asked for.
    let updates = scaled(scaled(UPDATES));
    let made = Arc::new(AtomicUsize::new(0));
    let players = (0..CLIENTS).map(|_| {
        let (key, made) = (key.clone(), made.clone());
        let clients = addresses.iter().map(|address| Client::new(*address)).collect();
        let random = StdRng::seed_from_u64(seeds.within(0..u64::MAX));
        let mut player = Player { clients, key, random, answers: Vec::new(), lost: 0 };
        tokio::spawn(async move {
            loop {
                let number = made.fetch_add(1, Ordering::Relaxed);
                if number >= updates {
                    return player;
                }
                let Some((node, version)) = player.update(&format!("match-{number}")).await else { continue };
                for _ in 0..READS_AN_UPDATE {
                    // The same server knows what it has counted; another is told what it must have heard of.
                    match player.within(0..3) as usize {
                        other if other == node => player.read(node, None, version).await,
                        other if player.within(0..2) == 0 => player.read(other, Some(version), version).await,
                        other => player.read(other, None, 0).await,
                    }
                }
            }
        })
    });
    let players: Vec<_> = players.collect();
    // Its ranks are gone with it, and filled again beside the load.
    support::wait::until("half of it", std::time::Duration::from_secs(300), async || {
        (made.load(Ordering::Relaxed) >= updates / 2).then_some(())
    })
    .await;
    three.kill9();
    three.restart().await;
    let players = join_all(players).await.into_iter().map(|player| player.expect("every answer is at its floor"));
    let (mut answers, mut lost) = (HashMap::<u64, Vec<Answer>>::new(), 0);
    for player in players {
        lost += player.lost;
        for answer in player.answers {
            answers.entry(answer.body["version"].as_u64().expect("a version")).or_default().push(answer);
        }
    }

    let store = schema.store().await;
    let compared = compare(&store, answers).await;
    println!(
        "{updates} updates at three servers, one killed meanwhile ({lost} without an answer): {compared} answers, each as the log says"
    );
    assert!(compared > updates * READS_AN_UPDATE / 2, "{compared} answers");
    one.assert_verified();
}

/// Folds the log, and compares each answer at its version; gives how many there were.
async fn compare(store: &dyn ScoreStore, mut answers: HashMap<u64, Vec<Answer>>) -> usize {
    // Where those stood behind whom somebody read on.
    let mut places: HashMap<(u64, String), (i64, u64)> = HashMap::new();
    for answer in answers.values().flatten() {
        if let Asked::Behind { version, user, .. } = &answer.asked {
            places.insert((*version, user.clone()), (0, 0));
        }
    }
    let mut scores = BTreeMap::<UserId, (i64, u64)>::new();
    let (mut after, mut compared) = (Version::ZERO, 0);
    loop {
        let rows = store.log(&BoardId::main(), after, LOG_PAGE).await.expect("the log is there");
        let Some(last) = rows.last() else { break };
        after = last.position.version;
        for row in &rows {
            let version = row.position.version.get();
            let reached = row.after().expect("nobody corrects here");
            scores.insert(row.user_id, (reached.score.get(), reached.version.get()));
            let here = answers.remove(&version).unwrap_or_default();
            let needed = places.keys().any(|(at, _)| *at == version);
            if here.is_empty() && !needed {
                continue;
            }
            let board = Fold::of(&scores);
            for ((at, user), place) in &mut places {
                if *at == version {
                    *place = board.place(user).expect("who is on a page is on the board");
                }
            }
            for answer in &here {
                board.assert_right(answer, &places);
            }
            compared += here.len();
        }
    }
    answers.remove(&0);
    assert!(answers.is_empty(), "answers at versions that never were: {:?}", answers.keys());
    compared
}

/// The board at one version: user, score and when it was reached, best first.
struct Fold(Vec<(String, i64, u64)>);

impl Fold {
    fn of(scores: &BTreeMap<UserId, (i64, u64)>) -> Self {
        let mut rows: Vec<_> = scores.iter().map(|(user, (score, at))| (user.to_string(), *score, *at)).collect();
        rows.sort_unstable_by_key(|(_, score, at)| (-score, *at));
        Self(rows)
    }

    fn index(&self, user: &str) -> Option<usize> {
        self.0.iter().position(|(id, ..)| id == user)
    }

    fn place(&self, user: &str) -> Option<(i64, u64)> {
        self.index(user).map(|index| (self.0[index].1, self.0[index].2))
    }

    fn rank(&self, index: usize, style: &str) -> u64 {
        let score = self.0[index].1;
        match style {
            "ordinal" => index as u64 + 1,
            _ => self.rank_of_score(score, style),
        }
    }

    /// The rank of who would reach this score now.
    fn rank_of_score(&self, score: i64, style: &str) -> u64 {
        let better = self.0.iter().map(|(_, other, _)| *other).filter(|other| *other > score);
        1 + match style {
            "ordinal" => self.0.iter().filter(|(_, other, _)| *other >= score).count() as u64,
            "competition" => better.count() as u64,
            _ => {
                let mut distinct: Vec<_> = better.collect();
                distinct.dedup();
                distinct.len() as u64
            }
        }
    }

    fn entry(&self, index: usize, style: &str) -> (u64, String, i64) {
        let (user, score, _) = &self.0[index];
        (self.rank(index, style), user.clone(), *score)
    }

    fn entries(&self, range: Range<usize>, style: &str) -> Vec<(u64, String, i64)> {
        (range.start..range.end.min(self.0.len())).map(|index| self.entry(index, style)).collect()
    }

    fn assert_right(&self, answer: &Answer, places: &HashMap<(u64, String), (i64, u64)>) {
        let Answer { asked, style, body } = answer;
        let said = |entries: &Value| entries.as_array().expect("entries").iter().map(said_of).collect::<Vec<_>>();
        let standing = |user: &String| self.index(user).map(|index| self.entry(index, style));
        let total = self.0.len() as u64;
        match asked {
            Asked::Top { limit } => assert_eq!(said(&body["entries"]), self.entries(0..*limit, style), "{answer:?}"),
            Asked::Behind { version, user, limit } => {
                let (score, reached) = places[&(*version, user.clone())];
                let from = self.0.partition_point(|(_, other, at)| (-other, *at) <= (-score, reached));
                assert_eq!(said(&body["entries"]), self.entries(from..from + limit, style), "{answer:?}");
            }
            Asked::Around { user, radius } => {
                let around = self.index(user).map(|index| {
                    let size = 2 * radius + 1;
                    let from = index.saturating_sub(*radius).min(self.0.len().saturating_sub(size));
                    self.entries(from..from + size, style)
                });
                assert_eq!(said(&body["entries"]), around.unwrap_or_default(), "{answer:?}");
            }
            Asked::Standing { user } => {
                let standing = standing(user);
                let behind = |rank| 100.0 * (total + 1 - rank) as f64 / total as f64;
                let percentile = standing.as_ref().filter(|_| *style != "dense").map(|(rank, ..)| behind(*rank));
                assert_eq!(said_or_none(&body["standing"]), standing, "{answer:?}");
                // This JSON reader's last bit may differ.
                let near = |said: f64| percentile.is_some_and(|percentile| (said - percentile).abs() < 1e-9);
                assert!(body["percentile"].as_f64().map_or(percentile.is_none(), near), "{answer:?}");
            }
            Asked::Standings { users } => {
                let all = body["standings"].as_array().expect("one for each").iter().map(said_or_none);
                assert_eq!(all.collect::<Vec<_>>(), users.iter().map(standing).collect::<Vec<_>>(), "{answer:?}");
            }
            Asked::Score { score } => {
                assert_eq!(body["rank"].as_u64(), Some(self.rank_of_score(*score, style)), "{answer:?}");
            }
        }
        assert_eq!(body["total"].as_u64(), Some(total), "{answer:?}");
    }
}

fn said_of(entry: &Value) -> (u64, String, i64) {
    let user = entry["userId"].as_str().expect("an id").to_owned();
    (entry["rank"].as_u64().expect("a rank"), user, entry["score"].as_i64().expect("a score"))
}

fn said_or_none(entry: &Value) -> Option<(u64, String, i64)> {
    (!entry.is_null()).then(|| said_of(entry))
}
