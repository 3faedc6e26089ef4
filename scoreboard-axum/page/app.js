import { Account } from "./account.js";
import { explain, request } from "./api.js";
import { fullJitter, sleep } from "./backoff.js";
import { BoardView } from "./board.js";
import { ConnectionBadge } from "./connection.js";
import { number } from "./format.js";
import { Game } from "./game.js";
import { Live } from "./live.js";
import { showError } from "./notice.js";
import { OwnRow } from "./own.js";
import { Session } from "./session.js";

const BOARD = "main";
const LIMIT = 10;

const announcer = document.getElementById("announcer");
const say = (text) => {
  announcer.textContent = text;
};

const session = new Session();
const live = new Live(BOARD, LIMIT);
const view = new BoardView(document.getElementById("rows"), document.getElementById("empty"));
const own = new OwnRow(document.getElementById("own-row"), session, BOARD, LIMIT);
// The account first: a round taken up again needs its part of the page in sight before it can take the focus.
const account = new Account(session, say);
const game = new Game(session, BOARD, say);
new ConnectionBadge(live);

live.addEventListener("board", ({ detail: top }) => {
  view.show(top.entries);
  own.follow(top);
  document.getElementById("total").textContent = number(top.total);
  document.getElementById("version").textContent = number(top.version);
});
session.addEventListener("change", () => {
  view.ownId = session.user?.id ?? null;
});
game.addEventListener("receipt", ({ detail }) => own.redeemed(detail));

live.connect();
account.begin();
loadBoard();

/** The board's name and kinds. Nothing can be played without them, so this goes on until they are here. */
async function loadBoard() {
  const choice = document.getElementById("choice");
  for (let attempt = 0; ; attempt += 1) {
    try {
      const { boards } = await request("GET", "/api/scoreboard/boards");
      const board = boards.find(({ id }) => id === BOARD);
      if (!board) {
        showError(choice, `This server has no board named “${BOARD}”.`);
        return;
      }
      document.getElementById("board-name").textContent = board.name;
      own.isDescending = board.direction === "descending";
      game.kinds = board.kinds;
      return;
    } catch (error) {
      if (!error.isTransient && error.status !== 429) {
        showError(choice, explain(error));
        return;
      }
      await sleep((error.retryAfter ?? 0) * 1000 + fullJitter(attempt));
    }
  }
}
