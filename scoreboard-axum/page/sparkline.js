import { points } from "./format.js";

const REFRESH_MS = 2_000;
const ROUNDS = 20;
const WIDTH = 96;
const HEIGHT = 28;
/** So that neither the line nor its last dot is cut off. */
const EDGE = 4;

/** What the user's last rounds brought, as a small line: oldest left, newest right. */
export class Sparkline {
  #svg;
  #session;
  #board;
  #timer = null;
  #askedAt = 0;

  constructor(svg, session, board) {
    this.#svg = svg;
    this.#session = session;
    this.#board = board;
    session.addEventListener("change", () => {
      this.#draw([]);
      this.#askedAt = 0;
      this.refresh();
    });
  }

  /** The user's score has changed: asks for the newest rounds, soon. */
  refresh() {
    if (this.#timer !== null || !this.#session.user) return;
    const wait = Math.max(this.#askedAt + REFRESH_MS - Date.now(), 0);
    this.#timer = setTimeout(() => this.#ask(), wait);
  }

  async #ask() {
    this.#timer = null;
    this.#askedAt = Date.now();
    const { user } = this.#session;
    if (!user) return;
    const query = new URLSearchParams({ board: this.#board, limit: ROUNDS });
    try {
      const { entries } = await this.#session.call("GET", `/api/scoreboard/users/${user.id}/history?${query}`);
      if (this.#session.user === user) this.#draw(entries.map((entry) => entry.points).reverse());
    } catch (error) {
      // It is an ornament: a failure leaves it as it was, and only one that passes is tried again.
      this.#askedAt += (error.retryAfter ?? 0) * 1000;
      if (error.isTransient || error.status === 429) this.refresh();
    }
  }

  #draw(rounds) {
    this.#svg.toggleAttribute("hidden", rounds.length < 2);
    if (rounds.length < 2) return;
    const least = Math.min(...rounds);
    const most = Math.max(...rounds);
    const x = (index) => EDGE + (index * (WIDTH - 2 * EDGE)) / (rounds.length - 1);
    // All alike lie in the middle.
    const y = (value) => (most === least ? HEIGHT / 2 : HEIGHT - EDGE - ((value - least) * (HEIGHT - 2 * EDGE)) / (most - least));
    const corners = rounds.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`);
    this.#svg.querySelector("polyline").setAttribute("points", corners.join(" "));
    const dot = this.#svg.querySelector("circle");
    dot.setAttribute("cx", x(rounds.length - 1));
    dot.setAttribute("cy", y(rounds.at(-1)));
    const span = most === least ? `${points(most)} each` : `${points(least)} to ${points(most)}`;
    this.#svg.querySelector("title").textContent = `Your last ${rounds.length} rounds: ${span}, ${points(rounds.at(-1))} in the newest`;
  }
}
