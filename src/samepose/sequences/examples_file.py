"""Examples of actions in one `.npz`: their clips, embedded, and what was learned from them.

`about`, a JSON text, holds the matching probability, the fit, and each clip's action, name and length. The clips'
moments follow each other in `mean`, `var`, `mirrored_mean`, `mirrored_var` (moment, dim), `found` and `times` (moment,)
and `points` (moment, 13, 2). Of the classifier, where there is one, each array is `classifier.` and its name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from samepose.errors import FormatError
from samepose.files import written
from samepose.formats.npz import read_npz
from samepose.matching.embeddings import Embeddings, Matching
from samepose.poses import Poses
from samepose.sequences.classifier import ActionClassifier
from samepose.sequences.clip import Clip
from samepose.sequences.naming import Fit
from samepose.skeleton import BODY13

Example = tuple[str, Clip]  # an action, and a clip of it
_KIND = "samepose recogniser"
_LEARNED = "classifier."


def write_examples(
    path: Path, examples: Sequence[Example], fit: Fit, classifier: ActionClassifier | None
) -> None:
    """Write them whole, or leave what was there.

    Raises:
        SameposeError: it cannot be written.
    """
    clips = [clip for _, clip in examples]
    about = {
        "kind": _KIND, "matching": asdict(clips[0].matching), "fit": asdict(fit),
        "examples": [{"action": action, "name": clip.name, "moments": len(clip)} for action, clip in examples],
        "classifier": None if classifier is None else {"actions": classifier.actions, "scale": classifier.scale},
    }
    arrays = {
        "mean": [c.embeddings.mean for c in clips], "var": [c.embeddings.var for c in clips],
        "mirrored_mean": [c.mirrored.mean for c in clips], "mirrored_var": [c.mirrored.var for c in clips],
        "found": [c.found for c in clips], "times": [c.times for c in clips],
        "points": [c.poses.to(BODY13).points for c in clips],
    }
    learned = {} if classifier is None else {
        f"{_LEARNED}{field.name}": np.asarray(getattr(classifier, field.name), np.float32)
        for field in fields(classifier) if field.name not in ("actions", "scale")}
    everything: dict[str, Any] = {name: np.concatenate(parts) for name, parts in arrays.items()} | learned
    with written(path) as part, part.open("wb") as file:
        np.savez(file, about=np.array(json.dumps(about)), **everything)


def read_examples(path: Path) -> tuple[tuple[Example, ...], Fit, ActionClassifier | None]:
    """What `write_examples` wrote.

    Raises:
        FormatError: it is damaged, or something else.
    """
    arrays = read_npz(path)
    try:
        about = json.loads(str(arrays["about"]))
        if about["kind"] != _KIND:
            raise ValueError(about["kind"])
        examples = _examples(about, arrays)
        fit = Fit(about["fit"]["cutoff"], float(about["fit"]["spread"]))
        told = about["classifier"]
        learned = None if told is None else ActionClassifier(
            actions=tuple(map(str, told["actions"])), scale=float(told["scale"]),
            **{name.removeprefix(_LEARNED): value for name, value in arrays.items() if name.startswith(_LEARNED)})
        if learned is not None:
            if set(learned.actions) != {action for action, _ in examples}:
                raise ValueError("other actions")
            learned.log_probabilities(examples[0][1])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise FormatError(f"{path}: is no file of examples, or damaged; make one with `samepose train recogniser`, or "
                          "give a folder with a sub-folder of clips for each action") from error
    return examples, fit, learned


def _examples(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> tuple[Example, ...]:
    matching = Matching.of_fields(about["matching"])
    embedded = Embeddings(arrays["mean"], arrays["var"])
    mirrored = Embeddings(arrays["mirrored_mean"], arrays["mirrored_var"])
    found, times, points = arrays["found"].astype(bool), arrays["times"], arrays["points"]
    if not len(embedded) == len(mirrored) == len(found) == len(times) == len(points):
        raise ValueError("moments")
    examples: list[Example] = []
    start = 0
    for one in about["examples"]:
        at = slice(start, start := start + int(one["moments"]))
        poses = Poses.of(points[at], BODY13, times=times[at], tracks=np.zeros(len(times[at]), np.int64))
        if not found[at].any() or start > len(found):
            raise ValueError("nobody")
        examples.append((str(one["action"]), Clip(embedded[at], mirrored[at], times[at], found[at], poses, matching,
                                                  str(one["name"]))))
    if not examples:
        raise ValueError("none")
    return tuple(examples)
