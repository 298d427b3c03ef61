"""A detector and an embedder that need no weights, and media small enough for tests of the index."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
from PIL import Image

from samepose.index import Index
from samepose.matching.embeddings import Embeddings, Matching
from samepose.poses import Poses
from samepose.skeleton import BODY13, COCO17

_PROJECTION = np.random.default_rng(5).standard_normal((26, 16)).astype(np.float32) / 3


class FakeDetector:
    """As many people as the image's red value says, their poses drawn from its green and blue."""

    def __init__(self, name: str = "fake-1") -> None:
        self.name = name
        self.calls = 0

    def detect(self, image: np.ndarray) -> Poses:
        self.calls += 1
        red, green, blue = (int(v) for v in image[4, 4])
        people = (red + 10) // 20 % 10
        rng = np.random.default_rng([(green + 2) // 5, (blue + 2) // 5])
        return Poses.of(rng.uniform(0, 300, (people, 17, 2)), COCO17, scores=rng.uniform(0.5, 1, (people, 17)),
                        person_scores=np.linspace(0.9, 0.5, people))


class SlowDetector(FakeDetector):
    """Takes its time, and on request its worker's life."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self.folder = folder

    def detect(self, image):
        time.sleep(0.05)
        if self.folder is not None:
            for token in self.folder.glob("kill-*"):
                try:
                    token.unlink()
                except FileNotFoundError:
                    continue
                os.kill(os.getpid(), signal.SIGKILL)
        return super().detect(image)


class FakeEmbedder:
    """A fixed projection of the centred and scaled joints."""

    dimensions, joint_score, min_joints = 16, 0.0, 8

    def __init__(self, name: str = "fake", sha256: str = "ab" * 32, scale: float = 1.0) -> None:
        self.name, self.sha256, self.scale = name, sha256, scale
        self.matching = Matching(2.0, 2.0)

    def embed(self, poses: Poses) -> Embeddings:
        points = poses.to(BODY13).points
        points = np.nan_to_num(points - np.nanmean(points, axis=1, keepdims=True))
        points /= np.abs(points).max(axis=(1, 2), keepdims=True) + 1e-6
        mean = (points.reshape(len(points), -1) @ _PROJECTION * self.scale).astype(np.float32)
        return Embeddings(mean, (0.02 + 0.05 * mean**2).astype(np.float32))

    def searchable(self, poses: Poses) -> np.ndarray:
        return poses.visible.sum(axis=1) >= 8


def photo(path: Path, people: int, seed: int = 0) -> Path:
    """An image in which `FakeDetector` finds so many people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = (people * 20, seed % 50 * 5, seed // 50 * 5)
    Image.fromarray(np.full((8, 8, 3), colour, np.uint8)).save(path)
    return path


def video(path: Path, people: int, frames: int = 12, rate: int = 10, seed: int = 0) -> Path:
    """A clip of one colour, in each of whose frames `FakeDetector` finds so many people."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=rate)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        image = np.full((64, 64, 3), (people * 20, seed % 50 * 5, 0), np.uint8)
        for _ in range(frames):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(stream.encode())
    return path


def opened(
    place: str | Path, detector: FakeDetector | None = None, embedder: FakeEmbedder | None = None,
    root: str | Path | None = None, create: bool = True,
) -> Index:
    """An index that works with the fakes; made when there is none, with the folder it is in as its root."""
    return Index.open(place, create=create, root=root or Path(place).parent, detector=detector or FakeDetector(),
                      embedder=embedder or FakeEmbedder())


def rows(index: Index) -> tuple[list[dict], list[dict]]:
    """Everything in both tables, in order of id."""
    store = index._store
    people, media = (t.search().limit(None).to_arrow().sort_by("id") for t in (store.people, store.media))
    return people.to_pylist(), media.to_pylist()


def assert_same(index: Index, other: Index) -> None:
    """All columns equal; embeddings up to the rounding of matrix products over batches of other sizes."""
    (people, media), (expected, expected_media) = rows(index), rows(other)
    assert media == expected_media and len(people) == len(expected)
    for column in ("rank_keypoints", "variance_keypoints"):
        mine, theirs = ([person.pop(column) for person in some] for some in (people, expected))
        np.testing.assert_allclose(np.array(mine), np.array(theirs), atol=1e-5)
    assert people == expected


def impatient() -> None:
    """Commit, merge and build indices all the time, so that a kill hits them."""
    from samepose.index import batch, upkeep

    batch._SECONDS, batch._PEOPLE, batch._MEDIA, batch.SMALL_FILES = 0.0, 40, 3, 4
    batch._PART = 0.05
    upkeep.SMALL_FILES, upkeep.SCALAR_FROM_ROWS, upkeep.IVF_FROM_ROWS, upkeep.UNINDEXED_ROWS = 3, 20, 256, 20


def serve_writers() -> None:
    """For each line "FOLDER_OF_MEDIA INDEX" on stdin: print the id of a new process that indexes, then its fate.

    The imports are done once, before the forks; LanceDB itself is first used after them.
    """
    import sys

    import lancedb  # noqa: F401

    import samepose.detection.track  # noqa: F401
    impatient()
    for line in sys.stdin:
        media, target = line.split()
        child = os.fork()
        if child == 0:
            opened(target, root=media).add(media)
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    serve_writers()
