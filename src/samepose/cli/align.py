"""`samepose align`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import samepose
from samepose.cli.detect import Fps, frame_rate
from samepose.cli.options import DEFAULTS, DetectorName, Flag, Mirror, Mode, Options, Person, needs

if TYPE_CHECKING:
    from samepose import Alignment


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
    detector: DetectorName = "movenet",
    mode: Mode = "balanced",
    out: Path | None = None,
    plot: Path | None = None,
    csv: Path | None = None,
    options: Options = DEFAULTS,
) -> None:
    """Align two performances of a movement, from any camera angles, and show where they differ.

    A distance is -log of the probability of the same pose: up to 0.2 very likely the same, to 0.7 likely, to 1.4
    perhaps. Angles at joints are those in space: what a camera saw is lifted to 3D, motion capture has its own.

    Args:
        a: A video, motion capture, a pose file, or the path or id of a file in the index.
        b: The same; it is brought to the pace of A.
        person_a: Track id of the person in A; the most prominent by default.
        person_b: Track id of the person in B.
        open_ends: Align only what both show: either may begin earlier and end later.
        mirror: Take B mirrored: also (if it is nearer so) or only.
        detector: The network that finds the joints in videos.
        mode: How to look for people in videos: fast, balanced or accurate.
        out: Write a video of both side by side at A's pace (.mp4, .webm).
        plot: Write a picture of all distances and the path (.png; needs samepose[eval]).
        csv: Write times, distance and angle differences of every pair of moments.
    """
    for path, suffixes in ((out, (".mp4", ".webm")), (plot, (".png",)), (csv, (".csv",))):
        if path is not None:
            options.output(path, suffixes, a, b)
    if plot is not None:
        with needs("eval"):
            import matplotlib  # noqa: F401
    rate, look = frame_rate(fps), options.looking(mode, detector)
    first = options.source(a, look, rate)
    second = first if a == b else options.source(b, look, rate)  # both are there before either is read
    clips = options.clip(first, person_a), options.clip(second, person_b)
    found = samepose.align(*clips, mirror=mirror, open_ends=open_ends)
    with options.progress("frame") as progress:
        for path in filter(None, (csv, plot, out)):
            found.write(path, progress)
    options.result({**found.to_json(), "a": a, "b": b}, summary(found))


def distance_in_words(distance: float) -> str:
    """How likely poses at a distance (-log of the matching probability) are the same, as a search would say it."""
    return f"{samepose.in_words(math.exp(-distance))} the same pose"


def summary(found: Alignment) -> str:
    """For people."""
    times = found.times
    lines = [
        f"{len(times):,} pairs of moments: A {times[0, 0]:.2f}–{times[-1, 0]:.2f} s with "
        f"B {times[0, 1]:.2f}–{times[-1, 1]:.2f} s{', B mirrored' if found.mirrored else ''}; "
        f"mean distance {found.path.mean:.2f}, {distance_in_words(found.path.mean)}; "
        f"A at {found.pace:.2f} times the pace of B",
        "most different:",
    ]
    for m in found.worst():
        joint = "" if m.joint is None else f"  {m.joint.replace('_', ' ')} {m.degrees:.0f}° apart in space"
        words = distance_in_words(m.distance)
        lines.append(f"  A {m.time_a:7.2f} s  B {m.time_b:7.2f} s  distance {m.distance:5.2f}, {words}{joint}")
    return "\n".join(lines)
