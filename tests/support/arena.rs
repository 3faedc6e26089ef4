//! A trusted game server that records results without end, evenly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::client::Client;
use super::seed::Seeded;
use super::server::Server;

/// So many connections record at the same time: one alone would wait for each answer.
const CONNECTIONS: usize = 8;

/// It plays until it is dropped, also while the server comes back.
#[derive(Debug)]
pub(crate) struct Arena {
    recorded: Arc<AtomicUsize>,
    tasks: Vec<AbortHandle>,
}

impl Arena {
    /// Makes the key of a game server.
    pub(crate) fn key(server: &Server) -> String {
        let made = server.command(&["admin", "create-server-key", "arena"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).expect("a key is text").trim().to_owned()
    }

    /// Lets these users beat the boss on these boards, by turns at random, `per_second` times in all.
    pub(crate) fn play(server: &Server, key: &str, boards: &[&str], users: &[String], per_second: u32) -> Self {
        let recorded = Arc::new(AtomicUsize::new(0));
        let mut seeds = Seeded::new();
        println!("the arena draws by {}", seeds.told());
        let tasks = (0..CONNECTIONS)
            .map(|_| {
                let (mut client, key, recorded) = (Client::new(server.address()), key.to_owned(), recorded.clone());
                let (boards, users) =
                    (boards.iter().map(|&board| board.to_owned()).collect::<Vec<_>>(), users.to_vec());
                let mut random = StdRng::seed_from_u64(seeds.within(0..u64::MAX));
                let mut ticks = interval(Duration::from_secs(CONNECTIONS as u64) / per_second);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
                let play = async move {
                    loop {
                        ticks.tick().await;
                        let once = format!("match-{}", random.random::<u64>());
                        let (board, user) = (one_of(&mut random, &boards), one_of(&mut random, &users));
                        let points = random.random_range(50..=150);
                        let result = json!({ "board": board, "userId": user, "kind": "boss", "points": points });
                        match client.record(&key, &once, &result).await {
                            Ok(answer) if answer.status == 200 => drop(recorded.fetch_add(1, Ordering::Relaxed)),
                            // On its way down or up: what was not counted is another's turn.
                            Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.body),
                            Err(_) => sleep(Duration::from_millis(50)).await,
                        }
                    }
                };
                tokio::spawn(play).abort_handle()
            })
            .collect();
        Self { recorded, tasks }
    }

    /// How many results have counted.
    pub(crate) fn recorded(&self) -> usize {
        self.recorded.load(Ordering::Relaxed)
    }
}

fn one_of<'a, T>(random: &mut StdRng, choices: &'a [T]) -> &'a T {
    &choices[random.random_range(0..choices.len())]
}

impl Drop for Arena {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
