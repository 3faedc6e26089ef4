import { number } from "../format.js";
import { button, chip, el } from "./dom.js";
import { ago, moment } from "./moments.js";
import { Pages } from "./pages.js";

const PAGE = 30;
const ACTS = { held: "hold", shadowed: "shadow", banned: "ban" };

/** What was decided: by whom, why, and how it is taken back. */
export class Moderations {
  #desk;
  #root;
  #list;
  #pages;
  /** Of whom, and of which actions, a newer decision was shown: an older one cannot be taken back any more. */
  #overtaken = new Set();

  constructor(root, desk) {
    this.#desk = desk;
    this.#root = root;
    this.#list = root.querySelector(".list");
    this.#list.append(el("ol", { class: "decisions rows", "data-testid": "decisions" }));
    this.#pages = new Pages(root, desk, {
      clear: () => {
        this.#list.firstElementChild.replaceChildren();
        this.#overtaken.clear();
      },
      read: (next) => this.#read(next),
      add: (rows) => this.#list.firstElementChild.append(...rows.map((row) => this.#row(row))),
    });
    root.querySelector("[data-testid=void-by-rule]").addEventListener("click", () => desk.decisions.voidByRule({}, () => this.#again()));
  }

  show(_, isEntered) {
    if (isEntered) this.#pages.begin();
  }

  refresh() {
    this.#pages.begin();
  }

  key(key) {
    const pressed = { v: "void-by-rule" }[key];
    if (pressed) this.#root.querySelector(`[data-testid=${pressed}]`).click();
    return Boolean(pressed);
  }

  /** Read anew, and the focus is where it goes on. */
  #again() {
    this.#pages.begin();
    this.#root.focus({ preventScroll: true });
  }

  async #read(before) {
    const { moderations, names } = await this.#desk.call("GET", `/api/admin/moderations?limit=${PAGE}${before ? `&before=${before}` : ""}`);
    this.#desk.people.learn(names);
    return { rows: moderations, next: moderations.length === PAGE ? moderations.at(-1).id : null };
  }

  #row(decision) {
    const { id, at, by, reason, act, changed, corrections } = decision;
    const { people } = this.#desk;
    return el(
      "li",
      { "data-testid": "decision-row", "data-id": id, "data-act": act },
      el("div", { class: "decision-what" }, act === "restrict" ? chip(ACTS[decision.restriction], decision.restriction) : chip(act, act), " ", ...this.#about(decision), el("q", {}, reason)),
      el("div", { class: "soft" }, people.link(by), ", ", el("time", { datetime: at, title: moment(at) }, ago(at)), `: ${number(changed)} counted otherwise, ${number(corrections)} ${corrections === 1 ? "correction" : "corrections"}`),
      this.#undo(decision),
    );
  }

  #about({ act, userId, restriction, actions, board, confirmed, release }) {
    const { people } = this.#desk;
    if (act === "hold") return [people.link(userId, board), ` is held for what they did on ${board} `];
    if (act === "restrict") return [people.link(userId), ` is ${restriction} `];
    if (act === "lift") return [people.link(userId), " is as any other again "];
    if (act === "conclude") {
      const voided = actions.length ? `, ${number(actions.length)} of their actions made void` : "";
      return ["A case against ", people.link(userId), ` is ${confirmed ? "confirmed" : "dismissed"}${voided}${release ? ", and the rule’s hold has ended" : ""} `];
    }
    const many = `${number(actions.length)} ${actions.length === 1 ? "action" : "actions"}`;
    return [act === "void" ? `${many} made void ` : `${many} count again `];
  }

  #undo({ id, act, userId, actions, release }) {
    const { decisions, people, session } = this.#desk;
    const again = () => this.#pages.begin();
    // A case that was decided leaves the user held, unless it says so.
    const isOfUser = userId && (act !== "conclude" || release);
    const about = [...(actions ?? []), ...(isOfUser ? [userId] : [])];
    const isLast = about.some((each) => !this.#overtaken.has(each));
    for (const each of about) this.#overtaken.add(each);
    if (!isLast) return null;
    if ((act === "void" || act === "conclude") && actions.length) return button("Let it count again…", () => decisions.unvoid({ id, actions }, again), { "data-testid": "unvoid" });
    if ((act === "restrict" || act === "hold") && userId !== session.user.id) return button("Lift…", () => decisions.lift({ userId, name: people.name(userId) }, again), { "data-testid": "lift" });
    return null;
  }
}
