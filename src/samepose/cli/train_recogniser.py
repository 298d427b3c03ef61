"""`samepose train recogniser`: needs no torch, and seconds."""

from __future__ import annotations

from pathlib import Path

import samepose
from samepose.cli.app import as_flags
from samepose.cli.options import DEFAULTS, DetectorName, Mode, Options


def recogniser(
    *,
    examples: Path,
    out: Path,
    seed: int = 0,
    detector: DetectorName = "movenet",
    mode: Mode = "balanced",
    options: Options = DEFAULTS,
) -> int:
    """Train a classifier of actions, and keep it with its examples for `samepose recognise --examples FILE`.

    The examples are looked at once, as `recognise` looks at them; training itself takes seconds, without a GPU. What it
    prints is how many of the examples are named right by the others, in five folds, by the nearest example alone and
    with a classifier beside it.

    Args:
        examples: Folder with a sub-folder of clips for each action, videos or pose files; two actions at least.
        out: The file to write (.npz).
        seed: Of the random convolutions that it learns to weigh.
        detector: The network that finds the joints in videos.
        mode: How to look for people in videos: fast, balanced or accurate.
    """
    options.output(out, (".npz",), examples)
    with options.progress("clip") as progress:
        known = samepose.Recogniser.open(examples, detector=options.looking(mode, detector),
                                         embedder=options.embedder(), progress=progress)
        trained = known.trained(seed)
        trial = known.tried(progress)
    left_out = [as_flags(why) for why in known.left_out]
    for line in left_out:
        options.warn(line)
    trained.save(out)
    value = {"recogniser": str(out), "actions": known.actions, "left_out": left_out,
             "tried": trial and trial.to_json()}
    words = "" if trial is None else (f": of {trial.examples} examples the others name {trial.trained} right, by the "
                                      f"nearest alone {trial.nearest}")
    options.done(value, f"{out}: {len(known.actions)} actions, {len(known.examples)} examples{words}")
    return 1 if left_out else 0
