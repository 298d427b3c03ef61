// A person in space on a canvas, to be turned by pointer, touch and keys. Nothing here knows where the poses come from.

export const COLOURS = { left: "#ff8c00", right: "#0082ff", middle: "#f0f0f0", outline: "#141414" };

/** "left", "right" or "middle": a bone is of a side if none of its ends is of the other. */
export function side(...joints) {
  const sides = new Set(joints.map((joint) => joint.split("_")[0]).filter((s) => s === "left" || s === "right"));
  return sides.size === 1 ? [...sides][0] : "middle";
}

const START = { yaw: -0.35, pitch: 0.16, zoom: 1 };
const LIMIT = { pitch: [-0.2, 1.5], zoom: [0.5, 4] };
const LENS = 4.2; // how far the eye is, in heights of what is shown
const STEP = 0.5; // metres between the lines of the ground
const THIN = 0.021, HEAD = 0.052; // of a body of height 1: half of a bone's width, and of the head's

const clamp = (value, [low, high]) => Math.min(Math.max(value, low), high);

/** The middle of what is shown, half its height and its floor, from points of all moments: `[[x, y, z] or null, …]`. */
export function extent(points) {
  const seen = points.filter(Boolean);
  const range = [0, 1, 2].map((axis) => seen.reduce(([low, high], p) => [Math.min(low, p[axis]), Math.max(high, p[axis])],
    [Infinity, -Infinity]));
  const height = Math.max(range[1][1] - range[1][0], 0.5);
  return { middle: range.map(([low, high]) => (low + high) / 2), height, floor: range[1][0] };
}

/**
 * The figure on a canvas. `joints` are names, `bones` pairs of their numbers; metres, x right, y up, z to the viewer.
 * `changed` is called when the view was turned by the user.
 */
export class Figure {
  constructor(canvas, { joints, bones, changed = () => {} }) {
    Object.assign(this, { canvas, joints, bones, changed, view: { ...START }, points: [], faint: [], at: [0, 0, 0] });
    this.bounds = { middle: [0, 0.9, 0], height: 1.8, floor: 0 };
    this.sides = bones.map(([a, b]) => side(joints[a], joints[b]));
    this.head = joints.indexOf("head_top");
    this.pointers = new Map();
    this.listen();
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(canvas);
  }

  /** What all moments take, see `extent`: the view holds still while they play. */
  frame(bounds) {
    this.bounds = bounds;
    this.draw();
  }

  /** Show one pose, `[[x, y, z] or null, …]`; `faint` are poses drawn behind it, such as alternatives. */
  show(points, faint = []) {
    this.points = points;
    this.faint = faint;
    const root = points[0] ?? this.at;
    this.at = [root[0], this.bounds.middle[1], root[2]]; // the eye goes along with the person
    this.draw();
  }

  turn(yaw, pitch) {
    this.view.yaw += yaw;
    this.view.pitch = clamp(this.view.pitch + pitch, LIMIT.pitch);
    this.draw();
    this.changed();
  }

  zoom(factor) {
    this.view.zoom = clamp(this.view.zoom * factor, LIMIT.zoom);
    this.draw();
    this.changed();
  }

  reset() {
    this.view = { ...START };
    this.draw();
    this.changed();
  }

  /** From the front: as the camera saw it. */
  front() {
    this.view = { yaw: 0, pitch: 0, zoom: this.view.zoom };
    this.draw();
    this.changed();
  }

  listen() {
    const { canvas, pointers } = this;
    canvas.style.touchAction = "pan-y"; // a finger that goes up or down scrolls the page
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = [event.clientX, event.clientY];
      if (pointers.size === 1) {
        this.turn((now[0] - before[0]) * 0.01, (now[1] - before[1]) * 0.007);
      } else {
        const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
        const apart = (p) => Math.max(Math.hypot(p[0] - other[0], p[1] - other[1]), 1);
        this.zoom(apart(now) / apart(before));
      }
      pointers.set(event.pointerId, now);
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
    }
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement !== canvas) return; // the page scrolls
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * 0.002));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const keys = {
        ArrowLeft: () => this.turn(-0.12, 0), ArrowRight: () => this.turn(0.12, 0),
        ArrowUp: () => this.turn(0, 0.08), ArrowDown: () => this.turn(0, -0.08),
        "+": () => this.zoom(1.15), "=": () => this.zoom(1.15), "-": () => this.zoom(1 / 1.15),
        0: () => this.reset(), Home: () => this.reset(),
      };
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  /** Takes x, y, z in metres to x, y and the size of a metre on the canvas, and how near it is. */
  projection(width, height) {
    const { yaw, pitch, zoom } = this.view;
    const [sy, cy, sp, cp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
    const far = LENS * this.bounds.height;
    const scale = (0.74 * Math.min(height, width * 1.1) / this.bounds.height) * zoom;
    return ([x, y, z]) => {
      const [px, py, pz] = [x - this.at[0], y - this.at[1], z - this.at[2]];
      const turned = [px * cy + pz * sy, pz * cy - px * sy];
      const near = py * sp + turned[1] * cp;
      const size = (scale * far) / Math.max(far - near, 0.1);
      return [width / 2 + turned[0] * size, height / 2 - (py * cp - turned[1] * sp) * size, size, near];
    };
  }

  draw() {
    const { canvas } = this;
    const density = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * density) || canvas.height !== Math.round(height * density)) {
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, width, height);
    const place = this.projection(width, height);
    const dark = getComputedStyle(canvas).colorScheme === "dark" || matchMedia("(prefers-color-scheme: dark)").matches;
    this.ground(pen, place, dark);
    this.shadow(pen, place, dark);
    for (const points of this.faint) this.body(pen, place, points, 0.28);
    this.body(pen, place, this.points, 1);
  }

  ground(pen, place, dark) {
    const { floor, height } = this.bounds;
    const reach = Math.ceil((height * 1.1) / STEP);
    const middle = [0, 2].map((axis) => Math.round(this.at[axis] / STEP));
    pen.lineWidth = 1;
    for (let k = -reach; k <= reach; k += 1) {
      for (const along of [0, 1]) {
        const corner = (end) => {
          const [p, q] = [(middle[along ? 0 : 1] + k) * STEP, (middle[along ? 1 : 0] + end * reach) * STEP];
          return place(along ? [p, floor, q] : [q, floor, p]);
        };
        const [from, to] = [corner(-1), corner(1)];
        const fade = 1 - Math.abs(k) / (reach + 1);
        pen.strokeStyle = dark ? `rgb(255 255 255 / ${0.22 * fade})` : `rgb(0 0 0 / ${0.2 * fade})`;
        pen.beginPath();
        pen.moveTo(from[0], from[1]);
        pen.lineTo(to[0], to[1]);
        pen.stroke();
      }
    }
  }

  shadow(pen, place, dark) {
    const flat = this.points.map((p) => p && place([p[0], this.bounds.floor, p[2]]));
    pen.strokeStyle = dark ? "rgb(0 0 0 / 45%)" : "rgb(0 0 0 / 13%)";
    pen.lineCap = "round";
    pen.lineJoin = "round";
    pen.lineWidth = 3.4 * THIN * this.bounds.height * (flat.find(Boolean)?.[2] ?? 1);
    pen.beginPath();
    for (const [a, b] of this.bones) {
      if (!flat[a] || !flat[b]) continue;
      pen.moveTo(flat[a][0], flat[a][1]);
      pen.lineTo(flat[b][0], flat[b][1]);
    }
    pen.stroke();
  }

  /** Bones from far to near, each on a dark outline: which limb is in front shows. */
  body(pen, place, points, opacity) {
    const at = points.map((p) => p && place(p));
    const crown = this.head >= 0 && at[this.head];
    const parts = this.bones.flatMap(([a, b], k) => (at[a] && at[b] && b !== this.head
      ? [{ a, b, kind: this.sides[k], near: (at[a][3] + at[b][3]) / 2 }] : []));
    if (crown) parts.push({ head: this.head, near: crown[3] + 0.01 });
    pen.globalAlpha = opacity;
    pen.lineCap = "round";
    for (const part of parts.sort((p, q) => p.near - q.near)) {
      if (part.head !== undefined) this.skull(pen, at);
      else this.bone(pen, at[part.a], at[part.b], COLOURS[part.kind]);
    }
    pen.globalAlpha = 1;
  }

  bone(pen, from, to, colour) {
    const width = THIN * 2 * this.bounds.height * Math.min((from[2] + to[2]) / 2, 1e4);
    for (const [thick, paint] of [[width + 3, COLOURS.outline], [width, colour]]) {
      pen.strokeStyle = paint;
      pen.lineWidth = thick;
      pen.beginPath();
      pen.moveTo(from[0], from[1]);
      pen.lineTo(to[0], to[1]);
      pen.stroke();
    }
  }

  /** A ball between neck and crown. */
  skull(pen, at) {
    const neck = this.joints.indexOf("neck");
    if (!at[neck]) return;
    const [crown, low] = [at[this.head], at[neck]];
    const radius = HEAD * this.bounds.height * crown[2];
    const middle = [0, 1].map((axis) => crown[axis] * 0.55 + low[axis] * 0.45);
    for (const [size, paint] of [[radius + 1.5, COLOURS.outline], [radius, COLOURS.middle]]) {
      pen.fillStyle = paint;
      pen.beginPath();
      pen.arc(middle[0], middle[1], size, 0, 2 * Math.PI);
      pen.fill();
    }
  }
}
