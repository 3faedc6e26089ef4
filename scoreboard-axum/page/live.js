import { fullJitter } from "./backoff.js";

const PROTOCOL = "scoreboard.v1";
const HEARTBEAT_SECONDS = 25;
const ANSWER_MS = 10_000;
const SETTLED_MS = 10_000;

/**
 * Follows the top of one board over a WebSocket and keeps it exact: a snapshot, then every update in order. After a lost
 * connection it resumes from the version it holds; where an update does not join on, it asks for a new snapshot.
 *
 * Fires `board` (detail: `{entries, epoch, version, total}`, entries in rank order) and `state` (detail: `{state, retryAt,
 * reason}`, state one of `catching-up`, `live`, `offline`, `closed`).
 */
export class Live extends EventTarget {
  #board;
  #limit;
  #rows = new Map();
  #position = null;
  #fresh = true;
  #socket = null;
  #attempt = 0;
  #retry = null;
  #settle = null;
  #beat = null;
  #heartbeatMs = HEARTBEAT_SECONDS * 1000;
  #state = null;

  constructor(board, limit) {
    super();
    this.#board = board;
    this.#limit = limit;
    addEventListener("online", () => this.connect());
    addEventListener("offline", () => this.#lost("Your device is offline."));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      // Timers of a hidden tab are held back, so a connection may have died unseen.
      if (this.#socket) this.#ping();
      else if (this.#state === "offline") this.connect();
    });
  }

  connect() {
    if (this.#socket) return;
    clearTimeout(this.#retry);
    this.#tell("catching-up");
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/api/scoreboard/ws`, PROTOCOL);
    this.#socket = socket;
    this.#expectAnswer();
    // A socket that was given up may still deliver: only the current one counts.
    const current = (handle) => (event) => {
      if (this.#socket === socket) handle(event);
    };
    socket.addEventListener("message", current((event) => this.#receive(JSON.parse(event.data))));
    socket.addEventListener("close", current((event) => this.#closed(event)));
  }

  #receive(message) {
    this.#scheduleBeat();
    switch (message.type) {
      case "connected":
        this.#heartbeatMs = (message.heartbeatSeconds ?? HEARTBEAT_SECONDS) * 1000;
        this.#subscribe(this.#position);
        break;
      case "snapshot":
        this.#rows = new Map(message.entries.map((entry) => [entry.userId, entry]));
        this.#accept(message);
        break;
      case "update":
        this.#update(message);
        break;
      case "error":
        this.#tell("catching-up", { reason: message.detail });
        break;
    }
  }

  #subscribe(since) {
    this.#fresh = since === null;
    const message = { type: "subscribe", board: this.#board, limit: this.#limit };
    if (since) message.since = since;
    this.#send(message);
    this.#ping();
  }

  #update(message) {
    // Until the snapshot that was asked for is here, what comes belongs to the subscription before.
    if (this.#fresh) return;
    const { epoch, version } = this.#position;
    if (message.epoch === epoch && message.version <= version) {
      this.#live();
      return;
    }
    if (message.epoch !== epoch || message.from !== version) {
      this.#tell("catching-up");
      this.#send({ type: "unsubscribe", board: this.#board });
      this.#subscribe(null);
      return;
    }
    for (const { op, ...entry } of message.changes) {
      if (op === "remove") this.#rows.delete(entry.userId);
      else this.#rows.set(entry.userId, entry);
    }
    this.#accept(message);
  }

  #accept({ epoch, version, total }) {
    this.#fresh = false;
    this.#position = { epoch, version };
    const entries = [...this.#rows.values()].sort((a, b) => a.rank - b.rank);
    this.dispatchEvent(new CustomEvent("board", { detail: { entries, epoch, version, total } }));
    this.#live();
  }

  #live() {
    if (this.#state === "live") return;
    this.#tell("live");
    // Only a connection that lasted starts the backoff anew: a server that takes everyone in and drops them again must
    // not be met by all at once each time.
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => {
      this.#attempt = 0;
    }, SETTLED_MS);
  }

  #closed({ code, reason }) {
    if (code >= 4500 && code <= 4999) {
      this.#drop();
      this.#tell("closed", { reason: reason || `The server ended the connection (${code}).` });
    } else {
      this.#lost();
    }
  }

  #lost(reason) {
    this.#drop();
    const wait = fullJitter(this.#attempt++);
    this.#retry = setTimeout(() => this.connect(), wait);
    this.#tell("offline", { reason, retryAt: Date.now() + wait });
  }

  #drop() {
    clearTimeout(this.#beat);
    clearTimeout(this.#settle);
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #scheduleBeat() {
    clearTimeout(this.#beat);
    // A tenth either way keeps clients that came together from beating together.
    this.#beat = setTimeout(() => this.#ping(), this.#heartbeatMs * (0.9 + Math.random() * 0.2));
  }

  #ping() {
    this.#send({ type: "ping" });
    this.#expectAnswer();
  }

  #expectAnswer() {
    clearTimeout(this.#beat);
    this.#beat = setTimeout(() => this.#lost(), ANSWER_MS);
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #tell(state, { reason = null, retryAt = null } = {}) {
    this.#state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, reason, retryAt } }));
  }
}
