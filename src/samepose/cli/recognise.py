"""`samepose recognise`, also `recognize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

import samepose
from samepose.cli.app import as_flags
from samepose.cli.options import DEFAULTS, MOVES_FPS, DetectorName, Flag, Mode, Options
from samepose.cli.text import shown
from samepose.errors import SameposeError, UsageError

if TYPE_CHECKING:
    from samepose import Named



def recognise(
    *clips: str,
    examples: Path,
    k: Annotated[int, Parameter(name="-k", validator=Number(gte=1))] = 3,
    person: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    accept: Flag = False,
    detector: DetectorName = "movenet",
    mode: Mode = "balanced",
    options: Options = DEFAULTS,
) -> int:
    """Name the actions in clips by their nearest examples, from any camera angle and at any pace.

    Nothing need be trained: to teach an action, put clips of it in a sub-folder of that name; `samepose train
    recogniser` adds a classifier that is right more often, and opens at once. A pose file beside a video of
    the same name is read in its place; `samepose detect CLIP.mp4 --out CLIP.npz` makes one, and saves looking for
    people again. "none of these" is what lies farther from all examples than the cut-off that the examples
    set; --accept names it too. The words beside a distance say how likely a clip so near shows that action rather than
    none: likely up to the cut-off, and very likely, perhaps or unlikely by how near the examples are to each other.

    Args:
        clips: Videos, pose files, or paths or ids of files in the index.
        examples: Folder with a sub-folder of clips for each action, or a file that `samepose train recogniser` wrote.
        k: How many of the nearest examples to show.
        person: Track id of the person in the clips; the most prominent by default, as in the examples.
        accept: Always name the action of the nearest example, however far away it is.
        detector: The network that finds the joints in videos.
        mode: How to look for people in videos: fast, balanced or accurate.
    """
    if not clips:
        raise UsageError("name the clips to recognise")
    look = options.looking(mode, detector)
    results, failed = [], []
    with options.progress("clip") as progress:
        known = samepose.Recogniser.open(examples, detector=look, embedder=options.embedder(),
                                         progress=progress)
        for n, text in enumerate(clips):
            progress(n, len(clips), text)
            try:
                clip = options.clip(options.source(text, look, MOVES_FPS), person)
                results.append((text, clip.person, known.recognise(clip, k, accept=accept)))
            except SameposeError as error:
                failed.append(as_flags(str(error)))
    left_out = [as_flags(why) for why in known.left_out]
    for failure in left_out + failed:
        options.warn(failure)
    if not results:
        return SameposeError.exit_code
    value = {
        "examples": {"actions": known.actions, "cutoff": known.fit.cutoff, "left_out": left_out,
                     "trained": known.classifier is not None},
        "results": [{"path": path, "person": who, **named.to_json()} for path, who, named in results], "failed": failed,
    }
    options.result(value, "\n".join(_text(path, named) for path, _, named in results))
    return 1 if failed or left_out else 0


def _text(path: str, named: Named) -> str:
    nearest = named.neighbours[0]
    name = named.action or f"none of these; nearest to {nearest.action}, at {nearest.distance:.2f}"
    lines = [f"{shown(path)}: {shown(name)} (confidence {named.confidence:.2f})"]
    lines += [f"  {n.distance:6.2f}  {'' if n.score is None else samepose.in_words(n.score):<11}  "
              f"{shown(n.action):<16} {shown(n.path)}" for n in named.neighbours]
    return "\n".join(lines)
