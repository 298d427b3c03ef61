"""Which reader a folder of pictures with 3D poses is for, and the one of rendered people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from samepose.errors import FormatError
from samepose.formats.h36m import TEST_SUBJECTS
from samepose.formats.h36m_pictures import has_h36m_pictures, read_h36m_pictures
from samepose.formats.posed_images import PosedImages
from samepose.formats.rendered import read_truth, rendered_shards
from samepose.skeleton import H36M17, SYNTH22

_HDM05 = re.compile(r"HDM_[a-z]+_([A-Za-z]+)")


def read_posed_images(path: str | Path, subjects: Sequence[str] = TEST_SUBJECTS) -> PosedImages:
    """Everybody of a set that `samepose synth` rendered, or some subjects of Human3.6M.

    Args:
        path: the folder.
        subjects: of Human3.6M. Who is in a rendered set was decided when it was rendered.

    Raises:
        FormatError: it is none of these, damaged, or without pictures.
    """
    path = Path(path)
    if not path.is_dir():
        raise FormatError(f"{path}: {'is a file' if path.exists() else 'does not exist'}; give a folder of `samepose "
                          "synth` or of Human3.6M")
    if rendered_shards(path):
        return read_rendered_poses(path)
    if has_h36m_pictures(path):
        return read_h36m_pictures(path, subjects)
    raise FormatError(f"{path}: holds neither people-*.npz of `samepose synth` nor poses and videos of Human3.6M, such "
                      "as S9/MyPoseFeatures/D3_Positions_mono/*.cdf and S9/Videos/*.mp4; give such a folder")


def read_rendered_poses(folder: Path) -> PosedImages:
    """The people of a rendered set; an action is the class of motion in HDM05's file names, else whose motion it is.

    Raises:
        FormatError: a shard is damaged, or nobody is there.
    """
    shards = rendered_shards(folder)
    found = [read_truth(path) for path in shards]
    truth = SYNTH22.convert(np.concatenate([shard.joints_3d for shard in found]), H36M17).astype(np.float32)
    points = np.concatenate([shard.joints_2d for shard in found]) - np.float32(0.5)  # our pixels' middles are whole
    if not len(truth):
        raise FormatError(f"{folder}: its shards hold no picture; make the set again")
    if not np.isfinite(truth).all():
        raise FormatError(f"{folder}: poses lack joints of Human3.6M's 17; make the set again")
    return PosedImages(
        "rendered people", truth, SYNTH22, points.astype(np.float32), np.concatenate([shard.inside for shard in found]),
        tuple(action_of(clip, subject) for shard in found for clip, subject in zip(shard.clips, shard.subjects)),
        tuple(subject for shard in found for subject in shard.subjects),
        "class of motion (HDM05), else whose motion it is (CMU)", tuple(shards),
        np.array([(number, i) for number, shard in enumerate(found) for i in range(len(shard.clips))], np.int64))


def action_of(clip: str, subject: str) -> str:
    """`squat` for HDM05's `HDM_bk_squat1Reps_018_120.amc`; the subject for any other clip."""
    found = _HDM05.match(Path(clip).name)
    return found[1] if found else subject
