"""Keypoint data sets as users have them on disk: a folder or a label file, recognised by what it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from samepose.errors import FormatError
from samepose.formats.coco import parse_coco
from samepose.formats.flic import parse_flic
from samepose.formats.keypointfile import read_json
from samepose.formats.labelled import LabelledPeople, image_paths, subset_named
from samepose.formats.lsp import parse_lsp
from samepose.formats.matfile import read_mat
from samepose.formats.mpii import HEADS, parse_mpii_csv, parse_mpii_json, parse_mpii_mat
from samepose.formats.rendered import read_rendered, rendered_shards

_MAT_PARSERS: dict[str, Callable[[Any, Path, Path], LabelledPeople]] = {
    "joints": parse_lsp, "RELEASE": parse_mpii_mat, "examples": parse_flic}
_LABEL_FOLDERS = ("annot", "annotations")
_ROOM = 1.25  # side of the square around a person of COCO in longer sides of their box (usual in code for this set)


@np.errstate(over="ignore", invalid="ignore")  # numbers that float32 cannot hold become infinite: nowhere
def read_keypoint_set(path: Path | str) -> LabelledPeople:
    """LSP, LSP-Extended, MPII (or .csv of its joints alone), FLIC, COCO keypoints, or what `samepose synth` wrote.

    Args:
        path: the label file, or the folder that holds it and the images (labels also in `annot` or `annotations`).

    Raises:
        FormatError: nothing there, several label files, not one of these sets, or damaged.
    """
    path = Path(path)
    if shards := rendered_shards(path):
        return read_rendered(shards)
    if tables := _tables(path):
        return parse_mpii_csv(tables, path if path.is_dir() else path.parent)
    file = _label_file(path) if path.is_dir() else path
    root = path if path.is_dir() else file.parent.parent if file.parent.name in _LABEL_FOLDERS else file.parent
    if file.suffix.lower() == ".mat":
        variable, values = next(iter(read_mat(file, tuple(_MAT_PARSERS)).items()))
        return _MAT_PARSERS[variable](values, file, root)
    content = read_json(file)
    if isinstance(content, list) and content and isinstance(content[0], dict) and "joints" in content[0]:
        return parse_mpii_json(content, file, root)
    return _read_coco(content, file, root)


def _tables(path: Path) -> list[Path]:
    """MPII's joints as tables, in a folder without other labels; none if it is something else."""
    if not path.is_dir():
        return [path] if path.suffix.lower() == ".csv" else []
    labels = [*path.glob("*.mat"), *path.glob("*.json")]
    return [] if labels else sorted(path.glob("*joints.csv"))


def _label_file(folder: Path) -> Path:
    places = (folder, *(folder / name for name in _LABEL_FOLDERS))
    files = sorted(f for place in places for suffix in (".mat", ".json") for f in place.glob(f"*{suffix}")
                   if not f.name.startswith(HEADS))
    if len(files) != 1:
        what = f"holds {len(files)} label files; name one: {', '.join(f.name for f in files)}" if files else (
            "holds no .mat or .json file with labels; give the folder of LSP, MPII, FLIC, COCO keypoints or "
            "rendered people")
        raise FormatError(f"{folder}: {what}")
    return files[0]


def _read_coco(content: object, path: Path, root: Path) -> LabelledPeople:
    """Annotations of COCO's form. Crowds are left out: nobody's joints are marked there."""
    if not isinstance(content, dict):
        raise FormatError(f"{path}: is a list without 'joints'; give annotations (COCO) or people (MPII), not results")
    parsed = parse_coco(_visibility_as_score(content), path)
    boxes = parsed.poses.boxes
    return LabelledPeople.of(
        "COCO", parsed.poses, image_paths(parsed.media, root),
        occluded=parsed.poses.scores < 1, centres=(boxes[:, :2] + boxes[:, 2:]) / 2,
        sides=_ROOM * np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1),
        subsets=[subset_named(path)] * len(boxes),
    )


def _visibility_as_score(content: dict) -> dict:
    """The flags 1 (marked but hidden) and 2 (seen) as scores of 0.5 and 1, which survive the general reader."""
    def halved(person: object) -> object:
        if not isinstance(person, dict) or not isinstance(person.get("keypoints"), list):
            return person
        flat = list(person["keypoints"])
        flat[2::3] = [v / 2 if isinstance(v, (int, float)) else v for v in flat[2::3]]
        return {**person, "keypoints": flat}

    annotations = content.get("annotations")
    return {**content, "annotations": [halved(p) for p in annotations]} if isinstance(annotations, list) else content
