import { request } from "../api.js";
import { Credentials } from "../credentials.js";
import { Security } from "../security.js";
import { Session } from "../session.js";
import { Sessions } from "../sessions.js";
import { Boards } from "./boards.js";
import { Decisions } from "./decision.js";
import { Gate } from "./gate.js";
import { Health } from "./health.js";
import { Incidents } from "./incidents.js";
import { Keys } from "./keys.js";
import { Moderations } from "./moderations.js";
import { People } from "./people.js";
import { refused } from "./refusal.js";
import { Shortcuts } from "./shortcuts.js";
import { Tabs } from "./tabs.js";
import { Users } from "./users.js";

const PANELS = { incidents: Incidents, users: Users, moderations: Moderations, boards: Boards, keys: Keys, health: Health };

const announcer = document.getElementById("announcer");
const say = (text) => {
  announcer.textContent = text;
};

const session = new Session();
const shortcuts = new Shortcuts();
let tabs = null;

/** What the panels share while somebody is in. */
function desk() {
  let boards = null;
  const shared = {
    session,
    say,
    people: new People(),
    isAdmin: session.user.roles.includes("admin"),
    /** All boards; read once, for choices. */
    boards: () => (boards ??= request("GET", "/api/scoreboard/boards").then((answer) => answer.boards)),
    call: (method, path, body) => session.call(method, path, body),
    /** Does something, and shows what is wrong with it where the panel has its place for that. */
    async attempt(panel, act) {
      panel.querySelector(".errors").replaceChildren();
      try {
        return await act();
      } catch (error) {
        refused(panel, error, session);
        return null;
      }
    },
  };
  shared.decisions = new Decisions(shared);
  shared.people.learn({ [session.user.id]: session.user.displayName });
  return shared;
}

function open() {
  const frame = document.getElementById("console-frame").content.firstElementChild.cloneNode(true);
  const shared = desk();
  if (!shared.isAdmin) for (const part of frame.querySelectorAll("[data-role=admin]")) part.remove();
  document.getElementById("frame").replaceChildren(frame);
  tabs = new Tabs(frame, PANELS, shared);
  shortcuts.use(tabs);
}

/** Nothing that was shown stays in the page of who is not, or no longer, somebody to be shown it. */
function close() {
  tabs?.end();
  tabs = null;
  shortcuts.use(null);
  for (const dialog of document.querySelectorAll("dialog.decision")) dialog.remove();
  document.getElementById("frame").replaceChildren();
}

const gate = new Gate(session, say, { open, close });
new Security(session, say);
new Credentials(session, say);
new Sessions(session, say);
gate.begin();
