const KEY = "scoreboard.single-keys";

/** Single keys, for who wants them. They do nothing where somebody types, in a dialog, or with a modifier. */
export class Shortcuts {
  #tabs = null;
  #help = document.getElementById("help");
  #wanted = document.getElementById("single-keys");

  constructor() {
    try {
      this.#wanted.checked = localStorage.getItem(KEY) !== "off";
    } catch {
      // Denied: then they are on as long as the page lives, or until they are switched off.
    }
    this.#wanted.addEventListener("change", () => this.#keep());
    document.getElementById("help-open").addEventListener("click", () => this.#help.showModal());
    addEventListener("keydown", (event) => this.#pressed(event));
  }

  use(tabs) {
    this.#tabs = tabs;
    if (!tabs && this.#help.open) this.#help.close();
  }

  #keep() {
    try {
      localStorage.setItem(KEY, this.#wanted.checked ? "on" : "off");
    } catch {
      // As above.
    }
  }

  #pressed(event) {
    if (!this.#tabs || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape") {
      if (typing) typing.blur();
      else this.#tabs.panel.view.back?.();
      return;
    }
    if (typing || !this.#wanted.checked) return;
    if (this.#act(event.key)) event.preventDefault();
  }

  /** Whether the key means something here. */
  #act(key) {
    const { root, view } = this.#tabs.panel;
    const name = this.#tabs.names[Number(key) - 1];
    if (name) this.#tabs.go(name);
    else if (key === "?") this.#help.showModal();
    else if (key === "/") root.querySelector(".filters input:not([type=checkbox]), .filters select")?.focus();
    else if (key === "r") view.refresh();
    else if (key === "j" || key === "k") step(root, key === "j" ? 1 : -1);
    else return view.key?.(key) ?? false;
    return true;
  }
}

function step(root, by) {
  const rows = [...root.querySelectorAll(".rows a")];
  const at = rows.findIndex((row) => row === document.activeElement || row.getAttribute("aria-current") === "true");
  rows[Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}
