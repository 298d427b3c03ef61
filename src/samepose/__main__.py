"""`samepose` and `python -m samepose`: nothing is loaded before it is settled what becomes of an interrupt."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Run the command line; the exit code. Terminated, it still removes what is half written."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where the shell has it ignored
    if heeded:
        signal.signal(signal.SIGINT, _leave)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)
    from samepose.cli import main as run

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return run()


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Interrupted while modules are loaded, where an exception would be shown as an error of theirs."""
    os.write(2, b"error: interrupted; nothing was done\n")
    os._exit(130)


def _terminated(_number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
