// A dialog to choose a file of the index.

import { get } from "./api.js";
import { button, dialog, el, problem } from "./ui.js";

const ENOUGH = 60; // files shown at once
const LATER = 250; // milliseconds after the last key

/** The name of a file without its folders. */
export const base = (path) => path.split("/").at(-1);

/** A pattern for files whose name, or path if it has a slash, has a text in it; brackets, which mean something in patterns, stand for any sign. */
export const containing = (text) => (text ? `*${text.replace(/[[\]{}]/g, "?")}*` : null);

/** Files of the index that have people in them, from an offset on until there are enough. */
async function some(text, videos, from) {
  const found = [];
  let next = from;
  while (next !== null && found.length < ENOUGH) {
    const asked = new URLSearchParams({ offset: next, limit: 500, ...(text ? { where: containing(text) } : {}) });
    const part = await get(`/api/library?${asked}`);
    found.push(...part.media.filter((medium) => medium.people > 0 && (!videos || medium.kind === "video")));
    next = part.next;
  }
  return { found, next };
}

/** Let a file be chosen; `chosen` gets it. */
export function chooseMedium(title, chosen, { videos = true } = {}) {
  const field = el("input", { type: "search", placeholder: "Part of the name", "aria-label": "Part of the name" });
  const list = el("ul", { class: "picks" });
  const told = el("p", { class: "muted", role: "status" }, "Loading…");
  const more = button("More", () => show(next), { hidden: true });
  let turn = 0;
  let next = 0;
  let timer = null;

  async function show(from) {
    const mine = ++turn;
    try {
      const part = await some(field.value.trim(), videos, from);
      if (mine !== turn) return;
      next = part.next;
      if (from === 0) list.replaceChildren();
      list.append(...part.found.map(card));
      const none = field.value ? "No such file." : `The index has no ${videos ? "videos" : "files"} with people yet.`;
      told.textContent = list.childElementCount ? "" : none;
      more.hidden = next === null;
    } catch (error) {
      if (mine === turn) list.replaceChildren(el("li", {}, problem(error, () => show(0))));
    }
  }

  function card(medium) {
    return el("li", {}, el("button", { type: "button", class: "pick", onclick: () => { box.close(); chosen(medium); } },
      el("img", { src: `/api/frame/${medium.id}.jpg?t=0&size=320`, alt: "", loading: "lazy" }),
      el("span", { title: medium.path }, base(medium.path))));
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => show(0), LATER);
  });
  const box = dialog(title, el("div", { class: "stack" }, field, told, list, more), { wide: true });
  field.focus();
  show(0);
}
