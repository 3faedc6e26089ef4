import { chip, el, table } from "./dom.js";
import { moment } from "./moments.js";

const GOOD_FOR = { signs: "signs actions and tokens now", verifies: "what it has signed is taken, or will be", opens: "only opens what was sealed with it", revoked: "what it has signed is refused" };

/** Which keys there are, for admins: their names and what they are good for. Keys are made and revoked where the key file is. */
export class Keys {
  #root;
  #desk;

  constructor(root, desk) {
    this.#root = root;
    this.#desk = desk;
  }

  show(_, isEntered) {
    if (isEntered) this.refresh();
  }

  async refresh() {
    const answer = await this.#desk.attempt(this.#root, () => this.#desk.call("GET", "/api/admin/keys"));
    if (!answer) return;
    const signing = answer.signing.map(({ id, state }) => ({ "data-testid": "signing-key", "data-state": state, cells: [el("code", {}, id), chip(state, state), GOOD_FOR[state]] }));
    const servers = answer.gameServers.map(({ id, createdAt, publicKey }) => ({
      "data-testid": "server-key",
      cells: [el("code", {}, id), moment(createdAt), publicKey ? ["signs, by ", el("code", { class: "whole" }, publicKey)] : "shows a secret"],
    }));
    this.#root.querySelector(".list").replaceChildren(
      el("article", { class: "card wide" }, el("h3", {}, "Of this server"), table("Keys of this server", [["Name"], ["State"], ["Good for"]], signing), commands("rotate-keys", "revoke-key ID")),
      el("article", { class: "card wide" }, el("h3", {}, "Of game servers"), servers.length ? table("Keys of game servers", [["Name"], ["Made"], ["How it is known"]], servers) : el("p", { class: "soft" }, "There are none."), commands("create-server-key NAME", "remove-server-key NAME")),
    );
  }
}

/** A browser is no place to make a key in. */
function commands(...words) {
  return el("p", { class: "soft" }, "On the command line: ", words.map((word, place) => [place ? ", " : "", el("code", {}, `scoreboard-server admin ${word}`)]));
}
