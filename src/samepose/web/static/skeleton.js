// People as sticks: the person's left orange, right blue, middle white, on a dark outline. As the library draws them.

import { session } from "./api.js";
import { side } from "./figure.js"; // of the room `report`, which writes pages with figures too
import { svg } from "./ui.js";

export { side };

const SURE = 0.25; // joints that score less are not drawn

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
