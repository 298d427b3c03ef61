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

import numpy as np
from benchmarks._sets import (
    SYMMETRY,
    c3d,
    cameras_3dhp,
    flic,
    labels,
    lsp,
    mpii,
    mpii_people,
    penn,
    positions_2d,
    positions_3d,
    shard,
    spoiled_matlab,
    spoiled_network,
    spoiled_pickles,
)
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
    points,
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
from samepose.index.labels import given_back
from samepose.media.image import read_image
from samepose.media.video import frame_at, probe, read_frames
from samepose.poses import Poses
from samepose.skeleton import COCO17

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


def h36m(path: Path) -> None:
    """Poses of Human3.6M."""
    from samepose.formats.h36m import read_h36m

    read_h36m(path)


def keypoints_of_cameras(path: Path) -> None:
    """Every clip of a file of a multi-camera data set."""
    from samepose.formats.positions2d import Positions2D

    Positions2D.read(path).clip("S1", "Directions 1", ("0", "1", "2", "3"))


def rendered(path: Path) -> None:
    """A shard as people to test on, with their pictures, and as samples to train on."""
    from samepose.formats.rendered import read_rendered, read_shard

    people = read_rendered([path])
    for i in range(min(len(people), 3)):
        people.image(i)
    for _ in itertools.islice(read_shard(path), 3):
        pass


def lsp_people(path: Path) -> None:
    """LSP's labels with images beside them."""
    for n in (1, 2, 3):
        path.with_name(f"im000{n}.jpg").touch()
    read_keypoint_set(path)


def penn_action(path: Path) -> None:
    """A label file, with and without the annotator's guesses."""
    from samepose.formats.penn import read_penn_label

    read_penn_label(path).without_guesses(2)


def multiview(path: Path) -> None:
    """A sequence of MPI-INF-3DHP."""
    from samepose.formats.mpi_inf_3dhp import read_3dhp

    read_3dhp(path)


def labels_given_back(path: Path) -> None:
    """What `samepose label --import` does before it writes."""
    from samepose.cli.contents import _read
    from samepose.index.labels import _parsed

    for *_, known in _parsed(_read(path)):
        given_back(known, PEOPLE, None)


def pose_network(path: Path) -> None:
    """A pose embedder, opened and used."""
    from samepose.embed.prvipe import PrVipeEmbedder

    embedder = PrVipeEmbedder.load(path, threads=1)
    with np.errstate(all="ignore"):  # its numbers may be anything
        embedder.matching.probability(embedder.embed(PEOPLE), embedder.embed(PEOPLE))


def image_network(path: Path) -> None:
    """An image embedder, opened and used."""
    from samepose.embed.image import SIZE, ImageEmbedder

    embedder = ImageEmbedder.load(path, threads=1)
    embedder.embed(np.zeros((SIZE, SIZE, 3), np.uint8), np.array([[1, 1, 99, 99]], np.float32))


def machine(path: Path) -> None:
    """A Convolutional Pose Machine, opened and used on one square."""
    from samepose.detection.cpm import CPM
    from samepose.media.square import Square

    detector = CPM(path, threads=1)
    detector.look(np.zeros((32, 32, 3), np.uint8), Square(0, 0, 32))


PEOPLE = Poses.of(points(3, 17, 2), COCO17)


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
        "LSP": Reader("a.mat", lambda rng: spoiled_matlab(lsp(), rng), lsp_people),
        "FLIC": Reader("a.mat", lambda rng: spoiled_matlab(flic(), rng), read_keypoint_set),
        "MPII": Reader("a.mat", lambda rng: spoiled_matlab(mpii(), rng), read_keypoint_set),
        "MPII (JSON)": Reader("valid.json", lambda rng: spoiled_json(mpii_people(), rng), read_keypoint_set),
        "Penn Action": Reader("a.mat", lambda rng: spoiled_matlab(penn(), rng), penn_action),
        "MPI-INF-3DHP": Reader("annot.mat", lambda rng: spoiled_matlab(cameras_3dhp(), rng), multiview),
        "Human3.6M": Reader("a.npz", lambda rng: spoiled_pickles({"positions_3d": positions_3d()}, rng), h36m),
        "2D positions": Reader("a.npz", lambda rng: spoiled_pickles(
            {"positions_2d": positions_2d(), "metadata": SYMMETRY}, rng), keypoints_of_cameras),
        "rendered": Reader("people-0.npz", lambda rng: spoiled_arrays(shard(), rng), rendered),
        "exported labels": Reader("a.json", lambda rng: spoiled_json(labels(), rng), labels_given_back),
        "C3D": Reader("a.c3d", lambda rng: spoiled_bytes(c3d(), rng), load_poseset),
        "pose network": Reader("a.onnx", lambda rng: spoiled_network("pose", rng), pose_network),
        "image network": Reader("a.onnx", lambda rng: spoiled_network("image", rng), image_network),
        "CPM network": Reader("a.onnx", lambda rng: spoiled_network("cpm", rng), machine),
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
