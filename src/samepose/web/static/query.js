// The query: where it comes from, whom of the picture, and how the pose was bent.

import { post, upload } from "./api.js";
import { boxOf, Stage } from "./stage.js";
import { guessed, keypointsOf, mirrored } from "./pose.js";
import { spoken } from "./skeleton.js";
import { Space } from "./space.js";
import { button, clock, el, notice } from "./ui.js";

/** Searches start from `onchange()`; `state` is { asked, who, history, ignore }, of search.js. */
export class QueryPanel {
  constructor({ joints, bones, body, partsOf, onchange, onpick, onmoment, onfile }) {
    Object.assign(this, { joints, bones, partsOf, onchange, onmoment });
    this.stage = new Stage({ bones, onpick, onmove: (...to) => this.move(...to),
      ontoggle: (joint) => this.toggle(joint) });
    this.undo = button("", () => this.step("undo"), { icon: "undo", label: "Undo" });
    this.redo = button("", () => this.step("redo"), { icon: "redo", label: "Redo" });
    const mirror = button("Mirror", () => this.change(mirrored(this.state.history.now)), { icon: "mirror" });
    this.reset = button("", () => this.change(this.state.history.first),
      { icon: "reset", label: "Start over with this pose" });
    this.zoom = button("", () => this.zoomed(!this.near),
      { icon: "zoom", label: "Zoom to the person", "aria-pressed": "false" });
    this.ignore = el("div", { class: "row parts", role: "group", "aria-label": "Ignore parts of the body" },
      Object.keys(partsOf).map((part) => button(part.replaceAll("_", " "), () => this.skip(part),
        { class: "part", "data-part": part })));
    this.parts = el("details", { class: "ignore" }, el("summary", {}, "Ignore parts"), this.ignore);
    this.moment = el("input", { type: "range", id: "moment", min: 0, step: "any" });
    this.moment.addEventListener("input", () => { this.clock.textContent = clock(+this.moment.value); });
    this.moment.addEventListener("change", () => onmoment(+this.moment.value));
    this.clock = el("output", { for: "moment", class: "number" });
    this.film = el("div", { class: "moment" }, el("label", { for: "moment" }, "Moment"), this.moment, this.clock);
    this.lacking = el("div", { class: "row lacking", role: "group", "aria-label": "Place joints that were not found" });
    this.caption = el("p", { class: "caption small muted" });
    this.few = el("p", { class: "few small", role: "status" });
    this.space = new Space(body);
    this.root = el("section", { class: "query stack", "aria-label": "Query" },
      el("div", { class: "row spread" }, el("h1", {}, "Your pose"), sources(onfile)),
      el("div", { class: "card stage-card" }, this.stage.root, this.film,
        el("div", { class: "row tools" }, this.undo, this.redo, this.reset, mirror, this.zoom)),
      this.caption, this.lacking, this.few, this.space.root, this.parts);
    this.root.addEventListener("keydown", (event) => this.shortcut(event));
  }

  close() { this.stage.close(); }

  /** By looks no parts can be ignored. */
  looks(on) { this.parts.hidden = on; }

  /** Show another query, or another person of it. */
  show(state) {
    const fresh = this.state?.asked !== state.asked;
    this.state = state;
    const { asked, who } = state;
    if (fresh) this.stage.show(asked.picture);
    this.stage.outline(asked.people, who);
    const several = asked.people.length > 1 ? ` · ${asked.people.length} people: choose one in the picture` : "";
    this.caption.textContent = asked.source + (asked.time === null ? "" : ` at ${clock(asked.time)}`) + several;
    this.film.hidden = !asked.duration;
    if (asked.duration) {
      this.moment.max = asked.duration;
      this.moment.value = asked.time ?? 0;
      this.clock.textContent = clock(asked.time ?? 0);
    }
    const small = asked.picture.url && boxOf(keypointsOf(state.history.now)) && this.tiny();
    if (fresh) this.zoomed(Boolean(small));
    this.draw();
  }

  /** The person is under a third of the picture: their joints are hard to catch. */
  tiny() {
    const [, y0, , y1] = boxOf(keypointsOf(this.state.history.now));
    return (y1 - y0) / this.state.asked.picture.height < 0.34;
  }

  zoomed(near) {
    this.near = near;
    this.zoom.setAttribute("aria-pressed", String(near));
    const { width, height } = this.state.asked.picture;
    const box = boxOf(keypointsOf(this.state.history.now));
    if (!near || !box) return this.stage.look([0, 0, width, height]);
    const side = Math.max(box[2] - box[0], box[3] - box[1]) * 1.5;
    return this.stage.look([(box[0] + box[2] - side) / 2, (box[1] + box[3] - side) / 2, side, side]);
  }

  draw() {
    const { history, ignore } = this.state;
    const ignored = new Set([...ignore].flatMap((part) => this.partsOf[part] ?? []));
    this.stage.draw(history.now, ignored);
    this.undo.disabled = !history.canUndo;
    this.redo.disabled = !history.canRedo;
    this.reset.disabled = history.now === history.first;
    this.offer();
    for (const part of this.ignore.children) part.setAttribute("aria-pressed", String(ignore.has(part.dataset.part)));
    const shown = Object.entries(history.now).filter(([joint, { hidden }]) => !hidden && !ignored.has(joint)).length;
    this.space.show(history.now);
    this.few.textContent = shown < 7 ? `Only ${shown} joints are compared; 7 are needed. Show some more.` : "";
  }

  /** Buttons for the joints that nobody found: a click on the picture places one; by keyboard it comes near its bone. */
  offer() {
    const { asked, history: { now } } = this.state;
    const lacking = Object.keys(now).length ? this.joints.filter((joint) => !now[joint]) : [];
    this.lacking.hidden = lacking.length === 0;
    if (!lacking.includes(this.stage.placing)) this.stage.place(null);
    const before = [...this.lacking.querySelectorAll("button")].map((node) => node.dataset.joint);
    if (this.of === asked && before.join() === lacking.join()) return;
    this.of = asked;
    this.lacking.replaceChildren(el("span", { class: "small muted" }, "Not found; place:"), ...lacking.map((joint) =>
      button(spoken(joint), (event) => this.chosen(joint, event.detail === 0),
        { class: "part", "data-joint": joint, "aria-pressed": "false" })));
  }

  chosen(joint, byKeyboard) {
    if (byKeyboard) {
      const [x, y] = guessed(joint, this.state.history.now, this.bones);
      this.move(joint, x, y, true);
      this.stage.focus(joint);
      return;
    }
    this.stage.place(this.stage.placing === joint ? null : joint);
    for (const node of this.lacking.querySelectorAll("button")) {
      node.setAttribute("aria-pressed", String(node.dataset.joint === this.stage.placing));
    }
  }

  move(joint, x, y, done) {
    const { history } = this.state;
    const pose = { ...history.now, [joint]: { x, y, score: 1, hidden: false } };
    if (this.dragging) history.undo();
    history.push(pose);
    this.dragging = !done;
    this.draw();
    this.onchange();
  }

  toggle(joint) {
    const point = this.state.history.now[joint];
    const turned = { ...point, hidden: !point.hidden, score: point.hidden ? 1 : point.score };
    this.change({ ...this.state.history.now, [joint]: turned });
  }

  change(pose) {
    this.state.history.push(pose);
    this.draw();
    this.onchange();
  }

  step(which) {
    this.state.history[which]();
    this.draw();
    this.onchange();
  }

  skip(part) {
    const { ignore } = this.state;
    if (!ignore.delete(part)) ignore.add(part);
    this.draw();
    this.onchange();
  }

  shortcut(event) {
    if (!(event.ctrlKey || event.metaKey) || event.target.matches("input")) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    this.step(key === "y" || event.shiftKey ? "redo" : "undo");
  }
}

/** Buttons for a picture or video of one's own, and for a figure. */
export function sources(onfile, { large = false } = {}) {
  const file = el("input", { type: "file", accept: "image/*,video/*,.heic,.avi,.mkv", class: "hidden-text",
    tabindex: -1, "aria-label": "Picture or video" });
  file.addEventListener("change", () => {
    if (file.files.length) onfile(file.files[0]);
    file.value = "";
  });
  return el("div", { class: `row sources${large ? " large" : ""}` }, file,
    button(large ? "Choose a picture or video" : "Picture", () => file.click(),
      { icon: "upload", class: large ? "primary" : "", label: large ? null : "Choose a picture or video" }),
    button(large ? "Bend a figure" : "Figure", () => onfile(null),
      { icon: "person", label: large ? null : "Bend a figure" }));
}

/** Ask the server who is in it: a file, or one of the bodies of /api/query. */
export const ask = (what) => (what instanceof Blob ? upload(what) : post("/api/query", what));

/** Files that are dropped on the page or pasted into it, until `stop()`. */
export function catchFiles(onfile) {
  const drop = (event) => {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    document.body.classList.toggle("dropping", event.type === "dragover");
    if (event.type === "drop" && event.dataTransfer.files.length) onfile(event.dataTransfer.files[0]);
  };
  const leave = (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); };
  const paste = (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) onfile(files[0]);
    else if (!event.target.matches?.("input, textarea")) notice({ message: "There is no picture on the clipboard." });
  };
  const listeners = [["dragover", drop], ["drop", drop], ["dragleave", leave], ["paste", paste]];
  for (const [kind, listener] of listeners) document.addEventListener(kind, listener);
  return () => listeners.forEach(([kind, listener]) => document.removeEventListener(kind, listener));
}
