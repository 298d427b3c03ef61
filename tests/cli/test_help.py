"""The shell of the command line: help, usage errors, what becomes of errors, start-up time."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from cyclopts import Group

from drawn_people import Shell, share_networks
from samepose.cli import app
from samepose.cli.options import Options, counted, people_text
from samepose.errors import MediaError, StoreError, UsageError

EVERYWHERE = {"--index", "--json", "--quiet", "--debug", "--threads"}
FLAGS = {
    "detect": {"--out", "--detector", "--mode", "--fps", "--draw"},
    "index": {"--detector", "--keypoints", "--label", "--prune", "--embedding", "--re-embed", "--root", "--fps",
              "--mode"},
    "serve": {"--port", "--host", "--token", "--open"},
    "search": {
        "--at", "--person", "-k", "--mirror", "--min-score", "--where", "--label", "--from", "--to", "--ignore", "--by",
        "--distinct", "--report", "--sheet", "--mode", "--moment",
    },
    "info": {"--export", "--files", "--failed"}, "remove": {"--yes", "--dry-run"}, "label": {"--import"},
    "doctor": set(),
}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("SAMEPOSE_INDEX", raising=False)
    return Shell(capsys)


@pytest.mark.parametrize("verb", FLAGS)
def test_help_of_each_verb_names_its_flags(run: Shell, verb: str) -> None:
    run(verb, "--help")
    assert run.out.startswith(f"Usage: samepose {verb} ")
    assert set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", run.out)) >= FLAGS[verb] | EVERYWHERE
    assert run.err == ""


def test_every_verb_has_a_line_in_the_help_and_a_help_of_its_own(run: Shell) -> None:
    text = run("--help").out
    for name, _form, target, line, _group in app.VERBS:
        if find_spec(target.partition(":")[0]) is None:
            assert name not in text.split()
            continue
        assert line in text
        assert run(name, "--help").out.startswith(f"Usage: samepose {name}")
    assert run().out == text
    assert re.fullmatch(r"samepose \d+\.\d+\.\d+\S*\n", run("--version").out)


@pytest.mark.parametrize(("words", "says"), [
    (["serch"], "search"),
    (["search"], "QUERY"),
    (["search", "a.jpg", "-k", "0"], ">= 1"),
    (["search", "a.jpg", "-k", "many"], "-k"),
    (["search", "a.jpg", "--mirror", "maybe"], "mirror"),
    (["search", "a.jpg", "--min-score", "1.5"], "--min-score"),
    (["search", "a.jpg", "--at", "-1"], "--at"),
    (["search", "a.jpg", "--report", "page.pdf"], "*.html"),
    (["search", "a.jpg", "--sheet", "missing/sheet.png"], "missing"),
    (["search", "a.jpg", "--colour"], "--colour"),
    (["info", "--threads", "0"], "--threads"),
    (["detect"], "name the photos"),
    (["detect", "a.jpg", "--fps", "0"], "--fps"),
    (["detect", "a.jpg", "--fps", "nan"], "--fps"),
    (["detect", "a.jpg", "--out", "poses.csv"], "*.npz or *.json"),
    (["detect", "a.jpg"], "a.jpg"),
    (["index"], "--re-embed"),
    (["index", "a.jpg"], "a.jpg"),
    (["index", "--keypoints", "a.json", "--prune"], "--prune"),
    (["remove"], "name what to remove"),
    (["label", "only-one"], "last the label"),
])
def test_wrong_usage_is_one_line_and_exit_code_2(
    run: Shell, words: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    share_networks(monkeypatch)
    run.fails(*words, code=2, says=[says])
    assert not Path("samepose-index").exists()


def test_errors_become_a_line_and_an_exit_code() -> None:
    assert app.explained(UsageError("a"))[1] == 2
    assert app.explained(MediaError("x.jpg: is\nbroken")) == ("x.jpg: is broken", 3)
    assert app.explained(StoreError("b"))[1] == 3
    assert app.explained(KeyboardInterrupt())[1] == 130
    assert app.explained(OSError(28, "No space left on device", "x.npz")) == (
        "x.npz: No space left on device; check the path, the disk and its permissions", 3)
    message, code = app.explained(ZeroDivisionError("division\nby zero"))
    assert message.startswith("unexpected ZeroDivisionError: division by zero") and "--debug" in message and code == 3


@pytest.mark.parametrize("debug", [False, True])
def test_only_debug_shows_a_traceback(run: Shell, monkeypatch: pytest.MonkeyPatch, debug: bool) -> None:
    def broken(self: Options, embedder: object = None) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Options, "open_index", broken)
    run("info", *(["--debug"] if debug else []), code=3)
    assert ("Traceback" in run.err) == debug
    assert run.err.splitlines()[-1].startswith("error: unexpected ZeroDivisionError: oops")


def test_an_interrupt_ends_with_130(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Options, embedder: object = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Options, "open_index", interrupted)
    run.fails("info", code=130, says=["interrupted"])


def test_a_verb_is_a_row_and_a_module(run: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "extra_verb.py").write_text("def wave(*, hand: str = 'left') -> int:\n    print(hand)\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "extra_verbs.py").write_text(
        "from cyclopts import App\napp = App(name='both')\n@app.command\ndef clap():\n    print('clap')\n")
    more = Group("More")
    rows = (("wave", "", "extra_verb:wave", "Wave.", more), ("both", None, "extra_verbs:app", "Both hands.", more),
            ("gone", "", "no_such:f", "Gone.", more))
    monkeypatch.setattr(app, "VERBS", (*app.VERBS, *rows))
    assert run("wave", "--hand", "right", code=1).out == "right\n"
    assert run("both", "clap").out == "clap\n"
    assert "Both hands." in run("--help").out and "Gone." not in run.out
    run.fails("both", "--nothing", code=2, says=["samepose both --help"])


def test_doctor(run: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from samepose.weights import WEIGHTS

    told = run.json("doctor")
    checks = {(c["group"], c["name"]): c for c in told["checks"]}
    assert told["ok"] and {g for g, _ in checks} == {"system", "package", "weights", "works", "extra"}
    assert WEIGHTS["movenet-thunder"] in checks["weights", "movenet-thunder"]["detail"]
    assert {"numba", "onnxruntime", "lancedb"} <= {n for g, n in checks if g == "package"}
    assert run("doctor").out.splitlines()[-1] == "everything that is needed works"
    assert not run.json("doctor", "--index", tmp_path / "none", code=3)["ok"]
    monkeypatch.setitem(WEIGHTS, "movenet-thunder", "0" * 64)
    run("doctor", code=3)
    assert any(line.startswith("FAIL weights movenet-thunder") and "reinstall" in line for line in run.out.splitlines())


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screens = [_Terminal(), io.StringIO(), _Terminal()]
    for screen, options in zip(screens, (Options(), Options(), Options(quiet=True))):
        monkeypatch.setattr(sys, "stderr", screen)
        with options.progress("file") as progress:
            time.sleep(0.15)  # drawn before anything is known
            for done in range(1, 4):
                progress(done, 8, "folder/[red]picture.jpg")
                time.sleep(0.15)
    terminal, pipe, quiet = (s.getvalue() for s in screens)
    assert "3/8" in terminal and "folder/[red]picture.jpg" in terminal and re.search(r"\d files?/s", terminal)
    assert pipe == quiet == ""


def test_outputs_are_checked_before_the_work(tmp_path: Path) -> None:
    assert Options().output(tmp_path / "a.PNG", (".png",)) == tmp_path / "a.PNG"
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        Options().output(tmp_path / "folder.png", (".png",))
    assert (counted(1, "file"), counted(1200, "file")) == ("1 file", "1,200 files")
    assert (people_text(1), people_text(0)) == ("1 person", "0 people")


def test_help_starts_fast() -> None:
    """Half a second on an idle machine; the bound is for a busy one, the best of three counts."""
    def seconds() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "samepose", "--help"], check=True, capture_output=True)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 1.5


def test_a_reader_that_stops_early_is_no_error() -> None:
    process = subprocess.Popen([sys.executable, "-m", "samepose", "--help"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()  # long before the help is written
    assert process.communicate()[1] == b""
    assert process.returncode in (0, 1)


def test_the_terminal_need_not_know_a_file_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "samepose", "detect", "Fuß-日本.png"], cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: Fu\\xdf-\\u65e5\\u672c.png: no such file or folder; check the path\n"
