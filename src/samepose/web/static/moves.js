// Mark a span of a video, and find or count it in the index.
//
// Address: media (id of a file, or of a person in it), from, to (seconds), mirror.

import { get, post } from "./api.js";
import { base, chooseMedium } from "./choose.js";
import { remember } from "./route.js";
import { mediumOf, Footage, trackField } from "./footage.js";
import { spanBar, Timeline } from "./timeline.js";
import { button, clock, el, problem, toast } from "./ui.js";

const MIRRORS = { off: "as it is", also: "also mirrored", only: "only mirrored" };
const AROUND = 1; // seconds each side of a moment that are marked at first
let view = null;

export async function mount(root, params) {
  view = new Moves(root, params);
  await view.start();
}

export function unmount() {
  view?.stop();
  view = null;
}

class Moves {
  constructor(root, params) {
    Object.assign(this, { params, track: null, turn: 0, durations: new Map() });
    this.footage = new Footage({ label: "The clip", ontime: (t) => this.timeline.at(t) });
    this.shown = new Footage({ label: "A place where the move is" });
    this.timeline = new Timeline({ onseek: (t) => { this.halt(); this.footage.show(t); }, onmark: () => this.marked() });
    this.head = el("div", { class: "side-head" });
    this.span = el("p", { class: "number muted" });
    this.playButton = button("Play the mark", () => this.toggle(), { icon: "play" });
    this.actions = el("div", { class: "row" }, button("Find in the index", () => this.find(), { class: "primary", icon: "similar" }),
      button("Count in this clip", () => this.count(this.track.media)),
      button("Count in another…", () => chooseMedium("Count in", (medium) => this.count(medium.id))), this.mirror());
    this.editor = el("div", { class: "stack", hidden: true }, this.footage.element, this.timeline.element,
      el("div", { class: "row spread" }, this.span, this.playButton), this.actions);
    this.out = el("div", { class: "stack moves-out" });
    root.append(el("div", { class: "stack" }, el("h1", {}, "Moves"), el("div", { class: "moves" },
      el("section", { class: "stack", "aria-label": "The move" }, this.head, this.editor), this.out)));
  }

  mirror() {
    const select = el("select", { "aria-label": "Mirror" }, Object.entries(MIRRORS).map(([value, text]) =>
      el("option", { value, selected: value === (this.params.get("mirror") ?? "off") }, text)));
    select.addEventListener("change", () => { this.params.set("mirror", select.value); this.keep(); });
    return select;
  }

  async start() {
    const id = this.params.get("media");
    const from = this.number("from");
    const to = this.number("to");
    if (id) await this.open(id, from, to ?? (from === null ? null : from + 2 * AROUND));
    else this.ask();
  }

  number(name) {
    const value = Number.parseFloat(this.params.get(name));
    return Number.isFinite(value) && value >= 0 ? value : null;
  }

  stop() {
    this.turn += 1;
    this.footage.pause();
    this.shown.pause();
    clearTimeout(this.timer);
  }

  choose() {
    chooseMedium("A video with the move", (medium) => this.open(medium.id));
  }

  ask() {
    this.head.replaceChildren(el("div", { class: "empty card" }, el("h2", {}, "Which move?"),
      el("p", { class: "muted" }, "Choose a video, mark the part of it that shows the move, and see where else in the "
        + "index somebody does the same, or how often."),
      button("Choose a video", () => this.choose(), { icon: "film", class: "primary" })));
  }

  async open(id, from = null, to = null) {
    this.halt();
    this.out.replaceChildren();
    try {
      const { medium, track } = await mediumOf(id);
      if (medium.kind !== "video" || !track) {
        this.editor.hidden = true;
        this.ask();
        toast("A move needs a video with somebody in it.", { kind: "error" });
        return;
      }
      Object.assign(this, { medium, track });
      this.params.set("media", id);
      this.head.replaceChildren(el("strong", { class: "side-name", title: medium.path }, base(medium.path)),
        trackField(medium, track, (other) => this.open(other, this.timeline.from, this.timeline.to)) ?? "",
        button("Change", () => this.choose(), { class: "quiet", label: "Change the video" }));
      this.editor.hidden = false;
      await this.footage.open(medium, track);
      const [first, last] = [track.times[0], track.times.at(-1)];
      this.timeline.open(this.footage.end, from ?? first, to ?? Math.min(last, first + 2 * AROUND));
      this.footage.show(this.timeline.from);
    } catch (error) {
      this.editor.hidden = true;
      this.head.replaceChildren(problem(error, () => this.choose()));
    }
  }

  marked() {
    const { from, to } = this.timeline;
    this.span.textContent = `Marked: ${clock(from)} to ${clock(to)}, ${(to - from).toFixed(1)} s`;
    this.params.set("from", from.toFixed(2));
    this.params.set("to", to.toFixed(2));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { if (view === this) this.keep(); }, 300);
  }

  keep() {
    remember("moves", this.params);
  }

  toggle() {
    if (this.footage.playing) {
      this.halt();
      return;
    }
    this.playButton.lastChild.textContent = "Pause";
    this.footage.play(this.timeline.from, this.timeline.to, { loop: true });
  }

  halt() {
    this.footage.pause();
    this.playButton.lastChild.textContent = "Play the mark";
  }

  example() {
    return { media: this.track.ids[0], from: this.timeline.from, to: this.timeline.to };
  }

  /** Ask the server, unless something else is asked meanwhile; `show` gets the answer. */
  async asked(what, path, body, show) {
    const mine = ++this.turn;
    this.shown.pause();
    this.out.replaceChildren(el("p", { class: "muted", role: "status" }, what), el("progress", { "aria-label": what }));
    try {
      const answer = await post(path, { ...body, mirror: this.params.get("mirror") ?? "off" });
      if (mine !== this.turn) return;
      await show(answer);
    } catch (error) {
      if (mine === this.turn) this.out.replaceChildren(problem(error, () => this.asked(what, path, body, show)));
    }
  }

  find() {
    return this.asked("Looking in the whole index…", "/api/find", { example: this.example(), k: 60 }, async (answer) => {
      const n = answer.results.length;
      await this.list(n ? `Found ${n} time${n === 1 ? "" : "s"}` : "Found nowhere else", answer.results, answer.failed);
    });
  }

  count(media) {
    return this.asked("Counting…", "/api/count", { example: this.example(), in: { media } }, (answer) =>
      this.list(`${answer.count} time${answer.count === 1 ? "" : "s"} in ${base(answer.path)}`, answer.repetitions, []));
  }

  /** Spans on the timeline of each file, the file with the likeliest first. */
  async list(title, spans, failed) {
    const files = grouped(spans);
    await Promise.all([...files.keys()].filter((id) => id && !this.durations.has(id)).map(async (id) => {
      this.durations.set(id, await get(`/api/media/${id}/info`));
    }));
    this.shown.element.hidden = spans.length === 0;
    const hint = spans.length ? null : el("p", { class: "muted" }, "Mark a longer or more telling part, or look for it mirrored too.");
    this.said = el("p", { class: "muted small number", role: "status" });
    this.out.replaceChildren(el("div", { role: "status" }, el("h2", {}, title)), hint ?? "", this.shown.element, this.said,
      el("ul", { class: "places" }, [...files].map(([id, found]) => this.file(id, found))),
      failed.length ? el("details", {}, el("summary", {}, `${failed.length} could not be searched`),
        el("ul", { class: "small" }, failed.map((line) => el("li", {}, line)))) : "");
    if (spans.length) await this.playPlace(spans[0], this.out.querySelector(".span"));
  }

  file(id, found) {
    const duration = this.durations.get(id)?.duration ?? Math.max(...found.map((span) => span.end));
    const best = Math.max(...found.map((span) => span.score));
    return el("li", {}, el("div", { class: "row spread" }, el("span", { class: "side-name", title: found[0].path }, base(found[0].path)),
      el("span", { class: "muted small number" }, `${found.length} × · up to ${Math.round(100 * best)} %`)),
    spanBar(duration, found, (span, bar) => this.playPlace(span, bar)));
  }

  async playPlace(span, bar) {
    for (const other of this.out.querySelectorAll(".span[aria-pressed]")) other.removeAttribute("aria-pressed");
    bar?.setAttribute("aria-pressed", "true");
    const medium = this.durations.get(span.media);
    if (!medium) return;
    const person = medium.tracks.find((t) => t.person === span.person)?.id;
    const mine = this.turn;
    await this.shown.open(medium, person ? await get(`/api/track/${person}`) : null);
    if (mine !== this.turn || view !== this) return;
    this.said.textContent = `${base(span.path)}, ${clock(span.start)} to ${clock(span.end)}, `
      + `${Math.round(100 * span.score)} % likely the same move${span.mirrored ? ", mirrored" : ""}`;
    this.shown.play(span.start, span.end, { loop: true });
  }
}

function grouped(spans) {
  const files = new Map();
  for (const span of spans) files.set(span.media, [...(files.get(span.media) ?? []), span]);
  return files;
}
