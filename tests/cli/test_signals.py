"""Ctrl-C and termination at any moment: a line, an exit code, nothing half written."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

# An import that takes long: a finder that waits, put before all others when Python starts.
SLOW = """
import sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == {slow!r}:
            print("loading", flush=True)
            time.sleep(20)
sys.meta_path.insert(0, Slow())
from samepose.__main__ import main
sys.argv = ["samepose", *sys.argv[1:]]
sys.exit(main())
"""


def signalled(program: str, number: int, *words: str) -> tuple[int, str]:
    """Exit code and stderr of a program that is sent a signal when it has said something."""
    process = subprocess.Popen([sys.executable, "-c", program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    assert process.stdout is not None and process.stdout.readline()
    process.send_signal(number)
    told = process.communicate(timeout=15)[1]
    return process.returncode, told


@pytest.mark.parametrize("slow", ["samepose.cli", "cyclopts", "samepose.cli.info", "lancedb", "numpy"])
def test_an_interrupt_while_modules_are_loaded_is_one_line(slow: str, tmp_path: Path) -> None:
    (tmp_path / "media.lance" / "_versions").mkdir(parents=True)
    (tmp_path / "media.lance" / "_versions" / "1.manifest").write_bytes(b"")
    if slow == "samepose.cli.info":
        slow = "samepose.cli.contents"
    code, told = signalled(SLOW.format(slow=slow), signal.SIGINT, "info", "--index", str(tmp_path))
    assert code == 130 and told.startswith("error: interrupted") and len(told.splitlines()) == 1, told


def test_an_interrupt_at_any_early_moment_shows_no_traceback_of_ours() -> None:
    """Before our first line Python itself answers; after it nothing of ours is shown."""
    for wait in (0.02, 0.05, 0.1, 0.2, 0.3):
        process = subprocess.Popen([sys.executable, "-m", "samepose", "doctor"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[1]
        assert "samepose/cli" not in told and "cyclopts" not in told, (wait, told)


def test_termination_leaves_nothing_half_written(tmp_path: Path) -> None:
    program = (
        "import sys, time, samepose.cli as cli\n"
        "from samepose.files import written\n"
        "def slow():\n"
        "    with written(sys.argv[1]) as part:\n"
        "        part.write_text('half'); print('writing', flush=True); time.sleep(20)\n"
        "cli.main = slow\n"
        "from samepose.__main__ import main\n"
        "sys.exit(main())")
    code, told = signalled(program, signal.SIGTERM, str(tmp_path / "a.json"))
    assert (code, told) == (143, "") and not list(tmp_path.iterdir())
