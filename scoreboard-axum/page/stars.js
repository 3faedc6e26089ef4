import { isReduced } from "./motion.js";

const STARS = 5;
const COLUMNS = 4;
const LINES = 3;
const REST_MS = 1_500;

export const title = "Catch the stars";
export const hint = "Catch all five. Press a star, or use Tab and Enter.";

/** Five stars that hop about. They rest between hops, so that they can be caught with any pointer or by keyboard. */
export function play(stage, { progress, onProgress }) {
  const stars = [];
  const taken = new Set();

  function hop(star) {
    const free = Array.from({ length: COLUMNS * LINES }, (_, cell) => cell).filter((cell) => !taken.has(cell));
    const cell = free[Math.floor(Math.random() * free.length)];
    taken.delete(star.cell);
    taken.add(cell);
    star.cell = cell;
    const column = cell % COLUMNS;
    const line = Math.floor(cell / COLUMNS);
    star.element.style.left = `${((column + 0.5 + jitter()) / COLUMNS) * 100}%`;
    star.element.style.top = `${((line + 0.5 + jitter()) / LINES) * 100}%`;
  }

  function restThenHop(star) {
    star.timer = setTimeout(() => {
      hop(star);
      restThenHop(star);
    }, REST_MS * (0.8 + Math.random() * 0.6));
  }

  function collect(star) {
    clearTimeout(star.timer);
    taken.delete(star.cell);
    const hadFocus = document.activeElement === star.element;
    stars.splice(stars.indexOf(star), 1);
    star.element.disabled = true;
    star.element.removeAttribute("data-testid");
    star.element.classList.add("caught");
    setTimeout(() => star.element.remove(), 400);
    if (hadFocus) stars[0]?.element.focus();
    for (const [index, left] of stars.entries()) name(left, index);
    onProgress((STARS - stars.length) / STARS);
  }

  function name(star, index) {
    star.element.setAttribute("aria-label", `Star ${index + 1} of ${stars.length} left`);
  }

  for (let left = Math.round(STARS * (1 - progress)); left > 0; left -= 1) {
    const element = document.getElementById("star").content.firstElementChild.cloneNode(true);
    const star = { element, cell: null, timer: null };
    element.addEventListener("click", () => collect(star));
    hop(star);
    stars.push(star);
    stage.append(element);
    if (!isReduced()) restThenHop(star);
  }
  stars.forEach(name);
  stars[0]?.element.focus({ preventScroll: true });

  return () => {
    for (const star of stars) clearTimeout(star.timer);
    stage.replaceChildren();
  };
}

const jitter = () => (Math.random() - 0.5) * 0.3;
