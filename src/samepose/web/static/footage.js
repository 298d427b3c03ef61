// A file of the index at a moment, with one person's joints over it; it plays, and can be rung.

import { get } from "./api.js";
import { frameUrl } from "./hover.js";
import { bonesOf, named, skeletonGroup } from "./skeleton.js";
import { clock, el, svg } from "./ui.js";

const PLAYABLE = { mp4: "video/mp4", m4v: "video/mp4", mov: "video/mp4", webm: "video/webm", ogv: "video/ogg" };
const GAP = 0.5; // seconds without a sighting after which nobody is drawn
const RING = 10; // pixels of the page that the radius of a ring has at least

/** Joints of a track of `/api/track` at a time, between two sightings in a straight line; {} where nobody is seen. */
export function jointsAt(track, t) {
  const { times, keypoints, skeleton: { joints } } = track;
  if (times[0] === null) return named(joints, keypoints[0]);
  let next = times.findIndex((time) => time >= t);
  if (next < 0) next = times.length - 1;
  const last = times[next] > t && next > 0 ? next - 1 : next;
  const [before, after] = [times[last], times[next]];
  if (Math.min(Math.abs(t - before), Math.abs(after - t)) > GAP) return {};
  const part = after - before > 0 && after - before <= 2 * GAP ? (t - before) / (after - before) : 0;
  return named(joints, keypoints[last].map((point, k) => {
    const to = keypoints[next][k];
    return point && to ? point.map((value, axis) => value + part * (to[axis] - value)) : point;
  }));
}

export class Footage {
  /** `ontime` hears of each moment that is shown; stills are at most `size` pixels wide and high. */
  constructor({ label, ontime = () => {}, size = 640 }) {
    Object.assign(this, { label, ontime, size, medium: null, track: null, time: 0, ringed: [], run: null });
    this.over = svg("svg", { class: "footage-joints", "aria-hidden": "true" });
    this.picture = null;
    this.element = el("div", { class: "footage" });
  }

  /** Show a file as `/api/media/…/info` tells of it, and a track of it or null, from a moment on. */
  async open(medium, track, time = 0) {
    this.pause();
    Object.assign(this, { medium, track, time, ringed: [] });
    this.bones = track ? await bonesOf(track.skeleton.name) : [];
    const { width = null, height = null } = medium;
    this.element.style.aspectRatio = width ? `${width} / ${height}` : "4 / 3";
    this.over.setAttribute("viewBox", `0 0 ${width ?? 4} ${height ?? 3}`);
    const type = PLAYABLE[medium.path.split(".").pop().toLowerCase()];
    if (!medium.there) this.useNothing();
    else if (medium.kind === "video" && type && document.createElement("video").canPlayType(type)) this.useVideo();
    else this.useStills();
  }

  /** Somebody else of the same file, or the same person better known. */
  async follow(track) {
    this.bones = await bonesOf(track.skeleton.name);
    this.track = track;
    this.draw();
  }

  get playing() { return this.run !== null; }

  get end() { return this.medium?.duration ?? this.track?.times.at(-1) ?? 0; }

  useNothing() {
    this.picture = null;
    this.element.replaceChildren(el("p", {}, "The file is no longer where it was."), this.over);
  }

  useVideo() {
    this.picture = el("video", { src: `/api/media/${this.medium.id}`, preload: "auto", playsinline: true,
      "aria-label": this.label });
    this.picture.muted = true;
    this.picture.addEventListener("error", () => this.useStills(), { once: true });
    this.picture.addEventListener("loadeddata", () => { if (!this.picture.videoWidth) this.useStills(); }, { once: true });
    this.element.replaceChildren(this.picture, this.over);
  }

  useStills() {
    this.picture = el("img", { alt: this.label });
    this.picture.addEventListener("load", () => this.loaded());
    this.picture.addEventListener("error", () => this.loaded());
    this.loading = this.wanted = null;
    this.element.replaceChildren(this.picture, this.over);
    this.show(this.time);
  }

  /** Go to a moment. */
  show(t) {
    this.time = t;
    if (this.picture?.tagName === "VIDEO") {
      if (!this.playing && Math.abs(this.picture.currentTime - t) > 0.001) this.picture.currentTime = t;
    } else if (this.picture) {
      this.wanted = frameUrl(this.medium.id, this.medium.kind === "video" ? Math.max(t, 0) : null, this.size);
      if (this.loading === null) this.load();
    }
    this.draw();
    this.ontime(t);
  }

  load() {
    if (this.picture.getAttribute("src") === this.wanted) return;
    this.loading = this.wanted;
    this.picture.src = this.wanted;
  }

  loaded() {
    this.loading = null;
    this.load(); // what was wanted meanwhile
  }

  /** Ring joints of the person, at every moment until others are. */
  ring(joints) {
    this.ringed = joints;
    this.draw();
  }

  draw() {
    if (!this.track) return this.over.replaceChildren();
    const joints = jointsAt(this.track, this.time);
    const height = this.medium.height ?? 3;
    const radius = height * Math.max(0.032, RING / (this.element.clientHeight || Infinity));
    return this.over.replaceChildren(skeletonGroup(joints, this.bones),
      ...this.ringed.filter((joint) => joints[joint]).flatMap((joint) => ["ring-edge", "ring"].map((name) =>
        svg("circle", { class: name, cx: joints[joint][0], cy: joints[joint][1], r: radius }))));
  }

  /** Play from a moment to another, over and over if `loop`. */
  play(from, to, { loop = false, ended = () => {} } = {}) {
    this.pause();
    const video = this.picture?.tagName === "VIDEO" ? this.picture : null;
    this.show(from);
    let since = performance.now();
    if (video) video.play().catch(() => {});
    const step = (now) => {
      const t = video ? video.currentTime : from + (now - since) / 1000;
      if (t < to && !video?.ended) {
        this.show(t);
      } else if (loop) {
        since = now;
        if (video) video.currentTime = from;
        if (video?.paused) video.play().catch(() => {});
      } else {
        this.pause();
        this.show(to);
        ended();
        return;
      }
      this.run = requestAnimationFrame(step);
    };
    this.run = requestAnimationFrame(step);
  }

  /** Nothing of it is loaded any more. */
  close() {
    this.pause();
    if (this.picture?.tagName !== "VIDEO") return;
    this.picture.removeAttribute("src");
    this.picture.load();
  }

  pause() {
    if (this.run !== null) cancelAnimationFrame(this.run);
    this.run = null;
    if (this.picture?.tagName === "VIDEO") this.picture.pause();
  }
}

/** What is known of a file or of a person's file, and the track that is meant: by default the most prominent. */
export async function mediumOf(id) {
  const medium = await get(`/api/media/${id.split("-")[0]}/info`);
  const person = id.includes("-") ? id : medium.tracks[0]?.id;
  return { medium, track: person ? await get(`/api/track/${person}`) : null };
}

/** A choice of people in a clip, when there are several; `chosen` gets the id of the first sighting. */
export function trackField(medium, track, chosen) {
  if (medium.tracks.length < 2) return null;
  const select = el("select", { "aria-label": "Person" }, medium.tracks.map((t, k) => el("option",
    { value: t.id, selected: t.person === track.person },
    `Person ${k + 1}${t.start === null ? "" : `, ${clock(t.start)} to ${clock(t.end)}`}`)));
  select.addEventListener("change", () => chosen(select.value));
  return select;
}
