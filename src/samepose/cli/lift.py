"""`samepose lift`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

import samepose
from samepose.cli.options import DEFAULTS, DetectorName, Mode, Options, Person, counted, people_text
from samepose.cli.text import Seconds
from samepose.errors import UsageError

if TYPE_CHECKING:
    from samepose import Lifted

_ONE = (".bvh", ".c3d")  # they hold one person
_OUT = (*_ONE, ".npz", ".json")
_FPS = 30.0  # frames per second of videos, read and written


def lift(
    what: Annotated[str, Parameter(name="PHOTO|VIDEO")],
    /,
    *,
    at: Seconds | None = None,
    person: Person = None,
    height: float = 1.7,
    model: Literal["lifting", "structnet"] = "lifting",
    detector: DetectorName = "movenet",
    mode: Mode = "balanced",
    out: Path | None = None,
    view: Path | None = None,
    options: Options = DEFAULTS,
) -> None:
    """Lift people into space: everyone in a photo, or one person through a video, as 3D poses in metres.

    Axes: x to the right of the picture, y up, z towards you; the pelvis begins over x = z = 0, the floor is y = 0. A
    picture does not tell how large somebody is, nor always whether a limb points forward or back: poses are as large
    as --height says, and --json lists alternatives with their probabilities. In a video poses are smoothed, bones keep
    their length, and feet that stand stay where they are.

    Args:
        what: A photo, video, keypoint file, or the path or id of a file in the index.
        at: Lift only this moment of a video: seconds, m:ss or h:mm:ss.
        person: Rank of prominence in a photo, track id in a video. By default everyone in a photo, and the most
            prominent of a video.
        height: Of the person standing, metres.
        model: lifting, from the joints that are found; or structnet, from the pixels of a photo or of one moment, which
            knows joints less well where all are found (`samepose eval pose3d`).
        detector: The network that finds the joints in the picture.
        mode: How to look for people: fast, balanced or accurate.
        out: Save the poses: .bvh (opens in Blender) or .c3d of one person, .npz of everyone, or .json, what --json
            prints.
        view: Write a page (.html) with a figure that one can turn, beside the photo or in time with the video.
    """
    if out is not None:
        options.output(out, _OUT, what)
    if view is not None:
        options.output(view, (".html",), what)
    look = options.looking(mode, detector)
    source = options.source(what, look, _FPS)
    options.note(f"looking for people in {source.name}")
    found = samepose.lift(source, at=at, person=person, height=height, model=model)
    if out is not None and out.suffix.lower() in _ONE and len(found) > 1 and not found.moving:
        raise UsageError(f"{source.name}: {people_text(len(found))} are seen, and {out.suffix} holds one; choose with "
                         "--person, or save as .npz")
    for path in filter(None, (out, view)):
        found.write(path)
        options.note(f"saved {path}")
    options.result(found.to_json(), summary(found, source.name))


def summary(found: Lifted, name: str) -> str:
    """For people."""
    times = found.poses.times
    if found.moving:
        text = (f"{name}: person {found.poses.tracks[0]}, {counted(len(found), 'moment')} from {times[0]:.2f} to "
                f"{times[-1]:.2f} s")
        return f"{text}; joints known to {100 * float(found.spread.mean()):.0f} cm on average"
    lines = [f"{name}: {people_text(len(found))}"]
    for k, track in enumerate(found.poses.tracks.tolist()):
        others = ", ".join(f"{w:.0%}" for w in found.weights[k, 1:] if w >= 0.01)
        lines.append(f"  person {track}: joints known to {100 * float(found.spread[k].mean()):.0f} cm on average; this "
                     f"pose {found.weights[k, 0]:.0%}" + (f", others {others}" if others else ""))
    return "\n".join(lines)
