"""`samepose recognise`, also `recognize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.options import DEFAULTS, Mode, Options, counted
from samepose.errors import SameposeError, UsageError

if TYPE_CHECKING:
    from samepose.sequences.clip import Clip
    from samepose.sequences.recognition import Named, Recogniser

_POSES = (".npz", ".json")


def recognise(
    *clips: str,
    examples: Path,
    k: Annotated[int, Parameter(name="-k", validator=Number(gte=1))] = 3,
    person: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    mode: Mode = "balanced",
    options: Options = DEFAULTS,
) -> int:
    """Name the actions in clips by their nearest examples, from any camera angle and at any pace.

    Nothing is trained: to teach an action, put clips of it in a sub-folder of that name. A pose file beside a video of
    the same name is read in its place; `samepose detect CLIP.mp4 --out CLIP.npz` makes one, and saves looking for
    people again. "none" is what lies farther from all examples than they mostly lie from their own action.

    Args:
        clips: Videos, pose files, or paths or ids of files in the index.
        examples: Folder with a sub-folder of clips for each action.
        k: How many of the nearest examples to show.
        person: Track id of the person in the clips; the most prominent by default, as in the examples.
        mode: How to look for people in videos: fast, balanced or accurate.
    """
    if not clips:
        raise UsageError("name the clips to recognise")
    known, left_out = _recogniser(examples, mode, options)
    results, failed = [], []
    with options.progress("clip") as progress:
        for n, text in enumerate(clips):
            progress(n, len(clips), text)
            try:
                clip = _clip(text, person, mode, options)
                results.append((text, int(clip.poses.tracks[0]), known.recognise(clip, k)))
            except SameposeError as error:
                failed.append(str(error))
    for failure in failed:
        options.warn(failure)
    if not results:
        return SameposeError.exit_code
    value = {
        "examples": {"actions": known.actions, "cutoff": known.fit.cutoff, "left_out": left_out},
        "results": [{"path": path, "person": who, **named.to_json()} for path, who, named in results], "failed": failed,
    }
    options.result(value, "\n".join(_text(path, named) for path, _, named in results))
    return 1 if failed or left_out else 0


def example_files(folder: Path) -> dict[str, list[Path]]:
    """Clips of each action, by name; an action without any has an empty list.

    Raises:
        UsageError: no folder, or none with sub-folders.
    """
    from samepose.media.video import VIDEO_SUFFIXES

    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give one with a sub-folder of clips for each action")
    found = {}
    for action in sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".")):
        files = sorted(f for f in action.iterdir() if not f.name.startswith(".") and f.is_file())
        poses = {f.stem for f in files if f.suffix.lower() in _POSES}
        found[action.name] = [f for f in files if f.suffix.lower() in _POSES
                              or (f.suffix.lower() in VIDEO_SUFFIXES and f.stem not in poses)]
    if not found:
        raise UsageError(f"{folder}: has no sub-folders; put the clips of each action in one of the action's name")
    return found


def _recogniser(folder: Path, mode: Mode, options: Options) -> tuple[Recogniser, list[str]]:
    """And why examples were left out."""
    from samepose.sequences.recognition import Labelled, Recogniser

    files = example_files(folder)
    all_files = [(action, file) for action, clips in files.items() for file in clips]
    left_out = [f"{folder / action}: no clips in it; add some, or remove it" for action, clips in files.items()
                if not clips]
    found = []
    with options.progress("example") as progress:
        for n, (action, file) in enumerate(all_files):
            progress(n, len(all_files), str(file))
            try:
                found.append(Labelled(action, str(file), _clip(str(file), None, mode, options)))
            except SameposeError as error:
                left_out.append(str(error))
    for failure in left_out:
        options.warn(failure)
    if not found:
        raise SameposeError(f"{folder}: none of its {counted(len(all_files), 'clip')} can be an example; add some")
    with options.progress("example") as progress:
        known = Recogniser(found, options.embedder().matching, lambda n, of: progress(n, of, "comparing the examples"))
    return known, left_out


def _clip(text: str, person: int | None, mode: Mode, options: Options) -> Clip:
    from samepose.query.source import about, read_source
    from samepose.sequences.clip import clip_of
    from samepose.sequences.subsequence import LEAST_MOMENTS, RATE

    with about(text):
        source = read_source(text, lambda: options.detector(mode), options.open_index, fps=RATE)
        clip = clip_of(source.person(person), options.embedder(), rate=RATE)
        if clip.found.sum() < LEAST_MOMENTS:
            raise UsageError(f"the person is seen for {clip.found.sum() / RATE:.1f} s, and an action takes "
                             f"{LEAST_MOMENTS / RATE:.1f} s at least; give a longer clip, or try --mode accurate")
    return clip


def _text(path: str, named: Named) -> str:
    lines = [f"{path}: {named.action or 'none of these'} (confidence {named.confidence:.2f})"]
    lines += [f"  {n.distance:6.2f}  {n.action:<16} {n.path}" for n in named.neighbours]
    return "\n".join(lines)
