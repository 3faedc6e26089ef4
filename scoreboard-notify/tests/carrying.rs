//! Messages on their way, to a real mail server and a real receiver of requests.

#![allow(clippy::unwrap_used, reason = "what a helper cannot do, its test cannot either")]

#[path = "../../tests/support/started.rs"]
mod started;

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use scoreboard_core::accounts::{Email, Message, MessageKind, Notifier};
use scoreboard_core::memory::MemoryIncidentStore;
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{
    ActionId, BoardId, Case, Clock, ErrorKind, Incident, IncidentAlerts, IncidentAlertsConfig, IncidentFilter,
    IncidentId, IncidentStore, Measure, Recorded, UserId,
};
use scoreboard_notify::{Outbox, OutboxConfig, SmtpMailer, Webhook};
use sha2::Sha256;
use started::started;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn message(number: u128) -> Message {
    Message {
        id: uuid::Uuid::from_u128(number),
        kind: MessageKind::LoginCode,
        user_id: UserId::from_bytes([7; 16]),
        email: Email::new("ada@example.org").unwrap(),
        subject: "scoreboard: 12345678 is your code".to_owned(),
        text: "Hello Ädä,\n\nyour code is 12345678.\n".to_owned(),
        expires_at: None,
    }
}

/// A mail server of the test's own. It ends with the test.
struct MailServer {
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
    _process: Child,
}

impl MailServer {
    async fn start(answers: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail_server.py");
        // Debian's own Python, for which its package `python3-aiosmtpd` is.
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).args(answers).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("scripts/setup installs what is needed");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port: u16 = lines.next_line().await.unwrap().expect("aiosmtpd is installed").parse().unwrap();
        started("mail server", process.id().unwrap(), format_args!("127.0.0.1:{port}"), "");
        Self { lines, port, _process: process }
    }

    fn mailer(&self) -> Arc<SmtpMailer> {
        let url = format!("smtp://127.0.0.1:{}", self.port);
        Arc::new(SmtpMailer::new(&url, "Scores <scores@example.org>").unwrap())
    }

    async fn next(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.lines.next_line().await.unwrap().expect("it is there")).unwrap()
    }
}

fn quick() -> OutboxConfig {
    let mut config = OutboxConfig::default();
    config.first_wait = Duration::from_millis(1);
    config
}

#[tokio::test]
async fn a_mail_arrives_whole() {
    let mut server = MailServer::start(&[]).await;
    server.mailer().deliver(&message(1)).await.unwrap();
    let mail = server.next().await;
    assert_eq!((&mail["from"], &mail["to"][0]), (&"scores@example.org".into(), &"ada@example.org".into()));
    assert_eq!(mail["subject"], "scoreboard: 12345678 is your code");
    let text = mail["text"].as_str().unwrap().replace("\r\n", "\n");
    assert_eq!(text.trim_end(), "Hello Ädä,\n\nyour code is 12345678.");
    assert_eq!(mail["id"], "<00000000-0000-0000-0000-000000000001@example.org>");
}

#[tokio::test]
async fn what_is_refused_for_now_is_tried_again_and_what_is_refused_for_ever_is_not() {
    let mut server = MailServer::start(&["451", "451", "550"]).await;
    let (outbox, work) = Outbox::new(server.mailer(), Arc::new(ManualClock::default()), quick());
    let work = tokio::spawn(work.run());
    outbox.deliver(&message(1)).await.unwrap();
    for answer in ["451", "451", "550"] {
        assert_eq!(server.next().await["refused"], answer);
    }
    outbox.deliver(&message(2)).await.unwrap();
    assert_eq!(
        server.next().await["id"],
        "<00000000-0000-0000-0000-000000000002@example.org>",
        "the first is given up"
    );
    drop(outbox);
    work.await.unwrap();
}

#[tokio::test]
async fn a_mail_server_that_is_away_is_unavailable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mailer = SmtpMailer::new(&format!("smtp://127.0.0.1:{port}"), "scores@example.org").unwrap();
    assert_eq!(mailer.deliver(&message(1)).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

/// A request as it came.
type Received = (HeaderMap, String);

#[derive(Clone, Default)]
struct Receiver {
    received: Arc<Mutex<Vec<Received>>>,
    /// What is answered, in order; then 204.
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Receiver {
    async fn start(&self) -> String {
        let take = async |State(receiver): State<Self>, headers: HeaderMap, body: String| {
            receiver.received.lock().push((headers, body));
            let answer = receiver.answers.lock().pop().unwrap_or(204);
            StatusCode::from_u16(answer).unwrap()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/texts", listener.local_addr().unwrap());
        let app = Router::new().route("/texts", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }
}

#[tokio::test]
async fn a_request_is_signed_and_tried_again() {
    let receiver = Receiver::default();
    *receiver.answers.lock() = vec![429, 503];
    let clock = ManualClock::default();
    let webhook = Webhook::new(&receiver.start().await, SECRET, Arc::new(clock.clone())).unwrap();
    let (outbox, work) = Outbox::new(Arc::new(webhook), Arc::new(clock.clone()), quick());
    outbox.deliver(&message(5)).await.unwrap();
    drop(outbox);
    work.run().await;
    let received = receiver.received.lock().clone();
    assert_eq!(received.len(), 3, "503, 429, 204");
    for (headers, body) in received {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("x-scoreboard-timestamp"), clock.now().as_secs().to_string());
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("{}.{body}", header("x-scoreboard-timestamp")).as_bytes());
        assert_eq!(header("x-scoreboard-signature"), format!("v1={}", hex::encode(mac.finalize().into_bytes())));
        assert_eq!(header("content-type"), "application/json");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["kind"], &body["id"]), (&"login_code".into(), &uuid::Uuid::from_u128(5).to_string().into()));
        assert_eq!(body["userId"], UserId::from_bytes([7; 16]).to_string());
        assert!(body["text"].as_str().unwrap().contains("12345678") && body.as_object().unwrap().len() == 4);
    }
}

#[tokio::test]
async fn a_request_that_is_refused_is_not_sent_again_and_neither_is_one_that_is_over() {
    let receiver = Receiver::default();
    *receiver.answers.lock() = vec![404];
    let clock = ManualClock::default();
    let webhook = Webhook::new(&receiver.start().await, SECRET, Arc::new(clock.clone())).unwrap();
    let (outbox, work) = Outbox::new(Arc::new(webhook), Arc::new(clock.clone()), quick());
    outbox.deliver(&message(1)).await.unwrap();
    outbox.deliver(&Message { expires_at: Some(clock.now()), ..message(2) }).await.unwrap();
    drop(outbox);
    work.run().await;
    assert_eq!(receiver.received.lock().len(), 1);
}

#[tokio::test]
async fn a_full_outbox_refuses_at_once() {
    let clock = Arc::new(ManualClock::default());
    let webhook = Arc::new(Webhook::new("http://127.0.0.1:9/", SECRET, clock.clone()).unwrap());
    let mut config = quick();
    config.queue = 2;
    let (outbox, work) = Outbox::new(webhook, clock, config);
    // Nobody carries.
    for number in [1, 2] {
        outbox.deliver(&message(number)).await.unwrap();
    }
    assert_eq!(outbox.deliver(&message(3)).await.unwrap_err().kind(), ErrorKind::Overloaded);
    drop(work);
    assert_eq!(outbox.deliver(&message(4)).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

fn incident(number: u8, user: u8, rule: &str) -> Incident {
    Incident {
        id: IncidentId::from_bytes([number; 16]),
        at: ManualClock::START,
        board: BoardId::main(),
        user_id: UserId::from_bytes([user; 16]),
        action_id: ActionId::from_bytes([number; 16]),
        rule: rule.to_owned(),
        evidence: "velocity: 512 perHour, threshold 480".to_owned(),
        measure: Measure::Flag,
        finding: None,
        case: Case::default(),
    }
}

#[tokio::test]
async fn an_incident_is_told_once_by_mail_and_by_a_signed_request() {
    let (mut server, receiver, clock) = (MailServer::start(&[]).await, Receiver::default(), ManualClock::default());
    let webhook = Webhook::new(&receiver.start().await, SECRET, Arc::new(clock.clone())).unwrap();
    let address = |text: &str| Email::new(text).unwrap();
    let carriers: Vec<(Arc<dyn Notifier>, Email)> = vec![
        (server.mailer(), address("mona@example.org")),
        (server.mailer(), address("root@example.org")),
        (Arc::new(webhook), address("nobody@example.org")),
    ];
    let mut config = IncidentAlertsConfig::default();
    config.url = "https://scores.example/api/admin/incidents/".to_owned();
    let store = Arc::new(MemoryIncidentStore::default());
    let alerts = IncidentAlerts::new(store.clone(), carriers, Arc::new(clock), config);
    let first = incident(1, 7, "velocity");
    for _ in 0..3 {
        let _ = alerts.record_incident(&first).await.unwrap();
    }
    let _ = alerts.record_incident(&incident(2, 8, "velocity")).await.unwrap();
    for (user, to) in [(7, "mona"), (7, "root"), (8, "mona"), (8, "root")] {
        let mail = server.next().await;
        assert_eq!(mail["to"][0], format!("{to}@example.org"));
        assert_eq!(mail["subject"], "scoreboard: incident: velocity on main (flag)");
        let text = mail["text"].as_str().unwrap();
        assert!(text.contains("512 perHour") && text.contains(&UserId::from_bytes([user; 16]).to_string()), "{text}");
        assert!(text.contains("https://scores.example/api/admin/incidents/0"), "{text}");
    }
    let received = receiver.received.lock().clone();
    assert_eq!(received.len(), 2, "each incident once, however often it is found");
    let body: serde_json::Value = serde_json::from_str(&received[0].1).unwrap();
    assert_eq!((&body["kind"], &body["userId"]), (&"incident".into(), &first.user_id.to_string().into()));
    assert!(received[0].0.contains_key("x-scoreboard-signature"));
    assert_eq!(store.incidents(&IncidentFilter::default(), None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn of_many_incidents_few_are_told_and_how_many_were_not() {
    let (receiver, clock) = (Receiver::default(), ManualClock::default());
    let webhook = Webhook::new(&receiver.start().await, SECRET, Arc::new(clock.clone())).unwrap();
    let carriers: Vec<(Arc<dyn Notifier>, Email)> = vec![(Arc::new(webhook), Email::new("a@example.org").unwrap())];
    let mut config = IncidentAlertsConfig::default();
    (config.per_hour, config.quiet) = (5, Duration::from_secs(7200));
    let store = Arc::new(MemoryIncidentStore::default());
    let alerts = IncidentAlerts::new(store.clone(), carriers, Arc::new(clock.clone()), config);
    let told = || receiver.received.lock().len();
    for number in 1..=4 {
        // The same user and rule, again and again.
        let _ = alerts.record_incident(&incident(number, 1, "too_fast")).await.unwrap();
    }
    assert_eq!(told(), 1);
    for number in 10..30 {
        let _ = alerts.record_incident(&incident(number, number, "too_fast")).await.unwrap();
    }
    assert_eq!(told(), 5, "and no more in an hour");
    clock.advance(Duration::from_secs(3600));
    let _ = alerts.record_incident(&incident(30, 1, "too_fast")).await.unwrap();
    assert_eq!(told(), 5, "of this one somebody was told an hour ago");
    let _ = alerts.record_incident(&incident(31, 31, "too_fast")).await.unwrap();
    assert_eq!(told(), 6);
    let last = receiver.received.lock().last().unwrap().1.clone();
    assert!(last.contains("Nobody was told of 17 more"), "{last}");
    assert_eq!(
        store.incidents(&IncidentFilter::default(), None, 100).await.unwrap().len(),
        26,
        "all of them are there"
    );
}

#[tokio::test]
async fn an_incident_that_nobody_can_be_told_of_is_there_all_the_same() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mailer = SmtpMailer::new(&format!("smtp://127.0.0.1:{port}"), "scores@example.org").unwrap();
    let carriers: Vec<(Arc<dyn Notifier>, Email)> = vec![(Arc::new(mailer), Email::new("a@example.org").unwrap())];
    let store = Arc::new(MemoryIncidentStore::default());
    let clock = Arc::new(ManualClock::default());
    let alerts = IncidentAlerts::new(store.clone(), carriers, clock, IncidentAlertsConfig::default());
    assert!(matches!(alerts.record_incident(&incident(1, 1, "too_fast")).await, Ok(Recorded::New(_))));
    assert_eq!(store.incidents(&IncidentFilter::default(), None, 10).await.unwrap().len(), 1);
}
