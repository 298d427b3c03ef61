// The grid of results: endless scrolling, selection, and what to do with those selected.

import { downloadDialog, labelDialog, removeDialog } from "./actions.js";
import { card, waiting } from "./card.js";
import { navigate } from "./route.js";
import { button, el, problem } from "./ui.js";

const NOTHING = {
  index: ["The index is empty", "Add folders under Library, or run samepose index FOLDER in the terminal."],
  where: ["No file is called like that", "The filter matches no file of the index. holiday/* takes all of a folder."],
  label: ["Nobody has this label", "Take the label filter off, or label some people first."],
  score: ["Nobody is likely enough", "Lower the cut-off, hide joints that do not matter, or allow mirrored poses."],
  nobody: ["Nobody in the index can be compared", "Hide joints that do not matter, or take filters off."],
};

/** `page(offset)` gives the answer to the search from there on; `body()` is that search, for downloads. */
export class Results {
  constructor({ page, body, bones = true }) {
    Object.assign(this, { page, body, cards: new Map(), results: new Map(), selected: new Set(), next: null });
    this.count = el("p", { class: "muted number", role: "status" });
    this.how = el("p", { class: "muted small", role: "status" });
    const overlay = button("Skeletons", () => {
      const off = this.list.classList.toggle("bare");
      overlay.setAttribute("aria-pressed", String(!off));
    }, { icon: "person", "aria-pressed": String(bones) });
    this.list = el("ul", { class: "grid hits", "aria-label": "Results" });
    this.end = el("div", { class: "sentinel", "aria-hidden": "true" });
    this.message = el("div", { role: "status" });
    this.chosen = el("span", { class: "number" });
    this.compare = button("Compare", () => navigate("compare", Object.fromEntries(
      this.order().filter((id) => this.selected.has(id)).map((id, k) => ["ab"[k], id]))), { icon: "film" });
    this.bar = el("div", { class: "bar row", role: "region", "aria-label": "Selected results", hidden: true },
      this.chosen,
      button("Label", () => labelDialog(this.picked(), (label) => this.relabel(label)), { icon: "label" }),
      button("Download", () => downloadDialog(this.body(), this.order(), [...this.selected]), { icon: "download" }),
      this.compare,
      button("Remove", () => removeDialog(this.picked(), () => this.drop()), { icon: "remove" }),
      button("", () => this.clear(), { icon: "close", label: "Select nothing", class: "quiet" }));
    this.root = el("section", { class: "results stack", "aria-label": "Results" },
      el("div", { class: "row spread" }, el("div", { class: "row" }, el("h2", {}, "Same pose"), this.count),
        el("div", { class: "row" }, overlay,
          button("Download", () => downloadDialog(this.body(), this.order(), null), { icon: "download" }))),
      this.how, this.message, this.list, this.end, this.bar);
    this.sight = new IntersectionObserver(([entry]) => { if (entry.isIntersecting) this.more(); },
      { rootMargin: "800px" });
    this.sight.observe(this.end);
  }

  close() { this.sight.disconnect(); }

  /** Before the first answer. */
  wait() {
    if (!this.cards.size && !this.list.childElementCount) this.list.replaceChildren(...waiting(8));
    this.root.setAttribute("aria-busy", "true");
  }

  /** A new search: cards of people who are found again stay, so that nothing flickers while one drags. */
  show({ results, next, nothing, query }) {
    const before = this.cards;
    this.cards = new Map();
    this.results = new Map();
    this.query = query;
    this.how.textContent = query?.alone ? `The frame alone is compared, for ${query.alone}.`
      : query?.moment ? `Compared with ${query.moment} s before and after.` : "";
    this.list.replaceChildren(...results.map((result) => this.put(result, before.get(result.id))));
    this.next = next;
    this.loading = false;
    this.root.setAttribute("aria-busy", "false");
    const gone = [...this.selected].filter((id) => !this.results.has(id));
    for (const id of gone) this.selected.delete(id);
    this.told();
    const [title, help] = NOTHING[nothing] ?? [];
    this.message.replaceChildren();
    if (title) {
      this.message.append(el("div", { class: "empty" }, el("h3", {}, title), el("p", { class: "muted" }, help)));
    }
    this.look();
  }

  /** An error in place of results. */
  fail(error, again) {
    this.show({ results: [], next: null, nothing: null });
    this.count.textContent = "";
    this.message.replaceChildren(problem(error, again));
  }

  async more() {
    if (this.next === null || this.loading) return;
    this.loading = true;
    let answer;
    try {
      answer = await this.page(this.next);
    } catch (error) {
      this.loading = false;
      throw error;
    }
    if (answer === null) return; // another search has come
    this.list.append(...answer.results.filter(({ id }) => !this.cards.has(id)).map((result) => this.put(result)));
    this.next = answer.next;
    this.loading = false;
    this.told();
    this.look();
  }

  /** The observer only speaks when the end comes into sight, not while it stays there. */
  look() {
    this.sight.unobserve(this.end);
    this.sight.observe(this.end);
  }

  put(result, old) {
    result.still = this.query.moment > 0 && result.moment === 0;
    const node = old ?? card(result, (id, on) => this.select(id, on));
    if (old) node.update(result);
    this.cards.set(result.id, node);
    this.results.set(result.id, result);
    return node;
  }

  select(id, on) {
    if (on) this.selected.add(id);
    else this.selected.delete(id);
    this.told();
  }

  clear() {
    for (const id of this.selected) this.cards.get(id)?.tick(false);
    this.selected.clear();
    this.told();
  }

  told() {
    this.count.textContent = this.results.size ? `${this.results.size}${this.next === null ? "" : "+"}` : "";
    this.bar.hidden = this.selected.size === 0;
    this.compare.hidden = this.selected.size !== 2;
    this.chosen.textContent = `${this.selected.size} selected`;
  }

  order() { return [...this.results.keys()]; }
  picked() { return [...this.selected].map((id) => this.results.get(id)); }

  relabel(label) {
    for (const result of this.picked()) {
      result.label = label;
      this.cards.get(result.id).update(result);
    }
    this.clear();
  }

  drop() {
    for (const id of this.selected) {
      this.cards.get(id).remove();
      this.cards.delete(id);
      this.results.delete(id);
    }
    this.clear();
  }
}
