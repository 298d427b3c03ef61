"""What the keypoint formats share: the type they return, JSON, and the rules for joints that are not there."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.errors import FormatError, UsageError
from samepose.media import irregular, one_line
from samepose.poses import Poses
from samepose.skeleton import SKELETONS

KNOWN_SKELETONS = ", ".join(f"{s.name} ({len(s)} joints)" for s in SKELETONS.values())
LARGEST_NUMBER = 1e9  # pixels; beyond it is damage, and float32 would soon be infinite

_LONGEST_NAME = 255  # bytes of a file's name, on any file system that people use


@dataclass(frozen=True, eq=False)
class KeypointFile:
    """Poses as a file gives them, with the picture or clip each belongs to.

    Attributes:
        poses: (N) poses in the file's order.
        media: N names as the file writes them (a path, a file name or an id); "" where it names none.
    """

    poses: Poses
    media: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.media) != len(self.poses):
            raise UsageError(f"{len(self.media)} media names for {len(self.poses)} poses; give one for each pose")

    def located(self, media: Sequence[Path], otherwise: Path) -> KeypointFile:
        """The same poses with the photos and videos that are meant by the names, which may leave out folders.

        Args:
            media: photos, videos and folders that the names are looked for in. A single file is meant by whatever name,
                if all poses are of one.
            otherwise: where poses that name nothing belong.
        """
        alone = len(set(self.media)) == 1 and len(media) == 1
        places = {name: _located(name, media, alone) or name or str(otherwise) for name in set(self.media)}
        return replace(self, media=tuple(places[name] for name in self.media))


def _located(name: str, media: Sequence[Path], alone: bool) -> str | None:
    for path in media:
        if path.is_dir() and name and (path / name).is_file():
            return str(path / name)
        if path.is_file() and (alone or path.name == Path(name).name):
            return str(path)
    return None


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        FormatError: the file cannot be read or is not JSON.
    """
    if what := irregular(path):
        raise FormatError(f"{path}: {what}")
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editors put a mark in front
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not JSON (not UTF-8 text); export it again") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise FormatError(f"{path}: not JSON ({where}); export it again, it may be cut short") from error
    except (RecursionError, ValueError, MemoryError) as error:  # nested, or a number of more digits than Python reads
        what = "it is nested too deeply" if isinstance(error, RecursionError) else "a number in it is too long"
        raise FormatError(f"{path}: not JSON that can be read ({what}); export it again") from error


def checked_names(names: Iterable[str], path: Path | str) -> tuple[str, ...]:
    """The names of pictures that a file gives.

    Raises:
        FormatError: a name that no file can have.
    """
    checked = tuple(names)
    for name in set(checked):
        try:
            encoded = os.fsencode(name)
            possible = b"\0" not in encoded and max(map(len, encoded.split(b"/"))) <= _LONGEST_NAME
        except UnicodeEncodeError:  # half a character of UTF-16
            possible = False
        if not possible:
            raise FormatError(f"{path}: names a picture {one_line(ascii(name))}; no file can be called so")
    return checked


def triples(values: Any, where: str) -> Float[np.ndarray, "joint 3"]:
    """x, y and score of each joint from the flat list that COCO and OpenPose write; null is NaN.

    Args:
        where: file and person, to begin an error message with.

    Raises:
        FormatError: not a list of numbers in threes, or infinite ones.
    """
    try:
        flat = np.array(values, np.float64).reshape(-1)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise FormatError(f"{where} has keypoints that are not numbers; write x, y, score for each joint") from error
    if flat.size % 3:
        raise FormatError(f"{where} has {flat.size} keypoint numbers, not threes; write x, y, score for each joint")
    if (np.abs(flat) > LARGEST_NUMBER).any():
        raise FormatError(f"{where} has infinite or absurd keypoint numbers; write 0, 0, 0 for a missing joint")
    return flat.reshape(-1, 3)


def mark_missing(
    points: Float[np.ndarray, "n joint 2"], scores: Float[np.ndarray, "n joint"]
) -> Float[np.ndarray, "n joint 2"]:
    """Points with NaN for joints that are not there.

    Formats without NaN write a missing joint as (0, 0) or with a score of 0, so either is taken to mean it.
    """
    absent = (points == 0).all(axis=-1) | ~(scores > 0)
    return np.where(absent[..., None], np.nan, points)


def ranked(poses: Poses, pictures: Sequence[Hashable]) -> Poses:
    """Poses whose `tracks` are ranks of prominence, 0 = first; people with equal `pictures` are in the same one."""
    tracks = np.zeros(len(poses), np.int64)
    seen: Counter[Hashable] = Counter()
    for i in np.argsort(-poses.prominence(), kind="stable"):
        tracks[i] = seen[pictures[i]]
        seen[pictures[i]] += 1
    return replace(poses, tracks=tracks)
