"""Triplets that somebody judged: `anchor,positive,negative`, paths of images; no joints (Mori 2015, section 4.1).

"We believe that replacing this process with a human rater … would result in higher quality training data."
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from samepose.embed.image import LEAST_SIDE
from samepose.errors import FormatError, MediaError
from samepose.media.image import read_image
from samepose.training.image.data import Crops

COLUMNS = ("anchor", "positive", "negative")


@dataclass(frozen=True, eq=False)
class Judgements:
    """Triplets of images by number.

    Attributes:
        crops: of the images, each once.
        rows: anchor, positive, negative.
        skipped: lines of the file that were left out, each by its number (the header's is 1) and why.
    """

    crops: Crops
    rows: Int[np.ndarray, "judgement 3"]
    skipped: tuple[tuple[int, str], ...] = ()

    @classmethod
    def read(cls, path: Path) -> Judgements:
        """A CSV file with a header; its paths are relative to it. Each image shows one person and little else.

        Raises:
            FormatError: no such file, another header, or not one line that can be used.
        """
        images: dict[Path, int | str] = {}
        pictures: list[np.ndarray] = []
        rows, skipped = [], []
        for number, names in _lines(path):
            wrong = _odd(names)
            found = [] if wrong else [_number(path.parent / name, images, pictures) for name in names]
            if wrong := next((f for f in found if isinstance(f, str)), wrong):
                skipped.append((number, wrong))
            else:
                rows.append(found)
        if not rows:
            why = f"; line {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
            raise FormatError(f"{path}: holds no judgement that can be used{why}; write lines of three images: "
                              "anchor,positive,negative")
        return cls(Crops.whole(pictures), np.array(rows), tuple(skipped))

    def triplets(self, count: int, rng: np.random.Generator) -> Int[np.ndarray, "count 3"]:
        """Some of them."""
        return self.rows[rng.integers(len(self.rows), size=count)]

    def may_be_negatives(
        self, anchors: Int[np.ndarray, " t"], others: Int[np.ndarray, " n"]
    ) -> Bool[np.ndarray, "t n"]:
        """All others but the anchor itself and whom somebody has judged to be like it."""
        return np.array([[a != b and (a, b) not in self._alike for b in others.tolist()] for a in anchors.tolist()])

    @cached_property
    def _alike(self) -> frozenset[tuple[int, int]]:
        pairs = self.rows[:, :2].tolist()
        return frozenset((a, b) for one, other in pairs for a, b in ((one, other), (other, one)))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and the three names of each line that is not empty, "" where one is missing."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            if sorted(header) != sorted(COLUMNS):
                odd = next((f"; {name!r} is none of them" for name in header if name not in COLUMNS), "")
                raise FormatError(f"{path}: its first line must name the columns {','.join(COLUMNS)}{odd}")
            order = [header.index(name) for name in COLUMNS]
            for row in reader:
                if row:
                    cells = [cell.strip() for cell in row]
                    yield reader.line_num, [cells[k] for k in order] if len(cells) == len(COLUMNS) else []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path}: cannot be read ({error}); give a CSV file of judgements") from error


def _odd(names: list[str]) -> str:
    """What is wrong with the three names of a line, "" for nothing."""
    if not all(names) or not names:
        return f"has not the {len(COLUMNS)} columns {', '.join(COLUMNS)}"
    anchor, positive, negative = (Path(name) for name in names)
    if positive == negative:
        return "its positive is its negative"
    return "its anchor is compared with itself" if anchor in (positive, negative) else ""


def _number(place: Path, images: dict[Path, int | str], pictures: list[np.ndarray]) -> int | str:
    """Of an image among those that were read; or what is wrong with it."""
    if place not in images:
        try:
            picture = read_image(place)
            small = max(picture.shape[:2]) < LEAST_SIDE
            images[place] = f"{place.name} is smaller than {LEAST_SIDE} pixels" if small else len(pictures)
            if not small:
                pictures.append(picture)
        except MediaError as error:
            images[place] = str(error)
    return images[place]
