import { fullJitter, ScoreboardClient } from "/client/scoreboard-client.js";
import { Account } from "./account.js";
import { explain, request } from "./api.js";
import { Neighbourhood } from "./around.js";
import { BoardView } from "./board.js";
import { ConnectionBadge } from "./connection.js";
import { Credentials } from "./credentials.js";
import { number } from "./format.js";
import { Game } from "./game.js";
import { News } from "./news.js";
import { showError } from "./notice.js";
import { OwnRow } from "./own.js";
import { Security } from "./security.js";
import { Session } from "./session.js";
import { Sessions } from "./sessions.js";
import { sleep } from "./sleep.js";
import { Sparkline } from "./sparkline.js";

const BOARD = "main";
const LIMIT = 10;

const announcer = document.getElementById("announcer");
const say = (text) => {
  announcer.textContent = text;
};

const session = new Session();
const scores = new ScoreboardClient(undefined, { ticket: () => session.ticket() });
const view = new BoardView(document.getElementById("rows"), document.getElementById("empty"));
const around = new Neighbourhood(document.getElementById("around-rows"), session, scores, BOARD);
const own = new OwnRow(document.getElementById("own-row"), session, LIMIT);
const sparkline = new Sparkline(document.getElementById("sparkline"), session, BOARD);
// The account first: a round taken up again needs its part of the page in sight before it can take the focus.
const account = new Account(session, say);
new Security(session, say);
new Credentials(session, say);
new Sessions(session, say);
const game = new Game(session, BOARD, say);
new ConnectionBadge(scores);
new News(document.getElementById("news"), scores, session, BOARD);

const main = scores.subscribe(BOARD, { limit: LIMIT });
main.addEventListener("change", ({ detail: { view: top } }) => {
  view.show(top.entries);
  own.follow(top);
  document.getElementById("total").textContent = number(top.total);
  document.getElementById("version").textContent = number(top.version);
});
session.addEventListener("change", () => {
  view.ownId = session.user?.id ?? null;
  scores.authenticate();
});
session.addEventListener("leaving", () => scores.authenticate());
scores.addEventListener("state", ({ detail: { state } }) => {
  // The server ends the connections of a session that was ended, wherever that was done.
  if (state === "closed") session.check();
});
around.addEventListener("standing", ({ detail }) => own.stands(detail));
own.addEventListener("score", () => sparkline.refresh());
game.addEventListener("receipt", ({ detail }) => own.redeemed(detail));

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
