const SVG = "http://www.w3.org/2000/svg";

/** An element with these attributes, listeners (`on`) and children. What is no element is text, and never read as HTML. */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same in a drawing. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A table with a caption for those who hear it; columns are `[title, class]`, rows are lists of cells. */
export function table(caption, columns, rows, attributes = {}) {
  const head = columns.map(([title, kind]) => el("th", { scope: "col", class: kind }, title));
  const body = rows.map((row) => {
    const { cells, ...of } = Array.isArray(row) ? { cells: row } : row;
    return el("tr", of, cells.map((cell, place) => el("td", { class: columns[place][1] }, cell)));
  });
  return el(
    "div",
    { class: "table", tabindex: "0", role: "region", "aria-label": caption },
    el("table", attributes, el("caption", { class: "unseen" }, caption), el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)),
  );
}

/** Terms and what they are: `[term, value]`, those without a value left out. */
export function facts(pairs, attributes = {}) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== false);
  return el("dl", { class: "facts", ...attributes }, shown.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value))));
}

export const button = (text, press, attributes = {}) => el("button", { type: "button", class: "quiet", ...attributes, on: { click: press } }, text);

export const chip = (text, kind) => el("span", { class: "chip", "data-kind": kind }, text);
