// A clip of the index at a moment, with frame steps and the skeleton drawn in time; a photo with its skeleton.

import { get } from "./api.js";
import { Footage } from "./footage.js";
import { infoOf } from "./hover.js";
import { href } from "./route.js";
import { button, clock, dialog, el, icon, problem } from "./ui.js";

/**
 * Open the player: `media` and `person` are ids of the index, `time` seconds or null of a photo, `title` what it is
 * called; `keypoints` and `skeleton` are drawn until, or if no, track of the person is known.
 */
export async function openPlayer({ media, person, time = null, title, keypoints = null, skeleton = null }) {
  const place = el("div", { class: "player" }, el("p", { class: "muted", role: "status" }, "One moment …"));
  let player = null;
  const box = dialog(title, place, { wide: true, closed: () => player?.close() });
  try {
    const info = await infoOf(media);
    if (!box.isConnected) return box;
    player = new Player(info, person, time, box);
    place.replaceChildren(player.root);
    await player.open(keypoints && sighting(time, keypoints, skeleton));
  } catch (error) {
    place.replaceChildren(problem(error));
  }
  return box;
}

/** One sighting as a track. */
const sighting = (time, keypoints, skeleton) => ({ times: [time], keypoints: [Object.values(keypoints)],
  skeleton: { name: skeleton, joints: Object.keys(keypoints) } });

class Player {
  constructor(info, person, time, box) {
    Object.assign(this, { info, person, time, fps: info.fps || 25 });
    this.duration = Math.max(info.duration ?? 0, time ?? 0);
    this.footage = new Footage({ label: `${info.path}${time === null ? "" : ` at ${clock(time)}`}`, size: 1280,
      ontime: (t) => this.told(t) });
    this.root = el("div", { class: "stack" }, this.footage.element, time === null ? null : this.controls(),
      el("div", { class: "row spread" }, this.overlay(), this.onwards(box)));
    box.addEventListener("keydown", (event) => this.key(event));
  }

  /** Show the moment with what is known of it, and the whole track as soon as it is there. */
  async open(known) {
    await this.footage.open(this.info, known, this.time ?? 0);
    this.seek(this.time ?? 0);
    if (this.time !== null) await this.footage.follow(await get(`/api/track/${this.person}`));
  }

  controls() {
    this.toggle = button("", () => this.play(!this.footage.playing), { icon: "play", label: "Play" });
    this.range = el("input", { type: "range", min: 0, max: this.duration, step: 1 / this.fps, value: this.time,
      "aria-label": "Moment", oninput: () => { this.play(false); this.seek(+this.range.value); } });
    this.clock = el("output", { class: "number", "aria-live": "off" });
    return el("div", { class: "controls" }, this.toggle,
      button("", () => this.step(-1), { icon: "back", label: "A frame back" }),
      button("", () => this.step(1), { icon: "next", label: "A frame on" }), this.range, this.clock);
  }

  overlay() {
    const node = button("Skeleton", () => {
      const off = this.root.classList.toggle("bare");
      node.setAttribute("aria-pressed", String(!off));
    }, { icon: "person", "aria-pressed": "true" });
    return node;
  }

  onwards(box) {
    this.similar = el("a", { class: "button", onclick: () => box.close() }, icon("similar"), "Search from here");
    this.similar.href = href("search", { person: this.person });
    return this.similar;
  }

  told(time) {
    if (this.time === null) return;
    this.range.value = time;
    this.clock.textContent = `${clock(time)} / ${clock(this.duration)}`;
    this.range.setAttribute("aria-valuetext", clock(time));
    this.similar.href = href("search", { media: this.info.id, at: time.toFixed(3) });
  }

  seek(time) { this.footage.show(Math.min(Math.max(time, 0), this.duration)); }

  step(frames) {
    this.play(false);
    this.seek(this.footage.time + frames / this.fps);
  }

  play(on) {
    if (on === this.footage.playing) return;
    const { time } = this.footage;
    if (on) this.footage.play(time >= this.duration - 1 / this.fps ? 0 : time, this.duration, { ended: () => this.shown() });
    else this.footage.pause();
    this.shown();
  }

  /** The button says what it would do. */
  shown() {
    const said = this.footage.playing ? "Pause" : "Play";
    this.toggle.replaceChildren(icon(said.toLowerCase()));
    this.toggle.setAttribute("aria-label", said);
    this.toggle.title = said;
  }

  key(event) {
    if (this.time === null || event.target.matches("input")) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (steps[event.key]) this.step(steps[event.key]);
    else if (event.key === " " && !event.target.matches("button, a")) this.play(!this.footage.playing);
    else return;
    event.preventDefault();
  }

  close() { this.footage.close(); }
}
