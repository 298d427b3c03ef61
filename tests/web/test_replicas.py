"""Several servers on a Ray cluster: what is asked of one the others know, and when one dies no request is lost."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
import pytest

from index_fakes import video
from ray_nodes import ray_nodes
from samepose.errors import SameposeError, StoreError, UsageError
from samepose.index import Index
from samepose.poses import Poses
from samepose.skeleton import COCO17
from samepose.web.figures import standing
from samepose.web.replicas import NAME, Shared, SharedQueries, served
from samepose.web.server import bound
from samepose.web.uploads import Kept

ray = pytest.importorskip("ray", reason="REPLICAS ARE NOT TESTED: pip install 'samepose[ray]'")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")

TOKEN = "nobody-will-ever-guess-it"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ray_nodes(2) as made:
        yield made.address


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty people."""
    folder, rng = tmp_path_factory.mktemp("replicas"), np.random.default_rng(0)
    people = Poses.of(rng.uniform(0, 300, (30, 17, 2)), COCO17, scores=np.ones((30, 17)))
    Index.open(folder / "ix", create=True, root=folder).add(people, name=[str(folder / f"{n}.jpg") for n in range(30)])
    return folder / "ix"


def ask(url: str, path: str, body: Any = None, token: str | None = TOKEN, **headers: str) -> tuple[int, Any]:
    """Status and JSON of one request; bytes are sent as a video."""
    kind = "video/mp4" if isinstance(body, bytes) else "application/json"
    headers |= {"Content-Type": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(url + path, content, headers)
    try:
        with urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, error.read()


def sent_again(url: str, path: str, body: Any) -> tuple[int, int]:
    """The last status, and how often it was sent: again after no answer and after a server's error."""
    for sent in range(1, 11):
        try:
            status, _ = ask(url, path, body)
        except (URLError, ConnectionError, TimeoutError):
            status = 0
        if 0 < status < 500:
            return status, sent
        time.sleep(0.3)
    return status, sent


def wait_until(true: Callable[[], bool]) -> None:
    """Up to a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not true():
        time.sleep(0.2)


def replicas() -> list[str]:
    """Their names on the cluster."""
    names = [actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)]
    return sorted(name for name in names if name.startswith("SERVE_REPLICA") and NAME in name)


def test_a_replica_killed_under_load_loses_nothing(address: str, index: Path, tmp_path: Path) -> None:
    keypoints = {joint: [float(x), float(y)] for joint, (x, y) in zip(standing().skeleton.joints, standing().points[0])}
    with served(str(index), "127.0.0.1", 0, TOKEN, ray=address, replicas=2) as there:
        url = there.url.partition("/?")[0]
        assert there.there and ask(url, "/api/session", token=None)[0] == 401
        assert ask(url, "/api/session", Host="evil.example")[0] == 400
        session = ask(url, "/api/session")[1]
        assert session["there"] and not session["local"]  # nobody adds folders through one of several
        query = ask(url, "/api/query", video(tmp_path / "v.mp4", 1).read_bytes())[1]["query"]
        moments = [ask(url, "/api/query", {"query": query, "at": at / 10}) for at in range(8)]
        assert [status for status, _ in moments] == [200] * 8  # also of those to whom the file was not sent
        search = {"keypoints": keypoints, "query": query, "who": 0, "k": 5}
        assert [ask(url, "/api/search", search)[0] for _ in range(8)] == [200] * 8  # also by whom it was not asked of

        with pytest.raises(StoreError, match="Ray Serve runs there already"), \
                served(str(index), "127.0.0.1", 0, TOKEN, ray=address, replicas=1):
            pass

        before, stop, found = replicas(), threading.Event(), list[tuple[int, int]]()

        def load() -> None:
            while not stop.is_set():
                found.append(sent_again(url, "/api/search", search))

        clients = [threading.Thread(target=load) for _ in range(3)]
        for client in clients:
            client.start()
        wait_until(lambda: len(found) >= 3)
        pid = ray.get_actor(before[0], namespace="serve").__ray_call__.remote(lambda _: os.getpid())
        os.kill(ray.get(pid), signal.SIGKILL)
        wait_until(lambda: len(replicas()) == 2 and before[0] not in replicas())
        came = len(found)
        wait_until(lambda: len(found) >= came + 6)  # two of each client, and three at most were under way
        stop.set()
        for client in clients:
            client.join()
        assert len(before) == 2 and len(replicas()) == 2 and before[0] not in replicas()  # another one came
        assert len(found) >= came + 6 and {status for status, _ in found} == {200}
    with pytest.raises(URLError):
        ask(url, "/api/session")
    assert not ray.is_initialized()


def test_a_file_that_was_sent_is_given_on_whatever_the_clocks_say(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("samepose.web.replicas._asked", lambda method, *arguments: method(*arguments))
    shared = Shared()
    one, other = SharedQueries(shared), SharedQueries(shared)
    file = one.folder / "sent"
    file.write_bytes(b"a video")
    # Kept where the machine was started long after the actor's.
    kept = one.keep(Kept("video", "v.mp4", standing(), file=file, used=time.monotonic() - 1e6))
    again = other.get(kept.id)
    assert again.file is not None and again.file.parent == other.folder and again.file.read_bytes() == b"a video"
    sent = SimpleNamespace(keep=lambda kept, content=None: content is None and shared.keep(kept))  # no file twice
    other._shared = sent
    later = other.keep(Kept("video", "v.mp4", standing(), file=again.file))
    assert one.get(later.id).file == file
    for queries in (one, other, shared._queries):
        queries.close()


def test_what_bars_replicas_is_said_in_a_line(address: str, index: Path) -> None:
    with pytest.raises(UsageError, match="3 replicas take a core each, and the cluster has 2"), \
            served(str(index), "127.0.0.1", 0, None, ray=address, replicas=3):
        pass
    with pytest.raises(StoreError, match="no Ray answers there"), \
            served(str(index), "127.0.0.1", 0, None, ray="127.0.0.1:9", replicas=1):
        pass
    with bound("127.0.0.1", 0) as taken, pytest.raises(SameposeError, match="the port is in use"), \
            served(str(index), "127.0.0.1", taken.getsockname()[1], None, ray=address, replicas=1):
        pass
