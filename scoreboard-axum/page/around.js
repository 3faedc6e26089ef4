import { BoardView } from "./board.js";

const ROWS = 5;
/** Where the page is narrow, the pinned rows must leave the board in sight. */
const NARROW = matchMedia("(max-width: 57.99rem)");
const NARROW_ROWS = 3;

/**
 * Who stands next to the user, wherever on the board that is, followed live. Fires `standing` (detail: `{standing, epoch, version}`; `null` if
 * not on the board).
 */
export class Neighbourhood extends EventTarget {
  #body;
  #rows;
  #session;
  #scores;
  #board;
  #followed = null;

  constructor(body, session, scores, board) {
    super();
    this.#body = body;
    this.#session = session;
    this.#scores = scores;
    this.#board = board;
    session.addEventListener("change", () => this.#signedInOrOut());
    NARROW.addEventListener("change", () => this.#render());
  }

  #signedInOrOut() {
    this.#followed?.unsubscribe();
    this.#followed = null;
    this.#body.replaceChildren();
    // Another user's rows are no rows to glide from.
    this.#rows = new BoardView(this.#body, null, "around-row");
    const { user } = this.#session;
    this.#rows.ownId = user?.id ?? null;
    this.#render();
    if (user) this.#follow(user);
  }

  #follow(user) {
    const followed = this.#scores.subscribe(this.#board, { around: user.id, radius: (ROWS - 1) / 2 });
    this.#followed = followed;
    followed.addEventListener("change", ({ detail: { view } }) => {
      if (this.#followed !== followed) return;
      this.#render();
      const { epoch, version } = view;
      const standing = view.entries.find(({ userId }) => userId === user.id) ?? null;
      this.dispatchEvent(new CustomEvent("standing", { detail: { standing, epoch, version } }));
    });
  }

  #render() {
    const entries = this.#followed?.view?.entries ?? [];
    const rows = NARROW.matches ? NARROW_ROWS : ROWS;
    const own = entries.findIndex(({ userId }) => userId === this.#session.user?.id);
    // In the middle, except at the ends of the board, where all rows are used all the same.
    const first = Math.max(Math.min(own - (rows - 1) / 2, entries.length - rows), 0);
    const shown = entries.slice(first, first + rows);
    this.#body.closest(".around").hidden = shown.length < 2;
    this.#rows?.show(shown);
  }
}
