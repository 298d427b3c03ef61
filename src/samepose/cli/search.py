"""`samepose search`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

import samepose
from samepose.cli.clips import cut_clips
from samepose.cli.options import DEFAULTS, By, DetectorName, Flag, Mirror, Mode, Options, counted
from samepose.cli.text import Seconds, table_text
from samepose.errors import UsageError

if TYPE_CHECKING:
    from samepose import Hit, Index

MIN_SCORE = 0.1  # one chance in ten: what lies below is seldom worth a look (results/calibration.json)


def search(
    query: str | None = None,
    /,
    *,
    pose3d: Annotated[Path | None, Parameter(name="--pose3d")] = None,
    frame: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    at: Seconds | None = None,
    person: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    image: str | None = None,
    k: Annotated[int, Parameter(name="-k", validator=Number(gte=1))] = 10,
    mirror: Mirror = "off",
    min_score: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = MIN_SCORE,
    where: str | None = None,
    label: str | None = None,
    time_from: Annotated[Seconds | None, Parameter(name="--from")] = None,
    time_to: Annotated[Seconds | None, Parameter(name="--to")] = None,
    since: str | None = None,
    until: str | None = None,
    ignore: str = "",
    by: By | None = None,
    distinct: Seconds = 0.5,
    detector: DetectorName = "movenet",
    copies: Flag = False,
    moment: Seconds | None = None,
    mode: Mode = "balanced",
    report: Path | None = None,
    sheet: Path | None = None,
    csv: Path | None = None,
    copy_to: Path | None = None,
    clips: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Find the people of an index in the same pose as a query, whatever the camera angle.

    The score is how probable it is that both are the same 3D pose, from 0 to 1: from 0.8 on very likely, from 0.5
    likely, from 0.25 perhaps. It is seldom 1, even for the same picture: a picture does not tell all of a pose. Moments
    of videos are compared with what is before and after, and the score says that it is the same all through. With --by
    pixels it is how probable it is that both are the same pose in the picture, seen from the same side.

    Args:
        query: A photo, a video (with --at), a pose file, motion capture (with --at or --frame), or the id of a person
            from another search.
        pose3d: Instead of QUERY: motion capture (BVH, AMC beside its ASF, C3D) or 3D poses of `lift`, compared from all
            sides.
        frame: Which frame of motion capture or of a pose file, from 0.
        at: The moment of the video or clip: seconds, m:ss.s or h:mm:ss.
        person: Whom to take: rank of prominence in a photo, track id in a video; the most prominent by default.
        image: Which picture of a keypoint file of many: its name as the file has it, without folders if one will do.
        k: How many to find.
        mirror: Also, or only, find the mirrored pose.
        min_score: Leave out what matches with a lower probability; 0 shows whatever comes nearest.
        where: Only paths of this pattern, such as "holiday/*" or "*.mp4".
        label: Only people of this label.
        time_from: Only from this second of a video on.
        time_to: Only up to this second of a video.
        since: Only files that were changed last on this day or later: 2026-11-24, or 2026-11-24T18:30.
        until: Only files that were changed last on this day or earlier.
        ignore: Parts of the body that shall not matter: left_arm, right_arm, arms, left_leg, right_leg, legs, head,
            lower_body, or joints such as left_knee; some with commas. 7 of 13 joints must be left: not so without the
            upper_body, or without arms and legs at once.
        by: What to compare: keypoints (the default), pixels, which needs no joints to be seen, or both together. The
            index needs to have it: `samepose index --embedding`.
        distinct: Seconds of a video that count as one find.
        copies: Also show the query's own picture and exact copies of its file.
        moment: Seconds before and after that are compared too where the query is of a video: 0.3 by default, at most
            1; 0 compares the frame alone, as with photos.
        detector: The network that finds the joints in the query.
        mode: How to look for people in the query: fast, balanced or accurate.
        report: Write a page with the pictures of the query and the finds (.html).
        sheet: Write a picture of the query and the finds (.png); of 60 finds each where there are more, in x-2.png, …
        csv: Write a table of the finds (.csv).
        copy_to: Folder to copy the photos and videos found to, named by their rank.
        clips: Folder for one second of video around each find, as a small .mp4; photos are copied. Named by rank.
    """
    query = _asked(query, pose3d)
    for path, suffix in ((report, ".html"), (csv, ".csv")):
        if path is not None:
            options.output(path, (suffix,), query)
    if sheet is not None:
        options.output(sheet, (".png",), query, hits=k)
    index = options.open_index(mode=mode, kind=detector)
    hits = index.search(
        query, at=at, person=person, image=image, frame=frame, ignore=ignore, k=k, mirror=mirror, where=where,
        label=label, time_from=time_from, time_to=time_to, since=since, until=until, distinct=distinct,
        min_score=min_score, copies=copies, by=by, moment=moment,
    )
    if pose3d is not None and hits.query.body is None:
        raise UsageError(f"{pose3d}: holds no 3D pose; give motion capture or poses of `samepose lift`, or a picture "
                         "as QUERY without --pose3d")
    for path in filter(None, (report, sheet, csv)):
        hits.write(path)
        options.note(f"wrote {path}")
    if copy_to is not None:
        copied, missing = hits.copy_to(copy_to)
        options.note(f"copied {counted(len(copied), 'file')} to {copy_to}")
        for file in missing:
            options.warn(f"{file}: is not there; it was moved or removed since it was indexed")
    complete = clips is None or cut_clips(hits, clips, options, query)
    if hits.query.alone:
        options.note(f"the frame alone is compared, for {hits.query.alone}")
    if not options.json:
        options.note(f"query: {hits.query.describe()}{_by(by, hits.query.by)}{_moment(hits.query.moment)}")
        if not hits:
            options.note(f"nothing found{_why_nothing(index, min_score, copies, where, label, since, until)}")
    if hits or options.json:
        options.result(hits.to_json(), _table(hits) if hits else "")
    return 0 if complete else 1


def _asked(query: str | None, pose3d: Path | None) -> str:
    """What to look for: named as QUERY, or by --pose3d, which must be a file.

    Raises:
        UsageError: neither, both, or no such file.
    """
    if (query is None) == (pose3d is None):
        raise UsageError("name one thing to look for: a QUERY, or a 3D pose with --pose3d")
    if pose3d is not None and not pose3d.is_file():
        raise UsageError(f"{pose3d}: no such file; check the path")
    return query if query is not None else str(pose3d)


def _by(asked: By | None, compared: str) -> str:
    if asked == "both" and compared == "pixels":
        return "; by pixels alone, for too few joints are seen"
    return "" if compared == "keypoints" else f"; by {'keypoints and pixels' if compared == 'both' else compared}"


def _moment(seconds: float) -> str:
    return f"; with {seconds:g} s before and after" if seconds else ""


def _why_nothing(
    index: Index, min_score: float, copies: bool, where: str | None, label: str | None, since: str | None,
    until: str | None,
) -> str:
    if not index.info().people:
        return "; the index is empty"
    filters = {"--where": where, "--since": since, "--until": until}
    said = " ".join(f"{flag} {value}" for flag, value in filters.items() if value is not None)
    if said and not index.select("*" if where is None else where, since=since, until=until):
        return f"; {said} matches no file of the index"
    if label is not None and label not in index.info().labels:
        return f"; nobody in the index has the label {label}"
    besides = "" if copies else " besides the query's own picture, which --copies shows,"
    if not min_score:
        return besides.rstrip(",")
    return f"{besides} with a probability of {min_score:g} or more; --min-score 0 shows what comes nearest"


def _table(hits: Sequence[Hit]) -> str:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("score", justify="right")
    table.add_column("match", no_wrap=True)
    table.add_column("path", overflow="fold")
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("person", justify="right")
    shown: dict[str, list[str]] = {
        "mirrored": ["yes" if h.mirrored else "" for h in hits], "label": [h.label or "" for h in hits],
    }
    shown = {name: values for name, values in shown.items() if any(values)}
    for name in shown:
        table.add_column(name)
    table.add_column("id", no_wrap=True)
    for n, hit in enumerate(hits):
        cells = [str(n + 1), f"{hit.score:.3f}", samepose.in_words(hit.score), hit.path, _time(hit), str(hit.person),
                 *(values[n] for values in shown.values()), hit.id]
        table.add_row(*(Text(cell) for cell in cells))  # Text: a path may hold what looks like markup
    return table_text(table)


def _time(hit: Hit) -> str:
    if hit.time is None:
        return ""
    if hit.span is None or hit.span[1] - hit.span[0] < 0.005:
        return f"{hit.time:.2f} s"
    return f"{hit.time:.2f} s ({hit.span[0]:.2f}–{hit.span[1]:.2f})"
