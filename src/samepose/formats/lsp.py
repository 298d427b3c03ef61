"""Leeds Sports Pose and its extension (Johnson & Everingham 2010, 2011): `joints.mat` beside a folder of images.

LSP stores (3, 14, n), LSP-Extended (14, 3, n); both x, y and a flag for each of the 14 joints, left and right being
the person's own. The flag is 1 for a joint that is occluded in LSP, and for one that was marked in LSP-Extended, which
does not say what is occluded. LSP's first 1,000 images are for training, the others for tests; LSP-Extended is all for
training.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from samepose.errors import FormatError
from samepose.formats.labelled import LabelledPeople, image_files
from samepose.poses import Poses
from samepose.skeleton import LSP14

LSPET_SPLIT = Path(__file__).with_name("lspet_split.txt")
_LSP_TRAINING = 1000  # the first of LSP's 2,000 images; the other half is for testing
_LSP_IMAGES = 2000


def parse_lsp(joints: Any, path: Path, root: Path) -> LabelledPeople:
    """Everyone of the `joints` of a `joints.mat`, one person per image.

    Images belong to columns by the number in their name, from 1, or from the lowest where the highest fits the last
    column; some may be missing. If the numbers do not fit, they belong in sorted order, and must be as many as columns.

    Args:
        path: of the file, for messages and as the place of images that are missing.
        root: folder to look for images in.

    Raises:
        FormatError: of another shape, or images that cannot be matched to the columns.
    """
    joints = np.asarray(joints)
    if joints.ndim == 2:  # a single person: the reader drops the last axis
        joints = joints[..., None]
    if joints.dtype.kind not in "fiu" or joints.ndim != 3 or joints.shape[:2] not in ((3, 14), (14, 3)):
        raise FormatError(f"{path}: joints is {joints.dtype} {joints.shape}; expected (3, 14, n) or (14, 3, n)")
    rows = joints.transpose(2, 1, 0) if joints.shape[0] == 3 else joints.transpose(2, 0, 1)
    points, flags = rows[..., :2].astype(np.float32), rows[..., 2] > 0
    marked, occluded = _read_flags(points, flags)
    poses = Poses.of(np.where((marked & np.isfinite(points).all(axis=-1))[..., None], points, np.nan), LSP14)
    extended = len(poses) > _LSP_IMAGES or (joints.shape[0] == 14 and not occluded.any())
    subsets = None
    if not extended and len(poses) == _LSP_IMAGES:
        subsets = ["train" if i < _LSP_TRAINING else "test" for i in range(len(poses))]
    images = _in_columns(path, list(image_files(root).values()), len(poses))
    return LabelledPeople.of("LSP-Extended" if extended else "LSP", poses, images, occluded=occluded, subsets=subsets)


def _read_flags(
    points: Float[np.ndarray, "n 14 2"], flags: Bool[np.ndarray, "n 14"]
) -> tuple[Bool[np.ndarray, "n 14"], Bool[np.ndarray, "n 14"]]:
    """Which joints were marked, and which are occluded.

    The two meanings of the flag tell themselves apart: joints that were not marked lie at (0, 0) or at negative
    coordinates, and copies of either set circulate in either shape.
    """
    nowhere: np.ndarray = np.asarray((points <= 0).any(axis=-1))
    unmarked = ~flags
    if not unmarked.any() or nowhere[unmarked].mean() > 0.5:
        return flags, np.zeros_like(flags)
    return ~nowhere, flags


def _in_columns(path: Path, files: Sequence[Path], count: int) -> list[Path]:
    numbers = [_number(file) for file in files]
    first = min(numbers) if files and max(numbers) - min(numbers) == count - 1 else 1
    by_number = {number: file for number, file in zip(numbers, files) if first <= number < first + count}
    if files and len(by_number) == len(files):
        missing = path.parent / "images"
        return [by_number.get(i, missing / f"im{i:05d}.jpg") for i in range(first, first + count)]
    if len(files) == count:
        return [file for _, _, file in sorted(zip(numbers, map(str, files), files))]
    raise FormatError(
        f"{path}: labels {count} images but {len(files)} are there, and their numbers do not tell which; "
        "put the data set's own images beside it, and no others"
    )


def lspet_split() -> dict[str, list[int]]:
    """The committed "train", "database" and "queries" of LSP-Extended: numbers of its people, counted from 0."""
    split: dict[str, list[int]] = {}
    for line in LSPET_SPLIT.read_text().splitlines():
        if not line.startswith("#"):
            name, number = line.split()
            split.setdefault(name, []).append(int(number))
    return split


def _number(file: Path) -> int:
    """The last number in a file's name, 0 where there is none."""
    digits = re.findall(r"\d+", file.stem)
    return int(digits[-1]) if digits else 0
