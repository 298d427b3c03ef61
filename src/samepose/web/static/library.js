// What is indexed, and how more gets indexed.
//
// Address: q (part of the name, or of the path with a slash), failed (1: only those that could not be read to the end).

import { get, session } from "./api.js";
import { base, containing } from "./choose.js";
import { addFolder } from "./folders.js";
import { Jobs } from "./jobs.js";
import { href, remember } from "./route.js";
import { button, el, problem } from "./ui.js";

const PAGE = 100; // files at a time
const LATER = 250; // milliseconds after the last key
const KINDS = { image: ["photo", "photos"], video: ["video", "videos"], poses: ["file of poses", "files of poses"],
  motion: ["clip of motion capture", "clips of motion capture"] };
const STATUS = { done: "people found", nobody: "nobody in it", partial: "breaks off", failed: "not readable" };
let view = null;

export async function mount(root, params) {
  view = new Library(root, params);
  await view.start();
}

export function unmount() {
  view?.stop();
  view = null;
}

export function resume() {
  view?.start();
}

class Library {
  constructor(root, params) {
    Object.assign(this, { params, turn: 0, next: null });
    this.jobs = new Jobs({ finished: () => this.load() });
    this.facts = el("dl", { class: "facts" });
    this.add = el("div", { class: "row" });
    this.filter = el("input", { type: "search", placeholder: "Name or folder/", "aria-label": "Part of the name, or of the path with a slash", value: params.get("q") ?? "" });
    this.failed = el("input", { type: "checkbox", checked: params.get("failed") !== null });
    this.count = el("p", { class: "muted small number", role: "status" });
    this.body = el("ul", { class: "files" });
    this.more = button("Show more", () => this.load(this.next), { hidden: true });
    this.message = el("div", {});
    this.filters = el("div", { class: "row" }, this.filter, el("label", { class: "choice" }, this.failed, "Only failures"));
    root.append(el("div", { class: "stack" }, el("div", { class: "row spread" }, el("h1", {}, "Library"), this.add),
      this.jobs.element, this.facts, el("div", { class: "row spread" }, this.filters, this.count), this.message, this.body, this.more));
    this.filter.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.filtered(), LATER);
    });
    this.failed.addEventListener("change", () => this.filtered());
  }

  async start() {
    const { local } = await session();
    this.local = local;
    this.add.replaceChildren(local ? button("Add a folder", () => addFolder((job) => this.jobs.show(job)), { class: "primary", icon: "plus" })
      : el("p", { class: "muted small" }, "Folders are added on the computer that serves this page."));
    await Promise.all([this.load(), this.jobs.load()]);
  }

  stop() {
    this.turn += 1;
    clearTimeout(this.timer);
    this.jobs.stop();
  }

  filtered() {
    remember("library", { q: this.filter.value.trim(), failed: this.failed.checked ? "1" : "" });
    return this.load();
  }

  /** Show files from an offset on; from the first again by default. */
  async load(offset = 0) {
    const mine = ++this.turn;
    const where = containing(this.filter.value.trim());
    const asked = new URLSearchParams({ offset, limit: PAGE, failed: this.failed.checked, ...(where ? { where } : {}) });
    let part;
    try {
      part = await get(`/api/library?${asked}`);
    } catch (error) {
      if (mine !== this.turn) return;
      for (const node of [this.body, this.facts, this.count]) node.replaceChildren();
      this.filters.hidden = this.more.hidden = true;
      this.message.replaceChildren(problem(error, () => this.load()));
      return;
    }
    if (mine !== this.turn) return;
    if (offset === 0) this.body.replaceChildren();
    this.body.append(...part.media.map(row));
    this.next = part.next;
    this.more.hidden = part.next === null;
    this.filters.hidden = part.info.media === 0;
    this.facts.replaceChildren(...factsOf(part.info));
    this.count.textContent = part.info.media ? `${part.total.toLocaleString()} of ${part.info.media.toLocaleString()} files` : "";
    this.message.replaceChildren(...(part.total ? [] : [this.nothing(part.info)]));
  }

  nothing(info) {
    const [title, text] = info.media === 0
      ? ["Nothing is indexed yet", this.local ? "Add a folder of photos and videos: samepose looks for the people in them. Nothing leaves this computer."
        : "Index a folder on the computer that serves this page: samepose index FOLDER"]
      : this.failed.checked && !this.filter.value ? ["No failures", "Every file was read to its end."]
        : ["No file is like that", "Try a shorter part of its name; a folder is written with a slash."];
    return el("section", { class: "empty" }, el("h2", {}, title), el("p", { class: "muted" }, text));
  }
}

function row(medium) {
  const { id, path, status, people, label, error, kind } = medium;
  const folder = path.slice(0, path.length - base(path).length);
  const thumb = status === "failed" || kind === "poses" ? el("span", { class: "thumb" })
    : el("img", { class: "thumb", src: `/api/frame/${id}.jpg?t=0&size=320`, alt: "", loading: "lazy" });
  const name = el("span", { class: "file-name" }, people ? el("a", { href: href("search", { media: id, at: kind === "video" ? "0" : "" }) }, base(path))
    : el("span", {}, base(path)), folder ? el("span", { class: "muted small" }, folder) : null,
  error ? el("span", { class: "field-error small" }, error) : null);
  const links = kind === "video" && people ? el("span", { class: "row file-links" },
    el("a", { class: "small", href: href("moves", { media: id }), "aria-label": `Moves of ${base(path)}` }, "Moves"),
    el("a", { class: "small", href: href("compare", { a: id }), "aria-label": `Compare ${base(path)}` }, "Compare")) : el("span", {});
  return el("li", { class: "file", "data-status": status }, thumb, name, links,
    el("span", { class: "file-facts" }, label ? el("span", { class: "chip" }, label) : null,
      el("span", { class: "small number" }, people ? counted(people, kind) : STATUS[status] ?? status)));
}

/** People of a photo; of a video somebody counts at every moment that they were seen. */
function counted(people, kind) {
  const word = kind === "video" ? ["sighting", "sightings"] : ["person", "people"];
  return `${people.toLocaleString()} ${word[Number(people !== 1)]}`;
}

function factsOf({ media, people, searchable, status, kind, bytes, labels, root }) {
  if (!media) return [];
  const fact = (name, value, more) => el("div", {}, el("dt", { class: "muted small" }, name), el("dd", { class: "number" }, el("strong", {}, value),
    more ? el("small", { class: "muted" }, more) : null));
  const unread = (status.failed ?? 0) + (status.partial ?? 0);
  return [fact("Files", media.toLocaleString(), Object.entries(kind).map(([name, n]) => `${n.toLocaleString()} ${(KINDS[name] ?? [name, name])[Number(n !== 1)]}`).join(", ")),
    fact("People", people.toLocaleString(), searchable < people ? `${searchable.toLocaleString()} can be searched for` : "all can be searched for"),
    fact("Failures", unread.toLocaleString(), unread ? "see below with “Only failures”" : "every file was read"),
    fact("Labels", Object.keys(labels).length.toLocaleString(), Object.keys(labels).slice(0, 3).join(", ")),
    fact("On disk", bytes === null ? "–" : size(bytes), root)];
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return `${(bytes / 1000 ** power).toLocaleString(undefined, { maximumFractionDigits: 1 })} ${units[power]}`;
}
