"""A real browser before a real server: an index that needs no weights, served by a process of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from index_fakes import FakeDetector, FakeEmbedder, opened
from samepose.poses import Poses

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIDE = 320  # pixels of a picture, so that the joints of `FakeDetector` lie in it
_PATIENCE = 240  # seconds for a server to start on a busy machine
_SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]


def picture(path: Path, people: int, seed: int = 0) -> Path:
    """A picture of one colour in which `FakeDetector` finds so many people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((SIDE, SIDE, 3), (people * 20, seed % 50 * 5, 0), np.uint8)).save(path)
    return path


def clip(path: Path, people: int, frames: int = 30, seed: int = 0) -> Path:
    """A clip of so many people who stand still, 10 frames a second."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        image = np.full((SIDE, SIDE, 3), (people * 20, seed % 50 * 5, 0), np.uint8)
        for _ in range(frames):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(stream.encode())
    return path


class Apart(FakeDetector):
    """The people of `FakeDetector`, each in a column of the picture of their own."""

    def detect(self, image: np.ndarray) -> Poses:
        poses = super().detect(image)
        column = SIDE / max(len(poses), 1)
        points = poses.points / 300 * np.array([column * 0.8, SIDE * 0.9]) + SIDE * 0.05
        points[..., 0] += np.arange(len(poses))[:, None] * column
        return Poses.of(points, poses.skeleton, scores=poses.scores, person_scores=poses.person_scores)


class Served:
    """A server on 127.0.0.1 in a process of its own, that can be killed and started again at the same address."""

    def __init__(self, folder: Path, token: str | None = None) -> None:
        self.folder, self.token = folder, token
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._said = folder / "server.log"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        here = Path(__file__).resolve()
        paths = [here.parents[1], here.parents[2] / "src", os.environ.get("PYTHONPATH", "")]
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", str(here), str(self.folder / "index"), str(self.port),
                 *filter(None, [self.token])], stdout=said, stderr=said,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in paths if path)})
        until = time.monotonic() + _PATIENCE
        while not self._answers():
            if (ended := self.ended()) or time.monotonic() > until:
                pytest.fail(f"the server of the page's tests did not start: {ended}")
            time.sleep(0.1)

    def ended(self) -> str | None:
        """How the server ended by itself, with the last it said; None while it runs or when it was killed here."""
        if self._process is None or self._process.poll() is None:
            return None
        return f"exit {self._process.returncode}; {self._said.read_text(errors='replace')[-4000:]}"

    def kill(self) -> None:
        """As when somebody pulls the plug."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/session", timeout=20):
                return True
        except urllib.error.HTTPError as error:
            return error.code == 401  # it wants its token
        except OSError:
            return False


@pytest.fixture(scope="session")
def library_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of 24 photos with 48 people, and two clips. Tests leave it as it was, but for labels."""
    folder = tmp_path_factory.mktemp("page")
    for n in range(24):
        picture(folder / "media" / ("beach" if n % 2 else "park") / f"{n:02d}.png", people=1 + n % 3, seed=n)
    clip(folder / "media" / "clips" / "a.mp4", people=2, seed=30)
    clip(folder / "media" / "clips" / "b.mp4", people=1, seed=31)
    opened(folder / "index", Apart()).add(folder / "media")
    server = Served(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a window; without one the page is NOT tested, and pytest says so."""
    place = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if place is None:
        missing = "THE PAGE IS NOT TESTED: there is no chromium; install it (apt install chromium)"
        pytest.fail(missing) if os.environ.get("SAMEPOSE_BROWSER") == "required" else pytest.skip(missing)
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="THE PAGE IS NOT TESTED: there is no playwright; pip install playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=place, args=_SWITCHES)
        yield browser
        browser.close()


OpenTab = Callable[..., "Page"]


@pytest.fixture
def tab(chromium: Browser, library_served: Served) -> Iterator[OpenTab]:
    """Opens the page at an address like "#/search"; at the end no script may have failed, nor asked elsewhere."""
    contexts, wrong = [], []

    def opened_at(address: str = "", **options: Any) -> Page:
        context = chromium.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", **options})
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
        page.on("request", lambda sent: wrong.append(sent.url) if _elsewhere(sent.url, library_served.url) else None)
        page.goto(f"{library_served.url}/{address}", wait_until="commit")
        return page

    if library_served.ended():  # in an earlier test, which said so
        library_served.start()
    yield opened_at
    for context in contexts:
        context.close()
    assert not (ended := library_served.ended()), ended
    assert not wrong


def _elsewhere(url: str, here: str) -> bool:
    return not url.startswith((here + "/", "blob:", "data:"))


def _serve(index: str, port: int, token: str | None = None) -> None:
    import uvicorn

    from samepose.web.app import create_app
    from samepose.web.security import Gate
    app = create_app(index, Gate(token=token), detector=Apart(), embedder=FakeEmbedder())
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
