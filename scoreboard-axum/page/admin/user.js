import { request } from "../api.js";
import { number, signed } from "../format.js";
import { button, chip, el, facts, table } from "./dom.js";
import { ago, moment } from "./moments.js";
import { ruleOf } from "./rules.js";

const PAGE = 50;

/** One user on one board: who they are, what they may not, where they stand, what they did, and what may be decided. */
export class UserFile {
  #root;
  #desk;
  #on;
  #shown = null;
  #board = null;
  #name = "";
  #actions = [];
  #next = null;
  #chosen = new Set();

  constructor(root, desk, on) {
    this.#root = root;
    this.#desk = desk;
    this.#on = on;
  }

  async show(id, board) {
    this.#shown = id;
    this.#board = board || "main";
    if (id === null) {
      this.#root.replaceChildren(el("p", { class: "nothing" }, "Choose a user, or enter an id: who is shadowed or banned stands on no board."));
      return;
    }
    this.#root.replaceChildren(el("div", { class: "errors" }), el("p", { class: "nothing" }, "Reading…"));
    const read = await this.#desk.attempt(this.#root, () => this.#read(id, this.#board));
    if (this.#shown !== id) return;
    if (!read) {
      this.#root.querySelector(".nothing").remove();
      return;
    }
    this.#render(...read);
    this.#root.focus({ preventScroll: true });
  }

  #read(id, board) {
    const { call } = this.#desk;
    const user = encodeURIComponent(id);
    return Promise.all([
      call("GET", `/api/admin/users/${user}?board=${board}`),
      // As anybody: the token of somebody who is asked about would show them what others do not see.
      request("GET", `/api/scoreboard/users/${user}?board=${board}`),
      call("GET", `/api/admin/users/${user}/actions?board=${board}&limit=${PAGE}`),
      call("GET", `/api/admin/incidents?user=${user}&limit=10`),
      this.#desk.boards(),
    ]);
  }

  #render(file, seen, done, found, boards) {
    const { people } = this.#desk;
    const { userId, account, restriction, moderation, standing } = file;
    people.learn(file.names);
    if (account) people.learn({ [userId]: account.displayName });
    this.#name = people.name(userId);
    this.#actions = done.actions;
    this.#next = done.next;
    this.#chosen.clear();
    const choice = el("select", { "aria-label": "Board", "data-testid": "file-board", on: { change: ({ target }) => this.#to(target.value) } }, boards.map(({ id }) => el("option", { value: id, selected: id === this.#board }, id)));
    this.#root.replaceChildren(
      el("p", { class: "back" }, button("Back to the list", () => this.#on.back())),
      el("header", { class: "file-head" }, el("h2", {}, el("bdi", {}, this.#name), " ", restriction ? chip(restriction.restriction, restriction.restriction) : null, account?.roles.filter((role) => role !== "user").map((role) => chip(role, "role")))),
      el("div", { class: "errors" }),
      this.#deeds(file),
      facts(
        [
          ["Id", el("code", { class: "whole" }, userId)],
          ["Account", account ? `since ${moment(account.createdAt)}` : "none here: of another login, or of a game server"],
          ["May not", restriction ? [`${restriction.restriction} by `, moderation ? [people.link(moderation.by), " ", ago(moderation.at), el("q", {}, moderation.reason)] : "a decision"] : "nothing: as any other"],
          ["Board", choice],
          ["Others see", standingText(seen.standing)],
          ["They see", standing.provisional ? `${standingText(standing.standing)}, provisional` : standingText(standing.standing)],
        ],
        { "data-testid": "user-facts" },
      ),
      el("h3", {}, "Incidents"),
      found.incidents.length ? el("ul", { class: "links" }, found.incidents.map(({ id, rule, status, at }) => el("li", {}, el("a", { href: `#incidents/${id}` }, ruleOf(rule).label), " ", chip(status, status), " ", el("span", { class: "soft" }, ago(at))))) : el("p", { class: "soft" }, "None."),
      el("div", { class: "between" }, el("h3", {}, "What they did"), button("Void the chosen…", () => this.#voidChosen(), { "data-testid": "void-chosen", disabled: true })),
      el("div", { class: "history", "data-testid": "history" }),
      button("More", () => this.#more(), { class: "quiet more", hidden: this.#next === null }),
      done.logAfter ? el("p", { class: "soft" }, `What was before version ${number(done.logAfter)} is archived.`) : null,
    );
    this.#list();
  }

  #to(board) {
    location.hash = `users/${this.#shown}/${board}`;
  }

  #deeds({ userId, restriction }) {
    const { decisions, session } = this.#desk;
    const about = { userId, name: this.#name, board: this.#board };
    const again = () => this.show(this.#shown, this.#board);
    if (userId === session.user.id) return el("p", { class: "soft" }, "This is you. Nobody decides about themselves.");
    const to = (kind, text) => (restriction?.restriction === kind ? null : button(text, () => decisions.restrict(about, kind, again), { "data-testid": kind }));
    return el(
      "div",
      { class: "deeds", role: "group", "aria-label": "What to do" },
      to("held", "Hold…"),
      to("shadowed", "Shadow…"),
      to("banned", "Ban…"),
      restriction ? button("Lift…", () => decisions.lift(about, again), { "data-testid": "lift" }) : null,
      el("span", { class: "deeds-gap" }),
      button("Void…", () => decisions.void(about, again), { "data-testid": "void" }),
    );
  }

  #list() {
    const place = this.#root.querySelector(".history");
    if (this.#actions.length === 0) {
      place.replaceChildren(el("p", { class: "soft" }, "Nothing on this board."));
      return;
    }
    const isOwn = this.#shown === this.#desk.session.user.id;
    const rows = this.#actions.map(({ actionId, appliedAt, kind, points, score, version, voided: isVoid }) => ({
      class: isVoid ? "void" : null,
      "data-testid": "action",
      "data-action-id": actionId,
      "data-void": isVoid,
      cells: [
        isOwn ? null : el("input", { type: "checkbox", "aria-label": `Choose ${kind} of ${moment(appliedAt)}`, checked: this.#chosen.has(actionId), on: { change: ({ target }) => this.#choose(actionId, target.checked) } }),
        moment(appliedAt),
        kind,
        signed(points),
        number(score),
        number(version),
        isVoid ? [chip("void", "void"), isOwn ? null : button("Let it count…", () => this.#unvoid(actionId), { class: "link" })] : "counts",
      ],
    }));
    const columns = [["", "narrow"], ["When"], ["Kind"], ["Points", "number"], ["Score then", "number"], ["Version", "number"], ["State"]];
    place.replaceChildren(table("What they did", columns, rows));
  }

  #choose(action, isChosen) {
    if (isChosen) this.#chosen.add(action);
    else this.#chosen.delete(action);
    const press = this.#root.querySelector("[data-testid=void-chosen]");
    press.disabled = this.#chosen.size === 0;
    press.textContent = this.#chosen.size ? `Void the chosen ${number(this.#chosen.size)}…` : "Void the chosen…";
  }

  #voidChosen() {
    const about = { userId: this.#shown, name: this.#name, board: this.#board, actions: [...this.#chosen] };
    this.#desk.decisions.void(about, () => this.show(this.#shown, this.#board));
  }

  #unvoid(action) {
    this.#desk.decisions.unvoid({ actions: [action] }, () => this.show(this.#shown, this.#board));
  }

  async #more() {
    const [id, before] = [this.#shown, this.#next];
    const path = `/api/admin/users/${id}/actions?board=${this.#board}&limit=${PAGE}&before=${before}`;
    const page = await this.#desk.attempt(this.#root, () => this.#desk.call("GET", path));
    if (!page || this.#shown !== id || this.#next !== before) return;
    this.#actions.push(...page.actions);
    this.#next = page.next;
    this.#root.querySelector(".more").hidden = this.#next === null;
    this.#list();
  }
}

const standingText = (standing) => (standing ? `rank ${number(standing.rank)}, ${number(standing.score)}` : "not on the board");
