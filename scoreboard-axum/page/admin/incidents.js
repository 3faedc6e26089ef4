import { chip, el } from "./dom.js";
import { IncidentFile } from "./incident.js";
import { ago, moment } from "./moments.js";
import { Pages } from "./pages.js";
import { measured, RULE_NAMES, ruleOf } from "./rules.js";

/** What the fraud rules found, the newest first, and one of them in full. */
export class Incidents {
  #root;
  #desk;
  #filters;
  #rows;
  #pages;
  #file;
  #shown = null;

  constructor(root, desk) {
    this.#root = root;
    this.#desk = desk;
    this.#filters = root.querySelector(".filters");
    this.#rows = root.querySelector(".rows");
    root.querySelector("datalist").append(...RULE_NAMES.map((name) => el("option", { value: name }, ruleOf(name).label)));
    this.#file = new IncidentFile(root.querySelector(".file"), desk, { changed: (incident) => this.#changed(incident), back: () => this.back() });
    this.#pages = new Pages(root, desk, {
      clear: () => this.#rows.replaceChildren(),
      read: (next) => this.#read(next),
      add: (rows) => this.#rows.append(...rows.map((incident) => this.#row(incident))),
    });
    this.#filters.addEventListener("submit", (event) => event.preventDefault());
    this.#filters.addEventListener("change", () => this.#pages.begin());
    desk.boards().then((boards) => this.#filters.elements.board.append(...boards.map(({ id }) => el("option", { value: id }, id))), () => {});
  }

  get path() {
    return this.#shown ? [this.#shown] : [];
  }

  show([id = null], isEntered) {
    if (isEntered) this.#pages.begin();
    this.#root.querySelector(".split").dataset.open = String(id !== null);
    if (id === this.#shown && !isEntered) return;
    this.#shown = id;
    this.#mark();
    this.#file.show(id);
  }

  refresh() {
    this.#pages.begin();
    if (this.#shown) this.#file.show(this.#shown);
  }

  back() {
    const shown = this.#shown;
    if (!shown) return;
    location.hash = "incidents";
    this.#rows.querySelector(`a[href="#incidents/${shown}"]`)?.focus();
  }

  key(key) {
    return this.#shown !== null && this.#file.key(key);
  }

  async #read(before) {
    const { status, rule, board, mine } = this.#filters.elements;
    const query = new URLSearchParams({ limit: 30 });
    if (status.value) query.set("status", status.value);
    if (rule.value.trim()) query.set("rule", rule.value.trim());
    if (board.value) query.set("board", board.value);
    if (mine.checked) query.set("assignee", this.#desk.session.user.id);
    if (before) query.set("before", before);
    const { incidents, next, names } = await this.#desk.call("GET", `/api/admin/incidents?${query}`);
    this.#desk.people.learn(names);
    return { rows: incidents, next };
  }

  #row(incident) {
    const { id, rule, userId, board, measure, status, at, finding, assignee } = incident;
    const link = el(
      "a",
      { href: `#incidents/${id}`, "aria-current": id === this.#shown ? "true" : null },
      el("span", { class: "row-main" }, el("strong", {}, ruleOf(rule).label), " ", chip(measure, measure), status === "open" ? null : chip(status, status)),
      el("span", { class: "row-side mono" }, finding ? measured(finding, finding.value) : null),
      el("span", { class: "row-sub" }, el("bdi", {}, this.#desk.people.name(userId)), ` on ${board}`, assignee ? ` · with ${this.#desk.people.name(assignee)}` : null),
      el("time", { class: "row-time", datetime: at, title: moment(at) }, ago(at)),
    );
    return el("li", { "data-testid": "incident-row", "data-id": id, "data-rule": rule, "data-status": status }, link);
  }

  /** A row says what became of it, be it no longer what was asked for: it does not vanish under who has just decided. */
  #changed(incident) {
    const row = this.#rows.querySelector(`[data-id="${incident.id}"]`);
    if (!row) return;
    const hadFocus = row.contains(document.activeElement);
    const next = this.#row(incident);
    row.replaceWith(next);
    if (hadFocus) next.firstElementChild.focus();
  }

  #mark() {
    for (const link of this.#rows.querySelectorAll("a[aria-current]")) link.removeAttribute("aria-current");
    this.#rows.querySelector(`[data-id="${this.#shown}"] a`)?.setAttribute("aria-current", "true");
  }
}
