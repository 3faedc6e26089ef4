//! A server in memory whose clock stands still, and a client without a socket.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use parking_lot::Mutex;
use scoreboard_axum::{App, HttpConfig, Lifecycle, Limits, router};
use scoreboard_core::accounts::{
    Accounts, AccountsConfig, Hashing, Message, MessageKind, Notifier, OutsideIssuer, Registration,
};
use scoreboard_core::memory::{MemoryAccountStore, MemoryScoreStore};
use scoreboard_core::testing::{FaultRates, FaultyScoreStore, ManualClock};
use scoreboard_core::{
    ActionKind, BackendError, BoardId, BoardSpec, Clock, Config, DisplayNames, ErrorKind, KeyRing, Points, PointsRule,
    RandomIds, Scoreboard, UserId,
};
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// What a test may set before a server is made.
pub(crate) struct Setup {
    pub(crate) http: HttpConfig,
    pub(crate) core: Config,
    pub(crate) accounts: AccountsConfig,
    /// Who else signs users in.
    pub(crate) outside: Option<Arc<dyn OutsideIssuer>>,
}

impl Default for Setup {
    /// No limits, so that each test sets the one that it is about.
    fn default() -> Self {
        let mut http = HttpConfig::default();
        http.limits = no_limits();
        let mut core = Config::default();
        core.update_quota = None;
        core.poll_interval = Duration::from_millis(200);
        core.batch_interval = Duration::from_millis(5);
        let mut accounts = AccountsConfig::default();
        // Cheap: what is tested here is not how slow it is.
        accounts.hashing = Hashing::Argon2id { memory_kib: 32, iterations: 1 };
        Self { http, core, accounts, outside: None }
    }
}

fn no_limits() -> Limits {
    let mut limits = Limits::default();
    (limits.generate_action, limits.register, limits.login, limits.mail, limits.read, limits.address) =
        (None, None, None, None, None, None);
    limits
}

/// Names that fail as they are told to: the one part of a read that a test can make panic.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<Option<NamesFail>>);

#[derive(Debug, Clone, Copy)]
pub(crate) enum NamesFail {
    With(ErrorKind),
    Panic,
}

#[async_trait]
impl DisplayNames for Names {
    async fn display_names(&self, _users: &[UserId]) -> Result<HashMap<UserId, String>, BackendError> {
        let fail = *self.0.lock();
        match fail {
            None => Ok(HashMap::new()),
            Some(NamesFail::With(kind)) => {
                Err(BackendError::new(kind, "names", "look up").because("/secret/path of a table"))
            }
            Some(NamesFail::Panic) => panic!("a secret that panicked"),
        }
    }
}

/// Keeps what is sent.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<Vec<Message>>);

#[async_trait]
impl Notifier for Mailbox {
    async fn deliver(&self, message: &Message) -> Result<(), BackendError> {
        self.0.lock().push(message.clone());
        Ok(())
    }
}

impl Mailbox {
    pub(crate) fn of(&self, kind: MessageKind) -> Vec<Message> {
        self.0.lock().iter().filter(|message| message.kind == kind).cloned().collect()
    }

    /// What stands behind `before` in the last message of this kind, up to the next space or full stop.
    pub(crate) fn behind(&self, kind: MessageKind, before: &str) -> String {
        let text = self.of(kind).pop().expect("it was sent").text;
        let (_, rest) = text.split_once(before).expect("it says so");
        rest.split([' ', '\n', '.']).next().unwrap_or_default().to_owned()
    }
}

/// A server in memory.
pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) keys: KeyRing,
    pub(crate) accounts: Accounts,
    pub(crate) users: Arc<MemoryAccountStore>,
    pub(crate) mail: Arc<Mailbox>,
    pub(crate) clock: ManualClock,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) names: Arc<Names>,
    pub(crate) scoreboard: Scoreboard,
    store: Arc<FaultyScoreStore>,
    addresses: AtomicU16,
}

/// Someone who is signed in.
#[derive(Clone)]
pub(crate) struct Player {
    pub(crate) id: UserId,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(Setup { http, core, accounts: accounts_config, outside }: Setup) -> Self {
        let clock = ManualClock::default();
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let keys = KeyRing::random(&RandomIds);
        let users = Arc::new(MemoryAccountStore::default());
        let mail = Arc::new(Mailbox::default());
        let accounts = Accounts::builder(users.clone(), &keys).with_factors(users.clone()).with_mail(mail.clone());
        let accounts = match outside {
            Some(issuer) => accounts.with_outside_issuer(issuer),
            None => accounts,
        };
        let accounts = accounts.with_clock(time.clone()).with_config(accounts_config).build();
        let scores = Arc::new(MemoryScoreStore::default());
        let store = Arc::new(FaultyScoreStore::new(scores.clone(), 7, FaultRates::default()));
        let names = Arc::new(Names::default());
        let scoreboard = Scoreboard::builder(store.clone())
            .with_moderation(scores)
            .with_keys(keys.clone())
            .with_names(names.clone())
            .with_clock(time.clone())
            .with_config(core)
            .build();
        for name in ["main", "other"] {
            scoreboard.create_board(board(name)).await.unwrap();
        }
        let lifecycle = Lifecycle::default();
        let app = App::new(scoreboard.clone(), accounts.clone()).with_clock(time).with_config(http);
        let router = router(app.with_lifecycle(lifecycle.clone()));
        let addresses = AtomicU16::new(0);
        Self { router, keys, accounts, users, mail, clock, lifecycle, names, scoreboard, store, addresses }
    }

    /// Nothing of the store works any more, or all of it again.
    pub(crate) fn break_store(&self, broken: bool) {
        self.store.set_rates(FaultRates { before: f64::from(u8::from(broken)), ..FaultRates::default() });
    }

    pub(crate) fn break_names(&self, fail: Option<NamesFail>) {
        *self.names.0.lock() = fail;
    }

    pub(crate) async fn player(&self, name: &str) -> Player {
        let email = format!("{name}@example.org");
        let registration =
            Registration { email: email.clone(), password: PASSWORD.to_owned(), display_name: name.to_owned() };
        let user = self.accounts.register(registration).await.unwrap();
        let signed_in = self.accounts.login(&email, PASSWORD.to_owned()).await.unwrap().signed_in().unwrap();
        Player { id: user.id, token: signed_in.token, refresh_token: signed_in.refresh_token }
    }

    /// An action that starts now.
    pub(crate) async fn action(&self, player: &Player, kind: &str) -> Value {
        let answer = self.post("/api/scoreboard/generate-action", Some(player), &json!({ "kind": kind })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["action"].clone()
    }

    pub(crate) async fn update(&self, player: &Player, action: &Value) -> Answer {
        self.post("/api/scoreboard/update", Some(player), &json!({ "action": action })).await
    }

    /// A tap, from start to end: one point.
    pub(crate) async fn tap(&self, player: &Player) -> Value {
        let action = self.action(player, "tap").await;
        let answer = self.update(player, &action).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["receipt"].clone()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_as(&self, path: &str, player: &Player) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {}", player.token));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, player: Option<&Player>, body: &Value) -> Answer {
        self.post_raw(path, player.map(|player| player.token.as_str()), body.to_string()).await
    }

    pub(crate) async fn post_raw(&self, path: &str, token: Option<&str>, body: impl Into<Body>) -> Answer {
        let mut request = Request::post(path).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str, player: &Player, body: &Value) -> Answer {
        let request = Request::delete(path).header("authorization", format!("Bearer {}", player.token));
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.header("content-type", "application/json").body(body).unwrap()).await
    }

    /// From an address that nothing came from before.
    pub(crate) async fn send_from_elsewhere(&self, request: Request<Body>) -> Answer {
        let [high, low] = self.addresses.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        self.send_from(SocketAddr::from(([198, 18, high, low], 4711)), request).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        self.send_from(SocketAddr::from(([192, 0, 2, 1], 4711)), request).await
    }

    pub(crate) async fn send_from(&self, address: SocketAddr, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ConnectInfo(address));
        let answered_head = request.method() == Method::HEAD;
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 24).await.unwrap();
        assert!(!answered_head || bytes.is_empty(), "HEAD has no body");
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

/// The sample catalogue, and `rare`, which counts once a day.
fn board(name: &str) -> BoardSpec {
    let points = |points| Points::new(points).unwrap();
    let kind = |kind: &str, points, min_duration_seconds, per_day| ActionKind {
        kind: kind.parse().unwrap(),
        points,
        min_duration_seconds,
        lifetime_seconds: 600,
        per_day,
    };
    BoardSpec {
        kinds: vec![
            kind("tap", PointsRule::Fixed(points(1)), 0, None),
            kind("quest", PointsRule::Fixed(points(10)), 2, None),
            kind("boss", PointsRule::Range(points(50), points(150)), 5, None),
            kind("rare", PointsRule::Fixed(points(1)), 0, Some(1)),
            kind("most", PointsRule::Fixed(points(scoreboard_core::MAX_SCORE)), 0, None),
        ],
        ..BoardSpec::new(BoardId::new(name).unwrap())
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// As JSON; `null` if it is none.
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A problem, whole, with this status and code.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), &self.body["code"]), (status, &json!(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["type"], format!("urn:scoreboard:problem:{code}"));
        for member in ["title", "detail"] {
            assert!(self.body[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {}", self.text);
        }
        assert_eq!(self.body["requestId"], self.header("x-request-id"));
        assert!(!self.header("x-request-id").is_empty());
        if matches!(status, 429 | 503) {
            assert!(self.header("retry-after").parse::<u64>().unwrap() >= 1);
        }
        if status == 400 {
            assert!(self.body["errors"][0]["pointer"].is_string(), "a 400 says which part is meant: {}", self.text);
        }
        if status == 401 {
            assert_eq!(self.header("www-authenticate"), "Bearer");
        }
    }

    /// A 400 that points here.
    #[track_caller]
    pub(crate) fn assert_invalid(&self, pointer: &str) {
        self.assert_problem(400, "invalid_request");
        assert_eq!(self.body["errors"][0]["pointer"], pointer, "{}", self.text);
        assert!(self.body["errors"][0]["detail"].is_string());
    }
}
