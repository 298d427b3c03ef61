// Labels, or groups, of the map: each has a colour and a shape, and can be hidden or chosen. The most frequent come first.

import { SHAPES } from "./scatter.js";
import { button, el, svg } from "./ui.js";

const LIGHT = [[0, 100, 190], [200, 80, 0], [0, 125, 85], [165, 45, 130], [110, 90, 0], [90, 70, 200], [190, 25, 50], [0, 120, 140]];
const DARK = [[90, 175, 255], [255, 150, 70], [70, 215, 160], [240, 130, 205], [225, 200, 80], [170, 155, 255], [255, 115, 125], [85, 210, 230]];
const LISTED = 40; // in the legend
const NOBODY = { light: [62, 68, 65], dark: [196, 204, 200] };

/** For each label, with "none" as the first, its name, colour, shape and how many have it; `nobody` is who has none. */
export function kindsOf(labels, column, dark, nobody = "No label") {
  const counts = new Uint32Array(labels.length + 1);
  for (const label of column) counts[label] += 1;
  const rank = labels.map((_, k) => k + 1).sort((p, q) => counts[q] - counts[p]);
  const kinds = [{ name: nobody, colour: NOBODY[dark ? "dark" : "light"], shape: 0, count: counts[0], shown: true }];
  rank.forEach((label, k) => {
    const [colour, shape] = [k % LIGHT.length, (k + Math.floor(k / LIGHT.length)) % SHAPES.length]; // 64 signs, then again
    kinds[label] = { name: labels[label - 1], colour: (dark ? DARK : LIGHT)[colour], shape, count: counts[label], shown: true };
  });
  return kinds;
}

/** The legend; `changed` is called when labels were shown or hidden, `chosen` with the number of one. */
export function legend(kinds, { changed, chosen }) {
  const order = kinds.map((_, k) => k).filter((k) => kinds[k].count).sort((p, q) => (p === 0) - (q === 0) || kinds[q].count - kinds[p].count);
  const rest = order.length - LISTED;
  return el("ul", { class: "legend" }, order.slice(0, LISTED).map((k) => {
    const kind = kinds[k];
    const box = el("input", { type: "checkbox", checked: kind.shown });
    box.addEventListener("change", () => { kind.shown = box.checked; changed(); });
    return el("li", {}, el("label", { class: "choice" }, box, sign(kind, k === 0), el("span", { class: "side-name" }, kind.name),
      el("span", { class: "muted small number" }, kind.count.toLocaleString())),
    button("Choose", () => chosen(k), { class: "quiet small", label: `Choose all of ${kind.name}` }));
  }), rest > 0 ? el("li", { class: "muted small" }, `and ${rest.toLocaleString()} more: point at them on the map`) : null);
}

/** A label's sign as the map draws it. */
function sign(kind, small) {
  const cells = [];
  const radius = small ? 3 : 6;
  for (let y = -7; y <= 7; y += 1) {
    for (let x = -7; x <= 7; x += 1) {
      if (SHAPES[kind.shape][1](x / radius, y / radius)) cells.push(`M${x + 7} ${y + 7}h1v1h-1z`);
    }
  }
  return svg("svg", { viewBox: "0 0 15 15", width: 15, height: 15, role: "img", "aria-label": SHAPES[kind.shape][0], fill: `rgb(${kind.colour})` },
    svg("path", { d: cells.join("") }));
}
