"""`samepose find` and `samepose count`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.options import DEFAULTS, Mirror, Mode, Options, Person, counted
from samepose.errors import SameposeError, UsageError

if TYPE_CHECKING:
    from samepose.query.source import Source
    from samepose.sequences.finding import Finder, Sighting
    from samepose.sequences.subsequence import Example



def find(
    example: str,
    /,
    *,
    where: Annotated[list[str] | None, Parameter(name="--in", consume_multiple=True, negative="")] = None,
    span: str = ":",
    person: Person = None,
    k: Annotated[int, Parameter(name="-k", validator=Number(gte=1))] = 10,
    mirror: Mirror = "off",
    mode: Mode = "balanced",
    options: Options = DEFAULTS,
) -> int:
    """Find a move in long clips or in an index, whatever the camera angle, at half to twice the pace.

    Everyone in the clips is looked at. Finds of one person never overlap. The score is how likely it is the move, from
    0 to 1; 0.5 and more is what `samepose count` would count.

    Args:
        example: A video, a pose file, or the path or id of a file in the index, that shows the move.
        where: Indexes (their videos are not read again), videos, pose files or folders of videos; by default --index.
        span: Part of the example, as seconds FROM:TO, such as 1.5:3 or 1.5: (to the end).
        person: Track id of the person in the example; the most prominent by default.
        k: How many to find.
        mirror: Also, or only, find the mirrored move.
        mode: How to look for people in videos: fast, balanced or accurate.
    """
    from samepose.sequences.finding import Finder

    targets, failed = _targets(where or [options.index]), []
    wanted = _example(example, span, person, mode, options)
    finder = Finder(wanted, options.embedder(), k, mirror)
    with options.progress("clip") as progress:
        for n, target in enumerate(targets):
            progress(n, len(targets), target)
            try:
                _look(finder, target, mode, options, lambda part, n=n, what="": progress(n + part, len(targets), what))
            except SameposeError as error:
                failed.append(str(error))
    for failure in failed:
        options.warn(failure)
    if targets and len(failed) == len(targets):
        return SameposeError.exit_code
    asked = {"example": _asked(example, wanted), "mirror": mirror}
    nothing = "nothing found: nobody is in view for half as long as the example"
    options.result({**asked, "results": [f.to_json() for f in finder.results], "failed": failed},
                   _table(finder.results) if finder.results else nothing)
    return 1 if failed else 0


def count(
    example: str,
    /,
    *,
    where: Annotated[str, Parameter(name="--in")],
    span: str = ":",
    person: Person = None,
    in_person: Person = None,
    mirror: Mirror = "off",
    mode: Mode = "balanced",
    options: Options = DEFAULTS,
) -> None:
    """Count the repetitions of a move in a clip, and say when they are.

    Give one repetition as the example; with --span it may be a part of the very clip. It is found from any camera
    angle, at half to twice the pace.

    Args:
        example: A video, a pose file, or the path or id of a file in the index, that shows the move once.
        where: The clip to count in: the same kinds.
        span: Part of the example, as seconds FROM:TO, such as 1.5:3 or 1.5: (to the end).
        person: Track id of the person in the example; the most prominent by default.
        in_person: Track id of the person in the clip; the most prominent by default.
        mirror: Also, or only, count the mirrored move.
        mode: How to look for people in videos: fast, balanced or accurate.
    """
    from samepose.query.source import about
    from samepose.sequences.clip import clip_of
    from samepose.sequences.finding import Sighting
    from samepose.sequences.subsequence import RATE

    wanted = _example(example, span, person, mode, options)
    poses = _read(where, mode, options).person(in_person)
    with about(where):
        found = wanted.count(clip_of(poses, options.embedder(), rate=RATE), mirror=mirror)
    sightings = [Sighting(where, int(poses.tracks[0]), place) for place in found]
    value = {"example": _asked(example, wanted), "mirror": mirror, "path": where, "person": int(poses.tracks[0]),
             "count": len(found), "repetitions": [s.to_json() for s in sightings]}
    lines = [counted(len(found), "repetition")]
    lines += [f"  {n:3d}  {p.start:7.2f}–{p.end:.2f} s  score {p.score:.2f}{'  mirrored' if p.mirrored else ''}"
              for n, p in enumerate(found, 1)]
    options.result(value, "\n".join(lines))


def seconds_of(span: str) -> tuple[float | None, float | None]:
    """`1.5:3` as (1.5, 3.0); an empty side is None.

    Raises:
        UsageError: not two numbers with a colon, or none between them.
    """
    first, colon, last = span.partition(":")
    try:
        begin, end = (float(text) if text.strip() else None for text in (first, last))
    except ValueError:
        begin, end, colon = None, None, ""
    if not colon:
        raise UsageError(f"--span is {span!r}; give seconds as FROM:TO, such as 1.5:3")
    if not (0.0 if begin is None else begin) < (float("inf") if end is None else end):  # also where one is NaN
        raise UsageError(f"--span {span}: nothing lies between; give seconds as FROM:TO, such as 1.5:3")
    return begin, end


def _example(text: str, span: str, person: int | None, mode: Mode, options: Options) -> Example:
    from samepose.query.source import about
    from samepose.sequences.clip import clip_of
    from samepose.sequences.subsequence import RATE, Example, part_of

    begin, end = seconds_of(span)
    embedder, poses = options.embedder(), _read(text, mode, options).person(person)
    with about(text):
        return Example.of(part_of(clip_of(poses, embedder, rate=RATE), begin, end), embedder.matching)


def _asked(text: str, example: Example) -> dict[str, Any]:
    clip = example.clip
    return {"source": text, "start": round(float(clip.times[0]), 3), "end": round(float(clip.times[-1]), 3),
            "person": int(clip.poses.tracks[0])}


def _read(text: str, mode: Mode, options: Options) -> Source:
    from samepose.query.source import about, read_source
    from samepose.sequences.subsequence import RATE

    options.note(f"looking for people in {text}")
    with about(text):
        return read_source(text, lambda: options.detector(mode), options.open_index, fps=RATE)


def _targets(where: Sequence[str]) -> list[str]:
    """Indexes and files, and the videos of folders."""
    from pathlib import Path

    from samepose.index.place import exists
    from samepose.media.files import media_files
    from samepose.media.video import VIDEO_SUFFIXES

    found: list[str] = []
    for text in where:
        path = Path(text)
        openpose = path.is_dir() and any(path.glob("*.json"))
        if not path.is_dir() or "://" in text or exists(text) or openpose:
            found.append(text)
            continue
        videos = [str(file) for file in media_files([path]) if file.suffix.lower() in VIDEO_SUFFIXES]
        if not videos:
            raise UsageError(f"{text}: neither an index nor a folder with videos; make an index with "
                             f"`samepose index MEDIA --index {text}`, or name clips")
        found += videos
    return list(dict.fromkeys(found))


def _look(finder: Finder, target: str, mode: Mode, options: Options, progress: Any) -> None:
    from samepose.index import Index
    from samepose.index.place import exists
    from samepose.query.source import about, indexed_people, people_in

    if "://" in target or exists(target):
        index = Index.open(target)
        for part, path, track, poses in indexed_people(index):
            progress(part, what=path)
            with about(path):
                finder.look(path, track, poses)
        return
    with about(target):
        for track, poses in people_in(_read(target, mode, options)):
            finder.look(target, track, poses)


def _table(found: Sequence[Sighting]) -> str:
    from io import StringIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    mirrored = any(f.place.mirrored for f in found)
    table = Table(box=None, pad_edge=False)
    for name in ("#", "score", "start", "end", "person"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("path", overflow="fold")
    for name in ["mirrored"] * mirrored:
        table.add_column(name)
    for n, f in enumerate(found, 1):
        place = f.place
        cells = [str(n), f"{place.score:.3f}", f"{place.start:.2f} s", f"{place.end:.2f} s", str(f.person), f.path]
        table.add_row(*map(Text, [*cells, *(["yes" if place.mirrored else ""] * mirrored)]))
    text = StringIO()
    Console(file=text, width=None if sys.stdout.isatty() else 10_000, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
