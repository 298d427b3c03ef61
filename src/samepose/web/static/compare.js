// Two videos or hits at one pace: scrub one and the other follows; where they differ is a strip to click.
//
// Address: a, b (ids of a file, or of a person in it), mirror, open (1: only parts are compared), at (share of the way).

import { post } from "./api.js";
import { base, chooseMedium } from "./choose.js";
import { remember } from "./route.js";
import { spoken } from "./skeleton.js";
import { mediumOf, Footage, trackField } from "./footage.js";
import { button, clock, el, problem, svg } from "./ui.js";

const PLAIN = 20; // degrees by which an angle must differ to be ringed
const RINGS = 4; // the most that are
const SIDES = ["a", "b"];
let view = null;

export async function mount(root, params) {
  view = new Compare(root, params);
  await view.start();
}

export function unmount() {
  view?.stop();
  view = null;
}

class Compare {
  constructor(root, params) {
    Object.assign(this, { params, found: null, turn: 0, place: Number(params.get("at")) || 0, timer: null });
    this.sides = Object.fromEntries(SIDES.map((name) => [name, this.side(name)]));
    this.out = el("div", { class: "stack" });
    this.options = this.makeOptions();
    root.append(el("div", { class: "stack" }, el("div", { class: "row spread" }, el("h1", {}, "Compare"), this.options),
      el("div", { class: "pair" }, SIDES.map((name) => this.sides[name].element)), this.out));
  }

  side(name) {
    const title = name === "a" ? "Left" : "Right";
    const footage = new Footage({ label: `${title} clip` });
    const head = el("div", { class: "side-head" });
    const time = el("span", { class: "number chip side-time", hidden: true });
    const scrub = el("input", { type: "range", step: 0.01, hidden: true, "aria-label": `Moment of the ${title.toLowerCase()} video` });
    scrub.addEventListener("input", () => { this.halt(); this.show(this.nearest(name, Number(scrub.value))); });
    const element = el("section", { class: "side", "aria-label": title }, head,
      el("div", { class: "side-picture" }, footage.element, time), scrub);
    return { name, title, footage, head, time, scrub, element, id: this.params.get(name), track: null };
  }

  makeOptions() {
    const box = (name, text) => {
      const input = el("input", { type: "checkbox", checked: this.params.get(name) !== null });
      input.addEventListener("change", () => {
        if (input.checked) this.params.set(name, "1");
        else this.params.delete(name);
        this.align();
      });
      return el("label", { class: "choice" }, input, text);
    };
    return el("div", { class: "row compare-options" }, box("mirror", "Either may be mirrored"), box("open", "One may be longer"));
  }

  async start() {
    await Promise.all(SIDES.map((name) => this.fill(this.sides[name])));
    await this.align();
  }

  stop() {
    this.turn += 1;
    cancelAnimationFrame(this.timer);
    for (const name of SIDES) this.sides[name].footage.pause();
  }

  /** Show a side's file, or ask for one. */
  async fill(side) {
    const choose = () => chooseMedium(`${side.title} video`, (medium) => this.choose(side, medium.id));
    if (side.id === null) {
      side.head.replaceChildren(button("Choose a video", choose, { icon: "film", class: "primary" }));
      side.footage.element.replaceChildren(el("p", {}, "Nothing chosen yet"));
      return;
    }
    try {
      const { medium, track } = await mediumOf(side.id);
      side.track = track;
      await side.footage.open(medium, track);
      const people = track ? trackField(medium, track, (id) => this.choose(side, id)) : null;
      side.head.replaceChildren(el("strong", { class: "side-name", title: medium.path }, base(medium.path)),
        people ?? "", button("Change", choose, { class: "quiet", label: `Change the ${side.title.toLowerCase()} video` }));
      side.footage.show(track?.times[0] ?? 0);
    } catch (error) {
      side.track = null;
      side.head.replaceChildren(button("Choose a video", choose, { icon: "film" }));
      side.footage.element.replaceChildren(el("p", {}, error.message));
    }
  }

  async choose(side, id) {
    side.id = id;
    this.place = 0;
    this.params.set(side.name, id);
    await this.fill(side);
    await this.align();
  }

  async align() {
    const mine = ++this.turn;
    cancelAnimationFrame(this.timer);
    this.found = this.timer = null;
    this.params.delete("at");
    remember("compare", this.params);
    for (const name of SIDES) {
      this.sides[name].footage.ring([]);
      this.sides[name].scrub.hidden = this.sides[name].time.hidden = true;
    }
    const [a, b] = SIDES.map((name) => this.sides[name].track);
    if (!a || !b) {
      this.out.replaceChildren(el("p", { class: "muted hint" },
        "Choose two videos: they are put at one pace, so that you see at every moment how one person's pose differs "
        + "from the other's. Two hits of a search can be compared too."));
      return;
    }
    this.out.replaceChildren(el("p", { class: "muted", role: "status" }, "Aligning…"), el("progress", { "aria-label": "Aligning" }));
    try {
      const found = await post("/api/align", { a: { media: a.ids[0] }, b: { media: b.ids[0] },
        mirror: this.params.get("mirror") ? "also" : "off", open_ends: this.params.get("open") !== null });
      if (mine !== this.turn) return;
      this.found = found;
      this.showFound();
    } catch (error) {
      if (mine === this.turn) this.out.replaceChildren(problem(error, () => this.align()));
    }
  }

  showFound() {
    const { found } = this;
    const last = found.times.length - 1;
    this.still = last === 0; // two photos
    this.range = el("input", { type: "range", min: 0, max: last, step: 1, "aria-label": "Moment" });
    this.range.addEventListener("input", () => { this.halt(); this.show(Number(this.range.value)); });
    this.playButton = button("Play", () => this.toggle(), { icon: "play" });
    this.said = el("p", { class: "readout" });
    this.out.replaceChildren(
      ...(this.still ? [] : [
        el("div", { class: "row spread" }, el("h2", {}, "Difference over time"), this.playButton),
        el("div", { class: "strip" }, drawn(found.distance), this.range),
        el("div", { class: "row spread small muted number" }, el("span", {}, "the higher, the more the poses differ; the line is even odds"), el("span", {}, total(found)))]),
      this.said, ...(this.still ? [] : [this.worst()].filter(Boolean)));
    SIDES.forEach((name, k) => {
      const { scrub } = this.sides[name];
      [scrub.min, scrub.max] = [found.times[0][k], found.times[last][k]];
      scrub.hidden = this.still;
    });
    this.show(Math.round(Math.min(this.place, 1) * last));
  }

  worst() {
    if (!this.found.worst.length) return null;
    return el("section", { class: "stack" }, el("h2", {}, "Where they differ most"), el("ul", { class: "row" },
      this.found.worst.map((moment) => el("li", {}, button(
        `${clock(moment.time_a)} / ${clock(moment.time_b)}${moment.joint ? ` · ${spoken(moment.joint)}` : ""}`,
        () => { this.halt(); this.show(this.nearest("a", moment.time_a)); })))));
  }

  /** The step at which a side is nearest to a time; of several the one nearest to what is shown. */
  nearest(name, t) {
    const k = SIDES.indexOf(name);
    const off = this.found.times.map((times, step) => Math.abs(times[k] - t) + 1e-6 * Math.abs(step - this.step));
    return off.indexOf(Math.min(...off));
  }

  /** Both sides at a step of the alignment. */
  show(step) {
    const { found } = this;
    const joints = Object.entries(found.degrees).map(([joint, values]) => [joint, values[step]])
      .filter(([, degrees]) => degrees !== null && degrees >= PLAIN).sort(([, p], [, q]) => q - p).slice(0, RINGS);
    SIDES.forEach((name, k) => {
      const { footage, time, scrub } = this.sides[name];
      footage.ringed = joints.map(([joint]) => (found.mirrored && name === "b" ? crossed(joint) : joint));
      footage.show(found.times[step][k]);
      time.hidden = this.still;
      scrub.value = found.times[step][k];
      scrub.setAttribute("aria-valuetext", clock(found.times[step][k]));
      time.textContent = clock(found.times[step][k]);
    });
    this.step = step;
    this.range.value = step;
    const same = likely(found.distance[step]);
    const differ = joints.map(([joint, degrees]) => `${spoken(joint)} ${Math.round(degrees)}°`);
    const words = [same === null ? "not both seen" : `${Math.round(100 * same)} % likely the same pose`,
      differ.length ? `differing: ${differ.join(", ")}` : "no angle differs plainly"];
    this.said.replaceChildren(el("strong", {}, words[0]), ` · ${words[1]}`);
    const [ta, tb] = found.times[step].map(clock);
    this.range.setAttribute("aria-valuetext", `left ${ta}, right ${tb}, ${words.join(", ")}`);
    this.params.set("at", (step / Math.max(found.times.length - 1, 1)).toFixed(3));
    clearTimeout(this.kept);
    this.kept = setTimeout(() => { if (view === this) remember("compare", this.params); }, 300);
  }

  toggle() {
    if (this.timer !== null) {
      this.halt();
      return;
    }
    const { times } = this.found;
    const from = this.step >= times.length - 1 ? 0 : this.step;
    const since = performance.now();
    this.playButton.lastChild.textContent = "Pause";
    const go = (now) => {
      const t = times[from][0] + (now - since) / 1000;
      const next = times.findIndex(([a], k) => k >= from && a > t);
      if (next < 0) {
        this.show(times.length - 1);
        this.halt();
        return;
      }
      if (next - 1 !== this.step) this.show(Math.max(next - 1, from));
      this.timer = requestAnimationFrame(go);
    };
    this.timer = requestAnimationFrame(go);
  }

  halt() {
    cancelAnimationFrame(this.timer);
    this.timer = null;
    this.playButton.lastChild.textContent = "Play";
  }
}

/** The probability that a distance stands for. */
const likely = (distance) => (distance === null ? null : Math.exp(-distance));

const crossed = (joint) => joint.replace(/^(left|right)/, (side) => (side === "left" ? "right" : "left"));

const total = (found) => `on the whole ${Math.round(100 * Math.exp(-found.mean_distance))} % likely the same`
  + `${found.mirrored ? ", mirrored" : ""}`;

/** How unlikely it is at each step that the poses are the same, as an area; what is not seen is left open. */
function drawn(distance) {
  const height = distance.map((d) => (d === null ? null : 1 - likely(d)));
  const bars = height.map((h, k) => (h === null ? "" : `M${k} 1V${(1 - Math.max(h, 0.02)).toFixed(3)}h1V1z`)).join("");
  return svg("svg", { viewBox: `0 0 ${distance.length} 1`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { class: "half", d: `M0 .5H${distance.length}` }), svg("path", { class: "area", d: bars }));
}
