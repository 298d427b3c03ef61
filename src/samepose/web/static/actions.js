// What one does with results: label them, take them out of the index, download them.

import { download, get, post } from "./api.js";
import { button, confirm, dialog, el, notice, toast } from "./ui.js";

const MOST = 500; // results of one export
const FORMATS = [["html", "Report", "a page with pictures, to open anywhere"],
  ["png", "Sheet", "one picture of at most 60"],
  ["csv", "Table", "CSV, for a spreadsheet"], ["json", "JSON", "for a program"]];

const people = (count) => `${count} ${count === 1 ? "person" : "people"}`;

/** Ask for a label; `done(label)` when it is written, null when labels were taken off. */
export async function labelDialog(results, done) {
  const { info } = await get("/api/library?limit=1");
  const field = el("input", { type: "text", id: "new-label", list: "known-labels", maxlength: 200, required: true,
    autocomplete: "off" });
  const write = async (name) => {
    try {
      const answer = await post("/api/label", { what: results.map(({ id }) => id), name });
      box.close();
      toast(people(answer.people) + (name === null ? " without a label now" : ` labelled “${name}”`));
      done(name);
    } catch (error) {
      notice(error);
    }
  };
  const form = el("form", { class: "stack", onsubmit: (event) => {
    event.preventDefault();
    if (field.value.trim()) write(field.value.trim());
  } }, el("div", { class: "field" }, el("label", { for: "new-label" }, "Label"), field,
    el("datalist", { id: "known-labels" }, Object.keys(info.labels).map((value) => el("option", { value })))),
  el("div", { class: "row end" },
    results.some(({ label }) => label) ? button("Take labels off", () => write(null)) : null,
    button("Label", null, { type: "submit", class: "primary" })));
  const box = dialog(`Label ${people(results.length)}`, form);
  field.focus();
}

/** Say what would go, ask, and take it out of the index; `done()` afterwards. */
export async function removeDialog(results, done) {
  const what = results.map(({ id }) => id);
  try {
    const would = await post("/api/remove", { what, dry_run: true });
    const paths = would.paths ?? [];
    const body = el("div", { class: "stack" }, el("p", {}, `${people(would.people)} will be taken out of the index. `
      + "The files themselves stay."),
    el("ul", { class: "small paths" }, paths.slice(0, 8).map((path) => el("li", {}, path)),
      paths.length > 8 ? el("li", { class: "muted" }, `and ${paths.length - 8} more`) : null));
    if (!await confirm(`Remove ${people(would.people)}?`, body, "Remove")) return;
    const answer = await post("/api/remove", { what, yes: true });
    toast(`${people(answer.people)} removed from the index`);
    done();
  } catch (error) {
    notice(error);
  }
}

/** Choose a format for the search `body`; `order` are the ids that are shown, `only` those selected or null. */
export function downloadDialog(body, order, only) {
  if (!body || !order.length) {
    toast("There is nothing to download yet.");
    return;
  }
  const places = only ? only.map((id) => order.indexOf(id)) : [0, order.length - 1];
  const offset = Math.min(...places);
  const k = Math.max(...places) - offset + 1;
  const fetchAs = async (format) => {
    try {
      const most = format === "png" && !only ? 60 : MOST;
      const asked = { ...body, format, offset, k: Math.min(k, most), ...(only ? { only } : {}) };
      const { blob, name } = await download("/api/export", asked);
      save(blob, name ?? `samepose.${format}`);
      box.close();
    } catch (error) {
      notice(error);
    }
  };
  const count = only ? only.length : Math.min(order.length, MOST);
  const box = dialog(`Download ${count} ${count === 1 ? "result" : "results"}`, el("ul", { class: "stack" },
    FORMATS.map(([format, name, help]) => el("li", { class: "row download" },
      button(name, () => fetchAs(format), { icon: "download" }), el("span", { class: "muted small" }, help)))));
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
