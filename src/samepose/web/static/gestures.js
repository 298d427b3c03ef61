// What pointers, wheel and keys do on the map.

import { svg } from "./ui.js";

const STEP = 60; // pixels of an arrow key
const STILL = 5; // pixels within which a press is no drag

export class Gestures {
  /** `moved()` after pan or zoom; `pointed(k, x, y)` at a point, -1 at none; `chosen(points, clicked)` by click, lasso or Enter. */
  constructor(canvas, { moved, pointed, chosen }) {
    Object.assign(this, { canvas, moved, pointed, chosen, lasso: false, scatter: null, changed: () => {} });
    this.pointers = new Map();
    this.path = null;
    this.line = svg("polygon", {});
    this.outline = svg("svg", { class: "map-outline", "aria-hidden": "true" }, this.line);
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.up(event, true));
    canvas.addEventListener("pointerleave", () => this.pointed(-1));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
      this.scatter.zoomBy(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0016)), ...this.place(event));
      this.pointed(-1);
      this.moved();
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  setLasso(on) {
    this.lasso = on;
    this.canvas.classList.toggle("lasso", on);
    this.changed(on);
  }

  place({ clientX, clientY }) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  down(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    const place = this.place(event);
    this.pointers.set(event.pointerId, place);
    this.from = this.pointers.size === 1 ? place : null; // two fingers never click
    this.path = this.pointers.size === 1 && (this.lasso || event.shiftKey) ? [place] : null;
    this.line.setAttribute("points", "");
    this.pointed(-1);
  }

  move(event) {
    const place = this.place(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") this.pointed(this.scatter.nearest(...place), ...place);
      return;
    }
    if (this.path) {
      const passed = event.getCoalescedEvents?.() ?? []; // a slow page hears of several at once
      this.path.push(...(passed.length ? passed.map((one) => this.place(one)) : [place]));
      this.line.setAttribute("points", this.path.map((p) => p.join(",")).join(" "));
      this.pointers.set(event.pointerId, place);
      return;
    }
    if (this.pointers.size === 1) {
      if (this.from && far(this.from, place) <= STILL) return;
      this.from = null;
      this.scatter.pan(place[0] - before[0], place[1] - before[1]);
    } else {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const middle = [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2];
      this.scatter.zoomBy(far(place, other) / Math.max(far(before, other), 1), ...middle);
      this.scatter.pan((place[0] - before[0]) / 2, (place[1] - before[1]) / 2);
    }
    this.pointers.set(event.pointerId, place);
    this.moved();
  }

  up(event, cancelled = false) {
    if (!this.pointers.delete(event.pointerId)) return;
    const { path, from } = this;
    this.path = this.from = null;
    this.line.setAttribute("points", "");
    if (cancelled) return;
    path?.push(this.place(event));
    if (path && path.length > 2) {
      this.setLasso(false);
      this.chosen(this.scatter.inside(path));
    } else if (from && far(from, this.place(event)) <= STILL) {
      const k = this.scatter.nearest(...this.place(event));
      this.chosen(k < 0 ? [] : [k], k >= 0);
    }
  }

  key(event) {
    const { scatter } = this;
    const act = { ArrowLeft: () => scatter.pan(STEP, 0), ArrowRight: () => scatter.pan(-STEP, 0),
      ArrowUp: () => scatter.pan(0, STEP), ArrowDown: () => scatter.pan(0, -STEP), "+": () => scatter.zoomBy(1.4),
      "=": () => scatter.zoomBy(1.4), "-": () => scatter.zoomBy(1 / 1.4), 0: () => scatter.fit(),
      Enter: () => this.chosen(scatter.visible()), Escape: () => { this.setLasso(false); this.chosen([]); } }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
    this.moved();
  }
}

const far = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by);
