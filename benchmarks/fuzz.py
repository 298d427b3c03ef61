"""Does any damaged file crash, hang or change? Every reader on files that were spoiled by chance, from a seed.

    python -m benchmarks.fuzz [--inputs 1000] [--seed 0] [--reader NAME …]

A good file of each kind is made here and then spoiled: bytes flipped, cut, doubled or overwritten with extreme numbers;
of JSON, text and arrays the contents too, so that what comes after the parser is reached. A reader may read the result
or refuse it with a SameposeError of one line; all else is counted and named with the number of the input, and the exit
code is 1.
"""

from __future__ import annotations

import argparse
import itertools
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._spoiled import (
    AMC,
    ASF,
    JOINT_MAP,
    bvh,
    clip,
    coco,
    matlab,
    openpose,
    picture,
    pose_file,
    pose_set,
    spoiled_arrays,
    spoiled_bytes,
    spoiled_json,
    spoiled_text,
)
from PIL import Image

from samepose.errors import SameposeError
from samepose.formats.joint_names import read_joint_map
from samepose.formats.keypoints import load_poses
from samepose.formats.keypointset import read_keypoint_set
from samepose.formats.load_mocap import load_poseset
from samepose.formats.matfile import read_mat
from samepose.media.image import read_image
from samepose.media.video import frame_at, probe, read_frames

SECONDS = 10.0  # longest that one small file may take


class Hang(BaseException):
    """Not an Exception: nothing below may catch it."""


@dataclass(frozen=True)
class Reader:
    """A reader, and how files that it may be given are spoiled.

    Attributes:
        name: of a spoiled file, whose suffix may decide who reads it.
        make: a spoiled file's bytes.
        read: the reader.
    """

    name: str
    make: Callable[[random.Random], bytes]
    read: Callable[[Path], Any]


def watch(path: Path) -> None:
    """All that is done with a video."""
    sum(1 for _ in itertools.islice(read_frames(path, None), 200))
    probe(path)
    frame_at(path, 0.3)


def amc(path: Path) -> None:
    """A motion with a good skeleton beside it, then a good motion with the file as its skeleton."""
    from samepose.formats.asf_amc import read_amc

    good = path.with_suffix(".good")
    good.write_text(ASF if path.name.startswith("motion") else AMC)
    read_amc(*((path, good) if path.name.startswith("motion") else (good, path)))


def of_bytes(good: bytes) -> Callable[[random.Random], bytes]:
    return lambda rng: spoiled_bytes(good, rng)


def readers() -> dict[str, Reader]:
    """All of them, by name."""
    found = {kind.lower(): Reader(f"a.{kind.lower()}", of_bytes(picture(kind)), read_image)
             for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF") if kind in _saved()}
    found |= {name: Reader(f"a.{name}", of_bytes(clip(container, codec)), watch) for name, container, codec in (
        ("mp4", "mp4", "mpeg4"), ("avi", "avi", "mpeg4"), ("mkv", "matroska", "mpeg4"), ("webm", "webm", "libvpx"),
        ("ts", "mpegts", "mpeg2video"), ("flv", "flv", "flv"), ("wmv", "asf", "wmv2"), ("ogv", "ogg", "libvpx"))}
    arrays, poses = pose_file(), pose_set()
    return found | {
        "pose file": Reader("a.npz", lambda rng: spoiled_arrays(arrays, rng), load_poses),
        "COCO results": Reader("a.json", lambda rng: spoiled_json(coco(False), rng), load_poses),
        "COCO annotations": Reader("a.json", lambda rng: spoiled_json(coco(True), rng), load_poses),
        "OpenPose": Reader("a_0001_keypoints.json", lambda rng: spoiled_json(openpose(), rng), load_poses),
        "labels (COCO)": Reader("a.json", lambda rng: spoiled_json(coco(True), rng), read_keypoint_set),
        "labels (MATLAB)": Reader("a.mat", of_bytes(matlab()), lambda path: read_mat(path, ("joints",))),
        "pose set": Reader("b.npz", lambda rng: spoiled_arrays(poses, rng), load_poseset),
        "BVH": Reader("a.bvh", lambda rng: spoiled_text(bvh(), rng), load_poseset),
        "ASF": Reader("skeleton.asf", lambda rng: spoiled_text(ASF, rng), amc),
        "AMC": Reader("motion.amc", lambda rng: spoiled_text(AMC, rng), amc),
        "joint map": Reader("a.toml", lambda rng: spoiled_text(JOINT_MAP, rng), read_joint_map),
    }


def _saved() -> set[str]:
    Image.init()
    return set(Image.SAVE)


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raises `Hang` when the block takes longer."""
    def ring(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(reader: Reader, path: Path, data: bytes) -> str:
    """ "read", "refused", or what should not have happened."""
    path.write_bytes(data)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            with limit(SECONDS):
                reader.read(path)
            became = "read"
        except SameposeError as error:
            text = str(error)
            named = "\n" not in text and "allow_pickle" not in text
            became = "refused" if named else f"said more than a line: {text[:100]!r}"
        except Hang:
            became = f"hung for {SECONDS:g} s"
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            became = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno} ({str(error)[:80]})"
    if path.read_bytes() != data:
        return "changed the file"
    return f"warned: {str(told[0].message)[:80]}" if told and became in ("read", "refused") else became


@dataclass
class Account:
    """What became of the inputs of one reader; of what should not have happened the first input's number too."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0

    @property
    def wrong(self) -> int:
        return self.counts.total() - self.counts["read"] - self.counts["refused"]


def fuzz(reader: Reader, inputs: int, seed: int, folder: Path) -> Account:
    """Give a reader that many spoiled files."""
    account, path = Account(), folder / reader.name
    for i in range(inputs):
        data = reader.make(random.Random(f"{seed} {reader.name} {i}"))
        started = time.perf_counter()
        became = outcome(reader, path, data)
        account.slowest = max(account.slowest, time.perf_counter() - started)
        account.counts[became] += 1
        account.first.setdefault(became, i)
    return account


def main(argv: list[str] | None = None) -> int:
    """Print a line for each reader, and one for each thing that should not have happened."""
    known = readers()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1000, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", nargs="+", choices=sorted(known), default=list(known), metavar="NAME")
    args = parser.parse_args(argv)
    print(f"{'reader':17} {'inputs':>7} {'read':>7} {'refused':>8} {'wrong':>6} {'slowest':>8}")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in args.reader:
            account = fuzz(known[name], args.inputs, args.seed, Path(folder))
            counts = account.counts
            print(f"{name:17} {counts.total():7} {counts['read']:7} {counts['refused']:8} {account.wrong:6} "
                  f"{account.slowest:6.2f} s", flush=True)
            for became, n in counts.items():
                if became not in ("read", "refused"):
                    print(f"    {n} x {became}; first: input {account.first[became]}")
            wrong += account.wrong
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
