"""`samepose serve`: the verb, a real server, and its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from drawn_people import Shell
from index_fakes import opened, photo
from samepose.web import server as server_module
from samepose.web.cache import Cache


def test_bad_calls_are_one_line(run: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run.fails("serve", "--port", port, code=3, says=[f"127.0.0.1:{port}: the port is in use", "--port"])
    run.fails("serve", "--port", 99999, code=2)
    run.fails("serve", "--host", "192.0.2.77", "--port", 0, code=2, says=["192.0.2.77: is no address"])
    run.fails("serve", "--host", "0.0.0.0", "--port", 0, "--token", "short", code=2, says=["--token"])


def test_the_address_comes_with_a_token_where_others_can_reach_it(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module.uvicorn.Server, "run", lambda self, sockets: None)
    pages: list[str] = []
    monkeypatch.setattr(server_module.webbrowser, "open", pages.append)
    told = run.json("serve", "--port", 0, "--open")
    assert told["url"].startswith("http://127.0.0.1:") and told["token"] is None and pages == [told["url"]]
    assert "no index here yet" in run.err
    told = run.json("serve", "--port", 0, "--host", "0.0.0.0")
    assert len(told["token"]) >= 32 and told["url"].endswith(f"/?token={told['token']}") and len(pages) == 1


def test_a_server_answers_until_it_is_stopped(tmp_path: Path) -> None:
    photo(tmp_path / "a.png", people=1)
    opened(tmp_path / "index").add(tmp_path / "a.png")
    command = [sys.executable, "-m", "samepose", "serve", "--port", "0", "--json", "--index", str(tmp_path / "index")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "TMPDIR": str(tmp_path), "JAXTYPING_DISABLE": "1"})
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        told = json.load(urllib.request.urlopen(url + "api/session", timeout=60))
        assert not told["there"] and "made with the model fake" in told["problem"]["message"]
        sent = urllib.request.Request(url + "api/query", b"no picture", {"Content-Type": "image/png"})
        with pytest.raises(urllib.error.HTTPError, match="422"):
            urllib.request.urlopen(sent, timeout=60)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0 and "Traceback" not in said
    assert said.splitlines()[-1].startswith("error: picture: is not")
    assert not list(tmp_path.glob("samepose-*"))


def test_pictures_are_kept_as_long_as_they_fit() -> None:
    made: list[str] = []

    def make(name: str) -> bytes:
        made.append(name)
        return b"x" * 40

    cache = Cache(100)
    for name in ("a", "b", "a", "c", "a", "b"):
        cache.get(name, lambda name=name: make(name))
    assert made == ["a", "b", "c", "b"] and len(cache) == 2  # b was the one not asked for lately
