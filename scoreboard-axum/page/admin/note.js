import { clearErrors } from "../notice.js";
import { el } from "./dom.js";
import { refused } from "./refusal.js";

/** Asks for a note in a dialog and does what is to be done with it; where that is refused, the dialog stays and says why. */
export function askNote(title, session, act) {
  const note = el("textarea", { name: "note", rows: "3", maxlength: "1000", "data-testid": "note" });
  const accept = el("button", { type: "submit", class: "primary", "data-testid": "accept" }, title);
  const dialog = el(
    "dialog",
    { class: "dialog decision", "aria-label": title, "data-testid": "note-dialog" },
    el(
      "form",
      { novalidate: true },
      el("h2", {}, title),
      el("div", { class: "errors" }),
      el("label", { class: "stacked" }, "Why (it is kept)", note),
      el("p", { class: "actions" }, accept, el("button", { type: "button", class: "quiet", on: { click: () => dialog.close() } }, "Cancel")),
    ),
  );
  const opener = document.activeElement;
  document.body.append(dialog);
  dialog.showModal();
  note.focus();
  return new Promise((resolve) => {
    let done = false;
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (!done && opener?.isConnected) opener.focus();
      resolve(done);
    });
    dialog.querySelector("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      if (accept.getAttribute("aria-busy") === "true") return;
      accept.setAttribute("aria-busy", "true");
      clearErrors(dialog);
      try {
        await act(note.value.trim());
        done = true;
        dialog.close();
      } catch (error) {
        refused(dialog, error, session);
      } finally {
        accept.removeAttribute("aria-busy");
      }
    });
  });
}
