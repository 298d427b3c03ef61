"""`samepose align`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from samepose.cli.detect import Fps, frame_rate
from samepose.cli.options import DEFAULTS, Flag, Mirror, Mode, Options, Person, check_output, needs
from samepose.files import written

if TYPE_CHECKING:
    from samepose.query.source import Source
    from samepose.sequences.alignment import Alignment
    from samepose.sequences.clip import Clip


def align(
    a: str,
    b: str,
    /,
    *,
    person_a: Person = None,
    person_b: Person = None,
    open_ends: Flag = False,
    mirror: Mirror = "off",
    fps: Fps = 30.0,
    mode: Mode = "balanced",
    out: Path | None = None,
    plot: Path | None = None,
    csv: Path | None = None,
    options: Options = DEFAULTS,
) -> None:
    """Align two performances of a movement, from any camera angles, and show where they differ.

    Angles are those seen in the picture: they depend on the camera, the distance does not.

    Args:
        a: A video, a pose file, or the path or id of a file in the index.
        b: The same; it is brought to the pace of A.
        person_a: Track id of the person in A; the most prominent by default.
        person_b: Track id of the person in B.
        open_ends: Align only what both show: either may begin earlier and end later.
        mirror: Take B mirrored: also (if it is nearer so) or only.
        mode: How to look for people in videos: fast, balanced or accurate.
        out: Write a video of both side by side at A's pace (.mp4, .webm).
        plot: Write a picture of all distances and the path (.png; needs samepose[eval]).
        csv: Write times, distance and angle differences of every pair of moments.
    """
    for path, suffixes in ((out, (".mp4", ".webm")), (plot, (".png",)), (csv, (".csv",))):
        if path is not None:
            check_output(path, suffixes)
    if plot is not None:
        with needs("eval"):
            import matplotlib  # noqa: F401
    from samepose.sequences.alignment import align as align_clips

    sources = tuple(_read(text, fps, mode, options) for text in (a, b))
    clips = _clips(sources, (person_a, person_b), options)
    found = align_clips(*clips, options.embedder().matching, mirror=mirror, open_ends=open_ends)
    _write(found, sources, out, plot, csv, options)
    options.result({**found.to_json(), "a": a, "b": b}, summary(found))


def _read(text: str, fps: float | Literal["all"], mode: Mode, options: Options) -> Source:
    from samepose.query.source import read_source

    options.note(f"looking for people in {text}")
    return read_source(text, lambda: options.detector(mode), options.open_index, fps=frame_rate(fps))


def _clips(sources: tuple[Source, ...], people: tuple[int | None, int | None], options: Options) -> tuple[Clip, Clip]:
    """Of one rate, the higher of the two."""
    from samepose.sequences.clip import clips_of

    embedder = options.embedder()
    a, b = (source.person(person) for source, person in zip(sources, people))
    return clips_of(a, b, embedder, names=(sources[0].name, sources[1].name))


def summary(found: Alignment) -> str:
    """For people."""
    times = found.times
    lines = [
        f"{len(times):,} pairs of moments: A {times[0, 0]:.2f}–{times[-1, 0]:.2f} s with "
        f"B {times[0, 1]:.2f}–{times[-1, 1]:.2f} s{', B mirrored' if found.mirrored else ''}; "
        f"mean distance {found.path.mean:.2f}, A at {found.pace:.2f} times the pace of B",
        "most different:",
    ]
    for m in found.worst():
        joint = "" if m.joint is None else f"  {m.joint.replace('_', ' ')} {m.degrees:.0f}° apart in the picture"
        lines.append(f"  A {m.time_a:7.2f} s  B {m.time_b:7.2f} s  distance {m.distance:5.2f}{joint}")
    return "\n".join(lines)


def _write(
    found: Alignment, sources: tuple[Source, ...], out: Path | None, plot: Path | None, csv: Path | None,
    options: Options,
) -> None:
    if csv is not None:
        from samepose.sequences.alignment import csv_text

        with written(csv) as part:
            part.write_text(csv_text(found), "utf-8")
    if plot is not None:
        from samepose.report.alignment_plot import plot_alignment

        plot_alignment(found, plot, (sources[0].name, sources[1].name))
    if out is not None:
        from samepose.report.synced_video import write_synced

        with options.progress("frame") as progress:
            write_synced(found, (sources[0].video, sources[1].video), out, progress)
