"""Writing files: whole or not at all."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from samepose.errors import SameposeError
from samepose.files import written


def test_the_new_file_appears_at_the_end_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with written(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
        assert part.parent == tmp_path
        assert part.suffix == ".json"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_inside_leaves_the_old_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), written(target) as part:
        part.write_text("new")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_kill_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    program = ("import os, signal, sys; from samepose.files import written\n"
               "with written(sys.argv[1]) as part: part.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)")
    done = subprocess.run([sys.executable, "-c", program, str(target)])
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"


def test_what_the_system_refuses_is_told_in_one_line(tmp_path: Path) -> None:
    target = tmp_path / "nowhere" / "a.json"
    with pytest.raises(SameposeError, match=r"nowhere/a\.json: cannot be written \(No such file or directory\)"), \
            written(target) as part:
        part.write_text("new")


def test_a_link_leads_to_its_file_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    with written(tmp_path / "link") as part:
        part.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"
    program = ("from samepose.files import written\n"
               "with written('/dev/stdout') as part: part.write_text('through')")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "through"


def test_what_a_killed_process_left_goes_with_the_next_writing(tmp_path: Path) -> None:
    write = ("import os, signal, sys; from samepose.files import written\n"
             "with written(sys.argv[1]) as part: part.write_text('half'); sys.argv[2:] and os.kill(os.getpid(), 9)")
    subprocess.run([sys.executable, "-c", write, str(tmp_path / "a.json"), "kill"])
    (left,) = tmp_path.iterdir()
    mine = left.with_name(left.name.replace(re.findall(r"-(\d+)-\d+\.part", left.name)[0], str(os.getpid())))
    mine.write_text("this process lives")
    (tmp_path / ".a.123.part.json").write_text("somebody's")
    subprocess.run([sys.executable, "-c", write, str(tmp_path / "b.json")], check=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([mine.name, ".a.123.part.json", "b.json"])


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    with written(tmp_path / ("x" * 250 + ".json")) as part:
        part.write_text("new")
    assert len(list(tmp_path.iterdir())) == 1
