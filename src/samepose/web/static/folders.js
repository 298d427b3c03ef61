// A dialog to choose a folder of this computer that is to be indexed.

import { get, post } from "./api.js";
import { button, dialog, el, notice, problem } from "./ui.js";

const LABEL_LONGEST = 200;

/** Let a folder be chosen and indexed; `started` gets the job. */
export function addFolder(started) {
  const path = el("input", { type: "text", spellcheck: "false", autocapitalize: "off", id: "folder" });
  const list = el("ul", { class: "folders", "aria-label": "Folders" });
  const told = el("p", { class: "muted small", role: "status" });
  const label = el("input", { type: "text", maxlength: LABEL_LONGEST, id: "folder-label" });
  const go = button("Index this folder", null, { type: "submit", class: "primary", icon: "plus" });
  const open = el("form", { class: "row folder-path" }, path, button("Open", null, { type: "submit" }));
  const form = el("form", { class: "stack" }, el("div", { class: "field" },
    el("label", { for: "folder-label" }, "Label for everybody in it (may be empty)"), label),
  el("p", { class: "muted small" }, "Folders inside it are taken too. Files stay where they are; what was indexed before is not read again."),
  el("div", { class: "row end" }, go));
  let here = null;
  let asked = 0;

  async function show(to) {
    const mine = ++asked; // until it is there, nothing can be indexed: not the folder that was shown before either
    go.disabled = true;
    told.textContent = "";
    try {
      const found = await get(`/api/folders${to === null ? "" : `?${new URLSearchParams({ path: to })}`}`);
      if (mine !== asked) return;
      here = found;
    } catch (error) {
      if (mine !== asked) return;
      here = null;
      const lost = error.status === 404 ? { message: "There is no such folder", remedy: "check how it is written" } : error;
      list.replaceChildren(el("li", {}, problem(lost, () => show(null))));
      return;
    }
    go.disabled = false;
    path.value = here.path;
    if (document.activeElement === path) path.select(); // who begins to type now means another folder
    told.textContent = `${here.media.toLocaleString()} photos and videos here, ${here.folders.length.toLocaleString()} folders`;
    const inside = here.path.endsWith("/") ? here.path : `${here.path}/`;
    const entry = (name, place, shape) => el("li", {}, button(name, () => show(place), { icon: shape, class: "quiet" }));
    list.replaceChildren(...(here.parent ? [entry("One folder up", here.parent, "back")] : []),
      ...here.folders.map((name) => entry(name, `${inside}${name}`, "next")));
    list.scrollTop = 0;
  }

  path.addEventListener("input", () => { // what is being typed is not overwritten, and only what was opened is indexed
    asked += 1;
    go.disabled = true;
  });
  open.addEventListener("submit", (event) => {
    event.preventDefault();
    show(path.value.trim());
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      const job = await post("/api/index", { paths: [here.path], label: label.value.trim() || null });
      box.close();
      started(job);
    } catch (error) {
      notice(error);
      go.disabled = false;
    }
  });
  const box = dialog("Add a folder", el("div", { class: "stack" }, el("div", { class: "field" },
    el("label", { for: "folder" }, "Folder"), open), list, told, form));
  show(null);
}
