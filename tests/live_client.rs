//! The JavaScript client in a real browser: in step with the board whatever happens to its connections, from other origins too.

mod support;

use std::collections::HashMap;
use std::time::Duration;

use scoreboard::UserId;
use serde_json::json;
use support::arena::Arena;
use support::client::Client;
use support::fault_proxy::{Fault, FaultProxy, Upstream};
use support::pages::{Pages, Part, page};
use support::server::{Server, UNLIMITED};
use support::user::User;
use support::wait::until;
use support::webdriver::Browser;
use tokio::time::sleep;

/// Over one connection two boards, and one of them also around a user and as a list of users; over another, which loses some of what it is sent,
/// a top and a neighbourhood.
const FOLLOW: &str = "
    const [near, some] = arguments;
    return import('/client/scoreboard-client.js').then(({ ScoreboardClient }) => {
      class Lossy extends WebSocket {
        addEventListener(type, listener) {
          let updates = 0;
          super.addEventListener(type, (event) => {
            const isUpdate = type === 'message' && JSON.parse(event.data).type === 'update';
            if (isUpdate && window.lost < 10 && ++updates % 10 === 5) window.lost += 1;
            else listener(event);
          });
        }
      }
      window.lost = 0;
      window.followers = {};
      const follow = (name, client, board, part) => {
        const follower = { client, subscription: client.subscribe(board, part), views: [], wholes: 0, states: [] };
        follower.subscription.addEventListener('change', ({ detail: { view, changes } }) => {
          follower.views.push(view);
          if (changes === null) follower.wholes += 1;
        });
        client.addEventListener('state', ({ detail: { state } }) => follower.states.push(state));
        window.followers[name] = follower;
      };
      const both = new ScoreboardClient();
      follow('main', both, 'main', { limit: 5 });
      follow('side', both, 'side', { limit: 5 });
      follow('near', both, 'main', { around: near, radius: 2 });
      follow('some', both, 'main', { users: some });
      const lossy = new ScoreboardClient(location.origin, { WebSocket: Lossy });
      follow('lossy', lossy, 'main', { limit: 5 });
      follow('lossyNear', lossy, 'main', { around: near, radius: 2 });
    });";
const ALL_ARE: &str =
    "return Object.values(window.followers).every(({ subscription }) => subscription.state === arguments[0]);";
const MARK: &str = "
    for (const follower of Object.values(window.followers)) {
      follower.mark = follower.views.length;
      follower.client.connect();
    }";
const MOVED_ON: &str = "
    return Object.values(window.followers).every(({ subscription, views, mark }) => subscription.state === 'live' && views.length >= mark + 10);";
const ALL_SEEN: &str = "
    return Object.fromEntries(Object.entries(window.followers).map(([name, { views, wholes, states }]) => [name, { views, wholes, states }]));";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_javascript_client_stays_in_step_through_losses_cuts_and_restarts() {
    let mut server = Server::start().await;
    for words in [
        &["admin", "create-board", "side", "--name", "Side"][..],
        &["admin", "set-kind", "side", "boss", "--points", "50..150"][..],
    ] {
        let made = server.command(words);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let key = Arena::key(&server);
    // Boards are looked up again after a while; begun anew, the server knows the new one.
    server.kill9();
    server.restart().await;
    let proxy = FaultProxy::start(Upstream::Port(server.address())).await;
    let mut browser = Browser::open().await;
    // A page of that origin that does nothing by itself.
    browser.go(&format!("http://{}/api/scoreboard/boards", proxy.address())).await;

    let users: Vec<String> = (0..12).map(|user| UserId::for_name("arena", &user.to_string()).to_string()).collect();
    let arena = Arena::play(&server, &key, &["main", "side"], &users, 60);
    let pages: HashMap<&str, Pages> =
        ["main", "side"].map(|board| (board, Pages::read(server.address(), board))).into();
    // One of whom is not on the board.
    let (near, some) = (users[3].clone(), [&users[..4], &[UserId::MIN.to_string()]].concat());
    browser.run(FOLLOW, json!([near, some])).await;
    let (top, near, some) = (Part::Top(5), Part::Around(near, 2), Part::Users(some));
    let followers = [
        ("main", "main", &top),
        ("side", "side", &top),
        ("near", "main", &near),
        ("some", "main", &some),
        ("lossy", "main", &top),
        ("lossyNear", "main", &near),
    ];
    further(&mut browser).await;

    // Cut, and taken up again by what was missed: no board is sent whole a second time for it.
    proxy.set(Fault::Cut);
    browser.wait(ALL_ARE, json!(["offline"])).await;
    proxy.set(Fault::None);
    further(&mut browser).await;
    assert_eq!(browser.run("return window.followers.main.wholes;", json!([])).await, 1, "it resumed");
    proxy.set(Fault::Reset);
    browser.wait(ALL_ARE, json!(["offline"])).await;
    proxy.set(Fault::None);
    further(&mut browser).await;

    // Restarted, rudely and politely.
    server.kill9();
    browser.wait(ALL_ARE, json!(["offline"])).await;
    server.restart().await;
    further(&mut browser).await;
    assert!(server.terminate().await.success());
    browser.wait(ALL_ARE, json!(["offline"])).await;
    server.restart().await;
    further(&mut browser).await;

    assert!(arena.recorded() > 100, "it was played all the while: {}", arena.recorded());
    drop(arena);
    let mut client = Client::new(server.address());
    for (name, board, part) in followers {
        // What is in flight still lands.
        until(format!("{name} holds what the server answers"), Duration::from_secs(30), async || {
            let page = page(&mut client, board).await?;
            let view = browser.run("return window.followers[arguments[0]].subscription.view;", json!([name])).await;
            (view == part.of(page)).then_some(())
        })
        .await;
    }

    let seen = browser.run(ALL_SEEN, json!([])).await;
    let lost = browser.run("return window.lost;", json!([])).await.as_u64().expect("a number");
    assert!(lost >= 10, "updates were lost: {lost}");
    let wholes = |name: &str| seen[name]["wholes"].as_u64().expect("a number");
    let asked = (wholes("lossy"), wholes("lossyNear"));
    assert!(asked.0 > 1 && asked.1 > 1, "what was lost was asked for: {asked:?}");
    for (name, board, part) in followers {
        let views = seen[name]["views"].as_array().expect("views");
        let compared = pages[board].compare(name, part, views);
        println!("{name}: {} views, {compared} of them compared, states {}", views.len(), seen[name]["states"]);
        assert!(compared >= 20, "{name}: {compared} views of {} were compared", views.len());
    }
    assert!(server.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_javascript_client_is_what_its_types_and_the_readme_say() {
    // A page on another origin, as a game's would be, and the server that allows it.
    let elsewhere = Server::start().await;
    let origin = elsewhere.url();
    let settings = [&UNLIMITED[..], &[("SCOREBOARD_ALLOWED_ORIGINS", origin.as_str())]].concat();
    let server = Server::start_with(&settings, &[]).await;
    let mut ada = User::register(server.address(), "Ada").await;
    let action = ada.issue("tap").await.expect("an action is issued").expect(201)["action"].take();
    ada.update(&action).await.expect("an update is answered").expect(200);
    let mut browser = Browser::open().await;
    browser.go(&format!("{origin}/api/scoreboard/boards")).await;

    // The README's example, with its address replaced, and its import made one that a script can do anywhere.
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("<!-- run by tests/live_client.rs -->\n```js\n").expect("the README marks it");
    let (example, _) = rest.split_once("```").expect("and ends it");
    let example = example.replace("https://scores.example", &server.url());
    let (import, example) = example.split_once('\n').expect("it has lines");
    let (names, url) = import.strip_prefix("import ").and_then(|rest| rest.split_once(" from ")).expect("an import");
    let url = url.trim_end_matches(';');
    browser.run("document.body.innerHTML = '<ol id=top></ol><p id=state></p>';", json!([])).await;
    let script = format!("return import({url}).then(({names}) => {{ {example} }});");
    browser.run(&script, json!([])).await;
    browser.wait("return document.getElementById('top').textContent === 'Ada: 1';", json!([])).await;
    browser.wait("return document.getElementById('state').textContent === 'live';", json!([])).await;

    // Every member that the types declare is there, and no other.
    let declared = include_str!("../scoreboard-axum/client/scoreboard-client.d.ts");
    let members = "
        return import(arguments[0]).then((module) => Object.fromEntries(Object.entries(module).map(([name, value]) =>
          [name, value?.prototype ? Object.getOwnPropertyNames(value.prototype).filter((name) => name !== 'constructor').sort() : []])));";
    let module = format!("{}/client/scoreboard-client.js", server.url());
    let there = browser.run(members, json!([module])).await;
    for (name, members) in there.as_object().expect("exports") {
        let mut found: Vec<String> =
            members.as_array().expect("names").iter().map(|m| m.as_str().unwrap().to_owned()).collect();
        let (_, body) = declared.split_once(&format!("export declare class {name} ")).unwrap_or_else(|| {
            let plain = [format!("declare function {name}("), format!("declare const {name}:")];
            assert!(plain.iter().any(|text| declared.contains(text)), "{name} has no type");
            ("", "\n}")
        });
        let (body, _) = body.split_once("\n}").expect("a class ends");
        // Fields, which are no part of the prototype, are declared read-only; listeners are heard as on any EventTarget.
        let lines = body.lines().map(str::trim).filter(|line| line.contains("):") && !line.starts_with("//"));
        let names = lines.map(|line| line.trim_start_matches("get ").split(['(', '<']).next().unwrap().to_owned());
        let mut declared: Vec<String> =
            names.filter(|name| !["addEventListener", ""].contains(&name.as_str())).collect();
        declared.retain(|name| name.chars().all(char::is_alphanumeric));
        declared.sort();
        found.sort();
        assert_eq!(found, declared, "{name}");
    }

    // Codes by their range, and the jitter within its bounds.
    let codes = "
        return import(arguments[0]).then(({ verdictOf, fullJitter }) => ({
          codes: [1000, 1001, 1002, 1006, 1007, 1009, 1011, 1012, 4000, 4008, 4010, 4499, 4500, 4501, 4999, 5000].map(verdictOf),
          jitter: [0, 1, 5, 6, 90].map((attempt) => Math.max(...Array.from({ length: 2000 }, () => fullJitter(attempt)))),
        }));";
    let told = browser.run(codes, json!([module])).await;
    let [a, s, n] = ["again", "spread", "never"];
    assert_eq!(told["codes"], json!([a, a, a, a, a, a, a, s, a, a, a, a, n, n, n, a]));
    for (most, bound) in told["jitter"].as_array().expect("numbers").iter().zip([500.0, 1e3, 16e3, 20e3, 20e3]) {
        let most = most.as_f64().expect("a number");
        assert!(most <= bound && most > 0.9 * bound, "{most} of {bound}");
    }

    // By a ticket, the connection is the user's; whose session ends, its connection does for good.
    let ticket = ada.client.send("POST", "/api/auth/ws-ticket", Some(&ada.token), None).await;
    let ticket = ticket.expect("a ticket is given").expect(201)["ticket"].take();
    let sign_in = "
        return import(arguments[0]).then(({ ScoreboardClient }) => {
          window.told = [];
          window.signedIn = new ScoreboardClient(arguments[1], { ticket: () => window.ticket ?? null });
          window.signedIn.addEventListener('message', ({ detail }) => window.told.push(detail));
          window.signedIn.subscribe('main');
        });";
    browser.run(sign_in, json!([module, server.url()])).await;
    browser.wait("return window.signedIn.state === 'live';", json!([])).await;
    // She signs in on the connection that is there.
    browser
        .run("window.ticket = arguments[0]; window.signedIn.authenticate(); delete window.ticket;", json!([ticket]))
        .await;
    let mut bob = User::register(server.address(), "Bob").await;
    // Passed in turn until she hears of it: when the server has looked first, nobody is told.
    until("Ada is told that Bob has passed her", Duration::from_secs(30), async || {
        for number in 0..4 {
            let user = if number < 2 { &mut bob } else { &mut ada };
            let action = user.issue("tap").await.expect("an action is issued").expect(201)["action"].take();
            user.update(&action).await.expect("an update is answered").expect(200);
            sleep(Duration::from_millis(100)).await;
        }
        let told = browser.run("return window.told.find(({ type }) => type === 'overtaken') ?? null;", json!([])).await;
        let by = &told["by"];
        (told["board"] == "main" && by["userId"] == *bob.id && by["displayName"] == "Bob").then_some(())
    })
    .await;
    let wrong = "
        return import(arguments[0]).then(({ ScoreboardClient }) => {
          const client = new ScoreboardClient(arguments[1]);
          const parts = [{ limit: 0 }, { limit: 3, around: 'x' }, { radius: 2 }, { around: 'x', radius: 51 }, { users: [] }, { users: Array(101).fill('x') }];
          return parts.map((part) => { try { client.subscribe('main', part); return null; } catch ({ name }) { return name; } });
        });";
    let [range, kind] = ["RangeError", "TypeError"];
    assert_eq!(
        browser.run(wrong, json!([module, server.url()])).await,
        json!([range, kind, kind, range, range, range])
    );
    ada.client.send("POST", "/api/auth/logout", Some(&ada.token), None).await.expect("logout answers").expect(204);
    browser.wait("return window.signedIn.state === 'closed';", json!([])).await;
    assert_eq!(browser.run("return document.getElementById('state').textContent;", json!([])).await, "live");

    // A device that is told to be offline says so at once, and comes back when it is told that it is not.
    browser.network(false).await;
    browser.wait("return document.getElementById('state').textContent === 'offline';", json!([])).await;
    browser.network(true).await;
    browser.wait("return document.getElementById('state').textContent === 'live';", json!([])).await;

    // Of a list that was followed a moment ago something is still on its way: it is not taken for the list that is followed now.
    let switched = "
        return import(arguments[0]).then(async ({ ScoreboardClient }) => {
          class Late extends EventTarget {
            static OPEN = 1;
            readyState = 1;
            said = [];
            constructor() { super(); window.late = this; }
            send(text) { this.said.push(JSON.parse(text)); }
            close() {}
            tell(message) { this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify({ board: 'main', window: 'users', season: 1, epoch: 1, ...message }) })); }
          }
          const [a, b] = ['a', 'b'].map((userId, index) => ({ userId, rank: index + 1, displayName: null, score: 2 - index }));
          const client = new ScoreboardClient(arguments[1], { WebSocket: Late });
          client.subscribe('main');
          const first = client.subscribe('main', { users: ['a'] });
          const { late } = window;
          late.tell({ type: 'connected' });
          first.unsubscribe();
          const second = client.subscribe('main', { users: ['a', 'b'] });
          const seen = [];
          second.addEventListener('change', ({ detail: { view } }) => seen.push([view.version, view.entries.length]));
          late.tell({ type: 'pong' });
          late.tell({ type: 'snapshot', version: 5, total: 2, entries: [a] });
          late.tell({ type: 'update', from: 5, version: 6, total: 2, changes: [] });
          late.tell({ type: 'error', code: 'not_found', detail: 'no' });
          late.tell({ type: 'pong' });
          late.tell({ type: 'snapshot', version: 6, total: 2, entries: [a, b] });
          client.close();
          return [late.said.slice(-3).map(({ type }) => type), seen];
        });";
    let seen = browser.run(switched, json!([module, server.url()])).await;
    assert_eq!(seen, json!([["unsubscribe", "ping", "subscribe"], [[6, 2]]]));

    // A server that hangs is found out sooner where somebody looks, for there it says `live`.
    let hangs = "
        return import(arguments[0]).then(({ ScoreboardClient }) => {
          class Silent extends EventTarget {
            static OPEN = 1;
            readyState = 1;
            constructor() { super(); window.silent = this; }
            send() {}
            close() {}
            tell(message) { this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) })); }
          }
          // Time goes by as told, in this one go.
          const real = [window.setTimeout, window.clearTimeout];
          const timers = new Map();
          let [now, last] = [0, 0];
          window.setTimeout = (call, ms) => (timers.set(++last, { at: now + ms, call }), last);
          window.clearTimeout = (id) => timers.delete(id);
          const silentFor = (hidden) => {
            Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });
            const client = new ScoreboardClient(arguments[1], { WebSocket: Silent });
            client.subscribe('main');
            window.silent.tell({ type: 'connected', heartbeatSeconds: 25 });
            window.silent.tell({ type: 'snapshot', board: 'main', season: 1, epoch: 1, version: 1, total: 0, entries: [] });
            const began = now;
            while (client.state === 'live') {
              const [id, { at, call }] = [...timers].sort(([, a], [, b]) => a.at - b.at)[0];
              timers.delete(id);
              now = at;
              call();
            }
            client.close();
            timers.clear();
            return now - began;
          };
          const spans = [false, true].map((hidden) => Array.from({ length: 50 }, () => silentFor(hidden)));
          delete document.hidden;
          [window.setTimeout, window.clearTimeout] = real;
          return spans.map((found) => [Math.min(...found), Math.max(...found)]);
        });";
    let spans = browser.run(hangs, json!([module, server.url()])).await;
    let seconds = |spans: &serde_json::Value| [0, 1].map(|n| spans[n].as_f64().expect("a number") / 1000.0);
    let ([soonest, latest], [unseen, _]) = (seconds(&spans[0]), seconds(&spans[1]));
    assert!(soonest >= 19.0 && latest <= 21.0, "where somebody looks: {soonest} to {latest} s");
    assert!(unseen >= 32.0, "a tab that nobody sees asks as rarely as before: after {unseen} s");

    // A board that is not there is refused by name, and the connection, of no further use, ends.
    let refused = "
        return import(arguments[0]).then(({ ScoreboardClient }) => new Promise((resolve) => {
          const client = new ScoreboardClient(arguments[1]);
          const nothing = client.subscribe('nothing');
          nothing.addEventListener('refused', ({ detail }) => setTimeout(() => resolve([detail.code, nothing.state, client.state]), 100));
        }));";
    assert_eq!(browser.run(refused, json!([module, server.url()])).await, json!(["not_found", "ended", "idle"]));
}

/// All followers are live, and each is sent more.
async fn further(browser: &mut Browser) {
    // As a user does who presses "Connect now": after so many losses the waits are long.
    browser.run(MARK, json!([])).await;
    browser.wait(MOVED_ON, json!([])).await;
}
