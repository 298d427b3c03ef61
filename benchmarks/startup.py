"""How long until samepose is there, and how big is it?

    python -m benchmarks.startup [--no-install] [--runs 7]

Targets: `import samepose` 0.3 s and `samepose --help` 0.5 s, whole processes, medians; a fresh light install 1.0 GB on
disk (what `du` counts, everything that the installation of samepose adds to an empty virtual environment).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from benchmarks._machine import describe, interleaved, medians

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def disk_bytes(folder: Path) -> int:
    """Blocks on the disk of all files in a folder, hard links counted once, as `du` does."""
    seen: dict[tuple[int, int], int] = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            stat = Path(parent, name).lstat()
            seen[stat.st_dev, stat.st_ino] = stat.st_blocks * 512
    return sum(seen.values())


def install_bytes(constraints: Path) -> int:
    """Size of a fresh light installation, with the bytecode that pip compiles."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        before = disk_bytes(Path(folder))
        python = next(p for p in (Path(folder, "bin", "python"), Path(folder, "Scripts", "python.exe")) if p.exists())
        run(str(python), "-m", "pip", "install", "--quiet", "-c", str(constraints), str(ROOT))
        run(str(python), "-c", "import samepose")
        return disk_bytes(Path(folder)) - before


def line(name: str, value: float, unit: str, limit: float) -> str:
    return f"{name:<44}{value:8.3f} {unit}   target <= {limit:g}: {'met' if value <= limit else 'MISSED'}"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--no-install", action="store_true", help="leave out the size")
    parser.add_argument("--cpu-time", action="store_true", help="also the processor time, for a busy machine")
    parser.add_argument("--quick", action="store_true", help="one run, no installation")
    args = parser.parse_args(argv)
    runs = 1 if args.quick else args.runs
    calls = {
        "python alone": lambda: run(sys.executable, "-c", "pass"),
        "import samepose": lambda: run(sys.executable, "-c", "import samepose"),
        "samepose --help": lambda: run(sys.executable, "-m", "samepose", "--help"),
    }
    print(describe("numpy", "cyclopts", "rich"))
    clocks = {"": time.perf_counter} | ({", processor time": children_time} if args.cpu_time else {})
    for suffix, clock in clocks.items():
        seconds = medians(interleaved(calls, runs, clock))
        print(f"{'python alone' + suffix:<44}{seconds['python alone']:8.3f} s")
        print(line("import samepose" + suffix, seconds["import samepose"], "s", 0.3))
        print(line("samepose --help" + suffix, seconds["samepose --help"], "s", 0.5))
    if not (args.no_install or args.quick):
        print(line("light installation on disk", install_bytes(ROOT / "constraints.txt") / 1e9, "GB", 1.0))


def children_time() -> float:
    """Seconds that the processes this one has waited for kept processors busy."""
    used = os.times()
    return used.children_user + used.children_system


if __name__ == "__main__":
    main()
