// Time as a line: a place to be at, a span to mark, and spans that were found. Positions are shares of the length.

import { clock, el } from "./ui.js";

const STEP = 0.1; // seconds of an arrow key; ten times that with Shift
const LEAST = 0.1; // seconds that a mark has at least

/** A bar of spans that play; `found` are { start, end, score, mirrored }. */
export function spanBar(duration, found, play) {
  const share = (t) => `${(100 * Math.min(Math.max(t / duration, 0), 1)).toFixed(3)}%`;
  return el("div", { class: "spans" }, found.map((span) => {
    const said = `Play ${clock(span.start)} to ${clock(span.end)}, ${Math.round(100 * span.score)} % `
      + `likely${span.mirrored ? ", mirrored" : ""}`;
    const bar = el("button", { type: "button", class: "span", title: said, "aria-label": said });
    bar.addEventListener("click", () => play(span, bar));
    bar.style.left = share(span.start);
    bar.style.width = share(span.end - span.start);
    bar.style.setProperty("--score", Math.max(span.score, 0.25));
    return bar;
  }));
}

export class Timeline {
  /** `onseek` gets a time; `onmark` the mark's start and end. */
  constructor({ onseek, onmark }) {
    Object.assign(this, { onseek, onmark, duration: 1, from: 0, to: 1, time: 0 });
    this.cursor = this.slider("cursor", "Moment", () => this.time, (t) => this.seek(t));
    this.start = this.slider("handle start", "Start of the move", () => this.from, (t) => this.mark(t, this.to));
    this.finish = this.slider("handle finish", "End of the move", () => this.to, (t) => this.mark(this.from, t));
    this.marked = el("div", { class: "marked" });
    this.line = el("div", { class: "timeline" }, this.marked, this.cursor, this.start, this.finish);
    this.line.addEventListener("pointerdown", (event) => {
      if (event.target === this.line || event.target === this.marked) this.drag(event, this.cursor);
    });
    this.scale = el("div", { class: "timeline-scale muted small number", "aria-hidden": "true" });
    this.element = el("div", { class: "timeline-box" }, this.line, this.scale);
  }

  /** A new clip; the mark is what `from` and `to` say. */
  open(duration, from, to) {
    this.duration = Math.max(duration, LEAST);
    this.scale.replaceChildren(...[0, 1, 2, 3, 4].map((k) => el("span", {}, clock((k / 4) * this.duration))));
    for (const handle of [this.cursor, this.start, this.finish]) handle.setAttribute("aria-valuemax", this.duration.toFixed(2));
    [this.from, this.to] = [0, this.duration];
    this.mark(from, to);
    this.at(from);
  }

  /** Show a moment; nobody is told. */
  at(t) {
    this.time = t;
    this.put(this.cursor, t);
  }

  seek(t) {
    this.at(Math.min(Math.max(t, 0), this.duration));
    this.onseek(this.time);
  }

  mark(from, to) {
    const start = Math.min(Math.max(from, 0), this.duration - LEAST);
    const end = Math.min(Math.max(to, LEAST), this.duration);
    // what is not moved stays, and stops what is
    [this.from, this.to] = end - start >= LEAST ? [start, end]
      : from === this.from ? [start, start + LEAST] : [end - LEAST, end];
    this.put(this.start, this.from);
    this.put(this.finish, this.to);
    this.marked.style.left = this.start.style.left;
    this.marked.style.width = `${(100 * (this.to - this.from)) / this.duration}%`;
    this.onmark(this.from, this.to);
  }

  put(handle, t) {
    handle.style.left = `${(100 * t) / this.duration}%`;
    handle.setAttribute("aria-valuenow", t.toFixed(2));
    handle.setAttribute("aria-valuetext", clock(t));
  }

  slider(name, label, value, set) {
    const handle = el("div", { class: name, role: "slider", tabindex: 0, "aria-label": label, "aria-valuemin": 0,
      "aria-orientation": "horizontal" });
    const moved = (t) => {
      set(t);
      if (handle !== this.cursor) this.seek(value()); // so that the picture shows what is marked
    };
    handle.addEventListener("pointerdown", (event) => this.drag(event, handle));
    handle.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 10 * STEP : STEP;
      const to = { ArrowLeft: value() - step, ArrowDown: value() - step, ArrowRight: value() + step,
        ArrowUp: value() + step, PageUp: value() + 1, PageDown: value() - 1, Home: 0, End: this.duration }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      moved(to);
    });
    handle.moved = moved;
    return handle;
  }

  drag(event, handle) {
    event.preventDefault();
    event.stopPropagation();
    handle.focus({ preventScroll: true });
    const { left, width } = this.line.getBoundingClientRect();
    const go = ({ clientX }) => handle.moved(((clientX - left) / width) * this.duration);
    const done = () => {
      this.line.removeEventListener("pointermove", go);
      this.line.removeEventListener("pointerup", done);
      this.line.removeEventListener("pointercancel", done);
    };
    this.line.setPointerCapture(event.pointerId);
    this.line.addEventListener("pointermove", go);
    this.line.addEventListener("pointerup", done);
    this.line.addEventListener("pointercancel", done);
    go(event);
  }
}
