"""Reading C3D with ezc3d, in a process of its own: of damaged files it may never end, or crash."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from samepose.errors import FormatError
from samepose.formats.bvh import JointTracks
from samepose.formats.npz import LARGEST
from samepose.media import irregular
from samepose.media.files import copy
from samepose.media.remote import is_remote

_SECONDS = 120  # ezc3d reads a file of 100 MB in five


def read_c3d(path: Path) -> JointTracks:
    """The points of a `.c3d` over time, in its own unit and axes; NaN where a point was not seen.

    Raises:
        FormatError: ezc3d is not installed, or cannot read the file.
    """
    if find_spec("ezc3d") is None:
        raise FormatError(f"{path}: reading .c3d needs ezc3d; run pip install 'samepose[c3d]'")
    if what := irregular(path):
        raise FormatError(f"{path}: {what}")
    if not path.exists():
        raise FormatError(f"{path}: does not exist; check the path")
    if not is_remote(path):
        return _points(path, path.absolute())
    with TemporaryDirectory() as folder:  # ezc3d opens files of this machine only
        here = Path(folder, "remote.c3d")
        try:
            copy(path, here)
        except OSError as error:
            raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from error
        return _points(path, here)


def _points(path: Path, here: Path) -> JointTracks:
    """Of the file at `here`; errors name `path`."""
    # -P: what lies in the folder where somebody works is no module of ours.
    command = [sys.executable, "-P", "-m", "samepose.formats.c3d", str(here)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise FormatError(f"{path}: is not a readable C3D file (reading it does not end); export it again") from error
    if done.returncode or len(done.stdout) > LARGEST:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = f" ({said[-1][:200]})" if said and done.returncode == 1 else ""
        raise FormatError(f"{path}: is not a readable C3D file{reason}; export it again")
    with np.load(io.BytesIO(done.stdout)) as found:
        return JointTracks(tuple(map(str, found["names"])), found["points"], 1 / float(found["rate"]))


def _print(path: Path) -> None:
    """What the process of its own does: points, names and rate as an `.npz` on stdout; an error's reason on stderr."""
    ezc3d: Any = import_module("ezc3d")
    try:
        content = path.read_bytes()
        file: Any = ezc3d.c3d(str(path))
        points = np.moveaxis(np.asarray(file["data"]["points"], np.float64)[:3], 0, -1).swapaxes(0, 1)
        names = tuple(str(n) for n in file["parameters"]["POINT"]["LABELS"]["value"])[: points.shape[1]]
        rate, promised = float(file["header"]["points"]["frame_rate"]), _frames_promised(content)
    except Exception as error:  # whatever a damaged file leads to
        sys.exit((str(error).splitlines() or [type(error).__name__])[0])
    if len(points) == 0 or not 0 < rate < np.inf:
        sys.exit("has no 3D points over time")
    if len(points) < promised:
        sys.exit(f"is cut short: {len(points)} of {promised} frames are there")
    points[(points == 0).all(axis=-1)] = np.nan  # C3D writes (0, 0, 0) where a point was not seen
    whole = io.BytesIO()
    np.savez(whole, points=points, names=np.array(names, str), rate=np.array(rate))
    sys.stdout.buffer.write(whole.getvalue())


def _frames_promised(file: bytes) -> int:
    """Frames by a C3D's own header. ezc3d stops where the file does and then reports only what it found."""
    kind = file[(file[0] - 1) * 512 + 3]  # the processor that wrote it; 86 is big-endian
    first, last = struct.unpack_from(">2H" if kind == 86 else "<2H", file, 6)
    return int(last - first + 1)


def _limit() -> None:
    """No more memory than a file can be worth, and no picture of a crash, where the system can be told."""
    try:
        resource: Any = import_module("resource")
        resource.setrlimit(resource.RLIMIT_AS, (4 * LARGEST, 4 * LARGEST))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass


if __name__ == "__main__":
    _limit()
    _print(Path(sys.argv[1]))
