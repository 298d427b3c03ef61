// All poses of the index in a plane: pan, zoom, point at, lasso.

import { ApiError, get } from "./api.js";
import { Gestures } from "./gestures.js";
import { kindsOf, legend } from "./legend.js";
import { Scatter } from "./scatter.js";
import { Selection } from "./selection.js";
import { button, el, problem } from "./ui.js";

const THUMB = 84; // pixels of a picture on the map, with its margin
const THUMBS_FROM = 1.8; // times the whole: below, pictures would say nothing
const MOST_THUMBS = 48;
const SETTLED = 180; // milliseconds after the last move
const dark = matchMedia("(prefers-color-scheme: dark)");
let view = null;

export async function mount(root) {
  view = new PoseMap(root);
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
  constructor(root) {
    this.root = root;
    this.frame = null;
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
    const kinds = kindsOf(this.about.labels, this.points.label, dark.matches);
    this.scatter = new Scatter(this.canvas, this.points, kinds);
    if (old && old.n === this.scatter.n) {
      for (const name of ["cx", "cy", "scale"]) this.scatter[name] = old[name];
      this.scatter.chosen = old.chosen;
    } else this.selection.show([]);
    this.colour();
    this.gestures.scatter = this.scatter;
    this.resized.observe(this.canvas);
    this.redraw();
  }

  build() {
    this.canvas = el("canvas", { class: "map-canvas", tabindex: 0, role: "application", "aria-roledescription": "map",
      "aria-label": "Map of poses: arrows move, plus and minus zoom, zero shows all, Enter chooses who is in view" });
    this.thumbs = el("div", { class: "map-thumbs", "aria-hidden": "true" });
    this.tip = el("div", { class: "map-tip", hidden: true }, el("img", { alt: "" }), el("span", {}));
    this.gestures = new Gestures(this.canvas, { moved: () => this.redraw(), pointed: (k, x, y) => this.point(k, x, y),
      chosen: (list) => this.choose(list) });
    this.lasso = button("Lasso", () => this.gestures.setLasso(!this.gestures.lasso), { "aria-pressed": "false" });
    this.gestures.changed = (on) => this.lasso.setAttribute("aria-pressed", String(on));
    const zoom = (factor) => { this.scatter.zoomBy(factor); this.redraw(); };
    const tools = el("div", { class: "map-tools", role: "toolbar", "aria-label": "Map" },
      this.lasso, button("Choose all in view", () => this.choose(this.scatter.visible())),
      button("+", () => zoom(1.6), { "aria-label": "Zoom in" }), button("−", () => zoom(1 / 1.6), { "aria-label": "Zoom out" }),
      button("All", () => { this.scatter.fit(); this.redraw(); }, { "aria-label": "Show all" }));
    this.legend = el("div", { class: "card stack" });
    dark.addEventListener("change", this.recoloured);
    this.board = el("div", { class: "map-board" }, this.canvas, this.thumbs, this.gestures.outline, this.tip);
    const { points, people } = this.about;
    this.root.replaceChildren(el("div", { class: "row spread" }, el("h1", {}, "Map"), el("p", { class: "muted small number" },
      points < people ? `${points.toLocaleString()} of ${people.toLocaleString()} people` : `${people.toLocaleString()} people`,
      "; near means alike")),
    el("div", { class: "map-view" }, el("div", { class: "map-main" }, tools, this.board),
      el("div", { class: "stack map-side" }, this.selection.element, this.legend)));
  }

  colour() {
    const style = getComputedStyle(this.canvas);
    const rgb = (text) => text.match(/[\d.]+/g).slice(0, 3).map(Number);
    this.scatter.background = rgb(style.backgroundColor);
    this.scatter.mark = rgb(style.outlineColor);
    const shown = this.scatter.kinds.map((kind) => kind.shown);
    const kinds = kindsOf(this.about.labels, this.points.label, dark.matches);
    this.scatter.kinds = kinds.map((kind, k) => ({ ...kind, shown: shown[k] }));
    this.legend.replaceChildren(el("h2", {}, "Labels"), legend(this.scatter.kinds, { changed: () => this.redraw(),
      chosen: (label) => this.choose(Array.from(this.points.label.keys()).filter((k) => this.points.label[k] === label)) }));
  }

  id(k) {
    return `${this.about.media[this.points.file[k]]}-${this.points.number[k]}`;
  }

  choose(list) {
    this.scatter.choose(list);
    this.selection.show(list.map((k) => this.id(k)));
    this.redraw();
    if (list.length) this.selection.title.focus({ preventScroll: innerWidth > 900 });
  }

  point(k, x, y) {
    this.tip.hidden = k < 0;
    this.canvas.classList.toggle("pointing", k >= 0);
    if (k < 0) return;
    const [image, text] = this.tip.children;
    const source = `/api/crop/${this.id(k)}.jpg?size=160`;
    if (image.getAttribute("src") !== source) image.src = source;
    text.textContent = this.scatter.kinds[this.points.label[k]].name;
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
      image.style.setProperty("--kind", `rgb(${scatter.kinds[this.points.label[k]].colour})`);
      return image;
    }));
  }
}
