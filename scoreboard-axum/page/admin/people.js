import { el } from "./dom.js";

// The end of an id tells users apart: its start is the time it was made, alike for many.
const shortId = (id) => id.slice(-8);
const isId = (text) => /^[0-9a-f-]{36}$/.test(text);

/** Names as answers bring them along; ids stay what counts. */
export class People {
  #names = new Map();

  learn(names) {
    for (const [id, name] of Object.entries(names ?? {})) this.#names.set(id, name);
  }

  /** In words: the name, else the end of the id; whoever decided at the command line is no id. */
  name(id) {
    return this.#names.get(id) ?? (isId(id) ? `user ${shortId(id)}` : id);
  }

  /** A link to the user's file. */
  link(id, board) {
    if (!isId(id)) return el("span", {}, id);
    const known = this.#names.get(id);
    const href = `#users/${id}${board ? `/${board}` : ""}`;
    return el("a", { href, class: "person", title: id }, el("bdi", {}, known ?? `user ${shortId(id)}`), known ? el("span", { class: "mono soft" }, ` ${shortId(id)}`) : null);
  }
}
