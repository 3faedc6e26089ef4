/**
 * Follows boards of a scoreboard server live, and keeps them exact: a snapshot, then every update in order. What does not join
 * on is never guessed: the board is asked for anew. A connection that is lost is taken up again from the version that is held.
 *
 * One file, so that a page elsewhere loads it by one name that stays; no dependencies, no build step. It runs in browsers, in workers, and wherever there are `WebSocket` and `EventTarget`.
 *
 *     import { ScoreboardClient } from "https://scores.example/client/scoreboard-client.js";
 *
 *     const scores = new ScoreboardClient("https://scores.example");
 *     const main = scores.subscribe("main", { limit: 3 });
 *     main.addEventListener("change", ({ detail: { view } }) => console.log(view.version, view.entries));
 *
 * The types are in `scoreboard-client.d.ts` beside it. A page on another origin has to be among the server's allowed origins.
 *
 * @module
 */

/** The subprotocol that is spoken. */
export const PROTOCOL = "scoreboard.v1";

const FIRST_MS = 500;
const LONGEST_MS = 20_000;
/** A server that restarts has closed everyone within moments: all come back over this span at least. */
const RESTART_MS = 5_000;
const HEARTBEAT_MS = 25_000;
/** While somebody looks: what is on a screen must not say it is live for long after a server has fallen silent. */
const LOOKED_AT_MS = 10_000;
/** Longer than an answer takes on a bad line; then the connection is given up. */
const ANSWER_MS = 10_000;
/** A connection, or a board, that held so long has settled: the next failure waits from the shortest span again. */
const SETTLED_MS = 10_000;

/** Closed because nothing was asked for by anybody in particular. */
const NOTHING_ASKED = 4008;
/** Refusals that pass: the same may be asked for again. */
const PASSING = new Set(["unavailable", "rate_limited", "internal"]);

/**
 * How long to wait before trying again, in milliseconds: any moment between now and a bound that doubles with each attempt.
 * Clients that lost the same server at the same instant come back spread over the whole span instead of together.
 *
 * It is `random_between(0, min(cap, base * 2 ** attempt))`, "full jitter" in Marc Brooker's *Exponential Backoff And Jitter*, AWS
 * Architecture Blog, 2015.
 *
 * @param {number} attempt how many attempts have failed before, from 0
 * @param {number} [atLeast] the bound is no lower than this
 */
export function fullJitter(attempt, atLeast = 0) {
  return Math.random() * Math.max(atLeast, Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt));
}

/**
 * What a code says with which the server closed a connection: `again`, `spread` (again, but not all at once), or `never`.
 *
 * 4500 to 4999 are final. 1012 is a server that restarts. All else comes again: 4000 to 4499, and what networks and proxies do, of
 * which 1002, 1007 and 1009 tell too: a browser sends no such frames.
 *
 * @param {number} code
 * @returns {"again" | "spread" | "never"}
 */
export function verdictOf(code) {
  if (code >= 4500 && code <= 4999) return "never";
  return code === 1012 ? "spread" : "again";
}

/** The top of a board: always whole, numbered without a gap. */
class Top {
  kind = "top";

  constructor(limit = 10) {
    if (!isWithin(limit, 100)) throw new RangeError("limit must be a whole number from 1 to 100");
    this.limit = limit;
    this.fields = { limit };
  }

  isAbout() {
    return true;
  }

  isWhole(entries, total) {
    return entries.length === Math.min(this.limit, total) && entries.every(({ rank }, index) => rank === index + 1);
  }
}

/** A user with those next to them: numbered without a gap, the user among them, and full even at the ends of the board; or empty. */
class Around {
  kind = "around";

  constructor(userId, radius = 5) {
    if (typeof userId !== "string" || userId === "") throw new TypeError("around must be a user's id");
    if (!isWithin(radius, 50)) throw new RangeError("radius must be a whole number from 1 to 50");
    this.around = userId.toLowerCase();
    this.radius = radius;
    this.fields = { window: "around", userId: this.around, radius };
  }

  // What belongs to the user before may still be on its way.
  isAbout({ userId }) {
    return userId === this.around;
  }

  isWhole(entries, total) {
    if (entries.length === 0) return true;
    const [{ rank: first }] = entries;
    const isFull = entries.length === Math.min(2 * this.radius + 1, total) && first + entries.length - 1 <= total;
    return isFull && entries.every(({ rank }, index) => rank === first + index) && entries.some(({ userId }) => userId === this.around);
  }
}

/** Some users, wherever they stand: nobody else, and no two at one place. */
class Users {
  kind = "users";
  #ids;

  constructor(users) {
    const ids = [...users];
    const isList = isWithin(ids.length, 100) && ids.every((id) => typeof id === "string" && id !== "");
    if (!isList) throw new RangeError("users must be 1 to 100 ids of users");
    this.users = Object.freeze(ids.map((id) => id.toLowerCase()));
    this.#ids = new Set(this.users);
    this.fields = { window: "users", userIds: this.users };
  }

  isAbout() {
    return true;
  }

  isWhole(entries, total) {
    const isOne = ({ rank, userId }, index) => this.#ids.has(userId) && rank <= total && rank > (entries[index - 1]?.rank ?? 0);
    return entries.every(isOne);
  }
}

function isWithin(number, most) {
  return Number.isInteger(number) && number >= 1 && number <= most;
}

/** Which part of a board is meant. */
function partOf({ limit, around, radius, users }) {
  const isMixed = [limit, around, users].filter((said) => said !== undefined).length > 1 || (radius !== undefined && around === undefined);
  if (isMixed) throw new TypeError("limit, around (with radius) and users are three ways to follow a board: name one");
  if (around !== undefined) return new Around(around, radius);
  return users === undefined ? new Top(limit) : new Users(users);
}

/** What the server said of a part of a board, put together. Moves on only as a whole: a message that does not fit changes nothing. */
class Fold {
  #part;
  #rows = new Map();
  view = null;

  constructor(part) {
    this.#part = part;
  }

  get position() {
    return this.view && { epoch: this.view.epoch, version: this.view.version };
  }

  /** @returns {"moved" | "broken"} */
  snapshot(message) {
    return this.#take(new Map(message.entries.map((entry) => [entry.userId, entryOf(entry)])), message);
  }

  /** @returns {"moved" | "held" | "broken"} `held` if nothing in it is new, `broken` if it does not join on */
  update(message) {
    const { view } = this;
    if (view === null || message.epoch !== view.epoch || message.season !== view.season) return "broken";
    if (message.version <= view.version) return "held";
    if (message.from !== view.version) return "broken";
    const rows = new Map(this.#rows);
    for (const change of message.changes) {
      if (change.op === "remove") rows.delete(change.userId);
      else if (change.op === "upsert") rows.set(change.userId, entryOf(change));
      else return "broken";
    }
    return this.#take(rows, message);
  }

  #take(rows, { board, season, epoch, version, total }) {
    const entries = [...rows.values()].sort((a, b) => a.rank - b.rank);
    // Anything else was not made by this part's messages alone.
    if (!this.#part.isWhole(entries, total)) return "broken";
    this.#rows = rows;
    this.view = Object.freeze({ board, season, epoch, version, total, entries: Object.freeze(entries) });
    return "moved";
  }
}

function entryOf({ rank, userId, displayName, score }) {
  return Object.freeze({ rank, userId, displayName, score });
}

// What a subscription and its client say to each other, and nobody else can.
const RECEIVE = Symbol("receive");
const ASK = Symbol("ask");
const SET_STATE = Symbol("set state");

/**
 * One part of a board that is followed. Made by {@link ScoreboardClient#subscribe}.
 *
 * Fires `change` (`detail`: `{view, previous, changes, recovered}`; `changes` is `null` where the view was sent whole, `recovered` then
 * `false` where that is because the server could not tell what was missed), `state` (`{state}`) and `refused` (`{code, detail}`;
 * nothing follows).
 */
export class Subscription extends EventTarget {
  #client;
  #part;
  #fold;
  #state = "offline";
  #awaitsSnapshot = true;
  #gaps = 0;
  #brokenAt = 0;
  #timer = null;

  /** @hideconstructor */
  constructor(client, board, part) {
    super();
    this.#client = client;
    this.#part = part;
    this.board = board;
    this.window = part.kind;
    this.limit = part.limit;
    this.around = part.around;
    this.radius = part.radius;
    this.users = part.users;
    this.#fold = new Fold(part);
  }

  /** The board as far as it is known; `null` before the first snapshot. Stays, as of its version, while offline. */
  get view() {
    return this.#fold.view;
  }

  /** `catching-up`, `live`, `offline`, or `ended`. */
  get state() {
    return this.#state;
  }

  /** Follows the board no more. */
  unsubscribe() {
    if (this.#state === "ended") return;
    this[SET_STATE]("ended");
    const message = { type: "unsubscribe", board: this.board };
    this.#client[ASK](this, this.window === "top" ? message : { ...message, window: this.window });
  }

  /** Asks for the board, from what is held on, or whole. */
  [ASK](whole = false) {
    clearTimeout(this.#timer);
    const since = whole ? null : this.#fold.position;
    this.#awaitsSnapshot = since === null;
    this[SET_STATE]("catching-up");
    const message = { type: "subscribe", board: this.board, ...this.#part.fields };
    this.#client[ASK](this, since ? { ...message, since } : message);
  }

  [SET_STATE](state) {
    if (state !== "catching-up") clearTimeout(this.#timer);
    if (this.#state === state || this.#state === "ended") return;
    this.#state = state;
    tell(this, "state", { state });
  }

  [RECEIVE](message) {
    if (message.type === "error") return this.#refused(message);
    // Until the snapshot that was asked for is here, what comes belongs to the subscription before.
    if ((message.type === "update" && this.#awaitsSnapshot) || !this.#part.isAbout(message)) return;
    const previous = this.view;
    const outcome = message.type === "snapshot" ? this.#fold.snapshot(message) : this.#fold.update(message);
    if (outcome === "broken") return this.#askAgain();
    this.#awaitsSnapshot = false;
    this[SET_STATE]("live");
    if (outcome !== "moved") return;
    const { changes = null, recovered } = message;
    tell(this, "change", { view: this.view, previous, changes, recovered });
  }

  #refused({ code, detail }) {
    if (PASSING.has(code)) return this.#askAgain(true);
    this[SET_STATE]("ended");
    this.#client[ASK](this, null);
    tell(this, "refused", { code, detail });
  }

  /** At once the first time; ever later where it goes on, for a client that asks too often is closed. */
  #askAgain(later = false) {
    const now = Date.now();
    if (now - this.#brokenAt > SETTLED_MS + LONGEST_MS) this.#gaps = later ? 1 : 0;
    this.#brokenAt = now;
    this.#awaitsSnapshot = true;
    this[SET_STATE]("catching-up");
    clearTimeout(this.#timer);
    if (this.#gaps++ === 0) this[ASK](true);
    else this.#timer = setTimeout(() => this[ASK](true), FIRST_MS + fullJitter(this.#gaps));
  }
}

/**
 * A connection to a scoreboard server, for as many boards as the server allows, each in up to three ways. It connects with the first
 * subscription, and again whenever it is lost, until it is closed.
 *
 * Fires `state` (`detail`: `{state, reason, retryAt}`), `message` (a private message, as the server sent it) and `error` (`{code,
 * detail}`: something was refused; the connection goes on).
 */
export class ScoreboardClient extends EventTarget {
  #url;
  #ticket;
  #WebSocket;
  #followed = new Map();
  #socket = null;
  #isConnected = false;
  #isSomebodys = false;
  #asked = 0;
  #attempt = 0;
  #retry = null;
  #settle = null;
  #beat = null;
  // Whether a ticket was shown that is not answered yet; when another is, where that was refused for what passes; how often it was, on this connection.
  #isShowing = false;
  #showAgain = null;
  #ticketsRefused = 0;
  #heartbeatMs = HEARTBEAT_MS;
  #pings = 0;
  #pongs = 0;
  // What was left on this connection, and up to the answer to which ping something of it may come.
  #left = new Map();
  #told = { state: "idle", reason: null, retryAt: null };
  #listening = new AbortController();

  /**
   * @param {string | URL} [server] where the server is, with the path under which it is mounted, if any; of a page, its own origin
   * @param {object} [options]
   * @param {() => string | null | Promise<string | null>} [options.ticket] gives a ticket of `POST /api/auth/ws-ticket` for each
   *   connection, which is then told what only its user is told; `null` where nobody is signed in
   * @param {typeof globalThis.WebSocket} [options.WebSocket] where the runtime has none of its own
   */
  constructor(server = globalThis.location?.origin, { ticket = null, WebSocket = globalThis.WebSocket } = {}) {
    super();
    if (!WebSocket) throw new TypeError("there is no WebSocket here: pass one");
    const base = new URL(server);
    if (!base.pathname.endsWith("/")) base.pathname += "/";
    this.#url = new URL("api/scoreboard/ws", base);
    this.#url.protocol = base.protocol === "https:" ? "wss:" : "ws:";
    this.#ticket = ticket;
    this.#WebSocket = WebSocket;
    this.#listen();
  }

  /**
   * `idle` (nothing is followed), `catching-up`, `live` (every board is), `offline` (it is tried again), or `closed` (it is not: by
   * `close()`, or by the server for good).
   */
  get state() {
    return this.#told.state;
  }

  /**
   * Follows a part of a board: its top; a user with those next to them, wherever the user goes; or some users, wherever they stand.
   * Each board can be followed in each of these ways once.
   *
   * @param {string} board
   * @param {object} [options] one of
   * @param {number} [options.limit] how many entries of the top, 1 to 100; 10 if nothing is said
   * @param {string} [options.around] the user in the middle; the view is empty while they are not on the board
   * @param {number} [options.radius] with `around`: how many entries on each side, 1 to 50; 5 if it is not said
   * @param {Iterable<string>} [options.users] up to 100 users; who is not on the board is not in the view
   * @returns {Subscription}
   * @throws {Error} the board is followed in this way already
   */
  subscribe(board, options = {}) {
    const part = partOf(options);
    const key = keyOf(board, part.kind);
    if (this.#followed.has(key)) throw new Error(`the board ${board} is followed already (${part.kind})`);
    const subscription = new Subscription(this, board, part);
    this.#followed.set(key, subscription);
    if (this.#isConnected) subscription[ASK]();
    else if (this.#retry === null) this.connect();
    return subscription;
  }

  /**
   * To be called when somebody has signed in or out: the connection asks for a ticket now, and shows it. One that was somebody's stays
   * theirs, so another takes its place. New connections do all of this by themselves.
   */
  authenticate() {
    if (this.#isSomebodys) this.#drop();
    if (this.#isConnected) this.#showTicket(this.#socket);
    else if (this.#retry === null) this.connect();
  }

  /** Connects now: with a ticket alone, instead of waiting longer, or after the server had closed for good. */
  connect() {
    // The server closes who connects and asks for nothing.
    if (this.#socket || (this.#followed.size === 0 && !this.#ticket)) return;
    clearTimeout(this.#retry);
    this.#retry = null;
    if (this.#listening.signal.aborted) this.#listen();
    const socket = new this.#WebSocket(this.#url.href, PROTOCOL);
    this.#socket = socket;
    this.#tellState();
    this.#expectAnswer();
    // A socket that was given up may still deliver: only the current one counts.
    const current = (handle) => (event) => {
      if (this.#socket === socket) handle(event);
    };
    socket.addEventListener("message", current(({ data }) => this.#receive(data)));
    socket.addEventListener("close", current((event) => this.#closed(event)));
    // A failure is followed by a close, which says more. Unheard, some runtimes take it for the program's own.
    socket.addEventListener("error", () => {});
  }

  /** Ends the connection. `connect()` takes it up again, with the boards that were followed. */
  close() {
    this.#end(null);
  }

  #receive(data) {
    let message;
    try {
      message = JSON.parse(data);
      if (typeof message.type !== "string") throw new TypeError("no type");
    } catch {
      return this.#lost("The server sent something that is no message.");
    }
    this.#scheduleBeat();
    switch (message.type) {
      case "connected":
        if (message.heartbeatSeconds > 0) this.#heartbeatMs = message.heartbeatSeconds * 1000;
        this.#begin();
        break;
      case "snapshot":
      case "update":
        this.#pass(message);
        this.#tellState();
        break;
      case "error":
        if (message.board) this.#pass(message);
        else if (this.#isShowing) this.#ticketRefused(message);
        tell(this, "error", { code: message.code, detail: message.detail, board: message.board ?? null });
        this.#tellState(message.detail);
        break;
      case "pong":
        this.#pongs += 1;
        for (const [key, ping] of this.#left) if (ping <= this.#pongs) this.#left.delete(key);
        break;
      case "authenticated":
        this.#isShowing = false;
        break;
      default:
        tell(this, "message", message);
    }
  }

  /**
   * Of what is followed no more, something may still be on its way. It names a board and a kind of window, not who asked, so it could be
   * taken for what is followed now: another list of users, say. But a server answers in order: what comes before the answer to a ping
   * that was sent behind what was left, is of before.
   */
  #pass(message) {
    const key = keyOf(message.board, message.window);
    if (!this.#left.has(key)) this.#followed.get(key)?.[RECEIVE](message);
  }

  #begin() {
    this.#isConnected = true;
    for (const subscription of this.#followed.values()) subscription[ASK]();
    this.#ping();
    this.#showTicket(this.#socket);
    this.#tellState();
  }

  /** Where that passes, the ticket may have been a good one, and may be used up: until another is shown, the connection is nobody's. */
  #ticketRefused({ code }) {
    this.#isShowing = false;
    if (!PASSING.has(code)) return;
    const socket = this.#socket;
    this.#showAgain = setTimeout(() => this.#showTicket(socket), FIRST_MS + fullJitter(this.#ticketsRefused++));
  }

  async #showTicket(socket) {
    clearTimeout(this.#showAgain);
    if (!this.#ticket) return;
    const asked = ++this.#asked;
    try {
      const ticket = await this.#ticket();
      // Meanwhile somebody else may have signed in, whose ticket was asked for too: only the last one counts.
      if (!ticket || this.#socket !== socket || this.#asked !== asked) return;
      this.#isSomebodys = true;
      this.#isShowing = true;
      this.#send({ type: "authenticate", ticket });
    } catch (error) {
      // Boards can be followed by anyone, so they are.
      tell(this, "error", { code: "ticket", detail: String(error?.message ?? error), board: null });
    }
  }

  [ASK](subscription, message) {
    const isEnded = subscription.state === "ended";
    const key = keyOf(subscription.board, subscription.window);
    if (isEnded && this.#followed.get(key) === subscription) this.#followed.delete(key);
    if (this.#isConnected && message) this.#send(message);
    if (isEnded && this.#followed.size === 0 && !this.#ticket) {
      this.#drop();
    } else if (isEnded && this.#isConnected && message) {
      this.#ping();
      this.#left.set(key, this.#pings);
    }
    this.#tellState();
  }

  #closed({ code, reason }) {
    // The server closes who watches nothing and is nobody's: there is nothing to come back for until somebody asks for something.
    if (code === NOTHING_ASKED && this.#followed.size === 0 && !this.#isSomebodys) {
      this.#drop();
      this.#tellState();
      return;
    }
    const verdict = verdictOf(code);
    if (verdict === "never") this.#end(reason || `The server ended the connection (${code}).`);
    else this.#lost(null, verdict === "spread" ? RESTART_MS : 0);
  }

  #end(reason) {
    this.#drop();
    this.#listening.abort();
    this.#tell({ state: "closed", reason, retryAt: null });
  }

  #lost(reason = null, spread = 0) {
    const isDeviceOffline = globalThis.navigator?.onLine === false;
    this.#drop();
    this.#comeAgain(fullJitter(this.#attempt++, spread), reason ?? (isDeviceOffline ? "This device is offline." : null));
  }

  #comeAgain(wait, reason) {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.connect();
    }, wait);
    this.#tell({ state: "offline", reason, retryAt: Date.now() + wait });
  }

  #drop() {
    clearTimeout(this.#beat);
    clearTimeout(this.#settle);
    clearTimeout(this.#retry);
    clearTimeout(this.#showAgain);
    this.#isShowing = false;
    this.#ticketsRefused = 0;
    this.#settle = null;
    this.#retry = null;
    this.#isConnected = false;
    this.#isSomebodys = false;
    this.#pings = 0;
    this.#pongs = 0;
    this.#left.clear();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    for (const subscription of this.#followed.values()) subscription[SET_STATE]("offline");
  }

  #listen() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const on = (target, event, handle) => target?.addEventListener?.(event, handle, { signal });
    // All devices of a house are back at the same moment, so even this is spread a little.
    on(globalThis, "online", () => {
      if (this.state === "offline") this.#comeAgain(fullJitter(0), null);
    });
    on(globalThis, "offline", () => {
      if (this.#socket) this.#lost("This device is offline.");
    });
    on(globalThis.document, "visibilitychange", () => {
      if (globalThis.document.hidden) return;
      // Timers of a hidden tab are held back, so a connection may have died unseen.
      if (this.#isConnected) this.#ping();
      else if (this.state === "offline") this.connect();
    });
  }

  #scheduleBeat() {
    clearTimeout(this.#beat);
    const isLookedAt = globalThis.document?.hidden === false;
    const interval = isLookedAt ? Math.min(LOOKED_AT_MS, this.#heartbeatMs) : this.#heartbeatMs;
    // A tenth either way keeps clients that came together from beating together.
    this.#beat = setTimeout(() => this.#ping(), interval * (0.9 + Math.random() * 0.2));
  }

  #ping() {
    this.#pings += 1;
    this.#send({ type: "ping" });
    this.#expectAnswer();
  }

  #expectAnswer() {
    clearTimeout(this.#beat);
    this.#beat = setTimeout(() => this.#lost(), ANSWER_MS);
  }

  #send(message) {
    if (this.#socket?.readyState === this.#WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #tellState(reason = null) {
    if (this.#socket === null) {
      // Waiting to come again, or closed: that was told with its reason.
      if (this.#followed.size === 0 && this.#retry === null && this.state !== "closed") this.#tell({ state: "idle", reason, retryAt: null });
      return;
    }
    const isLive = this.#isConnected && [...this.#followed.values()].every(({ state }) => state === "live");
    // Only a connection that lasted starts the backoff anew: a server that takes everyone in and drops them again must not be
    // met by all at once each time.
    if (isLive) {
      this.#settle ??= setTimeout(() => {
        this.#attempt = 0;
      }, SETTLED_MS);
    }
    this.#tell({ state: isLive ? "live" : "catching-up", reason: isLive ? null : reason, retryAt: null });
  }

  #tell(detail) {
    const { state, reason, retryAt } = this.#told;
    if (detail.state === state && detail.reason === reason && detail.retryAt === retryAt) return;
    this.#told = detail;
    tell(this, "state", detail);
  }
}

/** Messages do not name the top. */
function keyOf(board, kind = "top") {
  return `${kind} ${board}`;
}

function tell(target, type, detail) {
  target.dispatchEvent(new CustomEvent(type, { detail }));
}
