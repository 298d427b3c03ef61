// The page of `report/figure.py`: persons, alternatives and time around one figure. Its data lie in the page.

import { extent, Figure } from "./figure.js";

const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const canvas = find("figure");
const video = find("video");

/** A pose of whole millimetres as points in metres; -32768 is a joint that is not known. */
function pointsOf(row) {
  return data.joints.map((_, k) => (row[3 * k] === -32768 ? null : [row[3 * k] / 1000, row[3 * k + 1] / 1000, row[3 * k + 2] / 1000]));
}

const poses = data.poses.map(pointsOf);
const others = data.alternatives.map((rows) => rows.map(pointsOf));
const figure = new Figure(canvas, { joints: data.joints, bones: data.bones, changed: tell });
const moving = data.times.length > 1;
const state = { now: 0, alternative: -1 };

figure.frame(extent(moving ? poses.flat() : [...poses.flat(), ...others.flat(2)]));
show();

function show() {
  const chosen = others[state.now]?.[state.alternative];
  const faint = chosen && state.alternative > 0 ? [poses[state.now]] : [];
  figure.show(chosen ?? poses[state.now], faint);
}

/** For those who do not see it: from where the figure is seen. */
function tell() {
  const { yaw, pitch } = figure.view;
  const turned = Math.round(((yaw * 180) / Math.PI) % 360);
  find("view").textContent = `${Math.abs(turned)}° to the ${turned < 0 ? "left" : "right"}, ${Math.round((pitch * 180) / Math.PI)}° from above`;
}
tell();

find("reset").addEventListener("click", () => figure.reset());
find("front").addEventListener("click", () => figure.front());
find("nearer").addEventListener("click", () => figure.zoom(1.2));
find("farther").addEventListener("click", () => figure.zoom(1 / 1.2));

find("person")?.addEventListener("change", ({ target }) => {
  state.now = Number(target.value);
  state.alternative = -1;
  offer();
  show();
});

/** The alternatives of the pose that is shown, most likely first. */
function offer() {
  const place = find("alternatives");
  const weights = data.weights[state.now] ?? [];
  place.hidden = weights.length < 2;
  place.querySelector("div").replaceChildren(...weights.map((weight, k) => {
    const label = document.createElement("label");
    const box = Object.assign(document.createElement("input"), { type: "radio", name: "alternative", checked: k === 0 });
    box.addEventListener("change", () => { state.alternative = k; show(); });
    const bar = document.createElement("span");
    bar.className = "weight";
    bar.append(Object.assign(document.createElement("span"), { style: `width:${(100 * weight).toFixed(1)}%` }));
    label.append(box, `${k === 0 ? "Most likely" : `Alternative ${k}`}`, bar, `${Math.round(100 * weight)} %`);
    return label;
  }));
}
offer();

if (moving) play();

/** Time: the video's own where there is one, else a clock. */
function play() {
  const [toggle, scrub, shown] = [find("play"), find("scrub"), find("time")];
  const [first, last] = [data.times[0], data.times.at(-1)];
  const clock = { at: first, since: 0, on: false };

  function at(time) {
    let [low, high] = [0, data.times.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (data.times[middle] <= time + 1e-4) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  function go(time) {
    clock.at = Math.min(Math.max(time, first), last);
    state.now = at(clock.at);
    show();
    scrub.value = clock.at;
    shown.textContent = `${clock.at.toFixed(1)} s`;
    scrub.setAttribute("aria-valuetext", `${clock.at.toFixed(1)} of ${last.toFixed(1)} seconds`);
  }

  function on(running) {
    clock.on = running;
    toggle.setAttribute("aria-label", running ? "Pause" : "Play");
    toggle.dataset.running = running;
    if (running && clock.at >= last - 0.02) seek(first);
    if (running) {
      clock.since = performance.now();
      video?.play().catch(() => on(false));
      requestAnimationFrame(tick);
    } else {
      video?.pause();
    }
  }

  function tick(now) {
    if (!clock.on) return;
    const next = video ? first + video.currentTime : clock.at + (now - clock.since) / 1000;
    clock.since = now;
    if (next >= last || video?.ended) {
      go(last);
      on(false);
      return;
    }
    go(next);
    requestAnimationFrame(tick);
  }

  function seek(time) {
    go(time);
    if (video) video.currentTime = clock.at - first;
  }

  [scrub.min, scrub.max, scrub.step] = [first, last, "any"];
  toggle.addEventListener("click", () => on(!clock.on));
  scrub.addEventListener("input", () => { on(false); seek(Number(scrub.value)); });
  scrub.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!by) return;
    event.preventDefault(); // from one pose to the next, which "any" as a step does not do
    on(false);
    const next = data.times[Math.min(Math.max(state.now + by, 0), data.times.length - 1)];
    seek(next);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.target.closest?.("button, input, select")) return;
    event.preventDefault();
    on(!clock.on);
  });
  go(first);
}
