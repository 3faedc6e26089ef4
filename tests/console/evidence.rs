//! Each kind of evidence as the console draws it, of incidents that the rules themselves have found: in a log of days that were not waited for,
//! and, of accounts at one address and on one device, in what was played just now.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::{
    ActionId, BoardId, Change, Clock, Fingerprint, FraudWatch, FraudWatchConfig, Origin, Points, ScoreStore,
    Scoreboard, Season, SystemClock, Timestamp, UserId,
};
use scoreboard_sqlite::{Config, SqliteStore};
use serde_json::{Value, json};

use crate::by_rule::{look_at_a_stretch, void_and_take_back};
use crate::desk::{id, log_in, seen, text};
use crate::support::server::{Server, UNLIMITED};
use crate::support::user::{PASSWORD, User};
use crate::support::wait::until;
use crate::support::webdriver::Browser;
use crate::{PATIENCE, assert_fits, assert_quiet, grant};

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;

/// What somebody did: when, after a beginning that is a full hour, and for how many points.
type Acts = Vec<(u64, i64)>;

/// As long as a person's: no two the same, half as long up to half again as long as the middle.
fn uneven(middle: u64, count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |number| middle / 2 + (number * 7_919 + number * number * 31) % middle)
}

/// Acts so far apart, the first at once, one point each.
fn apart(intervals: impl IntoIterator<Item = u64>) -> Acts {
    let later = intervals.into_iter().scan(0, |at, interval| {
        *at += interval;
        Some((*at, 1))
    });
    [(0, 1)].into_iter().chain(later).collect()
}

/// Of each rule of the log somebody whom it finds.
fn everybody() -> [(&'static str, Acts); 5] {
    let hours = (0..24).flat_map(|hour| (0..180).map(move |act| hour * HOUR + act * 20 * SECOND + act * 977 % 9_000));
    let results = uneven(4, 20).map(|points| 58 + i64::try_from(points).expect("small")).chain([140; 8]);
    [
        ("interval_variation", apart([20 * SECOND; 30])),
        ("window_variation", apart((0..7).flat_map(|window| [if window % 2 == 0 { 5_000 } else { 12_000 }; 8]))),
        ("velocity", apart(uneven(5 * SECOND, 520))),
        // More than the console reads on.
        ("active_hours", hours.map(|at| (at, 1)).collect()),
        (
            "points_shift",
            apart(uneven(30 * SECOND, 28)).into_iter().zip(results).map(|((at, _), points)| (at, points)).collect(),
        ),
    ]
}

/// Writes into the database of a server that is stopped what these users did, and lets the rules look.
async fn play(database: &Path, players: &[(UserId, Acts)]) {
    let store = Arc::new(SqliteStore::open(&Config::new(database)).await.expect("it is there"));
    let scoreboard = Scoreboard::builder(store.clone()).with_incidents(store.clone()).build();
    let watch = FraudWatch::new(scoreboard, FraudWatchConfig::default());
    watch.look().await.expect("it looks");
    let hour = i64::try_from(HOUR).expect("small");
    let begin = Timestamp::from_millis((SystemClock.now().as_millis() / hour - 26) * hour);
    let mut changes = Vec::new();
    for (user_id, acts) in players {
        for (at, points) in acts {
            changes.push(Change {
                action_id: ActionId::from_bytes((changes.len() as u128 + 1).to_be_bytes()),
                fingerprint: Fingerprint::from_bytes([0; 16]),
                board: BoardId::main(),
                season: Season::FIRST,
                user_id: *user_id,
                kind: "boss".parse().expect("a slug"),
                points: Points::new(*points).expect("small"),
                origin: Origin::Action,
                at: begin.plus(Duration::from_millis(*at)),
                at_most: None,
                admitted: None,
            });
        }
    }
    for batch in changes.chunks(500) {
        let outcomes = store.apply(batch).await.expect("it counts");
        assert!(outcomes.iter().all(|outcome| outcome.receipt().is_some()));
    }
    while watch.look().await.expect("it looks").changes > 0 {}
    store.close().await;
}

/// The incident of a rule about a user, once it is there.
async fn incident(reviewer: &mut User, rule: &str, user: &str) -> Value {
    let path = format!("/api/admin/incidents?rule={rule}&user={user}");
    until(format!("an incident of {rule}"), PATIENCE, async || {
        let answer = reviewer.client.send("GET", &path, Some(&reviewer.token), None).await.expect("it answers");
        answer.expect(200)["incidents"].get_mut(0).map(Value::take)
    })
    .await
}

async fn number_of(browser: &mut Browser, shapes: &str) -> Value {
    let count = "return document.querySelectorAll(`[data-testid=evidence] svg ${arguments[0]}`).length;";
    browser.run(count, json!([shapes])).await
}

/// The drawing says what the finding says.
async fn drawn(browser: &mut Browser, finding: &Value) {
    let number = |value: &Value| value.as_i64().expect("a number");
    let inputs = &finding["inputs"];
    match finding["rule"].as_str().expect("a rule") {
        "interval_variation" | "window_variation" => {
            assert_eq!(number_of(browser, "circle.dot").await, inputs["intervals"], "a dot for each interval");
            let stretches = if finding["rule"] == "window_variation" { inputs["windows"].clone() } else { json!(1) };
            let bands = [number_of(browser, "rect.measured").await, number_of(browser, "rect.threshold").await];
            assert_eq!(
                bands,
                [stretches.clone(), stretches],
                "what was measured beside what is believed, window by window"
            );
            let within = "
                const [measured, believed] = ['measured', 'threshold'].map((kind) => [...document.querySelectorAll(`[data-testid=evidence] rect.${kind}`)].map((rect) => [Number(rect.getAttribute('y')), Number(rect.getAttribute('height'))]));
                return measured.every(([y, height], place) => y >= believed[place][0] && y + height <= believed[place][0] + believed[place][1]);";
            assert_eq!(browser.run(within, json!([])).await, true, "it varies less than is believed, and looks so");
        }
        "velocity" => {
            let acts = finding["actions"].as_array().expect("actions").len();
            assert_eq!(number_of(browser, "circle.dot").await, acts - 1, "an interval between two actions");
            assert_eq!(number_of(browser, "line.limit").await, 1);
        }
        "active_hours" => {
            let [bars, empty, unread] = [
                number_of(browser, "rect.bar").await,
                number_of(browser, "rect.empty-hour").await,
                number_of(browser, "rect.unread-hour").await,
            ];
            assert_eq!(json!(number(&bars) + number(&unread)), inputs["ofHours"], "each hour");
            assert_eq!(number(&empty), 0, "what is not read is not shown as if nothing was done");
            assert!(number(&unread) > 0 && number(&bars) > 12, "most of it is read");
            let legend = text(browser, "[data-testid=evidence] .legend").await;
            assert!(legend.contains("not read"), "{legend}");
        }
        "points_shift" => {
            let points = [number_of(browser, "circle.dot").await, number_of(browser, "circle.dot-unmeasured").await];
            assert_eq!(points, [inputs["recent"].clone(), inputs["before"].clone()], "a dot for each result");
            assert_eq!(number_of(browser, "rect.threshold").await, 1);
            assert_eq!(number_of(browser, "line.mean").await, 2, "both middles");
        }
        other => panic!("nobody has said how {other} is drawn"),
    }
    let words = text(browser, "[data-testid=evidence] .words").await;
    assert!(words.chars().any(|letter| letter.is_ascii_digit()), "it is said in words too: {words}");
    // Whoever does not see it hears the same.
    let heard = "return document.querySelector('[data-testid=evidence] svg').getAttribute('aria-label');";
    assert_eq!(browser.run(heard, json!([])).await, json!(words));
    let readable = "
        const svg = document.querySelector('[data-testid=evidence] svg');
        const { width, height } = svg.viewBox.baseVal;
        return [...svg.querySelectorAll('text')].filter((text) => {
          const box = text.getBBox();
          return text.textContent === '' ? false : box.x < 0 || box.y < 0 || box.x + box.width > width || box.y + box.height > height;
        }).map(({ textContent }) => textContent);";
    assert_eq!(browser.run(readable, json!([])).await, json!([]), "no label is cut off");
    // As far apart as they say: else a threshold is read off wrongly.
    let apart = "
        const rows = [...document.querySelectorAll('[data-testid=evidence] svg .grid text')].filter((text) => text.textContent !== '');
        const read = rows.map((text) => [parseFloat(text.textContent.replace(/[^0-9.−-]/g, '').replace('−', '-')), Number(text.getAttribute('y'))]);
        const [[first, low], [second, next]] = read;
        const share = (next - low) / (second - first);
        return read.every(([value, y]) => Math.abs(low + (value - first) * share - y) < 1);";
    assert_eq!(browser.run(apart, json!([])).await, true, "what the axis says is where it says");
}

/// What somebody's client calls the device.
const TABLET: &str = "6f1d9c3e-8a57-4b0e-9d43-52c7e1a0b8f6";

/// One tap, from start to end, on this device.
async fn tap_on(user: &mut User, device: Option<&str>) {
    let action = user.issue("tap").await.expect("it answers").expect(201)["action"].take();
    let mut body = json!({ "action": action });
    if let Some(device) = device {
        body["deviceId"] = json!(device);
    }
    let answer = user.client.send("POST", "/api/scoreboard/update", Some(&user.token), Some(&body)).await;
    answer.expect("it answers").expect(200);
}

/// A dot for each account, those beyond what is believed by themselves, and the same in words, which say what kind of source it is.
async fn crowd_is_drawn(browser: &mut Browser, finding: &Value, source: &str) {
    let number = |field: &str| finding[field].as_u64().expect("a number");
    let (value, threshold) = (number("value"), number("threshold"));
    let dots = [number_of(browser, "circle.dot-unmeasured").await, number_of(browser, "circle.dot").await];
    assert_eq!(dots, [json!(threshold), json!(value - threshold)]);
    let words = text(browser, "[data-testid=evidence] .words").await;
    assert_eq!(words, format!("{value} accounts were seen {source} within a day; {threshold} are believed."));
    let heard = "return document.querySelector('[data-testid=evidence] svg').getAttribute('aria-label');";
    assert_eq!(browser.run(heard, json!([])).await, json!(words));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_evidence_is_drawn_as_it_was_found() {
    let mut settings = UNLIMITED.to_vec();
    settings.extend([
        ("SCOREBOARD_FRAUD__ACCOUNTS_PER_ADDRESS", "4"),
        ("SCOREBOARD_FRAUD__ACCOUNTS_PER_DEVICE", "2"),
        ("SCOREBOARD_ACCOUNTS__SECOND_FACTOR", "optional"),
    ]);
    let mut server = Server::start_with(&settings, &[]).await;
    let mut mona = User::register(server.address(), "mona").await;
    grant(&server, "mona@example.org", "moderator");
    let mut found = Vec::new();
    for (rule, acts) in everybody() {
        found.push((rule, User::register(server.address(), rule).await, acts));
    }
    assert!(server.terminate().await.success());
    let players: Vec<_> = found.iter().map(|(_, user, acts)| (user.id.parse().expect("an id"), acts.clone())).collect();
    play(&server.database(), &players).await;
    server.restart().await;

    let mut browser = Browser::open().await;
    browser.go(&format!("{}/admin", server.url())).await;
    log_in(&mut browser, "mona@example.org", PASSWORD).await;
    seen(&mut browser, &id("console")).await;
    let open = "location.hash = `incidents/${arguments[0]}`;";
    let shown = "return document.querySelector('[data-testid=finding]')?.innerText.includes(arguments[0]) === true;";
    for (rule, user, _) in &found {
        let incident = incident(&mut mona, rule, &user.id).await;
        browser.look(1280, 900, "light").await;
        browser.run(open, json!([incident["id"]])).await;
        browser.wait(shown, json!([rule])).await;
        seen(&mut browser, "[data-testid=evidence] svg").await;
        drawn(&mut browser, &incident["finding"]).await;
        browser.screenshot(&format!("console-evidence-{rule}")).await;
        browser.look(375, 740, "dark").await;
        browser
            .wait("return document.querySelector('[data-testid=evidence] svg').viewBox.baseVal.width < 375;", json!([]))
            .await;
        drawn(&mut browser, &incident["finding"]).await;
        assert_fits(&mut browser, 375, rule).await;
        browser.screenshot(&format!("console-evidence-{rule}-phone")).await;
    }

    // Five accounts play from one address, where four are believed, and the last three of them on one device, where two are.
    for (place, (_, user, _)) in found.iter_mut().enumerate() {
        tap_on(user, (place >= 2).then_some(TABLET)).await;
    }
    // Once more, so that each of them is seen beside the two others.
    for (_, user, _) in &mut found[2..] {
        tap_on(user, Some(TABLET)).await;
    }
    for (_, user, _) in &found[2..] {
        incident(&mut mona, "shared_device", &user.id).await;
    }
    let last = found.last().expect("there are five").1.id.clone();
    for (rule, first, source) in [("shared_source", 0, "at one address"), ("shared_device", 2, "on one device")] {
        let incident = incident(&mut mona, rule, &last).await;
        let accounts = incident["finding"]["users"].as_array().expect("accounts").clone();
        assert_eq!(accounts.len(), found.len() - first, "{accounts:?}");
        browser.look(1280, 900, "light").await;
        browser.run(open, json!([incident["id"]])).await;
        browser.wait(shown, json!([rule])).await;
        for (name, user, _) in &found[first..] {
            let named = "return [...document.querySelectorAll('[data-testid=accounts] li')].some(({ innerText }) => innerText.includes(arguments[0]));";
            browser.wait(named, json!([name])).await;
            assert!(accounts.contains(&json!(user.id)), "{name}");
        }
        for (name, width, scheme) in [("", 1280, "light"), ("-phone", 375, "dark")] {
            browser.look(width, if width < 1280 { 740 } else { 900 }, scheme).await;
            let fitting = "return document.querySelector('[data-testid=evidence] svg.crowd')?.viewBox.baseVal.width < innerWidth;";
            browser.wait(fitting, json!([])).await;
            crowd_is_drawn(&mut browser, &incident["finding"], source).await;
            assert_fits(&mut browser, width, rule).await;
            browser.screenshot(&format!("console-evidence-{rule}{name}")).await;
        }
    }
    browser.look(1280, 900, "light").await;
    let on_device: Vec<_> = found[2..].iter().map(|(_, user, _)| user.id.as_str()).collect();
    let acts = found[2..].iter().map(|(_, _, acts)| acts.len() + 2).sum();
    assert!(acts > 2_000, "more than are named in one request");
    void_and_take_back(&mut browser, &server, &on_device, acts).await;
    look_at_a_stretch(&mut browser, acts).await;
    assert_quiet(&mut browser).await;
    assert!(server.terminate().await.success());
    server.assert_verified();
}
