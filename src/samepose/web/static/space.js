// The query in space: a figure that one can turn, and that follows as the pose is bent.

import { post } from "./api.js";
import { extent, Figure } from "./figure.js";
import { keypointsOf } from "./pose.js";
import { el } from "./ui.js";

const LEAST = 0.1; // readings less probable than this are not offered

export class Space {
  constructor({ joints, bones }) {
    const canvas = el("canvas", { class: "space", tabindex: 0, role: "img",
      "aria-label": "The pose in space; arrow keys turn it, plus and minus zoom, 0 turns it back" });
    const at = (joint) => joints.indexOf(joint);
    this.figure = new Figure(canvas, { joints, bones: bones.map(([a, b]) => [at(a), at(b)]) });
    this.readings = el("div", { class: "segments", role: "radiogroup", "aria-label": "What the pose could be" });
    this.told = el("p", { class: "small muted", role: "status" });
    this.root = el("details", { class: "card space-card", open: matchMedia("(min-width: 900px)").matches },
      el("summary", {}, "In space"), canvas, this.readings, this.told);
    this.root.addEventListener("toggle", () => this.run());
    Object.assign(this, { wanted: null, busy: false });
  }

  /** Show this pose; while one is asked for, only the last of those that came meanwhile is asked for next. */
  show(pose) {
    this.wanted = pose;
    this.run();
  }

  async run() {
    if (this.busy) return;
    this.busy = true;
    while (this.wanted && this.root.open) {
      const pose = this.wanted;
      this.wanted = null;
      try {
        const { people: [person] } = await post("/api/lift", { keypoints: keypointsOf(pose), skeleton: "BODY13" });
        this.lifted(person);
      } catch (error) {
        if (error.kind === "lost") break;
        this.readings.hidden = true;
        this.figure.show([]);
        this.told.textContent = error.message;
      }
    }
    this.busy = false;
  }

  lifted({ alternatives }) {
    this.told.textContent = "";
    this.figure.frame(extent(alternatives[0].points));
    this.figure.show(alternatives[0].points);
    const offered = alternatives.filter(({ weight }) => weight >= LEAST);
    this.readings.hidden = offered.length < 2;
    this.readings.replaceChildren(...offered.map(({ points, weight }, k) => el("label", {},
      el("input", { type: "radio", name: "reading", value: k, checked: k === 0,
        onchange: () => this.figure.show(points) }), `${Math.round(weight * 100)} %`)));
  }
}
