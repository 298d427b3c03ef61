// All poses of the index in a plane, coloured by label or by group of one pose: pan, zoom, point at, lasso.
//
// Address: by (groups: coloured by these), least (sightings of the smallest group).

import { ApiError, get, post } from "./api.js";
import { Gestures } from "./gestures.js";
import { kindsOf, legend } from "./legend.js";
import { remember } from "./route.js";
import { Scatter } from "./scatter.js";
import { Selection } from "./selection.js";
import { button, el, problem } from "./ui.js";

const NUMBERS = 2 ** 32; // that a person of a file may have
const THUMB = 84; // pixels of a picture on the map, with its margin
const THUMBS_FROM = 1.8; // times the whole: below, pictures would say nothing
const MOST_THUMBS = 48;
const LEAST = 3; // sightings of the smallest group, as `samepose cluster` has it
const SETTLED = 180; // milliseconds after the last move
const dark = matchMedia("(prefers-color-scheme: dark)");
let view = null;

export async function mount(root, params) {
  view = new PoseMap(root, params);
  await view.start();
}

export function unmount() {
  view?.stop();
  view = null;
}

/** The columns of `/api/map/….bin`. */
export function columns(bytes, n) {
  return { x: new Uint16Array(bytes, 0, n), y: new Uint16Array(bytes, 2 * n, n), file: new Uint32Array(bytes, 4 * n, n),
    number: new Uint32Array(bytes, 8 * n, n), label: new Uint16Array(bytes, 12 * n, n) };
}

class PoseMap {
  constructor(root, params) {
    Object.assign(this, { root, frame: null, groups: null, grouped: params.get("by") === "groups" });
    this.least = Math.max(Math.round(Number(params.get("least"))) || LEAST, 2);
    this.recoloured = () => { this.colour(); this.redraw(); };
    this.resized = new ResizeObserver(() => { this.scatter.resize(); this.redraw(); });
    this.selection = new Selection({ labelled: () => this.load(this.scatter), cleared: () => this.choose([]) });
  }

  async start() {
    this.root.replaceChildren(el("p", { class: "muted", role: "status" }, "Drawing the map…"));
    await this.load(null);
  }

  stop() {
    this.resized.disconnect();
    dark.removeEventListener("change", this.recoloured);
    cancelAnimationFrame(this.frame);
    clearTimeout(this.settling);
  }

  /** Take the points; of an `old` map what is seen of it stays. */
  async load(old) {
    this.about = await get("/api/map");
    const answer = await fetch(this.about.url);
    if (!answer.ok) throw new ApiError("The index has changed meanwhile.", { remedy: "open the map again" });
    const bytes = await answer.arrayBuffer();
    if (view !== this) return;
    this.points = columns(bytes, this.about.points);
    if (!this.about.points) {
      this.root.replaceChildren(problem({ message: "Nobody is on the map yet", remedy: "add folders in the library" }));
      return;
    }
    if (!this.canvas) this.build();
    this.groups = null; // of the index as it was
    this.scatter = new Scatter(this.canvas, this.points, kindsOf(this.about.labels, this.points.label, dark.matches));
    if (old && old.n === this.scatter.n) {
      for (const name of ["cx", "cy", "scale"]) this.scatter[name] = old[name];
      this.scatter.chosen = old.chosen;
    } else this.selection.show([]);
    this.colour();
    this.gestures.scatter = this.scatter;
    this.resized.observe(this.canvas);
    this.redraw();
    if (this.grouped) this.group();
  }

  /** Colour by groups, which are made first, or by labels. */
  async group() {
    remember("map", { by: this.grouped ? "groups" : "", least: this.grouped && this.least !== LEAST ? this.least : "" });
    this.size.hidden = !this.grouped;
    if (this.grouped && this.groups?.least !== this.least) {
      this.told.replaceChildren(el("p", { class: "muted", role: "status" }, "Looking for groups…"),
        el("progress", { "aria-label": "Looking for groups" }));
      try {
        const { groups } = await post("/api/cluster", { min_size: this.least });
        if (view !== this) return;
        this.groups = { least: this.least, groups, column: this.columnOf(groups) };
      } catch (error) {
        this.told.replaceChildren(problem(error, () => this.group()));
        return;
      }
    }
    const some = this.grouped && !this.groups.groups.length;
    this.told.replaceChildren(some ? el("p", { class: "muted" }, "No pose was seen so often. Take a smaller number.") : "");
    this.scatter.points = { ...this.points, label: this.grouped ? this.groups.column : this.points.label };
    this.colour({ anew: true });
    this.redraw();
  }

  /** For each point the number of its group, 0 for none. */
  columnOf(groups) {
    const media = new Map(this.about.media.map((id, k) => [id, k]));
    const group = new Map(groups.flatMap(({ id, members }) => members.map((member) => {
      const [file, number] = member.split("-");
      return [media.get(file) * NUMBERS + Number(number), id];
    })));
    const { file, number } = this.points;
    return Uint16Array.from(file, (at, k) => group.get(at * NUMBERS + number[k]) ?? 0);
  }

  build() {
    this.canvas = el("canvas", { class: "map-canvas", tabindex: 0, role: "application", "aria-roledescription": "map",
      "aria-label": "Map of poses: arrows move, plus and minus zoom, zero shows all, Enter chooses who is in view" });
    this.thumbs = el("div", { class: "map-thumbs", "aria-hidden": "true" });
    this.tip = el("div", { class: "map-tip", hidden: true }, el("img", { alt: "" }), el("span", {}));
    this.gestures = new Gestures(this.canvas, { moved: () => this.redraw(), pointed: (k, x, y) => this.point(k, x, y),
      chosen: (list, clicked) => this.picked(list, clicked) });
    this.lasso = button("Lasso", () => this.gestures.setLasso(!this.gestures.lasso), { "aria-pressed": "false" });
    this.gestures.changed = (on) => this.lasso.setAttribute("aria-pressed", String(on));
    const zoom = (factor) => { this.scatter.zoomBy(factor); this.redraw(); };
    const tools = el("div", { class: "map-tools", role: "toolbar", "aria-label": "Map" },
      this.lasso, button("Choose all in view", () => this.choose(this.scatter.visible())),
      button("+", () => zoom(1.6), { "aria-label": "Zoom in" }), button("−", () => zoom(1 / 1.6), { "aria-label": "Zoom out" }),
      button("All", () => { this.scatter.fit(); this.redraw(); }, { "aria-label": "Show all" }));
    this.legend = el("div", { class: "stack" });
    this.told = el("div", {});
    const least = el("input", { type: "number", id: "least", min: 2, value: this.least });
    least.addEventListener("change", () => { this.least = Math.max(Math.round(+least.value) || LEAST, 2); this.group(); });
    this.size = el("div", { class: "field", hidden: true }, el("label", { for: "least" }, "Sightings that make a group"), least);
    const side = el("div", { class: "card stack" }, this.choice(), this.size, this.told, this.legend);
    dark.addEventListener("change", this.recoloured);
    this.board = el("div", { class: "map-board" }, this.canvas, this.thumbs, this.gestures.outline, this.tip);
    const { points, people } = this.about;
    this.root.replaceChildren(el("div", { class: "row spread" }, el("h1", {}, "Map"), el("p", { class: "muted small number" },
      points < people ? `${points.toLocaleString()} of ${people.toLocaleString()} people` : `${people.toLocaleString()} people`,
      "; near means alike")),
    el("div", { class: "map-view" }, el("div", { class: "map-main" }, tools, this.board),
      el("div", { class: "stack map-side" }, this.selection.element, side)));
  }

  /** Labels or groups. */
  choice() {
    const names = { "": "Labels", groups: "Groups" };
    return el("fieldset", {}, el("legend", {}, "Colour by"), el("div", { class: "segments" },
      Object.entries(names).map(([value, name]) => el("label", {}, el("input", { type: "radio", name: "by", value,
        checked: (value === "groups") === this.grouped,
        onchange: () => { this.grouped = value === "groups"; this.group(); } }), name))));
  }

  /** The colours of what is shown now; who is hidden stays so, unless all is `anew`. */
  colour({ anew = false } = {}) {
    const style = getComputedStyle(this.canvas);
    const rgb = (text) => text.match(/[\d.]+/g).slice(0, 3).map(Number);
    this.scatter.background = rgb(style.backgroundColor);
    this.scatter.mark = rgb(style.outlineColor);
    const shown = this.scatter.kinds.map((kind) => kind.shown);
    const { label } = this.scatter.points;
    const groups = label !== this.points.label;
    const names = groups ? this.groups.groups.map(({ id }) => `Group ${id}`) : this.about.labels;
    const kinds = kindsOf(names, label, dark.matches, groups ? "In no group" : "No label");
    this.scatter.kinds = kinds.map((kind, k) => ({ ...kind, shown: anew || shown[k] }));
    this.legend.replaceChildren(legend(this.scatter.kinds, { changed: () => this.redraw(), chosen: (k) => this.chooseKind(k) }));
  }

  /** Everybody of a label or group, a group's most typical member first, also those who are not on the map. */
  chooseKind(kind) {
    const { label } = this.scatter.points;
    const list = [...label.keys()].filter((k) => label[k] === kind);
    const group = label !== this.points.label && this.groups.groups[kind - 1];
    this.choose(list, group ? { ids: group.members, name: `Group ${group.id}: ` } : {});
  }

  id(k) {
    return `${this.about.media[this.points.file[k]]}-${this.points.number[k]}`;
  }

  /** Show who is chosen; `ids` are theirs where the map knows too few of them. */
  choose(list, { ids = list.map((k) => this.id(k)), name = "" } = {}) {
    this.scatter.choose(list);
    this.selection.show(ids, name);
    this.redraw();
    if (list.length) this.selection.title.focus({ preventScroll: innerWidth > 900 });
  }

  /** A click on a member of a group means the group. */
  picked(list, clicked) {
    const { label } = this.scatter.points;
    const kind = clicked && label !== this.points.label ? label[list[0]] : 0;
    if (kind) this.chooseKind(kind);
    else this.choose(list);
  }

  point(k, x, y) {
    this.tip.hidden = k < 0;
    this.canvas.classList.toggle("pointing", k >= 0);
    if (k < 0) return;
    const [image, text] = this.tip.children;
    const source = `/api/crop/${this.id(k)}.jpg?size=160`;
    if (image.getAttribute("src") !== source) image.src = source;
    text.textContent = this.scatter.kinds[this.scatter.points.label[k]].name;
    this.tip.style.left = `${Math.min(x + 16, this.scatter.width - 140)}px`;
    this.tip.style.top = `${y > this.scatter.height / 2 ? y - 160 : y + 16}px`;
  }

  redraw() {
    if (this.frame !== null) return;
    this.thumbs.replaceChildren();
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.scatter.draw();
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.showThumbs(), SETTLED);
    });
  }

  /** Pictures of people where there is room, when the map is still. */
  showThumbs() {
    const { scatter } = this;
    if (scatter.zoom < THUMBS_FROM && scatter.n > 2 * MOST_THUMBS) return;
    const taken = [];
    for (const k of scatter.visible(20_000)) {
      if (taken.length >= MOST_THUMBS) break;
      const [x, y] = scatter.screen(k);
      const inside = x > THUMB / 2 && y > THUMB / 2 && x < scatter.width - THUMB / 2 && y < scatter.height - THUMB / 2;
      if (!inside || taken.some(([, tx, ty]) => Math.abs(tx - x) < THUMB && Math.abs(ty - y) < THUMB)) continue;
      taken.push([k, x, y]);
    }
    this.thumbs.replaceChildren(...taken.map(([k, x, y]) => {
      const image = el("img", { src: `/api/crop/${this.id(k)}.jpg?size=160`, alt: "" });
      image.style.left = `${x}px`;
      image.style.top = `${y}px`;
      image.style.setProperty("--kind", `rgb(${scatter.kinds[scatter.points.label[k]].colour})`);
      return image;
    }));
  }
}
