"""COCO keypoint JSON: results (a list, one object per person) and annotations (a dict with images and categories).

A person's `keypoints` are x, y and a third number for each joint: a score in results, in annotations 0 = not labelled,
1 = labelled but hidden, 2 = visible. Both labelled kinds have coordinates, so both count as score 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from samepose.errors import FormatError, UsageError
from samepose.formats.keypointfile import (
    KNOWN_SKELETONS,
    LARGEST_NUMBER,
    KeypointFile,
    checked_names,
    mark_missing,
    ranked,
    triples,
)
from samepose.media import one_line
from samepose.poses import Poses
from samepose.skeleton import COCO17, SKELETONS, Skeleton

# How data sets spell joints that `samepose.skeleton` names otherwise.
_ALIASES = {
    "upper_neck": "neck", "top_head": "head_top", "headtop": "head_top", "top_of_head": "head_top",
    "mid_hip": "pelvis", "midhip": "pelvis", "hip": "pelvis", "root": "pelvis",
}
_LOWEST_SCORE = 1e-4  # written for a joint that is there but scores less: 0 would mean that it is missing


def parse_coco(content: Any, path: Path) -> KeypointFile:
    """People of a COCO results or annotations file, in the file's order; those without any joint are left out.

    Results have COCO's 17 joints. Annotations may name others in their category: they come back as the smallest known
    skeleton that has them all. `media` is the image's file name, or its id where the file gives no name.

    Args:
        content: the file's JSON.
        path: for messages.

    Raises:
        FormatError: not COCO keypoints, another number of joints, or joints no known skeleton has.
    """
    try:
        return _parse(content, path)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, UsageError) as error:
        what = one_line(error)
        raise FormatError(f"{path}: a field is not as in COCO's keypoint format ({what}); export it again") from error


def _parse(content: Any, path: Path) -> KeypointFile:
    people, images, categories = _sections(content, path)
    category_ids = [person.get("category_id") for person in people]
    by_category = {category: _layout(categories.get(category), path) for category in set(category_ids)}
    layouts = [by_category[category] for category in category_ids]
    skeletons = {skeleton.name for skeleton, _ in layouts}
    if len(skeletons) > 1:
        raise FormatError(f"{path}: mixes skeletons ({', '.join(sorted(skeletons))}); split it by category")
    skeleton = layouts[0][0] if layouts else COCO17
    raw = np.full((len(people), len(skeleton), 3), np.nan)
    for i, (person, (_, order)) in enumerate(zip(people, layouts)):
        raw[i, order] = _joints(person, len(order), f"{path}: person {i}")
    points = mark_missing(raw[..., :2], raw[..., 2])
    kept = [i for i in range(len(people)) if not np.isnan(points[i]).all()]
    people = [people[i] for i in kept]
    media = checked_names((_media(person, images, path) for person in people), path)
    return KeypointFile(_poses(people, points[kept], raw[kept, :, 2], skeleton, media), media)


def coco_results(poses: Poses, media: Sequence[str]) -> list[dict[str, Any]]:
    """COCO results, one object per person: COCO's own fields, and `file_name`, `frame`, `time`, `track` beside them.

    Other skeletons are converted to COCO's 17 joints; a missing joint is written as 0, 0, 0 as COCO does. `image_id`
    counts the pictures (a file, or one frame of a clip) from 1; `time` is in seconds, null for an image.

    Args:
        poses: 2D poses in pixels.
        media: the file each pose comes from.

    Raises:
        UsageError: the poses are not 2D pixels, or there is not one name for each.
    """
    if poses.unit != "pixel" or poses.points.shape[2] != 2:
        raise UsageError("COCO results hold 2D poses in pixels; save these as .npz")
    named = KeypointFile(poses.to(COCO17), tuple(media))
    pictures: dict[tuple[str, int], int] = {}
    boxes = np.round(np.nan_to_num(poses.boxes.astype(np.float64)), 2).tolist()
    results = []
    for i, (name, keypoints, (x0, y0, x1, y1)) in enumerate(zip(named.media, _flat(named.poses), boxes)):
        frame, time = int(poses.frames[i]), float(poses.times[i])
        results.append({
            "image_id": pictures.setdefault((name, frame), len(pictures) + 1),
            "file_name": name,
            "category_id": 1,
            "keypoints": keypoints,
            "score": round(float(poses.person_scores[i]), 4),
            "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
            "frame": frame,
            "time": None if np.isnan(time) else round(time, 6),
            "track": int(poses.tracks[i]),
        })
    return results


def _sections(content: Any, path: Path) -> tuple[list[dict], dict[Any, str], dict[Any, Any]]:
    """People that have keypoints, file name by image id, joint names by category id."""
    if isinstance(content, list):
        everyone, images, categories = content, {}, {}
    elif isinstance(content, dict) and isinstance(content.get("annotations"), list):
        everyone = content["annotations"]
        try:
            images = {image["id"]: str(image["file_name"]) for image in content["images"]}
            categories = {c["id"]: c.get("keypoints") for c in content.get("categories", [])}
        except (KeyError, TypeError) as error:
            raise FormatError(f"{path}: COCO images need id and file_name, categories an id ({one_line(error)}); "
                              "export it again") from error
    else:
        raise FormatError(f"{path}: not COCO keypoints; expected a list of results, or a dict with 'annotations'")
    people = [person for person in everyone if isinstance(person, dict) and person.get("keypoints") is not None]
    if everyone and not people:
        raise FormatError(f"{path}: nobody in it has 'keypoints'; export keypoints, not boxes or segmentations")
    return people, images, categories


def _layout(names: Any, path: Path) -> tuple[Skeleton, Int[np.ndarray, " joint"]]:
    """The skeleton of a category, and the position in it of each joint of the file."""
    if not names:
        return COCO17, np.arange(len(COCO17))
    joints = [_joint_name(str(name)) for name in names]
    fitting = [s for s in SKELETONS.values() if set(joints) <= set(s.joints)]
    if not fitting or len(set(joints)) < len(joints):
        known = {joint for s in SKELETONS.values() for joint in s.joints}
        strange = [str(name) for name, joint in zip(names, joints) if joint not in known]
        theirs = one_line(", ".join(strange or joints))
        raise FormatError(f"{path}: no known skeleton has its joints ({theirs}); known: {KNOWN_SKELETONS}")
    skeleton = min(fitting, key=len)
    return skeleton, np.array([skeleton.index(joint) for joint in joints])


def _joint_name(name: str) -> str:
    """`left_knee` for "Left Knee", "left-knee" or "l_knee"."""
    name = name.strip().lower().replace(" ", "_").replace("-", "_")
    for short, side in (("l_", "left_"), ("r_", "right_")):
        if name.startswith(short):
            name = side + name[2:]
    return _ALIASES.get(name, name)


def _joints(person: dict, count: int, where: str) -> Float[np.ndarray, "joint 3"]:
    rows = triples(person["keypoints"], where)
    if len(rows) != count:
        raise FormatError(
            f"{where} has {len(rows)} joints, expected {count}; name other joints in 'categories' "
            f"(known: {KNOWN_SKELETONS})"
        )
    return rows


def _media(person: dict, images: dict[Any, str], path: Path) -> str:
    image = person.get("image_id", "")
    if images and image not in images:
        raise FormatError(f"{path}: an annotation's image_id {image!r} is not among its images; add the image")
    return images[image] if images else str(person.get("file_name", image))


def _poses(
    people: list[dict],
    points: Float[np.ndarray, "n joint 2"],
    scores: Float[np.ndarray, "n joint"],
    skeleton: Skeleton,
    media: tuple[str, ...],
) -> Poses:
    """Poses with what else the file says of each person; what it does not say follows from the joints."""
    poses = Poses.of(
        points, skeleton, scores=scores,
        frames=[person.get("frame") or 0 for person in people],
        times=[person.get("time") for person in people],
    )
    boxes, person_scores = poses.boxes.copy(), poses.person_scores.copy()
    for i, person in enumerate(people):
        if person.get("bbox") is not None:
            x, y, width, height = (_number(v) for v in person["bbox"])
            boxes[i] = x, y, x + width, y + height
        if person.get("score") is not None:
            person_scores[i] = np.clip(np.nan_to_num(float(person["score"])), 0, 1)
    poses = replace(poses, boxes=boxes, person_scores=person_scores)
    tracks = [person.get("track", person.get("track_id")) for person in people]
    if any(track is None for track in tracks):
        return ranked(poses, list(zip(media, poses.frames)))
    return replace(poses, tracks=np.array(tracks, np.int64).reshape(len(people)))


def _number(value: Any) -> float:
    """A number that a picture can have; NaN is one.

    Raises:
        ValueError: it is infinite or absurd.
    """
    number = float(value)
    if abs(number) > LARGEST_NUMBER:
        raise ValueError(f"{number:g} is too large")
    return number


def _flat(poses: Poses) -> list[list[float]]:
    """x, y, score of each joint in a row, for every pose; 0, 0, 0 for a missing joint."""
    scores = np.maximum(np.round(poses.scores.astype(np.float64), 4), _LOWEST_SCORE)
    rows = np.concatenate([np.round(poses.points.astype(np.float64), 2), scores[..., None]], axis=-1)
    rows[~poses.visible] = 0
    flat: list[list[float]] = rows.reshape(len(poses), 3 * len(poses.skeleton)).tolist()
    return flat
