/** A list that is read page by page: `read(next)` gives `{ rows, next }`, and what is read is added by `add(rows)`. */
export class Pages {
  #root;
  #read;
  #add;
  #desk;
  #next = null;
  #turn = 0;

  /** `root` holds `.errors`, `.nothing` and `.more`. */
  constructor(root, desk, { clear, read, add }) {
    this.#root = root;
    this.#desk = desk;
    this.#read = read;
    this.#add = (rows, isFirst) => {
      if (isFirst) clear();
      add(rows);
      root.querySelector(".nothing").hidden = !isFirst || rows.length > 0;
    };
    root.querySelector(".more").addEventListener("click", () => this.#page(this.#next));
  }

  /** From the beginning. What was asked for before, and comes later, is not shown. */
  begin() {
    return this.#page(null);
  }

  async #page(next) {
    this.#turn += 1;
    const turn = this.#turn;
    const more = this.#root.querySelector(".more");
    more.setAttribute("aria-busy", "true");
    const page = await this.#desk.attempt(this.#root, () => this.#read(next));
    if (turn !== this.#turn) return;
    more.removeAttribute("aria-busy");
    if (!page) return;
    this.#next = page.next;
    this.#add(page.rows, next === null);
    more.hidden = page.next === null || page.next === undefined;
  }
}
