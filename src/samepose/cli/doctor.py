"""`samepose doctor`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from samepose.cli.app import as_flags
from samepose.cli.options import DEFAULT_INDEX, DEFAULTS, Options


def doctor(*, options: Options = DEFAULTS) -> int:
    """Check the installation: versions, weights and their hashes, threads, extras, and the index if there is one."""
    from samepose.doctor import examine

    named = options.index != DEFAULT_INDEX or Path(DEFAULT_INDEX).exists()
    checks = [replace(c, detail=as_flags(c.detail)) for c in examine(options.index if named else None)]
    healthy = all(c.ok or not c.essential for c in checks)
    width = max(len(f"{c.group} {c.name}") for c in checks)
    lines = [f"{_mark(c.ok, c.essential)} {c.group + ' ' + c.name:{width}}  {c.detail}" for c in checks]
    lines.append("everything that is needed works" if healthy else "something that is needed is broken, see above")
    options.result({"ok": healthy, "checks": [asdict(c) for c in checks]}, "\n".join(lines))
    return 0 if healthy else 3


def _mark(ok: bool, essential: bool) -> str:
    return "ok  " if ok else "FAIL" if essential else "-   "
