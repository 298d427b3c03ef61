"""What a search found: hits, and their way into pages, pictures, tables and JSON."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from samepose.errors import UsageError
from samepose.files import refuse_inputs, written
from samepose.media.remote import located
from samepose.poses import Poses

if TYPE_CHECKING:
    from samepose.media.excerpts import Excerpt
    from samepose.query.query import Query

_CSV = ("id", "score", "path", "time", "from", "to", "frame", "person", "x0", "y0", "x1", "y1", "mirrored", "label",
        "moment")
_SUFFIXES = (".html", ".png", ".csv", ".json")
_HALF = 0.5  # seconds before and after a hit that its clip shows


@dataclass(frozen=True, eq=False)
class Hit:
    """One person found; `Index.search` takes it as a query.

    Attributes:
        id: names the person in `Index.search`, `label` and `remove`.
        score: matching probability, 0..1.
        path: as stored, see `file`.
        time: seconds, None in an image.
        span: (from, to) of the near-identical neighbours folded into this hit, seconds; None in an image.
        frame: number in the clip, 0 in an image.
        person: track in a video, rank of prominence in an image.
        box: x0, y0, x1, y1 in pixels, None where unknown.
        mirrored: the mirrored query matched better.
        pose: the person's keypoints, one pose in pixels; of motion capture, which has no picture, from the front.
        root: folder that `path` is relative to.
        body: the pose in 3D (metres, y up), of motion capture.
        moment: seconds before and after that were compared; 0: the frame alone, as in a photo or where the track ends.
    """

    id: str
    score: float
    path: str
    time: float | None
    span: tuple[float, float] | None
    frame: int
    person: int
    box: tuple[float, float, float, float] | None
    mirrored: bool
    label: str | None
    pose: Poses
    root: Path = Path()
    body: Poses | None = None
    moment: float = 0.0

    @property
    def file(self) -> Path:
        """Where the photo, video or motion capture should be."""
        return located(self.path, self.root)

    def to_json(self) -> dict[str, Any]:
        """For programs; times in seconds, the box in pixels."""
        return {
            "id": self.id, "score": round(self.score, 4), "path": self.path, "time": self.time,
            "span": None if self.span is None else list(self.span), "frame": self.frame, "person": self.person,
            "box": None if self.box is None else [round(v, 2) for v in self.box], "mirrored": self.mirrored,
            "label": self.label, "moment": self.moment,
        }


class Hits(Sequence[Hit]):
    """The hits of one search, best first: a sequence of `Hit`.

    Attributes:
        query: whom was searched for.
        root: folder that the hits' paths are relative to.
    """

    def __init__(self, query: Query, hits: Sequence[Hit], root: Path) -> None:
        self.query, self.root, self._hits = query, root, tuple(hits)

    def __len__(self) -> int:
        return len(self._hits)

    @overload
    def __getitem__(self, key: int) -> Hit: ...
    @overload
    def __getitem__(self, key: slice) -> Hits: ...
    def __getitem__(self, key: int | slice) -> Hit | Hits:
        """One hit, or those of a slice."""
        return Hits(self.query, self._hits[key], self.root) if isinstance(key, slice) else self._hits[key]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self._hits)

    def __repr__(self) -> str:
        best = f", best {self._hits[0].score:.2f} in {self._hits[0].path}" if self._hits else ""
        return f"<Hits: {len(self)} for {self.query.describe()}{best}>"

    def to_json(self) -> dict[str, Any]:
        """`{"query": {…}, "results": [{…}, …]}`, for programs."""
        return {"query": self.query.to_json(), "results": [hit.to_json() for hit in self]}

    def write(self, path: str | os.PathLike[str], *, title: str = "Same pose") -> None:
        """Write the query and its hits as what the suffix says; an existing file is replaced, but never one of theirs.

        .html is a page with the pictures inside, .png a picture of all (of 60 each, in `…-2.png` and so on, where there
        are more), .csv a table with a row for each hit (times in seconds, boxes in pixels, empty where there is none),
        .json what `to_json` gives.

        Args:
            title: of the page or picture.

        Raises:
            UsageError: another suffix, or the file of the query or of a hit.
            SameposeError: the file cannot be written.
        """
        suffix, targets = Path(path).suffix.lower(), [Path(path)]
        if suffix not in _SUFFIXES:
            raise UsageError(f"{path}: hits are written as *{', *'.join(_SUFFIXES)}; choose one of them")
        if suffix == ".png":
            from samepose.report.sheet import sheet_paths

            targets = sheet_paths(targets[0], len(self))
        refuse_inputs(targets, [self.query.source, *filter(None, [self.query.image]), *(hit.file for hit in self)])
        if suffix in (".csv", ".json"):
            text = self._csv() if suffix == ".csv" else json.dumps(self.to_json(), allow_nan=False) + "\n"
            with written(path) as part:
                part.write_text(text, encoding="utf-8")
            return
        from samepose.report import Section, write_sections, write_sheet_sections

        write = write_sections if suffix == ".html" else write_sheet_sections
        write(path, [Section(self.query, self)], self.root, title=title)

    def copy_to(self, folder: str | os.PathLike[str]) -> tuple[list[Path], list[Path]]:
        """Copy each photo and video found into a folder, once, with its best rank before its name.

        Nothing is replaced: a file that is there under the name is kept as it is.

        Returns:
            the copies, and the files that are not there any more.

        Raises:
            UsageError: the folder is a file.
        """
        from samepose.media.files import copy

        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder}: is no folder; give another name")
        folder.mkdir(parents=True, exist_ok=True)
        copied, missing, width = [], [], len(str(len(self)))
        for rank, file in enumerate(dict.fromkeys(hit.file for hit in self), 1):
            if not file.is_file():
                missing.append(file)
                continue
            target = folder / f"{rank:0{width}d}-{file.name}"
            if not target.exists():
                with written(target) as part:
                    copy(file, part)
            copied.append(target)
        return copied, missing

    def clip_paths(self, folder: str | os.PathLike[str]) -> list[Path]:
        """What `clips` would write."""
        from samepose.media.excerpts import excerpt_paths

        return excerpt_paths(self._excerpts(), Path(folder))

    def clips(self, folder: str | os.PathLike[str]) -> tuple[list[Path], list[str]]:
        """Cut one second around each hit out of its video, as a small video; photographs are copied, each once.

        Their names begin with the rank of the hit. An existing file is replaced, but never one of the hits'.

        Returns:
            what was written, and a line for each hit whose file is gone or cannot be read.

        Raises:
            UsageError: one would take the place of a hit's file.
        """
        from samepose.media.excerpts import write_excerpts

        return write_excerpts(self._excerpts(), Path(folder))

    def _excerpts(self) -> list[Excerpt]:
        from samepose.media.excerpts import Excerpt

        excerpts: dict[object, Excerpt] = {}
        for rank, hit in enumerate(self, 1):
            if hit.time is None:
                excerpts.setdefault(hit.file, Excerpt(rank, hit.file, hit.path))
            else:
                excerpts[rank] = Excerpt(rank, hit.file, hit.path, hit.time - _HALF, hit.time + _HALF)
        return list(excerpts.values())

    def _csv(self) -> str:
        text = io.StringIO()
        table = csv.DictWriter(text, _CSV, restval="", lineterminator="\n")
        table.writeheader()
        for hit in self:
            row = hit.to_json()
            span, box = row.pop("span") or ("", ""), row.pop("box") or ("",) * 4
            table.writerow({**row, **dict(zip(("from", "to"), span)), **dict(zip(("x0", "y0", "x1", "y1"), box))})
        return text.getvalue()
