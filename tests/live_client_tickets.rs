//! What the JavaScript client does about tickets, in a real browser: whose it shows, and what becomes of a connection that is nobody's.

mod support;

use serde_json::json;
use support::server::Server;
use support::webdriver::Browser;

/// Two sign in one after the other while the first one's ticket is on its way; gives the tickets that were shown by when the server has
/// answered to one.
const SHOWN: &str = "
    return import('/client/scoreboard-client.js').then(async ({ ScoreboardClient }) => {
      const shown = [];
      class Spy extends WebSocket {
        send(text) {
          const { type, ticket } = JSON.parse(text);
          if (type === 'authenticate') shown.push(ticket);
          super.send(text);
        }
      }
      const asked = [];
      const isAsked = () => new Promise((done) => asked.push(done));
      const tickets = [];
      let ask = isAsked();
      const ticket = () => new Promise((give) => { tickets.push(give); asked.shift()?.(); });
      const client = new ScoreboardClient(location.origin, { WebSocket: Spy, ticket });
      client.subscribe('main');
      await ask;
      ask = isAsked();
      client.authenticate();
      await ask;
      const answered = new Promise((done) => client.addEventListener('error', done));
      tickets[0]('first');
      tickets[1]('second');
      await answered;
      client.close();
      return shown;
    });";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_javascript_client_shows_no_ticket_of_who_was_there_before() {
    let mut server = Server::start().await;
    let mut browser = Browser::open().await;
    browser.go(&format!("{}/api/scoreboard/boards", server.url())).await;
    assert_eq!(browser.run(SHOWN, json!([])).await, json!(["second"]));
    assert!(server.terminate().await.success());
}

/// Leaves its only board with no ticket to show; gives the code by which the server closes, how many connections there were some time later, and how
/// many once a board is asked for again.
const ALONE: &str = "
    return import('/client/scoreboard-client.js').then(async ({ ScoreboardClient }) => {
      let opened = 0;
      let close;
      const isClosed = new Promise((done) => { close = done; });
      class Spy extends WebSocket {
        constructor(...words) {
          super(...words);
          opened += 1;
          this.addEventListener('close', ({ code }) => close(code));
        }
      }
      const client = new ScoreboardClient(location.origin, { WebSocket: Spy, ticket: () => null });
      const isThere = (board) => new Promise((done) => board.addEventListener('change', done, { once: true }));
      const board = client.subscribe('main');
      await isThere(board);
      board.unsubscribe();
      const code = await isClosed;
      await new Promise((done) => setTimeout(done, 1500));
      const meanwhile = opened;
      await isThere(client.subscribe('main'));
      const after = opened;
      client.close();
      return [code, meanwhile, after];
    });";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_javascript_client_does_not_come_back_for_nothing() {
    let mut server = Server::start().await;
    let mut browser = Browser::open().await;
    browser.go(&format!("{}/api/scoreboard/boards", server.url())).await;
    assert_eq!(browser.run(ALONE, json!([])).await, json!([4008, 1, 2]));
    assert!(server.terminate().await.success());
}

/// Shows tickets to a server that refuses two for what passes, and one for good; gives those that were shown.
const ANOTHER: &str = "
    return import('/client/scoreboard-client.js').then(async ({ ScoreboardClient }) => {
      const shown = [];
      let refused = () => {};
      class Rigged extends WebSocket {
        send(text) {
          const { type, ticket } = JSON.parse(text);
          if (type !== 'authenticate') return super.send(text);
          shown.push(ticket);
          const code = shown.length < 3 ? 'unavailable' : 'unauthorized';
          const data = JSON.stringify({ type: 'error', code, detail: 'refused' });
          setTimeout(() => { this.dispatchEvent(new MessageEvent('message', { data })); refused(shown.length); }, 10);
        }
      }
      let number = 0;
      const client = new ScoreboardClient(location.origin, { WebSocket: Rigged, ticket: () => `ticket ${number++}` });
      client.subscribe('main');
      await new Promise((done) => { refused = (times) => { if (times === 3) done(); }; });
      await new Promise((done) => setTimeout(done, 1500));
      client.close();
      return shown;
    });";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_javascript_client_shows_another_ticket_where_one_is_refused_for_what_passes() {
    let mut server = Server::start().await;
    let mut browser = Browser::open().await;
    browser.go(&format!("{}/api/scoreboard/boards", server.url())).await;
    assert_eq!(browser.run(ANOTHER, json!([])).await, json!(["ticket 0", "ticket 1", "ticket 2"]));
    assert!(server.terminate().await.success());
}
