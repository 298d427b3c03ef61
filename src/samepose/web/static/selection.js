// The people who are chosen on the map: pictures that lead on, a label for them all, two to be compared.

import { post } from "./api.js";
import { href } from "./route.js";
import { button, el, notice, toast } from "./ui.js";

const PAGE = 24; // pictures at a time
const AT_ONCE = 10_000; // ids in one request

export class Selection {
  /** `labelled` is called after labels have changed, `cleared` when nobody is chosen any more. */
  constructor({ labelled, cleared }) {
    Object.assign(this, { labelled, ids: [], shown: 0 });
    this.title = el("h2", { tabindex: -1 });
    this.list = el("ul", { class: "people" });
    this.more = button("More", () => this.grow(), { hidden: true });
    this.links = el("div", { class: "row", hidden: true });
    this.name = el("input", { type: "text", maxlength: 200, placeholder: "Label", "aria-label": "Label for these people" });
    const form = el("form", { class: "row" }, this.name, button("Label", null, { type: "submit", icon: "label" }),
      button("Take labels off", () => this.label(null), { class: "quiet" }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.name.value.trim()) this.label(this.name.value.trim());
      else this.name.focus();
    });
    this.element = el("section", { class: "selection card stack", "aria-label": "Chosen people", hidden: true },
      el("div", { class: "row spread" }, el("div", { role: "status" }, this.title), button("", cleared, { icon: "close", label: "Choose nobody", class: "quiet" })),
      form, this.links, this.list, this.more);
  }

  /** Show these people, by id; `name` is what they are, if they are something. */
  show(ids, name = "") {
    Object.assign(this, { ids, shown: 0 });
    this.element.hidden = ids.length === 0;
    this.title.textContent = `${name}${ids.length.toLocaleString()} ${ids.length === 1 ? "person" : "people"} chosen`;
    this.list.replaceChildren();
    this.links.hidden = ids.length !== 2;
    this.links.replaceChildren(...(ids.length === 2
      ? [el("a", { class: "button", href: href("compare", { a: ids[0], b: ids[1] }) }, "Compare the two")] : []));
    this.grow();
  }

  grow() {
    const part = this.ids.slice(this.shown, this.shown + PAGE);
    this.list.append(...part.map((id, k) => el("li", {},
      el("a", { href: href("search", { person: id }), title: "More like this" },
        el("img", { src: `/api/crop/${id}.jpg?size=160`, alt: `Person ${this.shown + k + 1}: more like this`, loading: "lazy" })))));
    this.shown += part.length;
    this.more.hidden = this.shown >= this.ids.length;
    this.more.lastChild.textContent = `Show more of ${(this.ids.length - this.shown).toLocaleString()}`;
  }

  async label(name) {
    try {
      let people = 0;
      for (let from = 0; from < this.ids.length; from += AT_ONCE) {
        people += (await post("/api/label", { what: this.ids.slice(from, from + AT_ONCE), name })).people;
      }
      toast(name === null ? `Labels of ${people.toLocaleString()} taken off.` : `${people.toLocaleString()} labelled ${name}.`);
      this.labelled();
    } catch (error) {
      notice(error);
    }
  }
}
