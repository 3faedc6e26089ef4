//! Who is at the other end of a WebSocket: tickets, and what ends with the session.

use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::accounts::{OutsideIssuer, Principal, SessionStore};
use scoreboard_core::{Clock, SessionId, Timestamp, UserId};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::serving::Served;
use crate::support::{PASSWORD, Player, Setup, World};
use crate::watcher::Watcher;

const PATH: &str = "/api/auth/ws-ticket";

impl World {
    pub(crate) async fn ticket(&self, player: &Player) -> String {
        let answer = self.post_raw(PATH, Some(&player.token), "").await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.body["ticket"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn log_out(&self, player: &Player) {
        assert_eq!(self.post_raw("/api/auth/logout", Some(&player.token), "").await.status, 204);
    }

    /// Another session of a player.
    async fn again(&self, player: &Player, name: &str) -> Player {
        let signed_in = self
            .accounts
            .login(&format!("{name}@example.org"), PASSWORD.to_owned())
            .await
            .unwrap()
            .signed_in()
            .unwrap();
        Player { id: player.id, token: signed_in.token, refresh_token: signed_in.refresh_token }
    }
}

impl Watcher {
    async fn authenticate(&mut self, ticket: &str) -> Value {
        self.say(json!({ "type": "authenticate", "ticket": ticket })).await;
        self.next().await
    }

    pub(crate) async fn signed_in(served: &Served, world: &World, player: &Player) -> Self {
        let mut watcher = Self::connect(served).await;
        watcher.assert_authenticated(&world.ticket(player).await, player).await;
        watcher
    }

    pub(crate) async fn assert_authenticated(&mut self, ticket: &str, player: &Player) {
        let answer = self.authenticate(ticket).await;
        assert_eq!(answer, json!({ "type": "authenticated", "userId": player.id.to_string() }));
    }

    async fn assert_refused(&mut self, ticket: &str, code: &str) {
        let answer = self.authenticate(ticket).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{answer}");
        assert!(answer["detail"].is_string() && !answer.to_string().contains(ticket), "{answer}");
    }

    async fn assert_open(&mut self) {
        self.say(json!({ "type": "ping" })).await;
        assert_eq!(self.next().await, json!({ "type": "pong" }));
    }

    /// Closed as signed out, and sooner than anything that is asked now and then would find out.
    async fn assert_signed_out(&mut self) {
        let closed = timeout(Duration::from_secs(2), self.closed()).await.expect("it is closed at once");
        assert_eq!(closed, (vec![], 4500));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_says_who_is_there_once() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let ada = world.player("ada").await;
    let answer = world.post_raw(PATH, Some(&ada.token), "").await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (201, "no-store"));
    assert_eq!((answer.body.as_object().unwrap().len(), &answer.body["expiresIn"]), (2, &json!(30)));
    let ticket = answer.body["ticket"].as_str().unwrap();
    assert_eq!(ticket.len(), 43, "256 bits in base64url");
    assert_ne!(ticket, world.ticket(&ada).await);

    let (mut first, mut second) = (Watcher::connect(&served).await, Watcher::connect(&served).await);
    first.assert_authenticated(ticket, &ada).await;
    for watcher in [&mut first, &mut second] {
        watcher.assert_refused(ticket, "unauthorized").await;
        watcher.assert_open().await;
    }
    // Who is signed in watches as anybody does.
    first.say(json!({ "type": "subscribe" })).await;
    assert_eq!(first.next().await["type"], "snapshot");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_ticket_any_more_or_never_was_lets_nobody_in() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let ada = world.player("ada").await;
    let mut watcher = Watcher::connect(&served).await;
    let good = world.ticket(&ada).await;
    for bad in ["", "x", &ada.token, &ada.refresh_token, &good[1..], &format!("{good}="), &"A".repeat(43)] {
        watcher.say(json!({ "type": "authenticate", "ticket": bad })).await;
        assert_eq!(watcher.next().await["code"], "unauthorized", "{bad:?}");
    }
    watcher.assert_authenticated(&good, &ada).await;

    let (late, over) = (world.ticket(&ada).await, world.ticket(&ada).await);
    world.clock.advance(Duration::from_millis(29_999));
    watcher.assert_authenticated(&late, &ada).await;
    world.clock.advance(Duration::from_millis(1));
    watcher.assert_refused(&over, "unauthorized").await;

    let mut other = Watcher::connect(&served).await;
    let of_ended = world.ticket(&ada).await;
    world.log_out(&ada).await;
    other.assert_refused(&of_ended, "unauthorized").await;
    other.assert_open().await;
    served.stop().await;
}

#[tokio::test]
async fn only_who_is_signed_in_gets_a_ticket() {
    let mut setup = Setup::default();
    setup.http.limits.read = Some("2/min".parse().unwrap());
    let world = World::with(setup).await;
    let ada = world.player("ada").await;
    for token in [None, Some("x"), Some(ada.refresh_token.as_str())] {
        world.post_raw(PATH, token, "").await.assert_problem(401, "unauthorized");
    }
    assert_ne!(world.ticket(&ada).await, world.ticket(&ada).await);
    let limited = world.post_raw(PATH, Some(&ada.token), "").await;
    limited.assert_problem(429, "rate_limited");
    assert!(limited.header("ratelimit").starts_with("\"read\";r=0"), "{limited:?}");
    world.log_out(&ada).await;
    world.post_raw(PATH, Some(&ada.token), "").await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn the_number_of_tickets_is_bounded() {
    let mut setup = Setup::default();
    setup.accounts.max_tickets = 2;
    let world = World::with(setup).await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    world.ticket(&ada).await;
    let used = world.ticket(&ada).await;
    world.post_raw(PATH, Some(&bob.token), "").await.assert_problem(503, "unavailable");
    assert_eq!(world.accounts.redeem_ticket(&used).await.unwrap().user_id, ada.id);
    world.ticket(&bob).await;
    world.post_raw(PATH, Some(&bob.token), "").await.assert_problem(503, "unavailable");
    world.clock.advance(Duration::from_secs(30));
    world.ticket(&bob).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_sockets_with_one_ticket_one_is_let_in() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let ada = world.player("ada").await;
    for _ in 0..10 {
        let mut watchers = Vec::new();
        for _ in 0..16 {
            watchers.push(Watcher::connect(&served).await);
        }
        let ticket = world.ticket(&ada).await;
        let answers = watchers.into_iter().map(|mut watcher| {
            let ticket = ticket.clone();
            tokio::spawn(async move {
                let answer = watcher.authenticate(&ticket).await;
                watcher.assert_open().await;
                answer
            })
        });
        let answers: Vec<_> = answers.collect();
        let (mut let_in, mut refused) = (0, 0);
        for answer in answers {
            let answer = answer.await.unwrap();
            let_in += u32::from(answer["type"] == "authenticated");
            refused += u32::from(answer["code"] == "unauthorized");
        }
        assert_eq!((let_in, refused), (1, 15));
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_closes_the_sockets_of_that_session_alone() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    let elsewhere = world.again(&ada, "ada").await;
    let mut ended = [Watcher::signed_in(&served, &world, &ada).await, Watcher::signed_in(&served, &world, &ada).await];
    let mut others = [
        Watcher::signed_in(&served, &world, &elsewhere).await,
        Watcher::signed_in(&served, &world, &bob).await,
        Watcher::connect(&served).await,
    ];
    world.log_out(&ada).await;
    for watcher in &mut ended {
        watcher.assert_signed_out().await;
    }
    for watcher in &mut others {
        watcher.assert_open().await;
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_that_is_used_again_closes_the_sockets_of_its_session() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let ada = world.player("ada").await;
    let mut watcher = Watcher::signed_in(&served, &world, &ada).await;
    let old = json!({ "refreshToken": ada.refresh_token });
    assert_eq!(world.post("/api/auth/refresh", None, &old).await.status, 200);
    watcher.assert_open().await;
    world.clock.advance(std::time::Duration::from_secs(10));
    world.post("/api/auth/refresh", None, &old).await.assert_problem(401, "unauthorized");
    watcher.assert_signed_out().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_ended_elsewhere_closes_its_sockets_once_it_is_heard_of() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    let mut watcher = Watcher::signed_in(&served, &world, &ada).await;
    let mut other = Watcher::signed_in(&served, &world, &bob).await;
    world.accounts.sync_revocations().await.unwrap();
    let session = world.accounts.authenticate(&ada.token).unwrap().session_id;
    world.users.end_session(session, world.clock.now()).await.unwrap();
    watcher.assert_open().await;
    // The store was away for longer than any access token is good: those are over, but the socket is not.
    world.clock.advance(Duration::from_secs(3600));
    world.accounts.sync_revocations().await.unwrap();
    watcher.assert_signed_out().await;
    other.assert_open().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_stays_with_its_user() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    let later = world.again(&ada, "ada").await;
    let mut watcher = Watcher::signed_in(&served, &world, &ada).await;
    let of_bob = world.ticket(&bob).await;
    watcher.assert_refused(&of_bob, "forbidden").await;
    Watcher::connect(&served).await.assert_refused(&of_bob, "unauthorized").await;
    // Refused, it is still Ada's; and then that of another session of hers.
    watcher.assert_authenticated(&world.ticket(&later).await, &ada).await;
    world.log_out(&ada).await;
    watcher.assert_open().await;
    world.log_out(&later).await;
    watcher.assert_signed_out().await;
    served.stop().await;
}

/// Another login, whose token says for how many milliseconds from the beginning of time it is good.
#[derive(Debug)]
struct Elsewhere(Timestamp);

impl OutsideIssuer for Elsewhere {
    fn principal(&self, token: &str, now: Timestamp) -> Option<Principal> {
        let millis = token.strip_prefix("elsewhere-")?.parse().ok()?;
        let expires_at = self.0.plus(Duration::from_millis(millis));
        let (user_id, session_id) = (UserId::for_name("elsewhere", "ada"), SessionId::from_bytes([7; 16]));
        // As one that was written when nobody asked: it does not decide it.
        let principal = Principal { user_id, session_id, expires_at, ends_with_token: false };
        (now < expires_at).then_some(principal)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_of_another_logins_user_ends_with_the_token() {
    let now = World::new().await.clock.now();
    let world = World::with(Setup { outside: Some(Arc::new(Elsewhere(now))), ..Setup::default() }).await;
    let served = Served::start(&world).await;
    let who = |millis: u64| Player {
        id: UserId::for_name("elsewhere", "ada"),
        token: format!("elsewhere-{millis}"),
        refresh_token: String::new(),
    };
    let (short, long) = (who(700), who(600_000));
    let mut ends = Watcher::connect(&served).await;
    let mut renewed = Watcher::signed_in(&served, &world, &short).await;
    let late = world.ticket(&short).await;
    let began = Instant::now();
    ends.assert_authenticated(&world.ticket(&short).await, &short).await;
    renewed.assert_authenticated(&world.ticket(&long).await, &long).await;
    ends.assert_open().await;
    ends.assert_signed_out().await;
    assert!(began.elapsed() >= Duration::from_millis(700), "and not before: {:?}", began.elapsed());
    renewed.assert_open().await;
    // The ticket is still good, what it was given for is not.
    world.clock.advance(Duration::from_millis(700));
    let mut other = Watcher::connect(&served).await;
    other.assert_refused(&late, "unauthorized").await;
    // A session of ours goes on when its access token is over.
    let bob = world.player("bob").await;
    let mut stays = Watcher::signed_in(&served, &world, &bob).await;
    let expires_at = world.accounts.authenticate(&bob.token).unwrap().expires_at;
    assert!(expires_at > world.clock.now());
    world.clock.advance(Duration::from_secs(3600));
    stays.assert_open().await;
    served.stop().await;
}
