// One result: the crop with the skeleton over it, how likely it is, and what can be done with it.

import { hoverPlay } from "./hover.js";
import { openPlayer } from "./player.js";
import { bonesOf, skeletonGroup } from "./skeleton.js";
import { href } from "./route.js";
import { clock, el, icon, svg } from "./ui.js";

export const percent = (score) => `${Math.round(score * 100)}%`;

/** The person's crop as an SVG whose units are pixels of the whole picture. */
export function cropOf(result) {
  const [x, y, side] = result.crop.window;
  const board = svg("svg", { viewBox: `${x} ${y} ${side} ${side}`, class: "crop", "aria-hidden": "true" },
    svg("image", { href: `${result.crop.url}?size=320`, x, y, width: side, height: side }));
  bonesOf(result.skeleton).then((bones) => board.append(skeletonGroup(result.keypoints, bones)));
  return board;
}

/** `onselect(id, selected)`; the element has `update(result)` for a new score or label. */
export function card(result, onselect) {
  const name = result.path.split("/").at(-1);
  const when = result.time === null ? "" : ` at ${clock(result.time)}`;
  const title = name + when;
  const tick = el("input", { type: "checkbox", "aria-label": `Select ${title}`,
    onchange: ({ target }) => {
      node.classList.toggle("selected", target.checked);
      onselect(result.id, target.checked);
    } });
  const board = cropOf(result);
  const open = el("button", { type: "button", class: "picture", onclick: () => openPlayer({ media: result.media,
    person: result.id, time: result.time, title: result.path, keypoints: result.keypoints,
    skeleton: result.skeleton }) },
  board, result.time === null ? null : el("span", { class: "film number" }, icon("play"), clock(result.time)));
  const score = el("strong", { class: "number" });
  const words = el("span", {});
  const level = el("span", { class: "level", "aria-hidden": "true" }, el("span", {}));
  const marks = el("span", { class: "row marks" });
  const node = el("li", { class: "hit", "data-id": result.id }, open, el("label", { class: "tick" }, tick),
    el("a", { class: "button quiet more", href: href("search", { person: result.id }), title: "More like this",
      "aria-label": `More like ${title}` }, icon("similar")),
    el("div", { class: "about" }, el("p", { class: "score" }, score, words), level,
      el("p", { class: "path small", title: result.path }, el("span", {}, name), el("span", { class: "muted" },
        result.path.includes("/") ? result.path.split("/").slice(0, -1).join("/") : "")), marks));
  node.update = (now) => {
    score.textContent = percent(now.score);
    words.textContent = now.words;
    level.firstChild.style.width = percent(now.score);
    const said = [now.words, percent(now.score), ...(now.mirrored ? ["mirrored"] : [])].join(", ");
    open.setAttribute("aria-label", `Open ${title}: ${said}`);
    marks.replaceChildren(...[now.still && el("span", { class: "chip" }, "frame alone"),
      now.mirrored && el("span", { class: "chip" }, icon("mirror"), "mirrored"),
      now.label && el("span", { class: "chip" }, icon("label"), now.label)].filter(Boolean));
  };
  node.tick = (on) => {
    tick.checked = on;
    node.classList.toggle("selected", on);
  };
  if (result.time !== null) hoverPlay(open, board, result);
  node.update(result);
  return node;
}

/** As many empty cards as are being waited for. */
export const waiting = (count) => Array.from({ length: count }, () =>
  el("li", { class: "hit waiting", "aria-hidden": "true" },
    el("div", { class: "picture" }), el("div", { class: "about" })));
