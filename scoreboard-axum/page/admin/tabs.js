/**
 * The tabs, by the address behind `#`: `#incidents/ID` is the tab and what it shows. One tab is in the order of the keyboard, arrows go
 * from one to the next, and Enter opens.
 */
export class Tabs {
  #tabs;
  #panels = new Map();
  #current = null;
  #ended = new AbortController();

  constructor(frame, panels, shared) {
    this.#tabs = [...frame.querySelectorAll("[role=tab]")];
    for (const tab of this.#tabs) {
      const name = tab.getAttribute("aria-controls");
      const root = frame.querySelector(`#${name}`);
      this.#panels.set(name, { tab, root, view: new panels[name](root, shared) });
      tab.addEventListener("click", () => this.go(name));
      tab.addEventListener("keydown", (event) => this.#arrow(event, tab));
    }
    frame.querySelector(".refresh").addEventListener("click", () => this.panel.view.refresh());
    addEventListener("hashchange", () => this.#follow(), { signal: this.#ended.signal });
    this.#follow();
  }

  get names() {
    return [...this.#panels.keys()];
  }

  /** The panel in sight. */
  get panel() {
    return this.#panels.get(this.#current);
  }

  /** Where a panel was left, it is found again. */
  go(name) {
    const { view } = this.#panels.get(name);
    location.hash = [name, ...(view.path ?? [])].join("/");
  }

  end() {
    this.#ended.abort();
    this.panel?.view.hide?.();
    if (location.hash) history.replaceState(null, "", location.pathname);
  }

  #follow() {
    const [asked, ...path] = location.hash.slice(1).split("/");
    // An anchor in the page, like that of the skip link, is no tab.
    if (!this.#panels.has(asked) && this.#current) return;
    const name = this.#panels.has(asked) ? asked : this.names[0];
    const changed = name !== this.#current;
    if (changed) {
      this.panel?.view.hide?.();
      this.#current = name;
      for (const [other, { tab, root }] of this.#panels) {
        root.hidden = other !== name;
        tab.setAttribute("aria-selected", String(other === name));
        tab.tabIndex = other === name ? 0 : -1;
      }
      const { tab } = this.panel;
      tab.scrollIntoView({ block: "nearest", inline: "nearest" });
      document.title = `${tab.textContent} · scoreboard console`;
    }
    this.panel.view.show(path.filter(Boolean), changed);
  }

  #arrow(event, tab) {
    const last = this.#tabs.length - 1;
    const place = this.#tabs.indexOf(tab);
    const to = { ArrowRight: place === last ? 0 : place + 1, ArrowLeft: place === 0 ? last : place - 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    for (const other of this.#tabs) other.tabIndex = -1;
    this.#tabs[to].tabIndex = 0;
    this.#tabs[to].focus();
  }
}
