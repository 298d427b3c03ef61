"""What a foreign page, another computer or a made-up file may try: refused, and the server goes on."""

from __future__ import annotations

import io
import os
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from PIL import Image

from index_fakes import FakeDetector, FakeEmbedder, opened, photo
from samepose.errors import SameposeError, UsageError
from samepose.web import pictures, security
from samepose.web.app import create_app
from samepose.web.security import Gate, checked_token
from samepose.web.server import Server
from served_page import Page, Serve

TOKEN = "a token of twenty-six signs".replace(" ", "-")
TRAVERSALS = [
    "../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5cwindows%5cwin.ini",
    "%2fetc%2fpasswd", "//etc/passwd", "/etc/passwd", "..%252f..%252fetc%252fpasswd", "%00", "0a1b2c3d4%00.jpg",
    "file:%2f%2f%2fetc%2fpasswd", "....//....//etc/passwd", "%c0%ae%c0%ae%2f", "0a1b2c3d4/../../../etc/passwd", "*",
    "a.mp4", "photos%2f01.png", "%0d%0aSet-Cookie:%20a=b", "0A1B2C3D4", "-1", "999999999999999999999", "٠a1b2c3d4",
    "x" * 3000,
]
ROUTES = ["/api/media/{}", "/api/media/{}/info", "/api/frame/{}.jpg", "/api/crop/{}.jpg", "/api/track/{}",
          "/api/query/{}/picture.jpg", "/api/jobs/{}", "/api/jobs/{}/events", "/api/map/{}.bin", "/static/{}", "/{}"]


@pytest.fixture(scope="module", autouse=True)
def still_there(page: Page) -> Iterator[None]:
    """After all of it, the server answers as before."""
    before = page.get("/api/library")
    yield
    assert page.get("/api/library") == before


def raw(page: Page, method: str, path: str, headers: list[tuple[str, str]], content: bytes = b"") -> Any:
    """A request whose path and headers are sent as they are."""
    return page.client.request(method, path, headers=headers, content=content)


# -- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTES)
def test_no_path_leads_to_a_file(page: Page, route: str) -> None:
    answers = set()
    for attempt in TRAVERSALS:
        answer = page.client.get(route.format(attempt))
        assert answer.status_code in (404, 405), (route, attempt, answer.status_code)
        assert b"root:" not in answer.content
        answers.add(answer.content)
    assert len(answers) == 1  # nothing tells what is there from what is not


def test_a_link_out_of_the_library_is_not_there(serve: Serve, tmp_path: Path) -> None:
    secret = photo(tmp_path / "outside" / "secret.png", people=1, seed=3)
    file = photo(tmp_path / "in" / "p.png", people=1, seed=2)
    opened(tmp_path / "in" / "index").add(file)
    page = serve(tmp_path / "in")
    medium = page.get("/api/library")["media"][0]["id"]
    person = page.post("/api/query", {"media": medium})["people"][0]["id"]
    urls = [f"/api/media/{medium}", f"/api/frame/{medium}.jpg", f"/api/crop/{person}.jpg"]
    assert page.client.get(urls[0]).content == file.read_bytes()
    for other in (secret, Path("/etc/passwd")):
        file.unlink()
        file.symlink_to(other)
        missing = page.client.get("/api/media/0a1b2c3d4")
        for url in urls:
            answer = page.client.get(url)
            assert (answer.status_code, answer.content) == (404, missing.content), url
        assert page.post("/api/query", {"media": medium})["picture"]["url"] is None


def test_the_lists_own_paths_must_lie_where_the_index_says(tmp_path: Path) -> None:
    """An index that was given to somebody may hold any path."""
    from dataclasses import replace

    from samepose.web.problems import Refusal

    photo(tmp_path / "in" / "p.png", people=1)
    photo(tmp_path / "outside.png", people=1)
    (tmp_path / "in" / "notes.txt").write_text("secret")
    os.mkfifo(tmp_path / "in" / "pipe.png")
    index = opened(tmp_path / "in" / "index")
    index.add(tmp_path / "in" / "p.png")
    medium = index.select()[0]
    assert pictures.file_of(index, medium) == tmp_path / "in" / "p.png"
    for path in ("../outside.png", "p.png/../../outside.png", "notes.txt", "/etc/passwd", "pipe.png", "", ".", "\0.png",
                 "/proc/self/environ", "no.png"):
        with pytest.raises(Refusal):
            pictures.file_of(index, replace(medium, path=path))


# -- other pages, other names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [
    "evil.example", "127.0.0.1.evil.example", "evil.example:8765", "localhost.evil.example", "",
    "127.0.0.1@evil.example", "127.0.0.1:8765:8765", "[::1", "10.0.0.7", "0.0.0.0", "localhost\\@evil", "127.0.0.1 ",
    "2130706433", "127.1",
])
def test_another_name_than_its_own_is_refused(page: Page, host: str) -> None:
    for path in ("/", "/api/session", "/static/app.js"):
        answer = raw(page, "GET", path, [("Host", host)])
        assert answer.status_code == 400 and answer.json()["error"]["kind"] == "refused"
        assert "csrf" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST", "[::1]:8765", "localhost.:80"])
def test_its_own_names_are_taken(page: Page, host: str) -> None:
    assert raw(page, "GET", "/api/session", [("Host", host)]).status_code == 200


async def nothing(*_: Any) -> None:
    raise AssertionError


def test_two_hosts_or_none_are_refused() -> None:
    guard = security.Guard(nothing, Gate())
    for hosts in ([], [(b"host", b"localhost"), (b"host", b"evil.example")]):
        scope = {"type": "http", "method": "GET", "path": "/", "headers": hosts, "query_string": b""}
        with pytest.raises(Exception, match="400"):
            guard._checked(scope)


@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"}, {"Origin": "file://"},
    {"Origin": "http://localhost:8765"}, {"Origin": "http://127.0.0.1:8765.evil.example"}, {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
])
def test_another_page_must_not_ask(page: Page, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/api/session"), ("GET", "/api/library"), ("POST", "/api/search"),
                         ("POST", "/api/label"), ("POST", "/api/query")):
        answer = page.client.request(method, path, headers={**headers, "X-Samepose-CSRF": page.csrf}, json={})
        assert answer.status_code == 403 and answer.json()["error"]["kind"] == "refused", (path, answer.text)
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_link_from_another_page_opens_the_page_but_no_data(page: Page) -> None:
    assert page.client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code in (200, 404)
    assert page.client.get("/api/map", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    own = {"Origin": "http://127.0.0.1:8765", "Sec-Fetch-Site": "same-origin"}
    assert page.client.get("/api/session", headers=own).status_code == 200


def test_a_preflight_is_refused(page: Page) -> None:
    for path in ("/api/label", "/api/query", "/"):
        answer = page.client.options(path, headers={"Origin": "http://evil.example",
                                                    "Access-Control-Request-Method": "POST"})
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND"):
        assert page.client.request(method, "/api/label").status_code == 405


@pytest.mark.parametrize("kind", [
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "image/png",
])
def test_what_a_form_could_send_is_refused(page: Page, kind: str) -> None:
    for path in ("/api/label", "/api/search", "/api/login"):
        answer = raw(page, "POST", path, [("Content-Type", kind), ("X-Samepose-CSRF", page.csrf)], b'{"token": "x"}')
        assert answer.status_code == 415, (path, kind)


@pytest.mark.parametrize("token", [None, "", "x", "é"])
def test_a_change_needs_the_sessions_token(page: Page, token: str | None) -> None:
    headers = {} if token is None else {"X-Samepose-CSRF": token.encode("latin-1")}
    for path in ("label", "remove", "index", "jobs/x/cancel", "anything/else"):
        answer = page.client.post(f"/api/{path}", json={}, headers=headers)
        assert answer.status_code == 403, path


# -- the token ------------------------------------------------------------------------------------------------------


def test_others_than_this_computer_need_the_token(serve: Serve, library: Path) -> None:
    page = serve(library, gate=Gate("192.0.2.1", TOKEN))
    client = page.client
    client.base_url = "http://192.0.2.1:8765"
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN},
                    {"Authorization": f"Basic {TOKEN}"},
                    {"Cookie": "samepose=wrong"}, {"Cookie": f"samepose={TOKEN}"}, {"Cookie": '"samepose\\'},
                    {"Authorization": "Bearer"}, {"Authorization": f"Bearer {TOKEN[:-1]}"}):
        for path in ("/api/session", "/api/openapi.json", "/api/media/0a1b2c3d4", "/api/nonsense"):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401 and "csrf" not in answer.text, (headers, path)
    for given in ("wrong", TOKEN + "x", ""):
        assert client.post("/api/login", json={"token": given}).status_code == 401
        assert "set-cookie" not in client.get("/", params={"token": given}, follow_redirects=False).headers
    assert client.get("/api/session", headers={"Authorization": f"Bearer {TOKEN}"}).json()["local"] is False
    opened_page = client.get("/", params={"token": TOKEN}, follow_redirects=False)
    assert opened_page.status_code == 303 and opened_page.headers["location"] == "/"
    cookie = opened_page.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
    session = client.get("/api/session")
    assert session.status_code == 200
    headers = {"X-Samepose-CSRF": session.json()["csrf"]}
    for path, body in (("index", {"paths": ["/"]}), ("label", {"what": ["no such"], "name": "x"})):
        assert client.post(f"/api/{path}", json=body, headers=headers).status_code == (403 if path == "index" else 400)
    assert client.get("/api/folders").status_code == 403


def test_a_served_token_is_never_a_guess() -> None:
    assert checked_token("127.0.0.1", None) is None and checked_token("::1", None) is None
    first, second = (checked_token("0.0.0.0", None) for _ in range(2))
    assert first and second and first != second and len(first) >= 32
    for token in ("short", "", "a token with spaces in it", "ein-längeres-geheimnis"):
        with pytest.raises(UsageError):
            checked_token("0.0.0.0", token)


def test_served_to_all_addresses_it_goes_by_addresses_and_its_own_name() -> None:
    gate = Gate("0.0.0.0", TOKEN)
    assert gate.answers_to("192.168.1.5:8765") and gate.answers_to("[fe80::1]:80")
    assert gate.answers_to(socket.gethostname()) and not gate.answers_to("evil.example")
    assert not Gate("192.168.1.5", TOKEN).local and Gate("127.0.0.2").local


# -- too much -------------------------------------------------------------------------------------------------------


def png(width: int, height: int) -> bytes:
    """A few bytes that claim so many pixels."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b""))


@pytest.mark.parametrize(("width", "height"), [(9000, 9000), (50_000, 50_000), (2**31 - 1, 2**31 - 1), (100_000, 700)])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(page: Page, width: int, height: int) -> None:
    started = time.perf_counter()
    error = page.send(png(width, height), 422, name="bomb.png")["error"]
    assert error["kind"] == "media" and error["message"].startswith(("bomb.png", "the picture")) and error["remedy"]
    assert time.perf_counter() - started < 5


def test_a_bomb_of_compression_is_refused(page: Page) -> None:
    buffer = io.BytesIO()
    Image.new("1", (8100, 8000)).save(buffer, "PNG")
    assert len(buffer.getvalue()) < 300_000 and page.send(buffer.getvalue(), 422)["error"]["kind"] == "media"


def test_an_upload_that_never_ends_is_cut(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "LARGEST_UPLOAD", 1 << 20)
    given = 0

    def endless() -> Iterator[bytes]:
        nonlocal given
        while True:
            given += 1
            yield b"x" * 65536

    content = endless_until(endless(), 200)
    answer = page.client.post("/api/query", content=content, headers={"Content-Type": "image/png"})
    assert answer.status_code == 413 and answer.json()["error"]["kind"] == "large"
    queries = page.client.app.state.service.queries  # type: ignore[attr-defined]
    assert not any(file.stat().st_size > 1 << 20 for file in queries.folder.iterdir())
    claimed = page.client.post("/api/query", content=b"x", headers={"Content-Type": "image/png",
                                                                   "Content-Length": str(10**15)})
    assert claimed.status_code == 413
    for length in ("-1", "1e9", "x"):
        assert page.client.post("/api/query", content=b"x", headers={
            "Content-Type": "image/png", "Content-Length": length}).status_code == 400


def endless_until(chunks: Iterator[bytes], most: int) -> Iterator[bytes]:
    """As far as the test's client, which sends it all before it listens, can hold it."""
    for _ in range(most):
        yield next(chunks)


def test_a_body_of_json_that_is_too_large_or_too_deep_is_refused(page: Page) -> None:
    assert page.post("/api/label", {"what": ["x" * 2_000_000], "name": "x"}, 413)["error"]["kind"] == "large"
    for text in (b"[" * 100_000, b'{"what": ' * 50_000, b"\xff\xfe", b"{", b"NaN", b'{"a": 1' + b"0" * 5000 + b"}"):
        headers = [("Content-Type", "application/json"), ("X-Samepose-CSRF", page.csrf)]
        for path in ("/api/label", "/api/search", "/api/query"):
            answer = raw(page, "POST", path, headers, text)
            assert answer.status_code in (400, 422) and answer.json()["error"]["kind"] == "usage", (path, text[:20])


def test_ten_thousand_header_lines_are_refused(page: Page) -> None:
    many = [(f"X-{n}", "x") for n in range(10_000)]
    for headers in ([("X-Long", "x" * 100_000)], [("Cookie", "a=b; " * 20_000)], many[:101]):
        assert raw(page, "GET", "/api/session", headers).status_code == 431
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"",
             "headers": [(name.encode(), value.encode()) for name, value in many]}
    with pytest.raises(Exception, match="431"):  # the test's own client takes long to send so many
        security.Guard(nothing, Gate())._checked(scope)
    assert page.client.get("/api/session?" + "x" * 20_000).status_code == 414


def test_ten_thousand_header_lines_do_not_end_a_real_server(library: Path) -> None:
    server = Server.bind(str(library / "index"), "127.0.0.1", 0, None)
    with pytest.raises(SameposeError, match="in use"):
        Server.bind(str(library / "index"), "127.0.0.1", server.listening.getsockname()[1], None)
    app = create_app(str(library / "index"), detector=FakeDetector(), embedder=FakeEmbedder())
    running = uvicorn.Server(uvicorn.Config(app, log_config=None, http="h11", ws="none"))
    thread = threading.Thread(target=running.run, args=([server.listening],), daemon=True)
    thread.start()
    address = server.listening.getsockname()

    def said(request: bytes) -> bytes:
        with socket.create_connection(address, 10) as connection:
            try:
                connection.sendall(request)
                return connection.recv(65536)
            except ConnectionError:  # it had heard enough
                return b""

    many = b"".join(b"X-%d: x\r\n" % n for n in range(10_000))
    assert b" 200 " not in said(b"GET /api/session HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n")
    for odd in (b"\0" * 5000, b"GET /\r\n\r\n", b"GET /api/session HTTP/1.1\r\n\r\n", b"G" * 200_000,
                b"POST /api/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
        assert b" 200 " not in said(odd)
    assert b" 200 " in said(b"GET /api/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    running.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


# -- names ----------------------------------------------------------------------------------------------------------

NAMES = ["<img src=x onerror=alert(1)>.png", "\x1b[31mred\x07.png", "a\u202egnp.exe.png", "'; DROP TABLE media; --.png",
         '"quoted".png', "новый.png", "a&b.png", "new\nline.png"]


def test_names_are_data_wherever_they_are_shown(serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for n, name in enumerate(NAMES):
        photo(tmp_path / "p" / name, people=1, seed=n)
    opened(tmp_path / "index").add(tmp_path / "p")
    page = serve(tmp_path)
    media = page.get("/api/library")["media"]
    assert {m["path"] for m in media} == {f"p/{name}" for name in NAMES}
    answer = page.client.get("/api/library")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for medium in media:
        file = page.client.get(f"/api/media/{medium['id']}")
        assert file.status_code == 200 and file.headers["content-type"] == "image/png"
        assert "sandbox" in file.headers["content-security-policy"] and "content-disposition" not in file.headers
    label = "<script>alert(1)</script>'\x1b[2J"
    id = page.post("/api/query", {"media": media[0]["id"]})["people"][0]["id"]
    assert page.post("/api/label", {"what": [id], "name": label})["label"] == label
    found = page.post("/api/search", {"person": id, "min_score": 0, "label": label, "copies": True})
    assert found["results"] == []
    report = page.client.post("/api/export", json={"person": id, "min_score": 0, "format": "html"}).text
    assert "<img src=x" not in report and "<script>alert" not in report
    error = page.send(b"nothing", 422, name="\x1b[31m<b>\n.png")["error"]
    assert "\x1b" not in error["message"]
    page.post("/api/remove", {"what": ["no\x1b[2J such\n"]}, 400)
    assert all(line.message.isprintable() for line in caplog.records if line.name == "samepose.web")


def test_the_page_may_load_nothing_from_elsewhere(page: Page) -> None:
    for path in ("/", "/api/session", "/static/x", "/nowhere"):
        headers = page.client.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "http" not in policy
        assert "frame-ancestors 'none'" in policy and headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin" and headers["referrer-policy"] == "no-referrer"
    assert page.client.get("/api/session").headers["cache-control"] == "no-store"


def test_a_mistake_of_ours_is_one_line_and_no_more(
    page: Page, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    def wrong(*_: Any) -> None:
        raise ZeroDivisionError("secret /home/me")

    monkeypatch.setattr("samepose.index.Index.info", wrong)
    answer = page.client.get("/api/library")
    assert answer.status_code == 500 and answer.json()["error"]["kind"] == "unexpected"
    assert "secret" not in answer.text and "Traceback" not in answer.text
    lines = [record.message for record in caplog.records if record.name == "samepose.web"]
    assert lines == ["unexpected ZeroDivisionError: secret /home/me"]
