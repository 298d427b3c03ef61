"""Loading and saving keypoints of any kind, 3D poses among them: the file's content tells which."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from samepose.errors import FormatError, UsageError
from samepose.files import refuse_inputs, written
from samepose.formats.coco import coco_results, parse_coco
from samepose.formats.keypointfile import KeypointFile, read_json
from samepose.formats.lifted import is_lifted, parse_lifted
from samepose.formats.openpose import parse_openpose, read_openpose
from samepose.formats.posefile import pose_bytes, read_posefile
from samepose.formats.trc import trc_text
from samepose.media import irregular
from samepose.poses import Poses

_KINDS = "a samepose .npz, COCO keypoint JSON, or OpenPose JSON (a file, or the folder of them)"


def load_poses(path: Path | str) -> KeypointFile:
    """Poses, and the picture or clip of each, from a file or folder of any kind that is known by its content.

    Known are samepose's own .npz, the JSON of `samepose lift`, COCO results and annotations, and OpenPose's files or a
    folder of them.

    Raises:
        FormatError: nothing there, none of these kinds, or damaged.
    """
    path = Path(path)
    if path.is_dir():
        return read_openpose(path)
    if what := irregular(path):
        raise FormatError(f"{path}: {what}")
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"PK"
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); give {_KINDS}") from error
    if zipped:
        return read_posefile(path)
    content = read_json(path)
    if is_lifted(content):
        return parse_lifted(content, path)
    if isinstance(content, dict) and "people" in content:
        return parse_openpose([(path, content)])
    if isinstance(content, list) or (isinstance(content, dict) and "annotations" in content):
        return parse_coco(content, path)
    raise FormatError(f"{path}: no kind of keypoint file that is known; give {_KINDS}")


def save_poses(path: Path | str, poses: Poses, media: Sequence[str] | None = None) -> None:
    """Save poses as `path`'s suffix says: .npz keeps everything, .json is COCO results (2D, 17 joints), .trc is one
    person's joints through time in pixels, as Sports2D writes them and OpenSim reads them (see `formats.trc`).

    An existing file is replaced at once when all is written, never left half done; one of `media` never is.

    Args:
        media: the file each pose comes from; "" for all if not given.

    Raises:
        UsageError: another suffix, a file of `media`, not one name for each pose, or 3D poses as .json; several
            people, or poses without times, as .trc.
        SameposeError: it cannot be written, e.g. because the disk is full; an existing file is as before.
    """
    path = Path(path)
    file = KeypointFile(poses, ("",) * len(poses) if media is None else tuple(media))
    if path.suffix.lower() == ".npz":
        content = pose_bytes(file)
    elif path.suffix.lower() == ".json":
        content = (json.dumps(coco_results(poses, file.media), allow_nan=False) + "\n").encode()
    elif path.suffix.lower() == ".trc":
        content = trc_text(poses, path).encode()
    else:
        raise UsageError(f"{path}: poses are saved as .npz, .json or .trc; choose one of them")
    refuse_inputs([path], set(file.media))
    with written(path) as part:
        part.write_bytes(content)
