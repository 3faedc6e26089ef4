import { nameOf, number } from "./format.js";

const SHOWN_MS = 6_000;

/** What concerns the user, in one line that goes by itself: who has passed them, and that they have come into the top. */
export class News {
  #line;
  #timer = null;

  constructor(line, scores, session, board) {
    this.#line = line;
    scores.addEventListener("message", ({ detail }) => {
      if (detail.board === board && session.user) this.#tell(detail);
    });
    session.addEventListener("change", () => this.#hide());
  }

  #tell(message) {
    const text = textOf(message);
    // A newer server may have more to tell than this page knows of.
    if (text === null) return;
    clearTimeout(this.#timer);
    this.#line.dataset.type = message.type;
    this.#line.textContent = text;
    this.#line.hidden = false;
    this.#timer = setTimeout(() => this.#hide(), SHOWN_MS);
  }

  #hide() {
    clearTimeout(this.#timer);
    this.#line.hidden = true;
  }
}

function textOf({ type, rank, previousRank, by, limit }) {
  if (type === "enteredTop") return `You are in the top ${limit}: number ${number(rank)}`;
  if (type !== "overtaken") return null;
  const isMany = rank - previousRank > 1;
  const who = by ? nameOf(by) + (isMany ? " and others" : "") : isMany ? "others" : "someone";
  // What matters most comes first: a long name is cut off.
  return `Now number ${number(rank)}: passed by ${who}`;
}
