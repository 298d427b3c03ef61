// People as sticks: the person's left orange, right blue, middle white, on a dark outline. As the library draws them.

import { session } from "./api.js";
import { svg } from "./ui.js";

export const COLOURS = { left: "#ff8c00", right: "#0082ff", middle: "#f0f0f0", outline: "#141414" };
const SURE = 0.25; // joints that score less are not drawn

/** "left", "right" or "middle": a bone is of a side if none of its ends is of the other. */
export function side(...joints) {
  const sides = new Set(joints.map((joint) => joint.split("_")[0]).filter((s) => s === "left" || s === "right"));
  return sides.size === 1 ? [...sides][0] : "middle";
}

/** "left_elbow" as people say it. */
export const spoken = (joint) => joint.replaceAll("_", " ");

/** Pairs of joints to join, of a skeleton by name. */
export async function bonesOf(name) {
  const { skeletons } = await session();
  return (skeletons.find((skeleton) => skeleton.name === name) ?? skeletons[0]).bones;
}

/** The joints, of { joint: [x, y, score] }, that are sure enough to be drawn. */
export function seen(keypoints, below = SURE) {
  return Object.entries(keypoints).filter(([, [, , score = 1]]) => score >= below);
}

/** Joints by name of one row of `/api/track`; what is not seen is left out. */
export function named(joints, row) {
  return Object.fromEntries(joints.map((joint, k) => [joint, row[k]]).filter(([, point]) => point));
}

/**
 * Draw one person on a canvas.
 * `place` takes x, y of the picture to x, y of the canvas; `width` is that of a bone, in pixels of the canvas.
 * `ringed` are joints to be ringed.
 */
export function drawSkeleton(context, keypoints, bones, place, { width = 3, ringed = [], below = SURE } = {}) {
  const at = new Map(seen(keypoints, below).map(([joint, [x, y]]) => [joint, place(x, y)]));
  context.lineCap = "round";
  for (const [thick, plain] of [[width * 1.9, COLOURS.outline], [width, null]]) {
    for (const [a, b] of bones) {
      if (!at.has(a) || !at.has(b)) continue;
      context.strokeStyle = plain ?? COLOURS[side(a, b)];
      context.lineWidth = thick;
      context.beginPath();
      context.moveTo(...at.get(a));
      context.lineTo(...at.get(b));
      context.stroke();
    }
    for (const [joint, [x, y]] of at) {
      context.fillStyle = plain ?? COLOURS[side(joint)];
      context.beginPath();
      context.arc(x, y, thick * 0.9, 0, 2 * Math.PI);
      context.fill();
    }
  }
  context.strokeStyle = "#ff2d6f";
  context.lineWidth = width * 0.8;
  for (const joint of ringed.filter((name) => at.has(name))) {
    context.beginPath();
    context.arc(...at.get(joint), width * 3.5, 0, 2 * Math.PI);
    context.stroke();
  }
}

/**
 * One person as an SVG group in pixels of the picture; its lines keep their width however the picture is scaled.
 * Sits in an <svg viewBox="x y width height"> over the picture.
 */
export function skeletonGroup(keypoints, bones, { below = SURE } = {}) {
  const at = new Map(seen(keypoints, below));
  const lines = bones.filter(([a, b]) => at.has(a) && at.has(b));
  const line = ([a, b], kind) => svg("line", { class: `bone ${kind}`, x1: at.get(a)[0], y1: at.get(a)[1],
    x2: at.get(b)[0], y2: at.get(b)[1] });
  return svg("g", { class: "skeleton" }, lines.map((bone) => line(bone, "outline")),
    lines.map((bone) => line(bone, side(...bone))));
}
