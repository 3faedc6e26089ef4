import { fullJitter } from "/client/scoreboard-client.js";
import { BoardView } from "./board.js";

/** Twice a second at the most. */
const REFRESH_MS = 500;
const ROWS = 5;
/** Where the page is narrow, the pinned rows must leave the board in sight. */
const NARROW = matchMedia("(max-width: 57.99rem)");
const NARROW_ROWS = 3;

/**
 * Who stands next to the user, wherever on the board that is. The server is asked whenever the board has moved, for an answer at
 * least as new as what the board shows. Fires `standing` (detail: `{standing, epoch, version}`; `null` if not on the board).
 */
export class Neighbourhood extends EventTarget {
  #body;
  #view;
  #session;
  #board;
  #page = null;
  #wanted = 0;
  #timer = null;
  #isAsking = false;
  #mayAskAt = 0;
  #attempt = 0;

  constructor(body, session, board) {
    super();
    this.#body = body;
    this.#session = session;
    this.#board = board;
    session.addEventListener("change", () => this.#signedInOrOut());
    NARROW.addEventListener("change", () => this.#render());
    document.addEventListener("visibilitychange", () => this.#askSoon());
  }

  /** The board is at least here now. */
  follow({ epoch, version }) {
    if (this.#page && (epoch < this.#page.epoch || (epoch === this.#page.epoch && version <= this.#page.version))) return;
    this.#wanted = version;
    this.#askSoon();
  }

  #signedInOrOut() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#page = null;
    this.#attempt = 0;
    this.#mayAskAt = 0;
    this.#body.replaceChildren();
    // Another user's rows are no rows to glide from.
    this.#view = new BoardView(this.#body, null, "around-row");
    this.#view.ownId = this.#session.user?.id ?? null;
    this.#render();
    this.#askSoon();
  }

  // Nobody looks at a hidden page: it asks when it is looked at again.
  #askSoon() {
    if (this.#timer !== null || this.#isAsking || !this.#session.user || document.hidden) return;
    if (this.#page && this.#wanted === this.#page.version) return;
    this.#timer = setTimeout(() => this.#ask(), Math.max(this.#mayAskAt - Date.now(), 0));
  }

  async #ask() {
    this.#timer = null;
    this.#isAsking = true;
    this.#mayAskAt = Date.now() + REFRESH_MS;
    const { user } = this.#session;
    const query = new URLSearchParams({ board: this.#board, radius: ROWS - 1, minVersion: this.#wanted });
    try {
      const page = await this.#session.call("GET", `/api/scoreboard/users/${user.id}/around?${query}`);
      if (this.#session.user !== user) return;
      this.#attempt = 0;
      this.#page = page;
      this.#wanted = Math.max(this.#wanted, page.version);
      this.#render();
      const { epoch, version } = page;
      const standing = page.entries.find(({ userId }) => userId === user.id) ?? null;
      this.dispatchEvent(new CustomEvent("standing", { detail: { standing, epoch, version } }));
    } catch (error) {
      // What is shown stays true as of its version.
      const wait = (error.retryAfter ?? 0) * 1000 + fullJitter(this.#attempt++);
      this.#mayAskAt = Math.max(this.#mayAskAt, Date.now() + wait);
      // A refusal of another kind would be repeated: the next move of the board asks again.
      if (!error.isTransient && error.status !== 429) this.#wanted = this.#page?.version ?? this.#wanted;
    } finally {
      this.#isAsking = false;
      this.#askSoon();
    }
  }

  #render() {
    const entries = this.#page?.entries ?? [];
    const rows = NARROW.matches ? NARROW_ROWS : ROWS;
    const own = entries.findIndex(({ userId }) => userId === this.#session.user?.id);
    // In the middle, except at the ends of the board, where all rows are used all the same.
    const first = Math.max(Math.min(own - (rows - 1) / 2, entries.length - rows), 0);
    const shown = entries.slice(first, first + rows);
    this.#body.closest(".around").hidden = shown.length < 2;
    this.#view?.show(shown);
  }
}
