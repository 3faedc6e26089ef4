import { number } from "../format.js";
import { el } from "./dom.js";
import { Pages } from "./pages.js";
import { UserFile } from "./user.js";

const ID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

/** The users of a board, to find one by name among; by id anybody is found, also who stands nowhere. */
export class Users {
  #root;
  #desk;
  #filters;
  #rows;
  #pages;
  #file;
  #shown = [];

  constructor(root, desk) {
    this.#root = root;
    this.#desk = desk;
    this.#filters = root.querySelector(".filters");
    this.#rows = root.querySelector(".rows");
    this.#file = new UserFile(root.querySelector(".file"), desk, { back: () => this.back() });
    this.#pages = new Pages(root, desk, {
      clear: () => this.#rows.replaceChildren(),
      read: (next) => this.#read(next),
      add: (rows) => {
        this.#rows.append(...rows.map((entry) => this.#row(entry)));
        this.#sift();
      },
    });
    this.#filters.addEventListener("submit", (event) => this.#go(event));
    this.#filters.elements.sought.addEventListener("input", () => this.#sift());
    this.#filters.elements.board.addEventListener("change", () => this.#pages.begin());
  }

  get path() {
    return this.#shown;
  }

  async show([id = null, board = null], isEntered) {
    this.#root.querySelector(".split").dataset.open = String(id !== null);
    const isSame = [id, board].join() === [this.#shown[0] ?? null, this.#shown[1] ?? null].join();
    this.#shown = [id, board].filter(Boolean);
    if (isEntered) {
      const boards = await this.#desk.attempt(this.#root, () => this.#desk.boards());
      const choice = this.#filters.elements.board;
      if (boards && choice.options.length === 0) choice.append(...boards.map((each) => el("option", { value: each.id }, each.id)));
      if (board) choice.value = board;
      this.#pages.begin();
    }
    this.#mark();
    if (isSame && !isEntered) return;
    this.#file.show(id, board ?? this.#filters.elements.board.value);
  }

  refresh() {
    this.#pages.begin();
    const [id, board] = this.#shown;
    if (id) this.#file.show(id, board ?? this.#filters.elements.board.value);
  }

  back() {
    const [shown] = this.#shown;
    if (!shown) return;
    location.hash = "users";
    this.#rows.querySelector(`[data-user-id="${shown}"] a`)?.focus();
  }

  #go(event) {
    event.preventDefault();
    const { sought, board } = this.#filters.elements;
    const text = sought.value.trim();
    if (ID.test(text)) location.hash = `users/${text.toLowerCase()}/${board.value}`;
    else this.#rows.querySelector("li:not([hidden]) a")?.click();
  }

  async #read(cursor) {
    const board = this.#filters.elements.board.value;
    const { entries, nextCursor } = await this.#desk.call("GET", `/api/scoreboard?board=${board}&limit=100${cursor ? `&cursor=${cursor}` : ""}`);
    for (const { userId, displayName } of entries) if (displayName) this.#desk.people.learn({ [userId]: displayName });
    return { rows: entries.map((entry) => ({ ...entry, board })), next: nextCursor };
  }

  #row({ rank, userId, score, board }) {
    const link = el("a", { href: `#users/${userId}/${board}` }, el("span", { class: "row-main" }, el("span", { class: "mono soft rank" }, number(rank)), " ", el("bdi", {}, this.#desk.people.name(userId))), el("span", { class: "row-side mono" }, number(score)));
    return el("li", { class: "one-line", "data-user-id": userId, "data-name": this.#desk.people.name(userId).toLocaleLowerCase() }, link);
  }

  /** Shows those of what was read that are called so; more may be read. */
  #sift() {
    const text = this.#filters.elements.sought.value.trim().toLocaleLowerCase();
    const isName = text !== "" && !ID.test(text);
    let shown = 0;
    for (const row of this.#rows.children) {
      row.hidden = isName && !row.dataset.name.includes(text) && !row.dataset.userId.endsWith(text);
      if (!row.hidden) shown += 1;
    }
    this.#root.querySelector(".nothing").hidden = shown > 0;
  }

  #mark() {
    for (const link of this.#rows.querySelectorAll("a[aria-current]")) link.removeAttribute("aria-current");
    this.#rows.querySelector(`[data-user-id="${this.#shown[0]}"] a`)?.setAttribute("aria-current", "true");
  }
}
