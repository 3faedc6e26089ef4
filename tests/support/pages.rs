//! What the server answers about a board, by its position: what every view of it is compared with.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::client::Client;

/// How long a reader waits before it reads again.
const PACE: Duration = Duration::from_millis(5);

/// The whole of a small board, read again and again for all positions that it can be had at, until this is dropped.
pub(crate) struct Pages {
    seen: Arc<Mutex<BTreeMap<(u64, u64), Value>>>,
    reader: JoinHandle<()>,
}

impl Pages {
    pub(crate) fn read(address: SocketAddr, board: &str) -> Self {
        let (seen, board) = (Arc::new(Mutex::new(BTreeMap::new())), board.to_owned());
        let found = seen.clone();
        let reader = tokio::spawn(async move {
            let mut client = Client::new(address);
            loop {
                if let Some(page) = page(&mut client, &board).await {
                    found.lock().expect("nobody panics with it").insert(position(&page), page);
                }
                sleep(PACE).await;
            }
        });
        Self { seen, reader }
    }

    /// None of these views goes back, and each is that part of what the server answered at its position, where that is known: of how many it is.
    pub(crate) fn compare(&self, name: &str, part: &Part, views: &[Value]) -> usize {
        let seen = self.seen.lock().expect("nobody panics with it");
        let (mut compared, mut before) = (0, (0, 0));
        for view in views {
            let at = position(view);
            assert!(at >= before, "{name} went back from {before:?} to {at:?}");
            before = at;
            if let Some(page) = seen.get(&at) {
                assert_eq!(*view, part.of(page.clone()), "{name} at {at:?}");
                compared += 1;
            }
        }
        compared
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// What somebody follows of a board.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Top(usize),
    Around(String, usize),
    Users(Vec<String>),
}

impl Part {
    /// What of a page that has all entries somebody is to see.
    pub(crate) fn of(&self, mut page: Value) -> Value {
        let all = page["entries"].take();
        let all = all.as_array().expect("entries");
        let part: Vec<_> = match self {
            Self::Top(limit) => all.iter().take(*limit).cloned().collect(),
            Self::Around(user, radius) => match all.iter().position(|entry| entry["userId"] == *user) {
                Some(place) => {
                    let length = all.len().min(2 * radius + 1);
                    let first = place.saturating_sub(*radius).min(all.len() - length);
                    all[first..first + length].to_vec()
                }
                None => vec![],
            },
            Self::Users(users) => {
                let listed = |entry: &&Value| users.iter().any(|user| entry["userId"] == *user);
                all.iter().filter(listed).cloned().collect()
            }
        };
        page["entries"] = part.into();
        page
    }
}

/// The whole board, in the words of a view.
pub(crate) async fn page(client: &mut Client, board: &str) -> Option<Value> {
    let answer = client.get(&format!("/api/scoreboard?limit=100&board={board}")).await.ok()?;
    let mut page = (answer.status == 200).then_some(answer.body)?;
    for entry in page["entries"].as_array_mut().expect("entries") {
        entry.as_object_mut().expect("an entry is an object").remove("updatedAt");
    }
    let fields = ["board", "season", "epoch", "version", "total", "entries"];
    Some(fields.into_iter().map(|field| (field.to_owned(), page[field].take())).collect())
}

fn position(of: &Value) -> (u64, u64) {
    let number = |field: &str| of[field].as_u64().expect("positions are numbers");
    (number("epoch"), number("version"))
}
