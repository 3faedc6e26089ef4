import { number } from "./format.js";

const REDUCED = matchMedia("(prefers-reduced-motion: reduce)");
const GLIDE_MS = 520;
const COUNT_MS = 600;
// Scores have up to 16 digits; from here on they are set smaller, so that a name still fits beside them on a phone.
const LONG = 9;

export const isReduced = () => REDUCED.matches;

/**
 * Lets an element that already stands at its new place come from `fromY` pixels away. A glide under way is not waited for: the new one
 * goes on from where the element is on the screen, so that a row which moves again and again is always on its way to its newest place.
 */
export function glide(element, fromY) {
  element.glide?.cancel();
  element.classList.add("gliding");
  const animation = element.animate([{ transform: `translateY(${fromY}px)` }, { transform: "none" }], {
    duration: GLIDE_MS,
    easing: "cubic-bezier(0.22, 1, 0.36, 1)",
  });
  animation.onfinish = () => element.classList.remove("gliding");
  element.glide = animation;
}

export function appear(element) {
  element.animate([{ opacity: 0, transform: "translateY(12px)" }, { opacity: 1, transform: "none" }], {
    duration: GLIDE_MS,
    easing: "cubic-bezier(0.22, 1, 0.36, 1)",
  });
}

const counting = new Set();

/** Shows a number in an element and counts to each new one. All counters of the page share one frame loop. */
export class Counter {
  #element;
  #shown = null;
  #from = 0;
  #to = 0;
  #startedAt = 0;

  constructor(element) {
    this.#element = element;
  }

  set(value) {
    if (value === this.#to && this.#shown !== null) return;
    this.#from = this.#shown;
    this.#to = value;
    if (this.#from === null || isReduced() || document.hidden) {
      this.#show(value);
      return;
    }
    this.#startedAt = performance.now();
    if (counting.size === 0) requestAnimationFrame(step);
    counting.add(this);
  }

  advance(now) {
    const t = Math.min((now - this.#startedAt) / COUNT_MS, 1);
    const eased = 1 - (1 - Math.max(t, 0)) ** 3;
    this.#show(t === 1 ? this.#to : Math.round(this.#from + (this.#to - this.#from) * eased));
    return t < 1;
  }

  #show(value) {
    if (value === this.#to) counting.delete(this);
    if (value === this.#shown) return;
    this.#shown = value;
    const text = number(value);
    this.#element.textContent = text;
    this.#element.classList.toggle("long", text.length > LONG);
  }
}

function step(now) {
  for (const counter of counting) {
    if (!counter.advance(now)) counting.delete(counter);
  }
  if (counting.size > 0) requestAnimationFrame(step);
}
