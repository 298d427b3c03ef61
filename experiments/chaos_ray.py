"""Ingestion on three Ray nodes while workers and drivers are killed and the object store refuses: the same rows?

    python -m experiments.chaos_ray [--workers 10] [--drivers 5] [--refused 0.05] [--seed 0] [--json]

Media and index are at S3 (moto, behind a proxy on this machine). First one process indexes undisturbed. Then drivers
(`Index.add(…, ray=…)`) index into another place, each killed with SIGKILL once it has committed something and its share
of the workers has been killed; of all requests a part is answered by 503, of those that write by 409 in half of these
cases. At last the same call is made until it has nothing left to do. Rows must then equal those of the undisturbed run,
ids of media aside: a file whose reading failed passingly has the next one. Detector and embedder are the tests' own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from index_fakes import SlowDetector, opened, photo, rows, video
from object_store import ObjectStore, Refusal, object_store
from samepose.errors import SameposeError
from samepose.index.plan import _YOUNG
from samepose.index.schema import number_of

MEDIA, ALONE, DISTURBED = "s3://bucket/media", "s3://bucket/alone", "s3://bucket/disturbed"
_PATIENCE = 300.0  # seconds that one driver may take


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=10, help="to kill")
    parser.add_argument("--drivers", type=int, default=5, help="to kill")
    parser.add_argument("--refused", type=float, default=0.05, help="part of the requests")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--drive", nargs=2, metavar=("ADDRESS", "KILLS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.drive:
        drive(*args.drive)
        return
    with tempfile.TemporaryDirectory() as folder, object_store() as store:
        os.environ.update(store.environment())
        told = chaos(store, Path(folder), args)
    print(json.dumps(told) if args.json else "\n".join(f"{name}: {value}" for name, value in told.items()))
    sys.exit(0 if told["same"] else 1)


def chaos(store: ObjectStore, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Both runs, and what happened on the way."""
    from ray.cluster_utils import Cluster

    put_media(store, folder)
    time.sleep(1.2e-9 * _YOUNG)  # rows of younger objects say that they may change unseen
    opened(ALONE, root=MEDIA).add(MEDIA)
    kills, rng, refused = folder / "kills", random.Random(args.seed), list[int]()
    kills.mkdir()

    def refuse(method: str, path: str) -> Refusal | None:
        if rng.random() >= args.refused:
            return None
        busy = method != "PUT" or rng.random() < 0.5
        refused.append(503 if busy else 409)
        return (503, "SlowDown") if busy else (409, "ConditionalRequestConflict")

    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # the nodes unpickle the tests' detector
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        asked, store.refuse, begun = len(store.requests), refuse, time.perf_counter()
        killed, dead = 0, 0
        for turn in range(args.drivers):
            tokens = [kills / f"kill-{turn}-{n}" for n in range(args.workers * (turn + 1) // args.drivers - killed)]
            killed += len(tokens)
            dead += disturb(cluster.address, kills, tokens)
        calls = finish(cluster.address, kills)
    finally:
        cluster.shutdown()
    store.refuse = None
    found, expected = (told_by_path(place) for place in (DISTURBED, ALONE))
    return {"same": found == expected, "files": len(expected),
            "people": sum(len(each["people"]) for each in expected.values()),
            "differ": sorted(path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path)),
            "workers_killed": killed - len(list(kills.iterdir())), "drivers_killed": dead, "calls_after": calls,
            "requests": len(store.requests) - asked, "answered_503": refused.count(503),
            "answered_409": refused.count(409), "seconds": round(time.perf_counter() - begun, 1)}


def put_media(store: ObjectStore, folder: Path) -> None:
    """Photographs, a copy of one, one that is none, and two videos."""
    for i in range(150):
        photo(folder / f"{i:03d}.png", i % 4, seed=i)
    photo(folder / "z copy.png", 2, seed=2)
    (folder / "bad.jpg").write_bytes(b"no picture")
    for name in ("clip.mp4", "later.mp4"):
        video(folder / name, 2, frames=100, seed=len(name))
    for path in sorted(folder.glob("*.*")):
        store.put(f"bucket/media/{path.name.replace(' ', '_')}", path)


def driver(address: str, kills: Path) -> subprocess.Popen[bytes]:
    """A new one."""
    return subprocess.Popen([sys.executable, "-m", "experiments.chaos_ray", "--drive", address, str(kills)],
                            cwd=Path(__file__).parents[1])


def disturb(address: str, kills: Path, tokens: list[Path]) -> bool:
    """Start a driver, have workers killed one after another, and kill it once it has added to the index; whether it
    was still at work."""
    before, started = people_there(), driver(address, kills)
    deadline = time.monotonic() + _PATIENCE
    for token in tokens:
        token.touch()
        while token.exists() and started.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
    while people_there() == before and started.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    at_work = started.poll() is None
    started.kill()
    started.wait()
    return at_work


def finish(address: str, kills: Path) -> int:
    """The same call until nothing is left to be read again; how many it took."""
    for calls in range(1, 20):
        if driver(address, kills).wait(_PATIENCE) == 0:
            return calls
    raise SystemExit("19 calls, and files still fail passingly")


def people_there() -> int:
    """People in the disturbed index, as far as it answers."""
    try:
        return opened(DISTURBED, create=False)._store.count()
    except SameposeError:
        return 0


def told_by_path(place: str) -> dict[str, dict[str, Any]]:
    """All that an index tells of each file, without ids: the number of a person is the place among the file's."""
    people, media = rows(opened(place, create=False))
    told: dict[str, dict[str, Any]] = {row["id"]: {"medium": row, "people": []} for row in media}
    for person in people:
        kept = {name: value for name, value in person.items() if name not in ("id", "media", "track")}
        kept |= {name: [round(x, 4) for x in person[name]] for name in ("rank_keypoints", "variance_keypoints")}
        told[person["media"]]["people"].append((number_of(person["id"]), kept))
    if len({row["path"] for row in media}) < len(media):
        raise SystemExit(f"{place}: a file is there twice")
    return {each["medium"].pop("path"): each for each in told.values() if each["medium"].pop("id")}


def drive(address: str, kills: str) -> None:
    """One driver: index all media; exits with 1 where a file failed that may be read another time."""
    from samepose.index import batch, turns

    batch._SECONDS, turns.LEASE = 1.0, 12.0  # commits more often, and the dead are missed sooner, than usual
    report = opened(DISTURBED, SlowDetector(Path(kills)), root=MEDIA).add(MEDIA, ray=address)
    sys.exit(any("bad.jpg" not in path for path, _ in report.failed))


if __name__ == "__main__":
    main()
