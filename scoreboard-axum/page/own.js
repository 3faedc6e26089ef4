import { nameOf, number } from "./format.js";
import { Counter } from "./motion.js";

/**
 * The user's own row below the board, always in sight: rank and score, as the user's neighbourhood has them, and how far it is to the
 * next place. Fires `score` whenever the score has changed.
 */
export class OwnRow extends EventTarget {
  #element;
  #rank;
  #name;
  #chase;
  #score;
  #session;
  #limit;
  #top = null;
  #own = null;
  isDescending = true;

  constructor(element, session, limit) {
    super();
    this.#element = element;
    this.#rank = element.querySelector(".place .rank");
    this.#name = element.querySelector(".name-text");
    this.#chase = element.querySelector(".chase");
    this.#score = element.querySelector(".score-value");
    this.#session = session;
    this.#limit = limit;
    session.addEventListener("change", () => this.#signedInOrOut());
  }

  follow(top) {
    this.#top = top;
    if (this.#session.user) this.#render();
  }

  /** Where the user stands: `null` for one who is not on the board. */
  stands({ standing, epoch, version }) {
    this.#take(standing, { epoch, version });
    this.#render();
  }

  /** The receipt is the newest there is, unless the board was faster, which also knows the rank. */
  redeemed(receipt) {
    const { epoch, version } = this.#own ?? {};
    if (epoch === receipt.epoch && version >= receipt.version) return;
    this.#take(receipt, receipt);
    this.#render();
  }

  #signedInOrOut() {
    const { user } = this.#session;
    this.#own = null;
    this.#element.hidden = !user;
    document.body.classList.toggle("has-own-row", Boolean(user));
    if (!user) return;
    // A new counter shows the first number at once: nobody's score should seem to grow out of another's.
    this.#score = new Counter(this.#element.querySelector(".score-value"));
    this.#name.textContent = nameOf(user);
    this.#render();
  }

  #take(standing, { epoch, version }) {
    const before = this.#own;
    if (before && (epoch < before.epoch || (epoch === before.epoch && version < before.version))) return;
    this.#own = { rank: standing?.rank ?? null, score: standing?.score ?? null, epoch, version };
    if (before && before.score !== this.#own.score) this.dispatchEvent(new CustomEvent("score"));
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
