// The pose that is bent: joints by name with undo, and its short form for addresses.

const UNSURE = 0.25; // a detected joint that scores less starts hidden
const FORMAT = 1;
const RANGE = [-0.5, 1.5]; // of the picture's width and height that an address can tell

/** The joints to bend, from keypoints by name: { joint: { x, y, score, hidden } }, of `joints` only. */
export function poseOf(keypoints, joints) {
  const known = joints.filter((joint) => keypoints[joint]);
  return Object.fromEntries(known.map((joint) => {
    const [x, y, score = 1] = keypoints[joint];
    return [joint, { x, y, score, hidden: score < UNSURE }];
  }));
}

/** The keypoints that are searched for. */
export function keypointsOf(pose) {
  const shown = Object.entries(pose).filter(([, { hidden }]) => !hidden);
  return Object.fromEntries(shown.map(([joint, { x, y, score }]) => [joint, [x, y, score]]));
}

/** Left for right: the picture's mirror image of the pose, about its own middle. */
export function mirrored(pose) {
  const xs = Object.values(pose).map(({ x }) => x);
  const twice = Math.min(...xs) + Math.max(...xs);
  const other = (joint) => joint.replace(/^(left|right)/, (side) => (side === "left" ? "right" : "left"));
  return Object.fromEntries(Object.entries(pose).map(([joint, point]) =>
    [other(joint), { ...point, x: twice - point.x }]));
}

/** Where a joint may be that was not found: on from the bone before it, else beside what it is joined to. */
export function guessed(joint, pose, bones) {
  const joined = (to) => bones.filter((bone) => bone.includes(to)).map(([a, b]) => (a === to ? b : a));
  const [near] = joined(joint).filter((other) => pose[other]);
  const far = near && joined(near).find((other) => other !== joint && pose[other]);
  if (far) return ["x", "y"].map((axis) => pose[near][axis] + 0.7 * (pose[near][axis] - pose[far][axis]));
  const known = near ? [pose[near]] : Object.values(pose);
  return ["x", "y"].map((axis) => known.reduce((sum, point) => sum + point[axis], 0) / known.length);
}

/** States to go back and forward in. */
export class History {
  constructor(first) {
    this.states = [first];
    this.at = 0;
  }

  get now() { return this.states[this.at]; }
  get first() { return this.states[0]; }
  get canUndo() { return this.at > 0; }
  get canRedo() { return this.at < this.states.length - 1; }

  push(state) {
    this.states = [...this.states.slice(0, this.at + 1), state].slice(-200);
    this.at = this.states.length - 1;
  }

  undo() { this.at = Math.max(this.at - 1, 0); }
  redo() { this.at = Math.min(this.at + 1, this.states.length - 1); }
}

/** A pose on a picture of `size` as about 100 letters: for each joint x and y (16 bits each), score, hidden. */
export function encode(pose, joints, { width, height }) {
  const view = new DataView(new ArrayBuffer(5 + joints.length * 6));
  view.setUint8(0, FORMAT);
  view.setUint16(1, width);
  view.setUint16(3, height);
  joints.forEach((joint, k) => {
    const point = pose[joint];
    if (!point) return; // all zero: not there
    const at = 5 + k * 6;
    view.setUint16(at, scaled(point.x / width));
    view.setUint16(at + 2, scaled(point.y / height));
    view.setUint8(at + 4, Math.round(point.score * 255));
    view.setUint8(at + 5, point.hidden ? 2 : 1);
  });
  return btoa(String.fromCharCode(...new Uint8Array(view.buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** What `encode` told, as { pose, width, height }; null if it is not that. */
export function decode(code, joints) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(code.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
  const view = new DataView(bytes.buffer);
  if (bytes.length !== 5 + joints.length * 6 || view.getUint8(0) !== FORMAT) return null;
  const [width, height] = [view.getUint16(1), view.getUint16(3)];
  const pose = {};
  joints.forEach((joint, k) => {
    const at = 5 + k * 6;
    const mark = view.getUint8(at + 5);
    if (mark) {
      pose[joint] = { x: unscaled(view.getUint16(at)) * width, y: unscaled(view.getUint16(at + 2)) * height,
        score: view.getUint8(at + 4) / 255, hidden: mark === 2 };
    }
  });
  return width && height && Object.keys(pose).length ? { pose, width, height } : null;
}

const scaled = (part) => Math.round(Math.min(Math.max((part - RANGE[0]) / (RANGE[1] - RANGE[0]), 0), 1) * 65535);
const unscaled = (value) => (value / 65535) * (RANGE[1] - RANGE[0]) + RANGE[0];
