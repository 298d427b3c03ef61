"""`samepose find` and `samepose count`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

import samepose
from samepose.cli.app import as_flags
from samepose.cli.clips import cut_clips
from samepose.cli.options import DEFAULTS, MOVES_FPS, DetectorName, Mirror, Mode, Options, Person, counted
from samepose.cli.text import seconds, table_text
from samepose.errors import SameposeError, UsageError

if TYPE_CHECKING:
    from samepose import Detector, Sighting, Source


def find(
    example: str,
    /,
    *,
    where: Annotated[list[str] | None, Parameter(name="--in", consume_multiple=True, negative="")] = None,
    span: str = ":",
    person: Person = None,
    k: Annotated[int, Parameter(name="-k", validator=Number(gte=1))] = 10,
    mirror: Mirror = "off",
    detector: DetectorName = "movenet",
    mode: Mode = "balanced",
    csv: Path | None = None,
    clips: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Find a move in long clips or in an index, whatever the camera angle, at half to twice the pace.

    Everyone in the clips is looked at. Finds of one person never overlap. The score is how likely it is the move, from
    0 to 1, in clips of which half show it: from 0.8 on very likely, from 0.5 likely, which is what `samepose count`
    would count, from 0.25 perhaps. The distance is the mean -log of the probability of the same pose, up to 0.2 very
    likely the same, to 0.7 likely, to 1.4 perhaps.

    Args:
        example: A video, a pose file, or the path or id of a file in the index, that shows the move.
        where: Indexes (their videos are not read again), videos, pose files or folders of videos; by default --index.
        span: Part of the example: seconds FROM:TO, such as 1.5:3 or 1.5: (to the end); or times FROM-TO, 1:02.5-1:04.
        person: Track id of the person in the example; the most prominent by default.
        k: How many to find.
        mirror: Also, or only, find the mirrored move.
        detector: The network that finds the joints in videos.
        mode: How to look for people in videos: fast, balanced or accurate.
        csv: Write a table of the finds (.csv).
        clips: Folder for the finds, each cut out of its video as a small .mp4, named by rank.
    """
    inputs = [example, *(where or [])]
    if csv is not None:
        options.output(csv, (".csv",), *inputs)
    part, look = seconds_of(span), options.looking(mode, detector)
    targets = [samepose.Index.open(text, embedder=options.embedder()) if samepose.Index.exists(text) else text
               for text in dict.fromkeys(where or [options.index])]
    places = _opened(targets, look, options)
    twice = next((place for place in places if isinstance(place, samepose.Source) and place.name == example), None)
    wanted = options.clip(twice or _example(example, person, part, look, options), person).part(*part)
    with options.progress("clip") as progress:
        found = samepose.find(wanted, places, k=k, mirror=mirror, detector=look,
                              embedder=options.embedder(), progress=progress)
    failed = [as_flags(why) for why in found.failed]
    for failure in failed:
        options.warn(failure)
    if csv is not None:
        found.write(csv)
        options.note(f"wrote {csv}")
    complete = clips is None or cut_clips(found, clips, options, *inputs)
    shown = {**wanted.to_json(), "source": example}
    options.result({"example": shown, "mirror": mirror, **found.to_json(), "failed": failed},
                   _table(found) if found else "nothing found: nobody is in view for half as long as the example")
    return 1 if failed or not complete else 0


def count(
    example: str,
    /,
    *,
    where: Annotated[str, Parameter(name="--in")],
    span: str = ":",
    person: Person = None,
    in_person: Person = None,
    mirror: Mirror = "off",
    detector: DetectorName = "movenet",
    mode: Mode = "balanced",
    options: Options = DEFAULTS,
) -> None:
    """Count the repetitions of a move in a clip, and say when they are.

    Give one repetition as the example; with --span it may be a part of the very clip. It is found from any camera
    angle, at half to twice the pace.

    Args:
        example: A video, a pose file, or the path or id of a file in the index, that shows the move once.
        where: The clip to count in: the same kinds.
        span: Part of the example: seconds FROM:TO, such as 1.5:3 or 1.5: (to the end); or times FROM-TO, 1:02.5-1:04.
        person: Track id of the person in the example; the most prominent by default.
        in_person: Track id of the person in the clip; the most prominent by default.
        mirror: Also, or only, count the mirrored move.
        detector: The network that finds the joints in videos.
        mode: How to look for people in videos: fast, balanced or accurate.
    """
    part, look = seconds_of(span), options.looking(mode, detector)
    source = options.source(where, look, MOVES_FPS)
    shown = source if example == where else _example(example, person, part, look, options)
    wanted = options.clip(shown, person).part(*part)
    clip = options.clip(source, in_person)
    found = samepose.count(wanted, clip, mirror=mirror)
    value = {"example": {**wanted.to_json(), "source": example}, "mirror": mirror, "path": where, "person": clip.person,
             "count": len(found), "repetitions": [s.to_json() for s in found]}
    lines = [counted(len(found), "repetition")]
    lines += [f"  {n:3d}  {p.start:7.2f}–{p.end:.2f} s  score {p.score:.2f}{'  mirrored' if p.mirrored else ''}"
              for n, p in enumerate((s.place for s in found), 1)]
    options.result(value, "\n".join(lines))


def _opened(targets: list[Any], look: Callable[[], Detector], options: Options) -> list[Any]:
    """Where to look, each a source or an index; one that is not there stays a name, for `find` to tell.

    Raises:
        SameposeError: none of them is there; known before anything is read.
    """
    places: list[Any] = []
    missing: list[SameposeError] = []
    for target in targets:
        try:
            places.append(target if not isinstance(target, str) or Path(target).is_dir()
                          else options.source(target, look, MOVES_FPS))
        except SameposeError as error:
            places.append(target)
            missing.append(error)
    if len(missing) == len(places):
        raise missing[0]
    return places


def _example(
    text: str, person: int | None, part: tuple[float | None, float | None], look: Callable[[], Detector],
    options: Options,
) -> Source:
    """What shows the move; of a video no more than the part is read, from its start where a track is named."""
    return options.source(text, look, MOVES_FPS, part if person is None else (None, part[1]))


def seconds_of(span: str) -> tuple[float | None, float | None]:
    """`1.5:3` as (1.5, 3.0), `1:02-1:04` as (62.0, 64.0); an empty side is None.

    Raises:
        UsageError: not two times with what parts them, or none between them.
    """
    colon = span.count(":") == 1 and "-" not in span
    first, between, last = span.partition(":" if colon else "-")
    try:
        begin, end = (seconds(text) if text.strip() else None for text in (first, last))
    except ValueError:
        between = ""
    if not between:
        raise UsageError(f"--span is {span!r}; give seconds as FROM:TO, such as 1.5:3, or times as FROM-TO: 1:02-1:04")
    if not (0.0 if begin is None else begin) < (float("inf") if end is None else end):  # also where one is NaN
        raise UsageError(f"--span {span}: nothing lies between; give seconds as FROM:TO, such as 1.5:3")
    return begin, end


def _table(found: Sequence[Sighting]) -> str:
    from rich.table import Table
    from rich.text import Text

    mirrored = any(f.place.mirrored for f in found)
    table = Table(box=None, pad_edge=False)
    for name in ("#", "score", "distance", "start", "end", "person"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("path", overflow="fold")
    for name in ["mirrored"] * mirrored:
        table.add_column(name)
    for n, f in enumerate(found, 1):
        place = f.place
        cells = [str(n), f"{place.score:.3f}", f"{place.distance:.2f}",
                 f"{place.start:.2f} s", f"{place.end:.2f} s", str(f.person), f.path]
        table.add_row(*map(Text, [*cells, *(["yes" if place.mirrored else ""] * mirrored)]))
    return table_text(table)
