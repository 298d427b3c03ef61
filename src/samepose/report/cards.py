"""What the page and the sheet both show of a person: a crop with the skeleton drawn, and the words beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from samepose.errors import MediaError, UsageError
from samepose.media.draw import draw_poses
from samepose.media.image import resize
from samepose.media.picture import GROUND, picture_at
from samepose.media.remote import located
from samepose.poses import Poses

if TYPE_CHECKING:
    from samepose.index import Hit
    from samepose.query.query import Query

LEGEND_TEXT = ("person's left", "person's right")
_SCORE_TEXTS = {
    "keypoints": "Score: how probable it is that both are the same 3D pose, whatever the camera angle (0 to 1).",
    "pixels": "Score, by pixels: how probable it is that both are the same pose in the picture (0 to 1).",
    "both": "Score, by keypoints and pixels: how probable it is that both are the same pose (0 to 1).",
}

_JOINT_SCORE = 0.25
_MARGIN = 1.4  # joints end at the ankles and the nose: feet, hands and hair stick out
_SMALLEST_SIDE = 48  # pixels: a person farther away is shown with surroundings


@dataclass(frozen=True)
class Section:
    """A query and what it found.

    Attributes:
        query: what was searched for.
        hits: best first.
        title: above it, "" for none.
        notes: a few words for each hit, or none at all.
        ranked: the hits compete; else each is the best of its own video, and gets no number.
        first: number of the first hit, where they are numbered.
    """

    query: Query
    hits: Sequence[Hit]
    title: str = ""
    notes: Sequence[str] = ()
    ranked: bool = True
    first: int = 1

    def cards(self, root: Path, size: int) -> tuple[Card, list[Card]]:
        """The query's card and the hits', pictures at most `size` pixels wide and high."""
        notes = list(self.notes) or [""] * len(self.hits)
        if self.query.moment:
            notes = [", ".join(filter(None, (note, "" if hit.moment else "frame alone")))
                     for note, hit in zip(notes, self.hits)]
        hits = [hit_card(hit, note, root, size) for hit, note in zip(self.hits, notes)]
        if self.ranked:
            hits = [replace(card, rank=rank) for rank, card in enumerate(hits, self.first)]
        return _query_card(self.query, size), hits


def score_text(sections: Sequence[Section]) -> str:
    """What the scores of some sections mean."""
    return " ".join(dict.fromkeys(map(_score_text, sections))) or _SCORE_TEXTS["keypoints"]


def _score_text(section: Section) -> str:
    text, query = _SCORE_TEXTS[section.query.by], section.query
    if query.alone:
        return f"{text} The frame alone is compared, for {query.alone}."
    return f"{text} Compared with {query.moment:g} s before and after." if query.moment else text


@dataclass(frozen=True, eq=False)
class Card:
    """One person as shown.

    Attributes:
        picture: at most `size` pixels wide and high, the skeleton drawn.
        problem: why the skeleton stands on an empty canvas, None when it does not.
        rank: from 1; None for a query, and where hits do not compete.
        score: matching probability; None for a query.
        name, folder: of the file, as stored.
        when: time in the video, and the span of a hit; "" for an image.
        facts: label, person, note, in that order, where there are any.
        id: of a hit, "" for a query.
        link: to the photo, or to the moment of the video; "" where there is no file.
    """

    picture: UInt8[np.ndarray, "height width 3"]
    problem: str | None
    rank: int | None
    score: float | None
    name: str
    folder: str
    when: str
    facts: tuple[str, ...]
    mirrored: bool = False
    id: str = ""
    link: str = ""


def _query_card(query: Query, size: int) -> Card:
    picture, problem = _picture(query.image, query.time, query.pose, size, query.pixels)
    path = query.image or PurePath(query.source)
    when = "" if query.time is None else clock(query.time)
    person = f"person {query.person or 0}" if query.chosen else ""
    ignored = f"without {', '.join(query.ignored).replace('_', ' ')}" if query.ignored else ""
    facts = tuple(fact for fact in (person, ignored) if fact)
    return Card(picture, problem, None, None, path.name, _folder(path), when, facts)


def hit_card(hit: Hit, note: str, root: Path, size: int) -> Card:
    """A person of an index; the note stands before its other facts."""
    picture, problem = _picture(located(hit.path, root), hit.time, hit.pose, size)
    when = "" if hit.time is None else clock(hit.time)
    if hit.span and hit.span[1] > hit.span[0]:
        when += f"  in {clock(hit.span[0])} to {clock(hit.span[1])}"
    facts = (note, hit.label or "", f"person {hit.person}")
    path = PurePath(hit.path)
    return Card(picture, problem, None, hit.score, path.name, _folder(path), when, tuple(f for f in facts if f),
                hit.mirrored, hit.id, _link(located(hit.path, root), hit.time))


def _link(file: Path, time: float | None) -> str:
    """Address of a file, for a browser; of a video that plays from the time on (Media Fragments, W3C 2012)."""
    if not file.is_file():
        return ""
    return file.resolve().as_uri() + ("" if time is None else f"#t={time:.2f}")


def clock(seconds: float) -> str:
    """Minutes, seconds and hundredths, with hours where there are any: 1:02:03.45."""
    hundredths = round(seconds * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02d}" if hours else f"{minutes}"
    return (f"{hours}:" if hours else "") + f"{text}:{rest // 100:02d}.{rest % 100:02d}"


def _folder(path: PurePath) -> str:
    parent = path.parent.as_posix()
    return "" if parent == "." else parent


def _picture(
    file: Path | None, time: float | None, pose: Poses, size: int, pixels: UInt8[np.ndarray, "h w 3"] | None = None
) -> tuple[UInt8[np.ndarray, "height width 3"], str | None]:
    """The person cut out of the photo or frame; on an empty canvas, with the reason, where that cannot be read.

    Args:
        pixels: of the photo or frame, where it was read before.
    """
    pose = pose[0].hide(below=_JOINT_SCORE)
    try:
        image = picture_at(file, time) if pixels is None and file is not None else pixels
        problem = None
    except (MediaError, UsageError) as error:
        image, problem = None, str(error).removeprefix(f"{file}: ")
    x0, y0, x1, y1 = _window(pose, None if image is None else image.shape)
    scale = size / max(x1 - x0, y1 - y0)
    width, height = max(round((x1 - x0) * scale), 1), max(round((y1 - y0) * scale), 1)
    if image is None:
        crop = np.full((height, width, 3), GROUND, np.uint8)
    else:
        crop = resize(np.ascontiguousarray(image[y0:y1, x0:x1]), width, height)
    moved = replace(pose, points=(pose.points - np.array([x0, y0], np.float32)) * np.float32(scale))
    return draw_poses(crop, moved), problem


def _window(pose: Poses, shape: tuple[int, ...] | None) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1: a square around the joints, moved into the image and cut where it is larger than that."""
    low, high = _extent(pose, shape)
    side = int(np.ceil(max(float((high - low).max()) * _MARGIN, _SMALLEST_SIDE)))
    corner = np.round((low + high - side) / 2).astype(int)
    size = np.array([side, side])
    if shape is not None:
        bounds = np.array([shape[1], shape[0]])
        size = np.minimum(size, bounds)
        corner = np.clip(corner, 0, bounds - size)
    return int(corner[0]), int(corner[1]), int(corner[0] + size[0]), int(corner[1] + size[1])


def _extent(pose: Poses, shape: tuple[int, ...] | None) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Least and greatest x, y of the joints that are seen, or of the box; else, or beyond the image, all of this."""
    seen = pose.points[0][pose.visible[0]].astype(np.float64)
    if not len(seen) and np.isfinite(pose.boxes).all():
        seen = pose.boxes[0].reshape(2, 2).astype(np.float64)
    whole = np.zeros(2), np.array([640, 640] if shape is None else [shape[1], shape[0]], float)
    if not len(seen):
        return whole
    low, high = seen.min(axis=0), seen.max(axis=0)
    if shape is not None and ((high < 0) | (low > whole[1])).any():  # the file was replaced by a smaller one
        return whole
    return low, high
