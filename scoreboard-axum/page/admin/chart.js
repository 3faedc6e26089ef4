import { svg } from "./dom.js";
import { minuteOfDay, timeOfDay } from "./moments.js";

const HEIGHT = 240;
const LEFT = 64;
const RIGHT = 14;
const TOP = 14;
const BOTTOM = 30;

/** Where values lie in a drawing of this width: times from left to right, values from below up. */
export class Chart {
  #from;
  #to;
  #low;
  #high;

  constructor(width, { from, to, low, high }) {
    this.width = Math.max(width, 260);
    this.height = HEIGHT;
    this.left = LEFT;
    this.right = this.width - RIGHT;
    this.top = TOP;
    this.bottom = HEIGHT - BOTTOM;
    this.#from = from;
    this.#to = to > from ? to : from + 1;
    this.#low = low;
    this.#high = high > low ? high : low + 1;
  }

  x(time) {
    return round(this.left + ((time - this.#from) / (this.#to - this.#from)) * (this.right - this.left));
  }

  /** What is outside is drawn at the edge. */
  y(value) {
    const share = (value - this.#low) / (this.#high - this.#low);
    return round(this.bottom - Math.min(Math.max(share, 0), 1) * (this.bottom - this.top));
  }

  isAbove(value) {
    return value > this.#high;
  }

  /** The whole drawing, with its axes below what is in it. */
  drawing(title, unit, ...parts) {
    return svg("svg", { viewBox: `0 0 ${this.width} ${this.height}`, width: this.width, height: this.height, role: "img", "aria-label": title, class: "chart", "data-testid": "chart" }, this.#rows(unit), this.#columns(), parts);
  }

  /** A stretch of values from the left edge to the right one, or between two times. */
  band(kind, low, high, from = this.#from, to = this.#to) {
    const [upper, lower] = [this.y(high), this.y(low)];
    return svg("rect", { class: kind, x: this.x(from), y: upper, width: Math.max(this.x(to) - this.x(from), 0), height: Math.max(lower - upper, 1) });
  }

  line(kind, value, from = this.#from, to = this.#to) {
    return svg("line", { class: kind, x1: this.x(from), x2: this.x(to), y1: this.y(value), y2: this.y(value) });
  }

  #rows(unit) {
    return steps(this.#low, this.#high, 4).map((value) =>
      svg("g", { class: "grid" }, svg("line", { x1: this.left, x2: this.right, y1: this.y(value), y2: this.y(value) }), svg("text", { x: this.left - 8, y: this.y(value) + 4, "text-anchor": "end" }, unit(value))),
    );
  }

  #columns() {
    const count = Math.max(Math.floor((this.right - this.left) / 120), 1);
    const span = this.#to - this.#from;
    const name = span < 5 * 60_000 ? timeOfDay : minuteOfDay;
    return Array.from({ length: count + 1 }, (_, place) => this.#from + (span * place) / count).map((time, place) =>
      svg("text", { class: "tick", x: this.x(time), y: this.bottom + 20, "text-anchor": place === 0 ? "start" : place === count ? "end" : "middle" }, name(time)),
    );
  }
}

/** Round numbers between two, about so many. */
function steps(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) found.push(value);
  return found;
}

const round = (value) => Math.round(value * 10) / 10;

/** Lengths of time on one axis, all in the same unit, as precise as they differ; steps of two and a half need a digit more. */
export function lengths(high, low) {
  const [size, unit] = high >= 7_200_000 ? [3_600_000, "h"] : high >= 120_000 ? [60_000, "min"] : [1000, "s"];
  const digits = Math.min(Math.max(Math.ceil(-Math.log10((high - low) / size / 5)), 0), 4) + 1;
  return (value) => `${Number((value / size).toFixed(digits))} ${unit}`;
}

export const dot = (kind, x, y, title, radius = 3.2) => svg("circle", { class: kind, cx: x, cy: y, r: radius }, svg("title", {}, title));

