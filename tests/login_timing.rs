//! How long a refused login takes tells nothing of whether there is such a user.

mod support;

use std::time::Duration;

use serde_json::json;
use support::client::Client;
use support::scale::scaled;
use support::server::Server;
use support::user::User;
use tokio::time::Instant;

const PAIRS: usize = 2_000;

/// The chance that one of the known took longer than one of the unknown: a half, if nothing can be told.
fn separable(known: &[Duration], unknown: &[Duration]) -> f64 {
    let mut sorted = unknown.to_vec();
    sorted.sort_unstable();
    let wins: f64 = known
        .iter()
        .map(|time| {
            let below = sorted.partition_point(|other| other < time);
            let equal = sorted.partition_point(|other| other <= time) - below;
            below as f64 + equal as f64 / 2.0
        })
        .sum();
    wins / (known.len() * unknown.len()) as f64
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_and_unknown_users_are_refused_alike_and_as_late() {
    let server = Server::start().await;
    User::register(server.address(), "ada").await;
    let mut client = Client::new(server.address());
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    let pairs = scaled(PAIRS);
    let mut seen = None;
    for pair in 0..pairs {
        // Next to each other, so that what else the machine does befalls both, and in turns, so that neither is always the first.
        for turn in 0..2 {
            let is_known = (pair + turn) % 2 == 0;
            let email = if is_known { "ada@example.org".to_owned() } else { format!("nobody{pair}@example.org") };
            let guess = json!({ "email": email, "password": "correct horse battery stable" });
            let began = Instant::now();
            let answer = client.post("/api/auth/login", &guess).await.expect("login answers");
            let took = began.elapsed();
            if is_known {
                known.push(took);
            } else {
                unknown.push(took);
            }
            let mut body = answer.body;
            body["requestId"].take();
            let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            let this = (answer.status, body, names);
            assert_eq!(this.0, 401);
            assert_eq!(seen.get_or_insert_with(|| this.clone()), &this, "{email}");
        }
    }
    let (one, other) = (median(&known), median(&unknown));
    let gap = one.abs_diff(other);
    let told = separable(&known, &unknown);
    println!("{pairs} pairs: known {one:?}, unknown {other:?}, {gap:?} apart in the middle; separable {told:.3}");
    // Few pairs scatter: three standard deviations of such a number where nothing can be told.
    let scatter = 3.0 * (1.0 / (6.0 * pairs as f64)).sqrt();
    assert!(gap <= Duration::from_millis(2) || gap.as_secs_f64() <= one.as_secs_f64() * scatter, "{gap:?}");
    assert!((told - 0.5).abs() <= 0.05_f64.max(scatter), "{told}");
}
