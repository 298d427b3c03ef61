// The second around a hit, played in its card while the pointer or the focus is on it.

import { get } from "./api.js";
import { svg } from "./ui.js";

const FRAMES = 8;
const PAUSE = 250; // milliseconds on the card before anything is fetched
const still = matchMedia("(prefers-reduced-motion: reduce)");
const details = new Map(); // media -> promise of its info

/** What the server knows of a file, asked once. */
export function infoOf(media) {
  if (!details.has(media)) {
    const asked = get(`/api/media/${media}/info`);
    asked.catch(() => details.delete(media));
    details.set(media, asked);
  }
  return details.get(media);
}

/** The address of a frame, at most `size` pixels wide and high; of a photo without a time. */
export const frameUrl = (media, time, size = 640) =>
  `/api/frame/${media}.jpg?size=${size}${time === null ? "" : `&t=${time.toFixed(3)}`}`;

export function hoverPlay(place, board, { media, time }) {
  let going = null; // of one visit: { timer }

  async function play(visit) {
    const info = await infoOf(media);
    if (!info.there || !info.width || going !== visit) return;
    const last = Math.max((info.duration ?? time) - 0.05, 0);
    const times = Array.from({ length: FRAMES }, (_, n) => Math.min(Math.max(time - 0.5 + n / FRAMES, 0), last));
    const images = await Promise.all(times.map((t) => loaded(frameUrl(media, t))));
    if (going !== visit) return;
    const picture = svg("image", { class: "motion", width: info.width, height: info.height,
      preserveAspectRatio: "none" });
    board.append(picture);
    let n = 0;
    const step = () => { picture.setAttribute("href", images[n++ % FRAMES]); };
    step();
    visit.timer = setInterval(step, 1000 / FRAMES);
  }

  function start() {
    if (going || still.matches) return;
    const visit = { timer: 0 };
    going = visit;
    visit.timer = setTimeout(() => play(visit).catch(() => {}), PAUSE); // a hit that cannot be played stays a picture
  }

  function stop() {
    if (!going) return;
    clearTimeout(going.timer);
    clearInterval(going.timer);
    going = null;
    board.querySelector(".motion")?.remove();
  }

  for (const kind of ["pointerenter", "focus"]) place.addEventListener(kind, start);
  for (const kind of ["pointerleave", "blur", "click"]) place.addEventListener(kind, stop);
}

/** The address again, once the browser has its picture. */
function loaded(url) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(url);
    image.onerror = reject;
    image.src = url;
  });
}
