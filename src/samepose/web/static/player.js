// A clip of the index at a moment, with frame steps and the skeleton drawn in time; a photo with its skeleton.

import { get } from "./api.js";
import { frameUrl, infoOf } from "./hover.js";
import { href } from "./route.js";
import { bonesOf, named, skeletonGroup } from "./skeleton.js";
import { button, clock, dialog, el, icon, problem, svg } from "./ui.js";

const STILLS = 10; // a second, where the browser cannot play the file
const NEAR = 0.3; // seconds: a person who was not seen for longer is not drawn

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
    if (keypoints) await player.pose(keypoints, skeleton);
    if (time !== null) await player.follow();
  } catch (error) {
    place.replaceChildren(problem(error));
  }
  return box;
}

class Player {
  constructor(info, person, time, box) {
    Object.assign(this, { info, person, time, track: null, playing: false, fps: info.fps || 25 });
    this.duration = Math.max(info.duration ?? 0, time ?? 0);
    this.still = svg("image", { width: info.width ?? 1, height: info.height ?? 1, preserveAspectRatio: "none" });
    this.board = svg("svg", { viewBox: `0 0 ${info.width ?? 1} ${info.height ?? 1}`, role: "img",
      "aria-label": `${info.path}${time === null ? "" : ` at ${clock(time)}`}` }, this.still);
    const shape = el("div", { class: "screen" }, this.board);
    shape.style.setProperty("--shape", (info.width ?? 4) / (info.height ?? 3));
    const gone = info.there ? null : el("p", { class: "muted small" },
      "The file is no longer there; only the joints are shown.");
    this.root = el("div", { class: "stack" }, shape, gone, time === null ? null : this.controls(),
      el("div", { class: "row spread" }, this.overlay(), this.onwards(box)));
    this.screen = shape;
    if (info.there && time !== null) this.tryVideo();
    this.draw();
    box.addEventListener("keydown", (event) => this.key(event));
  }

  controls() {
    this.toggle = button("", () => this.play(!this.playing), { icon: "play", label: "Play" });
    this.range = el("input", { type: "range", min: 0, max: this.duration, step: 1 / this.fps, value: this.time,
      "aria-label": "Moment", oninput: () => this.seek(+this.range.value) });
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

  /** The browser's own player where it can play the file, under the skeleton; else stills of the server. */
  tryVideo() {
    const video = el("video", { src: `/api/media/${this.info.id}`, muted: true, playsinline: true, preload: "auto" });
    video.muted = true;
    video.addEventListener("loadeddata", () => {
      if (!video.videoWidth || this.closed) return;
      this.video = video;
      this.screen.prepend(video);
      this.still.remove();
      video.currentTime = this.time;
    }, { once: true });
    video.addEventListener("ended", () => this.play(false));
  }

  /** The joints at one moment, known before the track is. */
  async pose(keypoints, skeleton) {
    this.bones = await bonesOf(skeleton);
    this.first = { time: this.time, keypoints };
    this.draw();
  }

  async follow() {
    const track = await get(`/api/track/${this.person}`);
    this.bones = track.skeleton.bones;
    this.track = track;
    this.draw();
  }

  /** Joints by name at a moment: between two sightings that are near, a straight line. */
  at(time) {
    const { track, first } = this;
    if (!track) return first && Math.abs((first.time ?? 0) - (time ?? 0)) < 0.05 ? first.keypoints : {};
    const { times, keypoints, skeleton } = track;
    let after = times.findIndex((t) => t >= time);
    if (after < 0) after = times.length - 1;
    const before = times[after] > time && after > 0 ? after - 1 : after;
    const [a, b] = [named(skeleton.joints, keypoints[before]), named(skeleton.joints, keypoints[after])];
    const gap = times[after] - times[before];
    if (gap > 2 * NEAR || gap === 0) {
      const nearer = time - times[before] <= times[after] - time;
      const close = nearer ? [times[before], a] : [times[after], b];
      return Math.abs(close[0] - time) <= NEAR ? close[1] : {};
    }
    const part = (time - times[before]) / gap;
    return Object.fromEntries(Object.keys(a).filter((joint) => b[joint]).map((joint) =>
      [joint, a[joint].map((value, k) => value + (b[joint][k] - value) * part)]));
  }

  draw() {
    if (!this.video && this.info.there) this.showStill();
    this.board.querySelector(".skeleton")?.remove();
    if (this.bones) this.board.append(skeletonGroup(this.at(this.time), this.bones));
    if (this.time === null) return;
    this.range.value = this.time;
    this.clock.textContent = `${clock(this.time)} / ${clock(this.duration)}`;
    this.range.setAttribute("aria-valuetext", clock(this.time));
    this.similar.href = href("search", { media: this.info.id, at: this.time.toFixed(3) });
  }

  /** The next still is asked for when the last one is there, so that the server is never ahead of the eye. */
  showStill() {
    const url = frameUrl(this.info.id, this.time, 1280);
    if (this.still.getAttribute("href") === url) return;
    if (this.fetching) {
      this.late = true;
      return;
    }
    this.fetching = true;
    const image = new Image();
    image.onload = image.onerror = () => {
      this.fetching = false;
      if (image.naturalWidth) this.still.setAttribute("href", url);
      if (this.late && !this.closed) {
        this.late = false;
        this.showStill();
      }
    };
    image.src = url;
  }

  seek(time) {
    this.time = Math.min(Math.max(time, 0), this.duration);
    if (this.video && !this.playing) this.video.currentTime = this.time;
    this.draw();
  }

  step(frames) {
    this.play(false);
    this.seek(this.time + frames / this.fps);
  }

  play(on) {
    if (on === this.playing) return;
    this.playing = on;
    this.toggle.replaceChildren(icon(on ? "pause" : "play"));
    this.toggle.setAttribute("aria-label", on ? "Pause" : "Play");
    this.toggle.title = on ? "Pause" : "Play";
    if (!on) this.video?.pause();
    if (!on) return;
    if (this.time >= this.duration - 1 / this.fps) this.seek(0);
    if (this.video) {
      this.video.currentTime = this.time;
      this.video.play();
    }
    let last = performance.now();
    const tick = (now) => {
      if (!this.playing || this.closed) return;
      const passed = (now - last) / 1000;
      if (this.video) this.time = this.video.currentTime;
      else if (passed >= 1 / STILLS) this.time += passed;
      if (this.video || passed >= 1 / STILLS) {
        last = now;
        this.draw();
      }
      if (this.time >= this.duration) this.play(false);
      else requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  key(event) {
    if (this.time === null || event.target.matches("input")) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (steps[event.key]) this.step(steps[event.key]);
    else if (event.key === " " && !event.target.matches("button, a")) this.play(!this.playing);
    else return;
    event.preventDefault();
  }

  close() {
    this.closed = true;
    this.playing = false;
    this.video?.removeAttribute("src");
    this.video?.load();
  }
}
