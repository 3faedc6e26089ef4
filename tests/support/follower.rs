//! Who follows a board, listened to: all that they were shown.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use scoreboard_client::{Client, ClientConfig, Event, State, Subscription, View};
use serde_json::{Value, json};

/// What a follower has said so far.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) views: Vec<Value>,
    /// How many of them were sent whole.
    pub(crate) wholes: usize,
    pub(crate) losses: usize,
    /// Nothing is missing from what it has.
    pub(crate) live: bool,
    /// What it said last, if it has ended.
    pub(crate) ended: Option<String>,
}

/// The Rust client, which does not wait for long before it comes back.
pub(crate) fn hasty(url: &str) -> Client {
    let moment = Duration::from_millis(250);
    let config =
        ClientConfig { first_wait: moment, longest_wait: moment, restart_spread: moment, ..ClientConfig::default() };
    Client::builder(url).with_config(config).connect().expect("a URL")
}

/// Listens to a subscription of it until that ends.
pub(crate) fn listen(mut subscription: Subscription) -> Arc<Mutex<Told>> {
    let told = Arc::new(Mutex::new(Told::default()));
    let listened = told.clone();
    tokio::spawn(async move {
        let mut offline = false;
        while let Some(event) = subscription.next().await {
            let mut told = listened.lock().expect("nobody panics with it");
            match event {
                Event::Moved(moved) => {
                    told.views.push(view(&moved.view));
                    told.wholes += usize::from(moved.previous.is_none() || !moved.recovered);
                }
                Event::State(state) => {
                    let now = matches!(state, State::Offline(_));
                    told.losses += usize::from(now && !offline);
                    told.live = state == State::Live;
                    offline = now;
                }
            }
        }
        listened.lock().expect("nobody panics with it").ended = Some("it was refused".to_owned());
    });
    told
}

/// The Rust client's view, in the words of the others.
fn view(view: &View) -> Value {
    let entries = view.entries.iter().map(|entry| {
        json!({"rank": entry.rank, "userId": entry.user_id, "displayName": entry.display_name, "score": entry.score})
    });
    json!({
        "board": view.board,
        "season": view.season,
        "epoch": view.position.epoch,
        "version": view.position.version,
        "total": view.total,
        "entries": entries.collect::<Vec<_>>(),
    })
}
