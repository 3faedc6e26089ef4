import { nameOf, number } from "./format.js";
import { Counter } from "./motion.js";

const REFRESH_MS = 2_000;

/**
 * The user's own row below the board, always in sight: rank, score, and how far it is to the next place. Inside the
 * visible top it follows the live updates; below it, the server is asked, at most every two seconds.
 */
export class OwnRow {
  #element;
  #rank;
  #name;
  #chase;
  #score;
  #session;
  #board;
  #limit;
  #top = null;
  #own = null;
  #timer = null;
  #askedAt = 0;
  #pausedUntil = 0;
  isDescending = true;

  constructor(element, session, board, limit) {
    this.#element = element;
    this.#rank = element.querySelector(".rank");
    this.#name = element.querySelector(".name-text");
    this.#chase = element.querySelector(".chase");
    this.#score = element.querySelector(".score-value");
    this.#session = session;
    this.#board = board;
    this.#limit = limit;
    session.addEventListener("change", () => this.#signedInOrOut());
  }

  follow(top) {
    this.#top = top;
    const { user } = this.#session;
    if (!user) return;
    const entry = top.entries.find(({ userId }) => userId === user.id);
    if (entry) this.#take(entry, top);
    else this.#refreshSoon();
    this.#render();
  }

  /** The receipt is the newest there is at this moment; the server is then asked for the standing at that version. */
  redeemed(receipt) {
    this.#take(receipt, receipt);
    this.#render();
    this.#refresh(receipt.version);
  }

  #signedInOrOut() {
    const { user } = this.#session;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#own = null;
    this.#element.hidden = !user;
    document.body.classList.toggle("has-own-row", Boolean(user));
    if (!user) return;
    // A new counter shows the first number at once: nobody's score should seem to grow out of another's.
    this.#score = new Counter(this.#element.querySelector(".score-value"));
    this.#name.textContent = nameOf(user);
    this.#render();
    this.#refresh();
  }

  #take(standing, { epoch, version }) {
    if (this.#own && (epoch < this.#own.epoch || (epoch === this.#own.epoch && version < this.#own.version))) return;
    this.#own = { rank: standing?.rank ?? null, score: standing?.score ?? null, epoch, version };
  }

  #refreshSoon() {
    if (this.#timer !== null) return;
    const wait = Math.max(this.#askedAt + REFRESH_MS, this.#pausedUntil) - Date.now();
    this.#timer = setTimeout(() => this.#refresh(), Math.max(wait, 0));
  }

  async #refresh(minVersion = null) {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#askedAt = Date.now();
    const user = this.#session.user;
    const query = new URLSearchParams({ board: this.#board });
    if (minVersion !== null) query.set("minVersion", minVersion);
    try {
      const answer = await this.#session.call("GET", `/api/scoreboard/me?${query}`);
      if (this.#session.user !== user) return;
      this.#take(answer.standing, answer);
      this.#render();
    } catch (error) {
      // What is shown stays true as of its version; the next update of the board asks again, not before it may.
      this.#pausedUntil = Date.now() + (error.retryAfter ?? 0) * 1000;
      if (error.isTransient && this.#session.user) this.#refreshSoon();
    }
  }

  #render() {
    const { rank = null, score = null } = this.#own ?? {};
    this.#element.dataset.userId = this.#session.user.id;
    this.#element.dataset.rank = rank ?? "";
    this.#element.dataset.score = score ?? "";
    this.#rank.textContent = rank === null ? "–" : number(rank);
    if (score !== null) this.#score.set(score);
    this.#element.classList.toggle("unranked", score === null);
    this.#chase.textContent = this.#own ? this.#chaseText(score) : "";
  }

  #chaseText(score) {
    if (score === null) return "One round puts you on the board";
    const entries = this.#top?.entries;
    if (!entries || !this.isDescending) return "";
    const place = entries.findIndex(({ userId }) => userId === this.#session.user.id);
    if (place === 0) return entries.length > 1 ? `In the lead by ${number(score - entries[1].score)}` : "In the lead";
    const ahead = place > 0 ? entries[place - 1] : entries[this.#limit - 1];
    if (!ahead || ahead.score < score) return "";
    // Level is not enough: among equals, who got there first stays ahead.
    const needed = number(ahead.score - score + 1);
    return place > 0 ? `${needed} more to pass ${nameOf(ahead)}` : `${needed} more to enter the top ${this.#limit}`;
  }
}
