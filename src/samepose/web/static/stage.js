// The picture of the query with everyone outlined, and the joints of the chosen person to drag.

import { seen, side, spoken } from "./skeleton.js";
import { el, svg } from "./ui.js";

const HANDLE = 7; // pixels of the screen
const REACH = 16; // pixels of the screen in which a handle is caught
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * `bones` join the joints. Called: `onpick(person)`, `onmove(joint, x, y, done)` while a joint is dragged and, with
 * `done`, when it is let go, `ontoggle(joint)`.
 */
export class Stage {
  constructor({ bones, onpick, onmove, ontoggle }) {
    Object.assign(this, { bones, onpick, onmove, ontoggle, size: { width: 1, height: 1 }, handles: new Map() });
    this.picture = svg("image", { preserveAspectRatio: "none" });
    this.picture.addEventListener("error", () => this.picture.setAttribute("visibility", "hidden"));
    this.people = svg("g", { class: "people" });
    this.skeleton = svg("g", { "aria-hidden": "true" });
    this.joints = svg("g", {});
    this.svg = svg("svg", { class: "board", role: "group", "aria-label": "Picture of the query",
      "aria-describedby": "stage-help" }, this.picture, this.people, this.skeleton, this.joints);
    this.placing = null; // the joint that the next click places
    this.svg.addEventListener("pointerdown", (event) => this.put(event), { capture: true });
    this.root = el("div", { class: "stage" }, this.svg, el("p", { id: "stage-help", class: "hidden-text" },
      "Arrow keys move a joint, with Shift further; Space hides or shows it; Control Z takes a step back."));
    this.watch = new ResizeObserver(() => this.fit());
    this.watch.observe(this.root);
  }

  close() { this.watch.disconnect(); }

  /** A new picture of so many pixels, or an empty board where `url` is null. */
  show({ url, width, height }) {
    this.size = { width, height };
    for (const [name, value] of Object.entries({ width, height })) this.picture.setAttribute(name, value);
    this.picture.setAttribute("visibility", url ? "visible" : "hidden");
    if (url) this.picture.setAttribute("href", url);
    else this.picture.removeAttribute("href");
    this.look([0, 0, width, height]);
  }

  /** Show this part of the picture: x, y, width, height. */
  look(part) {
    this.part = part;
    this.svg.setAttribute("viewBox", part.join(" "));
    this.root.style.setProperty("--shape", Math.min(Math.max(part[2] / part[3], 0.6), 1.8));
    this.fit();
  }

  /** Handles keep their size on the screen. */
  fit() {
    const { width, height } = this.svg.getBoundingClientRect();
    if (!width || !this.part) return;
    this.unit = Math.max(this.part[2] / width, this.part[3] / height);
    for (const { knob, reach } of this.handles.values()) {
      knob.setAttribute("r", HANDLE * this.unit);
      reach.setAttribute("r", REACH * this.unit);
    }
    for (const tag of this.people.querySelectorAll("text")) tag.setAttribute("font-size", 13 * this.unit);
  }

  /** Outline everyone; the larger ones lie under the smaller ones. */
  outline(people, chosen) {
    const boxes = people.map((figure, n) => ({ n, box: figure.box ?? boxOf(figure.keypoints) }))
      .filter(({ box }) => box).sort((a, b) => area(b.box) - area(a.box));
    this.people.replaceChildren(...(people.length > 1 ? boxes : []).map(({ n, box: [x0, y0, x1, y1] }) => {
      const pick = () => this.onpick(n);
      return svg("g", { role: "button", tabindex: 0, class: "person", "aria-pressed": String(n === chosen),
        "aria-label": `Person ${n + 1} of ${people.length}`, onclick: pick,
        onkeydown: (event) => { if (pressed(event)) pick(); } },
      svg("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0 }),
      svg("text", { x: x0, y: y0, dx: "0.4em", dy: "1.2em", "aria-hidden": "true" }, String(n + 1)));
    }));
    this.fit();
  }

  /** Draw the pose; handles stay the same elements while the joints do, so that a drag or the focus goes on. */
  draw(pose, ignored) {
    for (const [joint, handle] of this.handles) {
      if (!pose[joint]) {
        handle.group.remove();
        this.handles.delete(joint);
      }
    }
    for (const [joint, point] of Object.entries(pose)) {
      if (!this.handles.has(joint)) this.handles.set(joint, this.handle(joint));
      const { group } = this.handles.get(joint);
      group.setAttribute("transform", `translate(${point.x} ${point.y})`);
      group.setAttribute("aria-pressed", String(!point.hidden));
      group.classList.toggle("ignored", ignored.has(joint));
    }
    const off = (joint) => pose[joint].hidden || ignored.has(joint);
    const lines = this.bones.filter(([a, b]) => pose[a] && pose[b]);
    const line = ([a, b], kind) => svg("line", { class: `bone ${kind}${off(a) || off(b) ? " off" : ""}`,
      x1: pose[a].x, y1: pose[a].y, x2: pose[b].x, y2: pose[b].y });
    this.skeleton.replaceChildren(...lines.map((bone) => line(bone, "outline")),
      ...lines.map((bone) => line(bone, side(...bone))));
    this.pose = pose;
    this.fit();
  }

  handle(joint) {
    const knob = svg("circle", { class: `knob ${side(joint)}` });
    const reach = svg("circle", { class: "reach" });
    const group = svg("g", { role: "button", tabindex: 0, class: "joint", "aria-label": spoken(joint),
      "data-joint": joint }, reach, knob, svg("title", {}, spoken(joint)));
    this.joints.append(group);
    group.addEventListener("keydown", (event) => this.press(joint, event));
    group.addEventListener("pointerdown", (event) => this.grab(joint, event));
    // A finger on a joint does not scroll the page; `touch-action` does not hold for groups of an SVG.
    group.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    group.addEventListener("click", (event) => { if (event.detail === 0) this.ontoggle(joint); }); // a screen reader's
    return { group, knob, reach };
  }

  press(joint, event) {
    const step = KEYS[event.key];
    if (step) {
      event.preventDefault();
      const far = (event.shiftKey ? 12 : 3) * this.unit;
      const { x, y } = this.pose[joint];
      this.onmove(joint, x + step[0] * far, y + step[1] * far, true);
    } else if (pressed(event)) this.ontoggle(joint);
  }

  grab(joint, event, { placed = false } = {}) {
    if (event.button !== 0) return;
    event.preventDefault();
    const { group } = this.handles.get(joint);
    group.focus({ preventScroll: true });
    group.setPointerCapture(event.pointerId);
    group.classList.add("dragged");
    const start = this.at(event);
    const from = this.pose[joint];
    let moved = false;
    const move = (going) => {
      const at = this.at(going);
      moved ||= Math.hypot(at.x - start.x, at.y - start.y) > 4 * this.unit;
      if (moved) this.onmove(joint, from.x + at.x - start.x, from.y + at.y - start.y, false);
    };
    const drop = (ending) => {
      group.classList.remove("dragged");
      for (const [kind, listener] of [["pointermove", move], ["pointerup", drop], ["pointercancel", drop]]) {
        group.removeEventListener(kind, listener);
      }
      if (moved) this.onmove(joint, this.pose[joint].x, this.pose[joint].y, true);
      else if (ending.type === "pointerup" && !placed) this.ontoggle(joint);
    };
    group.addEventListener("pointermove", move);
    group.addEventListener("pointerup", drop);
    group.addEventListener("pointercancel", drop);
  }

  /** The next click on the picture places a joint; null: none. */
  place(joint) {
    this.placing = joint;
    this.svg.classList.toggle("placing", joint !== null);
  }

  put(event) {
    if (this.placing === null || event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    const joint = this.placing;
    const { x, y } = this.at(event);
    this.place(null);
    this.onmove(joint, x, y, true);
    this.focus(joint);
    this.grab(joint, event, { placed: true }); // so that it can be drawn on at once
  }

  focus(joint) { this.handles.get(joint)?.group.focus({ preventScroll: true }); }

  /** Where a pointer is, in pixels of the picture. */
  at(event) {
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
  }
}

/** Enter or Space on something that acts as a button. */
function pressed(event) {
  if (event.key !== "Enter" && event.key !== " ") return false;
  event.preventDefault();
  return true;
}

const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);

/** Around the joints that are seen; null if there are none. */
export function boxOf(keypoints) {
  const points = seen(keypoints).map(([, [x, y]]) => [x, y]);
  if (!points.length) return null;
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
