import { explain } from "./api.js";
import { clearErrors, showError } from "./notice.js";

const PATH = "/api/auth/sessions";
const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Where the user is signed in: since when, and an end to each that is not this one. */
export class Sessions {
  #session;
  #say;
  #panel = document.getElementById("sessions");
  #list = document.getElementById("session-list");

  constructor(session, say) {
    this.#session = session;
    this.#say = say;
    this.#panel.addEventListener("toggle", () => this.#panel.open && this.#show());
    document.getElementById("security").addEventListener("others-ended", () => this.#panel.open && this.#show());
    session.addEventListener("change", () => {
      this.#panel.open = false;
      this.#panel.hidden = session.mustEnrol;
      this.#list.replaceChildren();
    });
    session.addEventListener("enrolled", () => {
      this.#panel.hidden = false;
    });
  }

  async #show() {
    clearErrors(this.#panel);
    try {
      const { sessions } = await this.#session.call("GET", PATH);
      this.#list.replaceChildren(...sessions.map((session) => this.#row(session)));
    } catch (error) {
      showError(this.#panel, explain(error));
    }
  }

  #row({ id, createdAt, current }) {
    const row = document.createElement("li");
    row.dataset.testid = "session";
    row.dataset.current = current;
    const since = WHEN.format(new Date(createdAt));
    row.append(`Since ${since}`);
    if (current) {
      row.append(": here");
      return row;
    }
    const end = document.createElement("button");
    end.type = "button";
    end.className = "link";
    end.dataset.testid = "end-session";
    end.textContent = "Log out";
    end.setAttribute("aria-label", `Log out the login since ${since}`);
    end.addEventListener("click", () => this.#end(id));
    row.append(" ", end);
    return row;
  }

  async #end(id) {
    clearErrors(this.#panel);
    try {
      await this.#session.call("DELETE", `${PATH}/${id}`);
    } catch (error) {
      // Over already, which is what was wanted.
      if (error.status !== 404) {
        showError(this.#panel, explain(error));
        return;
      }
    }
    this.#say("That login is over.");
    await this.#show();
    // The button that was pressed is gone.
    this.#panel.querySelector("summary").focus();
  }
}
