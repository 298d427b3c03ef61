// Whom a search may find: a form whose values live in the address.

import { get } from "./api.js";
import { el } from "./ui.js";

const DEFAULTS = { min: "0.1", where: "", label: "", mirror: "off", distinct: "0.5", around: "0.3",
  copies: "", by: "" };

const LONGEST = 1; // seconds that a moment reaches

/** The filters of an address, all of them strings. */
export const filtersOf = (params) =>
  Object.fromEntries(Object.entries(DEFAULTS).map(([name, usual]) => [name, params.get(name) ?? usual]));

/** Those that are not as usual, for an address. */
export const changed = (filters) =>
  Object.fromEntries(Object.entries(filters).filter(([name, value]) => value !== DEFAULTS[name]));

/** The same for the body of a search; what is no number is as usual. */
export function asBody({ min, where, label, mirror, distinct, around, copies, by }) {
  const number = (text, usual) => (text !== "" && Number.isFinite(+text) && +text >= 0 ? +text : +usual);
  return {
    min_score: Math.min(number(min, DEFAULTS.min), 1), distinct: number(distinct, DEFAULTS.distinct),
    mirror: ["off", "also", "only"].includes(mirror) ? mirror : "off",
    // As usual is for the server to say: it knows whether the query has frames before and after.
    moment: around === DEFAULTS.around || by === "pixels" ? null : Math.min(number(around, DEFAULTS.around), LONGEST),
    where: where || null, label: label || null, copies: copies === "1",
    by: ["keypoints", "pixels", "both"].includes(by) ? by : null,
  };
}

/** The form; `onchange(filters)` is called whenever one is changed. `spaces` are what people can be found by. */
export function filterForm(filters, spaces, onchange) {
  const now = { ...filters };
  const set = (name, value) => { now[name] = value; onchange({ ...now }); };
  const form = el("form", { class: "filters", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
    spaces.length > 1 ? segments("by", "Compare", { "": "Pose", pixels: "Looks", both: "Both" }, now, set) : null,
    cutOff(now, set), segments("mirror", "Mirrored", { off: "Off", also: "Also", only: "Only" }, now, set),
    text("where", "Folder or file", "holiday/*", now, set, "folders"),
    text("label", "Label", "any", now, set, "labels"),
    seconds("distinct", "Seconds apart", { step: 0.5 }, now, set),
    seconds("around", "Seconds before and after, of films", { step: 0.1, max: LONGEST }, now, set),
    el("label", { class: "row check" }, el("input", { type: "checkbox", checked: now.copies === "1",
      onchange: ({ target }) => set("copies", target.checked ? "1" : "") }), "Also copies of the query"));
  suggest(form);
  return form;
}

function cutOff(now, set) {
  const words = (value) => `${Math.round(value * 100)}%`;
  const told = el("output", { for: "min", class: "number" }, words(now.min));
  const range = el("input", { type: "range", id: "min", min: 0, max: 0.95, step: 0.05, value: now.min,
    oninput: ({ target }) => { told.textContent = words(target.value); },
    onchange: ({ target }) => set("min", target.value) });
  return el("div", { class: "field" },
    el("div", { class: "row spread" }, el("label", { for: "min" }, "At least this likely"), told), range);
}

/** One of a few; `names` are what the values are called. */
function segments(name, title, names, now, set) {
  return el("fieldset", { class: "field" }, el("legend", {}, title),
    el("div", { class: "segments" }, Object.entries(names).map(([value, said]) => el("label", {},
      el("input", { type: "radio", name, value, checked: now[name] === value,
        onchange: () => set(name, value) }), said))));
}

const seconds = (name, title, range, now, set) => field(name, title, el("input", { type: "number", id: name, min: 0,
  ...range, value: now[name], onchange: ({ target }) => set(name, target.value || DEFAULTS[name]) }));

function text(name, title, placeholder, now, set, list) {
  return field(name, title, el("input", { type: "text", id: name, placeholder, value: now[name], list, maxlength: 4096,
    autocomplete: "off", spellcheck: "false", onchange: ({ target }) => set(name, target.value.trim()) }));
}

const field = (id, title, input) => el("div", { class: "field" }, el("label", { for: id }, title), input);

/** Folders and labels that the index has, to choose from while one types. */
async function suggest(form) {
  const { info, media } = await get("/api/library?limit=500");
  const folders = new Set(media.map(({ path }) => path.split("/").slice(0, -1).join("/")).filter(Boolean));
  form.append(choices("folders", [...folders].map((folder) => `${folder}/*`)),
    choices("labels", Object.keys(info.labels)));
}

const choices = (id, values) => el("datalist", { id }, values.map((value) => el("option", { value })));
