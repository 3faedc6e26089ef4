import { explain } from "../api.js";
import { showError } from "../notice.js";
import { button } from "./dom.js";

/** Says where a panel or a dialog has its place for it why something was not done, and what helps. */
export function refused(place, error, session) {
  const shown = showError(place, explain(error));
  // The server wants to be sure who this is before it changes what others see.
  if (error.code === "step_up_required") {
    shown.append(" ", button("Log in again", () => session.signOut().catch(() => {}), { class: "link", "data-testid": "step-up" }));
  }
  return shown;
}
