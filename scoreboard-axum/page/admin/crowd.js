import { number } from "../format.js";
import { svg } from "./dom.js";
import { ruleOf } from "./rules.js";

const STEP = 20;
const DOT = 6;

/** The accounts that were seen at one source, a dot each: as many as are believed, and those beyond. */
export function crowd({ rule, users = [], value, threshold }) {
  const { source } = ruleOf(rule);
  const words = `${number(value)} accounts were seen ${source} within a day; ${number(threshold)} are believed.`;
  const legend = [["dot-unmeasured", `as many as are believed ${source}`], ["dot", "more than that"]];
  const draw = (width) => {
    const across = Math.max(Math.floor(width / STEP), 1);
    const dots = users.map((_, place) => {
      const [x, y] = [(place % across) * STEP + STEP / 2, Math.floor(place / across) * STEP + STEP / 2];
      return svg("circle", { class: place < threshold ? "dot-unmeasured" : "dot", cx: x, cy: y, r: DOT });
    });
    const height = Math.ceil(users.length / across) * STEP;
    return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": words, class: "chart crowd", "data-testid": "chart" }, dots);
  };
  return { words, legend, draw };
}
